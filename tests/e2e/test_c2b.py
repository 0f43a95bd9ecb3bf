"""Money sent by hand to the paybill, with what a human typed as the bill.

# settings: JOBS_LEASE=1s JOBS_BACKOFF=100ms JOBS_BACKOFF_MAX=500ms JOBS_POLL=20ms PAYMENT_ASK_AFTER=400ms
# settings: PAYMENT_ASK_MAX=1s REFUND_ASK_AFTER=300ms MPESA_PROMPT_TTL=1500ms PROVIDER_TIMEOUT=1500ms
"""
import secrets

from money import books_agree, charges, rule, setting
from refund_common import Buyer, PATIENCE, Stall, at_rest, shop, sim, sql, sql_one, until
from soko import Suite, check, demand, equal, together

suite = Suite()
stall = Stall()
TOKEN = setting('DARAJA_C2B_TOKEN')
SHORTCODE = setting('DARAJA_SHORTCODE')


def waiting(price='100', quantity=1, method='mpesa'):
    """An order that nobody has paid."""
    buyer = Buyer('Cleo')
    return buyer, buyer.order(stall.product(price)['id'], method, quantity)


def by_hand(buyer, amount, bill):
    return sim('POST', '/sim/c2b', {'phone': buyer.phone.lstrip('+'), 'amount': amount, 'bill': bill})


def notice(bill, amount, receipt=None, shortcode=SHORTCODE):
    return {'TransactionType': 'Pay Bill', 'TransID': receipt or secrets.token_hex(5).upper(),
            'TransTime': '20260220121325', 'TransAmount': amount, 'BusinessShortCode': shortcode,
            'BillRefNumber': bill, 'InvoiceNumber': '', 'OrgAccountBalance': '25.00',
            'ThirdPartyTransID': '', 'MSISDN': '2547 ***** 126', 'FirstName': 'NICHOLAS',
            'MiddleName': '', 'LastName': ''}


def post(kind, body, token=TOKEN):
    return shop.call('POST', f'/webhooks/c2b/{token}/{kind}', body)


def payments(order):
    return sql("SELECT status, coalesce(receipt, ''), coalesce(received, 0)::text FROM payments "
               "WHERE order_id = :'id' ORDER BY created_at, id", id=order['id'])


def becomes(buyer, order, **wanted):
    def looks_so():
        now = buyer.show(order)
        return now if all(now[k] == v for k, v in wanted.items()) else None
    return until(looks_so, f'an order with {wanted}', PATIENCE)


@suite.test
def test_the_order_number_pays_the_order():
    for typed in (str, str.lower, lambda n: f' {n[:5]} {n[5:]} '):
        buyer, order = waiting()
        paid = by_hand(buyer, 10000, typed(order['order_number']))
        check(paid['accepted'], f'{paid}')
        equal(becomes(buyer, order, payment_status='paid')['status'], 'paid', 'status')
        equal(payments(order), [['succeeded', paid['receipt'], '10000']], 'payments')


@suite.test
def test_whole_shillings_are_due():
    buyer, order = waiting('10.50')
    equal(by_hand(buyer, 1000, order['order_number'])['result_code'], 'C2B00013', 'too little')
    check(by_hand(buyer, 1100, order['order_number'])['accepted'], 'rounded half up')
    becomes(buyer, order, payment_status='paid')


@suite.test
def test_validation_says_why_not():
    _, order = waiting()
    _, cash = waiting(method='cash_on_delivery')
    number = order['order_number']
    for label, body, code in (
            ('good', notice(number, '100.00'), '0'),
            ('as a number', notice(number, 100), '0'),
            ('no such bill', notice('NOSUCHBILL', '100.00'), 'C2B00012'),
            ('an empty bill', notice('', '100.00'), 'C2B00012'),
            ('a long bill', notice('X' * 40, '100.00'), 'C2B00012'),
            ('paid in cash', notice(cash['order_number'], '100.00'), 'C2B00012'),
            ('too little', notice(number, '99.00'), 'C2B00013'),
            ('too much', notice(number, '101.00'), 'C2B00013'),
            ("another's shortcode", notice(number, '100.00', shortcode='600000'), 'C2B00015'),
            ('nonsense', {'a': 1}, 'C2B00016')):
        a = demand(post('validation', body), 200)
        equal(a.json, {'ResultCode': code, 'ResultDesc': 'Accepted' if code == '0' else 'Rejected'}, label)
    equal(payments(order), [], 'asking pays nothing')


