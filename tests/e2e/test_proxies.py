"""Whose word about an address is believed: that of TRUSTED_PROXIES, read from the right. 127.0.0.1 is a
proxy of ours here, 127.0.0.3 and all of 10.0.0.0/8 are behind it, and 127.0.0.2 is a stranger.

# settings: TRUSTED_PROXIES=127.0.0.1,127.0.0.3,10.0.0.0/8,fd00::/8
# limits: defaults
"""
import secrets

from nginx_raw import Connection, ask, dressed, parsed_log
from owner import ctl, setting_fault, sql
from soko import Failed, Shop, Suite, check, equal, until

suite = Suite()
PROXY, STRANGER = '127.0.0.1', '127.0.0.2'
PUBLIC = 60   # LIMIT_PUBLIC
RATE = 5 * 120  # nginx's, a minute: 5 x LIMIT_SIGNED_IN
JSON = {'Content-Type': 'application/json'}


def somebody():
    """An address of the block that is set aside for measuring networks, which nobody else has here."""
    return f'198.18.{secrets.randbelow(256)}.{secrets.randbelow(254) + 1}'


def somebody6():
    """A network and two hosts in it (RFC 5180)."""
    network = f'2001:2:0:{secrets.randbelow(65536):x}'
    return network, f'{network}::{secrets.randbelow(65535) + 1:x}', f'{network}:ffff:ffff::9'


def seen(chain, source=PROXY, lines=None):
    """Who soko-api counts when X-Forwarded-For says `chain`, as the log of nginx has it."""
    trace = 'seen-' + secrets.token_hex(8)
    head = ''.join(f'X-Forwarded-For: {line}\r\n' for line in (lines or [chain]) if line is not None)
    with Connection(source=source) as c:
        a = c.raw(f'GET /health HTTP/1.1\r\nHost: a\r\nX-Request-ID: {trace}\r\n{head}\r\n'
                  .encode('latin-1'))
    equal(a.status, 200, f'{chain!r} from {source}')
    return until(lambda: [line['client.address'] for line in parsed_log() if line['http.request.id'] == trace],
                 'a line in the log')[0]


def left(who, source=PROXY):
    """How many more requests the address may make; this one was counted."""
    a = ask('GET', '/api/v1/status', {'X-Forwarded-For': who} if who else {}, source=source)
    equal(a.status, 200, f'{who} from {source}: {a!r}')
    return int(a.headers['x-ratelimit-remaining'])


def spend(ask_once, limit):
    """Asks until it is refused, and gives the refusal. Time gives back some: it takes a few more than the limit."""
    for _ in range(3 * limit):
        answer = ask_once()
        if answer.status == 429:
            return answer
    raise Failed('never refused')


