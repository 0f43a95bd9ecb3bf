"""One call that the shop makes, from the rule that bends it to the answer.

    call = world.open(request, 'daraja', 'push', refs=[account_reference, phone])
    return call.run(effect, fault)

`effect(do)` does the thing under world.lock and gives the Response; it neither sleeps nor calls
out. `fault(status, code, do)` makes an error in the provider's own words. `do` is the rule's object,
or {}. Common to all providers:

    before_ms n             wait before the effect
    delay_ms n              wait after the effect, before the answer
    drop true               effect, then the connection is closed without an answer
    refuse_connection true  no effect; the connection is reset
    hang true               no answer, for at most 120 s or until the rule is removed
    status n                an error instead of the answer; `code` is the provider's own word for it
    body "html"             a page of a proxy; "empty": nothing; "truncated": half the JSON; "cut": half
                            of what Content-Length promises; "large": 16 MiB; "drip": a byte each
                            `drip_ms` (100)
    effect true|false       whether the thing is done. Else: not with status, hang and refuse_connection
"""
import json
import secrets
import threading

LONGEST_HANG = 120
LARGE = 16 << 20
PAGE = ('<html><head><title>Error</title></head><body>Request unsuccessful. '
        'Incapsula incident ID: 443000270035480283-85723410923</body></html>')


class Response:
    """An answer. `how` is what becomes of it on the wire: send, drop, reset, hang, cut, drip."""

    def __init__(self, status=200, body=b'', kind='application/json', headers=None):
        self.status, self.body, self.kind = status, body, kind
        self.headers = dict(headers or {})
        self.how, self.rule, self.drip_ms = 'send', None, 0

    @classmethod
    def json(cls, value, status=200, headers=None):
        return cls(status, json.dumps(value, separators=(',', ':')).encode(), headers=headers)

    @classmethod
    def text(cls, text, status=200, kind='text/plain; charset=utf-8', headers=None):
        return cls(status, text.encode(), kind, headers)


class Calls:
    """Every call received, for GET /sim/calls."""

    def __init__(self):
        self.lock = threading.Lock()
        self.calls = []

    def add(self, entry):
        with self.lock:
            entry['id'] = len(self.calls) + 1
            self.calls.append(entry)

    def shown(self, provider=None, operation=None, match=None):
        with self.lock:
            return [dict(c) for c in self.calls
                    if provider in (None, c['provider']) and operation in (None, c['operation'])
                    and (match is None or any(match in r for r in c['references']))]

    def reset(self):
        with self.lock:
            self.calls = []


class Call:
    def __init__(self, world, request, provider, operation, refs, key=None):
        self.world, self.request = world, request
        self.refs = [str(r) for r in refs if r]
        self.rule = world.rules.take(provider, operation, self.refs)
        self.do = self.rule.do if self.rule else {}
        self.entry = {'provider': provider, 'operation': operation, 'references': self.refs,
                      'reference': self.refs[0] if self.refs else None, 'at': world.now(),
                      'idempotency_key': world.digest(key) if key else None,
                      'traceparent': request.headers.get('traceparent'),
                      'rule': self.rule.id if self.rule else None,
                      'outcome': 'running', 'status': None}
        world.calls.add(self.entry)

    def name(self, *refs):
        """More references, known only now (the id of what was made): for GET /sim/calls."""
        self.refs.extend(str(r) for r in refs if r and str(r) not in self.refs)

    def run(self, effect, fault):
        do = self.do
        with_effect = do.get('effect', not ('status' in do or do.get('hang')
                                            or do.get('refuse_connection')))
        self.world.wait(do.get('before_ms', 0), self.rule)
        response = Response()  # for nobody, unless there is an effect or a status
        try:
            if with_effect:
                with self.world.lock:
                    response = effect(do)
            if 'status' in do:
                response = fault(do['status'], do.get('code'), do)
        except Exception:
            self.entry['outcome'] = 'broken'
            raise
        self.request.flush_before()
        self.world.wait(do.get('delay_ms', 0), self.rule)
        response = self.bent(response)
        self.entry['status'] = response.status
        self.entry['outcome'] = 'answered' if response.how == 'send' else response.how
        self.world.log('call', provider=self.entry['provider'], operation=self.entry['operation'],
                       outcome=self.entry['outcome'], status=response.status, rule=self.entry['rule'])
        return response

    def bent(self, response):
        do, body = self.do, self.do.get('body')
        response.rule = self.rule
        if body == 'html':
            response = Response.text(PAGE, response.status, 'text/html')
        elif body == 'empty':
            response.body = b''
        elif body == 'truncated':
            response.body = response.body[:len(response.body) // 2]
        elif body == 'large':
            response.body = response.body + b' ' * LARGE
        elif body == 'cut':
            response.how = 'cut'
        elif body == 'drip':
            response.how, response.drip_ms = 'drip', do.get('drip_ms', 100)
        for word, how in (('drop', 'drop'), ('refuse_connection', 'reset'), ('hang', 'hang')):
            if do.get(word):
                response.how = how
        response.rule = self.rule
        return response


def short_id(random, prefix, length=24):
    """An id in Stripe's manner, from the world's own random source: equal seeds, equal ids."""
    letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
    return prefix + ''.join(random.choice(letters) for _ in range(length))


def unguessable(length=24):
    """For secrets, whatever the seed."""
    return secrets.token_hex(length)