@suite.test
def test_a_wrong_token_changes_nothing():
    _, order = waiting()
    for kind in ('validation', 'confirmation'):
        demand(post(kind, notice(order['order_number'], '100.00'), secrets.token_hex(32)), 404, 'NOT_FOUND')
        demand(post(kind, notice(order['order_number'], '100.00'), 'nonsense'), 404, 'NOT_FOUND')
    equal(payments(order), [], 'payments')


@suite.test
def test_what_is_no_payment_is_refused():
    _, order = waiting()
    number = order['order_number']
    for body in ({'a': 1}, notice(number, '0'), notice(number, '-5'), notice(number, '1e3'),
                 notice(number, '100.00', shortcode='600000'), {**notice(number, '1'), 'TransID': ''}):
        demand(post('confirmation', body), 400, 'VALIDATION_ERROR')
    equal(payments(order), [], 'payments')


@suite.test
def test_one_receipt_is_one_payment():
    """A receipt counts once; the simulator knows of this money because it sent it first."""
    buyer, order = waiting()
    paid = by_hand(buyer, 10000, order['order_number'])
    becomes(buyer, order, payment_status='paid')
    body = notice(order['order_number'], '100.00', paid['receipt'])
    answers = together(8, lambda i: post('confirmation', body))
    equal([(a.status, a.json) for a in answers], [(200, {'ResultCode': 0, 'ResultDesc': 'Success'})] * 8,
          'answers')
    equal(len(payments(order)), 1, 'payments')


@suite.test
def test_an_stk_payment_that_echoes_is_one_payment():
    for first in (False, True):
        buyer, order = waiting()
        number = order['order_number']
        rule('daraja', 'c2b', number, 1, echo=True)
        if first:  # the echo is there before the prompt's own callback
            rule('daraja', 'callback', number, 1, hold=True)
        sim('POST', '/sim/auto', {'action': 'approve', 'after_ms': 1, 'match': number})
        buyer.pay(order)
        if first:
            sim('POST', '/sim/release', {'match': number})
        until(lambda: at_rest(order), 'an order at rest', PATIENCE)
        until(lambda: sql_one("SELECT count(*) FROM provider_events e JOIN payments p ON p.id = e.payment_id "
                              "WHERE p.order_id = :'id' AND e.kind IN ('c2b', 'stk.callback')",
                              id=order['id']) == '2', 'both words', PATIENCE)
        equal([p[0] for p in payments(order)], ['succeeded'], 'payments')
        equal(sim('GET', '/sim/transactions')[-1]['receipt'] in payments(order)[0], True, 'the receipt')


@suite.test
def test_a_second_payment_goes_back():
    buyer, order = waiting()
    check(by_hand(buyer, 10000, order['order_number'])['accepted'], 'the first')
    becomes(buyer, order, payment_status='paid')
    rule('daraja', 'validation', order['order_number'], 1, lost=True)
    check(by_hand(buyer, 10000, order['order_number'])['accepted'], 'the second')
    until(lambda: [p[0] for p in payments(order)] == ['succeeded', 'refunded'], 'one that went back', PATIENCE)
    equal(buyer.show(order)['payment_status'], 'paid', 'the order stays paid')


def prompted(callback_lost=True):
    """An order with a prompt on its buyer's phone."""
    buyer, order = waiting()
    if callback_lost:
        rule('daraja', 'callback', order['order_number'], 1, lost=True)
    made = demand(buyer.call('POST', '/payments/mpesa', {'order_id': order['id'], 'phone': buyer.phone}), 202).data
    return buyer, order, made['checkout_request_id']


