# settings: STATEMENT_TIMEOUT=4s QUEUE_LIMIT=20s WORKER_DEADLINE=24s
"""Catalogue reads on a replica: a real standby of the shop's own PostgreSQL, by streaming. What it may answer it
does; what it may not, or cannot, the primary does, and no client sees a difference but in what is older."""
import atexit
import os
import signal
import subprocess
import sys
import threading

from owner import PSQL, Held, output_of, reload, sql, sql_one
from soko import Shop, Suite, check, demand, equal, together, until

suite = Suite()
shop = Shop()

STATE = os.environ['SOKO_STATE']
SOCKETS = os.path.dirname(os.environ['SOKO_REDIS_SOCKET'])
USER = os.stat(STATE).st_uid
BIN = os.path.dirname(PSQL)
DATA = os.path.join(STATE, 'pg-replica')
LOG = os.path.join(STATE, 'log', 'replica.log')
PORT = 5433  # the name of its socket
URL = f'postgresql://soko_app@/soko?host={SOCKETS}&port={PORT}'
OWNER = os.environ['SOKO_OWNER_URL'].replace('soko_owner', 'postgres') + f'&port={PORT}'
BARE = {'Cookie': 'a=1'}  # past nginx's microcache; to soko-api nobody

running = []  # the standby's process


def as_user(*command, **more):
    return subprocess.Popen(command, user=USER, group=USER, extra_groups=[], cwd='/', env={'PATH': os.environ['PATH']},
                            stdin=subprocess.DEVNULL, **more)


def start_standby():
    if not os.path.exists(DATA):
        made = as_user(os.path.join(BIN, 'pg_basebackup'), '-h', SOCKETS, '-U', 'postgres', '-D', DATA, '-R',
                       '-c', 'fast', '-X', 'stream')
        equal(made.wait(120), 0, 'pg_basebackup')
    with open(LOG, 'ab') as log:
        running.append(as_user(os.path.join(BIN, 'postgres'), '-D', DATA, '-p', str(PORT), '-c', 'listen_addresses=',
                               '-c', f'unix_socket_directories={SOCKETS}', '-c', 'max_connections=200',
                               '-c', 'log_error_verbosity=terse',
                               '-c', 'log_min_error_statement=panic', '-c', 'fsync=off',
                               stdout=log, stderr=log, start_new_session=True))
    ready = [os.path.join(BIN, 'pg_isready'), '-q', '-h', SOCKETS, '-p', str(PORT), '-U', 'postgres']
    until(lambda: subprocess.run(ready, check=False).returncode == 0, 'a standby that answers', 60)


def stop_standby(how=signal.SIGINT):
    while running:
        server = running.pop()
        if server.poll() is None:
            server.send_signal(signal.SIGCONT)
            server.send_signal(how)
            server.wait(60)


def on_replica(statement):
    return sql(statement, OWNER)[0][0]


def replica_has(what):
    until(lambda: on_replica(f'SELECT EXISTS ({what})') == 't', f'the standby has: {what}')


def flush():
    """What has been written so far of transactions that are still open (their locks) goes to the standby with the
    next commit, and may stay in the primary's memory until then."""
    sql("SELECT pg_logical_emit_message(true, 'flush', '')")


def caught_up():
    place = sql_one('SELECT pg_current_wal_flush_lsn()')
    until(lambda: on_replica(f"SELECT pg_last_wal_replay_lsn() >= '{place}'") == 't', 'the standby has caught up')


def all_say(state):
    """Each worker judges for itself; 40 askers in a row meet all four."""
    def once():
        answers = together(8, lambda _: [demand(shop.call('GET', '/status'), 200).data['replica'] for _ in range(5)])
        return all(a == [state] * 5 for a in answers)
    until(once, f'all workers say {state}', 60)


def name_of(product, **more):
    more.setdefault('headers', BARE)
    return demand(shop.call('GET', f'/products/{product}', **more), 200).data['name']


def rename(product, seller, name):
    demand(shop.call('PUT', f'/products/{product}', {'name': name}, seller['access_token']), 200)


def paused(statement=None):
    on_replica('SELECT pg_wal_replay_pause()')
    until(lambda: on_replica('SELECT pg_get_wal_replay_pause_state()') == 'paused', 'the standby stands still')


