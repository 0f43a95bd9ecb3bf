"""What any route may answer when a request is not fit, or the shop is not: in one envelope, and
with nothing of our insides. test_hostile.py sends what is odder."""
# settings: STATEMENT_TIMEOUT=300ms LIMIT_PUBLIC=20
import contextlib
import glob
import os
import subprocess

from orders_common import UNKNOWN, Buyer, shop
from owner import PSQL, sql
from soko import Suite, check, demand, equal, until

suite = Suite()
admin = shop.admin()
seller = shop.new_seller('Sela')
buyer = Buyer()
product = shop.new_product(seller, shop.new_category(admin)['id'], stock=1000)
SUPERUSER = os.environ['SOKO_OWNER_URL'].replace('//soko_owner@', '//postgres@')


def told(answer, status, code):
    """The answer, if it is that error, in the envelope and no more."""
    demand(answer, status, code)
    check(answer.headers['content-type'].startswith('application/json'), 'JSON')
    equal(answer.headers['cache-control'], 'no-store', 'Cache-Control')
    equal(sorted(answer.json), ['errors', 'meta'], 'the envelope')
    equal(sorted(answer.json['meta']), ['request_id', 'timestamp'], 'meta')
    equal(answer.json['meta']['request_id'], answer.headers['x-request-id'], 'the request id')
    if status == 503:
        check(int(answer.headers['retry-after']) >= 1, 'Retry-After')
    if status >= 500:
        equal(sorted(answer.errors[0]), ['code', 'message'], 'what a client may know')
    return answer


@contextlib.contextmanager
def after(undo, **values):
    """Runs the block, and whatever became of it, the statement."""
    try:
        yield
    finally:
        sql(undo, **values)


def in_the_log(text):
    for name in glob.glob(os.path.join(os.environ['SOKO_STATE'], 'log', 'soko-api-*.log')):
        with open(name, encoding='utf-8') as f:
            if text in f.read():
                return True
    return False


@suite.test
def test_request_ids_are_echoed():
    for mine in ('order-4711.retry_2', 'A' * 64):
        a = shop.call('GET', '/health', headers={'X-Request-ID': mine})
        equal((a.headers['x-request-id'], a.json['meta']['request_id']), (mine, mine), 'the id')
    for bad in ('short', 'A' * 65, 'with blank in it', '"quoted-quoted"'):
        a = shop.call('GET', '/health', headers={'X-Request-ID': bad})
        check(a.headers['x-request-id'] != bad, f'{bad} came back')


@suite.test
def test_requests_that_are_not_fit():
    item = f'/cart/items/{product["id"]}'
    told(buyer.call('GET', '/nothing'), 404, 'NOT_FOUND')
    told(buyer.call('POST', '/cart/items', raw=b'"' + b'y' * 9000), 413, 'PAYLOAD_TOO_LARGE')
    told(buyer.call('DELETE', item, raw=b' ' * 2000), 413, 'PAYLOAD_TOO_LARGE')
    told(buyer.call('PUT', item, raw=b'{}', headers={'Content-Type': 'text/plain'}), 415,
         'UNSUPPORTED_MEDIA_TYPE')
    for path, allow in (('/products', 'GET, HEAD, POST, OPTIONS'), ('/auth/login', 'POST, OPTIONS'),
                        (item, 'PUT, DELETE, OPTIONS'), ('/cart', 'GET, HEAD, DELETE, OPTIONS')):
        a = told(shop.call('PATCH', path, {}), 405, 'METHOD_NOT_ALLOWED')
        equal(a.headers['allow'], allow, f'Allow of {path}')
        a = shop.call('OPTIONS', path)
        equal((a.status, a.text, a.headers['allow']), (204, '', allow), f'OPTIONS of {path}')


