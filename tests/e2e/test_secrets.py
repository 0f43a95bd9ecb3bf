"""Whatever goes wrong, no log says what was sent: every way that we know of making a server talk, with
canaries in it, and then a look into all the logs of this shop. (../security/canary.py looks into those of
the whole run.)

# settings: JOBS_BACKOFF=100ms PROVIDER_TIMEOUT=1s PROVIDER_FAILURES=1000 STATEMENT_TIMEOUT=2s
# settings: LOG_LEVEL=debug
"""
import glob
import os
import secrets
import signal

import leaks
from money import arm_any, setting, sim
from nginx_raw import ask
from owner import ctl, pid_of, sql, sql_one, start, stop, workers
from soko import API, Failed, Shop, Suite, check, demand, equal, until

suite = Suite()
shop = Shop()
JSON = {'Content-Type': 'application/json'}
planted = []


def canary(before='', after=''):
    """A value that is nowhere else."""
    value = f'{before}canary{secrets.token_hex(8)}{after}'
    planted.append(value)
    return value


def phone():
    value = f'+2547{secrets.randbelow(10 ** 8):08}'
    planted.append(value)
    return value


def person(**more):
    return {'name': canary('Ann '), 'email': canary(after='@example.com'), 'phone': phone(),
            'password': canary(), **more}


def logs():
    return sorted(glob.glob(os.path.join(os.environ['SOKO_STATE'], 'log', '*.log')))


# --- what makes servers talk ----------------------------------------------------------------------

@suite.test
def test_refused_input():
    taken = person()
    demand(shop.call('POST', '/auth/register', taken), 201)
    for again in ({**person(), 'email': taken['email']}, {**person(), 'phone': taken['phone']}):
        demand(shop.call('POST', '/auth/register', again), 409)
    for raw in (b'{"password":"%s"' % canary().encode(), canary().encode(),
                b'{"email":"%s","%s":1}' % (canary(after='@example.com').encode(), canary().encode())):
        demand(shop.call('POST', '/auth/register', raw=raw), 400)
    demand(shop.call('POST', '/auth/login', {'email': taken['email'], 'password': canary()}), 401)
    demand(shop.call('POST', '/auth/login', {'phone': phone(), 'password': canary()}), 401)
    demand(shop.call('GET', '/auth/profile', token=canary('eyJhbGciOiJIUzI1NiJ9.')), 401)
    demand(shop.call('POST', '/auth/refresh', {'refresh_token': canary()}), 401)
    demand(shop.call('GET', '/auth/profile', headers={'Authorization': 'Basic ' + canary()}), 401)
    demand(shop.call('GET', '/auth/profile', headers={'Cookie': 'session=' + canary()}), 401)


@suite.test
def test_queries_and_paths():
    for path in (f'/products?search={canary()}', f'/nothing?access_token={canary()}',
                 f'/auth/profile?token={canary()}', f'/orders?{canary()}=1'):
        shop.call('GET', path)
    for hook in ('stk', 'sms', 'result', 'timeout', 'c2b'):
        token = secrets.token_hex(32)
        planted.append(token)
        end = '/confirmation' if hook == 'c2b' else ''
        for raw in (b'{', b'{"Body":"%s"}' % canary().encode(), b'x' * 100000):
            a = shop.call('POST', f'/webhooks/{hook}/{token}{end}', raw=raw)
            check(a.status in (404, 413), f'{a!r}')
        ask('POST', f'/webhooks/{hook}/{token}{end}x?y={canary()}', JSON, b'{}')
        ask('FOO', f'/webhooks/{hook}/{token}{end}')
        ask('POST', f'//webhooks//{hook}/{token}{end}', JSON, b'{}')
    ours = setting('AT_REPORT_TOKEN')
    demand(shop.call('POST', f'/webhooks/sms/{ours}', raw=canary('a=').encode()), 400)
    demand(shop.call('POST', '/webhooks/stripe', headers={'Stripe-Signature': canary('t=1,v1=')},
                     raw=b'{"id":"%s"}' % canary('evt_').encode()), 400)


# How a client asks a server to be talkative.
SWITCHES = {'X-Debug': '1', 'X-Debug-Log': 'body', 'X-Log-Level': 'debug', 'X-Log-Body': 'true', 'Log-Level': 'trace',
            'X-Verbose': '1', 'X-Trace': '1', 'Debug': '*', 'X-B3-Flags': '1', 'X-Log-Request': 'full', 'LOG-LEVEL': 'debug'}


