"""The cart: what it holds, what it refuses, and what it shows of changes since."""
from owner import sql
from soko import Shop, Suite, demand, equal

suite = Suite()
shop = Shop()
admin = shop.admin()
seller = shop.new_seller('Sela')
category = shop.new_category(admin)['id']
UNKNOWN = '01920000-0000-7000-8000-00000000dead'


class Buyer:
    """A new buyer, and his cart."""

    def __init__(self):
        self.token = shop.sign_up('Bea')['access_token']

    def call(self, method, path='', body=None):
        return shop.call(method, '/cart' + path, body, self.token)

    def show(self):
        return demand(self.call('GET'), 200).data

    def add(self, product, quantity):
        return self.call('POST', '/items', {'product_id': product['id'], 'quantity': quantity})

    def set(self, product, quantity):
        return self.call('PUT', f'/items/{product["id"]}', {'quantity': quantity})

    def remove(self, product):
        return self.call('DELETE', f'/items/{product["id"]}')

    def holds(self):
        return [(i['product_id'], i['quantity']) for i in self.show()['items']]


def product(price='100', stock=10, **more):
    return shop.new_product(seller, category, price, stock, **more)


def short(answer, available, in_cart=None):
    demand(answer, 409, 'INSUFFICIENT_STOCK')
    details = answer.errors[0]['details']
    equal(details['available'], available, 'details.available')
    if in_cart is not None:
        equal(details['in_cart'], in_cart, 'details.in_cart')


@suite.test
def test_a_new_cart_is_empty():
    cart = Buyer().show()
    equal(cart, {'items': [], 'item_count': 0, 'total_amount': '0', 'currency': 'KES',
                 'updated_at': None}, 'the cart')


@suite.test
def test_adding_sums():
    b, p, q = Buyer(), product('12.50'), product('100')
    cart = demand(b.add(p, 2), 200).data
    equal(cart, b.show(), 'the answer is the cart')
    equal(cart['items'], [{'product_id': p['id'], 'name': p['name'], 'price': '12.5',
                           'added_price': '12.5', 'quantity': 2, 'subtotal': '25',
                           'image_url': None, 'available': 10}], 'one line')
    demand(b.add(q, 1), 200)
    cart = demand(b.add(p, 3), 200).data
    equal(b.holds(), [(p['id'], 5), (q['id'], 1)], 'in the order of adding')
    equal((cart['item_count'], cart['total_amount'], cart['currency']), (6, '162.5', 'KES'),
          'the sums')
    equal(p['stock'], 10, 'a cart takes no stock')


@suite.test
def test_over_stock_is_refused():
    b, p = Buyer(), product(stock=5)
    short(b.add(p, 6), 5, 0)
    equal(b.holds(), [], 'nothing was added')
    demand(b.add(p, 3), 200)
    short(b.add(p, 3), 5, 3)
    short(b.set(p, 6), 5)
    equal(b.holds(), [(p['id'], 3)], 'what it held')
    demand(b.set(p, 5), 200)
    short(b.add(product(stock=0), 1), 0)


@suite.test
def test_999_is_the_most():
    b, p = Buyer(), product(stock=5000)
    for quantity in (0, -1, 1000, 1.5, '2', None, True):
        for a in (b.add(p, quantity), b.set(p, quantity)):
            demand(a, 400, 'VALIDATION_ERROR')
            equal(a.fields, ['quantity'], f'the field for {quantity!r}')
    demand(b.add(p, 999), 200)
    a = demand(b.add(p, 1), 400, 'VALIDATION_ERROR')
    equal(a.fields, ['quantity'], 'the field')
    equal(b.holds(), [(p['id'], 999)], 'what it holds')
    a = demand(b.call('POST', '/items', {}), 400, 'VALIDATION_ERROR')
    equal(a.fields, ['product_id', 'quantity'], 'what is required')


@suite.test
def test_unknown_and_hidden_products():
    b = Buyer()
    hidden = product(is_active=False)
    for p in ({'id': UNKNOWN}, hidden):
        a = demand(b.add(p, 1), 404, 'NOT_FOUND')
        equal(a.fields, ['product_id'], 'the field')
    demand(b.add({'id': 'x'}, 1), 400, 'VALIDATION_ERROR')
    for p in ({'id': UNKNOWN}, product()):
        demand(b.set(p, 1), 404, 'NOT_FOUND')
        demand(b.remove(p), 404, 'NOT_FOUND')
    demand(b.set({'id': 'x'}, 1), 400, 'VALIDATION_ERROR')
    demand(b.remove({'id': 'x'}), 400, 'VALIDATION_ERROR')


