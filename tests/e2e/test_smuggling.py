"""Requests whose end, target or sender two readers might see differently. Each is refused in our envelope,
or is one request and harmless; a second request hidden in it is never served.

A request carries a marked one where a body may be, and is followed by an honest one that closes the
connection. What comes back until then are all answers that there were: of a refused request one alone, of
a taken one two, and the marked request's id is in none.
"""
import json
import os
import re
import secrets

from http2_raw import Http2, request
from nginx_raw import (Connection, answers_in, ask, base, dressed, lines_of, parsed_log, raw)
from owner import sql
from soko import Failed, Shop, Suite, check, equal, until

suite = Suite()
shop = Shop()
shop.log = None
JSON = {'Content-Type': 'application/json'}
LOGIN = b'POST /api/v1/auth/login HTTP/1.1\r\n'
HOST = b'Host: ' + base.netloc.encode() + b'\r\nContent-Type: application/json\r\n'
CHUNKED = b'Transfer-Encoding: chunked\r\n'


def marked():
    """A request that must not be served, and its id."""
    mark = 'smuggled-' + secrets.token_hex(8)
    return mark, (f'GET /api/v1/{mark} HTTP/1.1\r\nHost: a\r\nX-Request-ID: {mark}\r\n\r\n').encode()


def honest():
    mark = 'honest-' + secrets.token_hex(8)
    return mark, f'GET /health HTTP/1.1\r\nHost: a\r\nX-Request-ID: {mark}\r\nConnection: close\r\n\r\n'.encode()


marks = []


def converse(data, hidden=b''):
    """Sends a request, what is hidden behind it, and an honest one. Gives the answers, and whether the
    honest one was reached."""
    mark, last = honest()
    with Connection() as c:
        answers = answers_in(c.all_of(data + hidden + last))
    check(answers, f'{data[:200]!r}: no answer at all')
    reached = answers[-1].headers.get('x-request-id') == mark
    for a in answers:
        check(not a.headers.get('x-request-id', '').startswith('smuggled'), f'{data[:200]!r}: {a!r}')
    return answers, reached


def refused(data, status=400, code='VALIDATION_ERROR', hide=True):
    """The request is refused by nginx, and the connection with it: nothing behind it is read."""
    mark, hidden = marked()
    marks.append(mark)
    try:
        answers, reached = converse(data, hidden if hide else b'')
        dressed(answers[0], status, code)
        equal((len(answers), reached), (1, False), 'answers, and whether more was read')
        equal(answers[0].headers.get('connection'), 'close', 'Connection')
    except Failed as e:
        raise Failed(f'{data[:200]!r}: {e}') from None
    return answers[0]


def single(data, statuses=None):
    """The request is one, whatever is in it, and the next one on the connection is the honest one."""
    answers, reached = converse(data)
    equal((len(answers), reached), (2, True), f'{data[:200]!r}: answers {answers}')
    check(statuses is None or answers[0].status in statuses, f'{data[:200]!r}: {answers[0]!r}')
    check(answers[0].status < 500, f'{data[:200]!r}: {answers[0]!r}')
    return answers[0]


def headers(*lines):
    return b''.join(line + b'\r\n' for line in lines)


# --- where a body ends ----------------------------------------------------------------------------

@suite.test
def test_two_words_about_the_length_are_refused():
    _, hidden = marked()
    n = b'Content-Length: %d' % (len(hidden) + 5)
    te = CHUNKED[:-2]
    for lines in ((n, te), (te, n), (b'Content-Length: 0', te), (te, b'Content-Length: 6'),
                  (n, b'Transfer-Encoding: identity'), (n, b'Transfer-Encoding: x'), (n, b'transfer-encoding: CHUNKED'),
                  (te, te), (te, b'Transfer-Encoding: identity'), (b'Transfer-Encoding: identity', te),
                  (te, b'Transfer-Encoding: x'), (b'Transfer-Encoding: x', te),
                  (b'Content-Length: 5', b'Content-Length: 6'), (b'Content-Length: 5', b'Content-Length: 5'),
                  (b'Content-Length: 0', b'content-length: 5'), (n, n)):
        refused(LOGIN + HOST + headers(*lines) + b'\r\n0\r\n\r\n')
        # One that has no body of its own is not better.
        refused(b'GET /health HTTP/1.1\r\n' + HOST + headers(*lines) + b'\r\n0\r\n\r\n')


