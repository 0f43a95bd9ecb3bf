"""Daraja, Safaricom's API to M-Pesa: the token, M-Pesa Express (STK push), and the phones.

    GET  /oauth/v1/generate                  a token; a new one makes the one before invalid
    POST /mpesa/stkpush/v1/processrequest    a prompt on a phone
    POST /mpesa/stkpushquery/v1/query        what became of it
    the rest of /mpesa/ and /pulltransactions/ is in daraja_money.py

A prompt waits on its phone until a person (POST /sim/prompts/ID, the page /sim/) or /sim/auto answers
it, for a minute at most; then money moves in the books, or not, and the callback leaves. The
prompt's end is the truth; what callback and query say of it may be bent.

    GET  /sim/phones, /sim/phones/254712345678         prompts, oldest first; amounts in minor units
    GET  /sim/prompts?match=                           the same, by number, order, checkout id or receipt
    POST /sim/prompts/CHECKOUT_ID {"action": "approve"} or wrong_pin, cancel, ignore, insufficient, or
                                 {"action": "fail", "code": "26"}. A prompt that ended with 1037 may still
                                 be approved: M-Pesa sometimes finds out late.
    POST /sim/auto {"action": ..., "after_ms": n, "match": text or null}   answers prompts to come; action
                                 "none" ends that. One with `match` goes before one without.
    POST /sim/tokens {}          forgets all access tokens, as if they had expired

Knobs: any operation  invalid_token true: all tokens are forgotten, and this call is refused for it
       token     expires_in n, number true (as a number, not a text), keep true (the old one stays valid)
       push      charge n (minor units: another amount than was asked for is what moves), prompt_ms n (its life), same_ms n (same amount and phone within so long: result 17),
                 result_code "1025" (no prompt: it ends with that), message (of an error)
       query     pending n with form "a"|"b": the first n answers say so; result_code: a lie
       callback  result_code: the truth too, so that no money moves if it is not 0; amount (minor units): a
                 lie; as_string true; phone "masked"|"absent"; receipt "absent"; metadata "absent"
"""
import base64
import json
import threading
import time

from . import daraja_words as words
from .call import Response, unguessable
from .daraja_money import Money
from .daraja_words import Refused
from .deliver import Outgoing

PROMPT_MS = 60_000
ACTIONS = {'approve': '0', 'wrong_pin': '2001', 'cancel': '1032', 'ignore': '1037', 'insufficient': '1'}
JSON_HEADERS = {'Content-Type': 'application/json', 'User-Agent': 'Apache-HttpClient/4.5.5 (Java/1.8)'}
# How each API says that a token is invalid.
NO_TOKEN = {'push': (404, '404.001.03'), 'query': (401, '401.002.01')}
NO_TOKEN_ELSEWHERE = (400, '400.003.01')


