"""The switch of maintenance: clients are told to come back, what must go on goes on, and nothing has to be
reloaded. 127.0.0.2 is in MAINTENANCE_ALLOW, 127.0.0.3 is not.

# settings: MAINTENANCE_ALLOW=127.0.0.2,198.51.100.0/24
# flavours: check
"""
import os
import secrets

from nginx_raw import ask, dressed, parsed_log, safe
from owner import ctl, setting_fault
from soko import Shop, Suite, check, equal, until

suite = Suite()
shop = Shop()
JSON = {'Content-Type': 'application/json'}
WORDS = 'closed for maintenance, please come back later'
SWITCH = os.path.join(os.environ['SOKO_STATE'], 'nginx', 'soko', 'maintenance')


class Closed:
    """The shop, while it is closed."""

    def __enter__(self):
        equal(ctl('maintenance', 'on').split(':')[0], 'closed', 'on')

    def __exit__(self, *_):
        equal(ctl('maintenance', 'off').strip(), 'open', 'off')


def turned_away(answer, what):
    dressed(answer, 503, 'SERVICE_UNAVAILABLE')
    safe(answer, what)
    equal((answer.headers['retry-after'], answer.errors[0]['message']), ('60', WORDS), what)
    return answer


@suite.test
def test_clients_are_told_to_come_back():
    with Closed():
        for method, path, body in (('GET', '/api/v1/products', b''), ('HEAD', '/api/v1/products', b''),
                                   ('POST', '/api/v1/auth/login', b'{}'), ('PUT', '/api/v1/auth/profile', b'{}'),
                                   ('DELETE', '/api/v1/cart', b''), ('GET', '/api/v1/none', b''),
                                   ('GET', '//api/v1/products', b''), ('GET', '/%61pi/v1/products', b''),
                                   ('GET', '/docs/../api/v1/products', b''), ('GET', '/healthy', b''),
                                   ('GET', '/webhooksx', b''), ('POST', '/api/v1/orders', b'x' * 100000)):
            a = ask(method, path, JSON, body, source='127.0.0.3')
            if method == 'HEAD':
                equal((a.status, a.headers['retry-after'], a.text), (503, '60', ''), 'HEAD')
            else:
                turned_away(a, f'{method} {path}')
    equal(ask('GET', '/api/v1/products', source='127.0.0.3').status, 200, 'open again, without a reload')


@suite.test
def test_whoever_is_signed_in_or_was_cached_is_turned_away_too():
    token = shop.sign_up('Nia')['access_token']
    path = f'/api/v1/products?search={secrets.token_hex(8)}'
    equal(ask('GET', path).status, 200, 'it is kept for a second')
    with Closed():
        turned_away(ask('GET', path), 'what the microcache holds')
        turned_away(ask('GET', '/api/v1/cart', {'Authorization': 'Bearer ' + token}), 'a session')
    equal(shop.call('GET', '/cart', token=token).status, 200, 'the session is still there')


@suite.test
def test_probes_files_and_what_providers_post_go_on():
    with Closed():
        for path, status in (('/health', 200), ('/ready', 200), ('/metrics', 404), ('/docs/', 200), ('/docs', 308),
                             ('/', 302), ('/docs/openapi.json', 200), (f'/media/00/{"0" * 64}.jpg', 404)):
            check(ask('GET', path, source='127.0.0.3').status in (status, 200), path)
        name = 'hook-' + secrets.token_hex(8)
        hooks = ('/webhooks/stripe', f'/webhooks/stk/{secrets.token_hex(32)}')
        for path in hooks:
            ask('POST', path, {**JSON, 'X-Request-ID': name}, b'{}', source='127.0.0.3')

    def written():
        found = [line for line in parsed_log() if name in line.values()]
        return found if len(found) == len(hooks) else None

    lines = until(written, 'a line each')
    # A worker has answered, whatever he thinks of an empty word without a signature.
    check(all(line['nginx.upstream_status'] in ('200', '400', '401', '404') for line in lines), f'{lines}')


@suite.test
def test_whoever_is_listed_is_let_in():
    with Closed():
        equal(ask('GET', '/api/v1/products', source='127.0.0.2').status, 200, 'a listed address')
        # Behind a proxy of ours it is the client's address that counts, and he does not choose it.
        equal(ask('GET', '/api/v1/products', {'X-Forwarded-For': '198.51.100.9'}).status, 200, 'in a listed network')
        turned_away(ask('GET', '/api/v1/products', {'X-Forwarded-For': '198.51.101.9'}), 'beside it')
        turned_away(ask('GET', '/api/v1/products', {'X-Forwarded-For': '198.51.100.9'}, source='127.0.0.3'),
                    'a stranger, who says so')


@suite.test
def test_other_refusals_keep_their_words():
    """A pool that is away says the same as ever, before and behind it."""
    path = os.path.join(os.path.dirname(os.environ['SOKO_REDIS_SOCKET']), 'hash.sock')
    os.rename(path, path + '.away')
    try:
        a = dressed(ask('POST', '/api/v1/auth/login', JSON, b'{}'), 503, 'SERVICE_UNAVAILABLE')
        equal((a.headers['retry-after'], a.errors[0]['message']), ('1', 'try again later'), 'no maintenance')
    finally:
        os.rename(path + '.away', path)


@suite.test
def test_pages_of_other_origins_may_read_the_refusal():
    with Closed():
        a = ask('OPTIONS', '/api/v1/products', {'Origin': 'https://none.example.com',
                                               'Access-Control-Request-Method': 'GET'})
        turned_away(a, 'a preflight of nobody')


@suite.test
def test_the_log_tells_the_path_and_503():
    name = 'closed-' + secrets.token_hex(8)
    with Closed():
        ask('GET', '/api/v1/products?search=x', {'X-Request-ID': name})
    line = until(lambda: [x for x in parsed_log() if name in x.values()], 'a line')[0]
    equal((line['url.path'], line['http.response.status_code'], line['nginx.upstream_status']),
          ('/api/v1/products', 503, ''), 'what it says')


@suite.test
def test_the_switch_says_what_it_does():
    equal(ctl('maintenance', 'status').strip(), 'open', 'status')
    equal(ctl('maintenance', 'off').strip(), 'open already', 'off')
    ctl('maintenance', 'on')
    check(ctl('maintenance', 'status').startswith('closed since 2'), 'status')
    equal(ctl('maintenance', 'on').strip(), 'closed already', 'on')
    equal(os.stat(SWITCH).st_mode & 0o777, 0o644, 'mode')
    # By hand it is the same.
    os.unlink(SWITCH)
    equal(ask('GET', '/api/v1/products').status, 200, 'open')
    with open(SWITCH, 'w', encoding='utf-8'):
        turned_away(ask('GET', '/api/v1/products'), 'touched')
    os.unlink(SWITCH)
    said = setting_fault('MAINTENANCE_ALLOW', '10.0.0.7,0.0.0.0/0')
    check('MAINTENANCE_ALLOW' in said and 'too wide' in said, said)


suite.main()