@suite.test
def test_an_encoding_that_is_not_chunked_is_refused():
    for word in (b'identity', b'xchunked', b'chunkedx', b'chunked, chunked', b'gzip, chunked', b'chunked, identity',
                 b'identity, chunked', b'chunked;q=1', b'"chunked"', b'\x0bchunked', b'chunked\x0c', b'chunked\t',
                 b'chunk', b'c hunked', b',chunked', b'chunked,', b'\xa0chunked', b'', b'chunked\x00'):
        refused(LOGIN + HOST + b'Transfer-Encoding: ' + word + b'\r\n\r\n0\r\n\r\n')
    # Folded over two lines, as once allowed.
    for fold in (b'Transfer-Encoding:\r\n chunked\r\n', b'Transfer-Encoding:\r\n\tchunked\r\n', b'X-A: b\r\n c\r\n',
                 b'X-A: b\r\n Transfer-Encoding: chunked\r\n', b' X-A: b\r\n', b'\tX-A: b\r\n',
                 b'Content-Length: 1\r\n 0\r\n', b'X-A: b\n c\r\n'):
        refused(LOGIN + HOST + fold + b'\r\n0\r\n\r\n')
    # HTTP/1.0 knows no chunks.
    refused(b'POST /api/v1/auth/login HTTP/1.0\r\n' + HOST + CHUNKED + b'\r\n0\r\n\r\n')


@suite.test
def test_a_length_that_is_no_number_is_refused():
    for word in (b'-1', b'+5', b'0x5', b'5x', b'x', b'', b' ', b'5,5', b'5, 5', b'5 5', b'5;', b'"5"', b'1e1', b'5.0',
                 b'99999999999999999999', b'18446744073709551621', b'9223372036854775808', b'\xb2', b'5\x00', b'5\x0b',
                 b'0,0', b'NaN', b'-0', b'_5', b'1_0'):
        refused(LOGIN + HOST + b'Content-Length: ' + word + b'\r\n\r\n{}   ')
    for word in (b'4294967298', b'9223372036854775807', b'65537'):
        refused(LOGIN + HOST + b'Content-Length: ' + word + b'\r\n\r\n', 413, 'PAYLOAD_TOO_LARGE')
    for word in (b'2', b' 2', b'  2', b'2 ', b'02', b'0000000000002'):
        a = single(LOGIN + HOST + b'Content-Length:' + word + b'\r\n\r\n{}', (400,))
        equal(a.fields, ['email', 'password'], 'read by the API')


@suite.test
def test_chunks_of_garbage_are_refused():
    for body in (b'zz\r\n', b'-1\r\n', b'+2\r\n{}\r\n0\r\n\r\n', b'0x2\r\n{}\r\n0\r\n\r\n', b' 2\r\n{}\r\n0\r\n\r\n',
                 b'\r\n2\r\n{}\r\n0\r\n\r\n', b';a\r\n', b'2\r{}\r\n0\r\n\r\n',
                 b'2\r\n{}0\r\n\r\n', b'2\r\n{}x\r\n0\r\n\r\n', b'2\r\n{} \r\n0\r\n\r\n', b'2\r\n{}\rX0\r\n\r\n',
                 b'ffffffffffffffff2\r\n{}\r\n0\r\n\r\n', b'10000000000000002\r\n{}\r\n0\r\n\r\n',
                 b'fffffffffffffffe\r\n{}\r\n0\r\n\r\n', b'\x00\r\n', b'2\x00\r\n{}\r\n0\r\n\r\n', b'\xb2\r\n{}\r\n0\r\n\r\n',
                 b'2\r\n{}\r\n0\rX\r\n', b'2\r\n{}\r\nx\r\n\r\n', b'"2"\r\n{}\r\n0\r\n\r\n', b'2_\r\n{}\r\n0\r\n\r\n'):
        mark, hidden = marked()
        marks.append(mark)
        answers, reached = converse(LOGIN + HOST + CHUNKED + b'\r\n' + body, hidden)
        check(answers[0].status in (400, 413), f'{body!r}: {answers[0]!r}')
        equal((len(answers), reached), (1, False), f'{body!r}: answers {answers}')
    for body in (b'2\r\n{}\r\n0\r\n\r\n', b'1\r\n{\r\n1\r\n}\r\n0\r\n\r\n', b'2;a=b;c="d"\r\n{}\r\n0;e\r\n\r\n',
                 b'0002\r\n{}\r\n000\r\n\r\n', b'2 \r\n{}\r\n0\r\n\r\n', b'2 x\r\n{}\r\n0\r\n\r\n',
                 b'2\r\n{}\r\n0\r\nX-Trailer: a\r\nContent-Length: 99\r\nTransfer-Encoding: x\r\n\r\n'):
        a = single(LOGIN + HOST + CHUNKED + b'\r\n' + body, (400,))
        equal(a.fields, ['email', 'password'], f'{body!r}: read by the API')


