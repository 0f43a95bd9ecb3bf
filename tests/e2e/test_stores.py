"""Stores: opened once by a buyer, seen by all."""
import secrets

from owner import sql
from soko import Shop, Suite, demand, equal, together

suite = Suite()
shop = Shop()
UNKNOWN = '01920000-0000-7000-8000-00000000dead'


def name():
    return 'Store ' + secrets.token_hex(6)


def open_store(who, **body):
    return shop.call('POST', '/stores', body, who['access_token'])


def refused(answer, field, code='VALIDATION_ERROR', status=400):
    demand(answer, status, code)
    equal(answer.fields, [field], f'the field of {answer!r}')


@suite.test
def test_a_store_has_all_that_was_sent():
    body = {'name': name(), 'description': 'Used “and new”,\nNairobi'}
    store = demand(open_store(shop.sign_up(), **body), 201).data
    equal((store['name'], store['description'], store['status'], store['version']),
          (body['name'], body['description'], 'active', 1), 'the store')
    equal(demand(shop.call('GET', f'/stores/{store["id"]}'), 200).data, store, 'seen by all')
    bare = demand(open_store(shop.sign_up(), name=name()), 201).data
    equal(bare['description'], '', 'without a description')


@suite.test
def test_input_is_checked():
    who = shop.sign_up()
    refused(open_store(who), 'name')
    for field, value in (('name', 'x'), ('name', ' x '), ('name', 'x' * 256), ('name', None),
                         ('name', 7), ('description', 'x' * 5001), ('description', []),
                         ('status', 'active'), ('owner_id', UNKNOWN)):
        refused(open_store(who, **{'name': name(), field: value}), field)
    demand(open_store(who, name='Ü' * 250 + secrets.token_hex(2)), 201)


@suite.test
def test_names_are_unique_whatever_the_case():
    taken = 'Çay ' + name()
    demand(open_store(shop.sign_up(), name=taken), 201)
    who = shop.sign_up()
    for twin in (taken, taken.upper(), f' {taken.lower()} '):
        refused(open_store(who, name=twin), 'name', 'CONFLICT', 409)
    demand(open_store(who, name=name()), 201)


@suite.test
def test_one_store_an_account():
    who = shop.sign_up()
    answers = together(4, lambda i: open_store(who, name=name()))
    equal(sorted(a.status for a in answers), [201, 409, 409, 409], 'at once')
    demand(open_store(who, name=name()), 409, 'CONFLICT')
    demand(open_store(shop.sign_in(who['email'], who['password']), name=name()), 403, 'FORBIDDEN')


@suite.test
def test_the_session_stays_a_buyers():
    who = shop.sign_up()
    store = demand(open_store(who, name=name()), 201).data
    demand(shop.call('GET', '/seller/orders', token=who['access_token']), 403, 'FORBIDDEN')
    demand(shop.call('GET', '/cart', token=who['access_token']), 200)
    again = shop.sign_in(who['email'], who['password'])
    equal((again['role'], again['user']['roles']), ('seller', ['buyer', 'seller']), 'the next one')
    demand(shop.call('GET', f'/seller/orders?store_id={store["id"]}', token=again['access_token']),
           200)


@suite.test
def test_etag_spares_what_is_known():
    """Of each public read that keeps still; products have theirs in test_catalog."""
    seller = shop.new_seller()
    product = shop.new_product(seller, shop.new_category()['id'])
    token = seller['access_token']
    for path in (f'/stores/{seller["store_id"]}', '/categories',
                 f'/products/{product["id"]}/reviews', f'/products/{product["id"]}'):
        etag = demand(shop.call('GET', path, token=token), 200).headers['etag']
        a = demand(shop.call('GET', path, token=token, headers={'If-None-Match': etag}), 304)
        equal(a.text, '', f'the body of {path}')
    path = f'/stores/{seller["store_id"]}'
    etag = demand(shop.call('GET', path, token=token), 200).headers['etag']
    sql("UPDATE stores SET description = 'new' WHERE id = :'id'", id=seller['store_id'])
    demand(shop.call('GET', path, token=token, headers={'If-None-Match': etag}), 200)


@suite.test
def test_stores_that_are_none():
    demand(shop.call('GET', f'/stores/{UNKNOWN}'), 404, 'NOT_FOUND')
    demand(shop.call('GET', '/stores/kibanda'), 400, 'VALIDATION_ERROR')


if __name__ == '__main__':
    suite.main()
