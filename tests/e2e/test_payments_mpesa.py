"""Paying by M-Pesa: the prompt, its callback, and what is believed of it.

# settings: JOBS_LEASE=2s JOBS_BACKOFF=100ms JOBS_BACKOFF_MAX=500ms JOBS_POLL=20ms PAYMENT_ASK_AFTER=500ms
# settings: PAYMENT_ASK_MAX=1s MPESA_PROMPT_TTL=2s PROVIDER_TIMEOUT=3s PROVIDER_FAILURES=1000 WORKERS_WIRE=4
"""
import os
import secrets

from money import Buyer, arm, at_rest, charges, rule, shop, sim
from owner import sql, sql_one
from soko import Suite, check, demand, equal, until

suite = Suite()
UNKNOWN = '01920000-0000-7000-8000-00000000dead'
seller = shop.new_seller()
category = shop.new_category()
goods = shop.new_product(seller, category['id'], price='150', stock=1000)
odd = shop.new_product(seller, category['id'], price='100.5', stock=1000)
dear = shop.new_product(seller, category['id'], price='250001', stock=1000)
dollars = shop.new_product(seller, category['id'], price='10', stock=1000, currency='USD')


def new_order(product=goods, quantity=2, method='mpesa'):
    """Each with a buyer and a phone of its own."""
    who = Buyer()
    return who, who.order(product['id'], method, quantity)


def push(who, o, **more):
    return who.call('POST', '/payments/mpesa', {'order_id': o['id'], 'phone': who.phone, **more})


def prompt(who):
    return until(lambda: (sim('GET', f'/sim/phones/{who.phone[1:]}') or [None])[-1], 'a prompt')


def answer(who, action='approve'):
    return sim('POST', f'/sim/prompts/{prompt(who)["checkout_id"]}', {'action': action})


def becomes(who, o, **wanted):
    def looks():
        now = who.show(o)
        return now if all(now[k] == v for k, v in wanted.items()) else None
    return until(looks, f'an order with {wanted}')


def attempts(who, o):
    return demand(who.call('GET', f'/payments/order/{o["id"]}'), 200).data


def attempt_becomes(who, o, status):
    return until(lambda: (lambda a: a if a['status'] == status else None)(attempts(who, o)[0]),
                 f'an attempt that is {status}')


def paid_once(who, o, amount=30000):
    now = becomes(who, o, payment_status='paid')
    equal([e['event'] for e in now['events']].count('payment_paid'), 1, 'effects')
    equal(charges(o), (amount, 0, 1), "M-Pesa's books")
    return now


# --- the way it goes ------------------------------------------------------------------------------

@suite.test
def test_paid_by_phone():
    who, o = new_order()
    national = '0' + who.phone[4:7] + ' ' + who.phone[7:]
    p = demand(push(who, o, phone=national), 202).data
    equal([p[k] for k in ('provider', 'status', 'amount', 'asked', 'currency')],
          ['mpesa', 'processing', '300', '300', 'KES'], 'the attempt')
    equal(p['phone'], who.phone[:7] + '***' + who.phone[-3:], 'the phone, masked')
    check(p['checkout_request_id'].startswith('ws_CO_'), 'its name')
    demand(push(who, o), 409, 'CONFLICT')  # one prompt an order
    demand(who.call('POST', '/payments/stripe', {'order_id': o['id']}), 409, 'CONFLICT')
    seen = prompt(who)
    equal([seen['amount'], seen['reference']], [30000, o['order_number']], 'what the phone shows')
    answer(who)
    paid_once(who, o)
    mine = demand(who.call('GET', f'/payments/{p["id"]}'), 200).data
    equal([mine['status'], mine['received']], ['succeeded', '300'], 'the payment')
    check(mine['receipt'] and 'checkout_request_id' not in mine, 'its receipt')
    demand(push(who, o), 409, 'CONFLICT')


