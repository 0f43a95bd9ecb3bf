"""Who may do what, row by row of the route table: nobody gets past a row that does not name him.

The rows come from `sokoctl routes --json`, the bodies from the examples of the OpenAPI document, so
a new route is tested before its author thinks of it. A new kind of id needs a thing here; without
one its rows fail. Each row is asked by sessions and by API keys.
"""
import secrets

from nginx_raw import ask
from orders_common import UNKNOWN, Buyer, move_all, quiet, shop
from owner import ctl_json, sql
from pictures import png
from soko import Failed, Suite, check, demand, equal, until

suite = Suite()
rows = ctl_json('routes', '--json')
document = ctl_json('openapi')
covered = set()

admin = shop.admin()
seller = shop.new_seller('Sela')
buyer = Buyer()
stranger = shop.new_seller('Otis')
strange_buyer = shop.sign_in(stranger['email'], stranger['password'], 'buyer')

# The roles that a row lets in, and a session of each.
ROLES = {'anyone': {'buyer', 'seller', 'admin'}, 'signed_in': {'buyer', 'seller', 'admin'},
         'in_person': {'buyer', 'seller', 'admin'}, 'buyer': {'buyer'},
         'seller': {'seller', 'admin'}, 'admin': {'admin'}, 'admin_in_person': {'admin'}}
PERSON = {'in_person', 'admin_in_person'}  # rows that refuse every API key
SESSIONS = {'buyer': buyer.me, 'seller': seller, 'admin': admin}
STRANGERS = {'buyer': strange_buyer, 'seller': stranger, 'signed_in': strange_buyer,
             'in_person': strange_buyer}


# The same again for machines: a key that may write, of each role, and of each stranger.
KEYS = {role: shop.new_key(who)['key'] for role, who in SESSIONS.items()}
STRANGE_KEYS = {who: shop.new_key(s)['key'] for who, s in STRANGERS.items() if who not in PERSON}
own_key = shop.new_key(buyer.me, scope='read')

category = shop.new_category(admin)
product = shop.new_product(seller, category['id'], stock=1000)
order = buyer.order((product, 2), method='cash_on_delivery')
buyer.fill((product, 1))

shipped = buyer.order((product, 1), method='cash_on_delivery')
move_all(seller, shipped, 'processing', 'shipping', 'shipped')
buyer.fill((product, 1))
review = demand(buyer.call('POST', f'/products/{product["id"]}/reviews', {'rating': 4}), 201).data
address = demand(buyer.call('POST', '/addresses', {'line1': 'Moi Avenue 12', 'city': 'Nairobi',
                                                   'country': 'KE'}), 201).data
session = demand(buyer.call('GET', '/auth/sessions'), 200).data[0]
account = demand(buyer.call('GET', '/auth/profile'), 200).data

PIXEL = png(1, 1)
demand(shop.upload(f'/products/{product["id"]}/image', 'image', PIXEL,
                   seller['access_token']), 201)

# A payment that waits for its card, and one that went back.
waiting = buyer.order((product, 1), method='stripe')
payment = demand(buyer.call('POST', '/payments/stripe', {'order_id': waiting['id']}), 201).data
buyer.fill((product, 1))
returned = buyer.paid((product, 1))
demand(buyer.cancel(returned), 200)
refund = until(lambda: sql("""SELECT r.id FROM refunds r JOIN payments p ON p.id = r.payment_id
                              WHERE p.order_id = :'id'""", id=returned['id']), 'a refund')[0][0]
buyer.fill((product, 1))

quiet()  # from here on nothing changes by itself

# A thing of each kind, which is the buyer's or the seller's.
THINGS = {'product': product['id'], 'store': seller['store_id'], 'category': category['id'],
          'order': order['id'], 'review': review['id'], 'address': address['id'],
          'session': session['id'], 'account': account['id'], 'number': '1',
          'payment': payment['id'], 'refund': refund, 'token': '0' * 64,
          'api_key': own_key['id']}

# What the required members alone do not say.
BODIES = {'POST /api/v1/orders/:id/refunds': {'amount': '1'}}


def name_of(row):
    return f'{row["method"]} {row["path"]}'


def is_public(row):
    return row['who'] == 'anyone'


def path_with(row, ids):
    parts, ids = [], iter(ids)
    for part in row['path'].split('/'):
        parts.append(next(ids) if part.startswith(':') else part)
    return '/'.join(parts)


