"""soko-sim's core: rules, what they do to answers and to messages, the books. Shown on its Stripe."""
import http.client
import socket
import threading
import time

from sim_common import Sim, check, demand, equal, main, until

sim = Sim()
tests = []
HOOK = '/webhooks/stripe'
HEADERS = {'Authorization': 'Bearer ' + sim.config['STRIPE_SECRET_KEY']}


def test(f):
    tests.append(f)
    return f


def create(order='ORDER1', timeout=30, connection=None):
    """An answer, or the name of what the connection died of."""
    c = connection or http.client.HTTPConnection('127.0.0.1', sim.port, timeout=timeout)
    try:
        c.request('POST', '/v1/payment_intents', f'amount=129900&currency=kes&metadata[order_id]={order}', HEADERS)
        r = c.getresponse()
        return r.status, r.headers.get('Content-Type'), r.read()
    except (OSError, http.client.HTTPException) as e:
        return type(e).__name__
    finally:
        if connection is None:
            c.close()


def intents(match=''):
    return sim.get('/sim/stripe/intents?match=' + match).json


def heard(order):
    """The webhooks about this order that came, as (headers, body)."""
    return [g for g in sim.got(HOOK) if order.encode() in g[1]]


def hear(order, count=1):
    return until(lambda: len(heard(order)) >= count and heard(order), f'{count} about {order}')


def deliveries(match):
    return sim.get('/sim/deliveries?match=' + match).json


@test
def test_a_bad_rule_is_refused_by_name():
    for rule, words in (
        ({'provider': 'paypal', 'do': {'hang': True}}, 'provider'),
        ({'provider': 'stripe', 'operation': 'create_intents', 'do': {'hang': True}}, 'operation'),
        ({'provider': 'stripe', 'do': {'hnag': True}}, 'hnag'), ({'provider': 'stripe', 'do': {}}, 'do'),
        ({'provider': 'stripe', 'do': {'body': 'xml'}}, 'body'), ({'do': {'hang': True}, 'time': 1}, 'time'),
        ({'do': {'hang': True}, 'times': 0}, 'times'), ({'do': {'effect': False}}, 'effect'), ([], 'object'),
        ({'provider': 'stripe', 'do': {'hang': True}, 'match': ''}, 'match'),
    ):
        a = demand(sim.post('/sim/rules', rule), 400)
        check(words in a.json['error'], f'{rule}: {a.json}')
    equal(sim.get('/sim/rules').json, [])
    demand(sim.call('DELETE', '/sim/rules/99'), 404)
    demand(sim.get('/sim/nothing'), 404)


@test
def test_rules_match_count_and_take_turns():
    sim.rule('stripe', 'create_intent', None, None, status=503)
    sim.rule('stripe', 'create_intent', 'MINE', 1, status=500)
    sim.rule('stripe', '*', 'MINE', 1, status=429)
    sim.rule('*', 'get_intent', None, None, status=502)
    equal([create('MINE')[0] for _ in range(3)], [500, 429, 503])
    equal(create('OTHER')[0], 503)
    equal([r['used'] for r in sim.get('/sim/rules').json], [2, 1, 1, 0])
    equal(intents(), [])


@test
def test_answers_bent():
    whole = create('WHOLE')
    equal(whole[:2], (200, 'application/json'))
    for do, status, kind, bodies in (
        ({'body': 'html'}, 200, 'text/html', lambda b: b.startswith(b'<html>')),
        ({'body': 'html', 'status': 503}, 503, 'text/html', lambda b: b.startswith(b'<html>')),
        ({'body': 'empty'}, 200, 'application/json', lambda b: b == b''),
        ({'body': 'truncated'}, 200, 'application/json', lambda b: 400 < len(b) < 800),
        ({'body': 'large'}, 200, 'application/json', lambda b: len(b) > 16 << 20),
        ({'body': 'drip', 'drip_ms': 0}, 200, 'application/json', lambda b: b.endswith(b'}')),
    ):
        sim.rule('stripe', 'create_intent', 'BENT', 1, **do)
        got = create('BENT')
        equal(got[:2], (status, kind), str(do))
        check(bodies(got[2]), f'{do}: {got[2][:60]!r}')
    equal(len(intents('BENT')), 5, 'a page of a proxy with its status is no effect, all others are')
    sim.rule('stripe', 'create_intent', 'CUT', 1, body='cut')
    equal((create('CUT'), len(intents('CUT'))), ('IncompleteRead', 1))
    sim.rule('stripe', 'create_intent', 'DROP', 1, drop=True)
    equal((create('DROP'), len(intents('DROP'))), ('RemoteDisconnected', 1))
    sim.rule('stripe', 'create_intent', 'RESET', 1, refuse_connection=True)
    equal((create('RESET'), len(intents('RESET'))), ('ConnectionResetError', 0))


