"""One key, one effect, one answer. What happens at once, and with workers that die at the worst moment, is in
test_idempotency_race.py, which takes its cases from here.

The jobs hardly poll here, so that the fault points are met by requests alone; orders are paid on
delivery, which needs no jobs.
"""
# settings: JOBS_POLL=1h JOBS_SWEEP=1d
import json
import secrets

from factor import Person
from owner import ctl_json, sql, sql_one
from pictures import png
from soko import Failed, Shop, Suite, check, demand, equal

suite = Suite()
shop = Shop()

ADDRESS = 'Moi Avenue 12, Nairobi'
TABLE = ctl_json('routes', '--json')


class Stall:
    """A seller with a product, and buyers. Each part is made when it is asked for first."""

    def __init__(self):
        self.parts = {}

    def _part(self, name, make):
        if name not in self.parts:
            self.parts[name] = make()
        return self.parts[name]

    @property
    def admin(self):
        return self._part('admin', shop.admin)

    @property
    def seller(self):
        return self._part('seller', shop.new_seller)

    @property
    def category(self):
        return self._part('category', lambda: shop.new_category(self.admin)['id'])

    def product(self, stock=1000):
        return shop.new_product(self.seller, self.category, stock=stock)['id']


stall = Stall()


def new_key():
    return secrets.token_hex(12)


def post(path, body, who, key, by=shop):
    """`body` is JSON, or (field, file) of a form, whose boundary is another each time."""
    headers = {} if key is None else {'Idempotency-Key': key}
    if isinstance(body, tuple):
        return by.upload(path, *body, who['access_token'], headers)
    return by.call('POST', path, body, who['access_token'], headers)


def put_in(buyer, product, quantity=1):
    demand(post('/cart/items', {'product_id': product, 'quantity': quantity}, buyer, None), 200)


def order_body(**more):
    return {'shipping_address': ADDRESS, 'payment_method': 'cash_on_delivery', **more}


def is_replay(answer):
    value = answer.headers.get('idempotent-replayed')
    check(value in (None, 'true'), f'Idempotent-Replayed: {value}')
    return value is not None


def orders_of(buyer):
    a = demand(shop.call('GET', '/orders?per_page=100', token=buyer['access_token']), 200)
    equal(len(a.data), a.json['meta']['pagination']['total_items'], 'orders on one page')
    return [o['id'] for o in a.data]


def stock_of(product):
    """Asked for by somebody signed in: nothing between us and the truth."""
    return demand(shop.call('GET', f'/products/{product}', token=stall.seller['access_token']),
                  200).data['stock']


def set_stock(product, available):
    sql("UPDATE product_stock SET available = :'n' WHERE product_id = :'id'", n=available,
        id=product)


# --- every route that takes a key -----------------------------------------------------------------

def with_store():
    buyer, name = shop.sign_up(), 'Store ' + new_key()
    return buyer, '/stores', {'name': name}, lambda: int(sql_one(
        "SELECT count(*) FROM stores WHERE name = :'name'", name=name))


def with_category():
    name = 'Category ' + new_key()
    return stall.admin, '/categories', {'name': name}, lambda: int(sql_one(
        "SELECT count(*) FROM categories WHERE name = :'name'", name=name))


def with_product():
    name = 'Product ' + new_key()
    body = {'name': name, 'price': '12.5', 'category_id': stall.category}
    return stall.seller, '/products', body, lambda: int(sql_one(
        "SELECT count(*) FROM products WHERE name = :'name'", name=name))


def with_review():
    buyer, product = shop.sign_up(), stall.product()
    put_in(buyer, product)
    order = demand(post('/orders', order_body(), buyer, None), 201).data['id']
    for status in ('processing', 'shipping', 'shipped'):
        demand(shop.call('PUT', f'/orders/{order}/status', {'status': status},
                         stall.seller['access_token']), 200)
    path = f'/products/{product}/reviews'
    return buyer, path, {'rating': 4, 'comment': 'Good'}, lambda: shop.call(
        'GET', path, token=buyer['access_token']).json['meta']['pagination']['total_items']


def with_cart_item():
    buyer, product = shop.sign_up(), stall.product()
    return buyer, '/cart/items', {'product_id': product, 'quantity': 1}, lambda: demand(
        shop.call('GET', '/cart', token=buyer['access_token']), 200).data['item_count']