@suite.test
def test_a_request_inside_a_body_stays_a_body():
    mark, hidden = marked()
    marks.append(mark)
    for path in (b'/api/v1/auth/login', b'/api/v1/none', b'/none', b'/docs/', b'/health', b'/webhooks/stripe'):
        head = b'POST ' + path + b' HTTP/1.1\r\n' + HOST
        single(head + b'Content-Length: %d\r\n\r\n' % len(hidden) + hidden, (400, 401, 404, 405))
        single(head + CHUNKED + b'\r\n%x\r\n' % len(hidden) + hidden + b'\r\n0\r\n\r\n', (400, 401, 404, 405))
    for path in (b'/health', b'/api/v1/products', b'/docs/', b'/', b'/none'):  # who has no use for it
        head = b'GET ' + path + b' HTTP/1.1\r\n' + HOST
        single(head + b'Content-Length: %d\r\n\r\n' % len(hidden) + hidden, (200, 302, 400, 404))


@suite.test
def test_names_that_only_look_like_the_ones_are_refused_or_mean_nothing():
    for line in (b'Transfer-Encoding : chunked', b'Transfer-Encoding\t: chunked', b'Transfer Encoding: chunked',
                 b' Transfer-Encoding: chunked', b'\x0bTransfer-Encoding: chunked', b'Transfer-Encoding\x00: chunked',
                 b'Transfer\x00-Encoding: chunked', b'Content-Length : 5', b'Content-Length\x00: 5', b'Content-Length',
                 b': 5', b':', b'X\x7f: a', b'X\x01: a', b'X-A\r: a', b'Host : b', b'X-A: b\x00c',
                 b'GET /health HTTP/1.1'):
        refused(LOGIN + HOST + line + b'\r\n\r\n0\r\n\r\n')
    # Taken as names that nobody knows: there is no body then, and the worker is told of none.
    for line in (b'Transfer_Encoding: chunked', b'Content_Length: 2', b'Content-Length_: 2', b'X-Content-Length: 2',
                 b'Content.Length: 2', b'CONTENT_LENGTH: 2', b'"Content-Length": 2', b'Content-Length\xa0: 2'):
        a = single(LOGIN + HOST + line + b'\r\n\r\n', (400,))
        check('body' in a.text or a.fields == ['email', 'password'], f'{line!r}: {a!r}')
        a = single(LOGIN + HOST + line + b'\r\nContent-Length: 2\r\n\r\n{}', (400,))
        equal(a.fields, ['email', 'password'], f'{line!r}')


@suite.test
def test_line_ends():
    """A lone LF ends a line, as RFC 9112 lets a server read it; a lone CR ends none."""
    equal(single(b'GET /health HTTP/1.1\nHost: a\n\n').status, 200, 'LF')
    equal(single(b'\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n').status, 200, 'an empty line before')
    refused(b'GET /health HTTP/1.1\rHost: a\r\r\n\r\n')
    refused(b'GET /health HTTP/1.1\r\rHost: a\r\n\r\n')
    refused(b'GET /health\r HTTP/1.1\r\nHost: a\r\n\r\n')
    # In a value: no second header by it.
    mark = 'injected-' + secrets.token_hex(6)
    a = raw(b'GET /health HTTP/1.1\r\nHost: a\r\nX-A: b\rX-Request-ID: ' + mark.encode() + b'\r\n\r\n')
    check(a.headers['x-request-id'] != mark, f'{a!r}')


# --- what is asked for, and of whom ---------------------------------------------------------------

@suite.test
def test_request_lines_that_are_none_are_refused():
    for line in (b'GET', b'GET ', b'GET /health HTTP', b'GET /health HTTP/', b'GET /health HTTP/1', b'GET /health HTTP/1.x',
                 b'GET /health HTTP/2.0', b'GET /health HTTP/1.1 x', b'GET /health x HTTP/1.1', b'GET  HTTP/1.1',
                 b'get /health HTTP/1.1', b'G(T /health HTTP/1.1', b'GET\t/health\tHTTP/1.1', b'\x16\x03\x01\x02',
                 b'GET /health http/1.1', b'GET /health HTTPS/1.1', b'GET /health ICY/1.1', b'GET\x00 /health HTTP/1.1',
                 b'GET health HTTP/1.1', b'GET * HTTP/1.1', b'GET a:443 HTTP/1.1', b'CONNECT a:443 HTTP/1.1',
                 b'CONNECT a HTTP/1.1', b'GET ?a HTTP/1.1', b'GET #a HTTP/1.1',
                 b'GET \\health HTTP/1.1', b'GET https:// HTTP/1.1', b'GET https:/health HTTP/1.1',
                 b'GET https://a b/health HTTP/1.1', b'GET /health\x00 HTTP/1.1', b'GET /heal\x01th HTTP/1.1',
                 b'GET /health%00 HTTP/1.1', b'GET /health%0 HTTP/1.1', b'GET /%gg HTTP/1.1', b'GET /../health HTTP/1.1',
                 b'GET /a/../../health HTTP/1.1', b'GET /%2e%2e/health HTTP/1.1', b'PRI * HTTP/2.0'):
        a = raw(line + b'\r\nHost: a\r\n\r\n')
        try:
            dressed(a, 400, 'VALIDATION_ERROR')
        except Failed as e:
            raise Failed(f'{line!r}: {e}') from None


