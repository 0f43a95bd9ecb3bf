"""What Stripe publishes: test cards, currencies, amounts; and the shapes of its objects.

Shapes have the members of the API's current objects in its own (alphabetical) order. A new object has
null where Stripe has null.
"""
from .stripe_form import Fault

API_VERSION = '2026-10-28.endive'


class Card:
    """A test card. `result`: paid, action (3-D Secure first), or an error code; `later` is what becomes
    of money after it was paid: pending_refund, failing_refund, dispute, inquiry."""

    def __init__(self, number, result='paid', decline=None, later=None, brand='visa'):
        self.number, self.result, self.decline, self.later = number, result, decline, later
        self.brand, self.last4 = brand, number[-4:]


DECLINED = 'card_declined'
CARDS = {  # https://docs.stripe.com/testing
    'pm_card_visa': Card('4242424242424242'),
    'pm_card_visa_debit': Card('4000056655665556'),
    'pm_card_mastercard': Card('5555555555554444', brand='mastercard'),
    'pm_card_amex': Card('378282246310005', brand='amex'),
    'pm_card_chargeDeclined': Card('4000000000000002', DECLINED, 'generic_decline'),
    'pm_card_visa_chargeDeclined': Card('4000000000000002', DECLINED, 'generic_decline'),
    'pm_card_chargeDeclinedInsufficientFunds': Card('4000000000009995', DECLINED, 'insufficient_funds'),
    'pm_card_visa_chargeDeclinedInsufficientFunds':
        Card('4000000000009995', DECLINED, 'insufficient_funds'),
    'pm_card_visa_chargeDeclinedLostCard': Card('4000000000009987', DECLINED, 'lost_card'),
    'pm_card_visa_chargeDeclinedStolenCard': Card('4000000000009979', DECLINED, 'stolen_card'),
    'pm_card_chargeDeclinedExpiredCard': Card('4000000000000069', 'expired_card', 'expired_card'),
    'pm_card_chargeDeclinedIncorrectCvc': Card('4000000000000127', 'incorrect_cvc', 'incorrect_cvc'),
    'pm_card_chargeDeclinedProcessingError':
        Card('4000000000000119', 'processing_error', 'processing_error'),
    'pm_card_radarBlock': Card('4100000000000019', DECLINED, 'fraudulent'),
    'pm_card_authenticationRequired': Card('4000002760003184', 'action'),
    'pm_card_threeDSecure2Required': Card('4000000000003220', 'action'),
    'pm_card_pendingRefund': Card('4000000000007726', later='pending_refund'),
    'pm_card_refundFail': Card('4000000000005126', later='failing_refund'),
    'pm_card_createDispute': Card('4000000000000259', later='dispute'),
    'pm_card_createDisputeInquiry': Card('4000000000001976', later='inquiry'),
}
BY_NUMBER = {card.number: card for card in CARDS.values()}

MESSAGES = {  # of codes, and before them of decline codes
    'insufficient_funds': 'Your card has insufficient funds.',
    'expired_card': 'Your card has expired.',
    'incorrect_cvc': "Your card's security code is incorrect.",
    'processing_error': 'An error occurred while processing your card. Try again in a little bit.',
    'authentication_required': 'Your card was declined. This transaction requires authentication.',
    'payment_intent_authentication_failure':
        'We are unable to authenticate your payment method. Please choose a different payment method '
        'and try again.',
    'card_declined': 'Your card was declined.',
}

# Declines that are error codes of their own; all others are card_declined.
OWN_CODES = {'expired_card', 'incorrect_cvc', 'processing_error', 'authentication_required'}

# Without a decimal, and those that are sent x100 all the same. https://docs.stripe.com/currencies
ZERO_DECIMAL = set('bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf'.split())
THREE_DECIMAL = set('bhd jod kwd omr tnd'.split())
SCALED = {'isk': 100, 'ugx': 100}
CURRENCIES = ZERO_DECIMAL | THREE_DECIMAL | set(SCALED) | set(
    'aed ars aud bdt bgn brl bwp cad chf cny cop czk dkk egp etb eur gbp ghs hkd huf idr ils inr kes lkr '
    'mad mur mwk mxn myr mzn ngn nok nzd pen php pkr pln qar ron rsd sar scr sek sgd szl thb try twd tzs '
    'uah usd uyu zar zmw'.split())
LARGEST = 99999999
# About half a dollar. What is not here has no minimum but 1.
SMALLEST = {'usd': 50, 'eur': 50, 'gbp': 30, 'cad': 50, 'aud': 50, 'chf': 50, 'jpy': 50, 'inr': 50,
            'zar': 1000, 'ngn': 80000, 'kes': 6500, 'tzs': 125000, 'rwf': 700, 'xof': 300, 'xaf': 300}