def with_order():
    buyer = shop.sign_up()
    put_in(buyer, stall.product())
    return buyer, '/orders', order_body(), lambda: len(orders_of(buyer))


def with_address():
    who = shop.sign_up()
    return who, '/addresses', {'line1': 'Moi Avenue 12', 'city': 'Nairobi', 'country': 'KE'}, (
        lambda: len(demand(shop.call('GET', '/addresses', token=who['access_token']), 200).data))


def with_api_key():
    who, name = shop.sign_up(), 'Key ' + new_key()
    return who, '/api-keys', {'name': name, 'role': 'buyer', 'scope': 'read', 'password': who['password']}, lambda: int(sql_one(
        "SELECT count(*) FROM api_keys WHERE name = :'name'", name=name))


SEND_A_CODE = {}  # an empty body


def with_verification(what):
    who = shop.sign_up()
    demand(shop.call('PUT', '/auth/profile', {'phone': f'+2547{secrets.randbelow(10 ** 8):08}'},
                     who['access_token']), 200)
    return who, f'/auth/verify-{what}', SEND_A_CODE, lambda: int(sql_one(
        "SELECT coalesce(sum(sent), 0) FROM one_time_codes WHERE account_id = :'id'", id=who['user']['id']))


def with_image():
    product = stall.product()
    return stall.seller, f'/products/{product}/image', ('image', png()), lambda: int(sql_one(
        "SELECT count(*) FROM product_images WHERE product_id = :'id'", id=product))


def with_logo():
    seller = shop.new_seller()
    return seller, f'/stores/{seller["store_id"]}/logo', ('logo', png()), lambda: int(sql_one(
        "SELECT version - 1 FROM stores WHERE id = :'id'", id=seller['store_id']))


def unpaid(method):
    buyer = shop.sign_up()
    put_in(buyer, stall.product())
    return buyer, demand(post('/orders', order_body(payment_method=method), buyer, None), 201).data['id']


def payments_of(order):
    return lambda: int(sql_one("SELECT count(*) FROM payments WHERE order_id = :'id'", id=order))


def with_card():
    buyer, order = unpaid('stripe')
    return buyer, '/payments/stripe', {'order_id': order}, payments_of(order)


def with_phone():
    buyer, order = unpaid('mpesa')
    phone = f'07{secrets.randbelow(10**8):08}'
    return buyer, '/payments/mpesa', {'order_id': order, 'phone': phone}, payments_of(order)


def payment_row(order, status):
    """A payment as it would be by now; no jobs run here that would bring it so far."""
    return sql_one("""INSERT INTO payments (id, order_id, provider, status, amount, asked, received, currency)
                      SELECT gen_random_uuid(), id, 'simulated', :'status', total_amount, total_amount,
                             total_amount, currency FROM orders WHERE id = :'id' RETURNING id""",
                   id=order, status=status)


def paid_order():
    _, order = unpaid('simulated')
    sql("UPDATE orders SET status = 'paid', payment_status = 'paid' WHERE id = :'id'", id=order)
    sql("UPDATE order_parts SET status = 'paid' WHERE order_id = :'id'", id=order)
    return order, payment_row(order, 'succeeded')


def refunds_of(payment):
    return lambda: int(sql_one("SELECT count(*) FROM refunds WHERE payment_id = :'id'", id=payment))


def with_refund():
    order, payment = paid_order()
    return stall.seller, f'/orders/{order}/refunds', {'amount': '1'}, refunds_of(payment)


def with_resolution():
    _, order = unpaid('simulated')
    payment = payment_row(order, 'needs_review')
    return stall.admin, f'/admin/payments/{payment}/resolve', {'action': 'refund'}, refunds_of(payment)


def with_retry():
    _, payment = paid_order()
    refund = sql_one("""INSERT INTO refunds (id, payment_id, amount, currency, reason, status)
                        VALUES (gen_random_uuid(), :'id', 100, 'KES', 'overpaid', 'failed') RETURNING id""", id=payment)
    return stall.admin, f'/admin/refunds/{refund}/retry', {}, lambda: int(sql_one(
        "SELECT count(*) FROM outbox WHERE subject = :'id'", id=refund))


def with_factor():
    ann = Person()
    return {'access_token': ann.token}, '/auth/totp', {'password': ann.password}, lambda: int(sql_one(
        "SELECT count(*) FROM second_factors WHERE account_id = :'id'", id=ann.id))


