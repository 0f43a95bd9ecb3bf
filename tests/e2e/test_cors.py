"""Pages of other origins: the listed ones may call with a token, and read the answer; nobody else may, and
no cache gives one's permission to another.

# settings: CORS_ORIGINS=https://shop.example.com,https://app.example.com:8443,http://localhost:3000,https://shop.example.com
# settings: LIMIT_SIGNED_IN=100000
"""
import os
import secrets
import subprocess

from nginx_raw import ask, base, dressed, lines_of, raw
from owner import ctl, ctl_json, setting_fault
from soko import Shop, Suite, check, equal, together, until

suite = Suite()
shop = Shop()
shop.log = None
LISTED = ('https://shop.example.com', 'https://app.example.com:8443', 'http://localhost:3000')
OTHERS = ('https://evil.example.com', 'https://shop.example.com.evil.com', 'http://shop.example.com',
          'https://shop.example.com:8443', 'https://app.example.com', 'https://shop.example.com/',
          'https://xshop.example.com', 'https://example.com', 'http://localhost', 'null', '*', '1', 'default',
          'https://shop.example.com https://evil.example.com', 'https://shop.example.com,', '')
PATHS = ('/api/v1/products', '/api/v1/categories', '/api/v1/cart', '/api/v1/orders', '/api/v1/none', '/health',
         '/ready', '/none', '/docs/openapi.json', '/api/v1/products/x', '/')
ASKING = {'Access-Control-Request-Method': 'PUT',
          'Access-Control-Request-Headers': 'authorization,content-type,idempotency-key,if-match'}


def cors(answer):
    """The CORS headers; each was sent once at most."""
    found = [k for k, _ in answer.lines if k.startswith('access-control-')]
    equal(len(found), len(set(found)), f'headers {found}')
    return {k.removeprefix('access-control-'): answer.headers[k] for k in found}


def words(text):
    return [w.strip() for w in text.split(',')]


def varies(answer, what):
    check('origin' in [w.lower() for line in lines_of(answer, 'vary') for w in words(line)],
          f'{what}: Vary: {lines_of(answer, "vary")}')


def may_read(answer, origin, what):
    """A listed origin's page may read this answer, and no other's."""
    said = cors(answer)
    equal(said.pop('allow-origin', None), origin, f'{what}: who may read it')
    said.pop('expose-headers', None)
    equal(said, {}, f'{what}: what else is said')
    varies(answer, what)
    return answer


def closed(answer, what):
    equal(cors(answer), {}, f'{what}: to a stranger')
    varies(answer, what)


@suite.test
def test_listed_origins_may_read_whatever_is_answered():
    for origin in LISTED:
        for path in PATHS:
            may_read(ask('GET', path, {'Origin': origin}), origin, path)


@suite.test
def test_no_other_origin_may():
    for path in PATHS:
        for origin in OTHERS:
            for method, more in (('GET', {}), ('OPTIONS', ASKING)):
                closed(ask(method, path, {'Origin': origin, **more}), f'{method} {path} of {origin}')
        closed(ask('GET', path), f'{path} without an origin')


@suite.test
def test_a_preflight_says_what_a_page_may_send():
    rows = ctl_json('routes', '--json')
    for origin in LISTED:
        for path in ('/api/v1/cart', '/api/v1/auth/login', '/api/v1/none'):
            a = ask('OPTIONS', path, {'Origin': origin, **ASKING})
            said = cors(a)
            equal((a.status, a.text, said['allow-origin']), (204, '', origin), path)
            check({r['method'] for r in rows} <= set(words(said['allow-methods'])), 'methods')
            check({'Authorization', 'Content-Type', 'Idempotency-Key', 'If-Match', 'If-None-Match',
                   'X-Request-ID', 'traceparent'} <= set(words(said['allow-headers'])), 'headers')
            check('*' not in ''.join(said.values()), f'a wildcard: {said}')
            check(0 < int(said['max-age']) <= 7200, 'age')
            varies(a, path)