@suite.test
def test_http_0_9_is_refused():
    """An answer without a head is what a cache in front would make a page of."""
    for line in (b'GET /health\r\n', b'GET /health\r\n\r\n', b'GET /\n', b'GET /docs/\r\n'):
        with Connection() as c:
            said = c.all_of(line)
        body = json.loads(said[said.index(b'{'):])
        equal(body['errors'][0]['code'], 'VALIDATION_ERROR', f'{line!r}: {said[:200]!r}')


@suite.test
def test_a_host_is_one_and_well_formed():
    get = b'GET /health HTTP/1.1\r\n'
    for lines in ((), (b'Host: a', b'Host: a'), (b'Host: a', b'host: b'), (b'Host:',), (b'Host: ',), (b'Host: a b',),
                  (b'Host: a/b',), (b'Host: a\x00b',), (b'Host: a\tb',), (b'Host: a?\x01',),
                  (b'Host: a\x7f',), (b'Host: ..',), (b'Host: a..b',), (b'Host: .',), (b'Host: /',),
                  (b'Host : a',), (b' Host: a',)):
        refused(get + headers(*lines) + b'\r\n')
    equal(single(b'GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n').status, 200, 'HTTP/1.0 needs none')
    # Whatever it says is nowhere in an answer: all our links are relative.
    for host in (b'evil.example', b'a@evil.example', b'evil.example:1', b'evil.example:99999999', b'evil.example:x',
                 b'evil.example:443:444', b'EVIL.example.', b'[::1]:1', b'[::1', b'127.0.0.1', b'evil.example#', b'"evil.example'):
        for path in (b'/', b'/docs', b'/health', b'/api/v1/products', b'/none', b'/docs/x'):
            a = raw(b'GET ' + path + b' HTTP/1.1\r\nHost: ' + host + b'\r\nX-Forwarded-Host: evil.example\r\n'
                    b'Forwarded: host=evil.example\r\nX-Host: evil.example\r\n\r\n')
            check(a.status in (200, 302, 308, 400, 404), f'{host!r}: {a!r}')
            check('evil' not in a.text.lower() + str(a.lines).lower(), f'{host!r} is in {a!r}, {a.lines}')
    # A target in absolute form names its own host; the path is what counts.
    for target, status in ((b'https://evil.example/health', 200), (b'http://evil.example:1/health', 200),
                           (b'HTTPS://a/none', 404), (b'https://a?x', 302), (b'https://a', 302), (b'gopher://a/health', 200)):
        a = raw(b'GET ' + target + b' HTTP/1.1\r\nHost: a\r\n\r\n')
        equal(a.status, status, f'{target!r}: {a!r}')
        check('evil' not in str(a.lines), f'{a.lines}')


ODD = ('//api/v1/categories', '/api//v1/categories', '/api/v1//categories', '/api/v1/categories/', '/api/v1/categories//',
       '/./api/v1/categories', '/api/v1/./categories', '/api/v1/x/../categories', '/x/../api/v1/categories',
       '/api/v1/categories/.', '/api/v1/categories/..;/categories', '/api/v1/%63ategories', '/api/v1%2fcategories',
       '/api%2fv1%2fcategories', '/%2fapi/v1/categories', '/api/v1/categories%2f', '/api/v1/%2e/categories',
       '/api/v1/x/%2e%2e/categories', '/api/v1/x/%252e%252e/categories', '/api/v1/..%2fv1/categories',
       '/api/v1/categories;', '/api/v1/categories;a=b', '/api;a/v1/categories', '/api/v1/categories%3f', '/api/v1/categories%23',
       '/API/v1/categories', '/api/V1/categories', '/api/v1/Categories', '/api/v1/CATEGORIES', '/api\\v1\\categories',
       '/api/v1\\categories', '/api/v1/%5ccategories', '/api/v1/categories%5c', '/api/v1/categories%20', '/api/v1/categories%0a',
       '/api/v1/categories%0d%0aX-A:%20b', '/api/v1/categories%09', '/api/v1/%c0%afcategories', '/api/v1%c0%afcategories',
       '/api/v1/x/%c0%ae%c0%ae/categories', '/api/v1/%e0%80%afcategories', '/api/v1/categories%ff', '/api/v1/categories\xff',
       '/api/v1/categories.json', '/api/v1/categories.', '/api/v1/categories~', '/api/v1/categories&', '/api/v1/categories+',
       '/api/v1/%u0063ategories', '/api/v1/categories%u002f', '/api/v2/../v1/categories', '/_error/404', '/_error/../api/v1/categories',
       '/soko_fast', '/fast.sock', '/.git/config', '/.env', '/admin', '/internal/orders', '/debug', '/server-status')


