"""soko-sim as Daraja: the shapes of the wire as the providers' documents give them, and each knob."""
import base64
import http.client
import json
import re
import subprocess
import threading
import time

from sim_common import TOKEN, Sim, check, demand, equal, main, until

sim = Sim()
TESTS = []
HOOK = '/webhooks/stk/' + 'ab' * 32
PASSKEY = sim.config['DARAJA_PASSKEY']


def test(f):
    TESTS.append(f)
    return f


def token(**more):
    basic = base64.b64encode(f'{sim.config["DARAJA_CONSUMER_KEY"]}:'
                             f'{sim.config["DARAJA_CONSUMER_SECRET"]}'.encode()).decode()
    return sim.get('/oauth/v1/generate?grant_type=client_credentials',
                   {'Authorization': 'Basic ' + basic, **more})


def call(path, body, bearer=None, **headers):
    bearer = bearer or demand(token(), 200).json['access_token']
    return sim.post(path, body, {'Authorization': 'Bearer ' + bearer, **headers})


def stamp(skew=0):
    return time.strftime('%Y%m%d%H%M%S', time.gmtime(time.time() + 3 * 3600 + skew))


def signed(skew=0):
    t = stamp(skew)
    return {'BusinessShortCode': '174379', 'Timestamp': t,
            'Password': base64.b64encode(('174379' + PASSKEY + t).encode()).decode()}


def push_body(phone='254722000000', amount='1', reference='ORD000042', **more):
    body = {**signed(), 'TransactionType': 'CustomerPayBillOnline', 'Amount': amount, 'PartyA': phone,
            'PartyB': '174379', 'PhoneNumber': phone, 'CallBackURL': 'https://shop.example' + HOOK,
            'AccountReference': reference, 'TransactionDesc': 'Order 42'}
    body.update(more)
    return {k: v for k, v in body.items() if v is not None}


def push(bearer=None, **more):
    return call('/mpesa/stkpush/v1/processrequest', push_body(**more), bearer)


def query(checkout, bearer=None):
    return call('/mpesa/stkpushquery/v1/query', {**signed(), 'CheckoutRequestID': checkout}, bearer)


def act(checkout, action, **more):
    return sim.post('/sim/prompts/' + checkout, {'action': action, **more})


def paid(**more):
    """A prompt that was approved: its checkout id and receipt."""
    checkout = demand(push(**more), 200).json['CheckoutRequestID']
    return checkout, demand(act(checkout, 'approve'), 200).json['receipt']


def callback(n=0):
    return json.loads(sim.await_got(HOOK, n + 1)[n][1])['Body']['stkCallback']


def books():
    return sim.get('/sim/books').json.get('mpesa', {}).get('KES', {'net': 0, 'charged': 0, 'refunded': 0})


def credential(password=None):
    done = subprocess.run(['openssl', 'pkeyutl', '-encrypt', '-certin', '-inkey', sim.path('daraja.pem'),
                           '-pkeyopt', 'rsa_padding_mode:pkcs1'],
                          input=(password or sim.config['DARAJA_INITIATOR_PASSWORD']).encode(),
                          capture_output=True, check=True)
    return base64.b64encode(done.stdout).decode()


def b2c(originator, amount='10', password=None, **more):
    return call('/mpesa/b2c/v3/paymentrequest', {
        'OriginatorConversationID': originator, 'InitiatorName': 'testapi',
        'SecurityCredential': credential(password), 'CommandID': 'BusinessPayment', 'Amount': amount,
        'PartyA': '174379', 'PartyB': '254705912645', 'Remarks': 'Payout 17',
        'QueueTimeOutURL': 'https://shop.example/t', 'ResultURL': 'https://shop.example/r',
        'Occassion': 'ORD17', **more})


def reverse(receipt, amount='1', **more):
    return call('/mpesa/reversal/v1/request', {
        'Initiator': 'testapi', 'SecurityCredential': credential(), 'CommandID': 'TransactionReversal',
        'TransactionID': receipt, 'Amount': amount, 'ReceiverParty': '174379',
        'RecieverIdentifierType': '11', 'ResultURL': 'https://shop.example/r',
        'QueueTimeOutURL': 'https://shop.example/t', 'Remarks': 'Refund', **more})