def nothing_waits(order):
    until(lambda: at_rest(order) and sql_one("SELECT count(*) FROM payments WHERE order_id = :'id' "
                                             "AND recheck_at IS NOT NULL", id=order['id']) == '0',
          'nothing to ask', PATIENCE)


@suite.test
def test_a_prompt_that_was_paid_before_it_goes_back():
    """Daraja says that it was paid, but not by which receipt: what comes by hand is taken for it."""
    buyer, order, prompt = prompted()
    broken = rule('daraja', 'pull', None, None, code='500')
    sim('POST', f'/sim/prompts/{prompt}', {'action': 'approve'})
    becomes(buyer, order, payment_status='paid')
    rule('daraja', 'validation', order['order_number'], 1, lost=True)
    by_hand(buyer, 10000, order['order_number'])
    until(lambda: payments(order)[0][1], 'a receipt', PATIENCE)
    sim('DELETE', f'/sim/rules/{broken["id"]}')
    until(lambda: [p[0] for p in payments(order)] == ['succeeded', 'refunded'], 'one that went back', PATIENCE)
    nothing_waits(order)


@suite.test
def test_a_prompt_that_is_not_paid_beside_it():
    buyer, order, prompt = prompted(callback_lost=False)
    by_hand(buyer, 10000, order['order_number'])
    becomes(buyer, order, payment_status='paid')
    sim('POST', f'/sim/prompts/{prompt}', {'action': 'cancel'})
    nothing_waits(order)
    equal([p[0] for p in payments(order)], ['succeeded'], 'payments')


@suite.test
def test_by_hand_beside_a_prompt_whose_callback_is_lost():
    """It looks like the prompt's own money; Daraja's list says that it was not, and one goes back."""
    buyer, order = waiting()
    number = order['order_number']
    rule('daraja', 'callback', number, None, lost=True)
    check(buyer.ask(order), 'a prompt')
    check(by_hand(buyer, 10000, number)['accepted'], 'the paybill')
    becomes(buyer, order, payment_status='paid')
    prompt = sim('GET', f'/sim/prompts?match={number}')[0]
    sim('POST', f'/sim/prompts/{prompt["checkout_id"]}', {'action': 'approve'})
    until(lambda: charges(order) == (20000, 10000, 2), 'the second charge on its way back', PATIENCE)
    until(lambda: at_rest(order), 'an order at rest', PATIENCE)
    equal(sorted(p[0] for p in payments(order)), ['refunded', 'succeeded'], 'payments')
    equal(buyer.show(order)['payment_status'], 'paid', 'the order')


@suite.test
def test_money_for_a_cancelled_order_goes_back():
    buyer, order = waiting()
    demand(buyer.cancel(order), 200)
    rule('daraja', 'validation', order['order_number'], 1, lost=True)
    check(by_hand(buyer, 10000, order['order_number'])['accepted'], 'it comes')
    until(lambda: [p[0] for p in payments(order)] == ['refunded'], 'one that went back', PATIENCE)
    equal(buyer.show(order)['status'], 'cancelled', 'nothing revives')


def expired(order):
    sql("UPDATE orders SET expires_at = now() - interval '1 second' WHERE id = :'id'", id=order['id'])


@suite.test
def test_a_shilling_revives_no_expired_order():
    buyer, order = waiting('1000')
    expired(order)
    becomes(buyer, order, status='cancelled')
    for amount in (100, 99900):
        rule('daraja', 'validation', order['order_number'], 1, lost=True)
        check(by_hand(buyer, amount, order['order_number'])['accepted'], 'it comes')
    until(lambda: [p[0] for p in payments(order)] == ['refunded'] * 2, 'money that went back', PATIENCE)
    equal(buyer.show(order)['status'], 'cancelled', 'nothing revives')


