# settings: TOKEN_CACHE=3s REDIS_TIMEOUT=300ms
"""Two Redis servers, of which the first that answers is used: what a switch between them may forget, and what not."""
import atexit
import os
import signal
import subprocess
import sys
import threading

from owner import output_of, pid_of, redis, reload, start, stop
from soko import Shop, Suite, check, demand, equal, until

suite = Suite()
shop = Shop()

STATE = os.environ['SOKO_STATE']
FIRST = os.environ['SOKO_REDIS_SOCKET']
SECOND = os.path.join(os.path.dirname(FIRST), 'redis-2.sock')
USER = os.stat(STATE).st_uid
running = []


def start_second():
    folder = os.path.join(STATE, 'redis-2')
    if not os.path.isdir(folder):
        os.mkdir(folder, 0o700)
        os.chown(folder, USER, -1)
    with open(os.path.join(STATE, 'log', 'redis-2.log'), 'ab') as log:
        running.append(subprocess.Popen(
            ['redis-server', '--port', '0', '--unixsocket', SECOND, '--unixsocketperm', '700', '--save', '', '--appendonly',
             'no', '--dir', folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=USER, group=USER, extra_groups=[],
            start_new_session=True))
    until(lambda: subprocess.run(['redis-cli', '-s', SECOND, 'ping'], capture_output=True, check=False).stdout == b'PONG\n',
          'the second Redis')


def stop_second():
    while running:
        server = running.pop()
        if server.poll() is None:
            server.terminate()
            server.wait(60)


def second(*words):
    return output_of('redis-cli', '-s', SECOND, *words)


def session_of(who):
    return demand(shop.call('GET', '/auth/sessions', token=who['access_token']), 200).data[0]['id']


def profile(who):
    return shop.call('GET', '/auth/profile', token=who['access_token']).status


def log_out(who):
    demand(shop.call('POST', '/auth/logout', {}, who['access_token']), 200)


def seen_by_all(who, status):
    """Whatever worker is asked."""
    return until(lambda: all(profile(who) == status for _ in range(16)), f'{status} from all workers')


def redis_is_first():
    until(lambda: subprocess.run(['redis-cli', '-s', FIRST, 'ping'], capture_output=True, check=False).stdout == b'PONG\n',
          'the first Redis')


start_second()
reload(REDIS_ADDRESS=f'unix:{FIRST},unix:{SECOND}')


@suite.test
def test_the_first_is_used_and_the_end_of_a_session_told_to_both():
    ann = shop.sign_up()
    key = 'soko:session:' + session_of(ann)
    equal(profile(ann), 200, 'signed in')
    equal((redis('EXISTS', key), second('EXISTS', key)), ('1', '0'), 'a copy is with the first')
    log_out(ann)
    check(redis('GET', key) == second('GET', key) != '', 'both know the end')
    equal(profile(ann), 401, 'signed out')


@suite.test
def test_the_second_takes_over_and_gives_back():
    """Nobody is signed out, nobody signed in again, no request fails, and limits count."""
    ann, ben = shop.sign_up(), shop.sign_up('Ben')
    log_out(ben)
    over, statuses = threading.Event(), []

    def read():
        while not over.is_set():
            statuses.append((profile(ann), profile(ben)))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for r in readers:
        r.start()
    try:
        stop('redis')
        key = 'soko:session:' + session_of(ann)
        until(lambda: second('EXISTS', key) == '1', 'a copy with the second')
        equal(demand(shop.call('GET', '/status'), 200).data['redis'], 'ok', 'there is one')
        cleo = shop.sign_up('Cleo')
        log_out(cleo)
        equal(profile(cleo), 401, 'ended while the first was away')
        start('redis')
        redis_is_first()
        until(lambda: redis('EXISTS', key) == '1', 'a copy with the first again')
        seen_by_all(cleo, 401)
    finally:
        over.set()
        for r in readers:
            r.join()
    equal(set(statuses), {(200, 401)}, f'of {len(statuses)} looks')


@suite.test
def test_what_the_first_did_not_hear_of_it_believes_for_token_cache_at_most():
    """It hangs while a session ends, and comes back with its copy of it: the copy dies by itself."""
    ann = shop.sign_up()
    key = 'soko:session:' + session_of(ann)
    equal(profile(ann), 200, 'signed in')
    left = int(redis('PTTL', key))
    check(0 < left <= 3000, f'the life of a copy: {left} ms')
    os.kill(pid_of('redis'), signal.SIGSTOP)
    try:
        seen_by_all(ann, 200)
        log_out(ann)
        seen_by_all(ann, 401)
    finally:
        os.kill(pid_of('redis'), signal.SIGCONT)
    until(lambda: redis('PING') == 'PONG', 'the first Redis')
    until(lambda: redis('GET', key) in ('', second('GET', key)), 'the copy is dead')
    seen_by_all(ann, 401)


@suite.test
def test_a_server_that_answers_with_errors_is_passed_over():
    redis('CONFIG', 'SET', 'min-replicas-to-write', '1')  # NOREPLICAS: as a server that has lost its place
    try:
        ann = shop.sign_up()
        key = 'soko:session:' + session_of(ann)
        until(lambda: profile(ann) == 200 and second('EXISTS', key) == '1', 'a copy with the second')
        log_out(ann)
        seen_by_all(ann, 401)
    finally:
        redis('CONFIG', 'SET', 'min-replicas-to-write', '0')


@suite.test
def test_without_both_it_is_as_without_one():
    ann = shop.sign_up()
    stop_second()
    stop('redis')
    try:
        seen_by_all(ann, 200)
        until(lambda: demand(shop.call('GET', '/status'), 200).data['redis'] == 'degraded', 'degraded')
        log_out(ann)
        seen_by_all(ann, 401)
    finally:
        start_second()
        start('redis')
    redis_is_first()
    until(lambda: demand(shop.call('GET', '/status'), 200).data['redis'] == 'ok', 'ok')
    seen_by_all(ann, 401)


def end(*_):
    sys.exit(1)  # by way of atexit


signal.signal(signal.SIGTERM, end)
atexit.register(stop_second)
suite.main()
