"""Paying by card: what is asked for, what is believed of what Stripe says, and that it counts once.

# settings: JOBS_LEASE=2s JOBS_BACKOFF=100ms JOBS_BACKOFF_MAX=500ms JOBS_POLL=20ms PAYMENT_ASK_AFTER=500ms
# settings: PAYMENT_ASK_MAX=1s PROVIDER_TIMEOUT=3s PROVIDER_FAILURES=1000 WORKERS_WIRE=4
"""
import hashlib
import hmac
import json
import os
import secrets
import threading
import time

from money import OPEN, Buyer, arm, at_rest, charges, rule, setting, shop, sim
from owner import sql, sql_one
from soko import Suite, check, demand, equal, until

suite = Suite()
UNKNOWN = '01920000-0000-7000-8000-00000000dead'
seller = shop.new_seller()
category = shop.new_category()
goods = shop.new_product(seller, category['id'], price='150', stock=1000)
cheap = shop.new_product(seller, category['id'], price='99.99', stock=1000)
buyer = Buyer()


def order(method='stripe', product=goods, quantity=2, who=buyer):
    return who.order(product['id'], method, quantity)


def begin(o, who=buyer):
    return demand(who.call('POST', '/payments/stripe', {'order_id': o['id']}), 201).data


def confirm(p, card='pm_card_visa'):
    return sim('POST', '/sim/stripe/confirm', {'intent': p['payment_intent_id'],
                                               'client_secret': p['client_secret'], 'card': card})


def becomes(o, who=buyer, **wanted):
    def looks():
        now = who.show(o)
        return now if all(now[k] == v for k, v in wanted.items()) else None
    return until(looks, f'an order with {wanted}')


def paid(o=None, **more):
    o = o or order(**more)
    p = begin(o)
    confirm(p)
    return becomes(o, payment_status='paid'), p


def payment(p, who=buyer):
    return demand(who.call('GET', f'/payments/{p["id"]}'), 200).data


def event(kind, obj, **more):
    return {'id': 'evt_' + secrets.token_hex(12), 'object': 'event', 'type': kind, 'livemode': False,
            'api_version': '2026-10-28.endive', 'created': int(time.time()), 'pending_webhooks': 1,
            'request': {'id': None, 'idempotency_key': None}, 'data': {'object': obj}, **more}


def intent(p, status, amount, **more):
    return {'id': p['payment_intent_id'], 'object': 'payment_intent', 'amount': amount, 'currency': 'kes',
            'amount_received': amount if status == 'succeeded' else 0, 'status': status,
            'client_secret': None, 'latest_charge': 'ch_' + secrets.token_hex(8) if status == 'succeeded' else None,
            'last_payment_error': None, 'livemode': False,
            'metadata': {'attempt_id': p['id'], 'order_id': p['order_id']}, **more}


def signature(body, secret=None, at=None):
    at = at or int(time.time())
    secret = setting('STRIPE_WEBHOOK_SECRETS').split(',')[0] if secret is None else secret
    v1 = hmac.new(secret.encode(), b'%d.' % at + body, hashlib.sha256).hexdigest()
    return f't={at},v1={v1}'


def post(e, header=None):
    body = json.dumps(e).encode()
    headers = {'Stripe-Signature': signature(body) if header is None else header}
    return shop.call('POST', '/webhooks/stripe', raw=body, headers=headers)


def stored(e):
    return sql('SELECT state FROM provider_events WHERE event_id = :\'id\'', id=e['id'])


# --- the way it goes ------------------------------------------------------------------------------

