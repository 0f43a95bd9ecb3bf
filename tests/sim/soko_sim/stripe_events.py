"""Stripe's events: kept for GET /v1/events, and sent, signed, to SHOP/webhooks/stripe.

What rules may say of an event (operation "event", or one type alone: "event:payment_intent.succeeded";
references: its own id, the object's, the intent's, and all metadata):

    amount n, currency t, livemode b, api_version t   lies about the object; GET tells the truth
    signature "bad"           v1 is another
              "wrong_secret"  signed with a secret that is not the shop's
              "old"           `age_s` (3600) old
              "future"        that much ahead
              "two"           two v1, the first with a secret that is no more: rolling over
              "v0"            no v1 but a v0
              "none"          no header
"""
import copy
import hashlib
import hmac
import json

from . import stripe_facts as facts
from .call import short_id, unguessable
from .deliver import Outgoing
from .stripe_form import Fault

KNOBS = {'amount', 'currency', 'livemode', 'api_version', 'signature', 'age_s'}
RETRIES = 12
PATH = '/webhooks/stripe'


def sign(body, secret, at):
    """v1 of the signed bytes. The key is the whole text "whsec_..."."""
    return hmac.new(secret.encode(), b'%d.' % at + body, hashlib.sha256).hexdigest()


class Events:
    def __init__(self, world):
        self.world = world
        self.events, self.deliveries = [], {}  # oldest first; event id -> [Delivery]
        self.lost_secret = 'whsec_' + unguessable(16)

    def secrets(self):
        return [s for s in self.world.config.get('STRIPE_WEBHOOK_SECRETS', '').split(',') if s]

    def add(self, kind, value, refs, cause, previous=None):
        """An event happened. `cause`: the Exchange that did it, or None."""
        now = int(self.world.now())
        request = {'id': cause.id if cause else None, 'idempotency_key': cause.key if cause else None}
        version = self.world.config.get('STRIPE_API_VERSION') or facts.API_VERSION
        event = facts.new_event(short_id(self.world.random, 'evt_3', 23), now, version, kind,
                                copy.deepcopy(value), request, previous, value.get('livemode', False))
        self.events.append(event)
        if self.secrets():
            self.send(event, refs, cause.request if cause else None)
        else:
            event['pending_webhooks'] = 0
        return event

    def send(self, event, refs, request=None, retries=RETRIES, do=None):
        refs = [event['id'], event['data']['object']['id'], *refs]
        one = self.world.deliver.send(
            'stripe', f'event:{event["type"]}', refs, lambda do, attempt: self.outgoing(event, do),
            request=request, group=refs[2] if len(refs) > 2 else refs[1], retries=retries, do=do)
        self.deliveries.setdefault(event['id'], []).append(one)

    def delivered(self, event):
        return any(d.state == 'delivered' for d in self.deliveries.get(event['id'], []))

    def shown(self, event):
        return dict(event, pending_webhooks=0 if self.delivered(event) or not self.secrets() else 1)

    def outgoing(self, event, do):
        event = copy.deepcopy(event)
        value = event['data']['object']
        if 'amount' in do:
            value['amount'] = do['amount']
            if value.get('amount_received'):
                value['amount_received'] = do['amount']
        if 'currency' in do:
            value['currency'] = do['currency'].lower()
        if 'livemode' in do:
            event['livemode'] = do['livemode']
            if 'livemode' in value:
                value['livemode'] = do['livemode']
        if 'api_version' in do:
            event['api_version'] = do['api_version']
        body = json.dumps(event, indent=2).encode()  # as Stripe: with blanks and line ends
        headers = {'Content-Type': 'application/json; charset=utf-8', 'Accept': '*/*; q=0.5, application/xml',
                   'Cache-Control': 'no-cache',
                   'User-Agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)'}
        signature = self.signature(body, do)
        if signature:
            headers['Stripe-Signature'] = signature
        return Outgoing(PATH, body, headers)

    def signature(self, body, do):
        how, at, ours = do.get('signature'), int(self.world.now()), self.secrets()
        if how == 'none':
            return None
        if how in ('old', 'future'):
            at += do.get('age_s', 3600) * (1 if how == 'future' else -1)
        right = sign(body, ours[0], at)
        lost = sign(body, self.lost_secret, at)
        v1 = {'bad': [('0' if right[0] != '0' else '1') + right[1:]], 'wrong_secret': [lost],
              'two': [lost, right], 'v0': []}.get(how, [right])
        v0 = [right] if how == 'v0' else []
        return ','.join([f't={at}', *(f'v1={s}' for s in v1), *(f'v0={s}' for s in v0)])

    # --- GET /v1/events

    def find(self, ident, param=None):
        for event in self.events:
            if event['id'] == ident:
                return event
        raise Fault(400 if param else 404, f"No such event: '{ident}'", 'resource_missing', param or 'id')

    def chosen(self, p):
        """By type, creation and delivery, oldest first."""
        wanted = p.get('types') or ([p['type']] if p.get('type') else None)
        if 'types' in p and 'type' in p:
            raise Fault(400, 'You may only specify one of these parameters: type, types.', param='type')
        return [e for e in self.events
                if (wanted is None or any(_is(e['type'], w) for w in wanted))
                and ('delivery_success' not in p or self.delivered(e) == p['delivery_success'])]

    def reset(self):
        self.events, self.deliveries = [], {}


def _is(kind, wanted):
    return kind == wanted or (wanted.endswith('*') and kind.startswith(wanted[:-1]))


def page(rows, p, url, missing):
    """A list object of `rows`, oldest first; lists are newest first. `missing(id, param)` raises."""
    limit = p.get('limit', 10)
    if not 1 <= limit <= 100:
        raise Fault(400, 'Invalid integer: limit must be between 1 and 100.', 'parameter_invalid_integer',
                    'limit')
    if 'starting_after' in p and 'ending_before' in p:
        raise Fault(400, 'You may only specify one of these parameters: starting_after, ending_before.')
    rows = [r for r in reversed(rows) if _in_time(r, p.get('created'))]
    for param in ('starting_after', 'ending_before'):
        if param in p:
            at = next((i for i, r in enumerate(rows) if r['id'] == p[param]), None)
            if at is None:
                missing(p[param], param)
                at = 0 if param == 'ending_before' else len(rows)
            if param == 'starting_after':
                rows = rows[at + 1:]
            else:  # those right before it, still newest first
                rows = rows[:at]
                return {'object': 'list', 'data': rows[-limit:], 'has_more': len(rows) > limit, 'url': url}
    return {'object': 'list', 'data': rows[:limit], 'has_more': len(rows) > limit, 'url': url}


def _in_time(row, wanted):
    if wanted is None:
        return True
    if isinstance(wanted, int):
        return row['created'] == wanted
    at = row['created']
    return ((('gt' not in wanted) or at > wanted['gt']) and (('gte' not in wanted) or at >= wanted['gte'])
            and (('lt' not in wanted) or at < wanted['lt']) and (('lte' not in wanted) or at <= wanted['lte']))