@suite.test
def hole_43_no_header_no_query_and_no_client_makes_a_log_tell():
    """Nothing of what is sent is logged, at the most talkative level either; a token is taken from its header
    alone, since all the world logs queries; and no client decides what is logged."""
    mine, trace = len(planted), 'hole-43-' + secrets.token_hex(6)
    who = person()
    demand(shop.call('POST', '/auth/register', who), 201)
    session = shop.sign_in(who['email'], who['password'])
    token = session['access_token']
    planted.extend([token, session['refresh_token']])
    for name in ('access_token', 'token', 'jwt', 'auth', 'authorization', 'api_key', 'bearer'):
        for path in ('/auth/profile', '/cart', '/orders'):
            demand(shop.call('GET', f'{path}?{name}={token}', headers={**SWITCHES, 'X-Request-ID': trace}), 401,
                   'UNAUTHORIZED')
    demand(shop.call('GET', '/auth/profile', headers={'Cookie': f'access_token={token}; session={token}'}), 401)
    demand(shop.call('POST', '/auth/logout', {'access_token': token}), 401)
    for query in ('?debug=1', '?log_body=true&verbose=1', '?log_level=debug'):
        for method, path, body in (('POST', '/auth/login', {'email': who['email'], 'password': canary()}),
                                   ('POST', '/auth/register', {'email': canary(after='@'), 'password': canary()}),
                                   ('PUT', '/auth/profile', {'name': canary(), 'phone': phone()}),
                                   ('POST', '/addresses', {'line1': canary(), 'city': 7})):
            a = shop.call(method, path + query, body, token, {**SWITCHES, 'X-Request-ID': trace, 'X-Note': canary()})
            check(a.status in (200, 400, 401), f'{method} {path}{query}: {a!r}')
    for scheme in ('Basic', 'Digest', 'Token', 'bearer', ''):
        shop.call('GET', '/auth/profile', headers={'Authorization': f'{scheme} {canary()}', 'X-Request-ID': trace})

    def told():
        found = []
        for path in logs():
            with open(path, encoding='utf-8', errors='replace') as f:
                found += [os.path.basename(path) for line in f if trace in line]
        return {'nginx-access.log', 'soko-api-fast.log', 'soko-api-hash.log'} <= set(found)

    until(told, 'what nginx and the pools say of these requests')
    found = leaks.by_value(logs(), planted[mine:])
    equal([f'{os.path.basename(p)}: {w}' for p, w in found][:20], [], 'found')


@suite.test
def test_payments():
    who = person()
    demand(shop.call('POST', '/auth/register', who), 201)
    session = shop.sign_in(who['email'], who['password'])
    planted.extend([session['access_token'], session['refresh_token']])
    seller = shop.new_seller()
    product = shop.new_product(seller, shop.new_category()['id'], price='100', stock=10)
    for method, pay in (('stripe', {}), ('mpesa', {'phone': phone()})):
        order = demand(shop.call('POST', '/orders', {
            'shipping_address': canary(), 'payment_method': method, 'notes': canary(),
            'items': [{'product_id': product['id'], 'quantity': 1}]}, session['access_token']), 201).data
        a = shop.call('POST', f'/payments/{method}', {'order_id': order['id'], **pay},
                      session['access_token'])
        check(a.status in (201, 202), f'{a!r}')
        planted.extend(v for v in (a.data.get('client_secret'), a.data.get('checkout_request_id')) if v)


@suite.test
def test_providers_in_trouble():
    bent = [sim('POST', '/sim/rules', {'provider': provider, 'operation': '*', 'match': None,
                                       'times': None, 'do': do})['id']
            for provider, do in (('sms', {'status': 500, 'body': 'html'}), ('smtp', {'status': 451}))]
    try:
        who = person()
        demand(shop.call('POST', '/auth/register', who), 201)
        until(lambda: int(sql_one("SELECT coalesce(max(attempts), 0) FROM outbox "
                                  "WHERE lane = 'messages'")) > 1, 'messages that failed')
    finally:
        for n in bent:
            sim('DELETE', f'/sim/rules/{n}')
    until(lambda: sql_one("SELECT count(*) FROM messages WHERE status IN ('queued', 'sending') "
                          "AND recipient = :'to'", to=who['email']) == '0', 'an e-mail after all')