@suite.test
def test_paid_by_card():
    o = order()
    first = begin(o)
    equal([first[k] for k in ('provider', 'status', 'amount', 'currency', 'order_id')],
          ['stripe', 'processing', '300', 'KES', o['id']], 'the attempt')
    check(first['client_secret'].startswith(first['payment_intent_id'] + '_secret_'), 'its secret')
    equal(begin(o), first, 'the open attempt, given again')
    confirm(first)
    now = becomes(o, payment_status='paid', status='paid')
    events = [e['event'] for e in now['events']]
    equal([events.count(e) for e in ('payment_initiated', 'payment_paid')], [1, 1], f'its history: {events}')
    seen = payment(first)
    equal([seen[k] for k in ('status', 'amount', 'received', 'refunded', 'phone')],
          ['succeeded', '300', '300', '0', None], 'the payment')
    check(seen['receipt'].startswith('ch_') and 'client_secret' not in seen, 'a receipt and no secret')
    equal(demand(buyer.call('GET', f'/payments/order/{o["id"]}'), 200).data, [seen], 'all of them')
    equal(charges(o), (30000, 0, 1), "Stripe's books")
    demand(buyer.call('POST', '/payments/stripe', {'order_id': o['id']}), 409, 'CONFLICT')


@suite.test
def test_hole_11_small_amounts_are_as_exact_as_others():
    o, _ = paid(product=cheap, quantity=1)
    equal(charges(o), (9999, 0, 1), 'what was charged')


@suite.test
def test_nobody_elses():
    o, p = paid()
    other = Buyer('Ola')
    mine = order()
    for path in (f'/payments/{p["id"]}', f'/payments/order/{o["id"]}', f'/payments/{UNKNOWN}',
                 f'/payments/order/{UNKNOWN}'):
        demand(other.call('GET', path), 404, 'NOT_FOUND')
    for path in ('/payments/nonsense', '/payments/order/nonsense'):
        demand(other.call('GET', path), 400, 'VALIDATION_ERROR')
    for who, oid in ((other, mine['id']), (buyer, UNKNOWN)):
        demand(who.call('POST', '/payments/stripe', {'order_id': oid}), 404, 'NOT_FOUND')
    demand(buyer.call('POST', '/payments/stripe', {}), 400, 'VALIDATION_ERROR')


@suite.test
def test_hole_07_the_order_says_what_is_due():
    """Amount, currency and owner are the order's; what the client says must agree."""
    o = order()
    for body, field in (({'amount': '1'}, 'amount'), ({'amount': '300.01'}, 'amount'),
                        ({'amount': '300', 'currency': 'USD'}, 'currency')):
        a = demand(buyer.call('POST', '/payments/stripe', {'order_id': o['id'], **body}), 400,
                   'VALIDATION_ERROR')
        equal(a.fields, [field], f'what {body} is refused for')
    equal(demand(buyer.call('GET', f'/payments/order/{o["id"]}'), 200).data, [], 'nothing was begun')
    demand(buyer.call('POST', '/payments/stripe', {'order_id': o['id'], 'amount': 300, 'currency': 'KES'}), 201)


@suite.test
def test_what_waits_for_no_payment():
    cash = order(method='cash_on_delivery')
    demand(buyer.call('POST', '/payments/stripe', {'order_id': cash['id']}), 400, 'INVALID_STATUS')
    gone = order()
    demand(buyer.cancel(gone), 200)
    demand(buyer.call('POST', '/payments/stripe', {'order_id': gone['id']}), 400, 'INVALID_STATUS')


@suite.test
def test_key_replays_no_secret():
    o = order()
    key = secrets.token_hex(8)
    demand(buyer.call('POST', '/payments/stripe', {'order_id': o['id']}, key), 201)
    demand(buyer.call('POST', '/payments/stripe', {'order_id': o['id']}, key), 409, 'CONFLICT')
    begin(o)  # without the key: the same attempt again


# --- what Stripe says -----------------------------------------------------------------------------

