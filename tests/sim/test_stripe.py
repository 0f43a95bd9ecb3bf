"""soko-sim's Stripe, on the wire: the shapes of PROVIDERS.md section 1, written down again here by hand, and
what the SDK hides (tests/sdk/stripe_sdk.mjs has the rest)."""
import base64
import hashlib
import hmac
import json
import re
import threading
import time

from sim_common import Sim, check, demand, equal, main, until
from soko_sim.stripe_events import sign

sim = Sim()
tests = []
KEY = sim.config['STRIPE_SECRET_KEY']
SECRET = sim.config['STRIPE_WEBHOOK_SECRETS']
HOOK = '/webhooks/stripe'
BEARER = {'Authorization': 'Bearer ' + KEY}


def test(f):
    tests.append(f)
    return f


def api(method, path, text=None, **headers):
    """`text` is the form as it is on the wire."""
    h = {**BEARER, 'Stripe-Version': '2026-10-28.endive',
         **{k.replace('_', '-'): v for k, v in headers.items()}}
    if text is not None:
        h['Content-Type'] = 'application/x-www-form-urlencoded'
    return sim.call(method, path, text, h)


def create(more='', **headers):
    return demand(api('POST', '/v1/payment_intents',
                      'amount=129900&currency=kes&automatic_payment_methods[enabled]=true'
                      '&automatic_payment_methods[allow_redirects]=never' + more, **headers), 200).json


def pay(intent, card='pm_card_visa'):
    return api('POST', f'/v1/payment_intents/{intent["id"]}/confirm', 'payment_method=' + card)


def shape(value, wanted, where=''):
    """Every member that the page has is there, with its value; re: begins a pattern."""
    if isinstance(wanted, dict):
        check(isinstance(value, dict), f'{where} is no object: {value!r}')
        for name, inner in wanted.items():
            check(name in value, f'{where}.{name} is missing')
            shape(value[name], inner, f'{where}.{name}')
    elif isinstance(wanted, str) and wanted.startswith('re:'):
        check(isinstance(value, str) and re.fullmatch(wanted[3:], value), f'{where}: {value!r} is not {wanted}')
    elif isinstance(wanted, type):
        check(type(value) is wanted, f'{where}: {value!r} is no {wanted.__name__}')
    else:
        equal(value, wanted, where)


def came():
    """The webhooks that came: (headers, body, event). A message of the test before may still arrive, but
    the simulator has forgotten its event."""
    known = {e['id'] for e in sim.get('/sim/stripe/events').json}
    got = [(h, b, json.loads(b)) for h, b in sim.got(HOOK)]
    return [g for g in got if g[2]['id'] in known]


def events(kind, count=1):
    """Those of this type, as soon as there are so many."""
    def come():
        got = [g for g in came() if g[2]['type'] == kind]
        return len(got) >= count and got
    return until(come, f'{count} {kind}')


def signature(header):
    t, v1 = re.fullmatch(r't=(\d+),v1=([0-9a-f]{64})', header).groups()
    return t, v1


@test
def test_create_has_the_documented_shape():
    a = demand(api('POST', '/v1/payment_intents', 'amount=109900&currency=kes&automatic_payment_methods[enabled]'
                   '=true&metadata[order_id]=42', Idempotency_Key='order-42-1'), 200)
    shape(a.json, {
        'id': 're:pi_3[A-Za-z0-9]{23}', 'object': 'payment_intent', 'amount': 109900, 'amount_capturable': 0,
        'amount_received': 0, 'currency': 'kes', 'status': 'requires_payment_method',
        'client_secret': f're:{a.json["id"]}_secret_[A-Za-z0-9]+', 'confirmation_method': 'automatic',
        'latest_charge': None, 'last_payment_error': None, 'next_action': None, 'payment_method': None,
        'payment_method_types': ['card'],
        'automatic_payment_methods': {'enabled': True, 'allow_redirects': 'always'}, 'canceled_at': None,
        'cancellation_reason': None, 'customer': None, 'description': None, 'metadata': {'order_id': '42'},
        'processing': None, 'receipt_email': None, 'transfer_data': None, 'transfer_group': None,
        'created': int, 'livemode': False})
    check(re.fullmatch(r'req_\w{14}', a.headers['Request-Id']), 'a Request-Id')
    equal(a.headers['Idempotency-Key'], 'order-42-1')
    equal(a.headers['Stripe-Version'], '2026-10-28.endive')
    equal(a.headers['Content-Type'], 'application/json')


