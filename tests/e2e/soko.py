"""What the end-to-end tests share: a client, steps, and a test's plain words.

A scenario is a list of labelled steps through nginx over TLS, run in order; later steps name what
earlier ones were given:

    run('first sale', shop, [
        Step('register', 'POST', '/auth/register', {'email': ...}, 201),
        Step('login', 'POST', '/auth/login', {...}, 200, keep={'ann': 'access_token'}),
        Step('show', 'GET', '/orders/{order}', as_='ann', status=200),
    ])

Every exchange is appended to $SOKO_EXCHANGES, which tests/contract/check.py holds against the OpenAPI
document. Standard library only.
"""
import fcntl
import http.client
import json
import os
import secrets
import ssl
import sys
import threading
import time
import traceback
from urllib.parse import urlsplit

import leaks

API = '/api/v1'


class Answer:
    def __init__(self, status, headers, text, content=b''):
        self.status, self.headers, self.text, self.content = status, headers, text, content
        try:
            self.json = json.loads(text) if text else None
        except ValueError:
            self.json = None

    @property
    def data(self):
        return (self.json or {}).get('data')

    @property
    def errors(self):
        return (self.json or {}).get('errors') or []

    @property
    def code(self):
        return self.errors[0]['code'] if self.errors else None

    @property
    def fields(self):
        return [e.get('field') for e in self.errors]

    def __repr__(self):
        return f'<{self.status} {self.text[:300]}>'


class Shop:
    """A client of one shop. Threads may share it: each has its own connection."""

    def __init__(self, base=None, cacert=None):
        parts = urlsplit(base or os.environ['SOKO_BASE'])
        self.host, self.port = parts.hostname, parts.port or 443
        self.tls = ssl.create_default_context(cafile=cacert or os.environ['SOKO_CACERT'])
        self.local = threading.local()
        self.log = os.environ.get('SOKO_EXCHANGES')

    def _connection(self, fresh=False):
        c = getattr(self.local, 'c', None)
        if c is None or fresh:
            if c is not None:
                c.close()
            c = http.client.HTTPSConnection(self.host, self.port, context=self.tls, timeout=30)
            self.local.c = c
        return c

    def call(self, method, path, body=None, token=None, headers=None, raw=None):
        """One exchange. `body` is sent as JSON, `raw` as it is. Paths without a leading /api or root
        word are below the API. A connection that nginx closed while it idled is opened again."""
        if not path.startswith(('/api/', '/webhooks', '/health', '/ready', '/docs', '/media', '/metrics')):
            path = API + path
        h = dict(headers or {})
        if token:
            h['Authorization'] = 'Bearer ' + token
        data = raw
        if body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            h.setdefault('Content-Type', 'application/json')
        reused = getattr(self.local, 'c', None) is not None
        if self.log:
            leaks.plant(self.log, body)
        for attempt in (0, 1):
            c = self._connection(fresh=attempt == 1)
            try:
                c.request(method, path, body=data, headers=h)
                r = c.getresponse()
                content = r.read()
                break
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError,
                    ssl.SSLEOFError):
                if attempt == 1 or not reused:
                    self.local.c = None
                    raise
        a = Answer(r.status, {k.lower(): v for k, v in r.getheaders()},
                   content.decode('utf-8', 'replace'), content)
        a.names = sorted(k.lower() for k, _ in r.getheaders())
        self._note(method, path, a)
        return a

    def upload(self, path, field, data, token=None, headers=None, filename='a.png'):
        """Posts a form with one file, as a browser does; each with a boundary of its own."""
        body, kind = form((field, filename, data))
        return self.call('POST', path, None, token, {'Content-Type': kind, **(headers or {})}, body)

    def _note(self, method, path, a):
        if not self.log:
            return
        leaks.plant(self.log, a.json)
        line = json.dumps({'method': method, 'path': path.split('?')[0], 'status': a.status,
                           'type': a.headers.get('content-type', ''), 'body': a.json,
                           'headers': a.names}) + '\n'
        with open(self.log, 'a', encoding='utf-8') as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            f.write(line)

    # What nearly every test begins with.

    def sign_up(self, name='Ann', role=None):
        """A new account, signed in. Gives its login answer's data, with `email` and `password`."""
        email = f'{name.lower()}-{secrets.token_hex(6)}@example.com'
        password = secrets.token_urlsafe(12)
        demand(self.call('POST', '/auth/register',
                         {'email': email, 'password': password, 'name': name}), 201)
        return self.sign_in(email, password, role)

    def sign_in(self, email, password, role=None):
        body = {'email': email, 'password': password}
        if role:
            body['role'] = role
        data = demand(self.call('POST', '/auth/login', body), 200).data
        data.update(email=email, password=password)
        return data

    def new_seller(self, name='Sela'):
        """An account with a store, acting as its seller. The store's id is in `store_id`."""
        who = self.sign_up(name)
        store = demand(self.call('POST', '/stores', {'name': f'{name} {secrets.token_hex(5)}'},
                                 who['access_token']), 201).data
        again = self.sign_in(who['email'], who['password'], 'seller')
        again['store_id'] = store['id']
        return again

    def admin(self):
        """The administrator that ./dev test made."""
        with open(os.path.join(os.environ['SOKO_STATE'], 'admin'), encoding='utf-8') as f:
            email, password = f.read().split()
        return self.sign_in(email, password)

    def new_key(self, who, role=None, scope='write', **more):
        """An API key of whoever is signed in, in the role in which he acts. Its `id` and `key`."""
        body = {'name': 'A machine', 'role': role or who['role'], 'scope': scope,
                'password': who['password'], **more}
        return demand(self.call('POST', '/api-keys', body, who['access_token']), 201).data

    def new_category(self, admin=None, parent=None):
        body = {'name': 'Category ' + secrets.token_hex(6)}
        if parent:
            body['parent_id'] = parent
        token = (admin or self.admin())['access_token']
        return demand(self.call('POST', '/categories', body, token), 201).data

    def new_product(self, seller, category_id, price='100', stock=10, **more):
        body = {'name': 'Product ' + secrets.token_hex(6), 'price': price, 'stock': stock,
                'category_id': category_id, **more}
        return demand(self.call('POST', '/products', body, seller['access_token']), 201).data

    def buy(self, buyer, product_id, quantity=1, method='simulated', key=None):
        """Puts a product into the cart and orders it. Gives the Answer of POST /orders."""
        token = buyer['access_token']
        demand(self.call('POST', '/cart/items', {'product_id': product_id, 'quantity': quantity},
                         token), 200)
        return self.call('POST', '/orders', {'shipping_address': 'Moi Avenue 12, Nairobi',
                                             'payment_method': method}, token,
                         {'Idempotency-Key': key} if key else None)