@suite.test
def test_hole_15_whole_shillings():
    """The phone is asked for whole shillings; the difference is booked, not lost."""
    who, o = new_order(odd, 1)
    p = demand(push(who, o), 202).data
    equal([p['amount'], p['asked']], ['100.5', '101'], 'what is due, and what is asked for')
    check(len(o['order_number']) <= 12 and o['order_number'].isalnum(), 'the reference')
    answer(who)
    paid_once(who, o, 10100)
    rows = sql("""SELECT e.account, e.amount FROM ledger_entries e JOIN ledger_transactions t ON t.id = e.transaction_id
                  WHERE t.order_id = :'id' ORDER BY 1""", id=o['id'])
    equal(rows, [['buyer_funds', '-10050'], ['provider_cash', '10100'], ['rounding', '-50']], 'the books')


@suite.test
def test_what_is_refused():
    who, o = new_order()
    for phone in ('+447911123456', '12', 'nonsense', '0312345678'):
        a = demand(push(who, o, phone=phone), 400, 'VALIDATION_ERROR')
        equal(a.fields, ['phone'], f'{phone}')
    demand(who.call('POST', '/payments/mpesa', {}), 400, 'VALIDATION_ERROR')
    stranger = Buyer('Ola')
    for x, oid in ((stranger, o['id']), (who, UNKNOWN)):
        demand(x.call('POST', '/payments/mpesa', {'order_id': oid, 'phone': x.phone}), 404, 'NOT_FOUND')
    for product in (dear, dollars):
        x, big = new_order(product, 1)
        demand(push(x, big), 400, 'VALIDATION_ERROR')
    x, cash = new_order(method='cash_on_delivery')
    demand(push(x, cash), 400, 'INVALID_STATUS')
    equal(attempts(who, o), [], 'nothing was begun')


@suite.test
def test_wrong_pin_then_right():
    for action, code in (('wrong_pin', '2001'), ('cancel', '1032')):
        who, o = new_order()
        demand(push(who, o), 202)
        answer(who, action)
        equal(attempt_becomes(who, o, 'failed')['failure'], code, action)
        equal(who.show(o)['payment_status'], 'unpaid', 'the order')
        demand(push(who, o), 202)
        answer(who)
        paid_once(who, o)


# --- what is believed -----------------------------------------------------------------------------

def a_callback(checkout, amount=300, receipt='SFORGED123'):
    """A perfect body."""
    return {'Body': {'stkCallback': {
        'MerchantRequestID': '1-2-3', 'CheckoutRequestID': checkout, 'ResultCode': 0,
        'ResultDesc': 'The service request is processed successfully.',
        'CallbackMetadata': {'Item': [{'Name': 'Amount', 'Value': amount},
                                      {'Name': 'MpesaReceiptNumber', 'Value': receipt},
                                      {'Name': 'TransactionDate', 'Value': 20261119102115},
                                      {'Name': 'PhoneNumber', 'Value': 254708374149}]}}}}


def known_token(o):
    """Gives the attempt a token that we know; the shop keeps hashes alone."""
    token = secrets.token_hex(32)
    sql("UPDATE payments SET token_hash = sha256(:'t'::bytea) WHERE order_id = :'id'", t=token, id=o['id'])
    return token