@suite.test
def test_odd_paths_lead_nowhere():
    """A path has one writing. Its others are no second door, which a rule in front might not know."""
    equal(ask('GET', '/api/v1/categories').status, 200, 'the door itself')
    nothing = (404, 'NOT_FOUND'), (400, 'VALIDATION_ERROR'), (405, 'METHOD_NOT_ALLOWED')
    for target in ODD:
        a = ask('GET', target)
        check((a.status, a.code) in nothing, f'{target!r}: {a!r}')
        check(a.data is None, f'{target!r}: {a!r}')
    # Not in the API: one of our own, where a neighbour's rule might see another.
    for target in ('/health/', '/health;', '/HEALTH', '/health%2f', '/health.', '//health', '/x/../health', '/%68ealth'):
        a = ask('GET', target)
        check((a.status, a.code) == (404, 'NOT_FOUND'), f'{target}: {a!r}')
    for target in ('/api/v1/categories?', '/api/v1/categories#x', '/api/v1/categories?#x'):
        check(ask('GET', target).status in (200, 400, 404), target)


@suite.test
def test_no_path_leads_out_of_the_folders():
    for top in ('/docs', '/media', '/media/ab', '/docs/x'):
        for way in ('/../conf/soko.conf', '/..%2fconf%2fsoko.conf', '/%2e%2e/conf/soko.conf', '/..\\conf\\soko.conf',
                    '/....//conf/soko.conf', '../conf/soko.conf', '/..;/conf/soko.conf', '/%c0%ae%c0%ae/conf/soko.conf',
                    '/..%00/conf/soko.conf', '/%252e%252e/conf/soko.conf', '//etc/passwd', '/./../conf/soko.conf'):
            a = ask('GET', top + way)
            check((a.status, a.code) in ((404, 'NOT_FOUND'), (400, 'VALIDATION_ERROR')), f'{top + way}: {a!r}')


@suite.test
def test_methods_that_are_not_ours():
    for method in ('TRACE', 'PATCH', 'PROPFIND', 'MKCOL', 'COPY', 'MOVE', 'LOCK', 'SEARCH', 'PURGE', 'FOO', 'TRACK',
                   'G', 'X' * 500, 'GET_', 'GE-T', 'DEBUG', 'LINK'):
        for path in ('/api/v1/auth/profile', '/health', '/docs/', '/none'):
            a = ask(method, path, {'X-Secret': 'echo-me', 'Cookie': 'echo-me'})
            check((a.status, a.code) in ((405, 'METHOD_NOT_ALLOWED'), (404, 'NOT_FOUND'), (400, 'VALIDATION_ERROR')),
                  f'{method[:9]} {path}: {a!r}')
            check('echo-me' not in a.text, f'{method}: {a!r}')
    # One that is meant otherwise than it was sent.
    seller = shop.new_seller()
    product = shop.new_product(seller, shop.new_category()['id'])
    token = {**JSON, 'Authorization': 'Bearer ' + seller['access_token']}
    path = f'/api/v1/products/{product["id"]}'
    for name in ('X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', 'X-Original-Method', 'Method', 'Request-Method',
                 'REQUEST-METHOD'):
        equal(ask('GET', path, {**token, name: 'DELETE'}).status, 200, name)
        equal(ask('POST', path, {**token, name: 'DELETE'}, b'{}').status, 405, name)
    for query in ('?_method=DELETE', '?method=DELETE', '?X-HTTP-Method-Override=DELETE'):
        check(ask('GET', path + query, token).status in (200, 400), query)
    check(ask('GET', path).data['is_active'], 'it was deleted')


# --- what a header may not do ---------------------------------------------------------------------

@suite.test
def test_headers_do_not_choose_the_path():
    mark = 'rewritten-' + secrets.token_hex(6)
    for name in ('X-Original-URL', 'X-Rewrite-URL', 'X-Original-URI', 'X-Forwarded-URI', 'X-Forwarded-Path', 'X-Forwarded-Prefix',
                 'X-Accel-Redirect', 'X-Sendfile', 'Request-Uri', 'Request_Uri', 'Document-Uri', 'Script-Name', 'Script_Name',
                 'Path-Info', 'Destination', 'Referer', 'Content-Location', 'X-Proxy-URL', 'Base-Url', 'Redirect'):
        a = ask('GET', '/health', {name: '/api/v1/categories'})
        equal(a.data, {'status': 'ok'}, name)
        a = ask('GET', f'/api/v1/{mark}', {name: '/api/v1/categories'})
        equal(a.code, 'NOT_FOUND', name)
        a = ask('GET', '/api/v1/auth/profile', {name: '/health'})
        equal(a.code, 'UNAUTHORIZED', name)