def with_proof():
    ann = Person()
    ann.begin()
    return {'access_token': ann.token}, '/auth/totp/confirm', {'code': ann.code()}, (
        lambda: ann.audited('account.totp_enabled'))


def with_recovery_codes():
    ann = Person().enrol()
    body = {'password': ann.password, 'code': ann.code(1)}
    return {'access_token': ann.token}, '/auth/totp/recovery-codes', body, (
        lambda: ann.audited('account.recovery_codes_renewed'))


# For each route: who, where, what, and how often it has happened.
CASES = {
    'store_create': with_store,
    'category_create': with_category,
    'product_create': with_product,
    'review_create': with_review,
    'cart_add_item': with_cart_item,
    'order_place': with_order,
    'address_create': with_address,
    'totp_begin': with_factor,
    'totp_confirm': with_proof,
    'totp_recovery_codes': with_recovery_codes,
    'api_key_create': with_api_key,
    'verify_phone': lambda: with_verification('phone'),
    'verify_email': lambda: with_verification('email'),
    'product_image_add': with_image,
    'store_set_logo': with_logo,
    'payment_stripe': with_card,
    'payment_mpesa': with_phone,
    'refund_create': with_refund,
    'admin_payment_resolve': with_resolution,
    'admin_refund_retry': with_retry,
}
# The answer is not kept: a replay is 409.
SECRET = {'payment_stripe', 'totp_begin', 'totp_confirm', 'totp_recovery_codes', 'api_key_create'}


@suite.test
def test_every_authenticated_post_takes_a_key():
    for r in TABLE:
        wanted = r['method'] == 'POST' and r['who'] != 'anyone' and r['name'] != 'logout'
        equal(r['takes_key'], wanted, f'{r["method"]} {r["path"]} takes a key')
    equal(sorted(r['name'] for r in TABLE if r['takes_key']), sorted(CASES),
          'routes that take a key, and cases here')


def of_each_route(check_one):
    """Runs a check on a fresh case of each route; a failure names the route."""
    for row in TABLE:
        if row['takes_key']:
            try:
                check_one(row, *CASES[row['name']]())
            except Failed as e:
                raise Failed(f'{row["name"]}: {e}') from None


@suite.test
def test_each_route_answers_again_and_acts_once():
    def check_one(row, who, path, body, count):
        key = new_key()
        first = demand(post(path, body, who, key), row['status'])
        check(not is_replay(first), 'the first answer says that it is a replay')
        equal(count(), 1, 'effects')
        for _ in range(2):
            if row['name'] in SECRET:
                demand(post(path, body, who, key), 409, 'CONFLICT')
                continue
            again = demand(post(path, body, who, key), row['status'])
            check(is_replay(again), 'the second answer does not say that it is a replay')
            equal(again.data, first.data, 'data')
            check(again.json['meta']['request_id'] == again.headers['x-request-id'], 'request id')
        equal(count(), 1, 'effects after the replays')

    of_each_route(check_one)


def another(body):
    """A body like it that means something else."""
    if isinstance(body, tuple):
        return body[0], png()
    if body is SEND_A_CODE:
        return {'code': '123456'}
    other = dict(body)
    if 'name' in body:
        other['name'] += ' too'
    elif 'rating' in body:
        other['rating'] += 1
    elif 'city' in body:
        other['city'] = 'Kisumu'
    elif 'quantity' in body:
        other['quantity'] += 1
    elif 'phone' in body:
        other['phone'] = '0712345678'
    elif 'password' in body:
        other['password'] += ' too'
    elif 'code' in body:
        other['code'] += ' '
    elif 'action' in body:
        other['reason'] = 'As agreed'
    elif 'order_id' in body:
        other['currency'] = 'KES'
    elif 'amount' in body:
        other['amount'] = '2'
    else:
        other['notes'] = 'Ring twice'
    return other


@suite.test
def test_each_route_refuses_a_key_with_another_body():
    def check_one(row, who, path, body, count):
        key = new_key()
        demand(post(path, body, who, key), row['status'])
        demand(post(path, another(body), who, key), 422, 'IDEMPOTENCY_KEY_REUSED')
        equal(count(), 1, 'effects')

    of_each_route(check_one)


# --- what belongs to a key ------------------------------------------------------------------------

