"""What test_tenancy.py cannot see, because it stands in no path: members that nobody may send, and other
people's things named in bodies and queries."""
import itertools

from orders_common import ADDRESS, UNKNOWN, Buyer, move_all
from money import setting
from owner import ctl_json, sql, sql_one
from soko import Suite, check, demand, equal
from test_tenancy import (ROLES, SESSIONS, admin, body_for, buyer, category, document, name_of, path_to, product,
                          rows, seller, shop, stranger)

suite = Suite()
other_product = shop.new_product(stranger, category['id'], '50', 1000)
demand(buyer.call('DELETE', '/cart'), 200)
two_stores = buyer.paid((product, 2), (other_product, 1))

# What a body that were poured into a row could set: columns, and words of other systems.
EXTRA = sorted({c for (c,) in sql("""
    SELECT DISTINCT column_name FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name IN
        ('accounts', 'sessions', 'stores', 'products', 'product_stock', 'categories', 'orders', 'order_parts',
         'order_lines', 'payments', 'refunds', 'reviews', 'addresses', 'api_keys', 'second_factors', 'account_roles')
    """)} | {'is_admin', 'isAdmin', 'customer_id', 'user_id', 'price_minor', 'paid', '__proto__', 'constructor',
             '$set', 'ID', 'Role', 'is_verified'})


def schema_of(row):
    """Of the body that a row takes; None if it takes none, or any."""
    if row['upload'] or row['method'] not in ('POST', 'PUT'):
        return None
    template = '/'.join('{' + p[1:] + '}' if p.startswith(':') else p for p in row['path'].split('/'))
    body = document['paths'][template][row['method'].lower()].get('requestBody')
    json = body['content'].get('application/json') if body else None
    if not json:
        return None
    schema = json['schema']
    if '$ref' in schema:
        schema = document['components']['schemas'][schema['$ref'].rsplit('/', 1)[1]]
    return schema if 'properties' in schema else None


@suite.test
def test_hole_20_every_body_refuses_by_name_what_is_not_its_own():
    walked, faults = 0, []
    for row in rows:
        schema = schema_of(row)
        if schema is None:
            continue
        token = None if row['who'] == 'anyone' else SESSIONS[sorted(ROLES[row['who']])[-1]]['access_token']
        extra = [name for name in EXTRA if name not in schema['properties']]
        for some in (extra[i:i + 30] for i in range(0, len(extra), 30)):
            body = {**(body_for(row) or {}), **{name: None for name in some}}
            a = shop.call(row['method'], path_to(row), body, token)
            if a.status != 400 or a.code != 'VALIDATION_ERROR' or not set(some) <= set(a.fields):
                faults.append(f'{name_of(row)}: {set(some) - set(a.fields)} {a!r}')
        # One alone, too, with a value that would fit.
        for name, value in (('role', 'admin'), ('account_id', UNKNOWN), ('status', 'paid'), ('is_active', True)):
            if name not in schema['properties']:
                a = shop.call(row['method'], path_to(row), {**(body_for(row) or {}), name: value}, token)
                if a.status != 400 or name not in a.fields:
                    faults.append(f'{name_of(row)} takes {name}: {a!r}')
        walked += 1
    check(not faults, '\n'.join(faults))
    check(walked >= 20, f'only {walked} bodies')


def refused(label, answer, statuses, before):
    check(answer.status in statuses, f'{label}: {answer!r}')
    equal(before(), before.was, label)


class Untouched:
    """What may not have changed by whatever is tried."""

    def __init__(self, *queries):
        self.queries = queries
        self.was = self()

    def __call__(self):
        return [sql(q) for q in self.queries]


