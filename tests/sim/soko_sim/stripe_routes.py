"""Which requests Stripe knows, and what each takes. https://docs.stripe.com/api"""
import re

from .stripe_form import (ANYTHING, BOOLEAN, ID, INTEGER, LONG, METADATA, TEXT, TEXTS, Fault, either,
                          objects, one_of)

CREATED = either(INTEGER, objects({'gt': INTEGER, 'gte': INTEGER, 'lt': INTEGER, 'lte': INTEGER}))
LISTED = {'created': CREATED, 'ending_before': ID, 'expand': TEXTS, 'limit': INTEGER, 'starting_after': ID}

OF_INTENT = {
    'amount': INTEGER, 'currency': ID, 'amount_details': ANYTHING, 'application_fee_amount': INTEGER,
    'customer': ID, 'description': LONG, 'expand': TEXTS, 'metadata': METADATA, 'payment_method': ID,
    'payment_method_configuration': ID, 'payment_method_data': ANYTHING,
    'payment_method_options': ANYTHING, 'payment_method_types': TEXTS, 'receipt_email': TEXT,
    'setup_future_usage': one_of('off_session', 'on_session'), 'shipping': ANYTHING,
    'statement_descriptor': TEXT, 'statement_descriptor_suffix': TEXT, 'transfer_data': ANYTHING,
    'transfer_group': TEXT,
}
CAPTURE_METHODS = one_of('automatic', 'automatic_async', 'manual')
OF_CONFIRM = {
    'capture_method': CAPTURE_METHODS, 'confirmation_token': ID, 'error_on_requires_action': BOOLEAN,
    'expand': TEXTS, 'mandate': ID, 'mandate_data': ANYTHING, 'off_session': BOOLEAN, 'payment_method': ID,
    'payment_method_data': ANYTHING, 'payment_method_options': ANYTHING, 'payment_method_types': TEXTS,
    'radar_options': ANYTHING, 'receipt_email': TEXT, 'return_url': LONG,
    'setup_future_usage': one_of('off_session', 'on_session'), 'shipping': ANYTHING,
    'use_stripe_sdk': BOOLEAN,
}
OF_CREATE = {
    **OF_INTENT, **OF_CONFIRM,
    'automatic_payment_methods': objects({'enabled': BOOLEAN, 'allow_redirects': one_of('always', 'never')}),
    'confirm': BOOLEAN, 'confirmation_method': one_of('automatic', 'manual'), 'on_behalf_of': ID,
}
OF_CAPTURE = {
    'amount_details': ANYTHING, 'amount_to_capture': INTEGER, 'application_fee_amount': INTEGER,
    'expand': TEXTS, 'final_capture': BOOLEAN, 'metadata': METADATA, 'statement_descriptor': TEXT,
    'statement_descriptor_suffix': TEXT, 'transfer_data': ANYTHING,
}
OF_REFUND = {
    'amount': INTEGER, 'charge': ID, 'currency': ID, 'customer': ID, 'expand': TEXTS,
    'instructions_email': TEXT, 'metadata': METADATA, 'origin': ID, 'payment_intent': ID,
    'reason': one_of('duplicate', 'fraudulent', 'requested_by_customer'), 'refund_application_fee': BOOLEAN,
    'reverse_transfer': BOOLEAN,
}
OF_METHOD = {
    'allow_redisplay': one_of('always', 'limited', 'unspecified'), 'billing_details': ANYTHING,
    'card': objects({'number': ID, 'exp_month': INTEGER, 'exp_year': INTEGER, 'cvc': ID, 'token': ID,
                     'networks': ANYTHING}),
    'expand': TEXTS, 'metadata': METADATA, 'type': ID,
}
ONE = {'expand': TEXTS}