@test
def test_forms_are_read_as_every_sdk_writes_them():
    for types in ('payment_method_types[]=card', 'payment_method_types[0]=card',
                  'payment_method_types%5B%5D=card', 'payment_method_types%5B0%5D=card'):
        a = demand(api('POST', '/v1/payment_intents', f'amount=129900&currency=KES&{types}'
                       '&description=a+b%20c%2Bd&metadata%5Bk%5D=%C3%A4&expand[]=latest_charge'), 200).json
        equal((a['payment_method_types'], a['description'], a['metadata'], a['currency'],
               a['automatic_payment_methods']), (['card'], 'a b c+d', {'k': 'ä'}, 'kes', None))
    demand(api('POST', '/v1/payment_intents', 'amount=129900&currency=kes&metadata[k=v'), 400)
    demand(api('POST', '/v1/payment_intents', 'amount=129900&currency=kes&description=%FF'), 400)


@test
def test_the_key_is_demanded():
    def status(header):
        a = sim.call('GET', '/v1/payment_intents', None, {'Authorization': header} if header else {})
        if a.status != 200:
            equal(a.json['error']['type'], 'invalid_request_error')
        return a.status
    basic = base64.b64encode(f'{KEY}:'.encode()).decode()
    equal([status(h) for h in (f'Bearer {KEY}', f'bearer {KEY}', f'Basic {basic}')], [200, 200, 200])
    equal([status(h) for h in (None, 'Bearer ', f'Bearer {KEY}x', 'Basic !', f'Digest {KEY}', 'Bearer sk_test_1')],
          [401] * 6)


@test
def test_errors_have_the_documented_shape():
    a = demand(api('POST', '/v1/payment_intents', 'amount=129900&currency=kes&colour=red'), 400)
    equal(a.json, {'error': {
        'code': 'parameter_unknown', 'doc_url': 'https://stripe.com/docs/error-codes/parameter-unknown',
        'message': 'Received unknown parameter: colour', 'param': 'colour', 'type': 'invalid_request_error',
        'request_log_url': f'https://dashboard.stripe.com/test/logs/{a.headers["Request-Id"]}'}})
    intent = create()
    shape(demand(pay(intent, 'pm_card_chargeDeclinedInsufficientFunds'), 402).json['error'], {
        'type': 'card_error', 'code': 'card_declined', 'decline_code': 'insufficient_funds',
        'message': 'Your card has insufficient funds.', 'charge': r're:ch_\w{24}', 'request_log_url': str,
        'payment_intent': {'id': intent['id'], 'status': 'requires_payment_method', 'last_payment_error': {
            'code': 'card_declined', 'decline_code': 'insufficient_funds', 'type': 'card_error'}},
        'payment_method': {'object': 'payment_method', 'type': 'card', 'card': {'last4': '9995'}}})
    equal(demand(api('POST', '/v1/payment_intents', 'amount=1300&currency=kes'), 400).json['error']['message'],
          'Amount must convert to at least 50 cents. KSh13.00 converts to approximately $0.10.')
    a = demand(api('GET', '/v1/payment_intents/pi_x'), 404)
    shape(a.json['error'], {'code': 'resource_missing', 'message': "No such payment_intent: 'pi_x'",
                            'param': 'intent', 'type': 'invalid_request_error'})
    equal(demand(api('GET', '/v1/nothing'), 404).json['error']['type'], 'invalid_request_error')
    demand(pay(intent), 200)
    error = demand(api('POST', f'/v1/payment_intents/{intent["id"]}/cancel', ''), 400).json['error']
    shape(error, {'code': 'payment_intent_unexpected_state', 'payment_intent': {'status': 'succeeded'}})