@suite.test
def test_hole_17_anothers_things_in_a_body_are_not_there():
    eve = Buyer('Eve')
    address = demand(buyer.call('POST', '/addresses', {'line1': 'Moi Avenue 12', 'city': 'Nairobi',
                                                       'country': 'KE'}), 201).data['id']
    waiting = buyer.order((product, 1), method='stripe')
    hidden = shop.new_product(stranger, category['id'], '50', 10, is_active=False)['id']
    shut = shop.new_seller('Shut')
    of_shut = shop.new_product(shut, category['id'], '50', 10)['id']
    demand(shop.call('PUT', f'/admin/stores/{shut["store_id"]}/status', {'status': 'suspended'},
                     admin['access_token']), 200)
    same = Untouched('SELECT count(*) FROM orders', 'SELECT count(*) FROM payments',
                     'SELECT count(*) FROM products', 'SELECT count(*) FROM refunds',
                     'SELECT sum(available) FROM product_stock', 'SELECT count(*) FROM categories',
                     'SELECT count(*) FROM cart_items', 'SELECT count(*) FROM reviews')

    def order_of(**more):
        return eve.call('POST', '/orders', {'payment_method': 'cash_on_delivery', 'shipping_address': ADDRESS,
                                            'items': [{'product_id': product['id'], 'quantity': 1}], **more})

    refused("an order to somebody's address", order_of(shipping_address=None, address_id=address), (400, 404), same)
    a = eve.call('POST', '/orders', {'payment_method': 'cash_on_delivery', 'address_id': address,
                                     'items': [{'product_id': product['id'], 'quantity': 1}]})
    refused("an order to somebody's address, alone", a, (400, 404), same)
    check('Moi Avenue' not in a.text, 'the address is told')
    for label, thing in (('hidden', hidden), ('of a suspended store', of_shut), ('unknown', UNKNOWN)):
        items = [{'product_id': thing, 'quantity': 1}]
        refused(f'an order of what is {label}', order_of(items=items), (400, 404, 409), same)
        refused(f'a cart with what is {label}', eve.call('POST', '/cart/items', items[0]), (400, 404, 409), same)
        refused(f'a review of what is {label}', eve.call('POST', f'/products/{thing}/reviews', {'rating': 1}),
                (403, 404), same)
    for provider, more in (('stripe', {}), ('mpesa', {'phone': '0712345678'})):
        for label, token in (('a buyer', eve.token), ('its own seller', None)):
            if token is None:
                token = shop.sign_in(seller['email'], seller['password'], 'buyer')['access_token']
            a = shop.call('POST', f'/payments/{provider}', {'order_id': waiting['id'], **more}, token)
            refused(f"{label} pays somebody's order by {provider}", a, (404,), same)
    for token, label in ((eve.token, 'a buyer'), (seller['access_token'], 'a seller')):
        refused(f'{label} makes a category', shop.call('POST', '/categories', {
            'name': 'Mine', 'parent_id': category['id']}, token), (403,), same)
    refused('a category of no parent', shop.call('POST', '/categories', {
        'name': 'Nobody', 'parent_id': UNKNOWN}, admin['access_token']), (400, 404), same)
    made = {'name': 'Mine', 'price': '1', 'category_id': category['id']}
    refused("a product in somebody's store", shop.call('POST', '/products', {
        **made, 'store_id': stranger['store_id']}, seller['access_token']), (403,), same)
    refused('an administrator without a store names none', shop.call('POST', '/products', made,
                                                                     admin['access_token']), (400,), same)
    refused('an administrator names no store', shop.call('POST', '/products', {
        **made, 'store_id': UNKNOWN}, admin['access_token']), (400, 404), same)
    refused('a product in no category', shop.call('POST', '/products', {
        **made, 'category_id': UNKNOWN}, seller['access_token']), (400, 404), same)


@suite.test
def test_hole_17_anothers_store_in_a_query_is_not_mine():
    for path in ('/seller/orders', '/seller/balance', '/seller/statement', '/seller/products',
                 f'/orders/{two_stores["id"]}/refunds'):
        mine = demand(shop.call('GET', path, token=seller['access_token']), 200)
        for query in (f'store_id={stranger["store_id"]}', f'store_id={UNKNOWN}'):
            a = shop.call('GET', f'{path}?{query}', token=seller['access_token'])
            check(a.status in (403, 404) or a.data == mine.data, f'{path}?{query}: {a!r}')
            check(stranger['store_id'] not in a.text, f'{path}?{query} tells of another store')
        for query in (f'account_id={buyer.me["user"]["id"]}', 'role=admin'):
            demand(shop.call('GET', f'{path}?{query}', token=seller['access_token']), 400, 'VALIDATION_ERROR')
    for query in (f'account_id={buyer.me["user"]["id"]}', f'user_id={UNKNOWN}'):
        for path in ('/orders', '/cart', '/addresses', '/auth/sessions', '/auth/profile'):
            a = shop.call('GET', f'{path}?{query}', token=Buyer('Eve').token)
            check(a.status == 400 or a.data in ([],) or buyer.me['user']['id'] not in a.text, f'{path}: {a!r}')


