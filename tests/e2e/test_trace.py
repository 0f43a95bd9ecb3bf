"""One request is found in every log by its id, and all that it causes by its trace: nginx, soko-api, soko-jobs,
and what a provider is sent, minutes later too.

# settings: JOBS_POLL=20ms PAYMENT_ASK_AFTER=500ms PAYMENT_ASK_MAX=1s
"""
import html
import json
import os
import re
import secrets
import threading

from money import Buyer, shop, sim
from nginx_raw import Connection, parsed_log
from owner import output_of, reload, sql
from soko import Suite, check, demand, equal, until

suite = Suite()
STATE = os.environ['SOKO_STATE']
PAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'nginx', 'docs')
PARENT = re.compile(r'00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})')


def lines_of(server):
    with open(os.path.join(STATE, 'log', server + '.log'), encoding='utf-8') as f:
        return [json.loads(line) for line in f if line.startswith('{') and line.endswith('}\n')]


def found(server, **wanted):
    """The lines of a server that have all of these fields."""
    wanted = {name.replace('__', '.'): value for name, value in wanted.items()}
    return [line for line in lines_of(server) if all(line.get(k) == v for k, v in wanted.items())]


def in_nginx(request):
    return until(lambda: [line for line in parsed_log() if line['http.request.id'] == request], f'the line of {request}')


def of_request(request, server='soko-api-fast'):
    return until(lambda: found(server, http__request__id=request, event__action='http.request'), f'the line of {request}')


def ids():
    return 'req-' + secrets.token_hex(8), secrets.token_hex(16), secrets.token_hex(8)


def both(headers, path='/api/v1/status'):
    """The trace id of a request by nginx's log and by soko-api's."""
    request = 'req-' + secrets.token_hex(8)
    headers = {'X-Request-ID': request, **headers}
    a = shop.call('GET', path, headers=headers)
    equal(a.headers['x-request-id'], headers['X-Request-ID'], 'the request id stays its own')
    nginx, = in_nginx(headers['X-Request-ID'])
    api, = of_request(headers['X-Request-ID'])
    equal(nginx['trace.id'], api['trace.id'], f'both logs, of {headers}')
    return api['trace.id']


@suite.test
def test_a_callers_trace_is_ours():
    for version, flags, more in (('00', '01', ''), ('00', '00', ''), ('01', '01', ''), ('fe', '01', '-what-comes-later')):
        trace = secrets.token_hex(16)
        equal(both({'traceparent': f'{version}-{trace}-{secrets.token_hex(8)}-{flags}{more}'}), trace, version)


@suite.test
def test_what_is_no_traceparent_counts_for_nothing():
    """Both of its readers, nginx's maps and base/trace.c, refuse the same. The request is served."""
    t, s = secrets.token_hex(16), secrets.token_hex(8)
    for bad in (f'00-{t}-{s}', f'00-{t}-{s}-', f'00-{t}-{s}-0', f'00-{t}-{s}-011', f'00-{t}-{s}-01-', f'00-{t}-{s}-01-x',
                f'ff-{t}-{s}-01', f'00-{"0" * 32}-{s}-01', f'00-{t}-{"0" * 16}-01', f'00-{t.upper()}A-{s}-01',
                f'00-{"A" + t[1:]}-{s}-01', f'00-{t}-{"F" + s[1:]}-01', f'00-{t}-{s}-0F', f'0-{t}-{s}-01', f'000-{t}-{s}-01',
                f'00-{t[1:]}-{s}-01', f'00-{t}1-{s}-01', f'00-{t}-{s[1:]}-01', f'00-{t}-{s}1-01', f'00{t}{s}01', f'01-{t}-{s}-01x',
                f'01-{t}-{s}-010', f'00_{t}_{s}_01', f'"00-{t}-{s}-01"', f'00-{t}-{s}-01, 00-{t}-{s}-01', f'00-{t[:-1]}g-{s}-01',
                '', ' ', '-', '00', t, 'a' * 1000, '$request_id', '00-' + t + '-' + s + '-\u00e9\u00e9'):
        seen = both({'traceparent': bad.encode('utf-8')})
        check(seen != t and re.fullmatch('[0-9a-f]{32}', seen), f'{bad!r} became {seen}')


