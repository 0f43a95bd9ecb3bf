"""Categories and products: what sellers put up, and what shoppers find."""
import secrets

from owner import sql
from soko import Shop, Suite, check, demand, equal, until

suite = Suite()
shop = Shop()
admin = shop.admin()
seller = shop.new_seller('Sela')
other = shop.new_seller('Otis')
buyer = shop.sign_up('Bea')
UNKNOWN = '01920000-0000-7000-8000-00000000dead'


def word():
    """A word that stands nowhere else."""
    return 'q' + secrets.token_hex(6)


def as_admin(method, path, body=None):
    return shop.call(method, path, body, admin['access_token'])


def as_seller(method, path, body=None, **more):
    return shop.call(method, path, body, seller['access_token'], **more)


def refused(answer, field, code='VALIDATION_ERROR', status=400):
    demand(answer, status, code)
    equal(answer.fields, [field], f'the field of {answer!r}')


def found(query, who=None):
    """The ids that a list gives, all on one page, in order."""
    a = demand(shop.call('GET', f'/products?per_page=100&{query}',
                         token=(who or buyer)['access_token']), 200)
    return [p['id'] for p in a.data]


# --- categories -----------------------------------------------------------------------------------

@suite.test
def test_category_is_made_by_admins_alone():
    body = {'name': 'Category ' + word()}
    demand(shop.call('POST', '/categories', body), 401, 'UNAUTHORIZED')
    for who in (seller, buyer):
        demand(shop.call('POST', '/categories', body, who['access_token']), 403, 'FORBIDDEN')
    c = demand(as_admin('POST', '/categories', body), 201).data
    equal((c['name'], c['parent_id']), (body['name'], None), 'the category')


@suite.test
def test_category_names_are_unique_whatever_the_case():
    name = 'Çay ' + word()
    demand(as_admin('POST', '/categories', {'name': name}), 201)
    for twin in (name, name.upper(), f'  {name.lower()} '):
        refused(as_admin('POST', '/categories', {'name': twin}), 'name', 'CONFLICT', 409)


@suite.test
def test_category_input_is_checked():
    refused(as_admin('POST', '/categories', {}), 'name')
    refused(as_admin('POST', '/categories', {'name': ' \t'}), 'name')
    refused(as_admin('POST', '/categories', {'name': 'x' * 256}), 'name')
    refused(as_admin('POST', '/categories', {'name': 7}), 'name')
    refused(as_admin('POST', '/categories', {'name': word(), 'parent_id': UNKNOWN}), 'parent_id')
    refused(as_admin('POST', '/categories', {'name': word(), 'parent_id': 'x'}), 'parent_id')
    refused(as_admin('POST', '/categories', {'name': word(), 'colour': 'red'}), 'colour')
    a = demand(as_admin('POST', '/categories', {'name': '', 'parent_id': 1, 'b': 1}), 400)
    equal(a.fields, ['name', 'parent_id', 'b'], 'all faults at once, in the order of the table')


@suite.test
def test_categories_are_a_tree():
    top = shop.new_category(admin)
    below = shop.new_category(admin, top['id'])
    deep = demand(as_admin('POST', '/categories',
                           {'name': word(), 'parent_id': below['id']}), 201).data
    null = demand(as_admin('POST', '/categories', {'name': word(), 'parent_id': None}), 201).data
    listed = {c['id']: c for c in demand(as_admin('GET', '/categories'), 200).data}
    for c in (top, below, deep, null):
        equal(listed[c['id']], c, 'the listed category')
    equal(listed[below['id']]['parent_id'], top['id'], 'the parent')
    equal(listed[deep['id']]['parent_id'], below['id'], 'the parent of the child')
    names = [c['name'].lower() for c in listed.values()]
    equal(names, sorted(names), 'by name, whatever the case')


# --- products are made ----------------------------------------------------------------------------