@suite.test
def test_two_sellers_in_one_order_have_each_his_own_part():
    order = buyer.order((product, 2), (other_product, 1), method='cash_on_delivery')
    for who, not_his in ((seller, stranger), (stranger, seller)):
        listed = demand(shop.call('GET', '/seller/orders?per_page=100', token=who['access_token']), 200)
        own = next(o for o in listed.data if o['id'] == order['id'])
        check(not_his['store_id'] not in str(own), f'the other part is told: {own}')
    move_all(seller, order, 'processing', 'shipping')
    equal({p['store_id']: p['status'] for p in buyer.show(order)['parts']},
          {seller['store_id']: 'shipping', stranger['store_id']: 'pending'}, 'the parts')
    a = shop.call('PUT', f'/orders/{order["id"]}/status', {
        'status': 'processing', 'store_id': stranger['store_id']}, seller['access_token'])
    demand(a, 403)
    equal({p['store_id']: p['status'] for p in buyer.show(order)['parts']},
          {seller['store_id']: 'shipping', stranger['store_id']: 'pending'}, 'the parts')


@suite.test
def test_money_is_given_back_by_whose_it_is_alone():
    path = f'/orders/{two_stores["id"]}/refunds'
    same = Untouched('SELECT count(*) FROM refunds', 'SELECT count(*) FROM ledger_entries')
    theirs = [{'product_id': other_product['id'], 'quantity': 1}]
    mine = [{'product_id': product['id'], 'quantity': 1}]
    for label, body, statuses in (
            ("another's line", {'lines': theirs}, (400,)),
            ("another's line among one's own", {'lines': mine + theirs}, (400,)),
            ("another's line in his store", {'lines': theirs, 'store_id': stranger['store_id']}, (403,)),
            ("one's own line in his store", {'lines': mine, 'store_id': stranger['store_id']}, (403,)),
            ("more than one's part", {'amount': '200.01'}, (400,)),
            ('more units than were sold', {'lines': [{**mine[0], 'quantity': 3}]}, (400,))):
        refused(label, shop.call('POST', path, body, seller['access_token']), statuses, same)
    refused('a buyer, himself', buyer.call('POST', path, {'lines': mine}), (403,), same)
    as_buyer = shop.sign_in(seller['email'], seller['password'], 'buyer')
    refused('the seller, as buyer', shop.call('POST', path, {'lines': mine}, as_buyer['access_token']), (403,), same)
    payment = sql_one("SELECT id FROM payments WHERE order_id = :'id'", id=two_stores['id'])
    for who, token in (('buyer', buyer.token), ('seller', seller['access_token']), ('nobody', None)):
        wanted = (401,) if token is None else (403,)
        for action in ('refund', 'accept', 'paid'):
            refused(f'{who} resolves a payment', shop.call('POST', f'/admin/payments/{payment}/resolve',
                                                           {'action': action}, token), wanted, same)
        refused(f'{who} retries a refund', shop.call('POST', f'/admin/refunds/{UNKNOWN}/retry', {}, token), wanted,
                same)
        refused(f'{who} changes what a store pays', shop.call(
            'PUT', f'/admin/stores/{seller["store_id"]}/commission', {'commission_bp': 0}, token), wanted, same)


@suite.test
def test_a_providers_token_opens_its_own_door_alone():
    tokens = {'c2b': setting('DARAJA_C2B_TOKEN')}
    doors = [r['path'] for r in rows if 'token' in r['ids']]
    check(len(doors) >= 6, f'doors: {doors}')
    for name, token in tokens.items():
        equal(len(token), 64, f'the token of {name}')
        for path in doors:
            if f'/{name}/' in path:
                continue
            demand(shop.call('POST', path.replace(':token', token), {}), 404, 'NOT_FOUND')
        for row in rows:
            if row['who'] != 'anyone' and row['method'] == 'GET':
                demand(shop.call('GET', path_to(row), token=token), 401, 'UNAUTHORIZED')
    for path, token in itertools.product(doors, (buyer.token[:64], buyer.me['refresh_token'], 'f' * 64, 'F' * 64)):
        if '/' not in token:
            demand(shop.call('POST', path.replace(':token', token), {}), 404, 'NOT_FOUND')


if __name__ == '__main__':
    suite.main()
