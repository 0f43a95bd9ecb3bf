"""What no honest client sends: each is refused in our envelope, and no worker dies of it.

Every test here also holds the workers' pids before it against those after it.
"""
import functools
import http.client
import json
import re
import secrets
import uuid
from urllib.parse import quote

from nginx_raw import Connection, ask
from owner import ctl_json, workers
from pictures import JPEG
from soko import API, Failed, Shop, Suite, check, equal

suite = Suite()
shop = Shop()
TABLE = ctl_json('routes', '--json')
JSON = {'Content-Type': 'application/json'}
POOLS = ('soko-api-fast', 'soko-api-hash', 'soko-api-wire')
DEEP = 10000


def hostile(f):
    """A test after which the workers are still the same."""
    @suite.test
    @functools.wraps(f)
    def test():
        before = {pool: workers(pool) for pool in POOLS}
        check(all(before.values()), f'a pool without workers: {before}')
        try:
            f()
        finally:
            equal({pool: workers(pool) for pool in POOLS}, before, 'workers')
    return test


class People:
    """Somebody of each role, signed in once."""
    tokens = {}

    @classmethod
    def token(cls, who):
        if not cls.tokens:
            cls.tokens.update(buyer=shop.sign_up()['access_token'],
                              seller=shop.new_seller()['access_token'],
                              admin=shop.admin()['access_token'])
        return cls.tokens.get({'anyone': 'buyer', 'signed_in': 'buyer', 'in_person': 'buyer',
                               'admin_in_person': 'admin'}.get(who, who))


def enveloped(a, what, statuses=None):
    """The answer, if it is an envelope as API.md has it, and no fault of ours."""
    what = repr(what)[:100]
    check(a.status < 500, f'{what}: {a!r}')
    check(statuses is None or a.status in statuses, f'{what}: wanted {statuses}, got {a!r}')
    if a.status in (204, 304):
        equal(a.text, '', f'{what}: body')
        return a
    equal(a.headers['content-type'].split(';')[0], 'application/json', f'{what}: type')
    check(isinstance(a.json, dict), f'{what}: {a!r}')
    equal(set(a.json), {'errors' if a.status >= 400 else 'data', 'meta'}, f'{what}: members')
    if 'public' not in a.headers['cache-control']:  # else it may be that of the cache's filler
        equal(a.json['meta']['request_id'], a.headers['x-request-id'], f'{what}: request id')
    for e in a.errors:
        check(set(e) <= {'code', 'field', 'message', 'details'} and e['code'] and e['message'],
              f'{what}: error {e}')
    check(a.status < 400 or a.errors, f'{what}: a refusal without a reason')
    return a


def refused(a, what, status=400, code='VALIDATION_ERROR', field=None):
    enveloped(a, what, (status,))
    equal(a.code, code, f'{what!r}: code')
    if field is not None:
        check(field in a.fields, f'{what!r}: wanted field {field}, got {a!r}')
    return a


def login(raw, headers=None):
    return ask('POST', API + '/auth/login', JSON if headers is None else headers, raw)


def send(method, path, raw=None, token=None, **more):
    """A body as it is, by somebody."""
    return shop.call(method, path, token=token, raw=raw, **more)


# --- bodies ---------------------------------------------------------------------------------------

