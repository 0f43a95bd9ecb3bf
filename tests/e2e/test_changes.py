"""Changing what is there: products, stores, categories, reviews; If-Match; whose it is."""
import secrets

from orders_common import UNKNOWN, Buyer, move_all, shop, stock
from soko import Suite, check, demand, equal

suite = Suite()
admin = shop.admin()
category = shop.new_category(admin)
seller, rival = shop.new_seller('Sela'), shop.new_seller('Rita')


def put(path, body, who=seller, **headers):
    return shop.call('PUT', path, body, who['access_token'],
                     {k.replace('_', '-'): v for k, v in headers.items()})


def path_of(product):
    return f'/products/{product["id"]}'


@suite.test
def only_what_is_sent_of_a_product_changes():
    p = shop.new_product(seller, category['id'], price='100', sku='A-' + secrets.token_hex(4))
    now = demand(put(path_of(p), {'price': '120.5', 'weight_g': 300}), 200).data
    equal((now['price'], now['weight_g'], now['name'], now['sku'], now['stock']),
          ('120.5', 300, p['name'], p['sku'], p['stock']), 'the product')
    equal(now['version'], p['version'] + 1, 'its version')
    now = demand(put(path_of(p), {'sku': None, 'stock': 3, 'name': 'Renamed'}), 200).data
    equal((now['sku'], now['stock'], now['name'], now['price']), (None, 3, 'Renamed', '120.5'),
          'the product')
    now = demand(put(path_of(p), {'currency': 'USD', 'price': '9.99'}), 200).data
    equal((now['currency'], now['price']), ('USD', '9.99'), 'price and currency go together')


@suite.test
def a_product_says_what_is_wrong_with_a_change():
    p = shop.new_product(seller, category['id'])
    for body, field in (({'price': '0'}, 'price'), ({'price': '1.234'}, 'price'),
                        ({'price': '-1'}, 'price'), ({'currency': 'USD'}, 'currency'),
                        ({'category_id': UNKNOWN}, 'category_id'), ({'stock': -1}, 'stock'),
                        ({'name': ''}, 'name'), ({'version': 3}, 'version'),
                        ({'store_id': UNKNOWN}, 'store_id')):
        equal(demand(put(path_of(p), body), 400).fields, [field], f'{body}')
    demand(put(f'/products/{UNKNOWN}', {'stock': 1}), 404)
    demand(put('/products/nonsense', {'stock': 1}), 400)
    other = shop.new_product(seller, category['id'], sku='B-' + secrets.token_hex(4))
    demand(put(path_of(p), {'sku': other['sku']}), 409, 'CONFLICT')


@suite.test
def if_match_keeps_two_editors_apart():
    p = shop.new_product(seller, category['id'])
    demand(put(path_of(p), {'name': 'First'}, If_Match=f'"{p["version"]}"'), 200)
    demand(put(path_of(p), {'name': 'Second'}, If_Match=f'"{p["version"]}"'), 412,
           'PRECONDITION_FAILED')
    demand(put(path_of(p), {'name': 'Third'}, If_Match='*'), 200)
    for odd in ('"x"', '1', 'W/"1"', '""'):
        demand(put(path_of(p), {'name': 'Fourth'}, If_Match=odd), 412)
    demand(shop.call('DELETE', path_of(p), token=seller['access_token'],
                     headers={'If-Match': '"1"'}), 412)


@suite.test
def a_rival_changes_nothing():
    p = shop.new_product(seller, category['id'])
    demand(put(path_of(p), {'price': '1'}, rival), 403, 'FORBIDDEN')
    demand(shop.call('DELETE', path_of(p), token=rival['access_token']), 403)
    demand(put(f'/stores/{seller["store_id"]}', {'name': 'Mine now'}, rival), 403)
    demand(put(path_of(p), {'price': '77'}, admin), 200)


