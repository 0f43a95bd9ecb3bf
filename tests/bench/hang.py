#!/usr/bin/python3
"""What a hanging provider costs those who do not need him: `./dev bench hang`.

Catalogue, cart and sign-in are measured in turns with and without a hang of every call to every
provider, while buyers keep asking to pay. The figure is the median ratio of the pairs.
"""
import os
import statistics
import sys
import threading

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), *p) for p in (('..', 'e2e'), ())]
from money import Buyer, shop, sim  # noqa: E402
from wrk import load  # noqa: E402

PAIRS = 5
SECONDS = 3
BUYERS = 12
TARGET = 0.80


class Payers:
    """Buyers who ask to pay, again and again, until they are told to stop."""

    def __init__(self, product):
        self.product, self.stop = product, threading.Event()
        self.answers = {}
        self.threads = [threading.Thread(target=self.pay, args=(n,)) for n in range(BUYERS)]
        self.lock = threading.Lock()

    def pay(self, n):
        """Each time a new order: an attempt that is open already would be given again without a call."""
        buyer, method = Buyer(f'Payer{n}'), ('stripe', 'mpesa')[n % 2]
        while not self.stop.is_set():
            body = {'order_id': buyer.order(self.product, method)['id']}
            if method == 'mpesa':
                body['phone'] = buyer.phone
            a = buyer.call('POST', f'/payments/{method}', body)
            with self.lock:
                self.answers[a.status] = self.answers.get(a.status, 0) + 1
            self.stop.wait(0.1)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for t in self.threads:
            t.join()


def main():
    base = os.environ['SOKO_BASE']
    seller = shop.new_seller('Hans')
    product = shop.new_product(seller, shop.new_category()['id'], '100', 1000000)['id']
    buyer = shop.sign_up('Hanna')
    token = buyer['access_token']
    shop.call('POST', '/cart/items', {'product_id': product, 'quantity': 1}, token)
    rows = {
        'catalogue': ('GET', '/api/v1/products?per_page=20', None, token),
        'cart': ('PUT', f'/api/v1/cart/items/{product}', {'quantity': 1}, token),
        'sign-in': ('POST', '/api/v1/auth/login',
                    {'email': buyer['email'], 'password': buyer['password']}, None),
    }
    ratios = {name: [] for name in rows}
    rates = {name: ([], []) for name in rows}
    sim('POST', '/sim/auto', {'action': 'approve', 'after_ms': 1, 'match': None})
    with Payers(product) as payers:
        for _ in range(PAIRS):
            for hang in (False, True):
                sim('DELETE', '/sim/rules')
                if hang:
                    for provider in ('stripe', 'daraja', 'sms', 'oauth2'):
                        sim('POST', '/sim/rules', {'provider': provider, 'operation': '*',
                                                   'match': None, 'times': None, 'do': {'hang': True}})
                for name, row in rows.items():
                    # Two ask to sign in, as many as hash at once: more would wait, and be told so.
                    got = load(base, *row, clients=2 if name == 'sign-in' else 8, seconds=SECONDS)
                    if got['refused'] or got['broken']:
                        sys.exit(f'{name}: {got}')
                    rates[name][hang].append(got['rate'])
            for name in rows:
                ratios[name].append(rates[name][1][-1] / rates[name][0][-1])
        sim('DELETE', '/sim/rules')
    print(f'payers were answered {dict(sorted(payers.answers.items()))}')
    print(f'{"":12}{"quiet/s":>10}{"hang/s":>10}{"ratio":>8}   target {TARGET}')
    good = True
    for name in rows:
        ratio = statistics.median(ratios[name])
        good = good and ratio >= TARGET
        print(f'{name:12}{statistics.median(rates[name][0]):10.0f}'
              f'{statistics.median(rates[name][1]):10.0f}{ratio:8.2f}')
    sys.exit(0 if good else 1)


if __name__ == '__main__':
    main()
