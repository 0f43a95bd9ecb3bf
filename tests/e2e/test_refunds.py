"""Money goes back: by lines and amounts, by each provider, when everything goes wrong; never above what was
paid, and once.

# settings: JOBS_LEASE=1s JOBS_BACKOFF=100ms JOBS_BACKOFF_MAX=500ms JOBS_POLL=20ms PAYMENT_ASK_AFTER=400ms
# settings: PAYMENT_ASK_MAX=1s REFUND_ASK_AFTER=300ms REFUND_ATTEMPTS=3 MPESA_PROMPT_TTL=1500ms
# settings: PROVIDER_TIMEOUT=1500ms PROVIDER_FAILURES=1000
"""
import secrets

from audit_common import account_of, last_of
from money import books_agree, rule
from refund_common import (Buyer, PATIENCE, Stall, at_rest, channels, charges, give, refunds, refunds_become,
                           shop, sim, sql, sql_one, until)
from soko import Suite, check, demand, equal, together

suite = Suite()
stall = Stall()
PROVIDERS = ('simulated', 'stripe', 'mpesa')


def stock(product):
    return demand(shop.call('GET', f'/products/{product["id"]}', token=stall.admin['access_token']),
                  200).data['stock']


def sees(buyer, order, **wanted):
    def looks_so():
        now = buyer.show(order)
        return now if all(now[k] == v for k, v in wanted.items()) else None
    return until(looks_so, f'an order with {wanted}', PATIENCE)


def gave(order):
    return charges(order)[1]


# --- the straight way -----------------------------------------------------------------------------

@suite.test
def test_hole_31_a_cancelled_order_is_paid_back():
    for method in PROVIDERS:
        product = stall.product()
        buyer, order = stall.paid(method, (product, 3))
        demand(buyer.cancel(order), 200)
        now = sees(buyer, order, payment_status='refunded')
        equal(now['status'], 'cancelled', f'{method}: status')
        equal(stock(product), 20, f'{method}: stock')
        equal([r['status'] for r in refunds(stall.seller, order)], ['succeeded'], f'{method}: refunds')
        if method != 'simulated':
            equal(charges(order)[:2], (30000, 30000), f'{method}: the provider took, and gave')
        payment = shop.call('GET', f'/payments/order/{order["id"]}', token=buyer.token).data[0]
        equal((payment['status'], payment['refunded']), ('refunded', '300'), f'{method}: payment')


@suite.test
def test_lines_and_amounts():
    for method in PROVIDERS:
        a, b = stall.product('100'), stall.product('40')
        buyer, order = stall.paid(method, (a, 3), (b, 2))
        made = demand(give(stall.seller, order, lines=[{'product_id': a['id'], 'quantity': 1}],
                           reason='Arrived broken'), 201).data
        equal([(r['amount'], r['currency'], r['reason'], r['note'], r['store_id']) for r in made],
              [('100', 'KES', 'returned', 'Arrived broken', stall.seller['store_id'])],
              f'{method}: what was made')
        sees(buyer, order, payment_status='partially_refunded')
        demand(give(stall.seller, order, amount='30.00'), 201)
        refunds_become(stall.seller, order, 'succeeded', 'succeeded')
        equal(refunds(stall.admin, order), refunds(stall.seller, order), f'{method}: what he sees')
        now = sees(buyer, order, payment_status='partially_refunded')
        check('refund_paid' in [e['event'] for e in now['events']], f'{method}: history {now["events"]}')
        equal(stock(a), 17, f'{method}: what was kept is not restocked')
        if method == 'stripe':
            equal(charges(order)[:2], (38000, 13000), 'Stripe took, and gave')
        if method == 'mpesa':
            equal(payouts(buyer), [10000, 3000], 'M-Pesa sent')