@suite.test
def test_hole_13_who_speaks_must_sign():
    o = order()
    p = begin(o)
    e = event('payment_intent.succeeded', intent(p, 'succeeded', 30000))
    body = json.dumps(e).encode()
    good = signature(body)
    for header in ('', 'nonsense', 't=1,v1=', good[:-1] + ('0' if good[-1] != '0' else '1'),
                   signature(body, 'whsec_other'), signature(body, at=int(time.time()) - 3600),
                   signature(body, at=int(time.time()) + 3600), good.replace('v1=', 'v0='),
                   signature(body, '')):
        demand(post(e, header), 400, 'VALIDATION_ERROR')
    for n in range(0, len(body), 37):
        altered = bytearray(body)
        altered[n] ^= 1
        demand(shop.call('POST', '/webhooks/stripe', raw=bytes(altered), headers={'Stripe-Signature': good}), 400)
    nothing = b'{}'
    demand(shop.call('POST', '/webhooks/stripe', raw=nothing, headers={'Stripe-Signature': signature(nothing)}), 400)
    live = event('payment_intent.succeeded', intent(p, 'succeeded', 30000), livemode=True)
    demand(post(live), 400, 'VALIDATION_ERROR')
    equal(stored(e) + stored(live), [], 'what was kept')
    equal(buyer.show(o)['payment_status'], 'unpaid', 'the order')
    two = f'{good},v1={"0" * 64}'
    demand(post(e, two), 200)  # while a secret is rolled over
    becomes(o, payment_status='paid')


