"""Who comes in at all. The older systems had inner routes that nobody guarded, secrets that could be empty
or were known to everybody, an administrator that everybody knew, and goods that anybody could change.

This shop takes no cards, no money sent by hand and no delivery reports: what has no secret must be shut.

# settings: STRIPE_SECRET_KEY= STRIPE_WEBHOOK_SECRETS= DARAJA_C2B_TOKEN= AT_REPORT_TOKEN=
"""
import glob
import hashlib
import hmac
import json
import os
import subprocess
import time

from nginx_raw import ask
from orders_common import UNKNOWN
from owner import ctl_json, output_of, pid_of, sql, sql_one, workers
from soko import API, Failed, Shop, Suite, check, demand, equal

suite = Suite()
shop = Shop()
JSON = {'Content-Type': 'application/json'}
TABLE = ctl_json('routes', '--json')
STATE = os.environ['SOKO_STATE']
# Who claims to be one of us.
INSIDER = {'X-Internal': 'true', 'X-Internal-Request': '1', 'X-Service-Token': '', 'X-Service': 'payments',
           'X-Forwarded-For': '127.0.0.1', 'X-Real-IP': '127.0.0.1', 'Host': 'localhost', 'X-User-Id': UNKNOWN,
           'X-User-Role': 'admin', 'X-Role': 'admin', 'X-Account': UNKNOWN, 'X-Admin': '1', 'From': 'root@localhost',
           'Notify-Secret': '', 'X-Notify-Secret': '', 'User-Agent': 'kube-probe/1.27'}
# A row for anyone reads what is public, signs somebody in, or hears a provider, who must prove himself.
OPEN = {API + '/auth/' + word for word in ('register', 'login', 'refresh', 'forgot-password', 'reset-password')}
PUBLIC = ('/health', '/ready', '/metrics', API + '/status', API + '/stores', API + '/categories', API + '/products',
          API + '/reviews')


def filled(path):
    return '/'.join(('1' if part == ':n' else 'ab' * 32 if part == ':token' else UNKNOWN)
                    if part.startswith(':') else part for part in path.split('/'))


def listening(pid):
    """The TCP ports on which a process listens, of any network."""
    sockets = set()
    for fd in glob.glob(f'/proc/{pid}/fd/*'):
        try:
            sockets.add(os.readlink(fd))
        except OSError:
            continue
    found = []
    for table in ('tcp', 'tcp6'):
        with open(f'/proc/{pid}/net/{table}', encoding='ascii') as f:
            for line in list(f)[1:]:
                word = line.split()
                if word[3] == '0A' and f'socket:[{word[9]}]' in sockets:
                    found.append(int(word[1].rpartition(':')[2], 16))
    return found


@suite.test
def hole_09_no_route_is_open_because_it_is_inner():
    for row in TABLE:
        path, what = filled(row['path']), f'{row["method"]} {row["path"]}'
        if row['who'] != 'anyone':
            a = ask(row['method'], path, {**JSON, **INSIDER}, b'{}' if row['method'] in ('POST', 'PUT') else b'')
            equal((a.status, a.code), (401, 'UNAUTHORIZED'), what)
        elif row['method'] == 'GET':
            check(row['path'].startswith(PUBLIC), f'{what} is for anyone, and on no list')
        else:
            check(row['path'] in OPEN or row['path'].startswith('/webhooks/'), f'{what} is for anyone, and on no list')
    for path in ('/internal/orders', f'/internal/orders/{UNKNOWN}/paid', f'/api/internal/orders/{UNKNOWN}', API + '/internal',
                 f'{API}/internal/products/stock', f'{API}/orders/{UNKNOWN}/paid', f'{API}/orders/{UNKNOWN}/mark-paid',
                 f'{API}/payments/notify', '/mpesa/mappings', '/mpesa/callback', '/payment/callback', '/debug/vars', '/debug/pprof',
                 '/actuator/env', '/swagger', '/graphql', '/phpinfo.php', '/server-status', '/nginx_status'):
        for method in ('GET', 'POST', 'PUT'):
            a = ask(method, path, {**JSON, **INSIDER}, b'{}')
            # Not 404: the word stands where an id may be, and nobody is signed in.
            check((a.status, a.code) in ((404, 'NOT_FOUND'), (401, 'UNAUTHORIZED'), (405, 'METHOD_NOT_ALLOWED')),
                  f'{method} {path}: {a!r}')