@suite.test
def test_other_options_are_the_apis():
    """No preflight without the method that it asks for: 204 with Allow, and readable."""
    a = may_read(ask('OPTIONS', '/api/v1/cart', {'Origin': LISTED[0]}), LISTED[0], 'OPTIONS')
    equal(a.status, 204, 'status')
    check('DELETE' in words(a.headers['allow']), 'Allow')
    a = ask('OPTIONS', '/api/v1/cart', {'Origin': OTHERS[0], **ASKING})
    equal(a.status, 204, "a stranger's preflight")
    check('allow' in a.headers, 'is the API\'s')


@suite.test
def test_a_page_edits_with_a_token_and_if_match():
    seller = shop.new_seller()
    product = shop.new_product(seller, shop.new_category()['id'])
    path, here = f'/api/v1/products/{product["id"]}', {'Origin': LISTED[1]}
    token = {**here, 'Authorization': 'Bearer ' + seller['access_token'],
             'Content-Type': 'application/json'}
    a = may_read(ask('PUT', path, {**token, 'If-Match': f'"{product["version"]}"'}, b'{"stock":3}'),
                 LISTED[1], 'PUT')
    equal((a.status, a.data['stock']), (200, 3), 'PUT')
    a = may_read(ask('PUT', path, {**token, 'If-Match': '"1"'}, b'{"stock":4}'), LISTED[1], 'stale')
    equal(a.status, 412, 'stale')
    a = may_read(ask('DELETE', path, token), LISTED[1], 'DELETE')
    equal(a.status, 200, 'DELETE')


@suite.test
def test_a_page_may_see_each_header_that_means_something():
    """What the API says in headers, and browsers do not show by themselves."""
    safelisted = {'cache-control', 'content-language', 'content-length', 'content-type', 'expires',
                  'last-modified', 'pragma'}  # Fetch, CORS-safelisted response-header name
    ours = {'strict-transport-security', 'x-content-type-options', 'x-frame-options', 'referrer-policy',
            'content-security-policy', 'cross-origin-resource-policy', 'permissions-policy', 'server',
            'date', 'connection', 'vary', 'transfer-encoding', 'content-encoding'}  # for the browser itself
    who = shop.sign_up()
    token = {'Authorization': 'Bearer ' + who['access_token'], 'Content-Type': 'application/json'}
    key = {**token, 'Idempotency-Key': secrets.token_hex(8)}
    address = (b'{"line1":"Moi Avenue 12","city":"Nairobi","country":"KE"}')
    seen = set()
    for method, path, headers, body in (
            ('GET', '/api/v1/categories', {}, b''), ('GET', '/api/v1/cart', {}, b''),
            ('GET', '/api/v1/cart', token, b''), ('PATCH', '/api/v1/cart', token, b''),
            ('POST', '/api/v1/addresses', key, address), ('POST', '/api/v1/addresses', key, address)):
        a = ask(method, path, {**headers, 'Origin': LISTED[0]}, body)
        exposed = {w.lower() for w in words(cors(a)['expose-headers'])}
        told = {k for k, _ in a.lines if not k.startswith('access-control-')} - safelisted - ours
        equal(told - exposed, set(), f'{method} {path}: hidden from the page')
        seen |= told
    equal(seen, {'x-request-id', 'etag', 'www-authenticate', 'allow', 'idempotent-replayed',
                 'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'}, 'what was told')
    check('retry-after' in exposed, 'Retry-After')


@suite.test
def test_errors_of_nginx_may_be_read_too():
    here = f'Host: a\r\nOrigin: {LISTED[0]}\r\n'.encode()
    post = b'POST /api/v1/auth/login HTTP/1.1\r\n' + here
    for data, status, code in (
            (b'GET /none HTTP/1.1\r\n' + here + b'\r\n', 404, 'NOT_FOUND'),
            (b'GET /api HTTP/1.1\r\n' + here + b'\r\n', 404, 'NOT_FOUND'),
            (b'TRACE /api/v1/cart HTTP/1.1\r\n' + here + b'\r\n', 405, 'METHOD_NOT_ALLOWED'),
            (post + b'Content-Length: 99999999\r\n\r\n', 413, 'PAYLOAD_TOO_LARGE'),
            (b'GET /api/v1/' + b'a' * 9000 + b' HTTP/1.1\r\n' + here + b'\r\n', 414, 'VALIDATION_ERROR'),
            (post + b'Content-Length: x\r\n\r\n', 400, 'VALIDATION_ERROR')):
        may_read(dressed(raw(data), status, code), LISTED[0], f'{data[:40]!r}')
    path = os.path.join(os.path.dirname(os.environ['SOKO_REDIS_SOCKET']), 'hash.sock')
    os.rename(path, path + '.away')
    try:
        a = dressed(raw(post + b'Content-Length: 2\r\n\r\n{}'), 503, 'SERVICE_UNAVAILABLE')
    finally:
        os.rename(path + '.away', path)
    may_read(a, LISTED[0], 'a dead pool')


