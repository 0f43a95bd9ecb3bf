"""What sellers earn: the balance and the statement through sales, cash, cancellations and refunds; the
commission; and `sokoctl ledger check`, which finds whatever is changed by hand.

# settings: COMMISSION_BP=850
"""
import os
import subprocess
import tempfile
from decimal import Decimal

from orders_common import UNKNOWN, Buyer, move, move_all, quiet, shop
from owner import ctl, sql, sql_one
from soko import Failed, Suite, check, demand, equal

suite = Suite()
admin = shop.admin()
category = shop.new_category(admin)
SUPERUSER = os.environ['SOKO_OWNER_URL'].replace('soko_owner@', 'postgres@', 1)
STEPS = ('processing', 'shipping', 'shipped', 'completed')


def run(*words):
    """sokoctl's exit status and everything that it says."""
    done = subprocess.run(os.environ['SOKO_CTL'].split() + list(words), capture_output=True, text=True,
                          timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def faults():
    status, said = run('ledger', 'check')
    found = [line for line in said.splitlines() if line.startswith('fault: ')]
    equal(status != 0, bool(found), f'the exit status says it too: {said}')
    return found


def balance(who, query=''):
    return demand(shop.call('GET', '/seller/balance' + query, token=who['access_token']), 200).data


def in_kes(who):
    """Available and pending."""
    found = [b for b in balance(who)['balances'] if b['currency'] == 'KES']
    return (found[0]['available'], found[0]['pending']) if found else None


def statement(who, query=''):
    return demand(shop.call('GET', '/seller/statement' + query, token=who['access_token']), 200).data


def lines(who):
    return [(line['kind'], line['order_number'], line['amount'], line['commission'], line['currency'])
            for line in statement(who)]


def set_commission(store, bp, headers=None):
    return shop.call('PUT', f'/admin/stores/{store}/commission', {'commission_bp': bp},
                     admin['access_token'], headers)


def give_back(who, order, **body):
    return demand(shop.call('POST', f'/orders/{order["id"]}/refunds', body, who['access_token']), 201)


def seller_of(price, bp=None, **more):
    seller = shop.new_seller()
    if bp is not None:
        demand(set_commission(seller['store_id'], bp), 200)
    return seller, shop.new_product(seller, category['id'], price=price, stock=100, **more)


@suite.test
def test_a_sale_from_payment_to_refund():
    seller, product = seller_of('100.1')
    buyer = Buyer()
    equal(balance(seller), {'store_id': seller['store_id'], 'commission_bp': 850, 'balances': []},
          'nothing was sold')
    equal(statement(seller), [], 'nor booked')
    order = buyer.paid((product, 2))
    # 8.5 % of 200.20 is 17.017
    equal(in_kes(seller), ('0', '183.18'), 'paid: still to come')
    move_all(seller, order, *STEPS)
    equal(in_kes(seller), ('183.18', '0'), 'completed: earned')
    number = order['order_number']
    sale = ('part_completed', number, '183.18', '17.02', 'KES')
    equal(lines(seller), [sale], 'the sale')
    # of what is left, 100.10, it is 8.5085
    give_back(seller, order, lines=[{'product_id': product['id'], 'quantity': 1}], reason='broken')
    equal(in_kes(seller), ('91.59', '0'), 'one was given back')
    equal(lines(seller), [('part_refunded', number, '-91.59', '-8.51', 'KES'), sale], 'newest first')
    give_back(seller, order, amount='100.1', reason='and the other')
    equal(in_kes(seller), ('0', '0'), 'all was given back, and the fee too')
    equal(sum(Decimal(line[3]) for line in lines(seller)), 0, 'no commission is left')
    buyer.becomes(order, payment_status='refunded')
    quiet()
    equal(faults(), [], 'the ledger')


@suite.test
def test_given_back_and_cancelled_before_it_is_earned():
    seller, product = seller_of('100')
    buyer = Buyer()
    kept, gone = buyer.paid((product, 3)), buyer.paid((product, 1))
    equal(in_kes(seller), ('0', '366'), 'two are paid')
    demand(buyer.cancel(gone), 200)
    equal(in_kes(seller), ('0', '274.5'), 'one was cancelled')
    give_back(seller, kept, amount='50', reason='a scratch')
    equal(in_kes(seller), ('0', '228.75'), 'of the other some went back')
    move_all(seller, kept, *STEPS)
    equal(in_kes(seller), ('228.75', '0'), 'the rest is earned')
    equal(lines(seller), [('part_completed', kept['order_number'], '228.75', '21.25', 'KES')],
          'only what was earned is on the statement')
    buyer.becomes(gone, payment_status='refunded')
    quiet()
    equal(faults(), [], 'the ledger')


@suite.test
def test_cash_is_the_stores_and_the_commission_ours():
    seller, product = seller_of('100')
    buyer = Buyer()
    order = buyer.order((product, 2), method='cash_on_delivery')
    equal(in_kes(seller), None, 'cash is not ours')
    move_all(seller, order, *STEPS)
    equal(in_kes(seller), ('-17', '0'), 'the store owes the commission')
    equal(lines(seller), [('cash_part_completed', order['order_number'], '-17', '17', 'KES')], 'and why')
    refused = shop.call('POST', f'/orders/{order["id"]}/refunds', {'amount': '1', 'reason': 'a scratch'},
                        seller['access_token'])
    demand(refused, 400, 'INVALID_STATUS')
    paid = buyer.paid((product, 1))
    move_all(seller, paid, *STEPS)
    equal(in_kes(seller), ('74.5', '0'), 'it is taken off what it earns')
    equal(faults(), [], 'the ledger')


@suite.test
def test_without_commission():
    seller, product = seller_of('99.99', bp=0)
    buyer = Buyer()
    prepaid, cash = buyer.paid((product, 1)), buyer.order((product, 1), method='cash_on_delivery')
    move_all(seller, prepaid, *STEPS)
    move_all(seller, cash, *STEPS)
    equal(in_kes(seller), ('99.99', '0'), 'all of it is the store\'s')
    equal(lines(seller), [('part_completed', prepaid['order_number'], '99.99', '0', 'KES')],
          'cash without commission moves nothing')
    give_back(seller, prepaid, amount='0.01', reason='a cent')
    equal(in_kes(seller), ('99.98', '0'), 'less a cent')
    quiet()
    equal(faults(), [], 'the ledger')


@suite.test
def test_two_stores_and_two_rates():
    first, one = seller_of('10')
    second, two = seller_of('10', bp=1000)
    buyer = Buyer()
    order = buyer.paid((one, 1), (two, 1))
    equal((in_kes(first), in_kes(second)), (('0', '9.15'), ('0', '9')), 'to come')
    move_all(first, order, *STEPS)
    demand(move(second, order, 'cancelled'), 200)
    equal((in_kes(first), in_kes(second)), (('9.15', '0'), None), 'one has earned')
    buyer.becomes(order, payment_status='partially_refunded')
    quiet()
    equal(faults(), [], 'the ledger')


@suite.test
def test_the_rate_is_frozen_when_the_order_is_placed():
    seller, product = seller_of('100')
    store, buyer = seller['store_id'], Buyer()
    before = buyer.paid((product, 1))
    changed = demand(set_commission(store, 2000), 200).data
    equal((changed['commission_bp'], changed['commission_bp_in_force']), (2000, 2000), 'its own')
    equal(balance(seller)['commission_bp'], 2000, 'the seller sees it')
    after = buyer.paid((product, 1))
    move_all(seller, before, *STEPS)
    move_all(seller, after, *STEPS)
    equal([line['amount'] for line in statement(seller)], ['80', '91.5'], 'each by its rate')
    usual = demand(set_commission(store, None), 200).data
    equal((usual['commission_bp'], usual['commission_bp_in_force']), (None, 850), 'the usual again')
    equal(demand(set_commission(store, 0), 200).data['commission_bp_in_force'], 0, 'none is not the usual')
    for bad in (-1, 10001, 1.5, 'all', ''):
        equal(demand(set_commission(store, bad), 400, 'VALIDATION_ERROR').fields, ['commission_bp'], f'{bad!r}')
    demand(shop.call('PUT', f'/admin/stores/{store}/commission', {}, admin['access_token']), 400)
    demand(set_commission(UNKNOWN, 100), 404, 'NOT_FOUND')
    demand(set_commission(store, 100, {'If-Match': '"1"'}), 412, 'PRECONDITION_FAILED')
    demand(shop.call('PUT', f'/admin/stores/{store}/commission', {'commission_bp': 0},
                     seller['access_token']), 403, 'FORBIDDEN')


@suite.test
def test_pages_and_dates():
    seller, product = seller_of('10')
    buyer = Buyer()
    orders = [buyer.order((product, 1), method='cash_on_delivery') for _ in range(5)]
    for order in orders:
        move_all(seller, order, *STEPS)
    numbers = [o['order_number'] for o in reversed(orders)]
    seen, query = [], '?per_page=2'
    while query:
        a = demand(shop.call('GET', '/seller/statement' + query, token=seller['access_token']), 200)
        seen += [line['order_number'] for line in a.data]
        cursor = a.json['meta']['pagination'].get('next_cursor')
        query = f'?per_page=2&cursor={cursor}' if cursor else None
        check(len(seen) <= 6, f'it ends: {seen}')
    equal(seen, numbers, 'by cursor')
    equal([line['order_number'] for line in statement(seller, '?per_page=2&page=2')], numbers[2:4], 'by page')
    equal(len(statement(seller, '?from=2020-01-01&until=2099-01-01')), 5, 'within')
    equal(statement(seller, '?from=2099-01-01'), [], 'after')
    equal(statement(seller, '?until=2020-01-01'), [], 'before')
    moment = statement(seller)[2]['booked_at']
    check(1 <= len(statement(seller, f'?until={moment}')) < 5 or
          moment == statement(seller)[4]['booked_at'], 'a moment cuts')
    for bad in ('?from=yesterday', '?until=2026-13-01', '?cursor=x', '?per_page=0', '?kind=all'):
        demand(shop.call('GET', '/seller/statement' + bad, token=seller['access_token']), 400,
               'VALIDATION_ERROR')


@suite.test
def test_each_sees_his_own():
    seller, product = seller_of('10')
    other = shop.new_seller()
    order = Buyer().paid((product, 1))
    move_all(seller, order, *STEPS)
    for path in ('/seller/balance', '/seller/statement'):
        named = f'{path}?store_id={seller["store_id"]}'
        demand(shop.call('GET', named, token=other['access_token']), 403, 'FORBIDDEN')
        demand(shop.call('GET', named, token=seller['access_token']), 200)
        demand(shop.call('GET', path, token=admin['access_token']), 400, 'VALIDATION_ERROR')
        demand(shop.call('GET', f'{path}?store_id={UNKNOWN}', token=admin['access_token']), 400)
    query = f'?store_id={seller["store_id"]}'
    equal(balance(admin, query), balance(seller), 'the administrator sees the same')
    equal(statement(admin, query), statement(seller), 'of the statement too')
    equal(statement(other), [], 'the other has sold nothing')


@suite.test
def test_statement_on_paper():
    seller, product = seller_of('100')
    first, second = Buyer().paid((product, 1)), Buyer().order((product, 2), method='cash_on_delivery')
    move_all(seller, first, *STEPS)
    move_all(seller, second, *STEPS)
    rows = [line.split() for line in ctl('statement', '--store', seller['store_id']).splitlines()[2:]]
    equal([row[1:] for row in rows],
          [[first['order_number'], 'part_completed', 'KES', '91.5', '8.5', '91.5'],
           [second['order_number'], 'cash_part_completed', 'KES', '-17', '17', '74.5']], 'with its balance')
    equal(len(ctl('statement', '--store', seller['store_id'], '--from', '2099-01-01').splitlines()), 2, 'from')
    equal(len(ctl('statement', '--store', seller['store_id'], '--until', '2099-01-01').splitlines()), 4, 'until')
    for words in ([], ['--store', 'kibanda'], ['--store', UNKNOWN], ['--store', seller['store_id'], '--from', 'x']):
        check(run('statement', *words)[0] != 0, f'{words}')


def sold():
    """An order that was paid, completed, and partly given back. Gives its ids."""
    seller, product = seller_of('100')
    buyer = Buyer()
    order = buyer.paid((product, 2))
    move_all(seller, order, *STEPS)
    give_back(seller, order, amount='50', reason='a scratch')
    buyer.becomes(order, payment_status='partially_refunded')
    quiet()
    payment = sql_one("SELECT id FROM payments WHERE order_id = :'id'", id=order['id'])
    refund = sql_one("SELECT id FROM refunds WHERE payment_id = :'id'", id=payment)
    return {'order': order['id'], 'payment': payment, 'refund': refund, 'store': seller['store_id']}


# By hand, with the triggers off: what is done, what undoes it, and what the faults must name.
HANDS = [
    ("UPDATE ledger_entries SET amount = amount + 1 WHERE account = 'commission' AND transaction_id = "
     "(SELECT id FROM ledger_transactions WHERE kind = 'part_completed' AND subject = :'order')",
     "UPDATE ledger_entries SET amount = amount - 1 WHERE account = 'commission' AND transaction_id = "
     "(SELECT id FROM ledger_transactions WHERE kind = 'part_completed' AND subject = :'order')", 'order'),
    ("UPDATE ledger_entries SET amount = amount * 2 WHERE transaction_id = "
     "(SELECT id FROM ledger_transactions WHERE kind = 'payment_settled' AND subject = :'payment')",
     "UPDATE ledger_entries SET amount = amount / 2 WHERE transaction_id = "
     "(SELECT id FROM ledger_transactions WHERE kind = 'payment_settled' AND subject = :'payment')", 'payment'),
    ("UPDATE ledger_entries SET provider = 'mpesa' WHERE account = 'provider_cash' AND transaction_id = "
     "(SELECT id FROM ledger_transactions WHERE kind = 'refund_paid' AND subject = :'refund')",
     "UPDATE ledger_entries SET provider = 'simulated' WHERE account = 'provider_cash' AND transaction_id = "
     "(SELECT id FROM ledger_transactions WHERE kind = 'refund_paid' AND subject = :'refund')", 'refund'),
    ("UPDATE ledger_transactions SET currency = 'TZS' WHERE kind = 'payment_settled' AND subject = :'payment'",
     "UPDATE ledger_transactions SET currency = 'KES' WHERE kind = 'payment_settled' AND subject = :'payment'",
     'payment'),
    ("UPDATE ledger_transactions SET order_id = NULL WHERE kind = 'refund_requested' AND subject = :'refund'",
     "UPDATE ledger_transactions SET order_id = :'order' WHERE kind = 'refund_requested' AND subject = :'refund'",
     'order'),
    ("UPDATE ledger_transactions SET kind = 'review_accepted' WHERE kind = 'payment_settled' AND subject = :'payment'",
     "UPDATE ledger_transactions SET kind = 'payment_settled' WHERE kind = 'review_accepted' AND subject = :'payment'",
     'payment'),
    ("CREATE TABLE hidden AS SELECT e.* FROM ledger_entries e JOIN ledger_transactions t ON t.id = e.transaction_id "
     "WHERE t.kind = 'refund_requested' AND t.subject = :'refund'; "
     "DELETE FROM ledger_entries WHERE transaction_id IN (SELECT transaction_id FROM hidden)",
     "INSERT INTO ledger_entries SELECT * FROM hidden; DROP TABLE hidden", 'refund'),
    ("INSERT INTO ledger_transactions (id, kind, subject, currency) VALUES (:'ghost', 'payment_settled', :'ghost', 'KES'); "
     "INSERT INTO ledger_entries VALUES (:'ghost', 1, 'provider_cash', 'mpesa', NULL, 5), "
     "(:'ghost', 2, 'buyer_funds', NULL, NULL, -5)",
     "DELETE FROM ledger_entries WHERE transaction_id = :'ghost'; DELETE FROM ledger_transactions WHERE id = :'ghost'",
     'ghost'),
    ("UPDATE payments SET amount = amount + 100, received = received + 100 WHERE id = :'payment'",
     "UPDATE payments SET amount = amount - 100, received = received - 100 WHERE id = :'payment'", 'payment'),
    ("UPDATE payments SET received = received + 1 WHERE id = :'payment'",
     "UPDATE payments SET received = received - 1 WHERE id = :'payment'", 'payment'),
    ("UPDATE payments SET status = 'failed' WHERE id = :'payment'",
     "UPDATE payments SET status = 'partially_refunded' WHERE id = :'payment'", 'payment'),
    ("UPDATE payments SET status = 'needs_review' WHERE id = :'payment'",
     "UPDATE payments SET status = 'partially_refunded' WHERE id = :'payment'", 'payment'),
    ("UPDATE payments SET refunded = refunded + 1 WHERE id = :'payment'",
     "UPDATE payments SET refunded = refunded - 1 WHERE id = :'payment'", 'payment'),
    ("UPDATE payments SET provider = 'mpesa' WHERE id = :'payment'",
     "UPDATE payments SET provider = 'simulated' WHERE id = :'payment'", 'payment'),
    ("UPDATE refunds SET status = 'sent' WHERE id = :'refund'",
     "UPDATE refunds SET status = 'succeeded' WHERE id = :'refund'", 'refund'),
    ("UPDATE refunds SET amount = amount - 1 WHERE id = :'refund'",
     "UPDATE refunds SET amount = amount + 1 WHERE id = :'refund'", 'refund'),
    ("UPDATE refunds SET sent_amount = sent_amount - 1 WHERE id = :'refund'",
     "UPDATE refunds SET sent_amount = sent_amount + 1 WHERE id = :'refund'", 'refund'),
    ("UPDATE order_parts SET status = 'shipped' WHERE order_id = :'order'",
     "UPDATE order_parts SET status = 'completed' WHERE order_id = :'order'", 'order'),
    ("UPDATE order_parts SET commission_bp = 849 WHERE order_id = :'order'",
     "UPDATE order_parts SET commission_bp = 850 WHERE order_id = :'order'", 'order'),
    ("UPDATE order_parts SET amount = amount + 7 WHERE order_id = :'order'",
     "UPDATE order_parts SET amount = amount - 7 WHERE order_id = :'order'", 'order'),
    ("UPDATE order_lines SET refunded = refunded + 1 WHERE order_id = :'order'",
     "UPDATE order_lines SET refunded = refunded - 1 WHERE order_id = :'order'", 'order'),
]


@suite.test
def test_what_is_changed_by_hand_is_found():
    ids = {**sold(), 'ghost': UNKNOWN}
    equal(faults(), [], 'before')
    missed = []
    for do, undo, named in HANDS:
        quietly = 'SET session_replication_role = replica; '
        sql(quietly + do, SUPERUSER, **ids)
        found = faults()
        sql(quietly + undo, SUPERUSER, **ids)
        if not any(ids[named] in line for line in found):
            missed.append(f'{do}: {found}')
        equal(faults(), [], f'again right after {undo}')
    equal(missed, [], 'changes that were not found, or not by their name')


@suite.test
def test_the_owner_himself_is_refused():
    sold()
    for statement_ in ('UPDATE ledger_entries SET amount = amount + 1', 'DELETE FROM ledger_entries',
                       "UPDATE ledger_transactions SET kind = 'payment_parked'", 'TRUNCATE ledger_entries',
                       'DELETE FROM ledger_transactions'):
        try:
            sql(statement_)
        except Failed as e:
            check('append-only' in str(e), f'{statement_}: {e}')
        else:
            raise Failed(f'{statement_}: was done')
    equal(faults(), [], 'nothing was changed')


@suite.test
def test_sums_and_books():
    sold()
    status, said = run('ledger', 'check')
    equal(status, 0, said)
    for word in ('KES zero sum: 0', 'KES buyer_funds', 'KES provider_cash   simulated', 'KES store_payable',
                 'KES commission', 'the ledger is right'):
        check(word in said, f'{word}: {said}')
    cash = int(sql_one("SELECT sum(e.amount) FROM ledger_entries e JOIN ledger_transactions t ON t.id = e.transaction_id "
                       "WHERE e.account = 'provider_cash' AND e.provider = 'simulated' AND t.currency = 'KES'"))
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        path = os.path.join(d, 'books')
        for text, wanted, words in [
                (f'simulated KES {cash}\n', 0, 'the ledger is right'),
                (f'# ours\n\nsimulated KES {cash}\nstripe KES 0\n', 0, 'the ledger is right'),
                (f'simulated KES {cash + 1}\n', 1, 'fault: simulated KES'),
                ('stripe KES 1\n', 1, 'fault: stripe KES'),
                ('simulated TZS 0\n', 1, 'fault: simulated KES'),
                ('simulated KES\n', 65, 'not "PROVIDER CURRENCY'),
                (f'simulated KES {cash} and more\n', 65, 'not "PROVIDER CURRENCY'),
        ]:
            with open(path, 'w', encoding='ascii') as f:
                f.write(text)
            os.chmod(path, 0o644)
            status, said = run('ledger', 'check', '--books', path)
            equal(status, wanted, f'{text!r}: {said}')
            check(words in said, f'{text!r}: {said}')
        check(run('ledger', 'check', '--books', path + '-none')[0] != 0, 'no such file')
    check(run('ledger', 'check', 'twice')[0] != 0, 'it takes no words')


@suite.test
def test_a_shop_at_work_gives_no_false_alarm():
    seller, product = seller_of('10')
    buyers = [Buyer() for _ in range(3)]
    seen = []
    for _ in range(4):
        orders = [(b, b.order((product, 1))) for b in buyers]
        seen += faults()
        for buyer, order in orders:
            buyer.becomes(order, payment_status='paid')
            seen += faults()
            demand(buyer.cancel(order), 200)
    seen += faults()
    quiet()
    equal(seen + faults(), [], 'never')


if __name__ == '__main__':
    suite.main()
