"""Stripe: the API below /v1/, as far as a shop needs it.

    stripe.py          requests: credentials, idempotency, routes, answers, control calls
    stripe_money.py    PaymentIntents, charges and refunds: their states
    stripe_events.py   events and webhooks
    stripe_form.py     parameters and faults
    stripe_facts.py    test cards, currencies, shapes

Operations for rules: create_intent get_intent list_intents update_intent confirm_intent cancel_intent
capture_intent get_charge list_charges create_refund get_refund update_refund list_refunds cancel_refund
get_event list_events create_method get_method; and event, of what is sent (stripe_events.py). References: the intent's id,
description and metadata values, the charge's and the refund's id, as far as the call can know them.
Knobs besides the common ones:

    status n, code t        an error of Stripe's; 500 is stored under the idempotency key, as Stripe
                            does ("stored": true|false says otherwise); "should_retry": "true"|"false"
                            sends Stripe-Should-Retry
    decline t               confirm_intent: declined with this code (insufficient_funds, expired_card...)
    processing_ms n|null    confirm_intent: processing first, for n ms (null: until a control call)
    refund t                create_refund: "pending" (becomes succeeded), "failing" (succeeded, then
                            failed), "failed", "requires_action"; `refund_ms` n|null (300): when the
                            second word comes; null: by a control call

Control:

    POST /sim/stripe/confirm   {"intent", "client_secret", "card": "pm_card_visa"}: as the buyer's browser
    POST /sim/stripe/complete  {"intent", "result": "succeeded"|"failed"}: ends requires_action, processing
    POST /sim/stripe/refund    {"refund", "status": "succeeded"|"failed"|"canceled", "failure_reason"}
    POST /sim/stripe/resend    {"event", "copies": n, "parallel": true}: as the dashboard's button
    GET  /sim/stripe/intents?match=, /sim/stripe/refunds?match=, /sim/stripe/events?match=   whole objects
"""
import base64
import binascii
import copy
import hmac
import re

from . import stripe_facts as facts
from .call import Response, short_id
from .stripe_events import KNOBS as EVENT_KNOBS
from .stripe_events import Events
from .stripe_form import Fault, decode, read_all
from .stripe_money import Money
from .stripe_routes import ROUTES

KEY_LIFE = 24 * 3600
UNKNOWN_URL = ('Unrecognized request URL ({}: {}). If you are trying to list objects, remove the trailing '
               'slash. If you are trying to retrieve an object, make sure you passed a valid (non-empty) '
               'identifier in your code. Please see https://stripe.com/docs or we can help at '
               'https://support.stripe.com/.')


class Exchange:
    """One request to the API: what its handler gets."""

    def __init__(self, request, ident, key):
        self.request, self.id, self.key = request, ident, key
        self.params, self.path_ids, self.livemode, self.do = {}, (), False, {}


class Keys:
    """Idempotency keys. A key is busy from the request's arrival until its answer is stored; what failed
    before it began is not stored, so that the key is free again."""

    def __init__(self, world):
        self.world, self.keys = world, {}

    def begin(self, key, path, print_):
        """None: go on, the key is yours. A Response: the stored one. Else raises Fault."""
        if len(key) > 255:
            raise Fault(400, 'Idempotency keys can have up to 255 characters.', kind='idempotency_error')
        with self.world.lock:
            kept = self.keys.get(key)
            if kept and kept['at'] + KEY_LIFE <= self.world.now():
                kept = None
            if kept is None:
                self.keys[key] = {'path': path, 'print': print_, 'answer': None, 'at': self.world.now()}
                return None
            if kept['path'] != path:
                raise Fault(400, 'Keys for idempotent requests can only be used for the same endpoint they '
                            f"were first used for ('{path}' vs '{kept['path']}'). Try using a key other than "
                            f"'{key}' if you meant to execute a different request.", kind='idempotency_error')
            if kept['print'] != print_:
                raise Fault(400, 'Keys for idempotent requests can only be used with the same parameters '
                            f"they were first used with. Try using a key other than '{key}' if you meant to "
                            'execute a different request.', kind='idempotency_error')
            if kept['answer'] is None:
                raise Fault(409, 'There is currently another in-progress request using this Idempotent Key '
                            '(that probably means you submitted twice, and the other request is still going '
                            f'through): {key}. Please try again later.', 'idempotency_key_in_use',
                            kind='idempotency_error', headers={'Stripe-Should-Retry': 'true'})
            answer = copy.copy(kept['answer'])
            answer.headers = dict(answer.headers, **{'Idempotent-Replayed': 'true'})
            if answer.status >= 500:
                answer.headers['Stripe-Should-Retry'] = 'false'
            return answer

    def store(self, key, answer, request_id):
        with self.world.lock:
            if key in self.keys:
                answer = copy.copy(answer)
                answer.headers = dict(answer.headers, **{'Original-Request': request_id})
                self.keys[key]['answer'] = answer

    def release(self, key):
        with self.world.lock:
            if key in self.keys and self.keys[key]['answer'] is None:
                del self.keys[key]