def check_amount(amount, currency, param='amount'):
    if amount < 1:
        raise Fault(400, 'This value must be greater than or equal to 1.', 'parameter_invalid_integer', param)
    if amount > LARGEST:
        raise Fault(400, f'Amount must be no more than {money(LARGEST, currency)}', 'amount_too_large', param)
    least = SMALLEST.get(currency, 1)
    if amount < least and currency == 'usd':
        raise Fault(400, 'Amount must be at least $0.50 usd', 'amount_too_small', param)
    if amount < least:
        cents = 50 * amount // least
        raise Fault(400, f'Amount must convert to at least 50 cents. {money(amount, currency)} converts to '
                    f'approximately {money(cents, "usd")}.', 'amount_too_small', param)
    if currency in THREE_DECIMAL and amount % 10:
        raise Fault(400, 'Invalid amount: the last digit of a three-decimal currency must be 0.', param=param)
    if currency in SCALED and amount % SCALED[currency]:
        raise Fault(400, f'Invalid amount: {currency} must be divisible by {SCALED[currency]}.', param=param)


def check_currency(currency):
    lower = currency.lower()
    if lower not in CURRENCIES:
        raise Fault(400, f'Invalid currency: {lower}. Stripe currently supports these currencies: '
                    + ', '.join(sorted(CURRENCIES)), param='currency')
    return lower


def minor(amount, currency):
    """Stripe's units as ISO 4217's, in which the books are."""
    return amount // SCALED.get(currency, 1)


def money(amount, currency):
    signs = {'kes': 'KSh', 'usd': '$', 'eur': '€', 'gbp': '£'}
    decimals = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
    sign = signs.get(currency, currency.upper() + ' ')
    return f'{sign}{amount // 10 ** decimals:,}' + (
        f'.{amount % 10 ** decimals:0{decimals}}' if decimals else '')


def card_error(code, decline=None):
    """What last_payment_error and a 402 have in common."""
    message = MESSAGES.get(decline) or MESSAGES.get(code) or MESSAGES['card_declined']
    out = {'advice_code': 'do_not_try_again' if decline in ('lost_card', 'stolen_card') else 'try_again_later',
           'code': code, 'decline_code': decline,
           'doc_url': 'https://stripe.com/docs/error-codes/' + code.replace('_', '-'),
           'message': message, 'type': 'card_error'}
    if code == 'payment_intent_authentication_failure':
        del out['advice_code'], out['decline_code']
        out['type'] = 'invalid_request_error'
    return {k: v for k, v in out.items() if v is not None}


# --- shapes

def new_intent(ident, secret, now, livemode, p):
    automatic = p.get('automatic_payment_methods')
    if automatic is None and 'payment_method_types' not in p:
        automatic = {'enabled': True}
    on = bool(automatic and automatic['enabled'])
    return {
        'id': ident, 'object': 'payment_intent', 'amount': p['amount'], 'amount_capturable': 0,
        'amount_details': {'tip': {}}, 'amount_received': 0, 'application': None,
        'application_fee_amount': p.get('application_fee_amount'),
        'automatic_payment_methods':
            {'allow_redirects': automatic.get('allow_redirects', 'always'), 'enabled': True} if on else None,
        'canceled_at': None, 'cancellation_reason': None,
        'capture_method': p.get('capture_method', 'automatic_async'), 'client_secret': secret,
        'confirmation_method': p.get('confirmation_method', 'automatic'), 'created': now,
        'currency': p['currency'], 'customer': None, 'description': p.get('description') or None,
        'last_payment_error': None, 'latest_charge': None, 'livemode': livemode,
        'metadata': clean(p.get('metadata') or {}), 'next_action': None, 'on_behalf_of': None,
        'payment_method': None, 'payment_method_configuration_details': None,
        'payment_method_options': {'card': {'installments': None, 'mandate_options': None, 'network': None,
                                            'request_three_d_secure': 'automatic'}},
        'payment_method_types': p.get('payment_method_types', ['card']), 'processing': None,
        'receipt_email': p.get('receipt_email') or None, 'review': None,
        'setup_future_usage': p.get('setup_future_usage'), 'shipping': p.get('shipping') or None,
        'source': None, 'statement_descriptor': p.get('statement_descriptor') or None,
        'statement_descriptor_suffix': p.get('statement_descriptor_suffix') or None,
        'status': 'requires_payment_method', 'transfer_data': None,
        'transfer_group': p.get('transfer_group') or None,
    }


