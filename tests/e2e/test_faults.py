"""What breaks, breaks here, under load: workers, connections, Redis, the jobs. Only what was in flight
may be refused, and nobody loses anything.

# settings: JOBS_LEASE=2s JOBS_BACKOFF=100ms
"""
import os
import secrets
import signal
import socket
import subprocess

from load import CLEAN, Load, PATIENCE, children_of, paid_once, pid_of, serves_again, settled
from owner import PSQL, sql_one
from soko import Shop, Suite, check, demand, equal, until

suite = Suite()
ROUNDS = 3   # how often a thing is broken
STRIDE = 100  # answers between two


# --- workers --------------------------------------------------------------------------------------

@suite.test
def test_workers_are_killed():
    with Load() as load:
        load.more(STRIDE)
        for n in range(ROUNDS):
            workers = children_of('soko-api-fast')
            check(workers, 'the pool has workers')
            for pid in workers[:1 + n]:
                os.kill(pid, signal.SIGKILL)
            load.more(STRIDE)
            until(lambda: len(children_of('soko-api-fast')) == len(workers), 'a pool that is whole')
    # A worker serves one request at a time.
    check(len(load.failures()) <= sum(range(1, ROUNDS + 1)), f'{load.failures()}')


@suite.test
def test_pool_is_killed_whole():
    with Load() as load:
        load.more(STRIDE)
        for pid in children_of('soko-api-fast'):
            os.kill(pid, signal.SIGKILL)
        load.more(STRIDE)
    check(len(load.failures()) <= len(load.shoppers), f'{load.failures()}')


def place(shop, buyer, key):
    return shop.call('POST', '/orders', {'shipping_address': 'Moi Avenue 12',
                                         'payment_method': 'simulated'},
                     buyer['access_token'], {'Idempotency-Key': key})


def die_at(point):
    """Orders until a worker has died at this point of one. Gives what the retry of that was told."""
    shop = Shop()
    buyer, keys, retried = shop.sign_up(), [], []
    product = demand(shop.call('GET', '/products?search=peaberry+coffee'), 200).data[0]

    def one():
        demand(shop.call('POST', '/cart/items', {'product_id': product['id'], 'quantity': 1},
                         buyer['access_token']), 200)
        keys.append(secrets.token_hex(8))
        arm(point)
        a = place(shop, buyer, keys[-1])  # unless a lane of the jobs was quicker to die
        died = a.status >= 500
        if died:
            check(a.status in CLEAN and a.code, f'what a dead worker says: {a!r}')
            # The server may hold the dead one's lock for a moment.
            a = until(lambda: (lambda b: None if b.status in (409, *CLEAN) else b)(
                place(shop, buyer, keys[-1])), 'an answer to the retry', PATIENCE)
            retried.append(a)
        demand(a, 201)
        until(lambda: not armed(point), f'a death at {point}', PATIENCE)
        return died
    until(one, f'a worker that dies at {point}', PATIENCE)
    have = shop.call('GET', '/orders?per_page=100', token=buyer['access_token']).data
    equal(len(have), len(keys), 'an order for each key')
    serves_again(shop)
    return retried[0]


@suite.test
def test_worker_dies_before_commit():
    check('idempotent-replayed' not in die_at('before_commit').headers, 'nothing had happened')


@suite.test
def test_worker_dies_after_commit():
    equal(die_at('after_commit').headers.get('idempotent-replayed'), 'true', 'it had happened')
    settled()
    paid_once()


# --- PostgreSQL -----------------------------------------------------------------------------------

def terminate_backends():
    """All of the shop's connections. A superuser's work."""
    url = os.environ['SOKO_OWNER_URL'].replace('soko_owner@', 'postgres@', 1)
    done = subprocess.run(
        [PSQL, url, '-XqtA', '-v', 'ON_ERROR_STOP=1', '-c',
         "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'soko_app'"],
        capture_output=True, text=True, timeout=60, check=True)
    return int(done.stdout)


@suite.test
def test_connections_are_terminated():
    with Load() as load:
        load.more(STRIDE)
        for _ in range(ROUNDS):
            check(terminate_backends() > 0, 'there were connections')
            load.more(STRIDE)
    # Most do not even notice: their work runs again on a new connection.
    check(len(load.failures()) <= ROUNDS * len(load.shoppers), f'{load.failures()}')


# --- Redis ----------------------------------------------------------------------------------------