# What `expand` may name in each object, and of which kind it is then (None: always null here).
EXPANDABLE = {
    'payment_intent': {'latest_charge': 'charge', 'payment_method': 'payment_method', 'customer': None,
                       'review': None, 'on_behalf_of': None, 'application': None},
    'charge': {'payment_intent': 'payment_intent', 'refunds': None, 'customer': None, 'review': None,
               'balance_transaction': None, 'application': None, 'application_fee': None, 'dispute': None,
               'failure_balance_transaction': None},
    'refund': {'payment_intent': 'payment_intent', 'charge': 'charge', 'balance_transaction': None,
               'failure_balance_transaction': None, 'transfer_reversal': None},
    'payment_method': {'customer': None},
    'event': {},
}
DEEPEST = 4


class Route:
    """`handler` is a method of stripe_money.Money; the path says what object it gives."""

    def __init__(self, method, path, operation, handler, takes, required=()):
        self.method, self.operation, self.handler = method, operation, handler
        self.path = re.compile(path.replace('{id}', '([^/]+)'))
        self.takes, self.required = takes, required
        self.gives, self.lists = path.split('/')[2][:-1], method == 'GET' and '{id}' not in path

    def check_expand(self, paths):
        """Before anything is done. Raises Fault."""
        for path in paths:
            steps, kind = path.split('.'), self.gives
            if self.lists and steps.pop(0) != 'data':
                raise Fault(400, f'This property cannot be expanded ({path}). You may want to try expanding '
                            f"'data.{path}' instead.", param='expand')
            if len(steps) > DEEPEST:
                raise Fault(400, f'You cannot expand more than {DEEPEST} levels of a property ({path}).',
                            param='expand')
            for step in steps:
                if step not in EXPANDABLE.get(kind, {}):
                    raise Fault(400, f'This property cannot be expanded ({path}).', param='expand')
                kind = EXPANDABLE[kind][step]


INTENTS = '/v1/payment_intents'
ROUTES = (
    Route('POST', INTENTS, 'create_intent', 'create', OF_CREATE, ('amount', 'currency')),
    Route('GET', INTENTS, 'list_intents', 'list_intents', {**LISTED, 'customer': ID}),
    Route('GET', INTENTS + '/{id}', 'get_intent', 'get_intent', {**ONE, 'client_secret': ID}),
    Route('POST', INTENTS + '/{id}', 'update_intent', 'update',
          {**OF_INTENT, 'capture_method': CAPTURE_METHODS}),
    Route('POST', INTENTS + '/{id}/confirm', 'confirm_intent', 'confirm', OF_CONFIRM),
    Route('POST', INTENTS + '/{id}/cancel', 'cancel_intent', 'cancel',
          {**ONE, 'cancellation_reason': one_of('duplicate', 'fraudulent', 'requested_by_customer',
                                                'abandoned')}),
    Route('POST', INTENTS + '/{id}/capture', 'capture_intent', 'capture', OF_CAPTURE),
    Route('GET', '/v1/charges', 'list_charges', 'list_charges',
          {**LISTED, 'customer': ID, 'payment_intent': ID, 'transfer_group': ID}),
    Route('GET', '/v1/charges/{id}', 'get_charge', 'get_charge', ONE),
    Route('POST', '/v1/refunds', 'create_refund', 'refund', OF_REFUND),
    Route('GET', '/v1/refunds', 'list_refunds', 'list_refunds',
          {**LISTED, 'charge': ID, 'payment_intent': ID}),
    Route('GET', '/v1/refunds/{id}', 'get_refund', 'get_refund', ONE),
    Route('POST', '/v1/refunds/{id}', 'update_refund', 'update_refund', {**ONE, 'metadata': METADATA}),
    Route('POST', '/v1/refunds/{id}/cancel', 'cancel_refund', 'cancel_refund', ONE),
    Route('GET', '/v1/events', 'list_events', 'list_events',
          {**LISTED, 'delivery_success': BOOLEAN, 'type': ID, 'types': TEXTS}),
    Route('GET', '/v1/events/{id}', 'get_event', 'get_event', ONE),
    Route('POST', '/v1/payment_methods', 'create_method', 'create_method', OF_METHOD, ('type',)),
    Route('GET', '/v1/payment_methods/{id}', 'get_method', 'get_method', ONE),
)