def path_to(row):
    """The row's path, to things that are there."""
    for kind in row['ids']:
        check(kind in THINGS, f'{name_of(row)}: this test knows no thing of the kind {kind}')
    return path_with(row, [THINGS[kind] for kind in row['ids']])


def example(schema):
    """What the document shows for a schema: the examples of its required members."""
    if '$ref' in schema:
        return example(document['components']['schemas'][schema['$ref'].rsplit('/', 1)[1]])
    if schema.get('type') == 'object':
        return {k: example(v) for k, v in schema['properties'].items() if k in schema['required']}
    if schema.get('type') == 'array':
        return [example(schema['items'])]
    return schema['examples'][0]


def body_for(row):
    if row['upload']:
        return None
    template = '/'.join('{' + p[1:] + '}' if p.startswith(':') else p
                        for p in row['path'].split('/'))
    body = document['paths'][template][row['method'].lower()].get('requestBody')
    if name_of(row) in BODIES:
        return BODIES[name_of(row)]
    json = body['content'].get('application/json') if body else None  # a webhook takes any body
    return example(json['schema']) if json else None


def call(row, token=None, path=None, body=None):
    if row['upload']:
        return shop.upload(path or path_to(row), row['upload'], PIXEL, token)
    if body is None and row['method'] in ('POST', 'PUT'):
        body = {}
    return shop.call(row['method'], path or path_to(row), body, token)


def all_that_is_owned():
    """What a stranger must not have changed."""
    def part(a):
        return demand(a, 200).data
    return (buyer.show(order), part(buyer.call('GET', '/cart')),
            part(shop.call('GET', f'/products/{product["id"]}', token=buyer.token)),
            part(shop.call('GET', '/seller/orders', token=seller['access_token'])),
            part(shop.call('GET', f'/stores/{seller["store_id"]}', token=buyer.token)))


def each(rows_wanted, test):
    """Runs the test for each row; tells all that fail."""
    faults = []
    for row in rows_wanted:
        try:
            test(row)
            covered.add(name_of(row))
        except Failed as e:
            faults.append(f'{name_of(row)}: {e}')
    if faults:
        raise Failed('\n'.join(faults))


@suite.test
def test_hole_16_nothing_is_read_or_written_without_signing_in():
    before = all_that_is_owned()

    def one(row):
        for body in (None, body_for(row)):
            demand(call(row, body=body), 401, 'UNAUTHORIZED')
        check('www-authenticate' in call(row).headers, 'WWW-Authenticate')
    each([r for r in rows if not is_public(r)], one)
    equal(all_that_is_owned(), before, 'what is owned')


# What may change something, and asks nobody to sign in: the ways in, and providers, who prove themselves by a
# signature or the token in the path.
OPEN = {'register', 'login', 'refresh', 'password_forgot', 'password_reset'}


@suite.test
def test_hole_09_nothing_that_changes_is_open_but_what_has_a_proof_of_its_own():
    doors = [r for r in rows if is_public(r) and r['method'] != 'GET']
    equal(sorted(r['name'] for r in doors if not r['path'].startswith('/webhooks/')), sorted(OPEN), 'ways in')
    for row in doors:
        if row['path'].startswith('/webhooks/') and 'token' not in row['ids']:
            equal(row['path'], '/webhooks/stripe', 'a provider without a token')
            demand(shop.call('POST', row['path'], {'type': 'payment_intent.succeeded'}), 400)
    # No path for friends: neither those of the systems before, nor what others have found open.
    for path in ('/internal', '/internal/orders', '/internal/products/stock', '/api/internal/orders',
                 '/api/v1/internal/orders', '/api/v1/internal', '/api/verify', '/api/v1/verify',
                 '/api/v1/payments/confirm', '/mpesa/mappings', '/mpesa/callback', '/testapi', '/debug', '/admin',
                 '/api/v1/debug', '/server-status', '/nginx_status', '/_soko', '/.env',
                 '/.git/config'):
        for method in ('GET', 'POST', 'PATCH'):
            a = ask(method, path)
            check(a.status in (400, 401, 403, 404, 405), f'{method} {path}: {a!r}')


@suite.test
def test_with_a_bad_token():
    good = buyer.token
    head, claims, signature = good.split('.')
    other = shop.sign_up('Cleo')['access_token'].split('.')
    bad = ['garbage', 'a.b.c', good[:-2], f'{head}.{other[1]}.{signature}',
           f'eyJhbGciOiJub25lIn0.{claims}.', f'{head}.{claims}.', own_key['key'][:-1], own_key['key'].upper(),
           'sk_soko_' + secrets.token_urlsafe(32)]

    def one(row):
        for token in bad:
            demand(call(row, token), 401, 'UNAUTHORIZED')
    each([r for r in rows if not is_public(r)], one)


