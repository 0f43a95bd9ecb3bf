"""What tests of money share: the simulator's controls, buyers who pay until they are told, and the
agreement of all books.

A buyer here is a good client: what is not answered, or answered 5xx, is asked again; what failed is
paid anew, as long as the order may be paid. The simulator plays his browser and his phone.
"""
import itertools
import json
import os
import threading
import urllib.error
import urllib.parse
import urllib.request

from owner import ctl, sql
from soko import Failed, Shop, check, demand, equal, until

PATIENCE = 60
PACE = 0.1  # of a person who looks again and again
ADDRESS = 'Moi Avenue 12, Nairobi'
OPEN = ('initiating', 'processing', 'unknown')
RETRY = (409, 429, 500, 502, 503, 504)

shop = Shop()
phones = itertools.count(700000000)
lock = threading.Lock()


def sim(method, path, body=None):
    """A control call. Gives the JSON of its answer; a refusal fails the test with its words."""
    request = urllib.request.Request(
        os.environ['SOKO_SIM'] + path, method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={'Content-Type': 'application/json'})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b'null')
    except urllib.error.HTTPError as e:
        raise Failed(f'soko-sim: {method} {path}: {e.code} {e.read().decode()[:300]}') from None


def rule(provider, operation, match, times=1, **do):
    """Bends the next `times` calls or messages that concern `match`; None is for ever."""
    return sim('POST', '/sim/rules', {'provider': provider, 'operation': operation, 'match': match,
                                      'times': times, 'do': do})


def arm(point, order):
    """Whoever passes this fault point on behalf of the order dies there."""
    return arm_any(f'{point}.{order}')


def arm_any(point):
    """Whoever passes this fault point next dies there. The file comes whole: it may be taken at once."""
    path = os.path.join(os.environ['SOKO_FAULT_DIR'], point)
    with open(path + '.new', 'w', encoding='ascii'):
        os.chmod(path + '.new', 0o666)
    os.rename(path + '.new', path)
    return path


def setting(name):
    """A value of the shop's configuration file."""
    with open(os.environ['SOKO_CONF'], encoding='utf-8') as f:
        for line in f:
            key, _, value = line.rstrip('\n').partition('=')
            if key == name:
                return value
    raise Failed(f'{name} is not in the configuration')


def stripe_update(intent, **params):
    """Changes an intent behind the shop's back, as somebody with the key could."""
    request = urllib.request.Request(
        f'{os.environ["SOKO_SIM"]}/v1/payment_intents/{intent}', method='POST',
        data=urllib.parse.urlencode(params).encode(),
        headers={'Authorization': 'Bearer ' + setting('STRIPE_SECRET_KEY')})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