@test
def test_a_hang_ends_with_its_rule():
    for effect in (False, True):
        order = f'HANG{effect}'
        rule = sim.rule('stripe', 'create_intent', order, 1, hang=True, effect=effect)
        got = []
        caller = threading.Thread(target=lambda o=order, g=got: g.append(create(o)))
        caller.start()
        until(lambda o=order: [c for c in sim.get('/sim/calls?match=' + o).json if c['outcome'] == 'hang'], 'it hangs')
        equal((got, len(intents(order))), ([], effect))
        demand(sim.call('DELETE', f'/sim/rules/{rule}'), 200)
        caller.join(20)
        equal(got, ['RemoteDisconnected'])


@test
def test_delay_comes_after_the_effect_and_before_ms_before_it():
    for word, effect in (('delay_ms', 1), ('before_ms', 0)):
        rule = sim.rule('stripe', 'create_intent', word, 1, **{word: 60000})
        caller = threading.Thread(target=create, args=(word,))
        caller.start()
        until(lambda w=word: sim.get('/sim/calls?match=' + w).json, 'the call')
        if effect:
            until(lambda w=word: intents(w), 'the effect')
        equal(len(intents(word)), effect, word)
        demand(sim.call('DELETE', f'/sim/rules/{rule}'), 200)
        caller.join(20)
        equal(len(intents(word)), 1, word)


@test
def test_connections_are_kept():
    c = http.client.HTTPConnection('127.0.0.1', sim.port, timeout=30)
    c.connect()
    own = c.sock.getsockname()
    for _ in range(3):
        equal(create('KEPT', connection=c)[0], 200)
        equal(c.sock.getsockname(), own, 'the same connection')
    c.close()


@test
def test_calls_are_recorded_without_their_keys():
    a = sim.call('POST', '/v1/payment_intents', 'amount=129900&currency=kes&description=NOTED',
                 {**HEADERS, 'Idempotency-Key': 'pi-create:1'})
    [call] = sim.get('/sim/calls?provider=stripe&operation=create_intent&match=NOTED').json
    equal((call['reference'], call['status'], call['outcome'], len(call['idempotency_key'])),
          ('NOTED', 200, 'answered', 16))
    check(a.json['id'] in call['references'], 'the new id')
    check('pi-create' not in sim.log() and a.json['client_secret'] not in sim.log(), 'secrets in the log')
    demand(sim.get('/sim/calls?of=1'), 400)


@test
def test_messages_leave_after_the_answer_or_before_it():
    sim.rule('stripe', 'event', 'FIRST', 1, before_answer=True)
    equal(create('FIRST')[0], 200)
    equal([d['state'] for d in deliveries('FIRST')], ['delivered'])
    equal(len(heard('FIRST')), 1)
    rule = sim.rule('stripe', 'create_intent', 'AFTER', 1, delay_ms=60000)
    caller = threading.Thread(target=create, args=('AFTER',))
    caller.start()
    until(lambda: deliveries('AFTER'), 'the message is made')
    equal(([d['state'] for d in deliveries('AFTER')], heard('AFTER')), (['waiting'], []))
    demand(sim.call('DELETE', f'/sim/rules/{rule}'), 200)
    caller.join(20)
    hear('AFTER')


@test
def test_a_message_is_lost_held_or_doubled():
    sim.rule('stripe', 'event', 'LOST', 1, lost=True)
    create('LOST')
    equal([(d['state'], d['attempts']) for d in deliveries('LOST')], [('lost', [])])
    sim.rule('stripe', 'event', 'HELD', 1, hold=True)
    create('HELD')
    until(lambda: deliveries('HELD')[0]['state'] == 'held', 'it is held')
    equal(demand(sim.post('/sim/release', {'match': 'OTHER'}), 200).json, {'released': 0})
    equal(heard('HELD'), [])
    equal(demand(sim.post('/sim/release', {'match': 'HELD'}), 200).json, {'released': 1})
    hear('HELD')
    for order, more in (('THRICE', {}), ('ATONCE', {'parallel': True})):
        sim.rule('stripe', 'event', order, 1, copies=3, **more)
        create(order)
        hear(order, 3)
    until(lambda: sim.get('/sim/health').json['pending'] == 0, 'nothing is on its way')
    equal([len(heard(o)) for o in ('LOST', 'HELD', 'THRICE', 'ATONCE')], [0, 1, 3, 3])