@suite.test
def test_hole_08_forged_callbacks_change_nothing():
    who, o = new_order()
    p = demand(push(who, o), 202).data
    body = a_callback(p['checkout_request_id'])
    for token in (secrets.token_hex(32), '0' * 64, 'A' * 64, 'x', p['id']):
        demand(shop.call('POST', f'/webhooks/stk/{token}', body), 404, 'NOT_FOUND')
    token = known_token(o)
    # From elsewhere, with the right token: only what M-Pesa confirms counts, and it was never paid.
    answer(who, 'cancel')
    attempt_becomes(who, o, 'failed')
    a = demand(shop.call('POST', f'/webhooks/stk/{token}', body, headers={'X-Forwarded-For': '203.0.113.9'}), 200)
    equal(a.json, {'ResultCode': 0, 'ResultDesc': 'Accepted'}, 'what M-Pesa wants to hear')
    until(lambda: sql("SELECT state FROM provider_events WHERE subject = :'id' AND body LIKE '%SFORGED123%'",
                      id=p['id']) == [['ignored']], 'a callback that was contradicted')
    # Of another prompt than ours.
    demand(shop.call('POST', f'/webhooks/stk/{token}', a_callback('ws_CO_other')), 200)
    demand(shop.call('POST', f'/webhooks/stk/{token}', {'not': 'a callback'}), 400, 'VALIDATION_ERROR')
    equal([who.show(o)['payment_status'], attempts(who, o)[0]['status']], ['unpaid', 'failed'], 'the order')
    equal(charges(o), (0, 0, 0), 'charged')


@suite.test
def test_hole_08_from_an_unlisted_address_it_waits_for_the_query():
    who, o = new_order()
    rule('daraja', 'callback', o['order_number'], None, **{'from': '203.0.113.9'})
    demand(push(who, o), 202)
    answer(who)
    paid_once(who, o)
    check(attempts(who, o)[0]['receipt'], "the callback's receipt")


@suite.test
def test_hole_10_and_14_a_thousand_replays_have_one_effect():
    """Through two lives of the pool: what is known is in the database, not in a process."""
    who, o = new_order()
    rule('daraja', 'callback', o['order_number'], None, copies=1000, parallel=True)
    demand(push(who, o), 202)
    answer(who)
    until(lambda: [len(d['attempts']) for d in sim('GET', f'/sim/deliveries?match={o["order_number"]}')
                   if d['operation'] == 'callback'] == [1000], 'a thousand callbacks', 120)
    paid_once(who, o)
    statuses = {a['status'] for d in sim('GET', f'/sim/deliveries?match={o["order_number"]}')
                if d['operation'] == 'callback' for a in d['attempts']}
    equal(statuses, {200}, 'what each was told')
    equal(sql_one("SELECT count(*) FROM provider_events WHERE subject = :'id'", id=attempts(who, o)[0]['id']), '1',
          'rows')
    equal(sql_one("SELECT count(*) FROM ledger_transactions WHERE order_id = :'id'", id=o['id']), '1', 'bookings')


@suite.test
def test_wrong_amount_is_for_a_person():
    who, o = new_order()
    rule('daraja', 'callback', o['order_number'], None, amount=29900)
    demand(push(who, o), 202)
    answer(who)
    equal(attempt_becomes(who, o, 'needs_review')['received'], '299', 'what came')
    equal(who.show(o)['payment_status'], 'unpaid', 'the order')


@suite.test
def test_a_second_receipt_is_a_second_payment():
    """Two sums for one prompt: the second goes back."""
    who, o = new_order()
    p = demand(push(who, o), 202).data
    answer(who)
    paid_once(who, o)
    token = known_token(o)
    demand(shop.call('POST', f'/webhooks/stk/{token}', a_callback(p['checkout_request_id'], receipt='SSECOND' +
                                                               secrets.token_hex(2).upper())), 200)
    all_of_it = attempts(who, o)
    equal(len(all_of_it), 2, 'payments')
    equal(sql_one("""SELECT sum(r.amount) FROM refunds r JOIN payments p ON p.id = r.payment_id
                     WHERE p.order_id = :'id'""", id=o['id']), '30000', 'what goes back')
    equal(who.show(o)['status'], 'paid', 'the order')


@suite.test
def test_hole_14_lost_callbacks_are_asked_for():
    who, o = new_order()
    rule('daraja', 'callback', o['order_number'], None, lost=True)
    demand(push(who, o), 202)
    answer(who)
    paid_once(who, o)
    check(attempts(who, o)[0]['receipt'], 'the receipt, from the list of what came')