@suite.test
def hole_09_no_worker_can_be_reached_but_through_nginx():
    found = set()
    for server in ('soko-api-fast', 'soko-api-hash', 'soko-api-wire', 'jobs'):
        for pid in {str(pid_of(server))} | workers(server):
            equal(listening(pid), [], f'{server}, {pid}')
            found.add(pid)
    check(len(found) > 8, f'only {found}')
    equal(listening(pid_of('postgres')) + listening(pid_of('redis')), [], 'PostgreSQL and Redis')
    check(listening(pid_of('nginx')), 'this test sees no listener at all')
    folder = os.path.dirname(os.environ['SOKO_REDIS_SOCKET'])
    equal(oct(os.stat(folder).st_mode & 0o777), '0o700', 'the folder of the sockets')
    for pool in ('fast', 'hash', 'wire'):
        equal(oct(os.stat(f'{folder}/{pool}.sock').st_mode & 0o007), '0o0', f'{pool}.sock for others')


@suite.test
def hole_13_without_a_secret_a_door_is_shut():
    """What is not configured is closed, and an empty secret is no secret that an empty header equals."""
    body = json.dumps({'id': 'evt_1', 'object': 'event', 'type': 'payment_intent.succeeded', 'livemode': False,
                       'data': {'object': {'id': 'pi_1', 'object': 'payment_intent'}}}).encode()
    now = int(time.time())

    def signed(key):
        mac = hmac.new(key, f'{now}.'.encode() + body, hashlib.sha256).hexdigest()
        return f't={now},v1={mac}'

    for header in (None, '', signed(b''), signed(b'whsec_'), signed(b'\0'), signed(b'(null)'), f't={now},v1=', f't={now}'):
        headers = {} if header is None else {'Stripe-Signature': header}
        a = shop.call('POST', '/webhooks/stripe', raw=body, headers=headers)
        check(a.status in (400, 404, 503), f'{header}: {a!r}')
    for token in ('', '%20', '0', 'null', 'undefined', '0' * 64, 'ab' * 32):
        for path in (f'/webhooks/c2b/{token}/validation', f'/webhooks/c2b/{token}/confirmation', f'/webhooks/sms/{token}',
                     f'/webhooks/stk/{token}', f'/webhooks/result/{token}', f'/webhooks/timeout/{token}'):
            a = ask('POST', path, JSON, body)
            equal((a.status, a.code), (404, 'NOT_FOUND'), path)
    equal(sql_one('SELECT count(*) FROM provider_events'), '0', 'what was kept')
    # A token's signature by an empty key, or by none.
    for token in ('', '.', '..', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.', 'null', 'undefined'):
        demand(shop.call('GET', '/auth/profile', token=token or ' '), 401, 'UNAUTHORIZED')


@suite.test
def hole_16_goods_change_for_who_may_and_nobody_else():
    seller, admin = shop.new_seller(), shop.admin()
    category = shop.new_category(admin)
    product = shop.new_product(seller, category['id'])
    buyer = shop.sign_up()['access_token']
    good = {'name': 'Taken over', 'price': '1', 'category_id': category['id']}
    for method, path, body in (('POST', '/products', good), ('PUT', f'/products/{product["id"]}', {'price': '1'}),
                               ('DELETE', f'/products/{product["id"]}', None), ('POST', '/categories', {'name': 'Mine'}),
                               ('PUT', f'/categories/{category["id"]}', {'name': 'Mine'}),
                               ('DELETE', f'/categories/{category["id"]}', None)):
        demand(shop.call(method, path, body), 401, 'UNAUTHORIZED')
        demand(shop.call(method, path, body, 'a.b.c'), 401, 'UNAUTHORIZED')
        demand(shop.call(method, path, body, buyer), 403, 'FORBIDDEN')
        equal(ask(method, API + path, {**JSON, **INSIDER}, json.dumps(body).encode()).status, 401, f'{method} {path}')
    now = demand(shop.call('GET', f'/products/{product["id"]}', token=buyer), 200).data
    equal((now['price'], now['name'], now['version']), (product['price'], product['name'], product['version']), 'the product')
    equal(sql("SELECT name FROM categories WHERE id = :'id'", id=category['id']), [[category['name']]], 'the category')
    # Whoever writes anything has shown who he is, but to sign in or as a provider.
    for row in TABLE:
        check(row['who'] != 'anyone' or row['method'] == 'GET' or row['path'] in OPEN or row['path'].startswith('/webhooks/'),
              f'{row["method"]} {row["path"]}')


def started(program, **changed):
    """The exit status and the words of a program that is given this shop's settings, changed; None leaves
    one out."""
    with open(os.environ['SOKO_CONF'], encoding='utf-8') as f:
        lines = [line for line in f if line.split('=')[0] not in changed]
    path = os.path.join(STATE, 'changed.conf')
    with open(path, 'w', encoding='utf-8') as f:
        f.writelines(lines + [f'{k}={v}\n' for k, v in changed.items() if v is not None])
    os.chmod(path, 0o600)
    try:
        done = subprocess.run([*program, '--config', path], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, check=False, env={'PATH': os.environ['PATH']})
    finally:
        os.unlink(path)
    return done.returncode, done.stderr


@suite.test
def hole_36_nobody_starts_with_a_secret_that_everybody_knows():
    top = os.environ['SOKO_CTL'].split()[0].removesuffix('/sbin/sokoctl')
    programs = ([f'{top}/libexec/soko/soko-api', '--pool', 'fast'], [f'{top}/libexec/soko/soko-jobs'])
    for program in programs:
        for name in ('TOKEN_KEY', 'DATA_KEY', 'DATABASE_URL'):
            for value in (None, ''):
                status, said = started(program, **{name: value})
                check(status == 78 and f'{name}: ' in said, f'{program}, {name}={value}: {status} {said}')
        for name in ('TOKEN_KEY', 'DATA_KEY'):
            for value in ('secret', 'your-secret-key', 'changeme', 'your-secret-key-change-in-prod', 'x' * 64, '0' * 64,
                          'secretsecretsecretsecretsecretsecret', '                                    '):
                status, said = started(program, **{name: value})
                check(status == 78 and f'{name}: ' in said, f'{program}, {name}={value}: {status} {said}')
                check(value.strip() == '' or value not in said, f'{said} tells it')


@suite.test
def hole_37_nobody_knows_an_administrator():
    """(A database that was only migrated has no account at all: test_migrate.py.)"""
    with open(os.environ['SOKO_ACCOUNTS'], encoding='utf-8') as f:
        people = [line.split() for line in f]
    check(any(role == 'admin' for role, *_ in people), 'the demo has one')
    equal(len({password for *_, password in people}), len(people), 'passwords')
    equal(oct(os.stat(os.environ['SOKO_ACCOUNTS']).st_mode & 0o777), '0o600', 'their file')
    for who in ('admin', 'root', 'administrator', *(email for _, email, _ in people)):
        for password in ('admin', 'admin123', 'password', 'soko', 'demo', '12345678', 'secret', who):
            field = 'email' if '@' in who else 'username'
            demand(shop.call('POST', '/auth/login', {field: who, 'password': password}), 401, 'UNAUTHORIZED')
    # Nobody registers as one.
    for more in ({'role': 'admin'}, {'roles': ['admin']}, {'is_admin': True}):
        demand(shop.call('POST', '/auth/register', {'email': 'e@example.com', 'password': 'a long password', 'name': 'E', **more}),
               400, 'VALIDATION_ERROR')
    # And no demo is loaded into a shop that is none.
    status, said = started([os.environ['SOKO_CTL'].split()[0], 'demo', 'load', '--accounts', '/dev/null'],
                           SOKO_ENV='production')
    check(status != 0 and 'SOKO_ENV' in said, f'{status} {said}')


suite.main()