@suite.test
def test_never_above_what_was_paid():
    product = stall.product('100')
    _, order = stall.paid('simulated', (product, 3))
    line = {'product_id': product['id']}
    a = demand(give(stall.seller, order, lines=[{**line, 'quantity': 4}]), 400, 'VALIDATION_ERROR')
    equal(a.fields, ['lines[0].quantity'], 'field')
    demand(give(stall.seller, order, amount='300.01'), 400, 'VALIDATION_ERROR')
    demand(give(stall.seller, order, amount='200'), 201)
    demand(give(stall.seller, order, amount='100.01'), 400, 'VALIDATION_ERROR')
    demand(give(stall.seller, order, lines=[{**line, 'quantity': 2}]), 400, 'VALIDATION_ERROR')
    demand(give(stall.seller, order, lines=[{**line, 'quantity': 1}]), 201)
    demand(give(stall.seller, order, amount='0.01'), 400, 'VALIDATION_ERROR')
    refunds_become(stall.seller, order, 'succeeded', 'succeeded')
    equal(sum(float(r['amount']) for r in refunds(stall.seller, order)), 300.0, 'sum of refunds')


@suite.test
def test_what_is_refused():
    product, strange = stall.product(), stall.product()
    buyer, order = stall.paid('simulated', (product, 2))
    line = {'product_id': product['id'], 'quantity': 1}
    for label, body, field in (
            ('nothing', {}, 'lines'),
            ('both', {'lines': [line], 'amount': '1'}, 'amount'),
            ('no lines', {'lines': []}, 'lines'),
            ('a product twice', {'lines': [line, line]}, 'lines'),
            ('of another order', {'lines': [{'product_id': strange['id'], 'quantity': 1}]},
             'lines[0].product_id'),
            ('zero', {'amount': '0'}, 'amount'),
            ('less than a cent', {'amount': '1.001'}, 'amount'),
            ('negative', {'amount': '-1'}, 'amount'),
            ('no units', {'lines': [{**line, 'quantity': 0}]}, 'lines[0].quantity')):
        a = demand(give(stall.seller, order, **body), 400, 'VALIDATION_ERROR')
        equal(a.fields, [field], label)
    a = demand(give(stall.admin, order, amount='1'), 400, 'VALIDATION_ERROR')
    equal(a.fields, ['store_id'], 'an administrator names the store')
    demand(give(stall.admin, order, amount='1', store_id=stall.seller['store_id']), 201)
    demand(shop.call('POST', f'/orders/{order["id"]}/refunds', {'amount': '1'}, buyer.token), 403)
    demand(give(stall.seller, {'id': '01920000-0000-7000-8000-00000000dead'}, amount='1'), 404)
    equal(len(refunds(stall.seller, order)), 1, 'refunds')


@suite.test
def test_what_was_not_paid_here():
    product = stall.product()
    buyer = shop.sign_up()
    cash = demand(shop.buy(buyer, product['id'], 1, 'cash_on_delivery'), 201).data
    a = demand(give(stall.seller, cash, amount='1'), 400, 'INVALID_STATUS')
    check('cash' in a.errors[0]['message'], f'a plain sentence: {a!r}')
    unpaid = demand(shop.buy(buyer, product['id'], 1, 'mpesa'), 201).data
    demand(give(stall.seller, unpaid, amount='1'), 400, 'INVALID_STATUS')
    equal(refunds(stall.seller, cash) + refunds(stall.seller, unpaid), [], 'refunds')


# --- whose ----------------------------------------------------------------------------------------

