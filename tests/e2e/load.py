"""A mixed load with a memory: shoppers who note what they were told, and hold the shop to it.

Every change is sent under an Idempotency-Key and repeated until there is an answer, as a good client
does. Whatever happens meanwhile, at the end each acknowledged order exists, none exists twice, and
stock is what was not sold.
"""
import os
import random
import secrets
import threading
import traceback

from owner import sql, sql_one
from soko import Failed, Shop, check, demand, equal, until

STOCK = 100000
CLEAN = (502, 503, 504)  # what a request may meet that was in flight when something broke
PATIENCE = 60


class Shopper:
    """A buyer in a thread of his own."""

    def __init__(self, load, n):
        self.load, self.shop = load, load.shop
        self.me = self.shop.sign_up(f'Shopper{n}')
        self.random = random.Random(n)
        self.orders = {}     # by key: what was ordered, and the id that was acknowledged
        self.cancelled = []  # ids whose cancelling was acknowledged

    def call(self, method, path, body=None, key=None):
        a = self.shop.call(method, path, body, self.me['access_token'],
                           {'Idempotency-Key': key} if key else None)
        self.load.note(f'{method} {path}', a)
        return a

    def insist(self, method, path, body=None, key=None):
        """Asks until it is told something: not 5xx, nor that its twin is being served."""
        def told():
            a = self.call(method, path, body, key)
            busy = a.status == 409 and a.fields == ['Idempotency-Key']
            return None if a.status >= 500 or busy else a
        return until(told, f'an answer to {method} {path}', PATIENCE)

    def browse(self):
        demand(self.insist('GET', f'/products?per_page=5&page={self.random.randint(1, 3)}'), 200)
        demand(self.insist('GET', f'/products/{self.random.choice(self.load.products)["id"]}'), 200)

    def buy(self):
        product = self.random.choice(self.load.products)
        quantity = self.random.randint(1, 3)
        cart = demand(self.insist('POST', '/cart/items',
                                  {'product_id': product['id'], 'quantity': quantity},
                                  secrets.token_hex(8)), 200).data
        equal(cart['item_count'], quantity, 'the cart holds what was put in, once')
        key = secrets.token_hex(8)
        note = self.orders[key] = {'product': product['id'], 'quantity': quantity, 'id': None}
        note['id'] = demand(self.insist('POST', '/orders', {
            'shipping_address': 'Moi Avenue 12', 'payment_method': 'simulated'}, key), 201).data['id']
        return note

    def cancel(self, note):
        path = f'/orders/{note["id"]}/cancel'
        a = self.insist('PUT', path)
        if a.status == 400:  # an earlier try was answered by nobody, and yet done
            equal(a.code, 'INVALID_STATUS', path)
        else:
            demand(a, 200)
        self.cancelled.append(note['id'])

    def run(self):
        while not self.load.over.is_set():
            self.browse()
            note = self.buy()
            if self.random.random() < 0.3:
                self.cancel(note)

    # What he finds at the end.

    def his_orders(self):
        seen, page = [], 1
        while True:
            a = demand(self.insist('GET', f'/orders?per_page=100&page={page}'), 200)
            seen += a.data
            if page >= a.json['meta']['pagination']['total_pages']:
                return seen
            page += 1

    def verify(self):
        found = self.his_orders()
        ids = [o['id'] for o in found]
        equal(len(ids), len(set(ids)), 'no order stands twice in the list')
        equal(sorted(ids), sorted(n['id'] for n in self.orders.values()),
              'what exists is what was acknowledged')
        status = {o['id']: o for o in found}
        for order in self.cancelled:
            equal(status[order]['status'], 'cancelled', 'a cancelling that was acknowledged')
        for note in self.orders.values():
            o = status[note['id']]
            equal(o['item_count'], note['quantity'], 'what was ordered')
            if o['status'] == 'cancelled':
                check(o['payment_status'] in ('unpaid', 'refunded'), f'cancelled and paid: {o}')
            else:
                equal((o['status'], o['payment_status']), ('paid', 'paid'), 'an order that lives')
                self.load.sold[note['product']] += note['quantity']
        self.still_signed_in()

    def still_signed_in(self):
        me = demand(self.insist('GET', '/auth/profile'), 200).data
        equal(me['email'], self.me['email'], 'who is signed in')
        pair = demand(self.shop.call('POST', '/auth/refresh',
                                     {'refresh_token': self.me['refresh_token']}), 200).data
        self.me.update(pair)
        demand(self.insist('GET', '/auth/profile'), 200)