class Stripe:
    NAME = 'stripe'
    PREFIXES = ('/v1/',)
    CONTROLS = ('stripe',)
    OPERATIONS = {r.operation for r in ROUTES} | {'event'}
    KNOBS = EVENT_KNOBS | {'stored', 'should_retry', 'decline', 'processing_ms', 'refund', 'refund_ms'}

    def __init__(self, world):
        self.world = world
        self.events = Events(world)
        self.money = Money(world, self.events)
        self.keys = Keys(world)

    def reset(self):
        self.events.reset()
        self.money.reset()
        self.keys.keys.clear()

    # --- the API

    def handle(self, request):
        key = request.headers.get('Idempotency-Key') if request.method == 'POST' else None
        x = Exchange(request, short_id(self.world.random, 'req_', 14), key)
        try:
            response = self.answer(x)
        except Fault as e:
            response = e.response(x.id, x.livemode)
        response.headers.setdefault('Request-Id', x.id)
        version = request.headers.get('Stripe-Version') or facts.API_VERSION
        response.headers.update({'Stripe-Version': version, 'Access-Control-Allow-Origin': '*',
                                 'Cache-Control': 'no-cache, no-store'})
        if key:
            response.headers['Idempotency-Key'] = key
        return response

    def answer(self, x):
        request = x.request
        x.livemode = self.authorised(request.headers.get('Authorization', ''))
        route, x.path_ids = self.route(request)
        raw = decode(request.query if request.method in ('GET', 'DELETE') else request.body.decode('latin-1'))
        refs = self.money.references(x.path_ids, raw)
        call = self.world.open(request, 'stripe', route.operation, refs, x.key)
        x.do, kept, begun = call.do, None, False
        if x.key:
            try:
                kept = self.keys.begin(x.key, request.path, self.world.digest(request.body.decode('latin-1')))
                begun = kept is None
            except Fault as e:
                kept = e.response(x.id, x.livemode)

        def effect(do):
            if kept is not None:
                return kept
            stored = True
            try:
                x.params = read_all(raw, route.takes, required=route.required)
                route.check_expand(x.params.get('expand', []))
                value = getattr(self.money, route.handler)(x)
                call.name(value.get('id'), value.get('payment_intent'))
                self.money.expand(value, x.params.get('expand', []))
                response = Response.json(value)
            except Fault as e:
                response, stored = e.response(x.id, x.livemode), e.stored
            if begun and stored:
                self.keys.store(x.key, response, x.id)
            return response

        def fault(status, code, do):
            response = made_fault(status, code, do).response(x.id, x.livemode)
            if begun and do.get('stored', status == 500):
                self.keys.store(x.key, response, x.id)
            return response

        try:
            return call.run(effect, fault)
        finally:
            if begun:
                self.keys.release(x.key)

    def authorised(self, header):
        """Demands the secret key, by Bearer or as Basic's user. Gives whether it is a live one."""
        scheme, _, rest = header.partition(' ')
        key = rest.strip()
        if scheme.lower() == 'basic':
            try:
                key = base64.b64decode(key, validate=True).decode().partition(':')[0]
            except (binascii.Error, UnicodeDecodeError):
                key = ''
        headers = {'WWW-Authenticate': 'Basic realm="Stripe"'}
        if scheme.lower() not in ('basic', 'bearer') or not key:
            raise Fault(401, 'You did not provide an API key. You need to provide your API key in the '
                        "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
                        "YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or "
                        'we can help at https://support.stripe.com/.', headers=headers)
        ours = self.world.config.get('STRIPE_SECRET_KEY', '')
        if (not hmac.compare_digest(ours.encode(), key.encode()) if ours
                else not re.fullmatch(r'[sr]k_(test|live)_\w+', key)):
            shown = re.sub(r'^((?:[a-z]+_(?:test|live)_)?).*(.{4})$', r'\1********\2', key)
            raise Fault(401, f'Invalid API Key provided: {shown}', headers=headers)
        return key[2:].startswith('_live_')

    def route(self, request):
        for route in ROUTES:
            found = route.path.fullmatch(request.path)
            if found and route.method == request.method:
                return route, found.groups()
        raise Fault(404, UNKNOWN_URL.format(request.method, request.path))

    # --- control

    def control(self, request, parts):
        found = getattr(self, f'_{request.method.lower()}_{"_".join(parts[1:])}', None)
        if found is None:
            return None
        try:
            return found(request)
        except Fault as e:
            return e.response('req_control', False)
        except (KeyError, TypeError, ValueError) as e:
            return Response.json({'error': f'{type(e).__name__}: {e}'}, 400)

    def _post_confirm(self, request):
        """As Stripe.js: with the intent's own secret instead of a key, and as an operation like others."""
        wanted = request.json()
        intent = self.money.find(wanted['intent'])
        if not hmac.compare_digest(intent['client_secret'].encode(), str(wanted['client_secret']).encode()):
            raise Fault(400, 'The client_secret provided does not match any associated PaymentIntent on this '
                        'account.', 'payment_intent_invalid_parameter', 'client_secret')
        x = Exchange(request, short_id(self.world.random, 'req_', 14), None)
        x.path_ids, x.params = (intent['id'],), {'payment_method': wanted['card']}
        x.livemode = intent['livemode']
        call = self.world.open(request, 'stripe', 'confirm_intent', self.money.references(x.path_ids, {}))
        x.do = call.do

        def effect(do):
            try:
                return Response.json(self.money.confirm(x, browser=True))
            except Fault as e:
                return e.response(x.id, x.livemode)
        return call.run(effect, lambda status, code, do: made_fault(status, code, do).response(x.id, False))

    def _post_complete(self, request):
        wanted = request.json()
        if wanted['result'] not in ('succeeded', 'failed'):
            raise ValueError('result is succeeded or failed')
        with self.world.lock:
            intent = self.money.complete(wanted['intent'], wanted['result'] == 'succeeded')
            return Response.json(copy.deepcopy(intent))

    def _post_refund(self, request):
        wanted = request.json()
        if wanted['status'] not in ('succeeded', 'failed', 'canceled'):
            raise ValueError('status is succeeded, failed or canceled')
        with self.world.lock:
            self.money.refund_becomes(wanted['refund'], wanted['status'], wanted.get('failure_reason'))
            return Response.json(self.money.find_refund(wanted['refund']))

    def _post_resend(self, request):
        wanted = request.json()
        with self.world.lock:
            event = self.events.find(wanted['event'])
        do = {k: wanted[k] for k in ('copies', 'parallel', 'signature', 'age_s') if k in wanted}
        self.events.send(event, self.money.references_of(event['data']['object']), retries=0, do=do)
        return Response.json({'event': event['id'], 'copies': do.get('copies', 1)})

    def _get_intents(self, request):
        return self._shown(request, self.money.intents.values())

    def _get_refunds(self, request):
        return self._shown(request, self.money.refunds.values())

    def _get_events(self, request):
        return self._shown(request, [self.events.shown(e) for e in self.events.events],
                           lambda e: e['data']['object'])

    def _shown(self, request, rows, of=lambda row: row):
        match = dict(request.params).get('match')
        with self.world.lock:
            return Response.json([r for r in rows if not match or r['id'] == match or any(
                match in ref for ref in self.money.references_of(of(r)))])