@suite.test
def test_more_than_money_can_say_is_shown_and_not_sold():
    b = Buyer()
    for _ in range(10):
        demand(b.add(product(price='9999999999999.99', stock=999), 999), 200)
    equal(len(b.show()['items']), 10, 'what it holds')
    demand(shop.call('POST', '/orders', {'shipping_address': 'x'}, b.token), 400,
           'VALIDATION_ERROR')
    demand(b.call('DELETE'), 200)


@suite.test
def test_set_remove_clear():
    b, p, q = Buyer(), product(), product()
    demand(b.add(p, 1), 200)
    demand(b.add(q, 2), 200)
    cart = demand(b.set(p, 7), 200).data
    equal((b.holds(), cart['item_count']), ([(p['id'], 7), (q['id'], 2)], 9), 'after setting')
    cart = demand(b.remove(p), 200).data
    equal((b.holds(), cart['item_count']), ([(q['id'], 2)], 2), 'after removing')
    demand(b.remove(p), 404, 'NOT_FOUND')
    for _ in (1, 2):
        cart = demand(b.call('DELETE'), 200).data
        equal((cart['items'], cart['total_amount'], cart['currency']), ([], '0', 'KES'), 'cleared')


@suite.test
def test_one_cart_one_currency():
    b, kes, jpy = Buyer(), product('10'), product('500', currency='JPY')
    demand(b.add(jpy, 2), 200)
    a = demand(b.add(kes, 1), 409, 'CONFLICT')
    equal('JPY' in a.errors[0]['message'], True, 'the message names the currency')
    cart = demand(b.add(jpy, 1), 200).data
    equal((cart['currency'], cart['total_amount']), ('JPY', '1500'), 'the cart')
    demand(b.remove(jpy), 200)
    equal(demand(b.add(kes, 1), 200).data['currency'], 'KES', 'an emptied cart takes another')


@suite.test
def test_changes_since_are_shown():
    b, p, q = Buyer(), product('100', 10), product('1')
    demand(b.add(p, 4), 200)
    demand(b.add(q, 1), 200)
    sql("UPDATE products SET price = 15050 WHERE id = :'id'", id=p['id'])
    sql("UPDATE product_stock SET available = 3 WHERE product_id = :'id'", id=p['id'])
    cart = b.show()
    line = cart['items'][0]
    equal((line['price'], line['added_price'], line['subtotal'], line['available']),
          ('150.5', '100', '602', 3), 'the line')
    equal(cart['total_amount'], '603', 'the total, at the prices of now')
    sql("UPDATE products SET is_active = false WHERE id = :'id'", id=q['id'])
    equal([i['available'] for i in b.show()['items']], [3, 0], 'what is no longer sold')
    short(shop.call('POST', '/orders', {'shipping_address': 'Moi Avenue 12'}, b.token), 0)
    equal(len(b.holds()), 2, 'lines after the refused order')


@suite.test
def test_carts_are_their_buyers_own():
    b, c, p = Buyer(), Buyer(), product()
    demand(b.add(p, 1), 200)
    equal(c.holds(), [], "another's cart")
    demand(c.set(p, 2), 404, 'NOT_FOUND')
    demand(c.remove(p), 404, 'NOT_FOUND')
    equal(b.holds(), [(p['id'], 1)], 'the cart')


@suite.test
def test_sellers_and_admins_have_no_cart():
    p = product()
    for who in (seller, admin):
        demand(shop.call('GET', '/cart', token=who['access_token']), 403, 'FORBIDDEN')
        demand(shop.call('POST', '/cart/items', {'product_id': p['id'], 'quantity': 1},
                         who['access_token']), 403, 'FORBIDDEN')
    as_buyer = shop.sign_in(seller['email'], seller['password'], 'buyer')
    demand(shop.call('GET', '/cart', token=as_buyer['access_token']), 200)


@suite.test
def test_100_products_are_the_most():
    b = Buyer()
    for _ in range(100):
        demand(b.add(product(), 1), 200)
    refused = demand(b.add(product(), 1), 400, 'VALIDATION_ERROR')
    equal(refused.fields, ['product_id'], 'the field')
    one = b.holds()[0][0]
    demand(b.add({'id': one}, 1), 200)


if __name__ == '__main__':
    suite.main()