@suite.test
def a_hidden_product_is_gone_for_buyers_and_comes_back():
    p = shop.new_product(seller, category['id'])
    ann = Buyer()
    equal(demand(shop.call('DELETE', path_of(p), token=seller['access_token']), 200)
          .data['message'], 'product deleted', 'the word')
    demand(ann.call('GET', path_of(p)), 404)
    mine = demand(shop.call('GET', '/seller/products?is_active=false&per_page=100',
                            token=seller['access_token']), 200).data
    check(any(m['id'] == p['id'] for m in mine), 'its seller still sees it')
    demand(put(path_of(p), {'is_active': True}), 200)
    demand(ann.call('GET', path_of(p)), 200)
    demand(shop.call('DELETE', f'/products/{UNKNOWN}', token=seller['access_token']), 404)
    demand(shop.call('DELETE', '/products/nonsense', token=seller['access_token']), 400)
    demand(shop.call('GET', '/seller/products?page=0', token=seller['access_token']), 400)
    equal(len(demand(shop.call('GET', f'/seller/products?search={p["name"].split()[1]}',
                               token=seller['access_token']), 200).data), 1, 'by words')


@suite.test
def hole_30_an_edit_does_not_overwrite_what_was_sold():
    p = shop.new_product(seller, category['id'], stock=10)
    ann = Buyer()
    ann.order((p, 4), method='cash_on_delivery')
    demand(put(path_of(p), {'name': 'Edited', 'price': '5'}), 200)
    equal(stock(p, ann.me), 6, 'the stock')


@suite.test
def a_store_changes_its_name_and_words():
    path = f'/stores/{seller["store_id"]}'
    name = 'Renamed ' + secrets.token_hex(5)
    now = demand(put(path, {'name': name}), 200).data
    again = demand(put(path, {'description': 'New words'}, If_Match=f'"{now["version"]}"'),
                   200).data
    equal((again['name'], again['description']), (name, 'New words'), 'the store')
    demand(put(path, {'name': 'Late'}, If_Match='"1"'), 412)
    taken = shop.call('GET', f'/stores/{rival["store_id"]}').data['name']
    demand(put(path, {'name': taken.upper()}), 409)
    demand(put(path, {'name': 'x'}), 400)
    demand(put(f'/stores/{UNKNOWN}', {'name': 'Nobody here'}), 404)
    demand(shop.call('GET', '/stores?per_page=101'), 400)
    listed = demand(shop.call('GET', '/stores?per_page=1', token=seller['access_token']), 200)
    demand(shop.call('GET', '/stores?per_page=1', token=seller['access_token'],
                     headers={'If-None-Match': listed.headers['etag']}), 304)


@suite.test
def categories_are_renamed_hung_elsewhere_and_deleted():
    token = admin['access_token']
    top = shop.new_category(admin)
    below = shop.new_category(admin, parent=top['id'])
    name = 'Other ' + secrets.token_hex(5)
    equal(demand(put(f'/categories/{below["id"]}', {'name': name}, admin), 200).data['name'], name,
          'the name')
    for parent in (top['id'], below['id']):
        equal(demand(put(f'/categories/{top["id"]}', {'parent_id': parent}, admin), 400).fields,
              ['parent_id'], 'not below itself')
    demand(put(f'/categories/{below["id"]}', {'name': top['name'].upper()}, admin), 409)
    demand(put(f'/categories/{UNKNOWN}', {'name': 'Nothing'}, admin), 404)
    demand(put(f'/categories/{below["id"]}', {'parent_id': UNKNOWN}, admin), 400)
    demand(shop.call('DELETE', f'/categories/{top["id"]}', token=token), 409)
    equal(demand(put(f'/categories/{below["id"]}', {'parent_id': None}, admin), 200)
          .data['parent_id'], None, 'at the top')
    p = shop.new_product(seller, below['id'])
    demand(shop.call('DELETE', f'/categories/{below["id"]}', token=token), 409)
    demand(put(path_of(p), {'category_id': category['id']}), 200)
    equal(demand(shop.call('DELETE', f'/categories/{below["id"]}', token=token), 200)
          .data['message'], 'category deleted', 'the word')
    demand(shop.call('DELETE', f'/categories/{below["id"]}', token=token), 404)
    demand(shop.call('DELETE', '/categories/nonsense', token=token), 400)