@suite.test
def test_product_has_all_that_was_sent():
    category = shop.new_category(admin)
    body = {'name': 'Kikoi ' + word(), 'price': '1250.50', 'category_id': category['id'],
            'description': 'Woven “on the coast”,\ntwo metres', 'currency': 'KES', 'sku': 'KK-1',
            'stock': 7, 'weight_g': 350, 'is_active': True}
    p = demand(as_seller('POST', '/products', body), 201).data
    for name in ('name', 'category_id', 'description', 'currency', 'sku', 'stock', 'weight_g',
                 'is_active'):
        equal(p[name], body[name], name)
    equal((p['price'], p['store_id'], p['category_name']), ('1250.5', seller['store_id'],
                                                           category['name']), 'the rest')
    equal((p['images'], p['image_url'], p['rating_average'], p['rating_count'], p['version']),
          ([], None, 0, 0, 1), 'what a new product has')
    equal(demand(shop.call('GET', f'/products/{p["id"]}'), 200).data, p, 'what a shopper sees')


@suite.test
def test_product_defaults():
    p = shop.new_product(seller, shop.new_category(admin)['id'], '5', 3)
    equal((p['description'], p['currency'], p['sku'], p['weight_g'], p['is_active']),
          ('', 'KES', None, None, True), 'the defaults')
    bare = demand(as_seller('POST', '/products', {
        'name': word(), 'price': 1, 'category_id': p['category_id'], 'sku': None}), 201).data
    equal((bare['stock'], bare['price'], bare['sku']), (0, '1', None), 'without a stock')


@suite.test
def test_prices_are_exact_decimals():
    category = shop.new_category(admin)['id']

    def put(price, currency='KES'):
        return as_seller('POST', '/products', {'name': word(), 'price': price, 'stock': 1,
                                               'category_id': category, 'currency': currency})

    for price, currency, shown in (
            ('450000', 'KES', '450000'), ('12.50', 'KES', '12.5'), (12.5, 'KES', '12.5'),
            (7, 'KES', '7'), ('0.01', 'KES', '0.01'),
            ('9999999999999.99', 'KES', '9999999999999.99'),
            ('500', 'JPY', '500'), ('1.234', 'KWD', '1.234'), ('1.230', 'KWD', '1.23'),
            ('12.500', 'KES', '12.5'), ('500.00', 'JPY', '500'),
            ('12.345', 'KES', None), (12.345, 'KES', None),
            ('0', 'KES', None), (0, 'KES', None), ('0.00', 'KES', None), ('-1', 'KES', None),
            (-1, 'KES', None), ('+1', 'KES', None), ('1e3', 'KES', None), ('', 'KES', None),
            ('1,5', 'KES', None), ('.5', 'KES', None), ('5.', 'KES', None), ('0x10', 'KES', None),
            (' 1', 'KES', None), ('1 ', 'KES', None), ('NaN', 'KES', None), ('٣', 'KES', None),
            ('10000000000000', 'KES', None), ('9' * 40, 'KES', None), ('500.5', 'JPY', None),
            ('1.2345', 'KWD', None), (True, 'KES', None), (None, 'KES', None), ([], 'KES', None)):
        a = put(price, currency)
        if shown is None:
            refused(a, 'price')
        else:
            equal(demand(a, 201).data['price'], shown, f'{price!r} {currency}')
    raw = '{"name":"x","price":1e3,"category_id":"%s"}' % category
    refused(as_seller('POST', '/products', raw=raw.encode()), 'price')
    for currency in ('XYZ', 'kes', '', 'KE'):
        refused(put('1', currency), 'currency')


@suite.test
def test_product_input_is_checked():
    good = {'name': word(), 'price': '1', 'category_id': shop.new_category(admin)['id']}
    a = demand(as_seller('POST', '/products', {}), 400, 'VALIDATION_ERROR')
    equal(a.fields, ['name', 'price', 'category_id'], 'what is required')
    for field, value in (('stock', -1), ('stock', 1.5), ('stock', '3'), ('stock', 1000000001),
                         ('weight_g', -1), ('is_active', 'yes'), ('name', 'x' * 256),
                         ('name', None), ('description', 'x' * 10001), ('sku', 'x' * 65),
                         ('category_id', UNKNOWN), ('category_id', 'books'),
                         ('name', 'a\x00b'), ('rating_average', 5)):
        refused(as_seller('POST', '/products', {**good, field: value}), field)