@suite.test
def test_hole_10_and_12_a_thousand_replays_have_one_effect():
    o = order()
    p = begin(o)
    left = shop.call('GET', f'/products/{goods["id"]}', token=seller['access_token']).data['stock']
    e = event('payment_intent.succeeded', intent(p, 'succeeded', 30000))
    body, answers = json.dumps(e).encode(), []

    def send(n):
        for _ in range(n):
            a = shop.call('POST', '/webhooks/stripe', raw=body, headers={'Stripe-Signature': signature(body)})
            answers.append(a.status)
    threads = [threading.Thread(target=send, args=(125,)) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(sorted(set(answers)), [200], 'what each was told')
    equal(len(answers), 1000, 'all of them')
    now = buyer.show(o)
    equal([now['payment_status'], [v['event'] for v in now['events']].count('payment_paid')], ['paid', 1],
          'the order')
    equal(len(demand(buyer.call('GET', f'/payments/order/{o["id"]}'), 200).data), 1, 'payments')
    equal(sql_one("SELECT count(*) FROM provider_events WHERE event_id = :'id'", id=e['id']), '1', 'rows')
    equal(sql_one("SELECT count(*) FROM ledger_transactions WHERE order_id = :'id'", id=o['id']), '1', 'bookings')
    equal(sql_one("SELECT count(*) FROM refunds WHERE payment_id = :'id'", id=p['id']), '0', 'refunds')
    equal(shop.call('GET', f'/products/{goods["id"]}', token=seller['access_token']).data['stock'], left, 'stock')


@suite.test
def test_hole_10_late_words_turn_nothing_back():
    o, p = paid()
    for kind, status in (('payment_intent.payment_failed', 'requires_payment_method'),
                         ('payment_intent.canceled', 'canceled'),
                         ('payment_intent.processing', 'processing'),
                         ('payment_intent.succeeded', 'succeeded')):
        e = event(kind, intent(p, status, 30000))
        demand(post(e), 200)
        equal(stored(e), [['applied']], kind)
    equal(buyer.show(o)['status'], 'paid', 'the order')
    equal(payment(p)['status'], 'succeeded', 'the payment')
    equal(sql_one("SELECT count(*) FROM refunds WHERE payment_id = :'id'", id=p['id']), '0', 'refunds')


@suite.test
def test_one_declined_card_is_not_the_end():
    o = order()
    p = begin(o)
    declined = event('payment_intent.payment_failed', intent(
        p, 'requires_payment_method', 30000,
        last_payment_error={'type': 'card_error', 'code': 'card_declined', 'decline_code': 'insufficient_funds'}))
    demand(post(declined), 200)
    seen = payment(p)
    equal([seen['status'], seen['failure']], ['processing', 'insufficient_funds'], 'the attempt')
    check('payment_failed' in [e['event'] for e in buyer.show(o)['events']], 'the buyer sees it')
    equal(begin(o)['id'], p['id'], 'the same attempt')
    paid(o)


@suite.test
def test_mismatch_never_marks_paid():
    for lie in ({'amount_received': 29999}, {'amount_received': 30001}, {'currency': 'usd'}):
        o = order()
        p = begin(o)
        demand(post(event('payment_intent.succeeded', intent(p, 'succeeded', 30000, **lie))), 200)
        equal(payment(p)['status'], 'needs_review', f'the payment, {lie}')
        equal([buyer.show(o)[k] for k in ('status', 'payment_status')], ['pending', 'unpaid'], f'the order, {lie}')
        demand(buyer.call('POST', '/payments/stripe', {'order_id': o['id']}), 409, 'CONFLICT')


@suite.test
def test_nothing_is_answered_and_dropped():
    strange = event('customer.created', {'id': 'cus_1', 'object': 'customer'})
    demand(post(strange), 200)
    equal(stored(strange), [['ignored']], 'a type that says nothing to us')
    foreign = event('payment_intent.succeeded', {**intent(
        {'payment_intent_id': 'pi_foreign', 'id': UNKNOWN, 'order_id': UNKNOWN}, 'succeeded', 1), 'metadata': {}})
    demand(post(foreign), 200)
    equal(stored(foreign), [['ignored']], "another program's intent")
    # An intent that names an attempt of ours before we have it waits for it.
    o = order()
    p = begin(o)
    early = event('payment_intent.succeeded', intent(p, 'succeeded', 30000))
    early['data']['object']['id'] = 'pi_' + secrets.token_hex(8)
    demand(post(early), 200)
    equal(stored(early), [['waiting']], 'an intent of ours that we do not know')
    sql("UPDATE payments SET provider_ref = :'ref' WHERE id = :'id'", ref=early['data']['object']['id'], id=p['id'])
    becomes(o, payment_status='paid')
    until(lambda: stored(early) == [['applied']], 'a word that was heard')


@suite.test
def test_dispute_is_seen():
    o, p = paid()
    e = event('charge.dispute.created', {'id': 'dp_1', 'object': 'dispute', 'amount': 30000, 'currency': 'kes',
                                         'charge': 'ch_1', 'payment_intent': p['payment_intent_id'],
                                         'reason': 'fraudulent', 'status': 'needs_response'})
    demand(post(e), 200)
    check('payment_disputed' in [v['event'] for v in buyer.show(o)['events']], 'the history')


@suite.test
def test_lost_event_is_asked_for():
    o = order()
    rule('stripe', 'event', o['id'], None, lost=True)
    paid(o)


# --- Stripe in trouble ----------------------------------------------------------------------------

@suite.test
def test_refused():
    o = order()
    rule('stripe', 'create_intent', o['id'], 1, status=400, code='amount_too_small')
    a = demand(buyer.call('POST', '/payments/stripe', {'order_id': o['id']}), 402, 'PAYMENT_FAILED')
    failed = demand(buyer.call('GET', f'/payments/{a.errors[0]["details"]["payment_id"]}'), 200).data
    equal([failed['status'], failed['failure']], ['failed', 'amount_too_small'], 'the attempt')
    paid(o)
    equal(charges(o)[2], 1, 'charges')


@suite.test
def test_turned_away_at_the_door():
    o = order()
    rule('stripe', 'create_intent', o['id'], 20, status=429)
    demand(buyer.call('POST', '/payments/stripe', {'order_id': o['id']}), 502, 'PROVIDER_UNAVAILABLE')
    attempts = demand(buyer.call('GET', f'/payments/order/{o["id"]}'), 200).data
    equal([a['status'] for a in attempts], ['failed'], 'nothing has happened')


@suite.test
def test_nobody_knows():
    """The intent was made, and the answer lost: the same one is found again."""
    o = order()
    rule('stripe', 'create_intent', o['id'], 20, drop=True)
    demand(buyer.call('POST', '/payments/stripe', {'order_id': o['id']}), 504, 'REQUEST_TIMEOUT')
    attempts = demand(buyer.call('GET', f'/payments/order/{o["id"]}'), 200).data
    check([a['status'] in OPEN for a in attempts] == [True], f'it is open: {attempts}')

    def again():
        a = buyer.call('POST', '/payments/stripe', {'order_id': o['id']})
        return a.data if a.status == 201 else None
    p = until(again, 'an answer')
    equal(p['id'], attempts[0]['id'], 'the attempt')
    confirm(p)
    becomes(o, payment_status='paid')
    equal(len(sim('GET', f'/sim/stripe/intents?match={o["id"]}')), 1, 'intents')


# --- switching, cancelling, expiry ----------------------------------------------------------------

def intents(o):
    return [i['status'] for i in sim('GET', f'/sim/stripe/intents?match={o["id"]}')]


@suite.test
def test_switching_to_the_phone_cancels_the_intent():
    o = order()
    begin(o)
    demand(buyer.call('POST', '/payments/mpesa', {'order_id': o['id'], 'phone': buyer.phone}), 202)
    equal(intents(o), ['canceled'], "Stripe's intent")
    states = [(a['provider'], a['status']) for a in demand(buyer.call('GET', f'/payments/order/{o["id"]}'), 200).data]
    equal(states, [('mpesa', 'processing'), ('stripe', 'cancelled')], 'attempts, newest first')


@suite.test
def test_switching_finds_it_paid():
    o = order()
    rule('stripe', 'event', o['id'], None, lost=True)
    p = begin(o)
    confirm(p)
    demand(buyer.call('POST', '/payments/mpesa', {'order_id': o['id'], 'phone': buyer.phone}), 409, 'CONFLICT')
    equal(buyer.show(o)['payment_status'], 'paid', 'the order')


@suite.test
def test_cancelled_order_leaves_no_open_intent():
    o = order()
    begin(o)
    demand(buyer.cancel(o), 200)
    until(lambda: intents(o) == ['canceled'], 'a cancelled intent')
    until(lambda: at_rest(o), 'rest')


@suite.test
def test_stripe_is_asked_before_an_order_expires():
    """The time is over for two: one was paid, and nobody told us."""
    late, never = order(), order()
    for o in (late, never):
        rule('stripe', 'event', o['id'], None, lost=True)
    p = begin(late)
    begin(never)
    confirm(p)
    for o in (late, never):
        sql("UPDATE orders SET expires_at = now() WHERE id = :'id'", id=o['id'])
    becomes(never, status='cancelled', cancel_reason='expired')
    becomes(late, payment_status='paid')
    equal(intents(never), ['canceled'], 'the intent of the one that expired')


# --- a worker dies --------------------------------------------------------------------------------

@suite.test
def test_webhook_outlives_its_worker():
    """nginx hands the event to a second worker: Stripe is told 200, and it counts once."""
    for point in ('webhook_heard', 'webhook_stored', 'settling'):
        o = order()
        p = begin(o)
        path = arm(point, o['id'])
        e = event('payment_intent.succeeded', intent(p, 'succeeded', 30000))
        a = until(lambda e=e: (lambda b: b if b.status != 503 else None)(post(e)), 'an answer')
        demand(a, 200)
        until(lambda path=path: not os.path.exists(path), f'a death at {point}')
        now = becomes(o, payment_status='paid')
        equal([v['event'] for v in now['events']].count('payment_paid'), 1, f'effects, {point}')
        equal(len(stored(e)), 1, f'rows, {point}')


if __name__ == '__main__':
    suite.main()