@suite.test
def test_a_seller_gives_back_and_sees_his_own():
    mine, theirs = stall.product('100'), stall.product('50', seller=stall.other)
    buyer, order = stall.paid('simulated', (mine, 2), (theirs, 2))
    demand(give(stall.seller, order, lines=[{'product_id': theirs['id'], 'quantity': 1}]), 400,
           'VALIDATION_ERROR')
    demand(give(stall.seller, order, amount='200.01'), 400, 'VALIDATION_ERROR')
    demand(give(stall.seller, order, amount='20', store_id=stall.other['store_id']), 403)
    demand(give(stall.seller, order, amount='20'), 201)
    demand(give(stall.other, order, amount='10'), 201)
    demand(shop.call('PUT', f'/orders/{order["id"]}/status', {'status': 'cancelled'},
                     stall.other['access_token']), 200)
    refunds_become(stall.admin, order, 'succeeded', 'succeeded', 'succeeded')
    equal([r['amount'] for r in refunds(stall.seller, order)], ['20'], 'the one sees')
    equal([(r['amount'], r['reason']) for r in refunds(stall.other, order)],
          [('10', 'returned'), ('90', 'part_cancelled')], 'the other sees')
    equal(len(refunds(stall.admin, order, f'?store_id={stall.other["store_id"]}')), 2, 'of one store')
    stranger = shop.new_seller('Nix')
    demand(shop.call('GET', f'/orders/{order["id"]}/refunds', token=stranger['access_token']), 404)
    demand(give(stranger, order, amount='1'), 404)
    demand(give(stall.other, order, amount='1'), 400, 'INVALID_STATUS')
    events = demand(shop.call('GET', '/seller/orders', token=stall.seller['access_token']), 200).data
    own = next(o for o in events if o['id'] == order['id'])['events']
    equal([e['event'] for e in own].count('refund_paid'), 1, 'refunds in his history')
    equal(sees(buyer, order, payment_status='partially_refunded')['status'], 'paid', 'the order')


# --- at once --------------------------------------------------------------------------------------

@suite.test
def test_two_for_one_line():
    product = stall.product()
    _, order = stall.paid('simulated', (product, 1))
    answers = together(8, lambda i: give(stall.seller, order,
                                         lines=[{'product_id': product['id'], 'quantity': 1}]))
    equal(sorted(a.status for a in answers), [201] + [400] * 7, 'statuses')
    refunds_become(stall.seller, order, 'succeeded')


@suite.test
def test_one_key_one_refund():
    product = stall.product()
    _, order = stall.paid('stripe', (product, 3))
    key = secrets.token_hex(8)
    answers = together(8, lambda i: give(stall.seller, order, key, amount='50'))
    check(all(a.status in (201, 409) for a in answers), f'{answers!r}')
    first = demand(give(stall.seller, order, key, amount='50'), 201)
    equal(first.headers.get('idempotent-replayed'), 'true', 'a replay')
    refunds_become(stall.seller, order, 'succeeded')
    equal(gave(order), 5000, 'what Stripe gave back')


# --- when it goes wrong ---------------------------------------------------------------------------

def crash_or_trouble(method, operation, **do):
    """A full refund whose first call to the provider is bent; gives the order when it is at rest."""
    product = stall.product()
    buyer, order = stall.paid(method, (product, 2))
    rule('stripe' if method == 'stripe' else 'daraja', operation, order['order_number'], 1, **do)
    demand(buyer.cancel(order), 200)
    until(lambda: at_rest(order), 'an order at rest', PATIENCE)
    sees(buyer, order, payment_status='refunded')
    equal(gave(order), 20000, f'{method}, {operation}, {do}: what went back')
    equal(len(refunds(stall.seller, order)), 1, f'{method}, {operation}, {do}: refunds')
    return order


@suite.test
def test_the_answer_is_lost_or_the_provider_fails():
    for do in ({'drop': True}, {'status': 500}, {'hang': True}, {'status': 429}):
        crash_or_trouble('stripe', 'create_refund', **do)
        crash_or_trouble('mpesa', 'reversal', **do)


@suite.test
def test_the_result_is_lost_doubled_late_or_a_text():
    for do in ({'lost': True}, {'copies': 3, 'parallel': True}, {'before_answer': True},
               {'as_string': True}, {'single': True}, {'timeout_first': True}, {'timeout_only': True}):
        crash_or_trouble('mpesa', 'result', **do)