BROKEN = (
    b' ', b'\n', b'{', b'}', b'{]', b'{"email"', b'{"email":', b'{"email":}', b'{"email":"a',
    b'{"email":"a"', b'{"email":"a",}', b'{,}', b'{"email" "a"}', b"{'email':'a'}", b'{email:"a"}',
    b'{"email":"a"}x', b'{"email":"a"}{}', b'{"email":"a"}\x00', b'\x00', b'nul', b'nulll', b'tru',
    b'NaN', b'Infinity', b'-', b'+1', b'01', b'1.', b'.5', b'0x10', b'1e', b'{"email":NaN}',
    b'{"email":-Infinity}', b'{"a":undefined}', b'// comment\n{}', b'/**/{}', b'{"email":"a"/**/}',
    b'\xef\xbb\xbf{}', b'\xef\xbb\xbf{"email":"a@example.com","password":"x"}',  # BOM
    b'\xff\xfe{\x00}\x00', b'{\x00}\x00', b'\x00{\x00}',                         # UTF-16
    b'{"email":"\xff"}', b'{"email":"\xc0\x80"}', b'{"email":"\xed\xa0\x80"}', b'{"\xff":1}',
    b'{"email":"\xf4\x90\x80\x80"}', b'{"email":"\xc3"}', b'{"email":"\xe2\x82', b'\x80',
    b'{"email":"a\x00b"}', b'{"email":"a\nb"}', b'{"email":"a\tb"}', b'{"email":"\x1f"}',
    b'{"email":"\\u0000"}', b'{"email":"a\\u0000@example.com","password":"x"}', b'{"\\u0000":1}',
    b'{"email\\u0000x":"a@example.com","password":"x"}',
    b'{"email":"\\ud800"}', b'{"email":"\\udc00"}', b'{"email":"\\ud800\\ud800"}',
    b'{"email":"\\ud800x"}', b'{"email":"\\udc00\\ud800"}', b'{"\\ud800":1}',
    b'{"email":"\\u12"}', b'{"email":"\\u12g4"}', b'{"email":"\\x41"}', b'{"email":"\\',
    b'{"email":"\\u',
    b'{"email":"a@example.com","email":"b@example.com","password":"x"}',
    b'{"email":"a@example.com","\\u0065mail":"b@example.com","password":"x"}',
    b'{"a":{"b":1,"b":2}}', b'[{"a":1,"a":1}]',
    b'{"a":1e400}', b'{"a":1e99999999999}', b'{"a":' + b'9' * 5000 + b'}',
    b'{"a":0.' + b'1' * 5000 + b'}',
    b'[' * DEEP, b'[' * DEEP + b']' * DEEP, b'{"a":' * DEEP + b'1' + b'}' * DEEP, b'{"a":' * DEEP,
    b'{"email":' + b'[' * 1000 + b']' * 1000 + b'}', b'"' + b'\\' * 4001, b'{"' + b'\\"' * 3000,
    b'{' + b','.join(b'"m%d":1' % n for n in range(900)) + b'}',
    b'{' + b','.join(b'"m%d":1' % n for n in range(5000)) + b'}',
    b'[' + b'{},' * 2000 + b'{}]', b'[]', b'[{}]', b'null', b'true', b'0', b'""', b'"email"', b'-0',
)


@hostile
def test_a_broken_body_is_400():
    for raw in BROKEN:
        if len(raw) < 8000:
            refused(login(raw), raw[:60])
            refused(send('POST', '/stores', raw, People.token('buyer')), raw[:60])
        # 64 KiB may go to /stores.
        elif len(raw) < 60000:
            refused(send('POST', '/stores', raw, People.token('buyer')), raw[:60])
        else:
            refused(send('POST', '/stores', raw[:65000], People.token('buyer')), raw[:60])


@hostile
def test_an_empty_body_is_400():
    refused(login(b''), 'empty')
    refused(ask('POST', API + '/auth/login'), 'none at all')
    refused(send('POST', '/stores', b'', People.token('buyer')), 'empty')


@hostile
def test_a_fault_in_a_member_names_it():
    for raw, field in ((b'{"email":"\\u0000"}', 'email'), (b'{"password":"\xff"}', 'password'),
                       (b'{"email":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}', 'email'),
                       (b'{"a":1e400000}', 'a'), (b'{"email":"a","email":"b"}', 'email')):
        refused(login(raw), raw, field=field)


