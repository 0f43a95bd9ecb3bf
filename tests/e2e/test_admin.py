"""What administrators see and do: accounts, orders, stores."""
from orders_common import UNKNOWN, Buyer, shop
from soko import Suite, check, demand, equal

suite = Suite()
admin = shop.admin()
token = admin['access_token']


def user_of(me):
    found = demand(shop.call('GET', f'/admin/users?search={me["email"]}', token=token), 200).data
    equal(len(found), 1, 'the account by its address')
    return found[0]


def change(user, body):
    return shop.call('PUT', f'/admin/users/{user["id"]}', body, token)


@suite.test
def accounts_are_found():
    ann = Buyer('Annabella').me
    equal(user_of(ann)['email'], ann['email'], 'by e-mail')
    by_name = demand(shop.call('GET', '/admin/users?search=nnabell&is_active=true&role=buyer',
                               token=token), 200).data
    check(any(u['email'] == ann['email'] for u in by_name), 'by a part of the name')
    equal(demand(shop.call('GET', f'/admin/users?search={ann["email"]}&role=admin', token=token),
                 200).data, [], 'she is no administrator')
    demand(shop.call('GET', '/admin/users?role=king', token=token), 400)


@suite.test
def a_deactivated_account_is_out_at_once():
    ann = Buyer()
    user = user_of(ann.me)
    equal(demand(change(user, {'is_active': False}), 200).data['is_active'], False, 'the account')
    demand(ann.call('GET', '/auth/profile'), 401)
    demand(shop.call('POST', '/auth/refresh', {'refresh_token': ann.me['refresh_token']}), 401)
    demand(shop.call('POST', '/auth/login', {'email': ann.me['email'],
                                             'password': ann.me['password']}), 403, 'FORBIDDEN')
    demand(change(user, {'is_active': True}), 200)
    shop.sign_in(ann.me['email'], ann.me['password'])


@suite.test
def roles_are_granted_and_taken():
    ann = Buyer()
    user = user_of(ann.me)
    equal(demand(change(user, {'roles': ['buyer', 'admin']}), 200).data['roles'],
          ['buyer', 'admin'], 'both roles')
    boss = shop.sign_in(ann.me['email'], ann.me['password'])
    demand(shop.call('GET', '/admin/users', token=boss['access_token']), 200)
    demand(change(user, {'roles': ['buyer']}), 200)
    demand(shop.call('GET', '/admin/users', token=boss['access_token']), 401)
    for roles in (['buyer', 'seller'], [], ['king'], ['buyer', 'buyer'], 'buyer', [1]):
        equal(demand(change(user, {'roles': roles}), 400).fields, ['roles'], f'{roles}')
    me = user_of(admin)
    equal(demand(change(me, {'roles': ['buyer']}), 400).fields, ['roles'], 'not from himself')
    equal(demand(change(me, {'is_active': False}), 400).fields, ['is_active'], 'not himself')
    demand(change({'id': UNKNOWN}, {'is_active': True}), 404)
    demand(change({'id': 'nonsense'}, {'is_active': True}), 400)


@suite.test
def all_orders_are_listed_by_filter():
    ann = Buyer()
    seller = shop.new_seller()
    product = shop.new_product(seller, shop.new_category(admin)['id'])
    order = ann.order((product, 1), method='cash_on_delivery')
    account = user_of(ann.me)['id']

    def listed(query):
        return [o['id'] for o in demand(shop.call('GET', f'/admin/orders?{query}', token=token),
                                        200).data]

    equal(listed(f'account_id={account}'), [order['id']], 'by the buyer')
    equal(listed(f'order_number={order["order_number"]}'), [order['id']], 'by number')
    equal(listed(f'account_id={account}&status=pending&payment_status=unpaid'), [order['id']],
          'by status')
    equal(listed(f'account_id={account}&status=shipped'), [], 'another status')
    equal(listed(f'account_id={account}&until=2020-01-01'), [], 'before it was placed')
    equal(listed(f'account_id={account}&from=2020-01-01T00:00:00Z'), [order['id']], 'since')
    for query in ('from=yesterday', 'until=2026-02-30', 'from=2026-13-01', 'status=odd',
                  'from=2026-01-01T25:00:00Z'):
        demand(shop.call('GET', f'/admin/orders?{query}', token=token), 400)


@suite.test
def a_suspended_store_does_not_sell():
    seller = shop.new_seller()
    product = shop.new_product(seller, shop.new_category(admin)['id'])
    path = f'/admin/stores/{seller["store_id"]}/status'
    ann = Buyer()
    ann.fill((product, 1))
    equal(demand(shop.call('PUT', path, {'status': 'suspended'}, token), 200).data['status'],
          'suspended', 'the store')
    as_ann = demand(ann.call('GET', '/cart'), 200).data['items'][0]
    equal(as_ann['available'], 0, 'not to be had any more')
    demand(ann.place('cash_on_delivery'), 409, 'INSUFFICIENT_STOCK')
    demand(ann.call('GET', f'/products/{product["id"]}'), 404)
    stores = demand(ann.call('GET', '/stores?per_page=100'), 200).data
    check(all(s['id'] != seller['store_id'] for s in stores), 'it is not listed')
    demand(shop.call('PUT', path, {'status': 'suspended'}, token, {'If-Match': '"1"'}), 412)
    demand(shop.call('PUT', path, {'status': 'active'}, token), 200)
    demand(ann.place('cash_on_delivery'), 201)
    demand(shop.call('PUT', f'/admin/stores/{UNKNOWN}/status', {'status': 'active'}, token), 404)
    demand(shop.call('PUT', path, {'status': 'shut'}, token), 400)


suite.main()
