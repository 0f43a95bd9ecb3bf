"""Daraja's other APIs: money by hand (C2B), out (B2C), back (reversal), and questions about it.

    POST /mpesa/c2b/v2/registerurl            once; until then a shop with DARAJA_C2B_TOKEN is registered
    POST /mpesa/c2b/v2/simulate               a payment by hand
    POST /mpesa/b2c/v3/paymentrequest         idempotent by OriginatorConversationID
    POST /mpesa/reversal/v1/request           in full, once
    POST /mpesa/transactionstatus/v1/query    by receipt, or by either ConversationID
    POST /mpesa/accountbalance/v1/query
    POST /pulltransactions/v1/register, /query

Money moves in the books with the call, and its result follows, to the call's ResultURL. An initiator's
password that cannot be decrypted with our key (DARAJA_CERTIFICATE, .pem replaced by .key), or is another, is
taken at the door and refused in the result, with 2001, as Daraja does.

    POST /sim/c2b {"phone", "amount" (minor), "bill"}: validation, then money, then confirmation:
                             {"accepted": true, "receipt": ...} or {"accepted": false, "result_code": ...}
    GET  /sim/transactions   all that moved, oldest first

Knobs: c2b         echo true: a paid STK prompt is confirmed by C2B too; amount: a lie
       validation  lost true: M-Pesa does not reach the shop, and accepts
       b2c, reversal  result_code: how it ends; no money moves if it is not 0
       result      result_code (the truth too), as_string true, single true (one parameter, as an object;
                   ReferenceItem as an array), timeout_first true (QueueTimeOutURL, then the result),
                   timeout_only true, amount (a lie)
       timeout     the common ones
       pull        code: ResponseCode instead of the truth, with nothing in it
"""
import http.client
import json
import os
import re
import threading

from . import daraja_words as words
from .call import Response
from .daraja_words import Refused
from .deliver import Outgoing

JSON_HEADERS = {'Content-Type': 'application/json', 'User-Agent': 'Apache-HttpClient/4.5.5 (Java/1.8)'}
ACCEPTED = 'Accept the service request successfully.'
REMARKS = r'[^\x00-\x1f]{2,100}'
PAGE = 100


