#!/usr/bin/python3
"""Holds what the shop has answered against what it says that it answers.

The exchanges are those of all end-to-end suites, a JSON line each ($SOKO_EXCHANGES); the word is
the OpenAPI document and the route table, as sokoctl ($SOKO_CTL) prints them. A test a route: each
of its answers has a declared status, declared codes and the declared shape, and nothing that it
declares was left unmet. Then what belongs to no route, and what any route may answer.
"""
import collections
import json
import os
import re
import subprocess
import sys

from jsonschema import Draft202012Validator, FormatChecker

UUID = re.compile(r'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}')
TIME = re.compile(r'\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ')
FAULTS_SHOWN = 10

# The codes that there are, and their statuses, from API.md.
STATUS = {
    'VALIDATION_ERROR': 400, 'INVALID_STATUS': 400, 'UNAUTHORIZED': 401, 'PAYMENT_FAILED': 402,
    'FORBIDDEN': 403, 'NOT_FOUND': 404, 'METHOD_NOT_ALLOWED': 405, 'CONFLICT': 409,
    'INSUFFICIENT_STOCK': 409, 'PRECONDITION_FAILED': 412, 'PAYLOAD_TOO_LARGE': 413,
    'UNSUPPORTED_MEDIA_TYPE': 415, 'IDEMPOTENCY_KEY_REUSED': 422, 'RATE_LIMITED': 429,
    'INTERNAL_ERROR': 500, 'PROVIDER_UNAVAILABLE': 502, 'SERVICE_UNAVAILABLE': 503,
    'REQUEST_TIMEOUT': 504,
}

# What nginx itself may answer at any path, whatever the route declares.
NGINX = {(408, 'REQUEST_TIMEOUT'), (413, 'PAYLOAD_TOO_LARGE'), (414, 'VALIDATION_ERROR'),
         (429, 'RATE_LIMITED'), (431, 'VALIDATION_ERROR'), (503, 'SERVICE_UNAVAILABLE'),
         (504, 'REQUEST_TIMEOUT')}

# Every answer has these, once each; and it has no header that is not here: no cookie above all.
SAFETY = {'strict-transport-security', 'x-content-type-options', 'x-frame-options', 'referrer-policy',
          'content-security-policy', 'cross-origin-resource-policy', 'permissions-policy',
          'x-request-id', 'server', 'date', 'connection'}
HEADERS = SAFETY | {
    'content-type', 'content-length', 'content-encoding', 'transfer-encoding', 'cache-control', 'vary',
    'etag', 'last-modified', 'allow', 'retry-after', 'www-authenticate', 'idempotent-replayed',
    'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset', 'location',
    'access-control-allow-origin', 'access-control-expose-headers', 'access-control-allow-methods',
    'access-control-allow-headers', 'access-control-max-age'}
REPEATED = {'vary'}

formats = FormatChecker(formats=())


@formats.checks('uuid')
def is_uuid(value):
    return not isinstance(value, str) or UUID.fullmatch(value) is not None


@formats.checks('date-time')
def is_time(value):
    return not isinstance(value, str) or TIME.fullmatch(value) is not None


def ctl_json(*words):
    done = subprocess.run(os.environ['SOKO_CTL'].split() + list(words), stdout=subprocess.PIPE,
                          timeout=60, check=True)
    return json.loads(done.stdout)


class Schema:
    """One schema of the document, its references resolved in the document's components."""

    def __init__(self, schema, components):
        whole = {**schema, 'components': components}
        Draft202012Validator.check_schema(whole)
        self.validator = Draft202012Validator(whole, format_checker=formats)

    def fault(self, x):
        """What is wrong with an exchange's type or body, or None."""
        if x['type'].split(';')[0] != 'application/json':
            return f'is {x["type"] or "of no type"}'
        for e in self.validator.iter_errors(x['body']):
            where = '/'.join(str(p) for p in e.absolute_path)
            return f'at "{where}": {e.message[:200]}'
        return None


class Plain:
    """What is text, not JSON."""

    def fault(self, x):
        if x['type'].split(';')[0] != 'text/plain':
            return f'is {x["type"] or "of no type"}'
        return 'is JSON' if x['body'] is not None else None


class Errors(Schema):
    """The envelope of errors, whoever has made it."""

    def __init__(self, components):
        super().__init__({'$ref': '#/components/schemas/Errors'}, components)

    def fault(self, x):
        fault = super().fault(x)
        if fault:
            return fault
        codes = {e['code'] for e in x['body']['errors']}
        wrong = sorted(c for c in codes if c not in STATUS)
        return f'codes that API.md does not know: {wrong}' if wrong else None