@test
def test_messages_of_one_thing_keep_their_order_unless_told():
    def order_of(name):
        create(name)
        [intent] = intents(name)
        a = sim.call('POST', f'/v1/payment_intents/{intent["id"]}/cancel', '', HEADERS)
        demand(a, 200)
        until(lambda: [d['state'] for d in deliveries(name)] == ['delivered'] * 2, 'both')
        return sorted((d['attempts'][0]['at'], d['operation']) for d in deliveries(name))
    kinds = ['event:payment_intent.created', 'event:payment_intent.canceled']
    equal([k for _, k in order_of('INORDER')], kinds)
    sim.rule('stripe', 'event:payment_intent.created', 'REORDER', 1, reorder=True, reorder_ms=20000)
    equal([k for _, k in order_of('REORDER')], kinds[::-1])


@test
def test_what_fails_is_sent_again():
    sim.shop.answers[HOOK] = (503, {})
    create('AGAIN')
    until(lambda: len(deliveries('AGAIN')[0]['attempts']) >= 2, 'two tries')
    equal(deliveries('AGAIN')[0]['state'], 'retrying')
    sim.shop.answers[HOOK] = (302, {})  # a redirect is no yes
    until(lambda: deliveries('AGAIN')[0]['attempts'][-1]['status'] == 302, 'a third')
    del sim.shop.answers[HOOK]
    until(lambda: deliveries('AGAIN')[0]['state'] == 'delivered', 'the last')
    sim.shop.answers[HOOK] = (503, {})
    sim.rule('stripe', 'event', 'ONCE', 1, retries=0)
    create('ONCE')
    until(lambda: deliveries('ONCE')[0]['state'] == 'failed', 'it is given up')
    equal(len(deliveries('ONCE')[0]['attempts']), 1)


@test
def test_messages_may_come_from_another_address():
    sim.rule('stripe', 'event', 'AWAY', 1, **{'from': '203.0.113.9'})
    create('AWAY')
    [(headers, _)] = hear('AWAY')
    equal(headers['X-Forwarded-For'], '203.0.113.9')


@test
def test_reset_forgets_everything():
    sim.rule('stripe', 'event', None, None, hold=True)
    create('GONE')
    demand(sim.post('/sim/clock', {'skew_ms': 5000}), 200)
    demand(sim.post('/sim/reset'), 200)
    equal((intents(), sim.get('/sim/rules').json, sim.get('/sim/calls').json, sim.get('/sim/deliveries').json,
           sim.get('/sim/books').json), ([], [], [], [], {}))
    equal(demand(sim.post('/sim/release'), 200).json, {'released': 0})
    create('NEW')
    hear('NEW')
    equal(heard('GONE'), [], 'what was held is gone')


@test
def test_bad_requests_do_no_harm():
    for raw in (b'POST /v1/payment_intents HTTP/1.1\r\nContent-Length: -5\r\n\r\n',
                b'POST /v1/payment_intents HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n', b'\x16\x03\x01\r\n\r\n',
                b'POST /sim/rules HTTP/1.1\r\nContent-Length: 5\r\n\r\n{"a":', b'GET // HTTP/1.1\r\n\r\n'):
        with socket.create_connection(('127.0.0.1', sim.port), 20) as s:
            s.sendall(raw)
            check(s.recv(100), f'an answer to {raw[:40]}')
    equal(demand(sim.get('/sim/health'), 200).json['status'], 'ok')


@test
def test_a_clock_that_is_wrong():
    demand(sim.post('/sim/clock', {'skew_ms': -600000}), 200)
    create('SKEW')
    [intent] = intents('SKEW')
    check(-660 < intent['created'] - time.time() < -540, 'ten minutes behind')
    [(headers, _)] = hear('SKEW')
    check(int(headers['Stripe-Signature'][2:12]) < time.time() - 540, 'its signatures too')


if __name__ == '__main__':
    main(tests, sim)