def status(**more):
    return call('/mpesa/transactionstatus/v1/query', {
        'Initiator': 'testapi', 'SecurityCredential': credential(), 'CommandID': 'TransactionStatusQuery',
        'PartyA': '174379', 'IdentifierType': '4', 'ResultURL': 'https://shop.example/s',
        'QueueTimeOutURL': 'https://shop.example/t', 'Remarks': 'What?', **more})


def result(path='/r', n=0):
    return json.loads(sim.await_got(path, n + 1)[n][1])['Result']


def parameters(r):
    return {p['Key']: p.get('Value') for p in r['ResultParameters']['ResultParameter']}


@test
def test_token_has_the_documented_shape():
    a = demand(token(), 200).json
    equal(set(a), {'access_token', 'expires_in'}, 'members')
    equal(a['expires_in'], '3599', 'a text')
    check(re.fullmatch(r'[A-Za-z0-9]{28}', a['access_token']), 'the token')
    sim.rule('daraja', 'token', number=True, expires_in=60)
    equal(token().json['expires_in'], 60, 'a number')


@test
def test_token_errors():
    equal(token(Authorization='Bearer x').json['errorCode'], '400.008.01')
    a = demand(token(Authorization='Basic eDp5'), 400)
    equal(a.body, b'', 'wrong keys')


@test
def test_new_token_ends_the_one_before():
    old = token().json['access_token']
    new = token().json['access_token']
    a = demand(push(old), 404)
    equal(a.json['errorCode'], '404.001.03')
    demand(push(new), 200)
    equal(demand(query('ws_CO_1', old), 401).json['errorCode'], '401.002.01')
    equal(demand(call('/pulltransactions/v1/query', {}, old), 400).json['errorCode'], '400.003.01')
    sim.rule('daraja', 'token', keep=True)
    third = token().json['access_token']
    demand(push(third, phone='254722000001'), 200)
    demand(push(new, phone='254722000002'), 200)
    demand(sim.post('/sim/tokens'), 200)
    demand(push(third), 404)


@test
def test_token_expires():
    sim.rule('daraja', 'token', expires_in=0)
    demand(push(token().json['access_token']), 404)
    demand(sim.call('DELETE', '/sim/rules'), 200)
    good = token().json['access_token']
    sim.rule('daraja', 'push', times=1, invalid_token=True)
    demand(push(good), 404)
    demand(push(good), 404)
    demand(push(), 200)


@test
def test_push_has_the_documented_shape():
    a = demand(push(), 200).json
    equal(set(a), {'MerchantRequestID', 'CheckoutRequestID', 'ResponseCode', 'ResponseDescription',
                   'CustomerMessage'}, 'members')
    equal((a['ResponseCode'], a['ResponseDescription']),
          ('0', 'Success. Request accepted for processing'))
    check(re.fullmatch(r'ws_CO_[0-9]{26}', a['CheckoutRequestID']), a['CheckoutRequestID'])
    prompt = sim.get('/sim/phones/254722000000').json
    equal([(p['amount'], p['reference'], p['status']) for p in prompt], [(100, 'ORD000042', 'waiting')])