@suite.test
def test_what_providers_and_monitoring_call_is_no_pages():
    token = 'ab' * 32
    for path in ('/webhooks/stripe', f'/webhooks/stk/{token}', f'/webhooks/c2b/{token}/confirmation', '/webhooks/none',
                 '/webhooks', '/webhooks/', '//webhooks/stripe', '/%77ebhooks/stripe', '/metrics'):
        for method, more in (('POST', {}), ('GET', {}), ('OPTIONS', ASKING)):
            a = ask(method, path, {'Origin': LISTED[0], 'Content-Type': 'application/json', **more})
            equal(cors(a), {}, f'{method} {path}')
    a = ask('POST', f'/webhooks/stk/{token}', {'Origin': LISTED[0], 'Content-Length': '99999999'})
    equal((a.status, cors(a)), (413, {}), 'too large')


@suite.test
def test_a_kept_answer_has_the_readers_own_permission():
    """The microcache fills with one origin's request, and gives it to others."""
    def kept():
        path = f'/api/v1/products?search={secrets.token_hex(8)}'
        answers = [(origin, ask('GET', path, {'Origin': origin} if origin else {}))
                   for origin in (LISTED[0], OTHERS[0], LISTED[1], None, LISTED[0])]
        for origin, a in answers:
            equal(a.status, 200, path)
            equal(cors(a).get('allow-origin'), origin if origin in LISTED else None,
                  f'permission of {origin}')
            equal('expose-headers' in cors(a), origin in LISTED, f'headers for {origin}')
            varies(a, path)
        return len({a.json['meta']['request_id'] for _, a in answers}) == 1

    until(kept, 'one answer from memory for all of them')

    # At once: who waits for the one that fills gets his own too.
    path = f'/api/v1/products?search={secrets.token_hex(8)}'
    origins = [(LISTED + OTHERS[:3])[i % 6] for i in range(24)]
    for origin, a in zip(origins, together(24, lambda i: ask('GET', path, {'Origin': origins[i]}))):
        equal(cors(a).get('allow-origin'), origin if origin in LISTED else None, f'{origin}, at once')
    # What is not modified is checked again by the page that asks.
    tag = ask('GET', path, {'Origin': LISTED[0]}).headers['etag']
    a = ask('GET', path, {'Origin': LISTED[2], 'If-None-Match': tag})
    equal((a.status, cors(a).get('allow-origin')), (304, LISTED[2]), 'a 304')


@suite.test
def test_http2_is_the_same():
    for origin, allowed in ((LISTED[0], True), (OTHERS[0], False)):
        said = subprocess.run(
            ['curl', '-sS', '--http2', '--noproxy', '*', '--cacert', os.environ['SOKO_CACERT'], '-X',
             'OPTIONS', '-D', '-', '-o', '/dev/null', '-H', f'Origin: {origin}', '-H',
             'Access-Control-Request-Method: POST', f'{base.geturl()}/api/v1/cart'],
            capture_output=True, text=True, timeout=30, check=True).stdout
        equal(said.split()[0], 'HTTP/2', 'version')
        equal(f'access-control-allow-origin: {origin}' in said, allowed, said)


@suite.test
def test_the_list_is_read_once_and_strictly():
    equal(ctl('nginx', 'origins').split('\n'), [f'"{o}" 1;' for o in LISTED] + [''], 'what nginx reads')
    for entry, why in (('*', 'wildcard'), ('null', 'no origin'), ('http://shop.example.com', 'https://'),
                       ('https://shop.example.com/a', 'path'), ('https://a" 1; "https://b', 'host name')):
        said = setting_fault('CORS_ORIGINS', f'https://a.example,{entry}')
        check('CORS_ORIGINS' in said and f'"{entry}"' in said and why in said, said)


suite.main()