@suite.test
def test_public_rows_ask_nobody():
    def one(row):
        for token in (None, 'garbage'):
            a = call(row, token)
            # Who speaks for a provider is known by the token in the path.
            check(a.status in ((404,) if 'token' in row['ids'] else (200, 400)), f'got {a!r}')
        for token in [s['access_token'] for s in SESSIONS.values()] + list(KEYS.values()):
            if row['method'] == 'GET':
                demand(call(row, token), 200)
    each([r for r in rows if is_public(r)], one)


@suite.test
def test_other_roles_are_refused():
    def one(row):
        for role in sorted(set(SESSIONS) - ROLES[row['who']]):
            demand(call(row, SESSIONS[role]['access_token']), 403, 'FORBIDDEN')
            demand(call(row, KEYS[role]), 403, 'FORBIDDEN')
    each([r for r in rows if not is_public(r)], one)


@suite.test
def test_what_takes_a_person_refuses_keys():
    before = all_that_is_owned()

    def one(row):
        for key in list(KEYS.values()) + [own_key['key']]:
            demand(call(row, key, body=body_for(row)), 403, 'FORBIDDEN')
    each([r for r in rows if r['who'] in PERSON], one)
    equal(all_that_is_owned(), before, 'what is owned')
    demand(buyer.call('GET', '/auth/profile'), 200)


@suite.test
def test_a_key_of_scope_read_changes_nothing():
    before = all_that_is_owned()
    reading = {role: shop.new_key(who, scope='read')['key'] for role, who in SESSIONS.items()}

    def one(row):
        for key in reading.values():
            demand(call(row, key, body=body_for(row)), 403, 'FORBIDDEN')
    each([r for r in rows if not is_public(r) and r['method'] != 'GET'], one)
    equal(all_that_is_owned(), before, 'what is owned')

    def look(row):
        for role in sorted(ROLES[row['who']]):
            a = call(row, reading[role])
            check(a.status not in (401, 403), f'got {a!r}')
    each([r for r in rows if r['who'] not in PERSON and r['method'] == 'GET'], look)


@suite.test
def test_hole_17_strangers_are_refused():
    before = all_that_is_owned()

    def one(row):
        tokens = [STRANGERS[row['who']]['access_token']]
        if row['who'] in STRANGE_KEYS:
            tokens.append(STRANGE_KEYS[row['who']])
        for token in tokens:
            a = call(row, token, body=body_for(row))
            demand(a, row['stranger'], {403: 'FORBIDDEN', 404: 'NOT_FOUND'}[row['stranger']])
    each([r for r in rows if r['stranger']], one)
    equal(all_that_is_owned(), before, 'what is owned')


@suite.test
def test_rows_with_ids_say_how_a_stranger_is_refused():
    for row in rows:
        if row['ids'] and not is_public(row) and not row['who'].startswith('admin'):
            check(row['stranger'], f'{name_of(row)} names an owner\'s thing, and no stranger')


@suite.test
def test_ids_that_are_none():
    def one(row):
        who = STRANGERS.get(row['who'], admin)['access_token']
        for bad in ('x', '1', UNKNOWN[:-1], UNKNOWN + '0', "'--", '%00', 'null'):
            a = call(row, who, path_with(row, [bad] * len(row['ids'])), body_for(row))
            if 'token' in row['ids']:
                check(a.status == (400 if bad == '%00' else 404), f'got {a!r}')
            else:
                demand(a, 400, 'VALIDATION_ERROR')
        unknown = [THINGS[k] if k == 'number' else UNKNOWN for k in row['ids']]
        a = call(row, who, path_with(row, unknown), body_for(row))
        demand(a, 404, 'NOT_FOUND')
        if 'token' in row['ids']:
            demand(call(row, who, path_with(row, ['f' * 64]), body_for(row)), 404, 'NOT_FOUND')
    each([r for r in rows if r['ids']], one)


@suite.test
def test_every_row_was_covered():
    missing = sorted({name_of(r) for r in rows} - covered)
    print(f'# rows covered: {len(covered)} of {len(rows)}')
    equal(missing, [], 'rows that no test has passed for')


if __name__ == '__main__':
    suite.main()