def made_fault(status, code, do):
    """An error as Stripe words it, for a rule's `status`."""
    headers = {'Stripe-Should-Retry': do['should_retry']} if 'should_retry' in do else {}
    if status == 401:
        return Fault(401, 'Invalid API Key provided: sk_test_********', code, headers=headers)
    if status == 402:
        e = facts.card_error('card_declined', code or 'generic_decline')
        return Fault(402, e['message'], e['code'], kind='card_error', decline_code=e['decline_code'],
                     headers=headers)
    if status == 409:
        return Fault(409, 'There is currently another in-progress request using this Idempotent Key.',
                     code or 'idempotency_key_in_use', kind='idempotency_error', headers=headers)
    if status == 429 and code == 'lock_timeout':
        return Fault(429, 'This object cannot be accessed right now because another API request or Stripe '
                     'process is currently accessing it. If you see this error intermittently, retry the '
                     'request.', code, headers=headers)
    if status == 429:
        return Fault(429, 'Request rate limit exceeded. Learn more about rate limits here '
                     'https://stripe.com/docs/rate-limits.', code or 'rate_limit', headers=headers)
    if status >= 500:
        return Fault(status, 'Sorry! There was an error while processing your request. Please try again later.',
                     code, kind='api_error', headers=headers)
    return Fault(status, 'The request could not be processed.', code, headers=headers)
