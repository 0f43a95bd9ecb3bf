"""What nginx does by itself: its errors in our envelope, the microcache, files, headers, the log."""
import glob
import json
import os
import secrets
import subprocess
import threading

from nginx_raw import Connection, ask, base, dressed, parsed_log, raw
from soko import Failed, Shop, Suite, check, equal, until

suite = Suite()
products = '/api/v1/products'


def fresh(path=products):
    """A path whose answer nobody has asked for yet."""
    return f'{path}?page={secrets.randbelow(900) + 1}&search={secrets.token_hex(8)}'


def filled_by(answer):
    return answer.json['meta']['request_id']


def is_own(answer):
    """Whether the request was answered by a worker, not from memory."""
    return filled_by(answer) == answer.headers['x-request-id']


# --- errors ---------------------------------------------------------------------------------------

@suite.test
def test_unknown_paths_are_json_404():
    for path in ('/nothing', '/api', '/api/v1/nothing', '/api/v2/products', '/media/none.jpg',
                 '/media/', '/docs/none', '/docs/swagger-ui/', '/_error/404', '/favicon.ico'):
        dressed(ask('GET', path), 404, 'NOT_FOUND')


@suite.test
def test_wrong_methods_are_405_with_allow():
    for method, path, allow in (('PATCH', products, 'GET'), ('DELETE', '/api/v1/auth/login', 'POST'),
                                ('POST', '/docs/', 'GET, HEAD'),
                                ('DELETE', f'/media/00/{"0" * 64}.jpg', 'GET, HEAD'),
                                ('TRACE', products, 'GET')):
        a = dressed(ask(method, path, {'Connection': 'close'}), 405, 'METHOD_NOT_ALLOWED')
        check(allow in a.headers.get('allow', ''), f'{method} {path}: Allow {a.headers.get("allow")}')


@suite.test
def test_malformed_requests_are_json_400():
    get, post = b'GET /api/v1/products HTTP/1.1\r\n', b'POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\n'
    for data in (get + b'\r\n', get + b'Host: a\r\nHost: b\r\n\r\n', get + b'Host: a b\r\n\r\n',
                 b'HELO there\r\n\r\n', b'GET / HTTP/3.0\r\nHost: a\r\n\r\n',
                 b'GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n',
                 b'GET /api/v1/a\x00b HTTP/1.1\r\nHost: a\r\n\r\n',
                 get + b'Host: a\r\nX-A: b\x00c\r\n\r\n',
                 post + b'Content-Length: x\r\n\r\n', post + b'Content-Length: -1\r\n\r\n',
                 post + b'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
                 post + b'Transfer-Encoding: sideways\r\n\r\n',
                 post + b'Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n'):
        try:
            dressed(raw(data), 400, 'VALIDATION_ERROR')
        except Exception as e:
            raise Failed(f'{data!r}: {e}') from e