def resume():
    on_replica('SELECT pg_wal_replay_resume()')
    caught_up()


seller = shop.new_seller()
category = shop.new_category()['id']
product = shop.new_product(seller, category, name='As it was')['id']


@suite.test
def test_without_one_there_is_none():
    equal(demand(shop.call('GET', '/status'), 200).data['replica'], 'none', 'status')
    equal(demand(shop.call('GET', '/ready'), 200).json['data']['replica'], 'none', 'ready')


@suite.test
def test_the_anonymous_read_there_and_nobody_else():
    start_standby()
    caught_up()
    reload(DATABASE_REPLICA_URL=URL, REPLICA_LAG='1h')
    all_say('ok')
    equal(demand(shop.call('GET', '/ready'), 200).json['data']['replica'], 'ok', 'ready')
    check(int(on_replica("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'soko-fast'")) > 0, 'sessions')
    paused()
    try:
        rename(product, seller, 'As it is')
        equal({name_of(product) for _ in range(20)}, {'As it was'}, 'nobody')
        equal({name_of(product, token=seller['access_token']) for _ in range(20)}, {'As it is'}, 'the seller')
        equal(name_of(product, token=shop.sign_up()['access_token']), 'As it is', 'a buyer')
        equal(name_of(product, headers={'X-API-Key': 'x', **BARE}), 'As it was', 'what is no credential')
        for path in (f'/products?search=As+it&category_id={category}', f'/stores/{seller["store_id"]}', '/stores',
                     '/categories', f'/products/{product}/reviews'):
            demand(shop.call('GET', path, headers=BARE), 200)
        found = demand(shop.call('GET', f'/products?category_id={category}', headers=BARE), 200).data
        equal([p['name'] for p in found], ['As it was'], 'a list')
    finally:
        resume()
    until(lambda: name_of(product) == 'As it is', 'the change on the standby')


@suite.test
def test_what_is_new_is_not_404():
    paused()
    try:
        new = shop.new_product(seller, category, name='Brand new')['id']
        equal(name_of(new), 'Brand new', 'a product that the standby does not have')
        demand(shop.call('GET', '/products/01920000-0000-7000-8000-00000000dead', headers=BARE), 404, 'NOT_FOUND')
    finally:
        resume()


@suite.test
def test_etags_follow_the_data():
    """The same for both servers, since it is made of the data; a change changes it, whoever answers."""
    caught_up()
    path = f'/products/{product}'
    there = demand(shop.call('GET', path, headers=BARE), 200).headers['etag']
    here = demand(shop.call('GET', path, token=seller['access_token']), 200).headers['etag']
    equal(there, here, 'one tag')
    demand(shop.call('GET', path, headers={'If-None-Match': there, **BARE}), 304)
    rename(product, seller, 'With another tag')
    caught_up()
    demand(shop.call('GET', path, headers={'If-None-Match': there, **BARE}), 200)


@suite.test
def test_writes_never_go_there():
    """A sale, from the first page to the receipt, and what the standby has said to it."""
    buyer = shop.sign_up()
    order = demand(shop.buy(buyer, product), 201).data['id']
    until(lambda: demand(shop.call('GET', f'/orders/{order}', token=buyer['access_token']), 200).data['payment_status'] == 'paid',
          'paid')
    with open(LOG, encoding='utf-8') as f:
        equal([line for line in f if 'read-only transaction' in line or 'recovery is in progress' in line], [], 'refusals')
    by_hand = subprocess.run([PSQL, URL, '-XqtAc', "DELETE FROM tries"], capture_output=True, text=True, check=False)
    check('read-only transaction' in by_hand.stderr, f'the standby refuses writes: {by_hand.stderr}')