class Load:
    """`with Load() as load:` shoppers at work; load.more(n) waits for n more answers. Leaving the
    block ends the load, waits until the shop serves again, and verifies everything."""

    def __init__(self, shoppers=5, products=4):
        self.shop = Shop()
        self.lock, self.over = threading.Lock(), threading.Event()
        self.answers, self.broken = [], []
        seller = self.shop.new_seller()
        category = self.shop.new_category()['id']
        self.products = [self.shop.new_product(seller, category, str(100 + n), STOCK)
                         for n in range(products)]
        self.sold = {p['id']: 0 for p in self.products}
        self.shoppers = [Shopper(self, n) for n in range(shoppers)]
        self.idle = [Shopper(self, 100 + n) for n in range(2)]  # they have carts, and wait
        for n, s in enumerate(self.idle):
            s.insist('POST', '/cart/items', {'product_id': self.products[n]['id'], 'quantity': n + 1})
        self.carts = [self.cart_of(s) for s in self.idle]

    @staticmethod
    def cart_of(shopper):
        """All of it but what is left in the store, which others buy."""
        cart = demand(shopper.insist('GET', '/cart'), 200).data
        return {**cart, 'items': [{k: v for k, v in i.items() if k != 'available'}
                                  for i in cart['items']]}

    def note(self, what, answer):
        with self.lock:
            self.answers.append((what, answer))

    def work(self, shopper):
        try:
            shopper.run()
        except Exception as e:  # told to whoever waits
            self.broken.append(str(e) if isinstance(e, Failed) else traceback.format_exc())
            self.over.set()

    def more(self, count):
        wanted = len(self.answers) + count
        until(lambda: self.broken or len(self.answers) >= wanted, 'a load that goes on', PATIENCE)
        if self.broken:
            raise Failed(self.broken[0])

    def __enter__(self):
        self.threads = [threading.Thread(target=self.work, args=(s,)) for s in self.shoppers]
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, kind, value, trace):
        self.over.set()
        for t in self.threads:
            t.join()
        if kind is not None:
            return
        if self.broken:
            raise Failed(self.broken[0])
        print(f'# {len(self.answers)} answers, {len(self.failures())} of them 5xx', flush=True)
        serves_again(self.shop)
        self.verify()

    def failures(self):
        """The answers of 5xx, each looked at: a clean refusal in our envelope."""
        bad = [(what, a) for what, a in self.answers if a.status >= 500]
        for what, a in bad:
            check(a.status in CLEAN and a.code and a.json.get('meta'), f'{what}: not clean: {a!r}')
            check(a.headers['content-type'].startswith('application/json'), f'{what}: {a.headers}')
        return bad

    def verify(self):
        self.failures()
        settled()
        for s in self.shoppers:
            s.verify()
        for s, cart in zip(self.idle, self.carts):
            equal(self.cart_of(s), cart, 'a cart that nobody touched')
            s.still_signed_in()
        for p in self.products:
            a = demand(self.shop.call('GET', f'/products/{p["id"]}',
                                      token=self.idle[0].me['access_token']), 200)
            equal(a.data['stock'], STOCK - self.sold[p['id']], 'stock is what was not sold')
        paid_once()


def settled():
    """Nothing is left to do for the payments' lane."""
    until(lambda: sql_one("SELECT count(*) FROM outbox WHERE lane = 'payments'") == '0',
          'a pipeline that comes to its end', PATIENCE)


def paid_once():
    """Of all orders: no payment has come twice, none has come for nothing, none went back twice."""
    equal(sql("""
        SELECT o.order_number, o.status, o.payment_status, o.total_amount, m.paid, m.back
        FROM orders o,
             LATERAL (SELECT coalesce(sum(p.amount), 0) AS paid, coalesce(sum(p.refunded), 0) AS back,
                             count(*) AS times
                      FROM payments p WHERE p.order_id = o.id
                        AND p.status IN ('succeeded', 'partially_refunded', 'refunded')) AS m
        WHERE m.times > 1 OR m.paid NOT IN (0, o.total_amount)
           OR m.paid - m.back <> CASE WHEN o.status = 'cancelled' THEN 0 ELSE o.total_amount END
           OR m.back <> (SELECT coalesce(sum(r.amount), 0) FROM refunds r
                         JOIN payments p ON p.id = r.payment_id WHERE p.order_id = o.id)"""), [],
          'orders whose money is wrong')
    equal(sql("""
        SELECT order_id, event, count(*) FROM order_events
        WHERE event LIKE 'payment_%' GROUP BY order_id, event HAVING count(*) > 1"""), [],
          'orders that heard twice that they are paid')


def serves_again(shop):
    """Without help: ready, and a stranger can buy."""
    until(lambda: shop.call('GET', '/ready').status == 200, 'a shop that is ready', PATIENCE)
    def purchase():
        try:
            buyer = shop.sign_up('Stranger')
            product = demand(shop.call('GET', '/products?search=peaberry+coffee'), 200).data[0]
            return demand(shop.buy(buyer, product['id'], key=secrets.token_hex(8)), 201)
        except Failed:
            return None
    until(purchase, 'a purchase that succeeds', PATIENCE)


# --- whom a test may kill -------------------------------------------------------------------------

def state(*path):
    return os.path.join(os.environ['SOKO_STATE'], *path)


def pid_of(server):
    with open(state('run', server + '.pid'), encoding='utf-8') as f:
        return int(f.read())


def children_of(server):
    """The living children of a server whose pid is stored."""
    parent, found = pid_of(server), []
    for entry in os.listdir('/proc'):
        if not entry.isdigit():
            continue
        try:
            with open(f'/proc/{entry}/stat', encoding='utf-8', errors='replace') as f:
                fields = f.read().rpartition(') ')[2].split()
        except OSError:  # it has gone meanwhile
            continue
        if fields[0] != 'Z' and int(fields[1]) == parent:
            found.append(int(entry))
    return sorted(found)
