"""PaymentIntents, charges and refunds: Stripe's states, and what moves them.

    requires_payment_method --payment method--> requires_confirmation --confirm--> processing,
    requires_action, requires_capture (capture_method manual) or succeeded; a decline goes back to
    requires_payment_method with last_payment_error. canceled from all but processing and succeeded.

https://docs.stripe.com/payments/paymentintents/lifecycle. Everything here runs under world.lock; what
takes time is a timer of the world's. Each change makes its events. Simplified: no customers, no
Connect, no balance transactions, and a dispute takes no money out of the books.
"""
import copy

from . import stripe_facts as facts
from .call import short_id, unguessable
from .stripe_events import page
from .stripe_form import Fault

MOST_CONFIRMS = 20  # "a variable upper limit" in the documentation
REFUND_MS = 300     # until a refund's second word
UNEXPECTED = 'payment_intent_unexpected_state'


class Money:
    def __init__(self, world, events):
        self.world, self.events = world, events
        self.reset()

    def reset(self):
        self.intents, self.charges, self.refunds, self.methods = {}, {}, {}, {}
        self.cards = {}     # payment method id -> Card
        self.confirms = {}  # intent id -> how often it was confirmed

    # --- small things

    def now(self):
        return int(self.world.now())

    def new_id(self, prefix):
        return short_id(self.world.random, prefix, 23)

    def find(self, ident, param=None):
        if ident not in self.intents:
            raise Fault(400 if param else 404, f"No such payment_intent: '{ident}'", 'resource_missing',
                        param or 'intent')
        return self.intents[ident]

    def find_charge(self, ident, param=None):
        if ident not in self.charges:
            raise Fault(400 if param else 404, f"No such charge: '{ident}'", 'resource_missing', param or 'id')
        return self.charges[ident]

    def find_refund(self, ident, param=None):
        if ident not in self.refunds:
            raise Fault(400 if param else 404, f"No such refund: '{ident}'", 'resource_missing', param or 'id')
        return self.refunds[ident]

    def references(self, ids, raw):
        """What a rule's `match` is looked for in, for a call with these ids and parameters. Takes what
        was not yet checked."""
        refs = list(ids)
        for name in ('payment_intent', 'charge', 'description'):
            if isinstance(raw.get(name), str):
                refs.append(raw[name])
        if isinstance(raw.get('metadata'), dict):
            refs.extend(v for v in raw['metadata'].values() if isinstance(v, str))
        with self.world.lock:
            for ref in list(refs):
                for kept in (self.intents, self.charges, self.refunds):
                    if ref in kept:
                        refs.extend(self.references_of(kept[ref]))
        return list(dict.fromkeys(refs))

    def references_of(self, value):
        """The object's and its intent's."""
        refs = [value['id'], *value.get('metadata', {}).values()]
        intent = self.intents.get(value['id'] if value['object'] == 'payment_intent'
                                  else value.get('payment_intent'))
        if intent:
            refs = [intent['id'], *refs, *intent['metadata'].values(), intent['description'] or '']
        return list(dict.fromkeys(r for r in refs if r))

    def event(self, kind, value, cause, previous=None):
        self.events.add(kind, value, self.references_of(value), cause, previous)

    def expand(self, value, wanted):
        """Replaces ids by objects, in a copy that is about to leave. The paths were checked."""
        for path in wanted:
            steps = path.split('.')
            if value['object'] == 'list':
                for row in value['data']:
                    self._expand(row, steps[1:])
            else:
                self._expand(value, steps)

    def _expand(self, value, steps):
        for step in steps:
            if step == 'refunds':
                mine = [r for r in self.refunds.values() if r['charge'] == value['id']]
                value[step] = copy.deepcopy(page(mine, {}, f'/v1/charges/{value["id"]}/refunds', None))
                return
            if isinstance(value.get(step), str):
                kept = next((k[value[step]] for k in (self.intents, self.charges, self.refunds, self.methods)
                             if value[step] in k), None)
                value[step] = copy.deepcopy(kept)
            value = value.get(step)
            if value is None:
                return

    # --- payment methods

    def create_method(self, x):
        if x.params['type'] != 'card' or 'card' not in x.params:
            raise Fault(400, 'soko-sim knows payment methods of type card alone.', param='type')
        card = x.params['card']
        name = 'pm_card_' + card['token'][4:] if card.get('token', '').startswith('tok_') else None
        found = facts.CARDS.get(name) if name else facts.BY_NUMBER.get(card.get('number'))
        if found is None:
            raise Fault(402, 'Your card number is incorrect.', 'incorrect_number', 'number', 'card_error')
        return copy.deepcopy(self.add_method(found, x.livemode))

    def get_method(self, x):
        return copy.deepcopy(self.method(x.path_ids[0], x.livemode, None))

    def add_method(self, card, livemode):
        method = facts.new_method(self.new_id('pm_1'), self.now(), livemode, card)
        self.methods[method['id']], self.cards[method['id']] = method, card
        return method

    def method(self, name, livemode, param='payment_method'):
        """A test card's own name makes a new method of it."""
        if name in self.methods:
            return self.methods[name]
        if name in facts.CARDS and not livemode:
            return self.add_method(facts.CARDS[name], livemode)
        raise Fault(400 if param else 404, f"No such PaymentMethod: '{name}'", 'resource_missing',
                    param or 'payment_method')

    def method_of(self, p, livemode):
        """The method that a request brings, or None."""
        if p.get('payment_method'):
            return self.method(p['payment_method'], livemode)
        data = p.get('payment_method_data')
        if isinstance(data, dict):
            card = data.get('card') if isinstance(data.get('card'), dict) else {}
            found = facts.BY_NUMBER.get(str(card.get('number', '')).replace(' ', ''))
            if data.get('type') != 'card' or found is None:
                raise Fault(402, 'Your card number is incorrect.', 'incorrect_number',
                            'payment_method_data[card][number]', 'card_error')
            return self.add_method(found, livemode)
        return None

    # --- PaymentIntents

    def create(self, x):
        p = x.params
        p['currency'] = facts.check_currency(p['currency'])
        facts.check_amount(p['amount'], p['currency'])
        if p.get('automatic_payment_methods') is not None and 'payment_method_types' in p:
            raise Fault(400, 'You may only specify one of these parameters: automatic_payment_methods, '
                        'payment_method_types.', param='payment_method_types')
        if 'enabled' not in (p.get('automatic_payment_methods') or {'enabled': True}):
            raise Fault(400, 'Missing required param: automatic_payment_methods[enabled].',
                        'parameter_missing', 'automatic_payment_methods[enabled]')
        for kind in p.get('payment_method_types', []):
            if kind not in ('card', 'link'):
                raise Fault(400, f'The payment method type "{kind}" is invalid. Please ensure the provided '
                            'type is activated in your dashboard.', 'payment_intent_invalid_parameter',
                            'payment_method_types')
        only_with_confirm = [n for n in ('return_url', 'off_session', 'error_on_requires_action',
                                         'mandate_data') if n in p and not p.get('confirm')]
        if only_with_confirm:
            raise Fault(400, f'`{only_with_confirm[0]}` can only be provided when `confirm` is true.',
                        param=only_with_confirm[0])
        method = self.method_of(p, x.livemode)
        ident = self.new_id('pi_3')
        intent = facts.new_intent(ident, f'{ident}_secret_{unguessable(12)}', self.now(), x.livemode, p)
        if p.get('confirm'):
            self.check_redirects(intent, p)
        self.intents[ident] = intent
        if method:
            intent.update(payment_method=method['id'], status='requires_confirmation')
        self.event('payment_intent.created', intent, x)
        if p.get('confirm'):
            return self.confirm(x, intent=intent)
        return copy.deepcopy(intent)

    def get_intent(self, x):
        intent = self.find(x.path_ids[0])
        if x.params.get('client_secret', intent['client_secret']) != intent['client_secret']:
            raise Fault(400, 'The client_secret provided does not match any associated PaymentIntent on this '
                        'account.', 'payment_intent_invalid_parameter', 'client_secret')
        return copy.deepcopy(intent)

    def list_intents(self, x):
        return copy.deepcopy(page(list(self.intents.values()), x.params, '/v1/payment_intents', self.find))

    def update(self, x):
        intent, p = self.find(x.path_ids[0]), x.params
        money = [n for n in ('amount', 'currency') if n in p]
        allowed = ('requires_payment_method', 'requires_confirmation', 'requires_action')
        if (money or 'payment_method' in p) and intent['status'] not in allowed:
            what = (money or ['payment_method'])[0]
            raise self.unexpected(intent, f"This PaymentIntent's {what} could not be updated because it has a "
                                  f'status of {intent["status"]}. You may only update the {what} of a '
                                  'PaymentIntent with one of the following statuses: '
                                  f'{", ".join(allowed)}.')
        currency = facts.check_currency(p.get('currency', intent['currency']))
        if money:
            facts.check_amount(p.get('amount', intent['amount']), currency)
        method = self.method_of(p, x.livemode)
        if money:
            intent.update(amount=p.get('amount', intent['amount']), currency=currency)
        if method:
            intent.update(payment_method=method['id'], status='requires_confirmation', next_action=None)
        self.merge_metadata(intent, p)
        for name in ('description', 'receipt_email', 'shipping', 'statement_descriptor',
                     'statement_descriptor_suffix', 'transfer_group', 'capture_method'):
            if name in p:
                intent[name] = p[name] or None
        return copy.deepcopy(intent)

    def merge_metadata(self, value, p):
        if 'metadata' in p:
            merged = {**value['metadata'], **p['metadata']} if p['metadata'] is not None else {}
            value['metadata'] = facts.clean(merged)

    def unexpected(self, intent, message):
        return Fault(400, message, UNEXPECTED, stored=True, payment_intent=copy.deepcopy(intent))

    def check_redirects(self, intent, p):
        automatic = intent['automatic_payment_methods']
        if automatic and automatic['allow_redirects'] == 'always' and not p.get('return_url'):
            raise Fault(400, 'This PaymentIntent is configured to accept payment methods enabled in your '
                        'Dashboard. Because some of these payment methods might redirect your customer off '
                        'of your page, you must provide a `return_url`. If you don\'t want to accept '
                        'redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` '
                        'and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup '
                        'Intents and Payment Intents.', param='return_url')

    def confirm(self, x, intent=None, browser=False):
        created = intent is not None
        intent, p = intent or self.find(x.path_ids[0]), x.params
        status = intent['status']
        if status == 'succeeded':
            raise self.unexpected(intent, 'You cannot confirm this PaymentIntent because it has already '
                                  'succeeded after being previously confirmed.')
        if status not in ('requires_payment_method', 'requires_confirmation', 'requires_action'):
            raise self.unexpected(intent, 'This PaymentIntent could not be confirmed because it has a status '
                                  f'of {status}. Only a PaymentIntent with one of the following statuses may '
                                  'be confirmed: requires_confirmation, requires_action.')
        if not browser and not created:
            self.check_redirects(intent, p)
        method = None if created else self.method_of(p, intent['livemode'])
        if method is None and not intent['payment_method']:
            raise self.unexpected(intent, "You cannot confirm this PaymentIntent because it's missing a "
                                  'payment method. Update the PaymentIntent with a payment method and then '
                                  'confirm it again.')
        if status == 'requires_action' and method is None:
            return copy.deepcopy(intent)
        self.confirms[intent['id']] = self.confirms.get(intent['id'], 0) + 1
        if self.confirms[intent['id']] > MOST_CONFIRMS:
            self.cancel_now(intent, 'automatic', x)
            return copy.deepcopy(intent)
        method = method or self.methods[intent['payment_method']]
        if 'capture_method' in p and not created:
            intent['capture_method'] = p['capture_method']
        intent.update(payment_method=method['id'], last_payment_error=None, next_action=None)
        card, do = self.cards[method['id']], x.do
        if do.get('decline'):
            code = do['decline'] if do['decline'] in facts.OWN_CODES else 'card_declined'
            raise self.declined(intent, method, code, do['decline'], x)
        if card.result == 'action':
            if p.get('off_session') or p.get('error_on_requires_action'):
                raise self.declined(intent, method, 'authentication_required', 'authentication_required', x)
            intent.update(status='requires_action', next_action=self.next_action(intent, p))
            self.event('payment_intent.requires_action', intent, x)
        elif card.result != 'paid':
            raise self.declined(intent, method, card.result, card.decline, x)
        elif 'processing_ms' in do:
            intent.update(status='processing', processing={'card': {}, 'type': 'card'})
            self.event('payment_intent.processing', intent, x)
            if do['processing_ms'] is not None:
                self.world.later(do['processing_ms'], self.complete, intent['id'], True)
        else:
            self.take(intent, x)
        return copy.deepcopy(intent)

    def next_action(self, intent, p):
        if p.get('return_url'):
            return {'redirect_to_url': {'return_url': p['return_url'], 'url':
                                        f'https://hooks.stripe.com/3d_secure_2/hosted?intent={intent["id"]}'},
                    'type': 'redirect_to_url'}
        return {'type': 'use_stripe_sdk',
                'use_stripe_sdk': {'type': 'three_d_secure_redirect',
                                   'stripe_js': 'https://hooks.stripe.com/redirect/authenticate/'
                                   + self.new_id('src_1')}}

    def complete(self, ident, well):
        """The buyer's bank has spoken. Without effect unless somebody waits for it."""
        intent = self.find(ident)
        if intent['status'] not in ('requires_action', 'processing'):
            raise self.unexpected(intent, f'This PaymentIntent has a status of {intent["status"]}.')
        method = self.methods[intent['payment_method']]
        acting = intent['status'] == 'requires_action'
        intent.update(next_action=None, processing=None)
        if well:
            self.take(intent, None)
        elif acting:  # not one that the bank saw: no charge
            error = facts.card_error('payment_intent_authentication_failure')
            intent.update(status='requires_payment_method', payment_method=None,
                          last_payment_error={**error, 'payment_method': copy.deepcopy(method)})
            self.event('payment_intent.payment_failed', intent, None)
        else:
            self.declined(intent, method, 'card_declined', 'generic_decline', None)
        return intent

    def declined(self, intent, method, code, decline, cause):
        """Back to requires_payment_method; gives the 402."""
        error = facts.card_error(code, decline)
        charge = facts.new_charge(self.new_id('ch_3'), self.now(), intent, method, error, False)
        self.charges[charge['id']] = charge
        error = {**error, 'charge': charge['id'], 'payment_method': copy.deepcopy(method)}
        intent.update(status='requires_payment_method', latest_charge=charge['id'], payment_method=None,
                      last_payment_error=error)
        self.event('charge.failed', charge, cause)
        self.event('payment_intent.payment_failed', intent, cause)
        more = {k: error[k] for k in ('advice_code', 'decline_code', 'charge', 'payment_method') if k in error}
        return Fault(402, error['message'], code, kind='card_error', stored=True,
                     payment_intent=copy.deepcopy(intent), **more)

    def take(self, intent, cause):
        """The bank says yes."""
        manual = intent['capture_method'] == 'manual'
        method = self.methods[intent['payment_method']]
        charge = facts.new_charge(self.new_id('ch_3'), self.now(), intent, method, None, not manual)
        self.charges[charge['id']] = charge
        intent['latest_charge'] = charge['id']
        self.event('charge.succeeded', charge, cause)
        if manual:
            intent.update(status='requires_capture', amount_capturable=intent['amount'])
            self.event('payment_intent.amount_capturable_updated', intent, cause)
        else:
            self.received(intent, charge, cause)

    def received(self, intent, charge, cause):
        """The money is ours: the one place where it comes into the books."""
        intent.update(status='succeeded', amount_received=charge['amount_captured'], amount_capturable=0)
        currency = intent['currency']
        self.world.books.charge('stripe', currency, charge['id'],
                                facts.minor(charge['amount_captured'], currency),
                                intent['metadata'].get('order_id') or intent['description'],
                                intent=intent['id'])
        self.event('payment_intent.succeeded', intent, cause)
        later = self.cards[charge['payment_method']].later
        if later in ('dispute', 'inquiry'):
            dispute = facts.new_dispute(self.new_id('dp_1'), self.now(), charge, later == 'inquiry')
            charge.update(disputed=True, dispute=dispute['id'])
            self.event('charge.dispute.created', dispute, cause)

    def cancel(self, x):
        intent = self.find(x.path_ids[0])
        allowed = ('requires_payment_method', 'requires_capture', 'requires_confirmation', 'requires_action')
        if intent['status'] not in allowed:
            raise self.unexpected(intent, 'You cannot cancel this PaymentIntent because it has a status of '
                                  f'{intent["status"]}. Only a PaymentIntent with one of the following '
                                  f'statuses may be canceled: {", ".join(allowed)}.')
        self.cancel_now(intent, x.params.get('cancellation_reason'), x)
        return copy.deepcopy(intent)

    def cancel_now(self, intent, reason, cause):
        if intent['status'] == 'requires_capture':  # what was held goes back; it was never in the books
            charge = self.charges[intent['latest_charge']]
            charge.update(amount_refunded=charge['amount'], refunded=True)
            self.event('charge.refunded', charge, cause)
        intent.update(status='canceled', canceled_at=self.now(), cancellation_reason=reason,
                      amount_capturable=0, next_action=None)
        self.event('payment_intent.canceled', intent, cause)

    def capture(self, x):
        intent = self.find(x.path_ids[0])
        if intent['status'] != 'requires_capture':
            raise self.unexpected(intent, 'This PaymentIntent could not be captured because it has a status '
                                  f'of {intent["status"]}. Only a PaymentIntent with one of the following '
                                  'statuses may be captured: requires_capture.')
        amount = x.params.get('amount_to_capture', intent['amount_capturable'])
        if amount < 1:
            raise Fault(400, 'This value must be greater than or equal to 1.', 'parameter_invalid_integer',
                        'amount_to_capture')
        if amount > intent['amount_capturable']:
            raise Fault(400, 'The payment intent could not be captured because the requested capture amount '
                        'is greater than the amount you can capture for this charge.', 'amount_too_large',
                        'amount_to_capture')
        self.merge_metadata(intent, x.params)
        charge = self.charges[intent['latest_charge']]
        charge.update(captured=True, amount_captured=amount)
        self.event('charge.captured', charge, x)
        self.received(intent, charge, x)
        return copy.deepcopy(intent)

    # --- charges

    def get_charge(self, x):
        return copy.deepcopy(self.find_charge(x.path_ids[0]))

    def list_charges(self, x):
        wanted = x.params.get('payment_intent')
        rows = [c for c in self.charges.values() if wanted in (None, c['payment_intent'])]
        return copy.deepcopy(page(rows, x.params, '/v1/charges', self.find_charge))

    # --- refunds

    def refund(self, x):
        p, do = x.params, x.do
        if 'charge' not in p and 'payment_intent' not in p:
            raise Fault(400, 'One of the following params should be provided for this request: '
                        'payment_intent or charge.', 'parameter_missing')
        if 'payment_intent' in p:
            intent = self.find(p['payment_intent'], 'payment_intent')
            if intent['status'] != 'succeeded':
                raise Fault(400, f'This PaymentIntent ({intent["id"]}) does not have a successful charge to '
                            'refund.', stored=True)
            charge = self.charges[intent['latest_charge']]
            if p.get('charge', charge['id']) != charge['id']:
                raise Fault(400, 'The charge does not belong to the PaymentIntent.', param='charge')
        else:
            charge = self.find_charge(p['charge'], 'charge')
        if not charge['captured']:
            raise Fault(400, f'Charge {charge["id"]} has no captured amount to refund.', param='charge',
                        stored=True)
        left = charge['amount_captured'] - charge['amount_refunded']
        if charge['disputed'] and self.cards[charge['payment_method']].later == 'dispute':
            raise Fault(400, f'Charge {charge["id"]} has been charged back; cannot issue a refund.',
                        'charge_disputed', stored=True)
        if left == 0:
            raise Fault(400, f'Charge {charge["id"]} has already been refunded.', 'charge_already_refunded',
                        stored=True)
        amount = p.get('amount', left)
        if amount < 1:
            raise Fault(400, 'Invalid positive integer', 'parameter_invalid_integer', 'amount')
        if amount > left:
            raise Fault(400, f'Refund amount ({facts.money(amount, charge["currency"])}) is greater than '
                        f'unrefunded amount on charge ({facts.money(left, charge["currency"])})',
                        param='amount', stored=True)
        refund = facts.new_refund(self.new_id('re_3'), self.now(), charge, amount, p.get('reason'),
                                  p.get('metadata') or {})
        self.refunds[refund['id']] = refund
        later = self.cards[charge['payment_method']].later
        way = do.get('refund', {'pending_refund': 'pending', 'failing_refund': 'failing'}.get(later))
        if way in ('pending', 'requires_action'):
            refund['status'] = way
            if way == 'pending':
                refund['pending_reason'] = 'processing'
        else:
            self.paid_back(refund, charge, 1)
        self.count(charge, amount, x)
        self.event('refund.created', refund, x)
        if way == 'failed':
            self.refund_becomes(refund['id'], 'failed', 'declined', x)
        wait = do.get('refund_ms', REFUND_MS)
        if way == 'pending' and wait is not None:
            self.world.later(wait, self.refund_becomes, refund['id'], 'succeeded')
        if way == 'failing' and wait is not None:
            self.world.later(wait, self.refund_becomes, refund['id'], 'failed', 'expired_or_canceled_card')
        return copy.deepcopy(refund)

    def count(self, charge, amount, cause):
        """The charge's refunded sum, which holds pending refunds too."""
        before = {'amount_refunded': charge['amount_refunded'], 'refunded': charge['refunded']}
        charge['amount_refunded'] += amount
        charge['refunded'] = charge['amount_refunded'] == charge['amount_captured']
        changed = {k: v for k, v in before.items() if v != charge[k]}
        self.event('charge.refunded' if amount > 0 else 'charge.updated', charge, cause, changed)

    def paid_back(self, refund, charge, sign):
        amount = facts.minor(refund['amount'], refund['currency'])
        self.world.books.refund('stripe', charge['id'], sign * amount)

    def refund_becomes(self, ident, status, reason=None, cause=None):
        """A refund's later word. It moves from pending and requires_action to an end, and from succeeded
        to failed; else nothing happens."""
        refund = self.find_refund(ident)
        was, charge = refund['status'], self.charges[refund['charge']]
        if was not in ('pending', 'requires_action') and (was, status) != ('succeeded', 'failed'):
            raise Fault(400, f'Refund {ident} is {was}.', stored=True)
        refund.pop('pending_reason', None)
        refund['status'] = status
        previous = {'status': was}
        if status == 'succeeded':
            self.paid_back(refund, charge, 1)
        else:
            if was == 'succeeded':
                self.paid_back(refund, charge, -1)
            if status == 'failed':
                refund['failure_reason'] = reason or 'unknown'
            self.count(charge, -refund['amount'], cause)
        self.event('refund.updated', refund, cause, previous)
        if status == 'failed':
            self.event('refund.failed', refund, cause, previous)
        self.event('charge.refund.updated', refund, cause, previous)

    def get_refund(self, x):
        return copy.deepcopy(self.find_refund(x.path_ids[0]))

    def update_refund(self, x):
        refund = self.find_refund(x.path_ids[0])
        self.merge_metadata(refund, x.params)
        return copy.deepcopy(refund)

    def cancel_refund(self, x):
        refund = self.find_refund(x.path_ids[0])
        if refund['status'] != 'requires_action':
            raise Fault(400, f'You cannot cancel a refund with a status of {refund["status"]}. Only a refund '
                        'with a status of requires_action may be canceled.', stored=True)
        self.refund_becomes(refund['id'], 'canceled', None, x)
        return copy.deepcopy(refund)

    def list_refunds(self, x):
        p = x.params
        rows = [r for r in self.refunds.values() if p.get('charge') in (None, r['charge'])
                and p.get('payment_intent') in (None, r['payment_intent'])]
        return copy.deepcopy(page(rows, p, '/v1/refunds', self.find_refund))

    # --- events

    def list_events(self, x):
        rows = [self.events.shown(e) for e in self.events.chosen(x.params)]
        return copy.deepcopy(page(rows, x.params, '/v1/events', self.events.find))

    def get_event(self, x):
        return copy.deepcopy(self.events.shown(self.events.find(x.path_ids[0])))
