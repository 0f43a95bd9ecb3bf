"""How Stripe reads a request, and how it complains.

Parameters come form-encoded, nested as a[b]=v, in lists as a[]=v or a[0]=v; each operation has a table
of what it takes. What is not in the table is refused by name, as Stripe does. An empty text unsets a
parameter, and is refused where that makes no sense.
"""
import re
from urllib.parse import unquote_plus

from .call import Response

DOCS = 'https://stripe.com/docs/error-codes/'


class Fault(Exception):
    """An error answer. `stored`: execution had begun, so that an idempotency key keeps it."""

    def __init__(self, status, message, code=None, param=None, kind='invalid_request_error',
                 stored=False, headers=None, **more):
        super().__init__(message)
        self.status, self.stored, self.headers = status, stored, headers or {}
        error = {'code': code, 'doc_url': DOCS + code.replace('_', '-') if code else None,
                 'message': message, 'param': param, 'type': kind, **more}
        self.error = {k: v for k, v in error.items() if v is not None}

    def response(self, request_id, livemode):
        mode = '' if livemode else 'test/'
        log = f'https://dashboard.stripe.com/{mode}logs/{request_id}'
        return Response.json({'error': dict(self.error, request_log_url=log)}, self.status, self.headers)


# --- from text to nested values

def decode(raw):
    """{'a': {'b': 'v'}, 'c': ['x', 'y']}; raises Fault."""
    out = {}
    for pair in raw.split('&'):
        if not pair:
            continue
        name, _, value = pair.partition('=')
        try:
            name, value = unquote_plus(name, errors='strict'), unquote_plus(value, errors='strict')
        except UnicodeDecodeError:
            raise Fault(400, 'Invalid request: the parameters are not UTF-8.') from None
        found = re.fullmatch(r'([^\[\]]+)((?:\[[^\[\]]*\])*)', name)
        if not found:
            raise Fault(400, f'Invalid parameter name: {name}')
        path = [found[1], *re.findall(r'\[([^\[\]]*)\]', found[2])]
        _put(out, path, value, name)
    return {k: _listed(v) for k, v in out.items()}


def _put(into, path, value, name):
    for i, step in enumerate(path):
        if step == '':  # a[]: the next place
            step = str(len(into))
        if i == len(path) - 1:
            into[step] = value
            return
        into = into.setdefault(step, {})
        if not isinstance(into, dict):
            raise Fault(400, f'Invalid parameter: {name} is given as a text and as an object.')


def _listed(value):
    """Objects whose keys are 0, 1, 2... are lists."""
    if not isinstance(value, dict):
        return value
    value = {k: _listed(v) for k, v in value.items()}
    if value and list(value) == [str(i) for i in range(len(value))]:
        return list(value.values())
    return value


# --- what an operation takes

class Kind:
    """A parameter's kind: read(value, name) gives the value, or raises Fault."""

    def __init__(self, read, unset=False):
        self.read, self.unset = read, unset


def _text(longest):
    def read(value, name):
        if not isinstance(value, str):
            raise Fault(400, f'Invalid string: {value}', param=name)
        if len(value) > longest:
            raise Fault(400, f'Invalid string: {value[:20]}...; must be at most {longest} characters',
                        param=name)
        return value
    return read


def _integer(value, name):
    if not isinstance(value, str) or not re.fullmatch(r'-?[0-9]{1,18}', value):
        raise Fault(400, f'Invalid integer: {value}', 'parameter_invalid_integer', name)
    return int(value)


def _boolean(value, name):
    if value not in ('true', 'false'):
        raise Fault(400, f'Invalid boolean: {value}', param=name)
    return value == 'true'


def _one_of(*words):
    def read(value, name):
        if value not in words:
            told = ', '.join(words[:-1]) + (' or ' if len(words) < 3 else ', or ') + words[-1]
            raise Fault(400, f'Invalid {name}: must be one of {told}', param=name)
        return value
    return read


def _list_of(kind):
    def read(value, name):
        if not isinstance(value, list):
            raise Fault(400, 'Invalid array', param=name)
        return [kind.read(v, f'{name}[{i}]') for i, v in enumerate(value)]
    return read


def _object_of(table):
    def read(value, name):
        if not isinstance(value, dict):
            raise Fault(400, 'Invalid object', param=name)
        return read_all(value, table, name)
    return read


def _metadata(value, name):
    if value == '':
        return None  # all of it is unset
    if not isinstance(value, dict):
        raise Fault(400, 'Metadata must be an object of texts.', param=name)
    if len(value) > 50:
        raise Fault(400, 'Metadata can have up to 50 keys.', param=name)
    for k, v in value.items():
        if not isinstance(v, str):
            raise Fault(400, f'Metadata values must be texts, but {k} is none.', param=f'{name}[{k}]')
        if len(k) > 40:
            raise Fault(400, 'Metadata keys can have up to 40 characters.', param=name)
        if len(v) > 500:
            raise Fault(400, 'Metadata values can have up to 500 characters.', param=f'{name}[{k}]')
    return value


TEXT, LONG = Kind(_text(500), unset=True), Kind(_text(5000), unset=True)
ID, INTEGER, BOOLEAN = Kind(_text(255)), Kind(_integer), Kind(_boolean)
METADATA = Kind(_metadata, unset=True)
ANYTHING = Kind(lambda value, name: value, unset=True)  # taken, and kept nowhere
TEXTS = Kind(_list_of(ID))


def one_of(*words):
    return Kind(_one_of(*words))


def objects(table):
    return Kind(_object_of(table))


def either(first, second):
    """The first kind for a text, the second for an object."""
    return Kind(lambda value, name: (first if isinstance(value, str) else second).read(value, name))


def read_all(values, table, inside='', required=()):
    """The values by the table. Raises Fault."""
    def full(name):
        return f'{inside}[{name}]' if inside else name
    unknown = [full(n) for n in values if n not in table]
    if unknown:
        raise Fault(400, f'Received unknown parameter{"s"[:len(unknown) - 1]}: {", ".join(unknown)}',
                    'parameter_unknown', unknown[0])
    for name in required:
        if name not in values:
            raise Fault(400, f'Missing required param: {full(name)}.', 'parameter_missing', full(name))
    out = {}
    for name, value in values.items():
        if value == '' and not table[name].unset:
            raise Fault(400, f"You passed an empty string for '{full(name)}'. We assume empty values are "
                        f"an attempt to unset a parameter; however '{full(name)}' cannot be unset. You "
                        f"should remove '{full(name)}' from your request or supply a non-empty value.",
                        'parameter_invalid_empty', full(name))
        out[name] = table[name].read(value, full(name))
    return out
