"""After 5,000 random operations of buyers, sellers and administrators, with providers that lose, repeat
and lie, the ledger sums to zero and says what the providers' own books say.

The seed is printed; SOKO_SEED=N repeats the same choices.

# settings: JOBS_LEASE=2s JOBS_BACKOFF=100ms JOBS_BACKOFF_MAX=500ms JOBS_POLL=20ms PAYMENT_ASK_AFTER=400ms
# settings: PAYMENT_ASK_MAX=1s REFUND_ASK_AFTER=400ms MPESA_PROMPT_TTL=1500ms PROVIDER_TIMEOUT=1500ms
# settings: PROVIDER_FAILURES=1000 PROVIDER_AT_ONCE=32 WORKERS_WIRE=12 JOBS_SWEEP=100ms REFUND_ATTEMPTS=6
# settings: COMMISSION_BP=850
"""
import collections
import os
import random
import threading
import traceback

from money import Buyer, PATIENCE, books_agree, rule, shop, sim, until
from owner import ctl, sql, sql_one
from soko import Failed, Suite, check, demand, equal

suite = Suite()
OPERATIONS = 5000
PEOPLE = 12
SEED = int(os.environ.get('SOKO_SEED') or random.SystemRandom().randrange(1 << 32))
CARDS = ['pm_card_visa'] * 6 + ['pm_card_chargeDeclined', 'pm_card_chargeDeclinedInsufficientFunds',
                                'pm_card_pendingRefund', 'pm_card_refundFail']
STEPS = ['processing', 'shipping', 'shipped', 'completed']


class Person:
    """A buyer with his orders, in a thread of his own; the sellers and the administrator are shared."""

    def __init__(self, n, world):
        self.world, self.random = world, random.Random(SEED * 1000 + n)
        self.buyer, self.orders = Buyer(f'Person{n}'), []
        self.card = None

    def some_order(self):
        return self.random.choice(self.orders) if self.orders else None

    def place(self):
        r = self.random
        items = [{'product_id': p, 'quantity': r.randint(1, 3)}
                 for p in r.sample(self.world.products, r.randint(1, 3))]
        a = self.buyer.insist('POST', '/orders', {
            'shipping_address': 'Moi Avenue 12', 'items': items,
            'payment_method': r.choice(['stripe', 'mpesa', 'mpesa', 'stripe', 'simulated', 'cash_on_delivery'])})
        if a.status == 201:
            self.orders.append(a.data)
            self.orders = self.orders[-6:]
            number = a.data['order_number']
            if a.data['payment_method'] == 'mpesa':
                sim('POST', '/sim/auto', {'action': r.choice(['approve'] * 5 + ['cancel', 'wrong_pin', 'ignore']),
                                          'after_ms': r.randint(0, 100), 'match': number})
            self.bend(number)
        return a.status

    def bend(self, number):
        """One order in three has a provider who loses, repeats, delays or says nothing."""
        r = self.random
        for provider, words in (('stripe', ('event',)), ('daraja', ('callback', 'result'))):
            if r.random() < 0.33:
                rule(provider, r.choice(words), number, 1, **r.choice([
                    {'lost': True}, {'copies': 3, 'parallel': True}, {'delay_ms': 300},
                    {'reorder': True}, {'copies': 2}]))
        if r.random() < 0.2:
            provider, operation = r.choice([('stripe', 'create_intent'), ('stripe', 'create_refund'),
                                            ('daraja', 'push'), ('daraja', 'reversal'), ('daraja', 'b2c')])
            rule(provider, operation, number, 1, **r.choice([{'drop': True}, {'status': 500}, {'delay_ms': 200}]))

    def pay(self):
        o = self.some_order()
        if o is None or o['payment_method'] not in ('stripe', 'mpesa'):
            return None
        if o['payment_method'] == 'stripe':
            return self.buyer.ask_stripe(o, self.random.choice(CARDS))
        return self.buyer.ask_mpesa(o)

    def switch(self):
        """Pays by the other provider than he said."""
        o = self.some_order()
        if o is None or o['payment_method'] not in ('stripe', 'mpesa'):
            return None
        return (self.buyer.ask_mpesa if o['payment_method'] == 'stripe' else self.buyer.ask_stripe)(o)

    def by_hand(self):
        """Pays the paybill by hand: the right amount, or another; the right number, or a slip."""
        o = self.some_order()
        if o is None:
            return None
        r = self.random
        amount = int(float(o['total_amount']) * 100) + r.choice([0, 0, 0, 1000, -1000])
        bill = r.choice([o['order_number']] * 4 + [o['order_number'].lower() + ' ', 'SLIP' + str(r.randrange(9999))])
        if amount <= 0:
            return None
        return bool(sim('POST', '/sim/c2b', {'phone': self.buyer.phone, 'amount': amount, 'bill': bill}))

    def cancel(self):
        o = self.some_order()
        return o and self.buyer.cancel(o).status

    def move(self):
        """A seller moves a part a step, or cancels it."""
        o = self.some_order()
        if o is None:
            return None
        store, token = self.random.choice(self.world.sellers)
        step = self.random.choice(STEPS + STEPS + ['cancelled'])
        return shop.call('PUT', f'/orders/{o["id"]}/status', {'status': step}, token).status

    def give_back(self):
        o = self.some_order()
        if o is None:
            return None
        _, token = self.random.choice(self.world.sellers)
        body = {'reason': 'damaged'}
        if self.random.random() < 0.5:
            line = self.random.choice(o['items'])
            body['lines'] = [{'product_id': line['product_id'], 'quantity': 1}]
        else:
            body['amount'] = str(self.random.randint(1, 200))
        return shop.call('POST', f'/orders/{o["id"]}/refunds', body, token).status

    def expire(self):
        o = self.some_order()
        return o and sql("UPDATE orders SET expires_at = now() WHERE id = :'o' AND expires_at IS NOT NULL",
                         o=o['id']) and 'set'

    def resolve(self):
        """The administrator looks at what is set aside."""
        token = self.world.admin
        a = shop.call('GET', '/admin/payments?status=needs_review&per_page=5', token=token)
        for p in a.data or []:
            shop.call('POST', f'/admin/payments/{p["id"]}/resolve',
                      {'action': self.random.choice(['refund', 'refund', 'accept'])}, token)
        return a.status

    WORK = [(place, 26), (pay, 26), (switch, 4), (by_hand, 5), (cancel, 7), (move, 20), (give_back, 7),
            (expire, 2), (resolve, 3)]

    def run(self):
        works, weights = zip(*self.WORK)
        while self.world.next():
            work = self.random.choices(works, weights)[0]
            self.world.note(work.__name__, work(self))