@hostile
def test_numbers_are_whole_and_small_enough():
    token, product = People.token('buyer'), str(uuid.uuid4())
    for quantity in (str(2 ** 63), str(2 ** 63 - 1), str(2 ** 64), str(-2 ** 63), '1e400', '-1e400',
                     '1e2', '1.0', '1.5', '-1', '-0', '0', '1000', '9' * 4000, '"1"', 'true',
                     'null', '[]', '{}', '[1]', '1e-400', '0.0000000000000000000000001', '0e0'):
        raw = f'{{"product_id":"{product}","quantity":{quantity}}}'.encode()
        refused(send('POST', '/cart/items', raw, token), quantity[:40], field='quantity')
        refused(send('PUT', f'/cart/items/{product}', f'{{"quantity":{quantity}}}'.encode(), token),
                quantity[:40], field='quantity')


@hostile
def test_money_is_exact_or_refused():
    token, category = People.token('seller'), shop.call('GET', '/categories').data[0]['id']
    for price in ('0', '0.00', '-1', '-0', '1e2', '1E2', '1e400', '0.001', '12.345', '"12.345"',
                  '"1e2"', '"+1"', '" 1"', '"1 "', '"1,5"', '"0x10"', '"NaN"', '""', '"."', '"1."',
                  '"١"', 'true', '10000000000000', str(2 ** 63), f'"{2 ** 63}"', '9' * 200,
                  '"' + '9' * 200 + '"', '[]'):
        raw = json.dumps({'name': 'Thing', 'category_id': category})[:-1] + f',"price":{price}}}'
        refused(send('POST', '/products', raw.encode(), token), price[:40], field='price')
    for price, shown in (('12.50', '12.5'), ('"12.50"', '12.5'), ('0.01', '0.01'), ('"7"', '7')):
        raw = json.dumps({'name': 'Thing', 'category_id': category})[:-1] + f',"price":{price}}}'
        a = enveloped(send('POST', '/products', raw.encode(), token), price, (201,))
        equal(a.data['price'], shown, f'price {price}')


@hostile
def test_text_of_any_script_is_kept_and_controls_are_refused():
    token = People.token('buyer')
    for text in ('ça va', '日本語', '🛒🧺', 'ﷺ', 'e\u0301' * 50, '\u202eevil',
                 "'; DROP TABLE accounts; --", '%s%n%d', '{{7*7}}', '<script>alert(1)</script>',
                 '\\', '"', '\u2028', '\ufeff', 'a\tb', '${jndi:ldap://x}', '\U0010ffff', '\x7f'):
        a = enveloped(shop.call('PUT', '/auth/profile', {'name': 'N ' + text + ' N'}, token), text,
                      (200,))
        equal(a.data['name'], 'N ' + text + ' N', 'name')
    for code in (*range(1, 9), 11, 12, *range(14, 32)):
        raw = b'{"name":"a\\u%04xb"}' % code
        refused(send('PUT', '/auth/profile', raw, token), raw, field='name')


@hostile
def test_a_large_body_is_413():
    big = b'{"name":"' + b'a' * (6 << 20) + b'"}'
    for path in ('/auth/login', '/stores', '/orders', '/nothing'):
        a = ask('POST', API + path, {**JSON, 'Connection': 'close'}, big)
        enveloped(a, f'6 MiB to {path}', (413,) if path != '/nothing' else (404, 413))
    for row in TABLE:
        if row['method'] in ('POST', 'PUT'):
            path = filled(row['path'])
            a = ask(row['method'], path, JSON, b'"' + b'a' * max(row['body_max'], 1024) + b'"')
            enveloped(a, f'a byte too much for {path}', (401, 413))


@hostile
def test_another_content_type_is_415():
    body = b'{"email":"a@example.com","password":"x"}'
    for kind in ('text/plain', 'text/json', 'application/x-www-form-urlencoded',
                 'multipart/form-data', 'application/jsonx', 'application/json-patch+json',
                 'application/xml', 'application', '/', ';', 'application/json,text/plain', '*/*',
                 'a' * 4000, 'application/jso'):
        refused(login(body, {'Content-Type': kind}), kind, 415, 'UNSUPPORTED_MEDIA_TYPE')
    refused(login(body, {}), 'no type', 415, 'UNSUPPORTED_MEDIA_TYPE')
    for kind in ('application/json', 'Application/JSON', 'application/json;charset=utf-8',
                 'application/json ; charset=UTF-8'):
        refused(login(body, {'Content-Type': kind}), kind, 401, 'UNAUTHORIZED')