@suite.test
def reviews_are_changed_by_their_authors():
    p = shop.new_product(seller, category['id'])
    ann, ben = Buyer('Ann'), Buyer('Ben')
    reviews = []
    for who, rating in ((ann, 5), (ben, 2)):
        order = who.order((p, 1), method='cash_on_delivery')
        move_all(seller, order, 'processing', 'shipping', 'shipped')
        reviews.append(demand(who.call('POST', path_of(p) + '/reviews', {'rating': rating}),
                              201).data)

    def average():
        now = demand(ann.call('GET', path_of(p)), 200).data
        return now['rating_average'], now['rating_count']

    equal(average(), (3.5, 2), 'of 5 and 2')
    path = f'/reviews/{reviews[0]["id"]}'
    equal(demand(shop.call('GET', path), 200).data['rating'], 5, 'the review')
    demand(ben.call('PUT', path, {'rating': 1}), 403)
    demand(put(path, {'rating': 1}, admin), 403)
    demand(ann.call('PUT', path, {'rating': 6}), 400)
    now = demand(ann.call('PUT', path, {'rating': 4, 'comment': 'Less new'}), 200).data
    equal((now['rating'], now['comment']), (4, 'Less new'), 'the review')
    equal(average(), (3, 2), 'of 4 and 2')
    demand(ben.call('DELETE', path), 403)
    equal(demand(ann.call('DELETE', path), 200).data['message'], 'review deleted', 'the word')
    equal(average(), (2, 1), 'of 2')
    demand(shop.call('DELETE', f'/reviews/{reviews[1]["id"]}', token=admin['access_token']), 200)
    equal(average(), (0, 0), 'of none')
    for method, body in (('GET', None), ('PUT', {'rating': 1}), ('DELETE', None)):
        demand(ann.call(method, path, body), 404)
        demand(ann.call(method, '/reviews/nonsense', body), 400)


@suite.test
def an_order_from_a_list_leaves_the_cart_alone():
    p, q = (shop.new_product(seller, category['id'], price=price) for price in ('10', '20'))
    ann = Buyer()
    ann.fill((p, 1))
    home = demand(ann.call('POST', '/addresses', {'line1': 'Moi Avenue 12', 'city': 'Nairobi',
                                                  'country': 'KE'}), 201).data
    items = [{'product_id': q['id'], 'quantity': 3}, {'product_id': p['id'], 'quantity': 2}]
    body = {'items': items, 'payment_method': 'cash_on_delivery'}
    order = demand(ann.call('POST', '/orders', {**body, 'address_id': home['id']}), 201).data
    equal((order['total_amount'], order['shipping_address']),
          ('80', {'street': 'Moi Avenue 12', 'city': 'Nairobi', 'country': 'KE'}), 'the order')
    equal(demand(ann.call('GET', '/cart'), 200).data['item_count'], 1, 'the cart')
    for change, field in (({'items': items + items[:1]}, 'items'), ({'items': []}, 'items'),
                          ({'items': [{'product_id': UNKNOWN, 'quantity': 1}]},
                           'items[0].product_id'),
                          ({'items': [{'product_id': p['id'], 'quantity': 0}]},
                           'items[0].quantity'),
                          ({'shipping_address': 'Here'}, 'address_id')):
        refused = demand(ann.call('POST', '/orders', {**body, 'address_id': home['id'], **change}),
                         400)
        equal(refused.fields, [field], f'{change}')
    equal(demand(ann.call('POST', '/orders', body), 400).fields, ['shipping_address'], 'needed')
    dollars = shop.new_product(seller, category['id'], currency='USD')
    mixed = {**body, 'address_id': home['id'],
             'items': [items[0], {'product_id': dollars['id'], 'quantity': 1}]}
    equal(demand(ann.call('POST', '/orders', mixed), 400).fields, ['items'], 'one currency')


suite.main()