@suite.test
def test_without_one_the_requests_id_is_the_trace_if_it_can_be():
    request = secrets.token_hex(16)
    equal(both({'X-Request-ID': request}), request, '32 digits')
    request = secrets.token_hex(16)
    uuid = '-'.join((request[:8], request[8:12], request[12:16], request[16:20], request[20:]))
    equal(both({'X-Request-ID': uuid}), request, 'a UUID, without its dashes')
    for other in ('my-own-request-' + secrets.token_hex(4), secrets.token_hex(16).upper(), '0' * 32, secrets.token_hex(15)):
        seen = both({'X-Request-ID': other})
        check(re.fullmatch('[0-9a-f]{32}', seen) and seen != '0' * 32, f'{other} became {seen}')
    a = shop.call('GET', '/status')  # nginx's own id is both
    equal(of_request(a.headers['x-request-id'])[0]['trace.id'], a.headers['x-request-id'], 'nobody said anything')


def of_trace(server, trace, action):
    return until(lambda: found(server, trace__id=trace, event__action=action), f'{action} of {trace} in {server}')


def sent(provider, operation, match):
    return until(lambda: [c for c in sim('GET', f'/sim/calls?provider={provider}&operation={operation}&match={match}')
                          if c['outcome'] != 'running'], f'{operation} of {match}')


def told_of(call, trace, request, sampled, server):
    """What the provider was sent, and the line of the call: one trace, one span, its own."""
    parts = PARENT.fullmatch(call['traceparent'] or '')
    check(parts is not None, f'what came: {call}')
    equal((parts[1], parts[3]), (trace, '01' if sampled else '00'), f'the trace of {call["operation"]}')
    line, = until(lambda: found(server, event__action='provider.call', span__id=parts[2]), 'the line of the call')
    equal((line['trace.id'], line['http.request.id']), (trace, request), f'{line}')
    return parts[2]


@suite.test
def test_a_purchase_is_one_trace_from_nginx_to_the_provider():
    buyer = Buyer()
    seller = shop.new_seller()
    goods = shop.new_product(seller, shop.new_category()['id'], price='150')
    for sampled in (True, False):
        order = buyer.order(goods['id'], 'stripe')
        request, trace, span = ids()
        head = {'X-Request-ID': request, 'traceparent': f'00-{trace}-{span}-{"01" if sampled else "00"}',
                'tracestate': 'rojo=00f067aa0ba902b7'}
        paid = demand(shop.call('POST', '/payments/stripe', {'order_id': order['id']}, buyer.token, head), 201).data
        equal(in_nginx(request)[0]['trace.id'], trace, 'nginx')
        equal(of_request(request, 'soko-api-wire')[0]['trace.id'], trace, 'soko-api')
        spans = [told_of(c, trace, request, sampled, 'soko-api-wire')
                 for c in sent('stripe', 'create_intent', order['id'])]
        check(span not in spans, "a span of our own, not the caller's")
        # Nobody says what became of it, so soko-jobs asks, by the clock: still the same trace.
        asked = sent('stripe', 'get_intent', paid['payment_intent_id'])
        spans += [told_of(c, trace, request, sampled, 'jobs') for c in asked[:2]]
        equal(len(set(spans)), len(spans), 'each call has a span of its own')
        equal(sql("SELECT request_id, trace_id, sampled FROM payments WHERE id = :'id'", id=paid['id']),
              [[request, trace, 't' if sampled else 'f']], 'what is kept')


@suite.test
def test_what_an_order_causes_later_has_its_trace():
    """By the outbox: the simulated payment settles in soko-jobs, and a message goes out."""
    buyer = Buyer()
    seller = shop.new_seller()
    goods = shop.new_product(seller, shop.new_category()['id'])
    request, trace, span = ids()
    demand(shop.call('POST', '/cart/items', {'product_id': goods['id'], 'quantity': 1}, buyer.token), 200)
    demand(shop.call('POST', '/orders', {'shipping_address': 'Moi Avenue 12', 'payment_method': 'simulated'}, buyer.token,
                     {'X-Request-ID': request, 'traceparent': f'00-{trace}-{span}-01'}), 201)
    for line in of_trace('jobs', trace, 'ledger.booked') + of_trace('jobs', trace, 'provider.call'):
        equal(line['http.request.id'], request, f'{line}')