@suite.test
def test_no_header_becomes_a_parameter_of_ours():
    """What nginx tells a worker comes from nginx: FastCGI names clients' headers HTTP_..., which no name of
    ours is."""
    who = shop.sign_up()
    body = json.dumps({'email': who['email'], 'password': who['password']}).encode()
    names = ('Soko-Arrival', 'Soko_Arrival', 'SOKO_ARRIVAL', 'Soko-Request-Id', 'SOKO_REQUEST_ID', 'Remote-Addr', 'REMOTE_ADDR',
             'Remote_Addr', 'Request-Method', 'REQUEST_METHOD', 'Request-Uri', 'REQUEST_URI', 'Content_Length', 'CONTENT_LENGTH',
             'Content_Type', 'CONTENT_TYPE', 'Script-Filename', 'SCRIPT_FILENAME', 'Document-Root', 'Query-String', 'QUERY_STRING',
             'Https', 'HTTPS', 'Server-Name', 'SERVER_NAME', 'Gateway-Interface', 'HTTP_AUTHORIZATION', 'Http-Authorization',
             'HTTP_X_REQUEST_ID', 'Fcgi-Role', 'FCGI_ROLE', 'PHP_VALUE', 'Php-Value', 'soko_request_id', 'Redirect-Status',
             'Proxy', 'HTTP_PROXY', 'Http-Proxy', 'DATABASE_URL', 'Ld-Preload')
    for value in ('1', '6.6.6.6', 'chosen-by-a-client', '/etc/passwd', 'DELETE', '', 'a' * 300):
        for name in names:
            mark = 'params-' + secrets.token_hex(6)
            a = ask('GET', '/api/v1/status', {name: value, 'X-Request-ID': mark})
            equal((a.status, a.headers['x-request-id'], a.json['meta']['request_id']), (200, mark, mark),
                  f'{name}: {value[:20]}: {a!r}')
        mark = 'params-' + secrets.token_hex(6)
        a = ask('POST', '/api/v1/auth/login', {**JSON, 'X-Request-ID': mark, **{n: value for n in names}}, body)
        equal((a.status, a.headers['x-request-id']), (200, mark), f'all of them: {value[:20]}: {a!r}')
        equal(sql("SELECT address FROM audit_log WHERE trace_id = :'mark' AND event = 'account.signed_in'",
                  mark=mark), [['127.0.0.1']], 'who signed in')
    # An id by another name is none.
    for name in ('X_Request_ID', 'X_REQUEST_ID', 'Http-X-Request-Id', 'HTTP_X_REQUEST_ID'):
        a = ask('GET', '/health', {name: 'chosen-by-a-client'})
        check('chosen' not in a.headers['x-request-id'] + a.text, f'{name}: {a!r}')


@suite.test
def test_an_authorization_is_one():
    """Two are refused, whatever they are: nobody has to know which one counts."""
    who = shop.sign_up()
    good, bad = f'Authorization: Bearer {who["access_token"]}', 'Authorization: Bearer a.b.c'
    get = 'GET /api/v1/auth/profile HTTP/1.1\r\nHost: a\r\n'
    equal(raw(f'{get}{good}\r\n\r\n'.encode()).status, 200, 'one')
    for pair in ((good, bad), (bad, good), (good, good), (good, 'authorization: Basic YTpi'), ('Authorization:', good)):
        refused((get + ''.join(line + '\r\n' for line in pair) + '\r\n').encode())
    for name in ('Authorization_', 'HTTP_AUTHORIZATION', 'Proxy-Authorization', 'X-Authorization'):
        line = f'{name}: Bearer {who["access_token"]}\r\n\r\n'
        equal(raw((get + line).encode()).status, 401, name)


@suite.test
def test_other_headers_that_come_twice():
    who = shop.sign_up()
    token = f'Authorization: Bearer {who["access_token"]}\r\n'
    for lines, statuses in ((('If-Match: "1"', 'If-Match: "2"'), (200, 400, 412)),
                            (('If-None-Match: "a"', 'If-None-Match: *'), (200, 304, 400)),
                            (('X-Request-ID: first-id-1', 'X-Request-ID: second-id-2'), (200,)),
                            (('Content-Type: text/html', 'Content-Type: application/json'), (200, 400)),
                            (('Origin: a', 'Origin: b'), (200,)), (('Cookie: a=b', 'Cookie: c=d'), (200,)),
                            (('Connection: close', 'Connection: keep-alive'), (200,)),
                            (('Expect: 100-continue', 'Expect: x'), (200, 400, 417)),
                            (('Idempotency-Key: a', 'Idempotency-Key: b'), (200, 400))):
        head = f'GET /api/v1/auth/profile HTTP/1.1\r\nHost: a\r\n{token}' + ''.join(f'{x}\r\n' for x in lines)
        a = raw((head + '\r\n').encode())
        check(a.status in statuses, f'{lines}: {a!r}')
        equal(len(lines_of(a, 'x-request-id')), 1, f'{lines}: ids')