# --- paths ----------------------------------------------------------------------------------------

def filled(path, value=None):
    """A route's path with ids in it: unknown ones, or what is given; a number is 1."""
    return re.sub(':[a-z_]+', lambda m: '1' if m[0] == ':n' else value or str(uuid.uuid4()), path)


@hostile
def test_a_malformed_id_is_400_and_names_the_field():
    some = str(uuid.uuid4())
    for row in TABLE:
        if not row['ids']:
            continue
        name = next(s[1:] for s in row['path'].split('/') if s.startswith(':'))
        body = b'{}' if row['method'] in ('POST', 'PUT') else None
        for bad in ('1', 'null', some[:-1], some + '0', some.replace('-', ''), '{' + some + '}',
                    'g' + some[1:], some.replace('-', '_'), '%20', some + '%20', '..%2f..', "1'--",
                    '*', 'a' * 3000, '%F0%9F%9B%92', '%00', some + '%00', '%ff', some + ';', '-1'):
            a = send(row['method'], filled(row['path'], bad), body, People.token(row['who']))
            if name == 'token':  # whoever guesses learns nothing, not even that he had the shape wrong
                if '..' not in bad:  # nginx resolves those, and a NUL
                    enveloped(a, f'{row["method"]} {row["path"]} {bad[:40]}',
                              (400,) if '%00' in bad else (404,))
                continue
            refused(a, f'{row["method"]} {row["path"]} {bad[:40]}')
            # nginx itself refuses a NUL, and knows no fields.
            check('%00' in bad or a.fields == [name], f'{bad[:40]}: {a!r}')


@hostile
def test_an_unknown_id_is_404():
    bodies = {'review_create': {'rating': 5}, 'cart_set_item': {'quantity': 1},
              'order_set_status': {'status': 'processing'}, 'address_update': {'city': 'Kisumu'},
              'store_update': {'name': 'Kibanda'}, 'store_set_status': {'status': 'active'},
              'category_update': {'name': 'Maps'}, 'product_update': {'name': 'Map'},
              'review_update': {'rating': 3}, 'admin_user_update': {'is_active': True},
              'store_set_commission': {'commission_bp': 500}, 'refund_create': {'amount': '1'},
              'admin_payment_resolve': {'action': 'accept'}}
    seen = 0
    for row in TABLE:
        if row['ids']:
            for id_ in (str(uuid.uuid4()), str(uuid.uuid4()).upper(), str(uuid.UUID(int=0)),
                        str(uuid.UUID(int=2 ** 128 - 1))):
                path, token = filled(row['path'], id_), People.token(row['who'])
                if row['upload']:
                    a = shop.upload(path, row['upload'], JPEG, token)
                else:
                    a = shop.call(row['method'], path, bodies.get(row['name']), token)
                refused(a, f'{row["method"]} {row["path"]} {id_}', 404, 'NOT_FOUND')
                seen += 1
    check(seen >= 4 * 8, f'only {seen} requests')


@hostile
def test_a_guessed_token_is_404_whatever_is_sent():
    seen = 0
    for row in TABLE:
        if ':token' not in row['path']:
            continue
        for token in ('0' * 64, 'f' * 64, secrets.token_hex(32), secrets.token_hex(32).upper(),
                      secrets.token_hex(31), secrets.token_hex(33), secrets.token_hex(32) + '%20'):
            for raw in (None, b'', b'{}', b'\x00\xff', b'id=ATXid_1&status=Success',
                        b'{"Body":{"stkCallback":{}}}', b'{"Result":{}}'):
                a = send(row['method'], filled(row['path'], token), raw)
                refused(a, f'{row["path"]} {token} {raw!r}', 404, 'NOT_FOUND')
                seen += 1
    check(seen >= 7, f'only {seen} requests')