@suite.test
def test_a_broken_database():
    # An insert that PostgreSQL itself refuses, one that waits too long, one that is cut off.
    sql('ALTER TABLE accounts ADD CONSTRAINT for_a_test CHECK (name NOT LIKE \'%canary%\') NOT VALID')
    try:
        demand(shop.call('POST', '/auth/register', person()), 500)
    finally:
        sql('ALTER TABLE accounts DROP CONSTRAINT for_a_test')
    # PostgreSQL's DETAIL and STATEMENT would quote these.
    for bad in ("SELECT 1 / 0 AS x, '{}' AS y",
                "INSERT INTO accounts (id, name, email) VALUES (gen_random_uuid(), '{}', '{}')"):
        try:
            sql(bad.replace('{}', canary()))
        except Failed:
            continue
        raise Failed(f'{bad} was taken')
    stop('postgres')
    try:
        a = shop.call('POST', '/auth/register', person())
        equal(a.status, 503, 'without a database')
        shop.call('POST', '/auth/login', {'email': canary(after='@example.com'), 'password': canary()})
    finally:
        start('postgres')
    until(lambda: shop.call('POST', '/auth/register', person()).status == 201, 'a database again')


@suite.test
def test_dying_workers():
    """nginx says in its error log which request it lost, with its query."""
    for path in ('/auth/login', '/auth/register'):
        for point in ('before_commit', 'after_commit'):
            arm_any(point)

            def died(path=path, at=os.path.join(os.environ['SOKO_FAULT_DIR'], point)):
                shop.call('POST', path, person())
                return not os.path.exists(at)
            until(died, f'a death at {point}')
    who, token = workers('soko-api-fast'), shop.sign_up()['access_token']
    planted.append(token)
    for pid in who:
        os.kill(int(pid), signal.SIGKILL)
    for _ in range(20):
        shop.call('GET', f'/products?search={canary()}', token=token)
    until(lambda: len(workers('soko-api-fast')) == len(who), 'a whole pool')


@suite.test
def test_sokoctl_and_reload():
    ctl('config', 'SOKO_ENV')
    for server in ('soko-api-fast', 'jobs', 'nginx'):
        os.kill(pid_of(server), signal.SIGHUP)
    until(lambda: shop.call('GET', '/ready').status == 200, 'a shop that is ready')


# --- and what they have said ----------------------------------------------------------------------

@suite.test
def test_the_net_would_catch_it():
    check(len(planted) > 60, f'only {len(planted)} canaries')
    path = os.path.join(os.environ['SOKO_STATE'], 'caught.txt')
    with open(path, 'w', encoding='utf-8') as f:
        f.write(f'a\nb {planted[7]} c\nd {planted[-1]}\n')
    equal([place.rpartition(':')[2] for place, _ in leaks.by_value([path], planted)], ['2', '3'], 'lines')
    for look, (caught, spared) in leaks.SAMPLES.items():
        with open(path, 'w', encoding='utf-8') as f:
            f.write(f'{spared}\n{caught}\n')
        equal([place.rpartition(':')[2] for name, place, _ in leaks.by_look(path) if name == look],
              ['2'], look)


@suite.test
def test_the_logs_speak_of_what_was_done():
    """Else nothing would have been found in them, whatever was there."""
    for name, word in (('soko-api-fast', '/webhooks/sms/:token'), ('soko-api-hash', '/auth/register'),
                       ('nginx-access', '/webhooks/sms/***'), ('postgres', 'for_a_test'),
                       ('jobs', 'soko.message.channel'), ('sim', '"send"')):
        with open(os.path.join(os.environ['SOKO_STATE'], 'log', name + '.log'), encoding='utf-8') as f:
            check(word in f.read(), f'{name}.log has no {word}')


@suite.test
def test_no_log_has_a_canary():
    found = leaks.by_value(logs(), planted + leaks.secrets_of(os.environ['SOKO_CONF']))
    equal([f'{os.path.basename(p)}: {w}' for p, w in found][:20], [], 'found')


@suite.test
def test_no_log_has_what_looks_like_a_secret():
    found = [f'{name} at {os.path.basename(place)}: {what}'
             for path in logs() for name, place, what in leaks.by_look(path)]
    equal(found[:20], [], 'found')


suite.main()
