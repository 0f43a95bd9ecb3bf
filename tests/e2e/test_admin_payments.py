"""An administrator finds a payment by its receipt, and decides about money that fits nothing.

# settings: JOBS_LEASE=1s JOBS_BACKOFF=100ms JOBS_BACKOFF_MAX=500ms JOBS_POLL=20ms PAYMENT_ASK_AFTER=400ms
# settings: PAYMENT_ASK_MAX=1s REFUND_ASK_AFTER=300ms MPESA_PROMPT_TTL=1500ms PROVIDER_TIMEOUT=1500ms
"""
from audit_common import account_of, entries, last_of
from money import books_agree, rule
from refund_common import Buyer, PATIENCE, Stall, shop, sim, sql, sql_one, until
from soko import Suite, check, demand, equal, together

suite = Suite()
stall = Stall()
TOKEN = stall.admin['access_token']


def find(**filters):
    query = '&'.join(f'{k}={v}' for k, v in filters.items())
    return demand(shop.call('GET', f'/admin/payments?{query}', token=TOKEN), 200).data


def resolve(payment, action, token=TOKEN, **more):
    return shop.call('POST', f'/admin/payments/{payment["id"]}/resolve', {'action': action, **more}, token)


def by_hand(buyer, amount, bill):
    """Money that M-Pesa did not ask us about."""
    rule('daraja', 'validation', bill, 1, lost=True)
    return sim('POST', '/sim/c2b', {'phone': buyer.phone.lstrip('+'), 'amount': amount, 'bill': bill})['receipt']


def in_review(receipt):
    found = until(lambda: find(receipt=receipt), 'a payment with this receipt', PATIENCE)
    equal(found[0]['status'], 'needs_review', 'status')
    return found[0]


def becomes(receipt, **wanted):
    def looks_so():
        now = find(receipt=receipt)[0]
        return now if all(now[k] == v for k, v in wanted.items()) else None
    return until(looks_so, f'a payment with {wanted}', PATIENCE)


def mismatch(amount, price='100'):
    buyer = Buyer('Mona')
    order = buyer.order(stall.product(price)['id'], 'mpesa', 1)
    return buyer, order, in_review(by_hand(buyer, amount, order['order_number']))


def unknown(amount):
    return in_review(by_hand(Buyer('Noel'), amount, 'WHATBILL'))


@suite.test
def test_which_buyer_made_the_payment_with_this_receipt():
    buyer, order = stall.paid('mpesa', (stall.product('100'), 2))
    receipt = sql_one("SELECT receipt FROM payments WHERE order_id = :'id'", id=order['id'])
    found = find(receipt=receipt)
    equal(len(found), 1, 'payments with this receipt')
    p = found[0]
    equal((p['account_id'], p['account_name'], p['order_number'], p['amount'], p['received'], p['status'],
           p['provider'], p['currency']),
          (buyer.me['user']['id'], 'Rita', order['order_number'], '200', '200', 'succeeded', 'mpesa', 'KES'),
          'what it says')
    equal(p['phone'], buyer.phone[:7] + '***' + buyer.phone[-3:], 'the phone, masked')


@suite.test
def test_filters():
    buyer, order = stall.paid('simulated', (stall.product('100'), 1))
    mine = {'account_id': buyer.me['user']['id']}
    for more, count in (({}, 1), ({'status': 'succeeded'}, 1), ({'status': 'failed'}, 0),
                        ({'provider': 'simulated'}, 1), ({'provider': 'stripe'}, 0),
                        ({'order_number': order['order_number']}, 1), ({'order_number': 'NOSUCH'}, 0),
                        ({'from': '2020-01-01'}, 1), ({'until': '2020-01-01'}, 0)):
        equal(len(find(**mine, **more)), count, f'{more}')
    demand(shop.call('GET', '/admin/payments?status=rich', token=TOKEN), 400, 'VALIDATION_ERROR')
    demand(shop.call('GET', '/admin/payments', token=buyer.token), 403)
    demand(shop.call('GET', '/admin/payments', token=stall.seller['access_token']), 403)


@suite.test
def test_less_is_accepted():
    buyer, order, payment = mismatch(9900)
    demand(resolve(payment, 'accept', buyer.token), 403)
    other = Buyer('Otto').order(stall.product()['id'], 'mpesa', 1)
    demand(resolve(payment, 'accept', order_id=other['id']), 400, 'VALIDATION_ERROR')
    done = demand(resolve(payment, 'accept', reason='A regular'), 200).data
    entry = last_of('payment.resolved', payment['id'])
    equal((entry['actor'], entry['actor_role'], entry['detail']),
          (account_of(stall.admin), 'admin', {'resolution': 'accept', 'order': order['id'], 'amount': '9900',
                                              'currency': 'KES'}), 'in the audit log')
    equal(len(entries(subject=payment['id'])), 1, 'and who was refused is not')
    equal((done['status'], done['amount'], done['received']), ('succeeded', '100', '99'), 'the payment')
    equal(buyer.show(order)['payment_status'], 'paid', 'the order')
    demand(resolve(payment, 'accept'), 400, 'INVALID_STATUS')
    demand(buyer.cancel(order), 200)
    becomes(payment['receipt'], status='refunded')