@hostile
def test_an_unknown_path_is_404():
    for path in ('/', '', '/nothing', '/cart/nothing', '/products/a/b/c', '/auth', '/auth/loginx',
                 '/AUTH/LOGIN', '/Products', '/' + 'a/' * 900, '/' + quote('日本語'), '/admin',
                 '/.git/config', '/.env', '/products.json', '/wp-login.php', '/cart/items/'):
        for method in ('GET', 'POST', 'DELETE'):
            refused(ask(method, API + path), f'{method} {path[:40]}', 404, 'NOT_FOUND')


@hostile
def test_odd_spellings_of_a_path_lead_nowhere():
    for path in ('//api/v1/cart', '/api//v1/cart', '/api/v1//cart', '/api/v1/./cart',
                 '/./api/v1/cart', '/api/v1/x/../cart', '/api/v1/%2e%2e/v1/cart',
                 '/api/v1/x/%2e%2e/cart', '/api/v1/cart/', '/api/v1/cart//', '/api/v1/cart/.',
                 '/api/v1/%63art', '/api%2fv1%2fcart', '/api/v1/cart%20', '/api/v1/cart%0a',
                 '/api/v1/cart%0d%0aX-A:b', '/api/v1/cart;a=b', '/api/v1/cart%3f',
                 '/api/v1/cart%23', '/api/v1/cart#x', '/api/v1/cart\\', '/api/v1\\cart',
                 '/api/v1/cart%5c', '/api/v1/%00cart', '/api/v1/cart%00', '/api/v1/cart%00.json',
                 '/api/v1/%', '/api/v1/%4', '/api/v1/%zz', '/%2e%2e/%2e%2e/etc/passwd',
                 '/api/v1/../../etc/passwd', '/media/%2e%2e/conf', '/docs/../../conf',
                 '/api/v1/%ff', '/api/v1/%c0%ae%c0%ae/cart', '/api/v1/cart/%2e'):
        for token in (None, People.token('buyer')):
            headers = {} if token is None else {'Authorization': 'Bearer ' + token}
            for method in ('GET', 'DELETE'):
                enveloped(ask(method, path, headers), f'{method} {path}', (400, 404, 405))


@hostile
def test_a_long_request_line_is_414():
    for path in ('/products?search=' + 'a' * 9000, '/products/' + 'a' * 9000,
                 '/cart?' + 'a&' * 4500):
        enveloped(ask('GET', API + path), path[:40], (414,))


@hostile
def test_a_line_that_just_fits_is_read():
    refused(ask('GET', API + '/products?search=' + 'a' * 8000), 'a long search', field='search')
    refused(ask('GET', API + '/products?' + '&'.join(f'n{n}=1' for n in range(1000))), 'many names',
            field='n0')