@suite.test
def test_what_no_request_has_caused_has_a_trace_too():
    """sokoctl's and the clock's work: no request, but a trace."""
    request, trace, _ = ids()
    a = shop.call('GET', '/status', headers={'X-Request-ID': request, 'X-Soko-Trace-ID': trace, 'SOKO_TRACE_ID': trace,
                                             'Soko-Trace-Id': trace})
    equal(a.status, 200, 'served')
    check(of_request(request)[0]['trace.id'] != trace, 'a parameter of ours is nobody else\'s to set')
    for line in lines_of('jobs') + lines_of('soko-api-fast'):
        if 'trace.id' in line:
            check(re.fullmatch('[0-9a-f]{32}', line['trace.id']), f'{line}')


@suite.test
def test_two_traceparents():
    """nginx passes what it can of them; whichever counts, both logs say the same, and it is well formed."""
    request, one, span = ids()
    two = secrets.token_hex(16)
    with Connection() as c:
        a = c.raw(f'GET /api/v1/status HTTP/1.1\r\nHost: a\r\nX-Request-ID: {request}\r\ntraceparent: 00-{one}-{span}-01\r\n'
                  f'traceparent: 00-{two}-{span}-01\r\nConnection: close\r\n\r\n'.encode())
    equal(a.status, 200, f'{a!r}')
    equal(in_nginx(request)[0]['trace.id'], of_request(request)[0]['trace.id'], 'both logs')


@suite.test
def test_the_documented_command_shows_a_purchase():
    """As docs/logs.html has it, but for where this shop's logs lie."""
    buyer = Buyer()
    goods = shop.new_product(shop.new_seller(), shop.new_category()['id'], price='150')
    order = buyer.order(goods['id'], 'stripe')
    request, trace, span = ids()
    paid = demand(shop.call('POST', '/payments/stripe', {'order_id': order['id']}, buyer.token,
                            {'X-Request-ID': request, 'traceparent': f'00-{trace}-{span}-01'}), 201).data
    sent('stripe', 'get_intent', paid['payment_intent_id'])
    in_nginx(request)
    of_trace('jobs', trace, 'provider.call')
    with open(os.path.join(PAGES, 'logs.html'), encoding='utf-8') as f:
        command = html.unescape(re.search('<pre tabindex="0">(id=.*?)</pre>', f.read(), re.S)[1])
    command, n = re.subn(r'\{ cat .*?; journalctl .*?; \} [|]', 'cat "$SOKO_STATE"/log/*.log |', command)
    equal(n, 1, 'where the logs come from')
    command = re.sub('^id=.*', 'id=' + trace, command)
    seen = [json.loads(line) for line in output_of('bash', '-c', command).splitlines()]
    for who, what, more in (('nginx', 'POST', '/api/v1/payments/stripe'), ('soko-api', 'http.request', '/api/v1/payments/stripe'),
                            ('soko-api', 'provider.call', 'create_intent'), ('soko-jobs', 'provider.call', 'get_intent')):
        check([who, what, more] in [line[1:4] for line in seen], f'{who} {what} {more}: {seen}')


# --- the level ------------------------------------------------------------------------------------

DEBUG = {'pg.statement', 'cache.call', 'gate.decided'}


def size_of_log():
    return os.path.getsize(os.path.join(STATE, 'log', 'soko-api-fast.log'))


def since(offset):
    with open(os.path.join(STATE, 'log', 'soko-api-fast.log'), encoding='utf-8') as f:
        f.seek(offset)
        return [json.loads(line) for line in f.read().splitlines() if line.startswith('{')]


def events_of_one_request():
    request = 'req-' + secrets.token_hex(8)
    demand(shop.call('GET', '/auth/profile', token=someone['access_token'], headers={'X-Request-ID': request}), 200)
    of_request(request)
    return {line['event.action'] for line in found('soko-api-fast', http__request__id=request)}


someone = shop.sign_up()


@suite.test
def test_the_level_changes_by_sighup_and_nobody_is_lost():
    over, statuses = threading.Event(), []

    def read():
        while not over.is_set():
            statuses.append(shop.call('GET', '/auth/profile', token=someone['access_token']).status)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for r in readers:
        r.start()
    try:
        equal(events_of_one_request() & DEBUG, set(), 'at info')
        reload(LOG_LEVEL='debug')
        equal(events_of_one_request() & DEBUG, DEBUG, 'at debug')
        reload(LOG_LEVEL='info')
        offset = size_of_log()
        equal(events_of_one_request() & DEBUG, set(), 'at info again')
    finally:
        over.set()
        for r in readers:
            r.join()
    equal([line for line in since(offset) if line['log.level'] == 'debug'], [], 'of anybody')
    equal(set(statuses), {200}, f'of {len(statuses)} requests')


suite.main()