@test
def test_push_is_checked_whole():
    bad = 'Bad Request - Invalid '
    table = [
        ({'BusinessShortCode': 'x'}, 400, '400.002.02', bad + 'BusinessShortCode'),
        ({'BusinessShortCode': '600000'}, 500, '500.001.1001', 'Merchant does not exist'),
        ({'Password': 'x'}, 500, '500.001.1001', 'Wrong credentials'),
        ({'Timestamp': '2021'}, 400, '400.002.02', bad + 'Timestamp'),
        (signed(-3600), 400, '400.002.02', bad + 'Timestamp'),
        (signed(-3 * 3600), 400, '400.002.02', bad + 'Timestamp'),  # UTC, not East Africa Time
        ({'TransactionType': 'Pay'}, 400, '400.002.02', bad + 'TransactionType'),
        ({'Amount': '0'}, 400, '400.002.02', bad + 'Amount'),
        ({'Amount': '1.5'}, 400, '400.002.02', bad + 'Amount'),
        ({'Amount': 1.0}, 400, '400.002.02', bad + 'Amount'),
        ({'Amount': '250001'}, 400, '400.002.02', bad + 'Amount'),
        ({'PhoneNumber': '0722000000'}, 400, '400.002.02', bad + 'PhoneNumber'),
        ({'PhoneNumber': '+254722000000'}, 400, '400.002.02', bad + 'PhoneNumber'),
        ({'PhoneNumber': '254822000000'}, 400, '400.002.02', bad + 'PhoneNumber'),
        ({'PartyA': '1'}, 400, '400.002.02', bad + 'PartyA'),
        ({'CallBackURL': 'http://shop.example/x'}, 400, '400.002.02', bad + 'CallBackURL'),
        ({'CallBackURL': 'https://shop.example/MPesa/x'}, 400, '400.002.02', bad + 'CallBackURL'),
        ({'CallBackURL': 'https://shop.example/execute'}, 400, '400.002.02', bad + 'CallBackURL'),
        ({'CallBackURL': 'https://shop.example/a?query=1'}, 400, '400.002.02', bad + 'CallBackURL'),
        ({'AccountReference': 'ORD0000000042'}, 400, '400.002.02', bad + 'AccountReference'),
        ({'AccountReference': 'ORD_42'}, 400, '400.002.02', bad + 'AccountReference'),
        ({'AccountReference': None}, 400, '400.002.02', bad + 'AccountReference'),
        ({'TransactionDesc': ''}, 400, '400.002.02', bad + 'Remarks'),
        ({'TransactionDesc': 'Order number 4'}, 400, '400.002.02', bad + 'Remarks'),
    ]
    good = token().json['access_token']
    for change, code, error, message in table:
        a = demand(push(good, **change), code)
        equal((a.json['errorCode'], a.json['errorMessage']), (error, message), str(change))
        check(re.fullmatch(r'[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{20}', a.json['requestId']),
              'requestId')
    equal(sim.get('/sim/phones').json, {}, 'no prompt')
    equal(demand(push(good, phone='254110000000', amount=250000), 200).json['ResponseCode'], '0')


@test
def test_wrong_paths_methods_and_bodies():
    good = token().json['access_token']
    auth = {'Authorization': 'Bearer ' + good}
    equal(demand(sim.post('/mpesa/nothing', {}, auth), 404).json['errorCode'], '404.001.01')
    equal(demand(sim.get('/mpesa/stkpush/v1/processrequest', auth), 405).json['errorCode'], '405.001')
    a = sim.post('/mpesa/stkpush/v1/processrequest', json.dumps(push_body()),
                 {**auth, 'Content-Type': 'text/plain'})
    equal(demand(a, 400).json['errorMessage'], 'Bad Request - Invalid BusinessShortCode')
    demand(sim.post('/mpesa/stkpush/v1/processrequest', '{', auth), 400)


@test
def test_approved_callback_has_the_documented_shape():
    checkout, receipt = paid(amount='1')
    raw = sim.await_got(HOOK)[0][1].decode()
    check('"Value":1.00}' in raw, 'the amount is a real with two decimals')
    check('{"Name":"Balance"}' in raw, 'Balance without Value')
    said = callback()
    equal(said['CheckoutRequestID'], checkout)
    equal((said['ResultCode'], said['ResultDesc']), (0, 'The service request is processed successfully.'))
    items = {i['Name']: i.get('Value') for i in said['CallbackMetadata']['Item']}
    equal((items['MpesaReceiptNumber'], items['PhoneNumber']), (receipt, 254722000000))
    check(isinstance(items['TransactionDate'], int) and len(str(items['TransactionDate'])) == 14, 'date')
    check(re.fullmatch('[A-Z0-9]{10}', receipt), receipt)
    check('ORD000042' not in raw, 'the reference is not given back')
    equal(books()['charges'], [{'ref': receipt, 'amount': 100, 'refunded': 0, 'order': 'ORD000042',
                                'paid': True}], 'books')


@test
def test_failed_callbacks():
    for n, (action, code) in enumerate((('wrong_pin', 2001), ('cancel', 1032), ('ignore', 1037),
                                        ('insufficient', 1))):
        checkout = demand(push(), 200).json['CheckoutRequestID']
        demand(act(checkout, action), 200)
        said = callback(n)
        equal((said['ResultCode'], 'CallbackMetadata' in said), (code, False), action)
        equal(query(checkout).json['ResultCode'], str(code), 'the query says it as a text')
        demand(act(checkout, 'cancel'), 409)
    equal(books()['net'], 0, 'no money')


