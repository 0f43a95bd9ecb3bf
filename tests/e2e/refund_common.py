"""What the tests of money that goes back share: a stall, orders that are paid by a provider, and what became
of their refunds."""
from money import Buyer, PATIENCE, at_rest, charges, shop, sim, until
from owner import sql, sql_one
from soko import demand


class Stall:
    """Two sellers, a category, and the administrator."""

    def __init__(self):
        self.admin = shop.admin()
        self.seller, self.other = shop.new_seller('Sam'), shop.new_seller('Oda')
        self.category = shop.new_category(self.admin)['id']

    def product(self, price='100', stock=20, seller=None):
        return shop.new_product(seller or self.seller, self.category, price, stock)

    def paid(self, method, *lines):
        """An order of (product, quantity) pairs by a new buyer, who has paid it. His phone says yes."""
        buyer = Buyer('Rita')
        order = demand(buyer.insist('POST', '/orders', {
            'shipping_address': 'Moi Avenue 12, Nairobi', 'payment_method': method,
            'items': [{'product_id': p['id'], 'quantity': n} for p, n in lines]}), 201).data
        if method == 'mpesa':
            sim('POST', '/sim/auto', {'action': 'approve', 'after_ms': 1, 'match': order['order_number']})
        if method == 'simulated':
            def settled():
                now = buyer.show(order)
                return now if now['payment_status'] == 'paid' else None
            return buyer, until(settled, 'a paid order', PATIENCE)
        order = buyer.pay(order)
        if method == 'mpesa':  # how it goes back depends on the receipt
            until(lambda: sql_one("SELECT receipt IS NOT NULL FROM payments WHERE order_id = :'id' "
                                  "AND status = 'succeeded'", id=order['id']) == 't',
                  'the receipt', PATIENCE)
        return buyer, order


def give(who, order, key=None, **body):
    return shop.call('POST', f'/orders/{order["id"]}/refunds', body, who['access_token'],
                     {'Idempotency-Key': key} if key else None)


def refunds(who, order, query=''):
    return demand(shop.call('GET', f'/orders/{order["id"]}/refunds{query}', token=who['access_token']),
                  200).data


def refunds_become(who, order, *wanted):
    """Waits until the statuses of an order's refunds are these, in order; gives the refunds."""
    def looks_so():
        now = refunds(who, order)
        return now if [r['status'] for r in now] == list(wanted) else None
    return until(looks_so, f'refunds that are {wanted}', PATIENCE)


def channels(order):
    return [row[0] for row in sql("SELECT r.channel FROM refunds r JOIN payments p ON p.id = r.payment_id "
                                  "WHERE p.order_id = :'id' ORDER BY r.created_at, r.id", id=order['id'])]


__all__ = ['Buyer', 'PATIENCE', 'Stall', 'at_rest', 'channels', 'charges', 'give', 'refunds',
           'refunds_become', 'shop', 'sim', 'sql', 'sql_one', 'until']