class Buyer:
    """With a phone of his own."""

    def __init__(self, name='Mia'):
        self.me = shop.sign_up(name)
        self.token = self.me['access_token']
        with lock:
            self.phone = f'+254{next(phones)}'

    def call(self, method, path, body=None, key=None):
        return shop.call(method, path, body, self.token, {'Idempotency-Key': key} if key else None)

    def insist(self, method, path, body=None, key=None):
        """Asks until there is an answer that is not of the shop's own trouble."""
        def told():
            a = self.call(method, path, body, key)
            return None if a.status >= 500 else a
        return until(told, f"an answer to {method} {path}", PATIENCE, PACE)

    def order(self, product, method, quantity=1):
        return demand(self.insist('POST', '/orders', {
            'shipping_address': ADDRESS, 'payment_method': method,
            'items': [{'product_id': product, 'quantity': quantity}]}), 201).data

    def show(self, order):
        return demand(self.insist('GET', f'/orders/{order["id"]}'), 200).data

    def payments(self, order):
        return demand(self.insist('GET', f'/payments/order/{order["id"]}'), 200).data

    def cancel(self, order):
        """Until it is cancelled, or can no longer be."""
        return self.insist('PUT', f'/orders/{order["id"]}/cancel')

    # One try of paying. True: the shop has taken it on.

    def ask_stripe(self, order, card='pm_card_visa', meddle=None):
        """`meddle` does something with the intent before the buyer confirms it."""
        a = self.call('POST', '/payments/stripe', {'order_id': order['id']})
        if a.status in RETRY or a.status in (400, 402):
            return False
        paid = demand(a, 201).data
        if paid['status'] in OPEN and paid.get('client_secret'):
            try:
                if meddle:
                    meddle(paid['payment_intent_id'])
                sim('POST', '/sim/stripe/confirm', {'intent': paid['payment_intent_id'],
                                                    'client_secret': paid['client_secret'],
                                                    'card': card})
            except Failed:
                pass  # declined, or cancelled meanwhile: the books will tell
        return True

    def ask_mpesa(self, order):
        a = self.call('POST', '/payments/mpesa', {'order_id': order['id'], 'phone': self.phone})
        if a.status in RETRY or a.status in (400, 402):
            return False
        demand(a, 202)
        return True

    def ask(self, order, **more):
        if order['payment_method'] == 'stripe':
            return self.ask_stripe(order, **more)
        return self.ask_mpesa(order)

    def pay(self, order, enough=None, **more):
        """Pays as a person would, anew when it failed, until `enough` (the order is paid, or is over).
        Gives the order as it then is."""
        enough = enough or (lambda o: o['payment_status'] != 'unpaid' or o['status'] == 'cancelled')

        taken_on = False

        def looks():
            nonlocal taken_on
            o = self.show(order)
            if enough(o):
                return o
            is_open = any(p['status'] in OPEN for p in self.payments(order))
            # An open attempt whose answer was lost is asked for again: its secret is needed.
            if not is_open or (not taken_on and order['payment_method'] == 'stripe'):
                taken_on = self.ask(order, **more)
            return None
        return until(looks, f'order {order["order_number"]} paid or over', PATIENCE, PACE)


def charges(order):
    """What the provider's own books say was taken for an order and given back, in minor units; and how
    many charges stand or stood."""
    took = gave = count = 0
    for provider in sim('GET', '/sim/books').values():
        for book in provider.values():
            for c in book['charges']:
                if order['order_number'] in c['order'] or order['id'] in c['order']:
                    took, gave, count = took + c['amount'], gave + c['refunded'], count + 1
            for p in book['payouts']:
                if order['order_number'] in p['order'] or order['id'] in p['order']:
                    gave += p['amount']
    return took, gave, count


def at_rest(order):
    """Whether nothing about an order is under way: no open payment, no refund going, no delivery."""
    rows = sql("""
        SELECT (SELECT count(*) FROM payments WHERE order_id = :'order' AND status IN ('initiating', 'processing', 'unknown'))
             + (SELECT count(*) FROM refunds r JOIN payments p ON p.id = r.payment_id
                WHERE p.order_id = :'order' AND r.status IN ('pending', 'sending', 'sent', 'failed') AND NOT
                      (r.status = 'failed' AND r.ask_at IS NULL))
             + (SELECT count(*) FROM outbox WHERE subject = :'order' AND parked_at IS NULL)
    """, order=order['id'])
    return rows[0][0] == '0'


def books_agree():
    """The ledger against itself, the shop's rows and the providers' own books."""
    path = os.path.join(os.environ['SOKO_STATE'], 'books.txt')
    request = urllib.request.urlopen(os.environ['SOKO_SIM'] + '/sim/books.txt', timeout=60)
    with request as answer, open(path, 'wb') as f:
        f.write(answer.read())
    os.chmod(path, 0o644)
    return ctl('ledger', 'check', '--books', path)


__all__ = ['Buyer', 'OPEN', 'PACE', 'PATIENCE', 'arm', 'arm_any', 'at_rest', 'books_agree', 'charges', 'check',
           'demand', 'equal', 'rule', 'setting', 'shop', 'sim', 'stripe_update', 'until']