@test
def test_late_success_after_1037():
    checkout = demand(push(), 200).json['CheckoutRequestID']
    demand(act(checkout, 'ignore'), 200)
    equal(callback()['ResultCode'], 1037)
    demand(act(checkout, 'approve'), 200)
    equal(callback(1)['ResultCode'], 0)
    equal(books()['net'], 100, 'money')


@test
def test_prompt_dies_by_itself():
    sim.rule('daraja', 'push', match='254722000000', prompt_ms=50)
    checkout = demand(push(), 200).json['CheckoutRequestID']
    equal(callback()['ResultCode'], 1037)
    equal(query(checkout).json['ResultCode'], '1037')


@test
def test_nothing_of_before_a_reset_comes_after_it():
    came, go, order = threading.Event(), threading.Event(), []

    def door(path):
        came.set()
        go.wait(20)
        order.append('callback')

    def reset():
        demand(sim.post('/sim/reset'), 200)
        order.append('reset')

    sim.shop.door = door
    paid()
    check(came.wait(20), 'the callback is on the wire')
    resetting = threading.Thread(target=reset)
    resetting.start()
    until(lambda: sim.get('/sim/health').json['pending'] == 0, 'it is forgotten')
    go.set()
    resetting.join()
    equal(order, ['callback', 'reset'], 'in order')


@test
def test_one_prompt_a_subscriber():
    first = demand(push(), 200).json['CheckoutRequestID']
    a = demand(push(), 500)
    equal(a.json['errorCode'], '500.001.1001')
    check(a.json['errorMessage'].startswith('Unable to lock subscriber, a transaction is already in process'),
          a.json['errorMessage'])
    demand(act(first, 'approve'), 200)
    demand(push(), 200)


@test
def test_same_amount_within_two_minutes():
    paid()
    callback()
    sim.rule('daraja', 'push', same_ms=120000)
    demand(push(), 200)
    equal(callback(1)['ResultCode'], 17)
    demand(push(amount='2'), 200)
    equal(len(sim.got(HOOK)), 2, 'another amount waits')


@test
def test_wrong_pairing_fails_later():
    demand(push(TransactionType='CustomerBuyGoodsOnline'), 200)
    equal(callback()['ResultCode'], 2028)
    demand(push(PartyB='600000'), 200)
    equal(callback(1)['ResultCode'], 'SFC_IC0003')


@test
def test_query_pending_forms():
    checkout = demand(push(), 200).json['CheckoutRequestID']
    a = demand(query(checkout), 500)
    equal((a.json['requestId'], a.json['errorCode'], a.json['errorMessage']),
          (checkout, '500.001.1001', 'The transaction is being processed'), 'form A')
    rule = sim.rule('daraja', 'query', match=checkout, pending=1, form='b')
    a = demand(query(checkout), 200).json
    equal(a['ResultCode'], '4999', 'form B')
    equal(set(a), {'ResponseCode', 'ResponseDescription', 'MerchantRequestID', 'CheckoutRequestID',
                   'ResultCode', 'ResultDesc'}, 'members')
    demand(act(checkout, 'approve'), 200)
    sim.call('DELETE', f'/sim/rules/{rule}')
    sim.rule('daraja', 'query', match=checkout, pending=2, form='b')
    equal([query(checkout).json['ResultCode'] for _ in range(3)], ['4999', '4999', '0'],
          '4999, then the truth')
    demand(query('ws_CO_1'), 500)


@test
def test_callback_knobs():
    sim.rule('daraja', 'callback', match='LIE', amount=9900, as_string=True, phone='masked')
    paid(reference='LIE')
    said = callback()
    items = {i['Name']: i.get('Value') for i in said['CallbackMetadata']['Item']}
    equal((said['ResultCode'], items['Amount'], items['PhoneNumber']), ('0', 99.0, '2547 ***** 000'))
    equal(books()['net'], 100, 'the books know better')
    sim.rule('daraja', 'callback', match='TWICE', copies=3, parallel=True)
    paid(reference='TWICE')
    sim.await_got(HOOK, 4)
    sim.rule('daraja', 'callback', match='LOST', lost=True)
    checkout, _ = paid(reference='LOST')
    equal(query(checkout).json['ResultCode'], '0', 'but it was paid')
    sim.rule('daraja', 'callback', match='HELD', hold=True)
    paid(reference='HELD')
    equal(len(sim.got(HOOK)), 4, 'lost and held did not come')
    equal(sim.post('/sim/release', {'match': 'HELD'}).json['released'], 1)
    sim.await_got(HOOK, 5)
    sim.rule('daraja', 'callback', match='FAR', **{'from': '203.0.113.9'})
    paid(reference='FAR')
    equal(sim.await_got(HOOK, 6)[5][0]['X-Forwarded-For'], '203.0.113.9')
    sim.rule('daraja', 'callback', match='FAIL', result_code='26')
    equal(paid(reference='FAIL')[1], None, 'no money, no receipt')
    equal(callback(6)['ResultCode'], 26)