@suite.test
def test_the_whole_amount_revives_an_expired_order():
    buyer, order = waiting('10.50')
    expired(order)
    becomes(buyer, order, status='cancelled')
    rule('daraja', 'validation', order['order_number'], 1, lost=True)
    paid = by_hand(buyer, 1100, order['order_number'])
    equal(becomes(buyer, order, payment_status='paid')['status'], 'paid', 'status')
    equal(payments(order), [['succeeded', paid['receipt'], '1100']], 'payments')
    until(lambda: at_rest(order), 'an order at rest', PATIENCE)
    equal(sql_one("SELECT count(*) FROM refunds r JOIN payments p ON p.id = r.payment_id "
                  "WHERE p.order_id = :'id'", id=order['id']), '0', 'a rounded shilling is not too much')


@suite.test
def test_money_that_comes_again_pays_what_it_revives():
    """The first came while the goods were gone, and went back; the second finds them there again."""
    product = stall.product('100', stock=1)
    buyer, other = Buyer('Cleo'), Buyer('Cora')
    order = buyer.order(product['id'], 'mpesa')
    expired(order)
    becomes(buyer, order, status='cancelled')
    taken = other.order(product['id'], 'cash_on_delivery')
    rule('daraja', 'validation', order['order_number'], 2, lost=True)
    by_hand(buyer, 10000, order['order_number'])
    becomes(buyer, order, status='cancelled', payment_status='refunded')
    demand(other.cancel(taken), 200)
    by_hand(buyer, 10000, order['order_number'])
    becomes(buyer, order, status='paid', payment_status='paid')
    equal([p[0] for p in payments(order)], ['refunded', 'succeeded'], 'payments')


@suite.test
def test_another_amount_waits_for_a_person():
    buyer, order = waiting()
    rule('daraja', 'validation', order['order_number'], 1, lost=True)
    check(by_hand(buyer, 9900, order['order_number'])['accepted'], 'it comes')
    until(lambda: [p[0] for p in payments(order)] == ['needs_review'], 'a review', PATIENCE)
    equal(buyer.show(order)['payment_status'], 'unpaid', 'a mismatch never marks paid')


@suite.test
def test_an_unknown_bill_is_kept():
    buyer = Buyer('Una')
    rule('daraja', 'validation', 'NOSUCHBILL', 1, lost=True)
    receipt = by_hand(buyer, 12300, 'NOSUCHBILL')['receipt']
    row = until(lambda: sql("SELECT status, received::text, order_id::text, failure FROM payments "
                            "WHERE receipt = :'r'", r=receipt), 'a payment', PATIENCE)
    equal(row[0][:2], ['needs_review', '12300'], 'as what')
    check('NOSUCHBILL' in row[0][3], 'what was typed')


@suite.test
def test_whatever_was_typed_is_kept():
    """Cut between two characters, for half of one is no text, and M-Pesa tells it once."""
    buyer = Buyer('Ula')
    for bill in ('x' * 39 + '\u00e9', '\u00e9' * 60, '\U0001f600' * 30, "'; DROP TABLE payments; --" * 4):
        rule('daraja', 'validation', bill, 1, lost=True)
        receipt = by_hand(buyer, 100, bill)['receipt']
        row = until(lambda r=receipt: sql("SELECT failure FROM payments WHERE receipt = :'r'", r=r),
                    'a payment', PATIENCE)
        kept = row[0][0].removeprefix('unknown bill: ')
        check(bill.startswith(kept) and 36 < len(kept.encode()) <= 40, f'what was typed: {kept}')


@suite.test
def test_an_address_that_is_not_listed_waits_for_daraja():
    buyer, order = waiting()
    rule('daraja', 'c2b', order['order_number'], 1, **{'from': '203.0.113.9'})
    check(by_hand(buyer, 10000, order['order_number'])['accepted'], 'it comes')
    becomes(buyer, order, payment_status='paid')
    equal([p[0] for p in payments(order)], ['succeeded'], 'payments')


@suite.test
def test_the_books_agree():
    until(lambda: sql_one('SELECT count(*) FROM outbox WHERE parked_at IS NULL') == '0', 'quiet', PATIENCE)
    books_agree()


if __name__ == '__main__':
    suite.main()