@suite.test
def test_sku_is_unique_in_its_store():
    category, sku = shop.new_category(admin)['id'], word()
    shop.new_product(seller, category, sku=sku)
    refused(as_seller('POST', '/products', {'name': word(), 'price': '1', 'category_id': category,
                                            'sku': sku}), 'sku', 'CONFLICT', 409)
    shop.new_product(other, category, sku=sku)


@suite.test
def test_a_seller_acts_for_his_own_store():
    good = {'name': word(), 'price': '1', 'category_id': shop.new_category(admin)['id']}
    p = demand(as_seller('POST', '/products', {**good, 'store_id': seller['store_id']}), 201).data
    equal(p['store_id'], seller['store_id'], 'his own, named')
    for store in (other['store_id'], UNKNOWN):
        refused(as_seller('POST', '/products', {**good, 'store_id': store}), 'store_id',
                'FORBIDDEN', 403)
    refused(as_admin('POST', '/products', good), 'store_id')
    refused(as_admin('POST', '/products', {**good, 'store_id': UNKNOWN}), 'store_id')
    p = demand(as_admin('POST', '/products', {**good, 'store_id': other['store_id']}), 201).data
    equal(p['store_id'], other['store_id'], "the administrator's choice")
    demand(shop.call('POST', '/products', good, buyer['access_token']), 403, 'FORBIDDEN')


# --- products are found ---------------------------------------------------------------------------

@suite.test
def test_list_filters_by_category_and_its_children():
    top = shop.new_category(admin)['id']
    middle = shop.new_category(admin, top)['id']
    deep = shop.new_category(admin, middle)['id']
    ids = [shop.new_product(seller, c)['id'] for c in (top, middle, deep)]
    sort = '&sort_by=created_at&sort_order=asc'
    equal(found(f'category_id={top}{sort}'), ids, 'the whole tree')
    equal(found(f'category_id={middle}{sort}'), ids[1:], 'the middle and below')
    equal(found(f'category_id={deep}'), ids[2:], 'the deepest')
    equal(found(f'category_id={UNKNOWN}'), [], 'an unknown category')


@suite.test
def test_list_filters():
    category = shop.new_category(admin)['id']
    w = word()
    cheap = shop.new_product(seller, category, '10', 5, name=f'{w} basket')['id']
    dear = shop.new_product(seller, category, '99.99', 0, name=f'{w} table',
                            description='of mvule wood, with baskets')['id']
    yen = shop.new_product(other, category, '50', 5, currency='JPY', name=f'{w} chair')['id']
    here = f'category_id={category}&sort_by=created_at&sort_order=asc'
    for query, wanted in (
            ('', [cheap, dear, yen]),
            (f'&store_id={seller["store_id"]}', [cheap, dear]),
            (f'&store_id={other["store_id"]}', [yen]), (f'&store_id={UNKNOWN}', []),
            ('&currency=JPY', [yen]), ('&currency=KES', [cheap, dear]),
            ('&min_price=10', [cheap, dear]), ('&min_price=10.01', [dear]),
            ('&max_price=99.98', [cheap]), ('&max_price=99.99', [cheap, dear]),
            ('&min_price=10&max_price=10', [cheap]), ('&min_price=50&currency=JPY', [yen]),
            ('&max_price=49&currency=JPY', []),
            ('&store_id=&min_price=', [cheap, dear, yen]), ('&min_price=20&max_price=10', []),
            ('&in_stock=true', [cheap, yen]), ('&in_stock=false', [dear]),
            (f'&search={w}', [cheap, dear, yen]), ('&search=basket', [cheap, dear]),
            (f'&search={w}+basket', [cheap, dear]), ('&search=wooden', []),
            ('&search=wood', [dear]), ('&search=%22mvule+wood%22', [dear]),
            ('&search=%22wood+mvule%22', []), (f'&search={w}+-table', [cheap, yen]),
            ('&search=%27%22%5C%3A*+%26+%21', []),
            (f'&search=basket&in_stock=true&max_price=20&store_id={seller["store_id"]}', [cheap])):
        equal(found(here + query), wanted, f'with {query or "the category alone"}')