@test
def test_callback_before_the_answer():
    demand(sim.post('/sim/auto', {'action': 'approve', 'match': 'FIRST'}), 200)
    sim.rule('daraja', 'callback', match='FIRST', before_answer=True)
    demand(push(reference='FIRST'), 200)
    equal(len(sim.got(HOOK)), 1, 'it is there when the answer is')
    demand(sim.post('/sim/auto', {'action': 'cancel', 'after_ms': 1, 'match': 'LATER'}), 200)
    demand(push(reference='LATER'), 200)
    equal(callback(1)['ResultCode'], 1032)


@test
def test_answers_bent():
    sim.rule('daraja', 'push', match='WAF', status=403, body='html')
    a = demand(push(reference='WAF'), 403)
    check(b'Incapsula incident ID' in a.body and b'<html>' in a.body, 'the page of an edge')
    sim.rule('daraja', 'push', match='RATE', status=429)
    equal(demand(push(reference='RATE'), 500).json['errorMessage'],
          'Error Occurred: Spike Arrest Violation', 'not as 429')
    sim.rule('daraja', 'push', match='CODE', status=500, code='500.003.03')
    equal(push(reference='CODE').json['errorMessage'], 'Error Occurred: Quota Violation')
    equal(sim.get('/sim/phones').json, {}, 'without effect')
    sim.rule('daraja', 'push', match='EFFECT', status=500, effect=True)
    demand(push(reference='EFFECT'), 500)
    equal(len(sim.get('/sim/phones').json), 1, 'with effect')
    sim.rule('daraja', 'push', match='DROP', drop=True)
    try:
        answer = push(reference='DROP', phone='254722000001')
    except http.client.RemoteDisconnected:
        answer = None
    equal(answer, None, 'no answer')
    equal(len(sim.get('/sim/phones/254722000001').json), 1, 'the prompt is there')
    a = sim.get('/sim/calls?provider=daraja&operation=push&match=DROP').json
    equal([c['outcome'] for c in a], ['drop'])


@test
def test_b2c_has_the_documented_shape():
    a = demand(b2c('payout-1'), 200).json
    equal(set(a), {'ConversationID', 'OriginatorConversationID', 'ResponseCode', 'ResponseDescription'})
    equal((a['OriginatorConversationID'], a['ResponseCode']), ('payout-1', '0'))
    check(re.fullmatch(r'AG_[0-9]{8}_[0-9a-f]{20}', a['ConversationID']), a['ConversationID'])
    r = result()
    equal((r['ResultType'], r['ResultCode'], r['OriginatorConversationID'], r['ConversationID']),
          (0, 0, 'payout-1', a['ConversationID']))
    p = parameters(r)
    equal((p['TransactionAmount'], p['TransactionReceipt']), (10, r['TransactionID']))
    check(re.fullmatch(r'\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d', p['TransactionCompletedDateTime']), 'date')
    equal(r['ReferenceData']['ReferenceItem']['Key'], 'QueueTimeoutURL')
    equal((books()['net'], books()['payouts'][0]['order']), (-1000, 'ORD17'), 'books')


@test
def test_b2c_is_idempotent_by_its_id():
    demand(b2c('same'), 200)
    a = demand(b2c('same'), 500)
    equal((a.json['errorCode'], a.json['errorMessage']),
          ('500.002.1001', 'Duplicate OriginatorConversationID.'))
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(b2c('many').status)) for _ in range(6)]
    sim.rule('daraja', 'token', keep=True)
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(sorted(answers), [200] + [500] * 5)
    equal(books()['net'], -2000)


