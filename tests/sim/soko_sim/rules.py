"""Rules: how a test bends one call, or one message to the shop.

    {"provider": "stripe", "operation": "create_intent", "match": "ORD42", "times": 1, "do": {...}}

A rule is for one provider ("*": all) and one operation ("*": all), and, with `match`, only for what
has that text in one of its own references (an order's number, an attempt's id, a phone, a receipt...),
so that many tests run at once and each bends only its own calls. `times` null is for ever. An operation
may have kinds: a rule for "event" fits every event, one for "event:refund.failed" those alone.

One rule acts on one call: of those that fit, one with `match` goes before one without, and the older
before the younger, so that several rules of `times` 1 are a script.

What `do` may say of an answer is in call.py, of a message to the shop in deliver.py; members that
only one provider knows are in its module. A word that nobody knows is refused, so that a test with a
slip of the pen does not pass for want of its fault.
"""
import itertools
import threading

COMMON = {'before_ms', 'delay_ms', 'drop', 'refuse_connection', 'hang', 'status', 'code', 'body',
          'drip_ms', 'effect',
          'lost', 'copies', 'parallel', 'before_answer', 'hold', 'reorder', 'reorder_ms', 'retries', 'from'}
BODIES = {'html', 'empty', 'truncated', 'cut', 'large', 'drip'}


class BadRule(ValueError):
    """The rule says nothing that can be done; the text says why."""


class Rule:
    def __init__(self, number, provider, operation, match, times, do):
        self.id, self.provider, self.operation = number, provider, operation
        self.match, self.times, self.do = match, times, do
        self.used = 0
        self.gone = threading.Event()  # ends the hangs that it made

    def fits(self, provider, operation, refs):
        return (self.provider in ('*', provider)
                and self.operation in ('*', operation, operation.partition(':')[0])
                and (self.times is None or self.used < self.times)
                and (self.match is None or any(self.match in r for r in refs)))

    def shown(self):
        return {'id': self.id, 'provider': self.provider, 'operation': self.operation,
                'match': self.match, 'times': self.times, 'used': self.used, 'do': self.do}


class Rules:
    def __init__(self):
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.rules = []
        self.operations = {'*': {'*'}}
        self.knobs = {'*': set(COMMON)}

    def know(self, provider):
        """A provider's operations and knobs, from its class."""
        operations, knobs = set(getattr(provider, 'OPERATIONS', ())), set(getattr(provider, 'KNOBS', ()))
        self.operations[provider.NAME] = operations | {'*'}
        self.operations['*'] |= operations
        self.knobs[provider.NAME] = knobs | COMMON
        self.knobs['*'] |= knobs

    def add(self, wanted):
        """A rule from its JSON. Raises BadRule."""
        unknown = set(wanted) - {'provider', 'operation', 'match', 'times', 'do'}
        if unknown:
            raise BadRule(f'unknown members: {", ".join(sorted(unknown))}')
        provider, operation = wanted.get('provider', '*'), wanted.get('operation', '*')
        match, times, do = wanted.get('match'), wanted.get('times'), wanted.get('do')
        if provider not in self.operations:
            raise BadRule(f'provider is one of {", ".join(sorted(self.operations))}')
        if str(operation).partition(':')[0] not in self.operations[provider]:
            raise BadRule(f'operation is one of {", ".join(sorted(self.operations[provider]))}')
        if not isinstance(do, dict) or not do:
            raise BadRule('do is an object that says something')
        strange = set(do) - self.knobs[provider]
        if strange:
            raise BadRule(f'do knows no {", ".join(sorted(strange))}')
        if do.get('effect') is False and not {'status', 'hang', 'refuse_connection', 'drop'} & set(do):
            raise BadRule('effect false needs a status, hang, drop or refuse_connection')
        if do.get('body', 'html') not in BODIES:
            raise BadRule(f'body is one of {", ".join(sorted(BODIES))}')
        if match is not None and (not isinstance(match, str) or not match):
            raise BadRule('match is a text, or null')
        if times is not None and (not isinstance(times, int) or times < 1):
            raise BadRule('times is a positive number, or null')
        with self.lock:
            rule = Rule(next(self.numbers), provider, operation, match, times, do)
            self.rules.append(rule)
        return rule

    def take(self, provider, operation, refs, having=None):
        """Uses one time of the rule that fits, or gives None. With `having`, only of one whose `do` has
        that member."""
        refs = [r for r in refs if r]
        with self.lock:
            fitting = [r for r in self.rules if r.fits(provider, operation, refs)
                       and (having is None or having in r.do)]
            if not fitting:
                return None
            rule = min(fitting, key=lambda r: (r.match is None, r.id))
            rule.used += 1
            return rule

    def remove(self, number=None):
        """One rule, or all. Calls that hang because of it are let go. Gives how many there were."""
        with self.lock:
            going = [r for r in self.rules if number in (None, r.id)]
            self.rules = [r for r in self.rules if r not in going]
        for rule in going:
            rule.gone.set()
        return len(going)

    def shown(self):
        with self.lock:
            return [r.shown() for r in self.rules]