@suite.test
def test_mpesa_by_payout_meets_the_same():
    for operation, do in (('b2c', {'drop': True}), ('b2c', {'status': 500}), ('result', {'lost': True}),
                          ('result', {'timeout_only': True}), ('result', {'before_answer': True}),
                          ('result', {'copies': 2, 'parallel': True})):
        product = stall.product()
        buyer, order = stall.paid('mpesa', (product, 2))
        for match in (order['order_number'], buyer.phone.lstrip('+')):
            if operation == 'result' or match != order['order_number']:
                rule('daraja', operation, match, 1, **do)
        demand(give(stall.seller, order, amount='50'), 201)
        refunds_become(stall.seller, order, 'succeeded')
        until(lambda: at_rest(order), 'an order at rest', PATIENCE)
        equal(channels(order), ['mpesa_b2c'], f'{operation}, {do}: channel')
        equal(payouts(buyer), [5000], f'{operation}, {do}: what went out')


def payouts(buyer):
    return [t['amount'] for t in sim('GET', '/sim/transactions')
            if t['kind'] == 'b2c' and t['phone'] == buyer.phone.lstrip('+')]


@suite.test
def test_a_payout_that_failed_is_tried_again_and_then_a_person_must():
    product = stall.product()
    buyer, order = stall.paid('mpesa', (product, 2))
    phone = buyer.phone.lstrip('+')
    rule('daraja', 'b2c', phone, 3, result_code='1')
    demand(give(stall.seller, order, amount='50'), 201)
    until(lambda: sql_one("SELECT r.attempt = 3 AND r.status = 'failed' AND r.ask_at IS NULL FROM refunds r "
                          "JOIN payments p ON p.id = r.payment_id WHERE p.order_id = :'id'",
                          id=order['id']) == 't', 'a refund that waits for a person', PATIENCE)
    failed = refunds_become(stall.seller, order, 'failed')[0]
    equal(failed['failure'], '1', 'why')
    equal(payouts(buyer), [], 'what went out')
    path = f'/admin/refunds/{failed["id"]}/retry'
    demand(shop.call('POST', path, token=stall.seller['access_token']), 403)
    demand(shop.call('POST', path, token=stall.admin['access_token']), 200)
    equal(last_of('refund.retried', failed['id'])['actor'], account_of(stall.admin), 'in the audit log')
    refunds_become(stall.seller, order, 'succeeded')
    equal(payouts(buyer), [5000], 'what went out')
    demand(shop.call('POST', path, token=stall.admin['access_token']), 400, 'INVALID_STATUS')
    # What is owed stays owed: a failed refund is not asked for a second time by somebody else.
    demand(buyer.cancel(order), 200)
    refunds_become(stall.admin, order, 'succeeded', 'succeeded')
    equal(sum(payouts(buyer)), 20000, 'what went out')


@suite.test
def test_what_mpesa_cannot_send_is_said():
    product = stall.product('100')
    buyer, order = stall.paid('mpesa', (product, 1))
    demand(give(stall.seller, order, amount='9'), 201)
    failed = refunds_become(stall.seller, order, 'failed')[0]
    check('10 shillings' in failed['failure'], failed['failure'])
    demand(buyer.cancel(order), 200)
    refunds_become(stall.admin, order, 'failed', 'succeeded')


@suite.test
def test_stripe_says_that_it_went_and_then_that_it_did_not():
    product = stall.product()
    buyer = Buyer('Rex')
    order = buyer.order(product['id'], 'stripe', 1)
    until(lambda: buyer.ask_stripe(order, 'pm_card_refundFail'), 'a payment by that card', PATIENCE)
    sees(buyer, order, payment_status='paid')
    demand(buyer.cancel(order), 200)

    def replaced():
        return sql("SELECT r.status, r.reversed FROM refunds r JOIN payments p ON p.id = r.payment_id "
                   "WHERE p.order_id = :'id' ORDER BY r.created_at, r.id", id=order['id'])
    def waits():
        now = replaced()
        return now if len(now) == 4 and now[-1] == ['failed', 'f'] else None
    rows = until(waits, 'a refund that waits for a person', PATIENCE)
    equal(rows[:3], [['failed', 't']] * 3, 'those that went and came back')
    sees(buyer, order, payment_status='paid')
    equal(gave(order), 0, 'what Stripe gave back')
    last = refunds(stall.seller, order)[-1]
    check(last['failure'], 'it says why')
    # The ledger's word on all of this: test_the_books_agree.