@test
def test_a_refund_has_the_documented_shape():
    intent = create()
    charge = demand(pay(intent), 200).json['latest_charge']
    a = demand(api('POST', '/v1/refunds', f'payment_intent={intent["id"]}&amount=500&reason=requested_by_customer'),
               200).json
    shape(a, {'id': 're:re_3[A-Za-z0-9]{23}', 'object': 'refund', 'amount': 500, 'currency': 'kes',
              'charge': charge, 'payment_intent': intent['id'], 'status': 'succeeded',
              'reason': 'requested_by_customer', 'metadata': {}, 'balance_transaction': None, 'created': int})
    shape(demand(api('GET', f'/v1/charges/{charge}'), 200).json,
          {'object': 'charge', 'amount': 129900, 'amount_captured': 129900, 'amount_refunded': 500,
           'refunded': False, 'captured': True, 'paid': True, 'disputed': False, 'status': 'succeeded',
           'payment_intent': intent['id'], 'currency': 'kes', 'livemode': False, 'metadata': {}})
    equal(demand(api('POST', '/v1/refunds', f'payment_intent={intent["id"]}&amount=129401'), 400)
          .json['error']['message'],
          'Refund amount (KSh1,294.01) is greater than unrefunded amount on charge (KSh1,294.00)')


@test
def test_a_webhook_has_the_documented_shape():
    intent = create('&metadata[order_id]=42', Idempotency_Key='order-42-2')
    [(headers, body, event)] = events('payment_intent.created')
    shape(event, {'id': r're:evt_\w+', 'object': 'event', 'api_version': '2026-10-28.endive', 'created': int,
                  'type': 'payment_intent.created', 'livemode': False, 'pending_webhooks': 1,
                  'request': {'id': r're:req_\w+', 'idempotency_key': 'order-42-2'}, 'data': {'object': intent}})
    check('previous_attributes' not in event['data'], 'previous_attributes without a change')
    equal(headers['Content-Type'], 'application/json; charset=utf-8')
    equal(headers['User-Agent'], 'Stripe/1.0 (+https://stripe.com/docs/webhooks)')
    t, v1 = signature(headers['Stripe-Signature'])
    check(abs(int(t) - time.time()) < 60, 'a fresh time')
    equal(v1, hmac.new(SECRET.encode(), t.encode() + b'.' + body, hashlib.sha256).hexdigest())


@test
def test_paying_and_giving_back_send_their_events():
    intent = create()
    # Each is awaited: what two calls cause leaves after their answers, of which either may be the slower.
    demand(pay(intent, 'pm_card_chargeDeclined'), 402)
    events('payment_intent.payment_failed', 1)
    demand(pay(intent), 200)
    events('payment_intent.succeeded', 1)
    for n in (1, 2):
        demand(api('POST', '/v1/refunds', f'payment_intent={intent["id"]}&amount=64950'), 200)
        events('refund.created', n)
    partly, whole = [e['data'] for _, _, e in events('charge.refunded', 2)]
    equal((partly['object']['amount_refunded'], partly['object']['refunded']), (64950, False))
    equal((whole['object']['amount_refunded'], whole['object']['refunded']), (129900, True))
    equal(whole['previous_attributes'], {'amount_refunded': 64950, 'refunded': False})
    equal([e['type'] for _, _, e in came()],
          ['payment_intent.created', 'charge.failed', 'payment_intent.payment_failed', 'charge.succeeded',
           'payment_intent.succeeded', 'charge.refunded', 'refund.created', 'charge.refunded', 'refund.created'])


