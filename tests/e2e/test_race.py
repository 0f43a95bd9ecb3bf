"""Everybody at once: the last units, one cart, opposite carts, one order cancelled by all hands.

What the clients were told and what the database holds must be the same in the end.
"""
# settings: QUEUE_LIMIT=60s
import collections
import threading

from orders_common import ADDRESS, Buyer, quiet, shop, stock
from owner import sql, sql_one
from soko import Suite, check, demand, equal, together

suite = Suite()
admin = shop.admin()
seller = shop.new_seller('Sela')
category = shop.new_category(admin)['id']
BUYERS, UNITS = 200, 20


def product(amount, price='100'):
    return shop.new_product(seller, category, price, amount)


def good(answers):
    """The answers, if each is one: an exception of a thread fails the test."""
    for a in answers:
        if isinstance(a, Exception):
            raise a
    return answers


def many(count, work):
    """work(0) .. work(count - 1), a few at a time: for what only has to be ready."""
    queue, results, lock = collections.deque(range(count)), [None] * count, threading.Lock()

    def some(_):
        while True:
            with lock:
                if not queue:
                    return
                i = queue.popleft()
            results[i] = work(i)

    good(together(8, some))
    return results


def at_once(count, work):
    """work(0) .. work(count - 1), all let go together, each over a connection that is open."""
    gate = threading.Barrier(count)

    def one(i):
        demand(shop.call('GET', '/health'), 200)
        gate.wait()
        return work(i)

    return good(together(count, one))


def told(answers):
    return collections.Counter((a.status, a.code) for a in answers)


def buyers_with(count, *lines):
    def ready(i):
        b = Buyer(f'Buyer{i}')
        b.fill(*(lines if i % 2 == 0 else lines[::-1]))
        return b
    return many(count, ready)


@suite.test
def test_200_buyers_race_for_20_units():
    p = product(UNITS)
    buyers = buyers_with(BUYERS, (p, 1))
    answers = at_once(BUYERS, lambda i: buyers[i].place())
    equal(told(answers), {(201, None): UNITS, (409, 'INSUFFICIENT_STOCK'): BUYERS - UNITS},
          'what they were told')
    for a in answers:
        if a.status == 409:
            equal(a.errors[0]['details'], {'product_id': p['id'], 'available': 0}, 'the details')
    equal(stock(p, seller), 0, 'what is left')

    winners = [(b, a.data) for b, a in zip(buyers, answers) if a.status == 201]
    equal(len({o['order_number'] for _, o in winners}), UNITS, 'different numbers')
    quitters = winners[::2]
    answers = at_once(3 * len(quitters), lambda i: quitters[i // 3][0].cancel(quitters[i // 3][1]))
    for i, (_, order) in enumerate(quitters):
        equal(told(answers[3 * i:3 * i + 3]), {(200, None): 1, (400, 'INVALID_STATUS'): 2},
              f'what the one who cancelled {order["order_number"]} was told')
    equal(stock(p, seller), len(quitters), 'what is left, after cancelling')

    quiet()
    live = sql_one("SELECT coalesce(sum(l.quantity), 0) FROM order_lines l "
                   "JOIN order_parts p USING (order_id, store_id) "
                   "WHERE l.product_id = :'id' AND p.status <> 'cancelled'", id=p['id'])
    equal(int(live) + stock(p, seller), UNITS, 'live lines and stock together')
    equal(sql("SELECT count(*) FROM order_lines WHERE product_id = :'id' "
              "AND restocked NOT IN (0, quantity)", id=p['id']), [['0']], 'lines half restocked')
    for b, order in winners:
        now = b.show(order)
        pay, gone = now['payment'], now['status'] == 'cancelled'
        equal(gone, (b, order) in quitters, 'who has cancelled')
        if not gone:
            equal((now['payment_status'], pay['refunded']), ('paid', '0'), 'who has not')
        elif pay is None:
            equal(now['payment_status'], 'unpaid', 'who cancelled before he paid')
        else:
            equal((now['payment_status'], pay['refunded']), ('refunded', '100'), 'who had paid')


@suite.test
def test_adding_at_once_sums():
    b, p, n = Buyer(), product(1000), 40
    answers = at_once(n, lambda i: b.call('POST', '/cart/items', {
        'product_id': p['id'], 'quantity': 1 + i % 3}))
    equal(told(answers), {(200, None): n}, 'the answers')
    wanted = sum(1 + i % 3 for i in range(n))
    cart = demand(b.call('GET', '/cart'), 200).data
    equal((cart['item_count'], len(cart['items'])), (wanted, 1), 'the cart')
    counts = sorted(a.data['item_count'] for a in answers)
    equal((len(set(counts)), counts[-1]), (n, wanted), 'each saw a cart of its own')


@suite.test
def test_adding_at_once_stops_at_the_stock():
    b, p = Buyer(), product(10)
    answers = at_once(30, lambda i: b.call('POST', '/cart/items', {
        'product_id': p['id'], 'quantity': 1}))
    equal(told(answers), {(200, None): 10, (409, 'INSUFFICIENT_STOCK'): 20}, 'the answers')


@suite.test
def test_opposite_carts_do_not_lock_each_other():
    p, q, n = product(1000), product(1000), 40
    buyers = buyers_with(n, (p, 1), (q, 2))
    answers = at_once(n, lambda i: buyers[i].place('cash_on_delivery'))
    equal(told(answers), {(201, None): n}, 'the answers')
    equal((stock(p, seller), stock(q, seller)), (1000 - n, 1000 - 2 * n), 'the stock')
    answers = at_once(n, lambda i: buyers[i].cancel(answers[i].data))
    equal(told(answers), {(200, None): n}, 'the answers')
    equal((stock(p, seller), stock(q, seller)), (1000, 1000), 'the stock, restored')


@suite.test
def test_a_cart_is_sold_once():
    for _ in range(5):
        b, p = Buyer(), product(100)
        b.fill((p, 3))
        answers = at_once(6, lambda i, b=b: b.place('cash_on_delivery'))
        equal(told(answers), {(201, None): 1, (400, 'VALIDATION_ERROR'): 5}, 'the answers')
        equal((stock(p, seller), len(demand(b.call('GET', '/orders'), 200).data)), (97, 1),
              'stock and orders')


@suite.test
def test_a_key_buys_once():
    b, p = Buyer(), product(100)
    b.fill((p, 3))
    body = {'shipping_address': ADDRESS, 'payment_method': 'cash_on_delivery'}

    def place(_):
        return b.call('POST', '/orders', body, headers={'Idempotency-Key': 'once'})

    answers = at_once(6, place)
    check(set(told(answers)) <= {(201, None), (409, 'CONFLICT')}, f'told {told(answers)}')
    first = demand(place(0), 201)
    equal(first.headers.get('idempotent-replayed'), 'true', 'replayed')
    equal({a.data['id'] for a in answers if a.status == 201} | {first.data['id']},
          {first.data['id']}, 'one order')
    fresh = [a for a in answers if a.status == 201 and 'idempotent-replayed' not in a.headers]
    equal((len(fresh), stock(p, seller)), (1, 97), 'made once')
    demand(b.call('POST', '/orders', {**body, 'notes': 'x'}, headers={'Idempotency-Key': 'once'}),
           422, 'IDEMPOTENCY_KEY_REUSED')


if __name__ == '__main__':
    suite.main()