@test
def test_b2c_is_checked():
    for change in ({'amount': '9'}, {'Remarks': 'x'}, {'PartyB': '0705912645'}, {'PartyA': '1'},
                   {'CommandID': 'Gift'}, {'ResultURL': 'http://shop.example/r'}, {'SecurityCredential': ''}):
        equal(demand(b2c('bad', **change), 400).json['errorCode'], '400.002.02', str(change))
    demand(b2c('wrong', password='guess'), 200)
    r = result()
    equal((r['ResultCode'], 'ResultParameters' in r), (2001, False), 'a wrong credential is told later')
    equal(books()['net'], 0)


@test
def test_result_knobs():
    sim.rule('daraja', 'result', match='one', single=True, as_string=True)
    demand(b2c('one'), 200)
    r = result()
    equal((r['ResultCode'], type(r['ResultParameters']['ResultParameter']),
           type(r['ReferenceData']['ReferenceItem'])), ('0', dict, list))
    sim.rule('daraja', 'result', match='slow', timeout_first=True)
    demand(b2c('slow'), 200)
    equal(json.loads(sim.await_got('/t')[0][1])['Result']['OriginatorConversationID'], 'slow')
    equal(result(n=1)['ResultCode'], 0, 'and then it was done')
    sim.rule('daraja', 'result', match='short', result_code='1')
    demand(b2c('short'), 200)
    equal(result(n=2)['ResultCode'], 1)
    equal(books()['net'], -2000, 'the third moved nothing')


@test
def test_reversal_once():
    _, receipt = paid(amount='300')
    a = demand(reverse(receipt, '300'), 200).json
    r = result()
    equal((r['ResultCode'], r['ConversationID'], parameters(r)['OriginalTransactionID']),
          (0, a['ConversationID'], receipt))
    equal(set(parameters(r)) >= {'Amount', 'TransCompletedTime', 'OriginalTransactionID', 'Charge',
                                 'CreditPartyPublicName'}, True, 'keys')
    demand(reverse(receipt, '300'), 200)
    equal(result(n=1)['ResultCode'], 'R000001', 'a second time')
    demand(reverse('AAAAAAAAAA'), 200)
    equal(result(n=2)['ResultCode'], 'R000002')
    equal((books()['charged'], books()['refunded']), (30000, 30000))
    demand(reverse(receipt, RecieverIdentifierType='4'), 400)


@test
def test_status_by_receipt_and_by_conversation():
    _, receipt = paid(amount='300')
    demand(status(TransactionID=receipt), 200)
    p = parameters(result('/s'))
    equal((p['TransactionStatus'], p['ReceiptNo'], p['Amount']), ('Completed', receipt, '300'))
    equal([k['Key'] for k in result('/s')['ResultParameters']['ResultParameter']].count('DebitPartyName'), 2,
          'a key that repeats')
    sim.rule('daraja', 'result', match='asked', times=1, lost=True)
    conversation = demand(b2c('asked'), 200).json['ConversationID']
    for n, name in enumerate(('asked', conversation)):
        demand(status(OriginalConversationID=name), 200)
        p = parameters(result('/s', n + 1))
        equal((p['TransactionStatus'], p['Amount']), ('Completed', '10'))
    sim.rule('daraja', 'b2c', match='failed', result_code='1')
    demand(b2c('failed'), 200)
    demand(status(OriginalConversationID='failed'), 200)
    equal(parameters(result('/s', 3))['TransactionStatus'], 'Failed')
    demand(status(OriginalConversationID='never'), 200)
    equal(result('/s', 4)['ResultCode'], 'R000002')


@test
def test_balance():
    demand(call('/mpesa/accountbalance/v1/query', {
        'Initiator': 'testapi', 'SecurityCredential': credential(), 'CommandID': 'AccountBalance',
        'PartyA': '174379', 'IdentifierType': '4', 'Remarks': 'How much', 'ResultURL':
        'https://shop.example/r', 'QueueTimeOutURL': 'https://shop.example/t'}), 200)
    check(re.fullmatch(r'Working Account\|KES\|[0-9.]+\|[0-9.]+\|0\.00\|0\.00&Utility Account\|KES\|.*',
                       parameters(result())['AccountBalance']), 'the one text')