class World:
    def __init__(self):
        self.lock, self.left, self.seen = threading.Lock(), OPERATIONS, collections.Counter()
        self.faults = []
        self.admin = shop.admin()['access_token']
        sim('POST', '/sim/auto', {'action': 'approve', 'after_ms': 50, 'match': None})
        category = shop.new_category()['id']
        self.sellers, self.products = [], []
        for n in range(3):
            seller = shop.new_seller(f'Seller{n}')
            self.sellers.append((seller['store_id'], seller['access_token']))
            for _ in range(4):
                self.products.append(shop.new_product(seller, category, str(50 + 37 * len(self.products)), 100000)['id'])

    def next(self):
        with self.lock:
            self.left -= 1
            return self.left >= 0

    def note(self, work, what):
        with self.lock:
            self.seen[f'{work} {what}'] += 1

    def work(self, n):
        try:
            Person(n, self).run()
        except Exception as e:
            self.faults.append(str(e) if isinstance(e, Failed) else traceback.format_exc())


UNDER_WAY = """
    SELECT 'payment', provider, status, closing::text FROM payments WHERE status IN ('initiating', 'processing', 'unknown')
    UNION ALL
    SELECT 'doubt', provider, status, receipt FROM payments WHERE recheck_at IS NOT NULL
    UNION ALL
    SELECT 'refund', channel, status, failure FROM refunds
    WHERE status IN ('pending', 'sending', 'sent') OR (status = 'failed' AND ask_at IS NOT NULL)
    UNION ALL
    SELECT 'delivery', consumer, attempts::text, last_error FROM outbox WHERE parked_at IS NULL"""


def comes_to_rest():
    """Waits until nothing is under way; says what is, if it never ends."""
    try:
        until(lambda: not sql(UNDER_WAY), 'a shop at rest', 4 * PATIENCE, 0.5)
    except Failed as e:
        raise Failed(f'{e}: {collections.Counter(map(tuple, sql(UNDER_WAY)))}') from None


@suite.test
def test_books_agree_after_random_operations():
    print(f'# SOKO_SEED={SEED}')
    world = World()
    threads = [threading.Thread(target=world.work, args=(n,)) for n in range(PEOPLE)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for what, count in sorted(world.seen.items()):
        print(f'# {count:6} {what}')
    check(not world.faults, '; '.join(world.faults[:3]))
    equal(sum(world.seen.values()), OPERATIONS, 'operations')
    sql("UPDATE orders SET expires_at = now() WHERE status = 'pending' AND expires_at IS NOT NULL")
    comes_to_rest()
    for line in books_agree().splitlines():
        print('# ' + line)
    equal(sql_one("SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL"), '0', 'parked deliveries')
    equal(sql_one("""SELECT count(*) FROM product_stock s JOIN products p ON p.id = s.product_id
        WHERE p.store_id = ANY (string_to_array(:'stores', ',')::uuid[]) AND s.available <> 100000 - coalesce((
            SELECT sum(l.quantity - l.restocked) FROM order_lines l WHERE l.product_id = p.id), 0)""",
                  stores=','.join(s for s, _ in world.sellers)), '0', 'products whose stock is not what was not sold')


@suite.test
def test_ledger_is_refused_a_change_by_hand():
    for statement in ('UPDATE ledger_entries SET amount = amount + 1', 'DELETE FROM ledger_entries',
                      'UPDATE ledger_transactions SET currency = \'USD\'', 'TRUNCATE ledger_entries'):
        try:
            sql(statement)
        except Failed as e:
            check('append-only' in str(e), str(e))
        else:
            raise Failed(f'was not refused: {statement}')


@suite.test
def test_check_finds_what_was_edited_behind_its_back():
    def finds(change, undo):
        sql(change)
        try:
            ctl('ledger', 'check')
        except Failed:
            pass
        else:
            raise Failed(f'not found: {change}')
        sql(undo)

    off, on = ('ALTER TABLE ledger_entries {} TRIGGER USER'.format(w) for w in ('DISABLE', 'ENABLE'))
    one = "(SELECT transaction_id FROM ledger_entries ORDER BY transaction_id LIMIT 1)"
    finds(f'{off}; UPDATE ledger_entries SET amount = amount * 3 WHERE transaction_id = {one}',
          f'UPDATE ledger_entries SET amount = amount / 3 WHERE transaction_id = {one}; {on}')
    paid = "(SELECT id FROM payments WHERE status = 'succeeded' ORDER BY id LIMIT 1)"
    finds(f'UPDATE payments SET received = received + 100 WHERE id = {paid}',
          f'UPDATE payments SET received = received - 100 WHERE id = {paid}')
    books_agree()


if __name__ == '__main__':
    suite.main()