# --- who may speak --------------------------------------------------------------------------------

@suite.test
def test_a_stranger_is_not_believed():
    token = secrets.token_hex(32)
    body = {'Result': {'ResultType': 0, 'ResultCode': 0, 'ResultDesc': 'ok', 'ConversationID': 'AG_1',
                       'OriginatorConversationID': 'x', 'TransactionID': 'SG632NMUAB'}}
    for path in ('result', 'timeout'):
        demand(shop.call('POST', f'/webhooks/{path}/{token}', body), 404, 'NOT_FOUND')
        demand(shop.call('POST', f'/webhooks/{path}/nonsense', body), 404, 'NOT_FOUND')


def a_result(code=0, receipt='SG632NMUAB', conversation='AG_20260220_x'):
    return {'Result': {'ResultType': 0, 'ResultCode': code, 'ResultDesc': 'so', 'ConversationID': conversation,
                       'OriginatorConversationID': 'x', 'TransactionID': receipt}}


def known_token(refund):
    """Gives the attempt a token that we know; the shop keeps hashes alone."""
    token = secrets.token_hex(32)
    sql("UPDATE refunds SET token_hash = sha256(:'t'::bytea) WHERE id = :'id'", t=token, id=refund['id'])
    return token


@suite.test
def test_a_late_or_repeated_word_changes_nothing():
    """By one who knows the token: what went has gone, and stays so."""
    _, order = stall.paid('mpesa', (stall.product(), 2))
    demand(give(stall.seller, order, amount='50'), 201)
    done = refunds_become(stall.seller, order, 'succeeded')[0]
    token = known_token(done)
    conversation = sql_one("SELECT conversation FROM refunds WHERE id = :'id'", id=done['id'])

    def post(kind, body):
        return shop.call('POST', f'/webhooks/{kind}/{token}', body)
    for body in (a_result(1, conversation=conversation), a_result(1), a_result(0, 'SECOND0000'), a_result('2001'),
                 a_result('R000001')):
        for answer in together(4, lambda i: post('result', body)):
            equal(demand(answer, 200).json, {'ResultCode': 0, 'ResultDesc': 'Accepted'}, 'what it wants to hear')
    demand(post('result', {'not': 'a result'}), 400, 'VALIDATION_ERROR')
    demand(post('timeout', {'whatever': 1}), 200)
    equal(refunds(stall.seller, order), [done], 'refunds')
    equal(sql_one("SELECT count(*) FROM provider_events WHERE subject = :'id' AND kind = 'result' "
                  "AND body LIKE '%SECOND0000%'", id=done['id']), '1', 'a word is kept once')


@suite.test
def test_an_address_that_is_not_listed_only_makes_us_ask():
    product = stall.product()
    buyer, order = stall.paid('mpesa', (product, 2))
    rule('daraja', 'result', order['order_number'], 1, **{'from': '203.0.113.9'})
    demand(buyer.cancel(order), 200)
    sees(buyer, order, payment_status='refunded')
    until(lambda: at_rest(order), 'an order at rest', PATIENCE)
    equal(gave(order), 20000, 'what went back')


@suite.test
def test_the_books_agree():
    until(lambda: sql_one("SELECT count(*) FROM outbox WHERE parked_at IS NULL") == '0', 'quiet', PATIENCE)
    books_agree()


if __name__ == '__main__':
    suite.main()
