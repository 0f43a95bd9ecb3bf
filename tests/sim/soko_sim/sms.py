"""Africa's Talking: SMS, and reports of what became of them.

    POST /version1/messaging     a form: username, to (E.164 with +, commas), message, from; header apiKey
    reports go to the shop's /webhooks/sms/AT_REPORT_TOKEN, as a form, one for each message taken

    GET  /sim/messages is page.py's: SMS and e-mails together

Knobs: send    recipient "UserInBlacklist": that status for all numbers, or for those that `only` is a
               part of; empty true: 201 without recipients, with `message` ("InvalidSenderId")
       report  statuses ["Sent", "Success"]: these, in order (["Success"]); failure "UserInBlacklist": the
               failureReason of Failed and Rejected
"""
import re
from urllib.parse import parse_qsl, urlencode

from .call import Response, short_id
from .deliver import Outgoing

STATUSES = {'Processed': 100, 'Success': 101, 'Queued': 102, 'RiskHold': 401, 'InvalidSenderId': 402,
            'InvalidPhoneNumber': 403, 'UnsupportedNumberType': 404, 'InsufficientBalance': 405,
            'UserInBlacklist': 406, 'CouldNotRoute': 407, 'DoNotDisturbRejection': 409,
            'InternalServerError': 500, 'GatewayError': 501, 'RejectedByGateway': 502}
TAKEN = ('Processed', 'Success', 'Queued')
COST = 'KES 0.8000'


class Sms:
    NAME = 'sms'
    PREFIXES = ('/version1/',)
    OPERATIONS = {'send', 'report'}
    KNOBS = {'recipient', 'only', 'empty', 'message', 'statuses', 'failure'}

    def __init__(self, world):
        self.world = world
        self.reset()

    def reset(self):
        self.messages = []

    def handle(self, request):
        if request.path != '/version1/messaging':
            return Response.text('Not Found', 404)
        try:
            # As a server of theirs would read it: a raw + is a blank.
            form = dict(parse_qsl(request.body.decode('ascii'), keep_blank_values=True, errors='strict'))
        except ValueError:
            form = {}
        numbers = form.get('to', '').split(',')
        call = self.world.open(request, 'sms', 'send', [*numbers, form.get('message')])
        return call.run(lambda do: self._send(request, form, numbers, do), self._fault)

    def _fault(self, status, code, do):
        words = {401: 'The supplied authentication is invalid'}
        return Response.text(do.get('message') or words.get(status, 'An error occurred'), status)

    def _send(self, request, form, numbers, do):
        config = self.world.config
        if request.method != 'POST':
            return Response.text('Method Not Allowed', 405)
        if request.headers.get('apiKey') != (config.get('AT_API_KEY') or 'key') or \
                form.get('username') != (config.get('AT_USERNAME') or 'sandbox'):
            return Response.text('The supplied authentication is invalid', 401)
        if request.headers.get_content_type() != 'application/x-www-form-urlencoded':
            return Response.text("The request's Content-Type is not supported", 415)
        for name in ('to', 'message'):
            if not form.get(name):
                return Response.text(f'Request is missing required form field \'{name}\'', 400)
        if do.get('empty') or form.get('from', '') != (config.get('AT_SENDER') or ''):
            return _answer(do.get('message', 'InvalidSenderId'), [])
        recipients = []
        for number in numbers:
            status = 'Success' if re.fullmatch(r'\+[1-9][0-9]{6,14}', number) else 'InvalidPhoneNumber'
            if 'recipient' in do and do.get('only', '') in number:
                status = do['recipient']
            taken = status in TAKEN
            message_id = short_id(self.world.random, 'ATXid_', 32) if taken else 'None'
            recipients.append({'statusCode': STATUSES[status], 'number': number, 'status': status,
                               'cost': COST if taken else '0', 'messageId': message_id})
            if taken:
                message = {'kind': 'sms', 'id': message_id, 'to': number, 'from': form.get('from', ''),
                           'text': form['message'], 'at': self.world.now(), 'reports': []}
                self.messages.append(message)
                self._report(message, request)
        taken = sum(r['status'] in TAKEN for r in recipients)
        cost = f'KES {0.8 * taken:.4f}' if taken else '0'
        return _answer(f'Sent to {taken}/{len(recipients)} Total Cost: {cost}', recipients)

    def _report(self, message, request):
        token = self.world.config.get('AT_REPORT_TOKEN')
        if not token:
            return
        refs = [message['id'], message['to'], message['text']]
        rule = self.world.rules.take('sms', 'report', refs)
        do = rule.do if rule else {}
        for status in do.get('statuses', ['Success']):
            form = {'id': message['id'], 'status': status, 'phoneNumber': message['to'],
                    'networkCode': '63902', 'retryCount': '0'}
            if status in ('Failed', 'Rejected'):
                form['failureReason'] = do.get('failure', 'DeliveryFailure')
            body = urlencode(form).encode()
            message['reports'].append(status)
            self.world.deliver.send('sms', 'report', refs, lambda _do, _n, body=body: Outgoing(
                '/webhooks/sms/' + token, body,
                {'Content-Type': 'application/x-www-form-urlencoded', 'User-Agent': 'AfricasTalking'}),
                request=request, group=message['id'], do=do)


def _answer(message, recipients):
    return Response.json({'SMSMessageData': {'Message': message, 'Recipients': recipients}}, 201)