@suite.test
def test_who_asks_too_often_waits():
    who = {'X-Forwarded-For': '198.51.100.7'}
    a = demand(shop.call('GET', '/status', headers=who), 200)
    equal((a.headers['x-ratelimit-limit'], a.headers['x-ratelimit-remaining']), ('20', '19'),
          'the limit, and what is left of it')
    a = until(lambda: next((a for a in [shop.call('GET', '/status', headers=who)]
                            if a.status == 429), None), 'a refusal')
    told(a, 429, 'RATE_LIMITED')
    check(int(a.headers['retry-after']) >= 1, 'Retry-After')
    demand(shop.call('GET', '/status', headers={'X-Forwarded-For': '198.51.100.8'}), 200)
    demand(shop.call('GET', '/cart', token=buyer.token, headers=who), 200)


@suite.test
def test_our_own_mistakes_are_not_told():
    sql("ALTER TABLE cart_items ADD CONSTRAINT surprise_4711 CHECK (quantity < 0) NOT VALID")
    with after("ALTER TABLE cart_items DROP CONSTRAINT surprise_4711"):
        a = told(buyer.call('POST', '/cart/items', {'product_id': product['id'], 'quantity': 1}),
                 500, 'INTERNAL_ERROR')
        check('surprise' not in a.text, 'the constraint was told')
        until(lambda: in_the_log('surprise_4711'), 'the constraint in the log')
    demand(buyer.call('POST', '/cart/items', {'product_id': product['id'], 'quantity': 1}), 200)
    demand(buyer.call('DELETE', '/cart'), 200)


@suite.test
def test_what_takes_too_long_is_given_up():
    with subprocess.Popen([PSQL, os.environ['SOKO_OWNER_URL'], '-XqtA'], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True, bufsize=1) as holder:
        holder.stdin.write("BEGIN; LOCK TABLE carts; SELECT 'held';\n")
        equal(holder.stdout.readline(), 'held\n', 'the lock')
        told(buyer.call('GET', '/cart'), 504, 'REQUEST_TIMEOUT')
        told(buyer.call('POST', '/cart/items', {'product_id': product['id'], 'quantity': 1}), 504,
             'REQUEST_TIMEOUT')
        demand(shop.call('GET', '/categories', token=buyer.token), 200)
        holder.stdin.write('ROLLBACK;\n')
        holder.stdin.close()
    equal(demand(buyer.call('GET', '/cart'), 200).data['items'], [], 'the cart')


@suite.test
def test_behind_with_migrations_is_not_ready():
    row = sql('DELETE FROM schema_migrations WHERE version = (SELECT max(version) '
              'FROM schema_migrations) RETURNING version, name, checksum')[0]
    with after("INSERT INTO schema_migrations (version, name, checksum) "
               "VALUES (:'version', :'name', :'checksum')",
               version=row[0], name=row[1], checksum=row[2]):
        a = demand(shop.call('GET', '/ready'), 503, 'SERVICE_UNAVAILABLE')
        check('migrations' in a.errors[0]['message'], 'the part is named')
        demand(shop.call('GET', '/health'), 200)
    demand(shop.call('GET', '/ready'), 200)


@suite.test
def test_without_postgres_nothing_breaks():
    sql("ALTER ROLE soko_app NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE usename = 'soko_app'", url=SUPERUSER)
    try:
        for path in ('/ready', '/status'):
            a = told(shop.call('GET', path), 503, 'SERVICE_UNAVAILABLE')
            check('PostgreSQL' in a.errors[0]['message'], 'the part is named')
        told(buyer.call('GET', '/cart'), 503, 'SERVICE_UNAVAILABLE')
        told(buyer.call('GET', f'/products/{UNKNOWN}'), 503, 'SERVICE_UNAVAILABLE')
        told(buyer.call('POST', '/cart/items', {'product_id': product['id'], 'quantity': 1}), 503,
             'SERVICE_UNAVAILABLE')
        told(shop.call('POST', '/auth/login', {'email': 'a@example.com', 'password': 'x'}), 503,
             'SERVICE_UNAVAILABLE')
        demand(shop.call('GET', '/health'), 200)
    finally:
        sql('ALTER ROLE soko_app LOGIN', url=SUPERUSER)
    # Each worker connects again by itself, at its next request.
    until(lambda: all(buyer.call('GET', '/cart').status == 200 for _ in range(20)), 'a whole shop')
    buyer.becomes(buyer.order((product, 1)), payment_status='paid')


if __name__ == '__main__':
    suite.main()