def is_spent(ask_once, limit, who):
    """Who has not asked before would not be refused so soon."""
    check(any(ask_once().status == 429 for _ in range(limit // 2)), f'{who} is as good as new')


@suite.test
def test_a_chain_is_read_from_the_right():
    a, b = somebody(), somebody()
    for chain, who in ((None, PROXY), (a, a), (f'{b}, {a}', a), (f'127.0.0.1, {a}', a), (f'10.0.0.1, {a}', a),
                       (f'{a}, 10.1.2.3', a), (f'{b}, {a}, 10.1.2.3, 127.0.0.3', a),
                       (f'{b},{a},127.0.0.3', a), (f'{a}, 127.0.0.2', STRANGER),
                       (f'196.201.214.200, {a}', a), (f'{a}, fd00::7', a), ('10.0.0.9', '10.0.0.9'),
                       ('10.0.0.9, 10.0.0.8', '10.0.0.9'), (f'unknown, {a}', a), (f'\x01\xff, {a}', a),
                       (f'{"9" * 900}, {a}', a), (f'::1, {a}', a), ('2001:db8::5', '2001:db8::5'),
                       (f'{a}:4711', a), ('[2001:db8::5]:4711', '2001:db8::5')):
        equal(seen(chain), who, f'{chain!r}')
    # Several lines are one list, in their order.
    equal(seen(None, lines=[b, a]), a, 'two lines')
    equal(seen(None, lines=[a, '10.0.0.1']), a, 'the second by a proxy')
    # What cannot be read stands for nobody: the one who said it is counted.
    for junk in ('unknown', '', ' ', ',', 'localhost', '999.1.1.1', f'{a}, x', '_hidden', '"', 'a' * 1000):
        equal(seen(junk), PROXY, f'{junk!r}')


@suite.test
def test_a_stranger_says_nothing_about_his_address():
    a = somebody()
    for chain in (a, f'{a}, 127.0.0.1', '127.0.0.1', '10.0.0.1', '::1', '196.201.214.200', ''):
        equal(seen(chain, STRANGER), STRANGER, f'{chain!r}')
    trace = 'seen-' + secrets.token_hex(8)
    ask('GET', '/health', {'X-Request-ID': trace, 'X-Real-IP': a, 'Forwarded': f'for={a}', 'True-Client-IP': a,
                           'CF-Connecting-IP': a, 'Client-IP': a, 'X-Client-IP': a, 'X_Forwarded_For': a,
                           'Remote-Addr': a, 'Remote_Addr': a, 'X-Cluster-Client-IP': a},
        source=PROXY)
    equal(until(lambda: [x['client.address'] for x in parsed_log() if x['http.request.id'] == trace], 'a line'),
          [PROXY], 'no other header means anything, from a proxy either')


@suite.test
def test_the_audit_log_has_the_address_that_was_seen():
    shop, a = Shop(), somebody()
    who = shop.sign_up()
    for source, chain, wanted in ((PROXY, f'{somebody()}, {a}', a), (STRANGER, a, STRANGER)):
        body = b'{"email":"%s","password":"%s"}' % (who['email'].encode(), who['password'].encode())
        answer = ask('POST', '/api/v1/auth/login', {**JSON, 'X-Forwarded-For': chain}, body, source=source)
        equal(answer.status, 200, 'a sign-in')
        rows = sql("SELECT address FROM audit_log WHERE event = 'account.signed_in' "
                   "AND subject = :'id' ORDER BY id DESC LIMIT 1", id=who['user']['id'])
        equal(rows, [[wanted]], f'{chain} from {source}')


@suite.test
def hole_27_behind_a_proxy_each_client_has_his_own_limit():
    a, b = somebody(), somebody()
    equal(left(a), PUBLIC - 1, 'the first')
    dressed(spend(lambda: ask('GET', '/api/v1/status', {'X-Forwarded-For': a}), PUBLIC), 429, 'RATE_LIMITED')
    equal(left(b), PUBLIC - 1, 'another behind the same proxy')
    # He invents whom he stands for: his proxy adds him at the right all the same.
    for invented in (somebody(), '127.0.0.1', '10.0.0.1', 'unknown'):
        is_spent(lambda i=invented: ask('GET', '/api/v1/status', {'X-Forwarded-For': f'{i}, {a}'}), PUBLIC, invented)
    # Health is not limited, for him neither.
    for path in ('/health', '/ready'):
        for _ in range(PUBLIC + 5):
            equal(ask('GET', path, {'X-Forwarded-For': a}).status, 200, path)


@suite.test
def hole_27_without_trust_nobody_chooses_his_address():
    equal(left(somebody(), STRANGER), PUBLIC - 1, 'the first')
    spend(lambda: ask('GET', '/api/v1/status', {'X-Forwarded-For': somebody()}, source=STRANGER), PUBLIC)
    for invented in (somebody(), '127.0.0.1', ''):
        is_spent(lambda i=invented: ask('GET', '/api/v1/status', {'X-Forwarded-For': i}, source=STRANGER), PUBLIC,
                 invented)
    equal(ask('GET', '/health', source=STRANGER).status, 200, 'health')
    equal(left(None, '127.0.0.4'), PUBLIC - 1, 'another stranger')


@suite.test
def hole_27_sign_ins_are_counted_by_the_true_address():
    limit, a = 10, somebody()
    body = b'{"email":"nobody@example.com","password":"wrong horse"}'

    def sign_in(chain, source=PROXY):
        return ask('POST', '/api/v1/auth/login', {**JSON, 'X-Forwarded-For': chain}, body,
                   source=source).status

    equal([sign_in(f'{somebody()}, {a}') for _ in range(limit + 2)], [401] * limit + [429] * 2, 'tries')
    equal([sign_in(somebody(), '127.0.0.5') for _ in range(limit + 2)], [401] * limit + [429] * 2,
          "a stranger's")


@suite.test
def test_an_ipv6_network_is_one():
    network, one, two = somebody6()
    for n, host in enumerate((one, two, f'{network}::1', f'{network}:0:0:0:1')):
        equal(left(host), PUBLIC - 1 - n, host)
    equal(left(somebody6()[1]), PUBLIC - 1, 'another network')
    a = somebody()
    equal([left(a), left(f'::ffff:{a}'), left(a)], [PUBLIC - 1, PUBLIC - 2, PUBLIC - 3], 'IPv4 as IPv6')


def flood(hosts, path='/api/v1/products?page=1', most=20 * RATE):
    """Asks as each of the hosts in turn until nginx refuses one; gives how many answers came before."""
    n = 0
    while n < most:
        with Connection() as c:
            for _ in range(500):  # nginx closes a connection after 1000
                a = c.ask('GET', path, {'X-Forwarded-For': hosts[n % len(hosts)]})
                if a.status == 429:
                    dressed(a, 429, 'RATE_LIMITED')
                    return n
                equal(a.status, 200, f'answer {n}')
                n += 1
    raise Failed('never refused')


@suite.test
def test_nginx_counts_an_ipv6_network_as_one():
    """A thousand addresses of one /64 are refused where one would be; the network beside it is not."""
    network, *_ = somebody6()
    hosts = [f'{network}:{secrets.randbelow(65536):x}:{secrets.randbelow(65536):x}:0:{i + 1:x}'
             for i in range(1000)]
    check(RATE <= flood(hosts) < 4 * RATE, 'refused neither at once nor never')
    for host in (hosts[7], f'{network}::abcd'):  # the latter has not asked before
        is_spent(lambda h=host: ask('GET', '/api/v1/products?page=1', {'X-Forwarded-For': h}), RATE, host)
    equal(ask('GET', '/api/v1/products?page=1', {'X-Forwarded-For': somebody6()[1]}).status, 200,
          'another network')


@suite.test
def test_nginx_counts_ipv4_in_either_writing_as_one():
    a = somebody()
    check(RATE <= flood([a, f'::ffff:{a}']) < 4 * RATE, 'refused neither at once nor never')
    for other in (somebody(), f'::ffff:{somebody()}'):
        equal(ask('GET', '/api/v1/products?page=1', {'X-Forwarded-For': other}).status, 200, other)


@suite.test
def hole_27_nginx_lets_health_through():
    a = somebody()
    flood([a])
    for path in ('/health', '/ready'):
        with Connection() as c:
            for n in range(RATE // 2):
                equal(c.ask('GET', path, {'X-Forwarded-For': a}).status, 200, f'{path}, {n}')


@suite.test
def test_metrics_are_no_strangers():
    for chain in (somebody(), f'127.0.0.1, {somebody()}', '::1, 198.51.100.1'):
        for path in ('/metrics', '//metrics', '/%6detrics', '/x/../metrics', '/metrics?', '/metrics/'):
            dressed(ask('GET', path, {'X-Forwarded-For': chain}), 404, 'NOT_FOUND')


@suite.test
def test_the_list_is_read_once_and_strictly():
    equal(ctl('nginx', 'proxies').splitlines(),
          [f'set_real_ip_from {p};' for p in ('127.0.0.1', '127.0.0.3', '10.0.0.0/8', 'fd00::/8')],
          'what nginx reads')
    for entry, why in (('0.0.0.0/0', 'too wide'), ('::/0', 'too wide'), ('10.0.0.1/8', 'no network'),
                       ('proxy.example.com', 'no address'), ('10.0.0.0/8; deny all', 'bits')):
        said = setting_fault('TRUSTED_PROXIES', f'10.0.0.7,{entry}')
        check('TRUSTED_PROXIES' in said and f'"{entry}"' in said and why in said, said)


suite.main()