def new_method(ident, now, livemode, card):
    return {
        'id': ident, 'object': 'payment_method', 'allow_redisplay': 'unspecified',
        'billing_details': {'address': {k: None for k in ('city', 'country', 'line1', 'line2', 'postal_code',
                                                          'state')},
                            'email': None, 'name': None, 'phone': None, 'tax_id': None},
        'card': {'brand': card.brand, 'checks': {'address_line1_check': None,
                                                 'address_postal_code_check': None, 'cvc_check': None},
                 'country': 'US', 'display_brand': card.brand, 'exp_month': 12, 'exp_year': 2034,
                 'fingerprint': 'Xt5EWLLDS7FJjR1c', 'funding': 'credit', 'generated_from': None,
                 'last4': card.last4, 'networks': {'available': [card.brand], 'preferred': None},
                 'regulated_status': 'unregulated', 'three_d_secure_usage': {'supported': True},
                 'wallet': None},
        'created': now, 'customer': None, 'livemode': livemode, 'metadata': {}, 'type': 'card',
    }


def new_charge(ident, now, intent, method, error, captured):
    """One try to take the money: succeeded, or failed with `error`."""
    paid = error is None
    outcome = {'advice_code': None, 'network_advice_code': None, 'network_decline_code': None,
               'network_status': 'approved_by_network', 'reason': None, 'risk_level': 'normal',
               'risk_score': 20, 'seller_message': 'Payment complete.', 'type': 'authorized'}
    if not paid:
        outcome.update(network_status='declined_by_network', network_decline_code='01',
                       advice_code=error.get('advice_code'),
                       reason=error.get('decline_code', error['code']),
                       seller_message='The bank did not return any further details with this decline.',
                       type='issuer_declined')
    return {
        'id': ident, 'object': 'charge', 'amount': intent['amount'],
        'amount_captured': intent['amount'] if paid and captured else 0, 'amount_refunded': 0,
        'application': None, 'application_fee': None, 'application_fee_amount': None,
        'balance_transaction': None, 'billing_details': method['billing_details'],
        'calculated_statement_descriptor': 'SOKO', 'captured': paid and captured, 'created': now,
        'currency': intent['currency'], 'customer': None, 'description': intent['description'],
        'destination': None, 'dispute': None, 'disputed': False, 'failure_balance_transaction': None,
        'failure_code': None if paid else error['code'],
        'failure_message': None if paid else error['message'], 'fraud_details': {},
        'livemode': intent['livemode'], 'metadata': dict(intent['metadata']), 'on_behalf_of': None,
        'order': None, 'outcome': outcome, 'paid': paid, 'payment_intent': intent['id'],
        'payment_method': method['id'],
        'payment_method_details': {'card': {'amount_authorized': intent['amount'] if paid else None,
                                            **{k: method['card'][k] for k in (
                                                'brand', 'country', 'exp_month', 'exp_year', 'fingerprint',
                                                'funding', 'last4', 'wallet')}}, 'type': 'card'},
        'radar_options': {}, 'receipt_email': intent['receipt_email'], 'receipt_number': None,
        'receipt_url': f'https://pay.stripe.com/receipts/payment/{ident}' if paid else None,
        'refunded': False, 'review': None, 'shipping': intent['shipping'], 'source': None,
        'source_transfer': None, 'statement_descriptor': intent['statement_descriptor'],
        'statement_descriptor_suffix': intent['statement_descriptor_suffix'],
        'status': 'succeeded' if paid else 'failed', 'transfer_data': None,
        'transfer_group': intent['transfer_group'],
    }


def new_refund(ident, now, charge, amount, reason, metadata):
    return {
        'id': ident, 'object': 'refund', 'amount': amount, 'balance_transaction': None,
        'charge': charge['id'], 'created': now, 'currency': charge['currency'],
        'destination_details': {'card': {'reference_status': 'pending',
                                         'reference_type': 'acquirer_reference_number',
                                         'type': 'refund'}, 'type': 'card'},
        'metadata': clean(metadata), 'payment_intent': charge['payment_intent'], 'reason': reason,
        'receipt_number': None, 'source_transfer_reversal': None, 'status': 'succeeded',
        'transfer_reversal': None,
    }


def new_dispute(ident, now, charge, inquiry):
    return {
        'id': ident, 'object': 'dispute', 'amount': charge['amount'], 'balance_transactions': [],
        'charge': charge['id'], 'created': now, 'currency': charge['currency'],
        'evidence_details': {'due_by': now + 7 * 86400, 'has_evidence': False, 'past_due': False,
                             'submission_count': 0},
        'is_charge_refundable': inquiry, 'livemode': charge['livemode'], 'metadata': {},
        'payment_intent': charge['payment_intent'], 'reason': 'fraudulent',
        'status': 'warning_needs_response' if inquiry else 'needs_response',
    }


def new_event(ident, now, version, kind, value, request, previous, livemode):
    data = {'object': value}
    if previous:
        data['previous_attributes'] = previous
    return {'id': ident, 'object': 'event', 'api_version': version, 'created': now, 'data': data,
            'livemode': livemode, 'pending_webhooks': 1, 'request': request, 'type': kind}


def clean(metadata):
    """An empty value is a key that is unset."""
    return {k: v for k, v in metadata.items() if v != ''}