@suite.test
def test_heads_have_an_end():
    """Too large a head is refused; many headers are only many."""
    get = b'GET /health HTTP/1.1\r\nHost: a\r\n'
    for head in (b'X-A: ' + b'a' * 17000 + b'\r\n', b'a' * 17000 + b': b\r\n', b'X-A: a\r\n' * 20000,
                 b''.join(b'X-%d: %s\r\n' % (n, b'a' * 900) for n in range(100))):
        a = raw(get + head + b'\r\n')
        check((a.status, a.code) == (400, 'VALIDATION_ERROR'), f'{head[:20]!r}: {a!r}')
    many = b''.join(b'X-%d: a\r\n' % n for n in range(900))
    equal(single(get + many + b'\r\n').status, 200, 'nine hundred')


@suite.test
def test_expectations():
    post = LOGIN + HOST + b'Content-Length: 2\r\nExpect: '
    with Connection() as c:
        c.s.sendall(post + b'100-continue\r\n\r\n')
        equal(c.s.recv(100), b'HTTP/1.1 100 Continue\r\n\r\n', 'the go-ahead')
        equal(c.raw(b'{}').fields, ['email', 'password'], 'the answer')
    for word in (b'100-continue', b'100-Continue', b'200-ok', b'', b'100-continue, x'):
        single(post + word + b'\r\n\r\n{}', (400, 417))
    # Nobody is asked to send what will not be taken.
    a = refused(LOGIN + HOST + b'Content-Length: 9999999\r\nExpect: 100-continue\r\n\r\n', 413, 'PAYLOAD_TOO_LARGE')
    equal(a.code, 'PAYLOAD_TOO_LARGE', 'at once')


@suite.test
def test_slow_clients_are_bounded():
    """As nginx was told: how long it waits between two bytes of a head, of a body, of an answer, and for a next
    request; and how much of a head it keeps."""
    with open(os.path.join(os.environ['SOKO_STATE'], 'nginx', 'sites-available', 'soko'), encoding='utf-8') as f:
        said = dict(re.findall(r'^    (\w+) ([^;]+);', f.read(), re.M))
    for name, most in (('client_header_timeout', 10), ('client_body_timeout', 10), ('send_timeout', 15),
                       ('keepalive_timeout', 30)):
        check(re.fullmatch(r'\d+s', said[name]) and 0 < int(said[name][:-1]) <= most, f'{name} {said[name]}')
    equal(said['reset_timedout_connection'], 'on', 'what is over is let go')
    equal(said['large_client_header_buffers'], '4 16k', 'a head')
    with open(os.path.join(os.environ['SOKO_STATE'], 'nginx', 'soko', 'fastcgi.conf'), encoding='utf-8') as f:
        said = f.read()
    check('fastcgi_request_buffering on;' in said and 'fastcgi_buffering on;' in said, 'a slow client holds a worker')


# --- one connection, many requests ----------------------------------------------------------------

@suite.test
def test_pipelined_requests_are_answered_each_and_in_order():
    ids = [f'in-order-{n}-{secrets.token_hex(4)}' for n in range(20)]
    paths = ('/health', '/api/v1/none', '/none', '/docs/', '/api/v1/products')
    data = b''.join(f'GET {paths[n % 5]} HTTP/1.1\r\nHost: a\r\nX-Request-ID: {i}\r\n'
                    f'{"Connection: close" if n == 19 else "X: y"}\r\n\r\n'.encode() for n, i in enumerate(ids))
    with Connection() as c:
        answers = answers_in(c.all_of(data))
    equal([a.headers['x-request-id'] for a in answers], ids, 'answers')
    equal([a.status for a in answers], [200, 404, 404, 200, 200] * 4, 'statuses')


@suite.test
def test_nothing_is_read_behind_an_error():
    for bad in (b'GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n', b'GET /health HTTP/1.1\r\n\r\n', b'HELO\r\n\r\n',
                b'GET /health HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n'):
        refused(bad)
    # One user's headers do not stay for the next on the same connection, as behind a proxy.
    who = shop.sign_up()
    with Connection() as c:
        token = {'Authorization': 'Bearer ' + who['access_token'], 'If-None-Match': '*', 'X-Request-ID': 'the-first-one'}
        equal(c.ask('GET', '/api/v1/auth/profile', token).status, 200, 'signed in')
        a = c.ask('GET', '/api/v1/auth/profile')
        equal((a.status, a.headers['x-request-id'] == 'the-first-one'), (401, False), 'nobody')


# --- HTTP/2 ---------------------------------------------------------------------------------------

def broken(fields, body=None, statuses=(0, 400)):
    """Refused: by an answer, or by the end of the stream or connection."""
    with Http2() as h:
        a = h.ask(fields, body)
    check(a.status in statuses, f'{fields}: {a!r}')
    return a


@suite.test
def test_http2_takes_an_honest_request():
    with Http2() as h:
        for _ in range(3):
            equal(h.ask(request()).data, {'status': 'ok'}, 'health')
        a = h.ask(request('POST', '/api/v1/auth/login') + [('content-type', 'application/json')], b'{}')
        equal((a.status, a.fields), (400, ['email', 'password']), 'a body without a length')
        a = h.ask(request('POST', '/api/v1/auth/login') + [('content-type', 'application/json'), ('content-length', '2')],
                  b'{}')
        equal((a.status, a.fields), (400, ['email', 'password']), 'a body with one')


