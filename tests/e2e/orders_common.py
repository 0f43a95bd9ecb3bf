"""What the tests of orders share: buyers with carts, the way to paid, what is in stock."""
from owner import sql, sql_one
from soko import Shop, demand, equal, until

shop = Shop()
ADDRESS = 'Moi Avenue 12, Nairobi'
UNKNOWN = '01920000-0000-7000-8000-00000000dead'


class Buyer:
    def __init__(self, name='Bea'):
        self.me = shop.sign_up(name)
        self.token = self.me['access_token']

    def call(self, method, path, body=None, **more):
        return shop.call(method, path, body, self.token, **more)

    def fill(self, *lines):
        """Puts (product, quantity) pairs into the cart."""
        for product, quantity in lines:
            demand(self.call('POST', '/cart/items',
                             {'product_id': product['id'], 'quantity': quantity}), 200)

    def place(self, method='simulated', **more):
        return self.call('POST', '/orders', {'shipping_address': ADDRESS,
                                             'payment_method': method, **more})

    def order(self, *lines, method='simulated'):
        self.fill(*lines)
        return demand(self.place(method), 201).data

    def show(self, order):
        return demand(self.call('GET', f'/orders/{order["id"]}'), 200).data

    def cancel(self, order):
        return self.call('PUT', f'/orders/{order["id"]}/cancel')

    def becomes(self, order, **wanted):
        """Waits until the order has these members, and gives it."""
        def looks_so():
            now = self.show(order)
            return now if all(now[k] == v for k, v in wanted.items()) else None
        return until(looks_so, f'an order with {wanted}')

    def paid(self, *lines):
        return self.becomes(self.order(*lines), payment_status='paid')


def move(seller, order, status, **more):
    """A seller's step, as an Answer."""
    return shop.call('PUT', f'/orders/{order["id"]}/status', {'status': status, **more},
                     seller['access_token'])


def move_all(seller, order, *statuses):
    for status in statuses:
        equal(demand(move(seller, order, status), 200).data['status'], status, 'the part')


def part(order, seller):
    return next(p for p in order['parts'] if p['store_id'] == seller['store_id'])


def stock(product, who):
    return demand(shop.call('GET', f'/products/{product["id"]}', token=who['access_token']),
                  200).data['stock']


def wait_for_payment(order):
    """Turns an order paid in cash into one that waits for a payment that nobody has begun: no
    provider that keeps us waiting is offered."""
    sql("UPDATE orders SET payment_method = 'mpesa', expires_at = now() + interval '1 hour' "
        "WHERE id = :'id'", id=order['id'])
    return order


def unpaid(buyer, *lines):
    return wait_for_payment(buyer.order(*lines, method='cash_on_delivery'))


def quiet():
    """Waits until the pipeline has nothing left to do, but for telling people of it."""
    until(lambda: sql_one("SELECT count(*) FROM outbox WHERE lane <> 'messages'") == '0',
          'an empty outbox', 60)