@hostile
def test_a_wrong_method_is_405_and_says_which_are_right():
    takes = {}
    for row in TABLE:
        # What a path with an id takes, "/payments/stripe" seems to take too: its name might be one.
        like = re.compile(re.sub(':[a-z_]+', '[^/]+', row['path']) + '$')
        for other in TABLE:
            if like.match(other['path']):
                takes.setdefault(other['path'], {'OPTIONS'}).add(row['method'])
    for path, right in takes.items():
        if 'GET' in right:
            right.add('HEAD')
        for method in ('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'PROPFIND', 'LOCK', 'FOO'):
            if method not in right:
                a = refused(ask(method, filled(path)), f'{method} {path}', 405,
                            'METHOD_NOT_ALLOWED')
                equal(set(a.headers['allow'].split(', ')), right, f'{method} {path}: Allow')
        a = enveloped(ask('OPTIONS', filled(path)), f'OPTIONS {path}', (204,))
        equal(set(a.headers['allow'].split(', ')), right, f'OPTIONS {path}: Allow')
        check('content-length' not in a.headers, 'a 204 with a length')
    refused(ask('OPTIONS', API + '/nothing'), 'OPTIONS', 404, 'NOT_FOUND')
    for method in ('get', 'G\x01T', 'GET\x00', '', 'G E T'):
        with Connection() as c:
            a = c.raw(f'{method} {API}/products HTTP/1.1\r\n'
                      'Host: a\r\nConnection: close\r\n\r\n'.encode())
        enveloped(a, repr(method), (400, 405))


@hostile
def test_head_is_get_without_its_body():
    product = shop.call('GET', '/products').data[0]['id']
    for path, token in (('/health', None), (f'{API}/products?page=1', None),
                        (f'{API}/categories', None),
                        (f'{API}/products/{product}', None), (f'{API}/auth/profile', 'buyer'),
                        (f'{API}/cart', None), (f'{API}/nothing', None),
                        (f'{API}/products/1', None),
                        (f'{API}/products?page=0', None)):
        headers = {} if token is None else {'Authorization': 'Bearer ' + People.token(token)}
        get, head = ask('GET', path, headers), ask('HEAD', path, headers)
        equal((head.status, head.text), (get.status, ''), f'HEAD {path}')
        equal(set(head.headers), set(get.headers), f'HEAD {path}: headers')
        for name in ('content-type', 'content-length', 'etag', 'cache-control'):
            equal(head.headers.get(name), get.headers.get(name), f'HEAD {path}: {name}')
    a = ask('HEAD', API + '/auth/login')
    equal((a.status, a.text), (405, ''), 'HEAD of a POST')


# --- queries --------------------------------------------------------------------------------------

@hostile
def test_odd_queries():
    some = str(uuid.uuid4())
    for query, field in (
            ('nope=1', 'nope'), ('page=1&page=1', 'page'), ('page=1&page=', 'page'),
            ('page=0', 'page'),
            ('page=-1', 'page'), ('page=1.0', 'page'), ('page=1e2', 'page'), ('page=%2b1', 'page'),
            ('page=01', 'page'), ('page=99999999999999999999', 'page'), ('page=10001', 'page'),
            ('page=x', 'page'), ('per_page=0', 'per_page'), ('per_page=101', 'per_page'),
            ('page=%31&page=1', 'page'), ('%70age=0', 'page'), ('page[]=1', 'page[]'),
            ('Page=1', 'Page'),
            ('search=%zz', 'search'), ('search=%', 'search'), ('search=%4', 'search'),
            ('search=%ff', 'search'), ('search=%c0%80', 'search'), ('search=%00', 'search'),
            ('search=a%00b', 'search'), ('search=%01', 'search'), ('search=%ed%a0%80', 'search'),
            ('search=' + 'a' * 201, 'search'), ('search=' + '%F0%9F%9B%92' * 201, 'search'),
            ('category_id=1', 'category_id'), ('store_id=' + some + '0', 'store_id'),
            ('min_price=-1', 'min_price'), ('min_price=1e2', 'min_price'),
            ('min_price=a', 'min_price'),
            ('max_price=' + '9' * 100, 'max_price'), ('max_price=1.234', 'max_price'),
            ('in_stock=1', 'in_stock'), ('in_stock=TRUE', 'in_stock'), ('sort_by=id', 'sort_by'),
            ('sort_by=price;drop', 'sort_by'), ('sort_by=relevance', 'sort_by'),
            ('sort_order=up', 'sort_order'),
            ('currency=kes', 'currency'), ('currency=XXX', 'currency'), ('?page=1', '?page')):
        refused(shop.call('GET', '/products?' + query), query[:60], field=field)
    for query in ('%zz=1', '=', '=1', '%00=1', '%ff=1', 'a%00b=1', '&=&', '?'):
        refused(shop.call('GET', '/products?' + query), query)
    for query in ('', '&', '&&&', 'page', 'page=', 'page=1&', '&page=1', 'search=', 'page=%31',
                  'search=+', 'category_id=' + some, 'store_id=' + some.upper(),
                  'in_stock=true&sort_by=price'):
        a = enveloped(shop.call('GET', '/products?' + query), query, (200,))
        check(isinstance(a.data, list), f'{query}: no list')
    a = shop.call('GET', '/products?x=1&per_page=0&page=0&y=2')
    equal(a.fields, ['page', 'per_page', 'x', 'y'], 'all errors of a query at once')


@hostile
def test_any_words_may_be_searched():
    for words in ('%', '_', "'", '"', '\\', '\\\\', "' OR '1'='1", "'; DROP TABLE products; --",
                  '🛒', '日本語', '"unbalanced', '-', '- -', '!', '&', '|', ':*', 'a:*', '<->',
                  'a <-> b', '((', ')', '*', '$1', '%s', 'a' * 200, '🛒' * 200, '-' * 200, '"' * 200,
                  'or or or', 'the', ' a ', '\t', 'a\nb', '\u200b', '1e400', '../../etc/passwd',
                  'or', '-or', '"" ""', '\\0', 'ﬀ'):
        for more in ('', '&sort_by=relevance&sort_order=asc', '&sort_by=price'):
            if more.startswith('&sort_by=rel') and not words.strip():
                continue
            a = enveloped(shop.call('GET', '/products?search=' + quote(words, safe='') + more),
                          words, (200,))
            check(a.json['meta']['pagination']['total_items'] >= len(a.data), f'{words}: total')
    # A percent sign is a letter, no pattern.
    found, everything = (shop.call('GET', '/products' + query).json['meta']['pagination']
                         for query in ('?search=%25', ''))
    check(found['total_items'] < everything['total_items'], f'% finds {found} of {everything}')


@hostile
def test_a_search_does_not_run_what_it_is_given():
    before = len(shop.call('GET', '/categories').data)
    for words in ("'); DELETE FROM categories; --", '"; pg_sleep(10); --',
                  "x' UNION SELECT password_hash"):
        enveloped(shop.call('GET', '/products?search=' + quote(words)), words, (200,))
        a = shop.call('POST', '/stores', {'name': f'{words} {secrets.token_hex(4)}'},
                      shop.sign_up()['access_token'])
        enveloped(a, words, (201,))
        check(a.data['name'].startswith(words), 'the name')
    equal(len(shop.call('GET', '/categories').data), before, 'categories')


# --- headers --------------------------------------------------------------------------------------

@hostile
def test_odd_headers():
    good = People.token('buyer')
    for headers, statuses in (
            ({'Authorization': ''}, (401,)), ({'Authorization': 'Bearer'}, (401,)),
            ({'Authorization': 'Bearer '}, (401,)), ({'Authorization': 'Bearer\t' + good}, (401,)),
            ({'Authorization': 'Bearer ' + good + ' '}, (200, 401)),
            ({'Authorization': f'Bearer {good},Bearer {good}'}, (401,)),
            ({'Authorization': good}, (401,)),
            ({'Authorization': 'Bearer ' + 'a.' * 5000}, (401,)),
            ({'Authorization': '\xff\xfe'}, (401,)),
            ({'Authorization': 'Bearer ' + '.' * 3000}, (401,)),
            ({'Authorization': 'Bearer ' + '\x01' * 30}, (400, 401)),
            ({'Authorization': 'Bearer ' + good, 'X-A': '\x01\x02\xff'}, (200, 400)),
            ({'Authorization': 'Bearer ' + good, 'Cookie': 'a=b; ' * 1000}, (200,)),
            ({'Authorization': 'Bearer ' + good, 'Proxy': 'http://evil'}, (200,)),
            ({'Authorization': 'Bearer ' + good, 'X-Forwarded-For': "a'; --, 999.1.1.1, \x01"},
             (200, 400)),
            ({'Authorization': 'Bearer ' + good, 'X-Request-ID': '{"a":"\\' * 5}, (200,)),
            ({'Authorization': 'Bearer ' + good, 'User-Agent': '"\\\x7f\xe9' * 50}, (200,)),
            ({'Authorization': 'Bearer ' + good, 'X-HTTP-Method-Override': 'DELETE'}, (200,)),
            ({'Authorization': 'Bearer ' + good, 'Range': 'bytes=0-0,5-9'}, (200, 206)),
            ({'Authorization': 'Bearer ' + good, 'If-None-Match': '"' * 3000}, (200,)),
            ({'Authorization': 'Bearer ' + good, 'If-Modified-Since': 'never'}, (200,)),
            ({'Authorization': 'Bearer ' + good, 'Content-Length': '0'}, (200,)),
            ({'Authorization': 'Bearer ' + good, 'Accept': 'text/html;q=x'}, (200,)),
            ({'Authorization': 'Bearer ' + good, 'Expect': '200-maybe'}, (200, 400, 417))):
        a = ask('GET', API + '/auth/profile', headers)
        enveloped(a, headers, statuses)
        check(a.status != 401 or 'www-authenticate' in a.headers, f'{headers}: no WWW-Authenticate')
    for tag in ('"', 'W/', 'W/"', '*', ',,,', '""', '\\', 'W/"' + 'a' * 3000):
        enveloped(ask('GET', API + '/categories', {'If-None-Match': tag}), tag, (200, 304))
    many = {f'X-N{n}': 'v' for n in range(400)}
    enveloped(ask('GET', API + '/cart', many), 'many headers', (400, 401))


@hostile
def test_a_sign_in_survives_any_agent():
    who = shop.sign_up()
    body = json.dumps({'email': who['email'], 'password': who['password']}).encode()
    for agent in ('', 'a' * 5000, '\xe9\xff', '\x01\x7f', "'; --", '\\x00', '%00', '\xc3(',
                  '{"a":1}'):
        enveloped(login(body, {**JSON, 'User-Agent': agent}), agent, (200,))


@hostile
def test_a_get_with_a_body_is_a_get():
    a = ask('GET', API + '/categories', JSON, b'{"a":')
    enveloped(a, 'GET with a body', (200, 400, 413))


# --- everything at every door ---------------------------------------------------------------------

GARBAGE = (None, b'', b'{', b'{}', b'[]', b'null', b'\x00\xff', b'{"a":"\\u0000"}', b'[' * 500,
           b'{"email":1,"password":[],"name":{},"quantity":"x","rating":1e400,"items":7}')


@hostile
def test_no_route_falls_over_garbage():
    for row in (r for r in TABLE if r['path'] != '/metrics'):  # whose good answer is text, whatever is sent
        for raw in GARBAGE:
            for id_ in (None, 'x', '%ff'):
                if id_ and not row['ids']:
                    continue
                path, what = filled(row['path'], id_), f'{row["method"]} {row["path"]} {raw!r}'
                a = enveloped(send(row['method'], path, raw), what)
                if row['who'] != 'anyone' and a.status != 413:
                    refused(a, what, 401, 'UNAUTHORIZED')
                if row['name'] == 'logout':  # the others need their session
                    continue
                enveloped(send(row['method'], path, raw, People.token(row['who'])), what)
                enveloped(send(row['method'], path, raw, 'a.b.c'), what)


@hostile
def test_no_route_takes_the_wrong_role():
    wrong = {'buyer': ('seller', 'admin'), 'seller': ('buyer',), 'admin': ('buyer', 'seller')}
    for row in TABLE:
        for role in wrong.get(row['who'], ()):
            a = send(row['method'], filled(row['path']), b'{', People.token(role))
            refused(a, f'{row["method"]} {row["path"]} as {role}', 403, 'FORBIDDEN')


@hostile
def test_clients_that_leave_early_do_no_harm():
    body = b'{"email":"a@example.com","password":"x"}'
    head = (f'POST {API}/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
            f'Content-Length: {len(body)}\r\n\r\n').encode()
    for data in (head, head + body[:10], head + body, head[:30], b''):
        with Connection() as c:
            c.s.sendall(data)
    try:
        with Connection() as c:
            c.raw(head + body)
    except http.client.HTTPException as e:
        raise Failed(f'a well-made request after them: {e}') from e
    refused(login(body), 'sign in', 401, 'UNAUTHORIZED')


suite.main()