@suite.test
def test_list_query_is_checked():
    for query, field in (
            ('page=0', 'page'), ('page=x', 'page'), ('page=10001', 'page'),
            ('per_page=0', 'per_page'), ('per_page=101', 'per_page'),
            ('page=101&per_page=100', 'page'), ('category_id=x', 'category_id'),
            ('store_id=1', 'store_id'), ('currency=XYZ', 'currency'), ('min_price=-1', 'min_price'),
            ('max_price=1.234', 'max_price'), ('min_price=1.5&currency=JPY', 'min_price'),
            ('in_stock=1', 'in_stock'), ('sort_by=stock', 'sort_by'),
            ('sort_order=up', 'sort_order'), ('sort_by=relevance', 'sort_by'),
            ('colour=red', 'colour'), ('search=%FF', 'search')):
        a = shop.call('GET', f'/products?{query}')
        equal((a.status, a.fields), (400, [field]), f'the answer to {query}')


@suite.test
def test_list_sorts_both_ways():
    category = shop.new_category(admin)['id']
    rows = [shop.new_product(seller, category, price, name=f'{name} {word()}')['id']
            for price, name in (('20', 'Beta'), ('10', 'Gamma'), ('30', 'Alpha'), ('20', 'Delta'))]
    a, b, c, d = rows
    for product, count, total in ((b, 2, 9), (c, 1, 5), (d, 1, 1)):
        sql("UPDATE product_ratings SET rating_count = :'count', rating_sum = :'total' "
            "WHERE product_id = :'product'", product=product, count=count, total=total)
    here = f'category_id={category}'
    for by, up in (('created_at', [a, b, c, d]), ('price', [b, a, d, c]), ('name', [c, a, d, b]),
                   ('rating', [a, d, b, c])):
        equal(found(f'{here}&sort_by={by}&sort_order=asc'), up, f'by {by}')
        equal(found(f'{here}&sort_by={by}&sort_order=desc'), up[::-1], f'by {by}, down')
        default = up if by in ('price', 'name') else up[::-1]
        equal(found(f'{here}&sort_by={by}'), default, f'by {by}, by default')
    equal(found(here), [d, c, b, a], 'newest first, by default')
    rated = demand(shop.call('GET', f'/products/{b}', token=buyer['access_token']), 200).data
    equal((rated['rating_average'], rated['rating_count']), (4.5, 2), 'the rating shown')


@suite.test
def test_search_sorts_by_relevance():
    category, w = shop.new_category(admin)['id'], word()
    weak = shop.new_product(seller, category, name='Spoon', description=f'goes with a {w}')['id']
    strong = shop.new_product(seller, category, name=f'{w} pan', description=f'a {w}')['id']
    middle = shop.new_product(seller, category, name=f'{w} lid')['id']
    best = [strong, middle, weak]
    equal(found(f'search={w}'), best, 'best first, by default')
    equal(found(f'search={w}&sort_by=relevance'), best, 'best first')
    equal(found(f'search={w}&sort_by=relevance&sort_order=asc'), best[::-1], 'worst first')
    equal(found(f'search={w}&sort_by=created_at&sort_order=asc'), [weak, strong, middle], 'by age')


