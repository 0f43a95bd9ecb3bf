"""Money by the sysadmin's hand: payments and refunds are seen, asked about and decided, and the books agree.

# settings: JOBS_LEASE=1s JOBS_BACKOFF=100ms JOBS_BACKOFF_MAX=500ms JOBS_POLL=20ms PAYMENT_ASK_AFTER=1h
# settings: PAYMENT_ASK_MAX=2h REFUND_ASK_AFTER=300ms REFUND_ATTEMPTS=3 MPESA_PROMPT_TTL=1500ms PROVIDER_TIMEOUT=1500ms
"""
import json

from audit_common import entries, run
from money import books_agree, rule
from owner import ctl
from refund_common import Buyer, PATIENCE, Stall, give, shop, sim, sql_one, until
from soko import Suite, check, demand, equal

suite = Suite()
stall = Stall()
UNKNOWN = '01920000-0000-7000-8000-00000000dead'


def lines(*words):
    return [json.loads(line) for line in ctl(*words, '--json').splitlines()]


def refused(*words, status=1, says=''):
    got, said = run(*words)
    equal(got, status, f'{words}: {said}')
    check(said.startswith('sokoctl: ') and says in said, f'{words}: it says why: {said}')


def audited(event, subject):
    e = entries(subject=subject, event=event)[-1]
    check(e['operator'] and e['actor'] is None, f'{event} is of the system user: {e}')


def in_review(amount, bill):
    """Money that came by hand, and fits nothing; its receipt."""
    buyer = Buyer('Mona')
    rule('daraja', 'validation', bill, 1, lost=True)
    receipt = sim('POST', '/sim/c2b', {'phone': buyer.phone.lstrip('+'), 'amount': amount, 'bill': bill})['receipt']
    until(lambda: [p for p in lines('payment', 'list', '--receipt', receipt) if p['status'] == 'needs_review'],
          'a payment in review', PATIENCE)
    return receipt


def payment(receipt):
    return lines('payment', 'show', receipt)[0]


@suite.test
def payments_are_listed_shown_and_heard():
    buyer, order = stall.paid('mpesa', (stall.product('100'), 2))
    number = order['order_number']
    found = lines('payment', 'list', '--order', number, '--provider', 'mpesa', '--status', 'succeeded')
    api = demand(shop.call('GET', f'/admin/payments?order_number={number}', token=stall.admin['access_token']), 200).data
    equal(found, api, 'the same as the API says')
    equal(payment(found[0]['receipt']), found[0], 'by its receipt')
    equal(payment(found[0]['id']), found[0], 'by its id')
    check(buyer.phone not in ctl('payment', 'show', found[0]['id']), 'the phone is masked')
    heard = lines('payment', 'heard', found[0]['receipt'])
    check(any(h['kind'] == 'stk.callback' and found[0]['receipt'] in (h['body'] or '') for h in heard), f'{heard}')
    check('stk.callback' in ctl('payment', 'heard', found[0]['id']), 'for people')
    refused('payment', 'show', 'NOSUCH', says='NOSUCH: there is no such payment')
    refused('payment', 'list', '--status', 'rich', status=64, says='none of')
    refused('payment', 'ask', found[0]['id'], says='a payment that is over, or simulated')


@suite.test
def a_provider_is_asked_at_once():
    """The callback was lost, and by itself soko-jobs would ask in an hour."""
    buyer = Buyer('Asha')
    order = buyer.order(stall.product('100')['id'], 'mpesa', 1)
    number = order['order_number']
    sim('POST', '/sim/auto', {'action': 'approve', 'after_ms': 1, 'match': number})
    rule('daraja', 'callback', number, 1, lost=True)
    check(buyer.ask_mpesa(order), 'a prompt')
    until(lambda: [d for d in sim('GET', f'/sim/deliveries?provider=daraja&match={number}') if d['state'] == 'lost'],
          'the callback is lost', PATIENCE)
    found = lines('payment', 'list', '--order', number)[0]
    check(found['status'] in ('processing', 'unknown'), f'nobody knows: {found}')
    ctl('payment', 'ask', found['id'])
    audited('payment.asked', found['id'])
    until(lambda: payment(found['id'])['status'] == 'succeeded', 'the answer of M-Pesa', PATIENCE)
    equal(buyer.show(order)['payment_status'], 'paid', 'the order')
    refused('payment', 'ask', UNKNOWN, says='no such payment')


@suite.test
def money_in_review_is_the_orders_or_goes_back():
    buyer = Buyer('Nora')
    order = buyer.order(stall.product('100')['id'], 'mpesa', 1)
    receipt = in_review(10000, 'WHATBILL')
    refused('payment', 'accept', receipt, says='order_id: is required')
    refused('payment', 'accept', receipt, '--order', 'NOSUCH', says='there is no such order')
    ctl('payment', 'accept', receipt, '--order', order['order_number'])
    equal(buyer.show(order)['payment_status'], 'paid', 'the order')
    audited('payment.resolved', payment(receipt)['id'])
    refused('payment', 'accept', receipt, says='needs no review')
    receipt = in_review(9900, 'NOBILL')
    ctl('payment', 'return', receipt, '--note', 'Wrong number')
    until(lambda: payment(receipt)['status'] == 'refunded', 'it is back', PATIENCE)
    refused('payment', 'return', receipt, says='needs no review')
    equal(sql_one("SELECT note FROM refunds WHERE payment_id = :'id'", id=payment(receipt)['id']), 'Wrong number', 'the note')


@suite.test
def a_refund_that_failed_is_sent_again():
    buyer, order = stall.paid('mpesa', (stall.product('100'), 2))
    number = order['order_number']
    rule('daraja', 'b2c', buyer.phone.lstrip('+'), 3, result_code='1')
    demand(give(stall.seller, order, amount='50'), 201)
    until(lambda: sql_one("SELECT r.attempt = 3 AND r.status = 'failed' AND r.ask_at IS NULL FROM refunds r "
                          "JOIN payments p ON p.id = r.payment_id WHERE p.order_id = :'id'", id=order['id']) == 't',
          'a refund that waits for a person', PATIENCE)
    failed = lines('refund', 'list', '--order', number)[0]
    equal((failed['status'], failed['amount'], failed['failure']), ('failed', '50', '1'), 'what it says')
    check(failed['id'] in ctl('refund', 'list', '--status', 'failed'), 'it is listed')
    equal(lines('refund', 'list', '--status', 'succeeded', '--order', number), [], 'not as gone')
    ctl('refund', 'retry', failed['id'])
    audited('refund.retried', failed['id'])
    until(lambda: lines('refund', 'list', '--order', number)[0]['status'] == 'succeeded', 'it went', PATIENCE)
    refused('refund', 'retry', failed['id'], says='a refund that is succeeded is not tried again')
    refused('refund', 'retry', UNKNOWN, says='sokoctl: ')
    refused('refund', 'retry', 'x', status=64, says='not an id')
    refused('refund', 'list', '--status', 'lost', status=64, says='none of pending|')


@suite.test
def the_books_agree():
    books_agree()


suite.main()