@suite.test
def test_a_conflict_with_recovery_is_not_seen():
    """A reader waits on the standby for a table that the primary has locked, and holds another, which recovery then
    wants: it is cancelled there (40001), and asks the primary."""
    caught_up()
    sql('ALTER SYSTEM SET max_standby_streaming_delay = 0', OWNER)
    sql('SELECT pg_reload_conf()', OWNER)
    answers = []
    with Held('LOCK TABLE stores IN ACCESS EXCLUSIVE MODE') as first:
        flush()
        replica_has("SELECT FROM pg_locks WHERE relation = 'stores'::regclass AND mode = 'AccessExclusiveLock' AND granted")
        reader = threading.Thread(target=lambda: answers.append(shop.call('GET', f'/products/{product}', headers=BARE)))
        reader.start()
        replica_has("SELECT FROM pg_locks WHERE relation = 'stores'::regclass AND NOT granted")
        with Held('LOCK TABLE products IN ACCESS EXCLUSIVE MODE') as second:
            flush()

            def cancelled():
                with open(LOG, encoding='utf-8') as f:
                    return 'canceling statement due to conflict with recovery' in f.read()
            until(cancelled, 'the conflict')
            second.commit()
            first.commit()
            reader.join()
    sql('ALTER SYSTEM RESET max_standby_streaming_delay', OWNER)
    sql('SELECT pg_reload_conf()', OWNER)
    equal([a.status for a in answers], [200], f'{answers}')
    all_say('ok')


@suite.test
def test_who_is_behind_is_not_asked():
    reload(REPLICA_LAG='300ms')
    all_say('ok')
    paused()
    try:
        rename(product, seller, 'Not there yet')
        all_say('degraded')
        equal({name_of(product) for _ in range(20)}, {'Not there yet'}, 'the primary answers')
        with open(os.path.join(STATE, 'log', 'soko-api-fast.log'), encoding='utf-8') as f:
            check(any('"replica.not_used"' in line and 'behind' in line for line in f), 'a line says so')
    finally:
        resume()
    all_say('ok')


@suite.test
def test_an_idle_primary_is_not_far_ahead():
    """Nothing is written, so the standby's last transaction grows old: it is not behind for that."""
    caught_up()
    until(lambda: float(on_replica('SELECT extract(epoch FROM now() - pg_last_xact_replay_timestamp())')) > 1,
          'a pause longer than REPLICA_LAG')
    all_say('ok')


@suite.test
def test_who_is_gone_is_missed_by_nobody():
    over = threading.Event()
    statuses = []

    def read():
        while not over.is_set():
            statuses.append(shop.call('GET', f'/products/{product}', headers=BARE).status)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for r in readers:
        r.start()
    try:
        for _ in range(2):
            stop_standby()
            all_say('degraded')
            start_standby()
            all_say('ok')
        stop_standby(signal.SIGQUIT)  # as if it had crashed
        all_say('degraded')
        start_standby()
        all_say('ok')
    finally:
        over.set()
        for r in readers:
            r.join()
    equal(set(statuses), {200}, f'of {len(statuses)} reads')


@suite.test
def test_who_hangs_delays_and_no_more():
    """Those who queue behind his readers are not turned away for it."""
    reload('soko-api-fast', QUEUE_LIMIT='1s')
    all_say('ok')
    running[0].send_signal(signal.SIGSTOP)
    children = output_of('pgrep', '-P', str(running[0].pid)).split()
    for pid in children:
        os.kill(int(pid), signal.SIGSTOP)
    try:
        statuses = together(8, lambda _: [shop.call('GET', f'/products/{product}', headers=BARE).status for _ in range(3)])
        equal([s for s in statuses if s != [200] * 3], [], 'reads')
    finally:
        for pid in children:
            os.kill(int(pid), signal.SIGCONT)
        running[0].send_signal(signal.SIGCONT)
    all_say('ok')


@suite.test
def test_a_wrong_address_is_as_good_as_none():
    reload(DATABASE_REPLICA_URL=URL.replace(str(PORT), '5999'))
    all_say('degraded')
    equal({name_of(product) for _ in range(8)}, {'Not there yet'}, 'the primary answers')
    # The primary itself will do too: it is never behind.
    reload(DATABASE_REPLICA_URL=URL.replace(str(PORT), '5432'))
    all_say('ok')
    rename(product, seller, 'Named at the primary')
    equal(name_of(product), 'Named at the primary', 'at once')


def end(*_):
    sys.exit(1)  # by way of atexit


signal.signal(signal.SIGTERM, end)
atexit.register(stop_standby)
suite.main()