@suite.test
def test_more_is_accepted_and_the_rest_goes_back():
    buyer, order, payment = mismatch(15000)
    demand(resolve(payment, 'accept'), 200)
    equal(buyer.show(order)['payment_status'], 'paid', 'the order')
    until(lambda: sql_one("SELECT status FROM refunds WHERE payment_id = :'id'", id=payment['id'])
          in ('failed', 'succeeded'), 'the rest', PATIENCE)
    equal(sql_one("SELECT amount FROM refunds WHERE payment_id = :'id'", id=payment['id']), '5000', 'how much')


@suite.test
def test_all_of_it_goes_back():
    for amount in (9900, 15000):
        buyer, order, payment = mismatch(amount)
        demand(resolve(payment, 'refund', reason='Wrong amount'), 200)
        demand(resolve(payment, 'refund'), 400, 'INVALID_STATUS')
        demand(resolve(payment, 'accept'), 400, 'INVALID_STATUS')
        done = becomes(payment['receipt'], status='refunded')
        equal(done['refunded'], str(amount // 100), 'what went back')
        equal(buyer.show(order)['payment_status'], 'unpaid', 'the order may be paid yet')
        sim('POST', '/sim/auto', {'action': 'approve', 'after_ms': 1, 'match': order['order_number']})
        equal(buyer.pay(order)['payment_status'], 'paid', 'the order')


@suite.test
def test_an_unknown_bill_is_given_to_its_order():
    buyer = Buyer('Nora')
    order = buyer.order(stall.product('100')['id'], 'mpesa', 1)
    payment = unknown(10000)
    equal((payment['order_id'], payment['account_id']), (None, None), 'whose')
    a = demand(resolve(payment, 'accept'), 400, 'VALIDATION_ERROR')
    equal(a.fields, ['order_id'], 'field')
    demand(resolve(payment, 'accept', order_id='01920000-0000-7000-8000-00000000dead'), 400,
           'VALIDATION_ERROR')
    dear = buyer.order(stall.product('100.01')['id'], 'mpesa', 2)
    demand(resolve(payment, 'accept', order_id=dear['id']), 400, 'INVALID_STATUS')
    answers = together(4, lambda i: resolve(payment, 'accept', order_id=order['id']))
    equal(sorted(a.status for a in answers), [200, 400, 400, 400], 'statuses')
    equal(buyer.show(order)['payment_status'], 'paid', 'the order')
    equal(find(receipt=payment['receipt'])[0]['order_id'], order['id'], 'whose it is now')


@suite.test
def test_one_decision_is_one():
    """Of an unknown bill, which no order's lock guards."""
    buyer = Buyer('Nils')
    for _ in range(8):
        order = buyer.order(stall.product('100')['id'], 'mpesa', 1)
        payment = unknown(10000)
        answers = together(8, lambda i, p=payment, o=order: resolve(p, 'accept', order_id=o['id'])
                           if i % 2 else resolve(p, 'refund'))
        equal(sorted(a.status for a in answers), [200] + [400] * 7, 'statuses')
        done = until(lambda p=payment: next((q for q in find(receipt=p['receipt'])
                                             if q['status'] in ('succeeded', 'refunded')), None),
                     'a decision', PATIENCE)
        equal(buyer.show(order)['payment_status'], 'paid' if done['status'] == 'succeeded' else 'unpaid', 'the order')


@suite.test
def test_an_expired_order_costs_what_it_did():
    buyer = Buyer('Nora')
    order = buyer.order(stall.product('100')['id'], 'mpesa', 1)
    sql("UPDATE orders SET expires_at = now() - interval '1 second' WHERE id = :'id'", id=order['id'])
    until(lambda: buyer.show(order)['status'] == 'cancelled', 'an order that expired', PATIENCE)
    little, enough = unknown(9900), unknown(10000)
    demand(resolve(little, 'accept', order_id=order['id']), 400, 'INVALID_STATUS')
    demand(resolve(enough, 'accept', order_id=order['id']), 200)
    equal(buyer.show(order)['payment_status'], 'paid', 'the order')


@suite.test
def test_an_unknown_bill_goes_back():
    payment = unknown(12300)
    demand(resolve(payment, 'refund'), 200)
    becomes(payment['receipt'], status='refunded', refunded='123')


@suite.test
def test_what_needs_no_review():
    _, order = stall.paid('simulated', (stall.product('100'), 1))
    payment = find(order_number=order['order_number'])[0]
    for action in ('accept', 'refund'):
        demand(resolve(payment, action), 400, 'INVALID_STATUS')
    demand(resolve(payment, 'burn'), 400, 'VALIDATION_ERROR')
    demand(resolve({'id': '01920000-0000-7000-8000-00000000dead'}, 'accept'), 404)
    demand(shop.call('POST', '/admin/refunds/01920000-0000-7000-8000-00000000dead/retry', token=TOKEN), 404)


@suite.test
def test_the_books_agree():
    until(lambda: sql_one('SELECT count(*) FROM outbox WHERE parked_at IS NULL') == '0', 'quiet', PATIENCE)
    check(books_agree() is not None, 'the books')


if __name__ == '__main__':
    suite.main()