@test
def test_the_vector_of_the_wire_notes():
    # Made by the SDK, confirmed with openssl.
    equal(sign(b'{"id":"evt_1"}', 'whsec_test', 1700000000),
          'c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925')


@test
def test_one_key_fifty_times_at_once_is_one_intent():
    answers = []

    def one():
        answers.append(api('POST', '/v1/payment_intents', 'amount=129900&currency=kes', Idempotency_Key='at-once'))
    threads = [threading.Thread(target=one) for _ in range(50)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    good = [a for a in answers if a.status == 200]
    check(good, 'none succeeded')
    equal(len({a.json['id'] for a in good}), 1)
    check(all(a.status in (200, 409) for a in answers), 'only 200 and 409')
    equal(len(sim.get('/sim/stripe/intents').json), 1)


@test
def test_a_key_that_is_busy_says_try_again():
    rule = sim.rule('stripe', 'create_intent', 'ORDBUSY', 1, before_ms=60000)
    form = 'amount=129900&currency=kes&description=ORDBUSY'
    first = threading.Thread(target=api, args=('POST', '/v1/payment_intents', form),
                             kwargs={'Idempotency_Key': 'busy'})
    first.start()
    until(lambda: sim.get('/sim/calls?match=ORDBUSY').json, 'the first call')
    a = demand(api('POST', '/v1/payment_intents', form, Idempotency_Key='busy'), 409)
    equal((a.json['error']['code'], a.headers['Stripe-Should-Retry']), ('idempotency_key_in_use', 'true'))
    demand(sim.call('DELETE', f'/sim/rules/{rule}'), 200)
    first.join()
    equal(api('POST', '/v1/payment_intents', form, Idempotency_Key='busy').headers['Idempotent-Replayed'], 'true')


@test
def test_what_is_stored_under_a_key():
    def twice(key, form='amount=129900&currency=kes', **do):
        if do:
            sim.rule('stripe', 'create_intent', None, 1, **do)
        first = api('POST', '/v1/payment_intents', form, Idempotency_Key=key)
        again = api('POST', '/v1/payment_intents', form, Idempotency_Key=key)
        return first.status, again.status, again.headers.get('Idempotent-Replayed')
    equal(twice('k-500', status=500), (500, 500, 'true'))
    equal(twice('k-500-free', status=500, stored=False), (500, 200, None))
    equal(twice('k-500-done', status=500, effect=True), (500, 500, 'true'))
    equal(twice('k-502-done', status=502, effect=True), (502, 200, 'true'))
    equal(twice('k-503', status=503), (503, 200, None))
    equal(twice('k-429', status=429), (429, 200, None))
    equal(twice('k-409', status=409), (409, 200, None))
    equal(twice('k-bad', 'amount=0&currency=kes'), (400, 400, None))
    equal(twice('k-declined', 'amount=129900&currency=kes&confirm=true&payment_method=pm_card_chargeDeclined'
                '&payment_method_types[]=card'), (402, 402, 'true'))
    equal(len(sim.get('/sim/stripe/intents').json), 7)


@test
def test_keys_live_for_a_day():
    first = create('&metadata[a]=1', Idempotency_Key='of-yesterday')
    demand(sim.post('/sim/clock', {'skew_ms': 23 * 3600 * 1000}), 200)
    equal(create('&metadata[a]=1', Idempotency_Key='of-yesterday')['id'], first['id'])
    demand(sim.post('/sim/clock', {'skew_ms': 25 * 3600 * 1000}), 200)
    check(create('&metadata[a]=1', Idempotency_Key='of-yesterday')['id'] != first['id'], 'a new intent')


@test
def test_signatures_of_every_kind():
    for how in ('bad', 'wrong_secret', 'old', 'future', 'two', 'v0', 'none'):
        sim.rule('stripe', 'event:payment_intent.created', None, 1, signature=how)
        intent = create()
        [(headers, body, _)] = until(lambda i=intent: [
            g for g in events('payment_intent.created') if g[2]['data']['object']['id'] == i['id']], how)
        header = headers.get('Stripe-Signature')
        if how == 'none':
            equal(header, None)
            continue
        parts = [p.split('=', 1) for p in header.split(',')]
        t = int(dict(parts)['t'])
        right = hmac.new(SECRET.encode(), b'%d.' % t + body, hashlib.sha256).hexdigest()
        equal([k for k, _ in parts], {'two': ['t', 'v1', 'v1'], 'v0': ['t', 'v0']}.get(how, ['t', 'v1']), how)
        equal([v == right for _, v in parts[1:]],
              {'two': [False, True], 'bad': [False], 'wrong_secret': [False]}.get(how, [True]), how)
        check((t < time.time() - 3000) == (how == 'old') and (t > time.time() + 3000) == (how == 'future'), how)


@test
def test_the_buyers_browser():
    intent = create('&metadata[order_id]=ORDBROWSER')
    wrong = {'intent': intent['id'], 'client_secret': 'x', 'card': 'pm_card_visa'}
    demand(sim.post('/sim/stripe/confirm', wrong), 400)
    sim.rule('stripe', 'confirm_intent', 'ORDBROWSER', 1, decline='expired_card')
    right = {**wrong, 'client_secret': intent['client_secret']}
    equal(demand(sim.post('/sim/stripe/confirm', right), 402).json['error']['code'], 'expired_card')
    equal(demand(sim.post('/sim/stripe/confirm', right), 200).json['status'], 'succeeded')
    equal(sim.get('/sim/books.txt').body, b'stripe KES 129900\n')


@test
def test_processing_ends_by_itself():
    sim.rule('stripe', 'confirm_intent', None, 1, processing_ms=50)
    intent = create()
    equal(demand(pay(intent), 200).json['status'], 'processing')
    events('payment_intent.processing')
    events('payment_intent.succeeded')


@test
def test_refunds_by_rule_and_by_hand():
    intent = create()
    demand(pay(intent), 200)
    sim.rule('stripe', 'create_refund', intent['id'], 1, refund='pending', refund_ms=None)
    refund = demand(api('POST', '/v1/refunds', f'payment_intent={intent["id"]}&amount=100000'), 200).json
    equal((refund['status'], refund['pending_reason']), ('pending', 'processing'))
    equal(sim.get('/sim/books').json['stripe']['KES']['net'], 129900, 'a pending refund has not moved')
    demand(api('POST', '/v1/refunds', f'payment_intent={intent["id"]}&amount=29901'), 400)  # but it counts
    demand(sim.post('/sim/stripe/refund', {'refund': refund['id'], 'status': 'succeeded'}), 200)
    equal(sim.get('/sim/books').json['stripe']['KES']['net'], 29900)
    demand(sim.post('/sim/stripe/refund', {'refund': refund['id'], 'status': 'failed',
                                           'failure_reason': 'lost_or_stolen_card'}), 200)
    equal(sim.get('/sim/books').json['stripe']['KES']['net'], 129900)
    demand(sim.post('/sim/stripe/refund', {'refund': refund['id'], 'status': 'succeeded'}), 400)
    [(_, _, event)] = events('refund.failed')
    equal(event['data']['object']['failure_reason'], 'lost_or_stolen_card')
    sim.rule('stripe', 'create_refund', intent['id'], 1, refund='failed')
    equal(demand(api('POST', '/v1/refunds', f'payment_intent={intent["id"]}'), 200).json['status'], 'failed')
    equal(sim.get('/sim/books').json['stripe']['KES']['refunded'], 0)


@test
def test_an_event_is_sent_again_by_hand():
    create()
    [(_, _, event)] = events('payment_intent.created')
    demand(sim.post('/sim/stripe/resend', {'event': event['id'], 'copies': 20, 'parallel': True}), 200)
    again = events('payment_intent.created', 21)
    equal({e['id'] for _, _, e in again}, {event['id']})


if __name__ == '__main__':
    main(tests, sim)