def form(*parts):
    """A multipart/form-data body of (field, filename, bytes), and its Content-Type."""
    boundary = 'soko-' + secrets.token_hex(12)
    body = b''.join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{filename}"\r\n'
        'Content-Type: application/octet-stream\r\n\r\n'.encode() + data + b'\r\n'
        for field, filename, data in parts) + f'--{boundary}--\r\n'.encode()
    return body, f'multipart/form-data; boundary={boundary}'


class Failed(Exception):
    pass


def demand(answer, status, code=None):
    """The answer, if it has this status (and code); fails the test with what came instead."""
    if answer.status != status or (code and answer.code != code):
        raise Failed(f'wanted {status} {code or ""}, got {answer!r}')
    return answer


def check(truth, words):
    if not truth:
        raise Failed(words)


def equal(got, wanted, words):
    if got != wanted:
        raise Failed(f'{words}: wanted {wanted!r}, got {got!r}')


def until(what, words, seconds=20, pace=0.02):
    """Polls `what` until it gives something true, and gives that. The deadline ends a test that would
    never end; it asserts no time."""
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed(f'never came true: {words}')
        threading.Event().wait(pace)


class Step:
    def __init__(self, label, method, path, body=None, status=200, code=None, as_=None, keep=None,
                 headers=None, see=None, poll=None):
        """`keep` names parts of the answer's data for later steps ({'order': 'id'}); `see` looks at
        the Answer and gives something true; `poll` asks again until it does."""
        self.label, self.method, self.path, self.body = label, method, path, body
        self.status, self.code, self.as_, self.keep = status, code, as_, keep or {}
        self.headers, self.see, self.poll = headers, see, poll


def fill(value, kept):
    if isinstance(value, str):
        return value.format(**kept) if '{' in value else value
    if isinstance(value, dict):
        return {k: fill(v, kept) for k, v in value.items()}
    if isinstance(value, list):
        return [fill(v, kept) for v in value]
    return value


def run_steps(shop, steps, kept=None):
    """Runs steps in order; gives what was kept. A failure names its step."""
    kept = dict(kept or {})
    for s in steps:
        try:
            def once():
                return demand(shop.call(s.method, fill(s.path, kept), fill(s.body, kept),
                                        kept[s.as_] if s.as_ else None, fill(s.headers, kept)),
                              s.status, s.code)
            a = once()
            if s.poll:
                def seen():
                    again = once()
                    return again if s.poll(again) else None
                a = until(seen, s.label)
            if s.see:
                check(s.see(a), f'not as wanted: {a!r}')
            for name, part in s.keep.items():
                kept[name] = a.data[part]
        except Failed as e:
            raise Failed(f'{s.label}: {e}') from None
    return kept


class Suite:
    """Tests of one file, as TAP. `@suite.test` adds one; suite.main() runs them all."""

    def __init__(self):
        self.tests = []

    def test(self, f):
        self.tests.append(f)
        return f

    def main(self):
        failed = 0
        print(f'1..{len(self.tests)}')
        for n, f in enumerate(self.tests, 1):
            name = f.__name__.removeprefix('test_')
            try:
                f()
                print(f'ok {n} - {name}', flush=True)
            except Exception as e:  # a test that breaks has failed
                failed += 1
                print(f'not ok {n} - {name}')
                words = str(e) if isinstance(e, Failed) else traceback.format_exc()
                print('\n'.join('# ' + line for line in words.splitlines()), flush=True)
        sys.exit(1 if failed else 0)


def together(count, work):
    """Runs work(0) .. work(count - 1) at once, each in a thread, all let go together. Gives their
    results in order; an exception is a result."""
    gate = threading.Barrier(count)
    results = [None] * count

    def one(i):
        try:
            gate.wait()
            results[i] = work(i)
        except Exception as e:
            results[i] = e

    threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results