@suite.test
def test_http2_malformed_requests_are_refused():
    for fields in (request(method=None), request(path=None), request(scheme=None), request(path=''), request(path='health'),
                   request(path='*'), request(path='/health x'), request(path='/health\n'), request(path='/health\x00'),
                   request(path='/%zz'), request(path='/../x'), request(path='https://a/health'), request(method='GET /'),
                   request(method=''), request(method='get'), request(method='G\nT'), request() + [(':path', '/none')],
                   request() + [(':method', 'DELETE')], request() + [(':authority', 'b')], request() + [(':unknown', 'a')],
                   [('x-a', 'b')] + request() + [(':path', '/none')], request(authority='a b'), request(authority='a\nb'),
                   request(authority=None), request(authority=''), request() + [('', 'a')], request() + [('X-Upper', 'a')],
                   request() + [('x a', 'b')], request() + [('x:a', 'b')], request() + [('x\na', 'b')], request() + [('x\x00', 'b')],
                   request() + [('x-a', 'b\nX-Request-ID: evil-id-1')], request() + [('x-a', 'b\r\nc')],
                   request() + [('x-a', 'b\x00c')], request() + [('x-request-id', 'abcdefgh\n')],
                   request() + [('x-a', 'a' * 20000)], request() + [('content-length', 'x')], request() + [('content-length', '-1')],
                   request() + [('content-length', '5'), ('content-length', '5')],
                   request() + [('authorization', 'Bearer a'), ('authorization', 'Bearer b')]):
        broken(fields)
    broken(request(scheme='gopher://a/?'), statuses=(0, 200, 400))  # nothing of ours looks at it


@suite.test
def test_http2_lengths_are_what_comes():
    """A length that is not the body's, or a second word about it, makes no second request."""
    post = request('POST', '/api/v1/auth/login') + [('content-type', 'application/json')]
    mark, hidden = marked()
    marks.append(mark)
    for length, body in (('0', hidden), ('2', b'{}' + hidden), ('5', b'{}'), ('400', hidden), ('99999999', b'{}')):
        broken(post + [('content-length', length)], body, (0, 400, 413))
    for more in (('transfer-encoding', 'chunked'), ('transfer-encoding', 'identity'), ('connection', 'keep-alive'),
                 ('connection', 'transfer-encoding'), ('upgrade', 'h2c'), ('te', 'chunked'), ('keep-alive', 'a'),
                 ('proxy-connection', 'close')):
        for body in (b'0\r\n\r\n' + hidden, b'{}'):
            with Http2() as h:
                a = h.ask(post + [more], body)
                check(a.status in (0, 400), f'{more}: {a!r}')
                if a.status and not h.closed:
                    equal(h.ask(request()).data, {'status': 'ok'}, f'{more}: the next')
    broken(post + [('transfer-encoding', 'chunked'), ('content-length', '5')], b'0\r\n\r\n' + hidden)


@suite.test
def test_http2_a_host_is_one():
    """Whom `host` names is nowhere in an answer, nor another than `:authority` believed."""
    with Http2() as h:
        a = h.ask(request(path='/docs') + [('host', 'evil.example')])
    check(a.status in (0, 308, 400) and 'evil' not in a.text, f'{a!r}')


@suite.test
def test_http2_headers_are_no_parameters_either():
    names = ('soko-arrival', 'soko_arrival', 'remote-addr', 'remote_addr', 'content_length', 'proxy', 'http_proxy', 'x_request_id',
             'soko-request-id', 'script-filename', 'x-original-url', 'x-http-method-override')
    with Http2() as h:
        for name in names:
            mark = 'params-' + secrets.token_hex(6)
            a = h.ask(request(path='/api/v1/status') + [(name, '1'), ('x-request-id', mark)])
            equal((a.status, a.json['meta']['request_id']), (200, mark), name)


# --- and what was served --------------------------------------------------------------------------

@suite.test
def test_no_hidden_request_was_served():
    """nginx's log has a line for each request that anybody served."""
    trace = 'the-last-' + secrets.token_hex(8)
    with Connection() as c:
        equal(c.ask('GET', f'/api/v1/{trace}', {'X-Request-ID': trace}).status, 404, 'the door that was marked')

    def seen():
        lines = parsed_log()
        return lines if any(line['http.request.id'] == trace and trace in line['url.path'] for line in lines) else None

    lines = until(seen, 'a line for the last one')
    check(len(marks) > 100, f'only {len(marks)} were hidden')
    equal([line['url.path'] for line in lines if 'smuggled' in line['url.path'] + line['trace.id']], [], 'served')


suite.main()