@suite.test
def test_a_key_belongs_to_one_body_and_one_path():
    buyer, product, key = shop.sign_up(), stall.product(), new_key()
    body = {'product_id': product, 'quantity': 2}
    demand(post('/cart/items', body, buyer, key), 200)
    a = demand(post('/cart/items', {**body, 'quantity': 3}, buyer, key), 422,
               'IDEMPOTENCY_KEY_REUSED')
    equal(a.fields, ['Idempotency-Key'], 'field')
    demand(post('/orders', order_body(), buyer, key), 422, 'IDEMPOTENCY_KEY_REUSED')
    demand(post('/cart/items', body, buyer, key), 200)
    cart = shop.call('GET', '/cart', token=buyer['access_token']).data
    equal(cart['item_count'], 2, 'units in the cart')


@suite.test
def test_a_key_belongs_to_its_account():
    product, key = stall.product(), new_key()
    body = {'product_id': product, 'quantity': 1}
    for _ in range(3):
        buyer = shop.sign_up()
        check(not is_replay(demand(post('/cart/items', body, buyer, key), 200)),
              'a replay of others')
        check(is_replay(demand(post('/cart/items', body, buyer, key), 200)), 'no replay of his own')
    # Another session of the account, though, is the same account.
    again = shop.sign_in(buyer['email'], buyer['password'])
    check(is_replay(demand(post('/cart/items', body, again, key), 200)), 'no replay by his session')


@suite.test
def test_a_bad_key_is_400_and_does_nothing():
    buyer, product = shop.sign_up(), stall.product()
    body = {'product_id': product, 'quantity': 1}
    for key in ('', 'k' * 256, 'a\x01b', 'a\tb', 'a\x7fb', 'a\xe9b', 'k' * 4000):
        a = demand(post('/cart/items', body, buyer, key), 400, 'VALIDATION_ERROR')
        equal(a.fields, ['Idempotency-Key'], f'field for {key[:9]!r}')
    cart = shop.call('GET', '/cart', token=buyer['access_token']).data
    equal(cart['item_count'], 0, 'units in the cart')
    odd = ('k', 'k' * 255, "'; DROP TABLE idempotency_keys; --", '{"a": "\\"}')
    for n, key in enumerate(odd, 1):
        check(not is_replay(demand(post('/cart/items', body, buyer, key), 200)), 'a replay')
        a = demand(post('/cart/items', body, buyer, key), 200)
        check(is_replay(a), 'no replay')
        equal(a.data['item_count'], n, 'units in the cart')


@suite.test
def test_a_refusal_is_not_stored():
    buyer, product, key = shop.sign_up(), stall.product(stock=3), new_key()
    for _ in range(2):
        a = demand(post('/orders', order_body(), buyer, key), 400, 'VALIDATION_ERROR')
        check(not is_replay(a), 'a refusal was stored')
    put_in(buyer, product, 3)
    set_stock(product, 2)
    check(not is_replay(demand(post('/orders', order_body(), buyer, key), 409,
                               'INSUFFICIENT_STOCK')),
          'a refusal was stored')
    set_stock(product, 3)
    first = demand(post('/orders', order_body(), buyer, key), 201)
    check(not is_replay(first), 'a refusal was stored')
    again = demand(post('/orders', order_body(), buyer, key), 201)
    check(is_replay(again) and again.data == first.data, f'no replay: {again!r}')
    # With a refusal behind it a key is still free for another body.
    key = new_key()
    demand(post('/cart/items', {'product_id': product, 'quantity': 0}, buyer, key), 400)
    set_stock(product, 3)
    demand(post('/cart/items', {'product_id': product, 'quantity': 1}, buyer, key), 200)


@suite.test
def test_who_may_not_gets_no_replay():
    who, path, body, _ = with_order()
    key = new_key()
    demand(post(path, body, who, key), 201)
    demand(shop.call('POST', path, body, headers={'Idempotency-Key': key}), 401)
    demand(shop.call('POST', '/auth/logout', token=who['access_token']), 200)
    demand(post(path, body, who, key), 401)
    back = shop.sign_in(who['email'], who['password'])
    check(is_replay(demand(post(path, body, back, key), 201)), 'no replay after signing in again')


@suite.test
def test_an_answer_is_kept_for_its_time_alone():
    who, path, body, count = with_cart_item()
    key = new_key()
    demand(post(path, body, who, key), 200)
    sql("UPDATE idempotency_keys SET created_at = created_at - interval '2 days' "
        "WHERE key = :'key'", key=key)
    for n, replay in ((2, False), (2, True)):
        equal(is_replay(demand(post(path, body, who, key), 200)), replay, 'replay')
        equal(count(), n, 'units in the cart')


