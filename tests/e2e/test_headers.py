"""The safety headers of every answer, whoever makes it: each route, each error of nginx, each file; and
what TLS takes."""
import os
import socket
import ssl
import subprocess
import threading

from nginx_raw import Connection, address, ask, lines_of, raw, safe
from owner import ctl_json
from pictures import png
from soko import Shop, Suite, check, demand, equal

suite = Suite()
shop = Shop()
shop.log = None
TABLE = ctl_json('routes', '--json')
UNKNOWN = '01920000-0000-7000-8000-000000000000'
JSON = {'Content-Type': 'application/json'}
VIEWER = "script-src 'self'"  # of /docs/, the only pages that we have


def filled(path):
    """A route's path with ids that nothing has."""
    return '/'.join(('7' if part == ':n' else 'ab' * 32 if part == ':token' else UNKNOWN)
                    if part.startswith(':') else part for part in path.split('/'))


def private(a, what):
    """An answer that no cache may keep."""
    equal(lines_of(a, 'cache-control'), ['no-store'], f'{what}: Cache-Control')


@suite.test
def test_every_route_is_safe():
    """Each with its method, and with all others; without a token, with a good one, with a bad one."""
    token = {'Authorization': 'Bearer ' + shop.sign_up()['access_token']}
    seen = set()
    for row in TABLE:
        path, what = filled(row['path']), f'{row["method"]} {row["path"]}'
        for headers in ({}, token, {'Authorization': 'Bearer a.b.c'}):
            if row['name'] == 'logout' and headers is token:
                continue
            a = safe(ask(row['method'], path, {**JSON, **headers}), what)
            seen.add(a.status)
            if not row['cacheable'] or headers is token or a.status >= 400:
                private(a, what)
            else:
                equal(lines_of(a, 'cache-control'), ['public, max-age=1'], f'{what}: Cache-Control')
        for method in {'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'FOO'}:
            safe(ask(method, path, JSON), f'{method} {row["path"]}')
    for status in (200, 204, 400, 401, 403, 404):
        check(status in seen or status == 204, f'no {status} was met: {seen}')


@suite.test
def test_good_private_answers_are_safe():
    who = shop.new_seller()
    token = {'Authorization': 'Bearer ' + who['access_token']}
    for path in ('/api/v1/auth/profile', '/api/v1/auth/sessions', '/api/v1/seller/products',
                 '/api/v1/seller/orders', '/api/v1/addresses'):
        a = safe(ask('GET', path, token), path)
        equal(a.status, 200, path)
        private(a, path)
    body = b'{"email":"%s","password":"%s"}' % (who['email'].encode(), who['password'].encode())
    a = safe(ask('POST', '/api/v1/auth/login', JSON, body), 'a sign-in')
    equal(a.status, 200, 'a sign-in')
    private(a, 'a sign-in')


@suite.test
def test_what_is_not_modified_is_safe():
    path = '/api/v1/categories'
    tag = ask('GET', path).headers['etag']
    a = safe(ask('GET', path, {'If-None-Match': tag}), 'a 304')
    equal(a.status, 304, 'status')


def files_of(*parts):
    """What lies there, as paths behind the name of its folder."""
    top = os.path.join(os.environ['SOKO_STATE'], *parts)
    return sorted(os.path.relpath(os.path.join(d, f), top)
                  for d, _, names in os.walk(top) for f in names)


@suite.test
def test_every_file_is_safe():
    pages = files_of('docs')
    check({'index.html', 'style.css', 'reference.js', 'openapi.json', 'icon.svg'} <= set(pages),
          f'pages: {pages}')
    for name in ('', *pages):
        a = safe(ask('GET', '/docs/' + name), f'/docs/{name}', VIEWER)
        equal(a.status, 200, name)
        equal(lines_of(a, 'cache-control'), ['no-cache'], f'{name}: Cache-Control')
        check(lines_of(a, 'content-type')[0] != '', f'{name}: type')
    tag = ask('GET', '/docs/').headers['etag']
    equal(safe(ask('GET', '/docs/', {'If-None-Match': tag}), 'a 304', VIEWER).status, 304, 'status')
    equal(safe(ask('GET', '/docs/', {'If-Match': '"x"'}), 'a 412').status, 412, 'status')
    # Parts are not given: nginx's 416 would have each header twice.
    for part in ('bytes=0-9', 'bytes=9999999-'):
        equal(safe(ask('GET', '/docs/', {'Range': part}), part, VIEWER).status, 200, part)


@suite.test
def test_pictures_are_safe_and_anybody_may_show_them():
    seller = shop.new_seller()
    product = shop.new_product(seller, shop.new_category()['id'])
    path = demand(shop.upload(f'/products/{product["id"]}/image', 'image', png(),
                              seller['access_token']), 201).data['images'][0]
    tag = ask('GET', path).headers['etag']
    for more, status in (({}, 200), ({'If-None-Match': tag}, 304), ({'Range': 'bytes=0-3'}, 200)):
        a = safe(ask('GET', path, more), f'{path}: {status}', embeds='cross-origin')
        equal(a.status, status, path)
        equal(lines_of(a, 'cache-control'), ['public, max-age=31536000, immutable'], 'Cache-Control')
    safe(ask('GET', path + 'x'), 'none')
    safe(ask('POST', path), 'a POST')


def long_chunk():
    return b'%x\r\n%s\r\n0\r\n\r\n' % (100 << 10, b' ' * (100 << 10))


@suite.test
def test_every_error_of_nginx_is_safe():
    get = b'GET /api/v1/products HTTP/1.1\r\n'
    post = b'POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\n'
    for status, data in (
            (400, get + b'\r\n'), (400, b'HELO\r\n\r\n'), (400, get + b'Host: a\r\nHost: b\r\n\r\n'),
            (400, b'GET / HTTP/9.9\r\nHost: a\r\n\r\n'), (400, b'GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n'),
            (400, get + b'Host: a\r\nX: ' + b'a' * 20000 + b'\r\n\r\n'),
            (400, post + b'Content-Length: x\r\n\r\n'), (400, post + b'Transfer-Encoding: x\r\n\r\n'),
            (404, b'GET /none HTTP/1.1\r\nHost: a\r\n\r\n'),
            (404, b'GET /api HTTP/1.1\r\nHost: a\r\n\r\n'),
            (404, b'GET /docs/none HTTP/1.1\r\nHost: a\r\n\r\n'),
            (405, b'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n'), (400, b'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'),
            (405, b'DELETE /docs/ HTTP/1.1\r\nHost: a\r\n\r\n'),
            (413, post + b'Content-Length: 99999999\r\n\r\n'),
            (413, post + b'Transfer-Encoding: chunked\r\n\r\n' + long_chunk()),
            (414, b'GET /' + b'a' * 9000 + b' HTTP/1.1\r\nHost: a\r\n\r\n'),
            (414, b'GET /' + b'a' * 20000 + b' HTTP/1.1\r\nHost: a\r\n\r\n')):
        a = safe(raw(data), f'{data[:60]!r}')
        equal(a.status, status, f'{data[:60]!r}')
        private(a, f'{data[:60]!r}')
    a = safe(raw(get + b'Host: a\r\n\r\n', plain=True), 'plain HTTP')
    equal(a.status, 400, 'plain HTTP')
    for path, status in (('/', 302), ('/docs', 308)):
        equal(safe(ask('GET', path), path).status, status, path)


@suite.test
def test_a_dead_pool_is_safe():
    path = os.path.join(os.path.dirname(os.environ['SOKO_REDIS_SOCKET']), 'hash.sock')
    os.rename(path, path + '.away')
    try:
        a = safe(ask('POST', '/api/v1/auth/login', JSON, b'{}'), 'a dead pool')
    finally:
        os.rename(path + '.away', path)
    equal(a.status, 503, 'status')
    private(a, 'a dead pool')


# --- TLS ------------------------------------------------------------------------------------------

def client(least, most, ciphers):
    """A client that would take anything, if it were up to it."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    c.set_ciphers(ciphers + ':@SECLEVEL=0')
    c.minimum_version, c.maximum_version = least, most
    return c


def shake(context, to):
    """The version and cipher that were agreed on; None if there was no agreement."""
    with socket.create_connection(to, timeout=20) as s:
        try:
            with context.wrap_socket(s, server_hostname='localhost') as t:
                return t.version(), t.cipher()[0]
        except (ssl.SSLError, ConnectionResetError):
            return None


class Lax:
    """A server that takes the oldest TLS and the weakest cipher: else a refusal might be the client's."""

    def __enter__(self):
        self.s = socket.create_server(('127.0.0.1', 0))
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        state = os.environ['SOKO_STATE']
        c.load_cert_chain(f'{state}/tls/cert.pem', f'{state}/tls/key.pem')
        c.set_ciphers('ALL:COMPLEMENTOFALL:@SECLEVEL=0')
        c.minimum_version = ssl.TLSVersion.TLSv1

        def serve():
            while True:
                try:
                    one, _ = self.s.accept()
                except OSError:
                    return
                try:
                    c.wrap_socket(one, server_side=True).close()
                except (ssl.SSLError, OSError):
                    one.close()

        self.thread = threading.Thread(target=serve)
        self.thread.start()
        return self.s.getsockname()

    def __exit__(self, *_):
        self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()
        self.thread.join()


V = ssl.TLSVersion


@suite.test
def test_old_versions_of_tls_are_refused():
    with Lax() as lax:
        for version, name in ((V.TLSv1, 'TLSv1'), (V.TLSv1_1, 'TLSv1.1')):
            c = client(version, version, 'ALL')
            equal((shake(c, lax) or ('nothing',))[0], name, 'what the client can')
            equal(shake(c, address), None, name)
    for version, name in ((V.TLSv1_2, 'TLSv1.2'), (V.TLSv1_3, 'TLSv1.3')):
        equal((shake(client(version, version, 'ALL'), address) or ('nothing',))[0], name, name)
    equal(shake(client(V.TLSv1, V.TLSv1_3, 'ALL'), address)[0], 'TLSv1.3', 'the best of both')


@suite.test
def test_weak_ciphers_are_refused():
    weak = ('ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES256-SHA', 'ECDHE-ECDSA-AES128-SHA256',
            'ECDHE-ECDSA-AES256-SHA384', 'ECDHE-ECDSA-CAMELLIA128-SHA256', 'ECDHE-ECDSA-NULL-SHA',
            'AECDH-AES128-SHA', 'AECDH-NULL-SHA', 'ECDHE-ECDSA-AES128-CCM8')
    with Lax() as lax:
        for name in weak:
            c = client(V.TLSv1_2, V.TLSv1_2, name)
            equal((shake(c, lax) or (0, 'nothing'))[1], name, 'what the client can')
            equal(shake(c, address), None, name)
    for name in ('ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384',
                 'ECDHE-ECDSA-CHACHA20-POLY1305'):
        equal(shake(client(V.TLSv1_2, V.TLSv1_2, name), address), ('TLSv1.2', name), name)


@suite.test
def test_nobody_renegotiates_and_nothing_is_compressed():
    with Connection() as c:
        equal(c.s.compression(), None, 'compression')
    said = subprocess.run(['openssl', 's_client', '-connect', f'{address[0]}:{address[1]}', '-tls1_2'],
                          input='R\n', capture_output=True, text=True, timeout=30, check=False)
    check('RENEGOTIATING' in said.stdout + said.stderr and 'no renegotiation' in said.stderr,
          said.stderr[-500:])


suite.main()