@suite.test
def test_pages_part_the_list():
    category = shop.new_category(admin)['id']
    ids = [shop.new_product(seller, category)['id'] for _ in range(7)]
    here = f'/products?category_id={category}&sort_by=created_at&sort_order=asc'

    def page(query, current, size, total, wanted):
        a = demand(shop.call('GET', here + query, token=buyer['access_token']), 200)
        shown = dict(a.json['meta']['pagination'])
        equal('next_cursor' in shown, len(wanted) == size, f'a cursor of {query}')
        shown.pop('next_cursor', None)
        equal(shown,
              {'current_page': current, 'per_page': size, 'total_items': total,
               'total_pages': -(-total // size)}, f'the pagination of {query}')
        equal([p['id'] for p in a.data], wanted, f'the page of {query}')

    page('', 1, 10, 7, ids)
    page('&per_page=3', 1, 3, 7, ids[:3])
    page('&per_page=3&page=2', 2, 3, 7, ids[3:6])
    page('&per_page=3&page=3', 3, 3, 7, ids[6:])
    page('&per_page=3&page=4', 4, 3, 7, [])
    page('&per_page=100&page=100', 100, 100, 7, [])
    page('&per_page=1&page=10000', 10000, 1, 7, [])
    page(f'&search={word()}', 1, 10, 0, [])


# --- products are shown ---------------------------------------------------------------------------

@suite.test
def test_what_is_not_on_sale_is_not_shown():
    category = shop.new_category(admin)['id']
    hidden = shop.new_product(seller, category, is_active=False)
    equal(hidden['is_active'], False, 'is_active')
    shut = shop.new_seller('Shut')
    sold = shop.new_product(shut, category)
    equal(found(f'category_id={category}'), [sold['id']], 'on sale')
    sql("UPDATE stores SET status = 'suspended' WHERE id = :'store'", store=shut['store_id'])
    for who in (buyer, seller, shut, admin):
        for product in (hidden, sold):
            demand(shop.call('GET', f'/products/{product["id"]}', token=who['access_token']), 404,
                   'NOT_FOUND')
    equal(found(f'category_id={category}'), [], 'on sale, the store being suspended')
    a = demand(shop.call('GET', f'/stores/{shut["store_id"]}', token=buyer['access_token']), 200)
    equal(a.data['status'], 'suspended', 'the store')
    demand(shop.call('GET', f'/products/{UNKNOWN}'), 404, 'NOT_FOUND')
    demand(shop.call('GET', '/products/weep-not-child'), 400, 'VALIDATION_ERROR')


@suite.test
def test_etag_spares_what_is_known():
    product = shop.new_product(seller, shop.new_category(admin)['id'], stock=5)
    path = f'/products/{product["id"]}'

    def read(etag=None, token=buyer['access_token']):
        headers = {'If-None-Match': etag} if etag else None
        return shop.call('GET', path, token=token, headers=headers)

    first = demand(read(), 200)
    etag = first.headers['etag']
    check(etag.startswith('W/"'), f'a weak tag: {etag}')
    for known in (etag, etag[2:], f'"x", {etag}', '*'):
        a = demand(read(known), 304)
        equal((a.text, a.headers.get('etag')), ('', etag), f'304 for {known}')
    demand(read('W/"other"'), 200)
    sql("UPDATE product_stock SET available = 4 WHERE product_id = :'id'", id=product['id'])
    changed = demand(read(etag), 200)
    check(changed.headers['etag'] != etag, 'a new tag')
    equal(changed.data['stock'], 4, 'the stock now')
    # Whoever is anonymous is answered from the microcache, by nginx, and gets the same tags.
    anonymous = demand(read(token=None), 200)
    equal(anonymous.headers['etag'], changed.headers['etag'], 'the tag of the anonymous')
    demand(read(changed.headers['etag'], None), 304)
    equal(demand(shop.call('HEAD', path), 200).text, '', 'the body of HEAD')
    demand(read(token=None), 200)
    lists = f'/products?category_id={product["category_id"]}'
    etag = demand(shop.call('GET', lists), 200).headers['etag']
    demand(shop.call('GET', lists, headers={'If-None-Match': etag}), 304)
    more = demand(shop.call('GET', lists + '&page=2'), 200)
    check(more.headers['etag'] != etag, 'another page has another tag')


@suite.test
def test_microcache_is_right_for_both():
    product = shop.new_product(seller, shop.new_category(admin)['id'], stock=9)
    path = f'/products/{product["id"]}'

    def anonymous():
        return demand(shop.call('GET', path), 200)

    def signed_in():
        return demand(shop.call('GET', path, token=buyer['access_token']), 200)

    first = anonymous()
    equal(first.data, signed_in().data, 'what both see')
    equal(first.headers['cache-control'], 'public, max-age=1', 'for the anonymous')
    equal(signed_in().headers['cache-control'], 'no-store', 'for the signed in')
    until(lambda: len({anonymous().json['meta']['request_id'] for _ in range(20)}) < 20,
          'an answer from memory')
    for stock in (8, 7):
        anonymous()
        sql("UPDATE product_stock SET available = :'stock' WHERE product_id = :'id'",
            stock=stock, id=product['id'])
        equal(signed_in().data['stock'], stock, 'the signed in see it at once')
        until(lambda s=stock: anonymous().data['stock'] == s, 'the anonymous see it soon')


if __name__ == '__main__':
    suite.main()