@suite.test
def test_a_body_is_its_bytes():
    """Another order of members, or other white space, is another body: what a client sends again after a
    lost answer is what it sent before."""
    buyer, product, key = shop.sign_up(), stall.product(), new_key()
    body = {'product_id': product, 'quantity': 1}

    def send(text):
        return shop.call('POST', '/cart/items', None, buyer['access_token'],
                         {'Idempotency-Key': key}, text.encode())

    demand(send(json.dumps(body)), 200)
    for text in (json.dumps(dict(reversed(body.items()))), json.dumps(body, indent=1),
                 json.dumps(body) + ' ', json.dumps(body).replace('1}', '1.0}')):
        a = send(text)
        check(a.status in (400, 422), f'{text}: {a!r}')
    check(is_replay(demand(send(json.dumps(body)), 200)), 'the same bytes')
    # A query is no part of what a POST says.
    a = shop.call('POST', '/cart/items?again=1', body, buyer['access_token'], {'Idempotency-Key': key})
    check(is_replay(demand(a, 200)), 'with a query')


@suite.test
def test_other_methods_ignore_a_key():
    buyer, product, key = shop.sign_up(), stall.product(), new_key()
    put_in(buyer, product)
    token, head = buyer['access_token'], {'Idempotency-Key': key}
    for n in (2, 3, 2):
        a = demand(shop.call('PUT', f'/cart/items/{product}', {'quantity': n}, token, head), 200)
        check(not is_replay(a), 'a PUT was replayed')
        equal(a.data['item_count'], n, 'units')
    for status in (200, 404):
        demand(shop.call('DELETE', f'/cart/items/{product}', None, token, head), status)
    check(not is_replay(demand(shop.call('GET', '/cart', None, token, {'Idempotency-Key': 'k' * 999}), 200)),
          'a GET was replayed')
    equal(sql_one("SELECT count(*) FROM idempotency_keys WHERE key = :'key'", key=key), '0', 'stored')


@suite.test
def test_a_deactivated_account_gets_no_replay():
    who, path, body, count = with_order()
    key, user = new_key(), f'/admin/users/{who["user"]["id"]}'
    demand(post(path, body, who, key), 201)
    for active in (False, True):
        demand(shop.call('PUT', user, {'is_active': active}, stall.admin['access_token']), 200)
        demand(post(path, body, who, key), 401)
    who.update(shop.sign_in(who['email'], who['password']))
    check(is_replay(demand(post(path, body, who, key), 201)), 'no replay after signing in again')
    equal(count(), 1, 'orders')


@suite.test
def test_what_an_administrator_was_told_is_not_told_to_the_seller_he_is_too():
    """One account, two roles, one route that serves both on other terms."""
    boss = shop.new_seller('Boss')
    demand(shop.call('PUT', f'/admin/users/{boss["user"]["id"]}', {'roles': ['buyer', 'seller', 'admin']},
                     stall.admin['access_token']), 200)
    boss = shop.sign_in(boss['email'], boss['password'], 'admin')
    order, payment = paid_order()
    path, key = f'/orders/{order}/refunds', new_key()
    body = {'amount': '1', 'store_id': stall.seller['store_id']}
    demand(post(path, body, boss, key), 201)
    check(is_replay(demand(post(path, body, boss, key), 201)), 'as administrator, again')
    as_seller = shop.sign_in(boss['email'], boss['password'], 'seller')
    demand(shop.call('GET', path, token=as_seller['access_token']), 404)
    demand(post(path, body, as_seller, key), 422, 'IDEMPOTENCY_KEY_REUSED')
    demand(post(path, body, as_seller, new_key()), 403, 'FORBIDDEN')
    # Nor when the role was taken from him meanwhile.
    demand(shop.call('PUT', f'/admin/users/{boss["user"]["id"]}', {'roles': ['buyer', 'seller']},
                     stall.admin['access_token']), 200)
    demand(post(path, body, boss, key), 401)
    demand(post(path, body, shop.sign_in(boss['email'], boss['password'], 'seller'), key), 422)
    as_buyer = shop.sign_in(boss['email'], boss['password'], 'buyer')
    demand(post(path, body, as_buyer, key), 403, 'FORBIDDEN')
    equal(refunds_of(payment)(), 1, 'refunds')


if __name__ == '__main__':
    suite.main()
