#!/usr/bin/python3
"""A steady load: buyers who ask at a fixed rate, whatever the shop does, and note what they were told.

Each has a connection of his own and keeps it. It is spoken to on standard input, a line each:

    more 60     prints "answers N" once there are 60 more answers
    stop        ends, and prints the report, a line of JSON

Nothing is asked twice: what fails has failed. A connection that nginx closed while nobody used it is
seen before it is used again, as every HTTP client does it; the report counts them. A request that took
long has not failed; the longest are in the report. Standard library only.
"""
import argparse
import http.client
import json
import os
import secrets
import select
import ssl
import sys
import threading
import time
from urllib.parse import urlsplit

API = '/api/v1'
TIMEOUT = 30
ROUND = 96     # steps until a buyer signs in anew
PASSWORD = 'a password of the load'  # of accounts that this program makes


class Buyer:
    def __init__(self, load, number):
        # Each begins elsewhere in the round, or all would sign in at the same moment.
        self.load, self.number, self.turn = load, number, number * ROUND // load.size
        self.connection = None
        self.token = self.order = None
        self.email = f'steady-{secrets.token_hex(8)}@example.com'

    # One exchange.

    def open(self):
        """The connection, a new one if nginx has closed it."""
        c = self.connection
        if c is not None and c.sock is not None and select.select([c.sock], [], [], 0)[0]:
            c.close()
            self.load.count('closed while idle')
            c = None
        if c is None:
            c = http.client.HTTPSConnection(self.load.host, self.load.port, context=self.load.tls,
                                            timeout=TIMEOUT)
            self.connection = c
        return c

    def ask(self, method, path, body=None, key=None):
        """Status and data of the answer."""
        headers = {'X-Request-ID': secrets.token_hex(8)}
        if self.token:
            headers['Authorization'] = 'Bearer ' + self.token
        if body is not None:
            headers['Content-Type'] = 'application/json'
        if key:
            headers['Idempotency-Key'] = key
        c = self.open()
        try:
            c.request(method, API + path, body=None if body is None else json.dumps(body), headers=headers)
            r = c.getresponse()
            content = r.read()
        except BaseException:
            c.close()
            self.connection = None
            raise
        return r.status, (json.loads(content) if content else {}).get('data'), content

    def do(self, name, wanted, method, path, body=None, key=None):
        """One exchange, counted and timed. Its data; None if it failed."""
        began, stamp = time.monotonic(), time.time()
        try:
            status, data, content = self.ask(method, path, body, key)
            told = '' if status == wanted else f'{status} {content[:300]!r}'
        except (OSError, http.client.HTTPException, ValueError) as e:
            data, told = None, repr(e)
        self.load.note(name, time.monotonic() - began, told and f'{stamp:.3f} {method} {path}: {told}')
        return None if told else data

    # What a buyer does.

    def begin(self):
        who = {'email': self.email, 'password': PASSWORD}
        for path, body, wanted in (('/auth/register', {**who, 'name': 'Steady'}, 201),
                                   ('/auth/login', who, 200)):
            status, data, content = self.ask('POST', path, body)
            if status != wanted:
                raise RuntimeError(f'{path}: {status} {content[:300]!r}')
        self.token = data['access_token']

    def buy(self):
        key = secrets.token_hex(12)
        made = self.do('order', 201, 'POST', '/orders', {
            'shipping_address': 'Moi Avenue 12, Nairobi', 'payment_method': 'cash_on_delivery'}, key)
        if made:
            self.order = made['id']
            self.load.orders.append(made['id'])

    def step(self):
        n = self.turn
        self.turn += 1
        product = self.load.products[n % len(self.load.products)]
        kind = n % 8
        if n % ROUND == ROUND - 1:  # the pool that hashes
            told = self.do('sign in', 200, 'POST', '/auth/login', {'email': self.email, 'password': PASSWORD})
            self.token = told['access_token'] if told else self.token
        elif n % 12 == 11 and self.order:  # the pool that calls providers; cash needs none
            self.do('pay', 400, 'POST', '/payments/stripe', {'order_id': self.order})
        elif kind == 0:
            self.do('search', 200, 'GET', f'/products?search=w{secrets.token_hex(3)}')
        elif kind == 1:
            self.do('catalogue', 200, 'GET', '/products?per_page=5')
        elif kind == 2:
            self.do('product', 200, 'GET', f'/products/{product}')
        elif kind == 3:
            self.do('profile', 200, 'GET', '/auth/profile')
        elif kind == 4:
            self.do('cart', 200, 'POST', '/cart/items', {'product_id': product, 'quantity': 1},
                    secrets.token_hex(12))
        elif kind == 5:
            self.buy()
        elif kind == 6 and self.order:
            self.do('order seen', 200, 'GET', f'/orders/{self.order}')
        else:
            self.do('orders', 200, 'GET', '/orders?per_page=5')

    def run(self):
        """A request each `pace` seconds from a common beginning on; who is late asks at once."""
        pace = len(self.load.buyers) / self.load.rate
        due = time.monotonic() + pace * self.number / len(self.load.buyers)
        while not self.load.over.wait(max(0, due - time.monotonic())):
            due += pace
            self.step()


class Load:
    def __init__(self, o):
        parts = urlsplit(o.base)
        self.host, self.port, self.rate = parts.hostname, parts.port or 443, o.rate
        self.tls = ssl.create_default_context(cafile=o.cacert)
        self.products, self.size = o.product, o.buyers
        self.lock, self.over = threading.Condition(), threading.Event()
        self.answers, self.failures, self.orders, self.seconds, self.counts = 0, [], [], [], {}
        self.buyers = [Buyer(self, n) for n in range(o.buyers)]

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def note(self, name, seconds, failure):
        self.count(name)
        with self.lock:
            self.answers += 1
            self.seconds.append(seconds)
            if failure:
                self.failures.append(failure)
            self.lock.notify_all()

    def more(self, count):
        with self.lock:
            wanted = self.answers + count
            self.lock.wait_for(lambda: self.answers >= wanted)
            return self.answers

    def report(self):
        seconds = sorted(self.seconds)
        return {'answers': self.answers, 'failures': self.failures, 'orders': self.orders,
                'counts': self.counts, 'buyers': [b.email for b in self.buyers],
                'median': seconds[len(seconds) // 2], 'p99': seconds[len(seconds) * 99 // 100],
                'longest': seconds[-1]}


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument('--base', required=True)
    args.add_argument('--cacert', required=True)
    args.add_argument('--rate', type=float, default=48, help='requests a second, of all together')
    args.add_argument('--buyers', type=int, default=8)
    args.add_argument('--product', action='append', required=True, help='the id of one to buy')
    load = Load(args.parse_args())
    for buyer in load.buyers:
        buyer.begin()
    threads = [threading.Thread(target=b.run, daemon=True) for b in load.buyers]
    for t in threads:
        t.start()
    print('ready', flush=True)
    for line in sys.stdin:
        words = line.split()
        if words[0] == 'stop':
            break
        print('answers', load.more(int(words[1])), flush=True)
    load.over.set()
    for t in threads:
        t.join(TIMEOUT + 10)
    print(json.dumps(load.report()), flush=True)
    os._exit(0)


if __name__ == '__main__':
    main()