class Money:
    OPERATIONS = {'register', 'simulate', 'c2b', 'validation', 'b2c', 'reversal', 'status', 'balance',
                  'pull', 'result', 'timeout'}
    KNOBS = {'echo', 'single', 'timeout_first', 'timeout_only'}
    PATHS = {
        '/mpesa/c2b/v2/registerurl': ('register', 'register'),
        '/mpesa/c2b/v1/registerurl': ('register', 'register'),
        '/mpesa/c2b/v2/simulate': ('simulate', 'simulate'),
        '/mpesa/c2b/v1/simulate': ('simulate', 'simulate'),
        '/mpesa/b2c/v3/paymentrequest': ('b2c', 'b2c'),
        '/mpesa/reversal/v1/request': ('reversal', 'reversal'),
        '/mpesa/transactionstatus/v1/query': ('status', 'status'),
        '/mpesa/accountbalance/v1/query': ('balance', 'balance'),
        '/pulltransactions/v1/register': ('register', 'pull_register'),
        '/pulltransactions/v1/query': ('pull', 'pull'),
    }

    def __init__(self, daraja):
        self.daraja, self.world = daraja, daraja.world

    def reset(self):
        self.transactions = {}  # receipt -> dict: stk, c2b, b2c, reversal
        self.by_id = {}         # ConversationID and OriginatorConversationID -> what became of it
        self.credentials = {}   # digest of a credential -> whether it is good
        self.urls = None        # confirmation and validation, as registered

    # --- money

    def received(self, phone, amount, bill, kind='stk'):
        """Money from a customer; gives its receipt."""
        receipt = self._receipt()
        self.transactions[receipt] = {'receipt': receipt, 'kind': kind, 'phone': phone, 'amount': amount,
                                      'bill': bill, 'at': self.world.now(), 'reversed': False}
        self.world.books.charge('mpesa', 'KES', receipt, amount, bill)
        return receipt

    def _receipt(self):
        while True:
            receipt = words.receipt(self.world.random)
            if receipt not in self.transactions:
                return receipt

    def _balance(self):
        return sum(-t['amount'] if t['kind'] in ('b2c', 'reversal') else t['amount']
                   for t in self.transactions.values()) + 895_926_960

    # --- C2B

    def _urls(self):
        if self.urls is None and self.world.config.get('DARAJA_C2B_TOKEN'):
            base = '/webhooks/c2b/' + self.world.config['DARAJA_C2B_TOKEN']
            return base + '/confirmation', base + '/validation'
        return self.urls

    def register(self, request, call, body, do):
        self._own(body, 'ShortCode')
        words.text(body, 'ResponseType', pattern='Completed|Cancelled')
        urls = words.url(body, 'ConfirmationURL'), words.url(body, 'ValidationURL')
        if self.urls is not None:
            raise Refused(500, '500.003.1001', 'Urls are already registered')
        self.urls = urls
        return Response.json({'OriginatorCoversationID': words.hexes(self.world.random, 4, 4, 4, 20),
                              'ResponseCode': '0', 'ResponseDescription': 'Success'})

    def simulate(self, request, call, body, do):
        self._own(body, 'ShortCode')
        words.text(body, 'CommandID', pattern='CustomerPayBillOnline|CustomerBuyGoodsOnline')
        amount, phone = words.shillings(body, 1, 250_000) * 100, words.phone(body, 'Msisdn')
        bill = words.text(body, 'BillRefNumber', most=20)
        # In a thread: it asks the shop, and the answer must not wait for that.
        request.after.append(lambda: threading.Thread(
            target=self._pay_by_hand, args=(phone, amount, bill), daemon=True).start())
        return Response.json({'OriginatorCoversationID': words.hexes(self.world.random, 4, 4, 4, 20),
                              'ResponseCode': '0', 'ResponseDescription': ACCEPTED})

    def by_hand(self, request):
        body = request.json()
        phone, amount, bill = str(body['phone']).lstrip('+'), int(body['amount']), str(body['bill'])
        if not re.fullmatch(r'254[17][0-9]{8}', phone) or not 0 < amount <= 25_000_000:
            raise ValueError('phone is 2547..., amount 1 to 25000000')
        return Response.json(self._pay_by_hand(phone, amount, bill))

    def _pay_by_hand(self, phone, amount, bill):
        urls = self._urls()
        if urls is None:
            return {'accepted': False, 'result_code': None, 'error': 'no URLs are registered'}
        with self.world.lock:
            receipt = self._receipt()
            said = self._notice(receipt, phone, amount, bill, 'Pay Bill')
        code = self._validate(urls[1], said, [bill, phone])
        if code != '0':
            return {'accepted': False, 'result_code': code}
        with self.world.lock:
            receipt = self.received(phone, amount, bill, 'c2b')
            self._confirm(urls[0], receipt, phone, amount, bill)
        return {'accepted': True, 'receipt': receipt}

    def _validate(self, path, said, refs):
        """The shop's word; "0" if it says none: ResponseType is Completed."""
        rule = self.world.rules.take('daraja', 'validation', refs)
        if rule and rule.do.get('lost'):
            return '0'
        try:
            status, body = self.world.deliver.ask(Outgoing(path, json.dumps(said).encode(),
                                                           dict(JSON_HEADERS)))
            return str(json.loads(body)['ResultCode']) if status == 200 else '0'
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
            return '0'

    def _notice(self, receipt, phone, amount, bill, kind):
        return {'TransactionType': kind, 'TransID': receipt, 'TransTime': words.local(self.world.now()),
                'TransAmount': words.money(amount), 'BusinessShortCode': self.daraja.shortcode,
                'BillRefNumber': bill, 'InvoiceNumber': '',
                'OrgAccountBalance': words.money(self._balance()), 'ThirdPartyTransID': '',
                'MSISDN': words.masked(phone), 'FirstName': 'NICHOLAS', 'MiddleName': '', 'LastName': ''}

    def _confirm(self, path, receipt, phone, amount, bill, request=None, rule=None):
        refs = [bill, phone, receipt]
        rule = rule or self.world.rules.take('daraja', 'c2b', refs)
        do = rule.do if rule else {}
        said = self._notice(receipt, phone, do.get('amount', amount), bill, 'Pay Bill')
        body = json.dumps(said).encode()
        self.world.deliver.send('daraja', 'c2b', refs,
                                lambda _do, _n: Outgoing(path, body, dict(JSON_HEADERS)),
                                request=request, do=do)

    def echo(self, prompt, request):
        """A paid prompt's confirmation, if a rule asks for it."""
        rule = self.world.rules.take('daraja', 'c2b', [prompt['reference'], prompt['phone'],
                                                       prompt['receipt']], having='echo')
        if rule and rule.do['echo'] and self._urls():
            self._confirm(self._urls()[0], prompt['receipt'], prompt['phone'], prompt['amount'],
                          prompt['reference'], request, rule)

    # --- what an initiator may do

    def initiator(self, body):
        """Whether the SecurityCredential of a request is ours; None if it has none. Runs openssl, so it
        is asked before world.lock is taken."""
        credential = body.get('SecurityCredential')
        if not isinstance(credential, str) or not credential:
            return None
        digest = self.world.digest(credential)
        if digest not in self.credentials:
            key = re.sub(r'\.pem$', '', self.world.config.get('DARAJA_CERTIFICATE', '')) + '.key'
            self.credentials[digest] = os.path.exists(key) and words.decrypted(credential, key) == \
                self.world.config.get('DARAJA_INITIATOR_PASSWORD')
        return self.credentials[digest]

    def _own(self, body, name):
        if words.digits(body, name) != self.daraja.shortcode:
            raise words.invalid(name)

    def _command(self, body, name, commands):
        """What all of these have: who, what, where to. Gives the result code of a bad initiator, or "0",
        and the paths of result and time-out."""
        who = words.text(body, name)
        words.text(body, 'SecurityCredential', most=4096)
        words.text(body, 'CommandID', pattern=commands)
        words.text(body, 'Remarks', pattern=REMARKS)
        paths = words.url(body, 'ResultURL'), words.url(body, 'QueueTimeOutURL')
        wanted = self.world.config.get('DARAJA_INITIATOR', 'testapi')
        good = body['soko-sim credential'] and who == wanted
        return '0' if good else '2001', paths

    def b2c(self, request, call, body, do):
        originator = words.text(body, 'OriginatorConversationID', most=100)
        code, paths = self._command(body, 'InitiatorName', 'SalaryPayment|BusinessPayment|PromotionPayment')
        amount = words.shillings(body, 10, 250_000) * 100
        self._own(body, 'PartyA')
        phone = words.phone(body, 'PartyB')
        if originator in self.by_id:
            raise Refused(500, '500.002.1001', words.MESSAGES['500.002.1001'])
        order = str(body.get('Occassion') or body['Remarks'])
        refs = [originator, phone, body['Remarks'], order]
        rule, code = self._outcome(code, do, refs)
        done = self._begin('b2c', originator, code, amount, phone)
        params = []
        if code == '0':
            self.transactions[done['receipt']] = {
                'receipt': done['receipt'], 'kind': 'b2c', 'phone': phone, 'amount': amount,
                'bill': order, 'at': self.world.now(), 'reversed': False}
            self.world.books.pay_out('mpesa', 'KES', done['receipt'], amount, order)
            params = [('TransactionAmount', self._said(amount, rule) // 100),
                      ('TransactionReceipt', done['receipt']),
                      ('ReceiverPartyPublicName', f'{phone} - NICHOLAS SONGOK'),
                      ('TransactionCompletedDateTime', words.dotted(self.world.now())),
                      ('B2CUtilityAccountAvailableFunds', self._balance() / 100),
                      ('B2CWorkingAccountAvailableFunds', 0.0),
                      ('B2CRecipientIsRegisteredCustomer', 'Y'),
                      ('B2CChargesPaidAccountAvailableFunds', 0.0)]
        return self._taken(request, call, done, params, paths, refs, rule)

    def reversal(self, request, call, body, do):
        code, paths = self._command(body, 'Initiator', 'TransactionReversal')
        receipt = words.text(body, 'TransactionID', pattern='[A-Z0-9]{10}')
        amount = words.shillings(body, 1, 250_000) * 100
        self._own(body, 'ReceiverParty')
        if words.digits(body, 'RecieverIdentifierType') != '11':
            raise words.invalid('RecieverIdentifierType')
        original = self.transactions.get(receipt)
        refs = [receipt] + ([original['bill'], original['phone']] if original else [])
        call.name(*refs)
        if code == '0' and (original is None or original['kind'] not in ('stk', 'c2b')
                            or original['amount'] != amount):
            code = 'R000002'  # a part of it too: no document says that one may
        elif code == '0' and original['reversed']:
            code = 'R000001'
        rule, code = self._outcome(code, do, refs)
        done = self._begin('reversal', None, code, amount, original['phone'] if original else '')
        params = []
        if code == '0':
            original['reversed'] = True
            self.transactions[done['receipt']] = {
                'receipt': done['receipt'], 'kind': 'reversal', 'phone': original['phone'],
                'amount': amount, 'bill': original['bill'], 'at': self.world.now(), 'reversed': False}
            self.world.books.refund('mpesa', receipt, amount)
            params = [('Amount', self._said(amount, rule) // 100),
                      ('TransCompletedTime', int(words.local(self.world.now()))),
                      ('OriginalTransactionID', receipt), ('Charge', 0),
                      ('CreditPartyPublicName', f'{original["phone"]} - NICHOLAS SONGOK'),
                      ('DebitPartyPublicName', f'{self.daraja.shortcode} - SOKO')]
        return self._taken(request, call, done, params, paths, refs, rule)

    def status(self, request, call, body, do):
        code, paths = self._command(body, 'Initiator', 'TransactionStatusQuery')
        self._own(body, 'PartyA')
        if words.digits(body, 'IdentifierType') != '4':
            raise words.invalid('IdentifierType')
        receipt, conversation = body.get('TransactionID'), body.get('OriginalConversationID')
        if not receipt and not conversation:
            raise words.invalid('TransactionID')
        about = self.by_id.get(conversation) if conversation else None
        moved = self.transactions.get(receipt or (about or {}).get('receipt'))
        refs = [receipt, conversation] + ([moved['bill'], moved['phone']] if moved else [])
        call.name(*refs)
        if code == '0' and about is None and moved is None:
            code = 'R000002'
        rule, code = self._outcome(code, do, refs)
        done = self._begin('status', None, code, 0, '')
        params = []
        if code == '0':
            word = 'Completed' if moved else 'Failed'
            amount = moved['amount'] if moved else about['amount']
            params = [('DebitPartyName', f'{self.daraja.shortcode} - SOKO'),
                      ('DebitPartyName', (moved or about)['phone'] + ' - NICHOLAS SONGOK'),
                      ('CreditPartyName', f'{self.daraja.shortcode} - SOKO'),
                      ('OriginatorConversationID', (about or {}).get('originator', '')),
                      ('InitiatedTime', int(words.local(self.world.now()))), ('CreditPartyCharges', None),
                      ('DebitAccountType', 'Utility Account'), ('TransactionReason', None),
                      ('ReasonType', 'Pay Bill Online'), ('TransactionStatus', word),
                      ('FinalisedTime', int(words.local((moved or done)['at']))),
                      ('Amount', str(self._said(amount, rule) // 100)),
                      ('ConversationID', (about or done)['conversation']),
                      ('ReceiptNo', moved['receipt'] if moved else '')]
        return self._taken(request, call, done, params, paths, refs, rule)

    def balance(self, request, call, body, do):
        code, paths = self._command(body, 'Initiator', 'AccountBalance')
        self._own(body, 'PartyA')
        if words.digits(body, 'IdentifierType') != '4':
            raise words.invalid('IdentifierType')
        rule, code = self._outcome(code, do, [])
        done = self._begin('balance', None, code, 0, '')
        held = words.money(self._balance())
        params = [('AccountBalance', f'Working Account|KES|{held}|{held}|0.00|0.00&'
                                     'Utility Account|KES|0.00|0.00|0.00|0.00'),
                  ('BOCompletedTime', int(words.local(self.world.now())))]
        return self._taken(request, call, done, params if code == '0' else [], paths, [], rule)

    # --- results

    def _outcome(self, code, do, refs):
        """The rule for the result, taken now because it may change how the thing ends."""
        rule = self.world.rules.take('daraja', 'result', [str(r) for r in refs if r])
        bent = {**do, **(rule.do if rule else {})}
        return rule, str(bent.get('result_code', code))

    def _said(self, amount, rule):
        return rule.do.get('amount', amount) if rule else amount

    def _begin(self, kind, originator, code, amount, phone):
        now, random = self.world.now(), self.world.random
        done = {'kind': kind, 'code': code, 'amount': amount, 'phone': phone, 'at': now,
                'conversation': words.conversation_id(random, now),
                'originator': originator or words.hexes(random, 4, 4, 4, 20),
                'receipt': self._receipt()}
        if kind in ('b2c', 'reversal'):
            self.by_id[done['conversation']] = self.by_id[done['originator']] = done
        return done

    def _taken(self, request, call, done, params, paths, refs, rule):
        call.name(done['conversation'], done['originator'])
        do = rule.do if rule else {}
        refs = refs + [done['conversation'], done['originator'], done['receipt']]
        body = self._result(done, params, do, paths[1])
        late = json.dumps({'Result': {
            'ResultType': 1, 'ResultCode': 1, 'ResultDesc': 'The request was not processed in time.',
            'OriginatorConversationID': done['originator'], 'ConversationID': done['conversation'],
            'TransactionID': done['receipt']}}).encode()
        send, group = self.world.deliver.send, done['conversation']
        if do.get('timeout_first') or do.get('timeout_only'):
            send('daraja', 'timeout', refs,
                 lambda _do, _n: Outgoing(paths[1], late, dict(JSON_HEADERS)), request, group)
        if not do.get('timeout_only'):
            send('daraja', 'result', refs,
                 lambda _do, _n: Outgoing(paths[0], body, dict(JSON_HEADERS)), request, group, do=do)
        return Response.json({'OriginatorConversationID': done['originator'],
                              'ConversationID': done['conversation'], 'ResponseCode': '0',
                              'ResponseDescription': ACCEPTED})

    def _result(self, done, params, do, timeout):
        code = done['code']
        items = [{'Key': k} if v is None else {'Key': k, 'Value': v} for k, v in params]
        item = {'Key': 'QueueTimeoutURL', 'Value': 'https://internalsandbox.safaricom.co.ke' + timeout}
        result = {'ResultType': 0,
                  'ResultCode': code if do.get('as_string') or not code.isdigit() else int(code),
                  'ResultDesc': words.result_text(code),
                  'OriginatorConversationID': done['originator'], 'ConversationID': done['conversation'],
                  'TransactionID': done['receipt']}
        if items:
            result['ResultParameters'] = {'ResultParameter': items[0] if do.get('single') else items}
        result['ReferenceData'] = {'ReferenceItem': [item] if do.get('single') else item}
        return json.dumps({'Result': result}).encode()

    # --- pull

    def pull_register(self, request, call, body, do):
        self._own(body, 'ShortCode')
        words.phone(body, 'NominatedNumber')
        words.url(body, 'CallBackURL')
        return Response.json({'ResponseRefID': words.request_id(self.world.random),
                              'ResponseStatus': '1000', 'ShortCode': self.daraja.shortcode,
                              'ResponseDescription': 'ShortCode registered successfully'})

    def pull(self, request, call, body, do):
        self._own(body, 'ShortCode')
        when = r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d'
        start, end = (words.text(body, n, pattern=when) for n in ('StartDate', 'EndDate'))
        offset = int(words.digits(body, 'OffSetValue'))
        now = self.world.now()
        if start > end or start < words.local(now - 48 * 3600, '%Y-%m-%d %H:%M:%S'):
            raise words.invalid('StartDate')
        found = [t for t in self.transactions.values() if t['kind'] in ('stk', 'c2b')
                 and start <= words.local(t['at'], '%Y-%m-%d %H:%M:%S') <= end][offset:offset + PAGE]
        if do.get('code'):
            found = []
        answer = {'ResponseRefID': words.request_id(self.world.random),
                  'ResponseCode': do.get('code') or ('1000' if found else '1001'),
                  'ResponseMessage': 'Success' if found else 'No transactions found'}
        if found:
            answer['Response'] = [[{
                'transactionId': t['receipt'], 'trxDate': words.local(t['at'], '%Y-%m-%dT%H:%M:%S+03:00'),
                'msisdn': int(t['phone']), 'sender': 'MPESA',
                'transactiontype': 'c2b-pay-bill-debit', 'billreference': t['bill'],
                'amount': words.money(t['amount']), 'organizationname': 'SOKO'} for t in found]]
        return Response.json(answer)

    def shown(self):
        return list(self.transactions.values())