class Route:
    """A row, its operation in the document, and what was met of it."""

    def __init__(self, row, document, errors):
        self.row, self.errors, self.faults = row, errors, []
        self.name = f'{row["method"]} {row["path"]}'
        self.path = re.compile(re.sub(r':[a-z_]+', '[^/]+', row['path']))
        self.met = collections.Counter()  # of statuses of success, and of codes
        template = re.sub(r':([a-z_]+)', r'{\1}', row['path'])
        self.responses = {}
        operation = document['paths'][template][row['method'].lower()]
        for status, response in operation['responses'].items():
            content = response.get('content')
            self.responses[int(status)] = content and (
                Plain() if 'text/plain' in content else
                Schema(content['application/json']['schema'], document['components']))

    def fault(self, x):
        """What is wrong with one exchange, or None."""
        status = x['status']
        if '%' in x['path'] and status in (302, 400):
            # nginx looks at what it decodes to, and that may be malformed, or another path.
            return None if status == 302 else self.errors.fault(x)
        if status < 400:
            if status not in self.responses:
                return f'undeclared status {status}'
            self.met[status] += 1
        if x['method'] == 'HEAD' or status == 304:
            return 'has a body' if x['body'] is not None else None
        return self.error_fault(x) if status >= 400 else self.responses[status].fault(x)

    def error_fault(self, x):
        fault = self.errors.fault(x)
        if fault:
            return fault
        for e in x['body']['errors']:
            declared = e['code'] in self.row['errors'] and x['status'] in self.responses
            if declared and STATUS[e['code']] == x['status']:
                self.met[e['code']] += 1
            elif (x['status'], e['code']) not in NGINX:
                return f'undeclared {x["status"]} {e["code"]}'
        return None

    def unmet(self):
        """What it declares of its own, and nobody has seen."""
        wanted = [self.row['status']] + self.row['own_errors']
        wanted += [304] if self.row['cacheable'] else []
        return [f'never met: {w}' for w in wanted if not self.met[w]]


def routeless_fault(x, routes, errors):
    """What is wrong with what belongs to no row: files, OPTIONS, wrong methods, unknown paths."""
    if x['status'] < 400:
        files = x['path'] == '/' or x['path'].startswith(('/docs', '/media/'))
        return None if files or x['method'] == 'OPTIONS' else f'{x["status"]} of no route'
    if x['method'] == 'HEAD':
        return None
    fault = errors.fault(x)
    if fault:
        return fault
    pair = x['status'], x['body']['errors'][0]['code']
    known = any(r.path.fullmatch(x['path']) for r in routes)
    file = x['path'].startswith(('/docs', '/media'))
    good = pair == (404, 'NOT_FOUND') and not known or \
        pair == (400, 'VALIDATION_ERROR') and file and '%' in x['path'] or \
        pair == (405, 'METHOD_NOT_ALLOWED') and (known or file) or pair in NGINX
    return None if good else f'{pair} of no route'


def route_of(x, routes):
    method = 'GET' if x['method'] == 'HEAD' else x['method']
    for r in routes:
        if r.row['method'] == method and r.path.fullmatch(x['path']):
            return r
    return None


class Tap:
    def __init__(self, plan):
        self.n = self.failed = 0
        print(f'1..{plan}')

    def test(self, name, faults):
        self.n += 1
        self.failed += bool(faults)
        print(f'{"not ok" if faults else "ok"} {self.n} - contract: {name}')
        for f in faults[:FAULTS_SHOWN]:
            print(f'# {f}')
        if len(faults) > FAULTS_SHOWN:
            print(f'# and {len(faults) - FAULTS_SHOWN} more')


def header_fault(x):
    """What is wrong with the headers of an exchange, or None."""
    met = collections.Counter(x['headers'])
    for name in sorted(SAFETY - set(met)):
        return f'has no {name}'
    for name, times in sorted(met.items()):
        if name not in HEADERS:
            return f'has the header {name}'
        if times > 1 and name not in REPEATED:
            return f'has {name} {times} times'
    return None


def read_exchanges():
    try:
        with open(os.environ['SOKO_EXCHANGES'], encoding='utf-8') as f:
            return [json.loads(line) for line in f]
    except FileNotFoundError:
        sys.exit('no exchanges: the contract is tested after the end-to-end suites of one run')


def main():
    document = ctl_json('openapi')
    errors = Errors(document['components'])
    routes = [Route(row, document, errors) for row in ctl_json('routes', '--json')]
    exchanges = read_exchanges()
    routeless, anywhere = [], collections.Counter()

    headers = []
    for x in exchanges:
        fault = header_fault(x)
        if fault:
            headers.append(f'{x["method"]} {x["path"]}: {x["status"]} {fault}')
        route = route_of(x, routes)
        fault = route.fault(x) if route else routeless_fault(x, routes, errors)
        if fault:
            words = f'{x["method"]} {x["path"]}: {x["status"]}, {fault}'
            (route.faults if route else routeless).append(words)
        elif x['status'] >= 400 and x['body']:
            anywhere.update(e['code'] for e in x['body']['errors'])

    tap = Tap(len(routes) + 3)
    for r in routes:
        tap.test(r.name, r.unmet() + r.faults)
    tap.test('what belongs to no route', routeless)
    tap.test('the headers of every answer, and no cookie', headers)
    declared = {c for r in routes for c in r.row['errors']} | {'METHOD_NOT_ALLOWED', 'NOT_FOUND'}
    tap.test('what any route may answer',
             [f'never met: {c}' for c in sorted(declared - set(anywhere))])
    own = sum(len(r.row['own_errors']) for r in routes)
    print(f'# {len(exchanges)} exchanges, {len(routes)} routes, {own} errors of their own')
    print('# met: ' + ', '.join(f'{c} {n}' for c, n in sorted(anywhere.items())))
    sys.exit(1 if tap.failed else 0)


if __name__ == '__main__':
    main()