@suite.test
def test_plain_http_to_the_tls_port_is_json_400():
    dressed(raw(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n', plain=True), 400, 'VALIDATION_ERROR')


@suite.test
def test_escaped_nul_and_bad_escapes_are_json():
    for path in ('/api/v1/products/a%00b', '/api/v1/products/%', '/api/v1/products/%zz'):
        dressed(ask('GET', path), 400, 'VALIDATION_ERROR')
    a = ask('GET', '/api/v1/products/a%2Fb')
    check(a.status in (400, 404) and a.code, f'an escaped slash: {a!r}')


@suite.test
def test_large_bodies_are_json_413():
    big = b'{"name":"' + b'a' * (100 << 10) + b'"}'
    json_type = {'Content-Type': 'application/json'}
    dressed(ask('POST', '/api/v1/auth/login', json_type, big), 413, 'PAYLOAD_TOO_LARGE')
    chunked = b'%x\r\n%s\r\n0\r\n\r\n' % (len(big), big)
    with Connection() as c:
        a = c.raw(b'POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
                  b'Transfer-Encoding: chunked\r\n\r\n' + chunked)
    dressed(a, 413, 'PAYLOAD_TOO_LARGE')
    # Announced, and never sent.
    dressed(ask('POST', '/docs/', {'Content-Length': '99999999'}), 413, 'PAYLOAD_TOO_LARGE')


@suite.test
def test_long_request_lines_are_json_414():
    for n in (9000, 15000, 20000):
        dressed(ask('GET', '/api/v1/products?search=' + 'a' * n), 414, 'VALIDATION_ERROR')
        dressed(ask('GET', '/' + 'a' * n), 414, 'VALIDATION_ERROR')


@suite.test
def test_long_paths_of_http2_are_json_414():
    got = subprocess.run(
        ['curl', '-sS', '--http2', '--noproxy', '*', '--cacert', os.environ['SOKO_CACERT'],
         '-w', '\n%{http_code} %{http_version}', f'{base.geturl()}/api/v1/{"a" * 9000}'],
        capture_output=True, text=True, timeout=30, check=True).stdout
    body, _, last = got.rpartition('\n')
    equal(last, '414 2', 'status and version')
    equal(json.loads(body)['errors'][0]['code'], 'VALIDATION_ERROR', 'code')


@suite.test
def test_large_headers_are_json_400():
    dressed(ask('GET', products, {'X-Large': 'a' * 20000}), 400, 'VALIDATION_ERROR')


@suite.test
def test_a_dead_pool_is_a_clean_503():
    path = os.path.join(os.path.dirname(os.environ['SOKO_REDIS_SOCKET']), 'hash.sock')
    json_type = {'Content-Type': 'application/json'}
    os.rename(path, path + '.away')
    try:
        dressed(ask('POST', '/api/v1/auth/login', json_type, b'{}'), 503, 'SERVICE_UNAVAILABLE')
    finally:
        os.rename(path + '.away', path)
    dressed(ask('POST', '/api/v1/auth/login', json_type, b'{}'), 400, 'VALIDATION_ERROR')


# --- headers --------------------------------------------------------------------------------------

@suite.test
def test_the_request_id_is_echoed_if_it_looks_like_one():
    for path in ('/api/v1/cart', '/health', '/nothing', '/docs/'):
        a = ask('GET', path, {'X-Request-ID': 'trace.me-1_Z'})
        equal(a.headers['x-request-id'], 'trace.me-1_Z', f'{path}: id')
        if a.json:
            equal(a.json['meta']['request_id'], 'trace.me-1_Z', f'{path}: meta')
    for bad in ('short', 'has"quotes"in', 'a' * 65, 'spaces in it', '$request_uri'):
        a = ask('GET', '/api/v1/cart', {'X-Request-ID': bad})
        check(len(a.headers['x-request-id']) >= 8 and a.headers['x-request-id'] != bad, f'took {bad}')
        equal(a.json['meta']['request_id'], a.headers['x-request-id'], 'meta')


# --- the microcache -------------------------------------------------------------------------------

@suite.test
def test_anonymous_reads_are_kept_each_with_its_own_id():
    path = fresh()

    def kept():
        first, second = ask('GET', path), ask('GET', path)
        equal((first.status, second.status), (200, 200), 'status')
        return filled_by(first) == filled_by(second) and (first, second)

    first, second = until(kept, 'two reads within a second share an answer')
    check(first.headers['x-request-id'] != second.headers['x-request-id'], 'the id was kept too')
    equal(second.text, first.text, 'body')
    for a in (first, second):
        equal([h for h in a.headers if h.startswith('x-ratelimit')], [], 'limits of somebody')
    other = ask('GET', path, {'If-None-Match': first.headers['etag']})
    equal((other.status, other.text), (304, ''), 'If-None-Match')


@suite.test
def test_an_answer_is_kept_for_a_second_whatever_the_pause():
    path = fresh()
    filler = ask('GET', path)
    until(lambda: filled_by(ask('GET', path)) != filled_by(filler), 'a newer answer', 5)
    # Nobody asks for a while. The next must not get what lay there, and start its renewal.
    threading.Event().wait(2.5)
    check(is_own(ask('GET', path)), 'the first reader after a pause got an old answer')


@suite.test
def test_head_does_not_poison_get():
    path = fresh()
    head = ask('HEAD', path)
    equal((head.status, head.text), (200, ''), 'HEAD')
    got = ask('GET', path)
    check(got.status == 200 and got.data is not None, f'GET after HEAD: {got!r}')
    head = ask('HEAD', path)
    equal((head.status, head.text), (200, ''), 'HEAD after GET')


@suite.test
def test_whoever_signs_in_neither_gets_nor_leaves_a_kept_answer():
    shop = Shop()
    shop.log = None
    token = {'Authorization': 'Bearer ' + shop.sign_up('Nia')['access_token']}
    path = fresh()
    for _ in range(3):
        check(is_own(ask('GET', path, token)), 'a kept answer for somebody signed in')
    check(is_own(ask('GET', path)), 'somebody signed in left his answer')
    for more in ({'Cookie': 'a=b'}, {'Idempotency-Key': 'k'}, {'Authorization': 'Bearer no'}, token):
        ask('GET', path)
        check(is_own(ask('GET', path, more)), f'a kept answer despite {list(more)}')


@suite.test
def test_errors_and_private_answers_are_not_kept():
    for path, status in ((fresh() + '&per_page=0', 400), ('/api/v1/cart', 401), ('/health', 200)):
        first, second = ask('GET', path), ask('GET', path)
        equal((first.status, second.status), (status, status), path)
        check(is_own(first) and is_own(second), f'{path} was kept')


# --- files ----------------------------------------------------------------------------------------

@suite.test
def test_the_root_leads_to_the_documentation():
    for path, status in (('/', 302), ('/docs', 308)):
        a = ask('GET', path)
        equal((a.status, a.headers.get('location')), (status, '/docs/'), path)
    for path, kind in (('/docs/', 'text/html'), ('/docs/quickstart.html', 'text/html'),
                       ('/docs/style.css', 'text/css'), ('/docs/reference.js', 'text/javascript'),
                       ('/docs/icon.svg', 'image/svg+xml'),
                       ('/docs/openapi.json', 'application/json')):
        a = ask('GET', path)
        equal((a.status, a.headers['content-type'].split(';')[0]), (200, kind), path)
    check(ask('GET', '/docs/openapi.json').json['openapi'].startswith('3.1'), 'OpenAPI 3.1')


@suite.test
def test_media_are_pictures_under_their_names_and_nothing_else():
    name = secrets.token_hex(32)
    folder = os.path.join(os.environ['SOKO_STATE'], 'media', name[:2])
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o755)
    others = (f'{name}.php', f'{name}.html', f'{name}.svg', f'{name}.jpg.html', f'{name[:-1]}.jpg',
              f'{name}', f'.{name}.jpg', f'{name}.JPG', 'index.html', f'{name}.jpg~')
    for end in (f'{name}.jpg', *others):
        with open(os.path.join(folder, end), 'wb') as f:
            f.write(b'\xff\xd8\xff')
        os.chmod(f.name, 0o644)
    os.symlink('/etc/passwd', os.path.join(folder, name + '.png'))
    at = f'/media/{name[:2]}'
    try:
        a = ask('GET', f'{at}/{name}.jpg')
        equal((a.status, a.headers['content-type']), (200, 'image/jpeg'), 'an image')
        check('immutable' in a.headers['cache-control'], 'Cache-Control')
        equal(ask('HEAD', f'{at}/{name}.jpg').status, 200, 'HEAD')
        for path in (f'{at}/{name}.png', '/media/../conf/soko.conf', '/media/%2e%2e/conf/soko.conf',
                     '/media../conf/soko.conf', at, f'{at}/', '/media/', f'{at}/{name}.jpg/',
                     f'{at}/{name}.jpg/a.php', f'{at}/{name}.jpg%0a', f'{at}/{name}.webp',
                     f'{at}/{name}.jpg%00.php', *(f'{at}/{end}' for end in others)):
            a = ask('GET', path)
            check((a.status, a.code) in ((404, 'NOT_FOUND'), (400, 'VALIDATION_ERROR')),
                  f'{path}: {a!r}')
        dressed(ask('POST', f'{at}/{name}.jpg', body=b'x'), 405, 'METHOD_NOT_ALLOWED')
        dressed(ask('PUT', f'{at}/{name}.php', body=b'x'), 404, 'NOT_FOUND')
    finally:
        for end in (f'{name}.jpg', f'{name}.png', *others):
            os.unlink(os.path.join(folder, end))


# --- the log --------------------------------------------------------------------------------------

@suite.test
def test_the_log_names_paths_and_no_secrets():
    secret, trace = secrets.token_hex(20), 'log-' + secrets.token_hex(8)
    paths = (f'/webhooks/stk/{secret}', f'/webhooks/c2b/{secret}/confirmation',
             f'//webhooks/stk/%{ord(secret[0]):02x}{secret[1:]}', f'{products}?search={secret}',
             f'/nothing?token={secret}')
    for path in paths:
        ask('POST', path, {'X-Request-ID': trace, 'Content-Type': 'application/json'}, b'{}')
    ask('POST', f'/webhooks/stk/{secret}', {'X-Request-ID': trace}, b' ' * (1 << 20))

    def written():
        lines = [line for line in parsed_log() if line['http.request.id'] == trace]
        return lines if len(lines) == len(paths) + 1 else None

    lines = until(written, 'a line for each request')
    equal([line['url.path'] for line in lines],
          ['/webhooks/stk/***', '/webhooks/c2b/***/confirmation', '/webhooks/stk/***', products,
           '/nothing', '/webhooks/stk/***'], 'paths')
    check(all(line['http.request.method'] == 'POST' for line in lines), 'methods')
    for path in glob.glob(os.path.join(os.environ['SOKO_STATE'], 'log', 'nginx*')):
        with open(path, encoding='utf-8', errors='replace') as f:
            check(secret[1:] not in f.read(), f'{path} holds a secret')


@suite.test
def test_the_log_is_json_whatever_is_asked():
    trace = 'log-' + secrets.token_hex(8)
    for target, agent in (('/%ff%fe', 'a'), ('/\xff\xfe', 'a'), ('/health', '\xff\xc3('),
                          ('/a%22%5c%0a%01', '"\\')):
        ask('GET', target, {'X-Request-ID': trace, 'User-Agent': agent})

    def written():
        lines = [line for line in parsed_log() if line['http.request.id'] == trace]
        return lines if len(lines) == 4 else None

    lines = until(written, 'a line for each request')
    equal([(line['url.path'], line['user_agent.original']) for line in lines],
          [('(not ASCII)', 'a'), ('(not ASCII)', 'a'), ('/health', '(not ASCII)'),
           ('/a"\\\n\x01', '"\\')], 'what it says')


suite.main()