@test
def test_c2b_validates_and_confirms():
    base = f'/webhooks/c2b/{TOKEN}/'
    sim.shop.answers[base + 'validation'] = (200, {'ResultCode': 'C2B00012', 'ResultDesc': 'Rejected'})
    pay = {'phone': '254708374149', 'amount': 550, 'bill': 'ord-42'}
    equal(sim.post('/sim/c2b', pay).json, {'accepted': False, 'result_code': 'C2B00012'})
    equal(books()['net'], 0, 'refused: no money')
    sim.shop.answers[base + 'validation'] = (200, {'ResultCode': '0', 'ResultDesc': 'Accepted'})
    receipt = demand(sim.post('/sim/c2b', pay), 200).json['receipt']
    said = json.loads(sim.await_got(base + 'confirmation')[0][1])
    equal((said['TransID'], said['TransAmount'], said['BillRefNumber'], said['MSISDN'],
           said['BusinessShortCode']), (receipt, '5.50', 'ord-42', '2547 ***** 149', '174379'))
    equal(set(said), {'TransactionType', 'TransID', 'TransTime', 'TransAmount', 'BusinessShortCode',
                      'BillRefNumber', 'InvoiceNumber', 'OrgAccountBalance', 'ThirdPartyTransID', 'MSISDN',
                      'FirstName', 'MiddleName', 'LastName'}, 'members')
    check(all(isinstance(v, str) for v in said.values()), 'all are texts')
    equal(books()['net'], 550)


@test
def test_c2b_register_simulate_and_echo():
    body = {'ShortCode': '174379', 'ResponseType': 'Completed', 'ConfirmationURL':
            'https://shop.example/c', 'ValidationURL': 'https://shop.example/v'}
    a = demand(call('/mpesa/c2b/v2/registerurl', body), 200).json
    equal(set(a), {'OriginatorCoversationID', 'ResponseCode', 'ResponseDescription'}, 'sic')
    equal(demand(call('/mpesa/c2b/v2/registerurl', body), 500).json['errorMessage'],
          'Urls are already registered')
    demand(call('/mpesa/c2b/v2/registerurl', {**body, 'ResponseType': 'completed'}), 400)
    demand(call('/mpesa/c2b/v2/simulate', {'ShortCode': 174379, 'CommandID': 'CustomerPayBillOnline',
                                           'Amount': 1, 'Msisdn': 254708374149,
                                           'BillRefNumber': 'ORD-42'}), 200)
    sim.await_got('/v')
    sim.await_got('/c')
    sim.rule('daraja', 'c2b', match='ECHO', echo=True)
    _, receipt = paid(reference='ECHO')
    equal(json.loads(sim.await_got('/c', 2)[1][1])['TransID'], receipt, 'the same receipt')
    equal(books()['net'], 200, 'and the money once')


@test
def test_pull_lists_what_came():
    def pull(**more):
        when = '%Y-%m-%d %H:%M:%S'
        now = time.time() + 3 * 3600
        return call('/pulltransactions/v1/query', {
            'ShortCode': '174379', 'StartDate': time.strftime(when, time.gmtime(now - 3600)),
            'EndDate': time.strftime(when, time.gmtime(now + 60)), 'OffSetValue': '0', **more})
    equal(demand(pull(), 200).json['ResponseCode'], '1001', 'none')
    _, receipt = paid(amount='168')
    a = demand(pull(), 200).json
    equal((a['ResponseCode'], a['ResponseMessage']), ('1000', 'Success'))
    t = a['Response'][0][0]
    equal((t['transactionId'], t['billreference'], t['amount'], t['msisdn'], t['transactiontype']),
          (receipt, 'ORD000042', '168.00', 254722000000, 'c2b-pay-bill-debit'))
    equal(demand(pull(OffSetValue='1'), 200).json['ResponseCode'], '1001')
    demand(pull(StartDate='2020-08-04 08:36:00'), 400)


@test
def test_nothing_secret_is_printed():
    paid()
    demand(b2c('quiet'), 200)
    log = until(lambda: '"message"' in sim.log() and sim.log(), 'a line about a message')
    for secret in [*sim.config.values(), '254722000000', '254705912645', 'ws_CO_', 'ab' * 32]:
        if len(secret) > 7:
            check(secret not in log, f'{secret[:4]}... is in the log')


main(TESTS, sim)