class Daraja:
    NAME = 'daraja'
    PREFIXES = ('/oauth/', '/mpesa/', '/pulltransactions/')
    OPERATIONS = {'token', 'push', 'query', 'callback'} | Money.OPERATIONS
    KNOBS = {'invalid_token', 'expires_in', 'number', 'keep', 'prompt_ms', 'same_ms', 'result_code',
             'message', 'pending', 'form', 'amount', 'as_string', 'phone', 'receipt',
             'metadata', 'charge'} | Money.KNOBS
    CONTROLS = ('phones', 'prompts', 'auto', 'tokens', 'c2b', 'transactions')

    def __init__(self, world):
        self.world = world
        self.shortcode = world.config.get('DARAJA_SHORTCODE') or '174379'
        self.till = world.config.get('DARAJA_TILL', '')
        self.passkey = world.config.get('DARAJA_PASSKEY') or words.SANDBOX_PASSKEY
        self.money = Money(self)
        self.reset()

    def reset(self):
        self.tokens = {}      # token -> end
        self.prompts = {}     # CheckoutRequestID -> dict
        self.waiting = {}     # phone -> its prompt: one a subscriber
        self.autos = []
        self.asked = {}       # (rule, CheckoutRequestID) -> pending answers given
        self.money.reset()

    def start(self):
        threading.Thread(target=self._sweep, daemon=True).start()

    # --- calls

    def handle(self, request):
        if request.path == '/oauth/v1/generate':
            return self._token(request)
        found = {'/mpesa/stkpush/v1/processrequest': ('push', self._push),
                 '/mpesa/stkpushquery/v1/query': ('query', self._query),
                 **self.money.PATHS}.get(request.path)
        if found is None:
            return Refused(404, '404.001.01', 'Resource not found').response(self.world.random)
        operation, effect = found
        if isinstance(effect, str):
            effect = getattr(self.money, effect)
        try:
            body = request.json()
        except ValueError:
            body = None
        fields = body if isinstance(body, dict) else {}
        refs = [fields.get(name) for name in (
            'AccountReference', 'PhoneNumber', 'CheckoutRequestID', 'OriginatorConversationID',
            'TransactionID', 'OriginalConversationID', 'BillRefNumber', 'Msisdn')]
        refs.append(fields.get('PartyB') if operation == 'b2c' else None)
        call = self.world.open(request, 'daraja', operation, refs)
        fields['soko-sim credential'] = self.money.initiator(fields)

        def done(do):
            try:
                if request.method != 'POST':
                    raise Refused(405, '405.001', 'Method Not Allowed')
                self._demand_token(request, operation, do)
                if not isinstance(body, dict):
                    raise Refused(400, '400.002.05', 'Invalid Request Payload')
                if request.headers.get_content_type() != 'application/json':
                    raise words.invalid('BusinessShortCode')
                return effect(request, call, fields, do)
            except Refused as e:
                return e.response(self.world.random)
        return call.run(done, self._fault)

    def _fault(self, status, code, do):
        return words.fault(self.world.random, status, code, do)

    def _token(self, request):
        call = self.world.open(request, 'daraja', 'token', [])

        def done(do):
            kind, _, given = request.headers.get('Authorization', '').partition(' ')
            if kind != 'Basic':
                return Refused(400, '400.008.01', 'Invalid Authentication passed').response(self.world.random)
            if dict(request.params).get('grant_type') != 'client_credentials':
                return Refused(400, '400.008.02', 'Invalid grant type passed').response(self.world.random)
            config = self.world.config
            wanted = (config.get('DARAJA_CONSUMER_KEY') or 'key') + ':' + \
                (config.get('DARAJA_CONSUMER_SECRET') or 'secret')
            if given != base64.b64encode(wanted.encode()).decode():
                return Response(400)
            if not do.get('keep'):
                self.tokens.clear()
            life = do.get('expires_in', 3599)
            token = unguessable(14)
            self.tokens[token] = self.world.now() + life
            return Response.json({'access_token': token,
                                  'expires_in': life if do.get('number') else str(life)})
        return call.run(done, self._fault)

    def _demand_token(self, request, operation, do):
        if do.get('invalid_token'):
            self.tokens.clear()
        kind, _, token = request.headers.get('Authorization', '').partition(' ')
        if kind != 'Bearer' or self.tokens.get(token, 0) <= self.world.now():
            status, code = NO_TOKEN.get(operation, NO_TOKEN_ELSEWHERE)
            raise Refused(status, code, words.MESSAGES.get(code, 'Error Occurred - Invalid Access Token'))

    def _shortcode(self, body):
        code = words.digits(body, 'BusinessShortCode')
        if code != self.shortcode:
            raise Refused(500, '500.001.1001', 'Merchant does not exist')
        words.password(body, code, self.passkey, self.world.now())

    # --- M-Pesa Express

    def _push(self, request, call, body, do):
        self._shortcode(body)
        kind = words.text(body, 'TransactionType',
                          pattern='CustomerPayBillOnline|CustomerBuyGoodsOnline')
        amount = words.shillings(body, 1, 250_000) * 100
        words.phone(body, 'PartyA')
        to = words.digits(body, 'PartyB')
        number = words.phone(body, 'PhoneNumber')
        path = words.url(body, 'CallBackURL')
        reference = words.plain(body, 'AccountReference', 12)
        what = words.plain(body, 'TransactionDesc', 13, 'Remarks')
        now = self.world.now()
        same_ms = do.get('same_ms', 0)
        if number in self.waiting:
            raise Refused(500, '500.001.1001', words.MESSAGES['500.001.1001'])
        same = same_ms > 0 and any(
            p['phone'] == number and p['amount'] == amount and now - p['at'] < same_ms / 1000
            for p in self.prompts.values())
        random = self.world.random
        checkout = None
        while checkout is None or checkout in self.prompts:
            checkout = f'ws_CO_{words.local(now, "%d%m%Y%H%M%S")}{random.randrange(1000):03d}{number[3:]}'
        prompt = {'checkout_id': checkout, 'merchant_id': words.hexes(random, 4, 4, 4, 16),
                  'phone': number, 'amount': do.get('charge', amount), 'reference': reference, 'description': what,
                  'shortcode': to, 'status': 'waiting', 'result_code': None, 'receipt': None,
                  'at': now, 'until': time.time() + do.get('prompt_ms', PROMPT_MS) / 1000,
                  'path': path}
        self.prompts[checkout] = self.waiting[number] = prompt
        call.name(checkout)
        goods = kind == 'CustomerBuyGoodsOnline'
        if to not in (self.shortcode, self.till):
            self._end(prompt, 'SFC_IC0003', request)
        elif goods != (to == self.till != ''):
            self._end(prompt, '2028', request)
        elif same:
            self._end(prompt, '17', request)
        elif 'result_code' in do:
            self._end(prompt, str(do['result_code']), request)
        else:
            self._answer_by_itself(prompt, request)
        words_ = 'Success. Request accepted for processing'
        return Response.json({'MerchantRequestID': prompt['merchant_id'], 'CheckoutRequestID': checkout,
                              'ResponseCode': '0', 'ResponseDescription': words_,
                              'CustomerMessage': words_})

    def _query(self, request, call, body, do):
        self._shortcode(body)
        checkout = words.text(body, 'CheckoutRequestID', pattern='ws_CO_[0-9]+')
        prompt = self.prompts.get(checkout)
        if prompt is None:
            raise Refused(500, '500.001.1001', 'The transaction does not exist')
        call.name(prompt['reference'], prompt['phone'])
        code = prompt['result_code'] or 'pending'
        if 'pending' in do:
            key = (call.rule.id, checkout)
            self.asked[key] = self.asked.get(key, 0) + 1
            if self.asked[key] <= do['pending']:
                code = 'pending'
        if code == 'pending':
            if do.get('form', 'a') == 'a':
                return Response.json({'requestId': checkout, 'errorCode': '500.001.1001',
                                      'errorMessage': 'The transaction is being processed'}, 500)
            code = '4999'
        elif 'result_code' in do:
            code = str(do['result_code'])
        return Response.json({
            'ResponseCode': '0',
            'ResponseDescription': 'The service request has been accepted successfully',
            'MerchantRequestID': prompt['merchant_id'], 'CheckoutRequestID': checkout,
            'ResultCode': code, 'ResultDesc': words.result_text(code)})

    # --- the phone

    def _answer_by_itself(self, prompt, request):
        refs = _refs(prompt)
        fitting = [a for a in self.autos if a['match'] is None or any(a['match'] in r for r in refs)]
        if not fitting:
            return
        auto = max(fitting, key=lambda a: a['match'] is not None)
        if auto['after_ms'] == 0:
            self._end(prompt, auto['code'], request)
        else:
            self.world.later(auto['after_ms'], self._end_waiting, prompt, auto['code'])

    def _end_waiting(self, prompt, code):
        if prompt['status'] == 'waiting':
            self._end(prompt, code)

    def _end(self, prompt, code, request=None):
        """The prompt's end: money moves if it is "0", and the callback leaves. Holds world.lock."""
        rule = self.world.rules.take('daraja', 'callback', _refs(prompt))
        do = rule.do if rule else {}
        code = str(do.get('result_code', code))
        prompt['status'], prompt['result_code'] = 'done', code
        if self.waiting.get(prompt['phone']) is prompt:
            del self.waiting[prompt['phone']]
        if code == '0':
            prompt['receipt'] = self.money.received(prompt['phone'], prompt['amount'], prompt['reference'])
        body = self._callback(dict(prompt), do)
        self.world.deliver.send('daraja', 'callback', _refs(prompt),
                                lambda _do, _attempt: Outgoing(prompt['path'], body, dict(JSON_HEADERS)),
                                request=request, do=do)
        if code == '0':
            self.money.echo(prompt, request)

    def _callback(self, prompt, do):
        code = prompt['result_code']
        said = {'MerchantRequestID': prompt['merchant_id'], 'CheckoutRequestID': prompt['checkout_id'],
                'ResultCode': code if do.get('as_string') or not code.isdigit() else int(code),
                'ResultDesc': words.result_text(code)}
        if code == '0' and do.get('metadata') != 'absent':
            number = prompt['phone']
            items = [{'Name': 'Amount', 'Value': '\0amount'}]
            if do.get('receipt') != 'absent':
                items.append({'Name': 'MpesaReceiptNumber', 'Value': prompt['receipt']})
            items += [{'Name': 'Balance'},
                      {'Name': 'TransactionDate', 'Value': int(words.local(self.world.now()))}]
            if do.get('phone') != 'absent':
                items.append({'Name': 'PhoneNumber', 'Value': words.masked(number)
                              if do.get('phone') == 'masked' else int(number)})
            said['CallbackMetadata'] = {'Item': items}
        shown = json.dumps({'Body': {'stkCallback': said}}, separators=(',', ':'))
        # json writes 1.0; M-Pesa writes 1.00.
        return shown.replace('"\\u0000amount"', words.money(do.get('amount', prompt['amount']))).encode()

    def _sweep(self):
        while not self.world.ending.wait(0.02):
            with self.world.lock:
                for prompt in list(self.waiting.values()):
                    if prompt['until'] <= time.time():
                        self._end(prompt, '1037')

    # --- control

    def control(self, request, parts):
        try:
            with self.world.lock:
                if parts[0] == 'c2b':
                    pass  # it asks the shop, so it must not hold the lock
                elif parts[0] in ('phones', 'prompts', 'auto', 'tokens', 'transactions'):
                    return getattr(self, '_control_' + parts[0])(request, parts[1:])
            return self.money.by_hand(request) if request.method == 'POST' else None
        except (ValueError, KeyError, TypeError, AttributeError, Refused) as e:
            return Response.json({'error': f'{type(e).__name__}: {e}'}, 400)

    def _control_phones(self, request, parts):
        shown = [_shown(p) for p in self.prompts.values()]
        if parts:
            return Response.json([p for p in shown if p['phone'] == parts[0].lstrip('+')])
        phones = {}
        for p in shown:
            phones.setdefault(p['phone'], []).append(p)
        return Response.json(phones)

    def _control_prompts(self, request, parts):
        if request.method == 'GET':
            match = dict(request.params).get('match', '')
            return Response.json([_shown(p) for p in self.prompts.values()
                                  if any(match in r for r in _refs(p))])
        prompt = self.prompts.get(parts[0] if parts else '')
        if prompt is None:
            return Response.json({'error': 'no such prompt'}, 404)
        body = request.json()
        code = str(body['code']) if body['action'] == 'fail' else ACTIONS[body['action']]
        if prompt['status'] != 'waiting' and (prompt['result_code'], code) != ('1037', '0'):
            return Response.json({'error': 'the prompt has ended', **_shown(prompt)}, 409)
        self._end(prompt, code)
        return Response.json(_shown(prompt))

    def _control_auto(self, request, parts):
        if request.method == 'POST':
            body = request.json()
            match = body.get('match')
            self.autos = [a for a in self.autos if a['match'] != match]
            if body['action'] != 'none':
                self.autos.append({'action': body['action'], 'match': match,
                                   'after_ms': int(body.get('after_ms', 0)),
                                   'code': str(body['code']) if body['action'] == 'fail'
                                   else ACTIONS[body['action']]})
        return Response.json([{k: v for k, v in a.items() if k != 'code'} for a in self.autos])

    def _control_tokens(self, request, parts):
        if request.method == 'POST':
            self.tokens.clear()
        return Response.json({'valid': len(self.tokens)})

    def _control_transactions(self, request, parts):
        return Response.json(self.money.shown())


def _refs(prompt):
    return [prompt['reference'], prompt['phone'], prompt['checkout_id'], prompt['merchant_id']] + \
        ([prompt['receipt']] if prompt['receipt'] else [])


def _shown(prompt):
    return {k: v for k, v in prompt.items() if k not in ('path', 'merchant_id')}