def redis(command):
    """One command, by the protocol's inline form. Gives the first line of the answer."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(os.environ['SOKO_REDIS_SOCKET'])
        s.sendall(command.encode() + b'\r\n')
        return s.makefile().readline().strip()


def kill_redis():
    pid = pid_of('redis')
    os.kill(pid, signal.SIGKILL)
    until(lambda: not redis_answers(), 'the end of Redis')


def redis_answers():
    try:
        return redis('PING') == '+PONG'
    except OSError:
        return False


def start_redis():
    subprocess.run([os.environ['SOKO_DEV'], '_start', os.environ['SOKO_STATE'], 'redis'], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60)
    until(redis_answers, 'Redis again')


def ready(shop):
    return demand(shop.call('GET', '/ready'), 200).data['redis']


@suite.test
def test_redis_is_killed_and_comes_back():
    with Load() as load:
        for _ in range(ROUNDS):
            load.more(STRIDE)
            kill_redis()
            start_redis()
        load.more(STRIDE)
    until(lambda: ready(load.shop) == 'ok', 'Redis in use again')
    check(len(load.failures()) <= ROUNDS * len(load.shoppers), f'{load.failures()}')


@suite.test
def test_redis_is_away():
    shop = Shop()
    with Load() as load:
        load.more(STRIDE)
        kill_redis()
        try:
            equal(ready(shop), 'degraded', 'what /ready says of Redis')
            load.more(STRIDE)
            # People come, and go: a session that was ended stays so, now and when Redis is back.
            ann, bob = shop.sign_up('Ann'), shop.sign_up('Bob')
            demand(shop.call('POST', '/auth/logout', token=ann['access_token']), 200)
            demand(shop.call('GET', '/auth/profile', token=ann['access_token']), 401)
            demand(shop.call('GET', '/auth/profile', token=bob['access_token']), 200)
            load.more(STRIDE)
        finally:
            start_redis()
        until(lambda: ready(shop) == 'ok', 'Redis in use again')
        load.more(STRIDE)
        demand(shop.call('GET', '/auth/profile', token=ann['access_token']), 401)
        demand(shop.call('GET', '/auth/profile', token=bob['access_token']), 200)
    equal(load.failures(), [], 'nobody was refused because of Redis')


@suite.test
def test_redis_forgets_everything():
    shop = Shop()
    gone = shop.sign_up('Gone')
    demand(shop.call('POST', '/auth/logout', token=gone['access_token']), 200)
    with Load() as load:
        for _ in range(ROUNDS):
            load.more(STRIDE)
            equal(redis('FLUSHALL'), '+OK', 'FLUSHALL')
            demand(shop.call('GET', '/auth/profile', token=gone['access_token']), 401)
        load.more(STRIDE)
    equal(load.failures(), [], 'nobody was refused because Redis forgot')


# --- the jobs -------------------------------------------------------------------------------------

@suite.test
def test_lanes_are_killed():
    with Load() as load:
        for _ in range(ROUNDS):
            load.more(STRIDE)
            lanes = until(lambda: children_of('jobs'), 'lanes')
            for pid in lanes:
                os.kill(pid, signal.SIGKILL)
        load.more(STRIDE)
    equal(load.failures(), [], 'no request knows of the jobs')


def arm(point):
    with open(os.path.join(os.environ['SOKO_FAULT_DIR'], point), 'w', encoding='utf-8'):
        pass


def armed(point):
    return os.path.exists(os.path.join(os.environ['SOKO_FAULT_DIR'], point))


def killed_lane_pays_once(point):
    shop = Shop()
    settled()
    buyer = shop.sign_up()
    product = demand(shop.call('GET', '/products?search=peaberry+coffee'), 200).data[0]
    for _ in range(ROUNDS):
        arm(point)
        order = demand(shop.buy(buyer, product['id']), 201).data['id']
        until(lambda: not armed(point), f'a lane that dies at {point}', PATIENCE)
        def paid():
            now = demand(shop.call('GET', f'/orders/{order}', token=buyer['access_token']), 200).data
            return now if now['payment_status'] == 'paid' else None
        now = until(paid, 'an order that is paid all the same', PATIENCE)
        settled()
        equal([e['event'] for e in now['events']].count('payment_paid'), 1, 'it heard so once')
        equal(sql_one("SELECT count(*) FROM payments WHERE order_id = :'id'", id=order), '1',
              'one attempt')
        equal(sql_one("SELECT count(*) FROM provider_events e JOIN payments p ON p.id = e.payment_id "
                      "WHERE p.order_id = :'id'", id=order), '1', 'one word of the provider')
    paid_once()


@suite.test
def test_lane_dies_before_its_work():
    killed_lane_pays_once('job_claimed')


@suite.test
def test_lane_dies_after_its_work():
    killed_lane_pays_once('job_done')


if __name__ == '__main__':
    suite.main()