@suite.test
def test_pending_is_not_failed():
    for form in ('a', 'b'):
        who, o = new_order()
        rule('daraja', 'callback', o['order_number'], None, lost=True)
        rule('daraja', 'query', o['order_number'], None, pending=2, form=form)
        demand(push(who, o), 202)
        answer(who)
        paid_once(who, o)


@suite.test
def test_paid_after_it_failed():
    who, o = new_order()
    demand(push(who, o), 202)
    sim('POST', f'/sim/prompts/{prompt(who)["checkout_id"]}', {'action': 'fail', 'code': '1037'})
    attempt_becomes(who, o, 'failed')
    answer(who)
    paid_once(who, o)


# --- M-Pesa in trouble ----------------------------------------------------------------------------

@suite.test
def test_refused():
    who, o = new_order()
    rule('daraja', 'push', o['order_number'], 1, status=400, code='400.002.02')
    a = demand(push(who, o), 402, 'PAYMENT_FAILED')
    failed = demand(who.call('GET', f'/payments/{a.errors[0]["details"]["payment_id"]}'), 200).data
    equal([failed['status'], failed['failure']], ['failed', '400.002.02'], 'the attempt')
    demand(push(who, o), 202)
    answer(who)
    paid_once(who, o)


@suite.test
def test_answer_lost():
    """The prompt is on the phone: it is not sent again, and its callback finds the attempt."""
    who, o = new_order()
    rule('daraja', 'push', o['order_number'], 1, drop=True)
    demand(push(who, o), 504, 'REQUEST_TIMEOUT')
    equal(attempts(who, o)[0]['status'], 'unknown', 'the attempt')
    demand(push(who, o), 409, 'CONFLICT')
    answer(who)
    paid_once(who, o)


@suite.test
def test_answer_and_callback_lost():
    """What came is found by its reference and amount, once no prompt can be alive."""
    who, o = new_order()
    rule('daraja', 'push', o['order_number'], 1, drop=True)
    rule('daraja', 'callback', o['order_number'], None, lost=True)
    demand(push(who, o), 504)
    answer(who)
    paid_once(who, o)


@suite.test
def test_what_never_came_is_given_up():
    who, o = new_order()
    rule('daraja', 'push', o['order_number'], 1, drop=True, effect=False)
    demand(push(who, o), 504)
    attempt_becomes(who, o, 'abandoned')
    demand(push(who, o), 202)
    answer(who)
    paid_once(who, o)


@suite.test
def test_token_ends_early():
    who, o = new_order()
    sim('POST', '/sim/tokens', {})
    demand(push(who, o), 202)
    answer(who)
    paid_once(who, o)


@suite.test
def test_expiry_asks_first():
    who, o = new_order()
    rule('daraja', 'callback', o['order_number'], None, lost=True)
    demand(push(who, o), 202)
    answer(who, 'cancel')
    sql("UPDATE orders SET expires_at = now() WHERE id = :'id'", id=o['id'])
    becomes(who, o, status='cancelled', cancel_reason='expired')
    equal(attempts(who, o)[0]['status'], 'failed', 'the attempt')
    until(lambda: at_rest(o), 'rest')


@suite.test
def test_callback_outlives_its_worker():
    """M-Pesa tells it once; nginx hands it to a second worker."""
    for point in ('webhook_heard', 'webhook_stored'):
        who, o = new_order()
        path = arm(point, o['id'])
        demand(push(who, o), 202)
        answer(who)
        paid_once(who, o)
        check(not os.path.exists(path), f'a death at {point}')
        told = until(lambda o=o: [a['status'] for d in sim('GET', f'/sim/deliveries?match={o["order_number"]}')
                                  if d['operation'] == 'callback' for a in d['attempts']],
                     'an answer to M-Pesa, who may hear it after the buyer')
        equal(told, [200], 'what M-Pesa was told')


if __name__ == '__main__':
    suite.main()
