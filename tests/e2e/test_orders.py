"""Orders as buyers see them: placed, paid by the pipeline, shown, cancelled, expired."""
import json

from orders_common import (ADDRESS, UNKNOWN, Buyer, move, move_all, part, quiet, shop, stock,
                           unpaid, wait_for_payment)
from owner import sql
from soko import Suite, check, demand, equal

suite = Suite()
admin = shop.admin()
ann, bob = shop.new_seller('Ann'), shop.new_seller('Bob')
category = shop.new_category(admin)['id']


def product(seller=ann, price='100', amount=10, **more):
    return shop.new_product(seller, category, price, amount, **more)


# --- placing --------------------------------------------------------------------------------------

@suite.test
def test_an_empty_cart_buys_nothing():
    b, p = Buyer(), product()
    for _ in (1, 2):
        a = demand(b.place(), 400, 'VALIDATION_ERROR')
        equal(a.fields, ['items'], 'the field')
    b.fill((p, 1))
    demand(b.call('DELETE', '/cart'), 200)
    demand(b.place(), 400, 'VALIDATION_ERROR')


@suite.test
def test_an_order_is_what_the_cart_was():
    b, p, q = Buyer(), product(price='12.5'), product(price='1000')
    order = b.order((p, 3), (q, 1))
    equal((order['status'], order['payment_status'], order['payment_method']),
          ('pending', 'unpaid', 'simulated'), 'the beginning')
    equal((order['total_amount'], order['currency'], order['shipping_address'], order['notes'],
           order['cancel_reason'], order['payment']),
          ('1037.5', 'KES', ADDRESS, None, None, None), 'the order')
    check(6 <= len(order['order_number']) <= 12 and order['order_number'].isalnum() and
          order['order_number'].upper() == order['order_number'], 'an order number')
    check(order['expires_at'] > order['created_at'], 'it expires')
    equal(order['items'],
          [{'product_id': i['id'], 'store_id': ann['store_id'], 'name': i['name'],
            'price': i['price'], 'quantity': n, 'subtotal': s}
           for i, n, s in ((p, 3, '37.5'), (q, 1, '1000'))], 'the lines')
    equal([(x['store_id'], x['status'], x['amount'], x['tracking_number'])
           for x in order['parts']], [(ann['store_id'], 'pending', '1037.5', None)], 'the part')
    equal([(e['event'], e['store_id']) for e in order['events']], [('placed', None)], 'the events')
    equal((stock(p, ann), stock(q, ann)), (7, 9), 'the stock')
    equal(demand(b.call('GET', '/cart'), 200).data['items'], [], 'the cart')


@suite.test
def test_the_price_is_that_of_the_moment():
    b, p = Buyer(), product(price='100')
    b.fill((p, 2))
    sql("UPDATE products SET price = 9950 WHERE id = :'id'", id=p['id'])
    order = demand(b.place(), 201).data
    equal(order['total_amount'], '199', 'the total')
    sql("UPDATE products SET price = 1, name = 'another' WHERE id = :'id'", id=p['id'])
    line = b.show(order)['items'][0]
    equal((line['price'], line['name']), ('99.5', p['name']), 'the line, as it was sold')


@suite.test
def test_an_address_is_not_empty():
    b = Buyer()
    b.fill((product(amount=5), 1))
    for address in ({}, '', '   '):
        equal(demand(b.place(shipping_address=address), 400).fields, ['shipping_address'],
              f'{address!r}')


@suite.test
def test_addresses_are_given_back_as_sent():
    p = product(amount=50)
    for address in (ADDRESS, 'Rue “Ü” 1/2\n<b>', {'street': 'Moi Avenue 12', 'city': 'Nairobi',
                                                 'country': 'KE', 'postal_code': '00100'},
                    {'postal_code': 'x', 'city': 'Kisumu', 'street': 'Oginga / Odinga', 'more': {
                        'floor': 2, 'lift': False, 'door': None, 'names': ['Ünal', 'Ng’ang’a']}}):
        b = Buyer()
        b.fill((p, 1))
        a = demand(b.place(shipping_address=address), 201)
        equal(a.data['shipping_address'], address, 'the address')
        shown = b.call('GET', f'/orders/{a.data["id"]}')
        if isinstance(address, dict):
            equal(json.dumps(shown.data['shipping_address']), json.dumps(address), 'its order')
    b = Buyer()
    b.fill((p, 1))
    for address in ('', ' ', 7, [], None, True, 'x' * 2001, {'street': 'x' * 2000}):
        a = demand(b.place(shipping_address=address), 400, 'VALIDATION_ERROR')
        equal(a.fields, ['shipping_address'], f'the field for {address!r}')
    demand(b.call('POST', '/orders', {}), 400)
    equal(len(demand(b.call('GET', '/cart'), 200).data['items']), 1, 'lines still in the cart')


@suite.test
def test_ways_of_paying():
    b, p = Buyer(), product(amount=50)
    b.fill((p, 1))
    for method in ('gold', '', 7, None):
        a = demand(b.place(method), 400, 'VALIDATION_ERROR')
        equal(a.fields, ['payment_method'], f'the field for {method!r}')
    a = demand(b.call('POST', '/orders', {'shipping_address': ADDRESS, 'notes': 'Ring twice'}), 201)
    equal((a.data['payment_method'], a.data['notes']), ('simulated', 'Ring twice'), 'by default')
    cash = b.order((p, 1), method='cash_on_delivery')
    equal((cash['payment_method'], cash['expires_at']), ('cash_on_delivery', None), 'in cash')
    b.fill((p, 1))
    for field, value in (('notes', 'x' * 1001), ('total_amount', '1')):
        a = demand(b.place(**{field: value}), 400, 'VALIDATION_ERROR')
        equal(a.fields, [field], 'the field')


@suite.test
def test_stock_that_has_gone_is_told():
    b, p, q = Buyer(), product(amount=5), product(amount=5)
    b.fill((p, 2), (q, 4))
    sql("UPDATE product_stock SET available = 3 WHERE product_id = :'id'", id=q['id'])
    a = demand(b.place(), 409, 'INSUFFICIENT_STOCK')
    equal(a.errors[0]['details'], {'product_id': q['id'], 'available': 3}, 'the details')
    equal((stock(p, ann), stock(q, ann)), (5, 3), 'nothing was taken')
    equal(demand(b.call('GET', '/cart'), 200).data['item_count'], 6, 'the cart')
    equal(demand(b.call('GET', '/orders'), 200).data, [], 'orders')


@suite.test
def test_two_stores_make_two_parts():
    b, p, q = Buyer(), product(ann, '100'), product(bob, '30')
    order = b.order((p, 2), (q, 1), (product(ann, '5'), 1))
    equal({x['store_id']: x['amount'] for x in order['parts']},
          {ann['store_id']: '205', bob['store_id']: '30'}, 'the parts')
    paid = b.becomes(order, payment_status='paid')
    equal([x['status'] for x in paid['parts']], ['paid', 'paid'], 'both are paid')
    equal(paid['status'], 'paid', 'the order')
    move_all(ann, order, 'processing')
    now = b.show(order)
    equal((part(now, ann)['status'], part(now, bob)['status'], now['status']),
          ('processing', 'paid', 'paid'), 'the least advanced')
    move_all(bob, order, 'processing', 'shipping', 'shipped', 'completed')
    equal(b.show(order)['status'], 'processing', 'the least advanced')


# --- paying, looking ------------------------------------------------------------------------------

@suite.test
def test_the_pipeline_pays():
    b = Buyer()
    order = b.paid((product(price='250'), 2))
    pay = order['payment']
    equal((pay['provider'], pay['status'], pay['amount'], pay['refunded'], pay['currency']),
          ('simulated', 'succeeded', '500', '0', 'KES'), 'the payment')
    check(pay['receipt'], 'a receipt')
    equal((order['status'], order['parts'][0]['status']), ('paid', 'paid'), 'order and part')
    events = [e['event'] for e in order['events']]
    equal((events[0], sorted(events[1:])), ('placed', ['paid', 'payment_paid']), 'the events')


@suite.test
def test_cash_waits_for_the_courier():
    b = Buyer()
    order = b.order((product(ann), 1), (product(bob), 1), method='cash_on_delivery')
    for seller in (ann, bob):
        demand(move(seller, order, 'paid'), 400, 'INVALID_STATUS')
        move_all(seller, order, 'processing', 'shipping', 'shipped')
    move_all(ann, order, 'completed')
    now = b.show(order)
    equal((now['status'], now['payment_status'], now['payment']), ('shipped', 'unpaid', None),
          'one part being completed')
    move_all(bob, order, 'completed')
    now = b.show(order)
    equal((now['status'], now['payment_status']), ('completed', 'paid'), 'both being completed')


@suite.test
def test_orders_are_listed():
    b, p = Buyer(), product(amount=50)
    orders = [b.order((p, n)) for n in (1, 2, 3)]
    a = demand(b.call('GET', '/orders?per_page=2'), 200)
    equal(a.json['meta']['pagination'],
          {'current_page': 1, 'per_page': 2, 'total_items': 3, 'total_pages': 2}, 'pagination')
    equal([(o['id'], o['item_count'], o['total_amount']) for o in a.data],
          [(orders[2]['id'], 3, '300'), (orders[1]['id'], 2, '200')], 'newest first')
    a = demand(b.call('GET', '/orders?per_page=2&page=2'), 200)
    equal([o['id'] for o in a.data], [orders[0]['id']], 'the second page')
    demand(b.call('GET', '/orders?page=0'), 400, 'VALIDATION_ERROR')
    equal(demand(Buyer().call('GET', '/orders'), 200).data, [], "another's list")


@suite.test
def test_what_is_not_yours_is_not_there():
    b, other, p = Buyer(), Buyer(), product()
    order = b.order((p, 1))
    for who in (other,):
        demand(who.call('GET', f'/orders/{order["id"]}'), 404, 'NOT_FOUND')
        demand(who.cancel(order), 404, 'NOT_FOUND')
    demand(move(bob, order, 'processing'), 404, 'NOT_FOUND')
    demand(b.call('GET', f'/orders/{UNKNOWN}'), 404, 'NOT_FOUND')
    demand(b.cancel({'id': UNKNOWN}), 404, 'NOT_FOUND')
    demand(b.call('GET', '/orders/1'), 400, 'VALIDATION_ERROR')
    demand(b.cancel({'id': '1'}), 400, 'VALIDATION_ERROR')
    demand(shop.call('GET', f'/orders/{order["id"]}', token=ann['access_token']), 403, 'FORBIDDEN')
    b.becomes(order, status='paid')


# --- cancelling -----------------------------------------------------------------------------------

@suite.test
def test_cancel_before_payment():
    b, p, q = Buyer(), product(), product(bob)
    for turn in (lambda order: order, wait_for_payment):
        order = turn(b.order((p, 3), (q, 4), method='cash_on_delivery'))
        equal((stock(p, ann), stock(q, ann)), (7, 6), 'the stock, sold')
        equal(demand(b.cancel(order), 200).data, {'message': 'order cancelled'}, 'the answer')
        now = b.show(order)
        equal((now['status'], now['payment_status'], now['cancel_reason'], now['payment']),
              ('cancelled', 'unpaid', 'buyer', None), 'the order')
        equal([x['status'] for x in now['parts']], ['cancelled'] * 2, 'the parts')
        equal((stock(p, ann), stock(q, ann)), (10, 10), 'the stock, restored')
        demand(b.cancel(order), 400, 'INVALID_STATUS')
        equal((stock(p, ann), stock(q, ann)), (10, 10), 'the stock, restored once')


@suite.test
def test_cancel_after_payment_refunds():
    b, p = Buyer(), product(price='99.99')
    order = b.paid((p, 3))
    move_all(ann, order, 'processing')
    demand(b.cancel(order), 200)
    demand(b.cancel(order), 400, 'INVALID_STATUS')
    now = b.becomes(order, payment_status='refunded')
    equal((now['status'], now['cancel_reason']), ('cancelled', 'buyer'), 'the order')
    equal((now['payment']['status'], now['payment']['refunded'], now['payment']['amount']),
          ('refunded', '299.97', '299.97'), 'the payment')
    equal(stock(p, ann), 10, 'the stock')
    demand(move(ann, order, 'processing'), 400, 'INVALID_STATUS')


@suite.test
def test_cancel_while_the_payment_is_made():
    """Whatever the pipeline was at, in the end nothing is kept and nothing is missing."""
    b, p = Buyer(), product(amount=100)
    orders = []
    for _ in range(10):
        orders.append(b.order((p, 2)))
        demand(b.cancel(orders[-1]), 200)
    quiet()
    for order in orders:
        now = b.show(order)
        equal(now['status'], 'cancelled', 'the order')
        if now['payment'] is None:
            equal(now['payment_status'], 'unpaid', 'nothing was paid')
        else:
            equal((now['payment_status'], now['payment']['status'], now['payment']['refunded']),
                  ('refunded', 'refunded', '200'), 'what was paid')
    equal(stock(p, ann), 100, 'the stock')


@suite.test
def test_cancel_comes_too_late():
    b, p, q = Buyer(), product(), product(bob)
    order = b.paid((p, 1), (q, 1))
    move_all(ann, order, 'processing', 'shipping')
    for step in ('shipped', 'completed'):
        demand(b.cancel(order), 400, 'INVALID_STATUS')
        move_all(ann, order, step)
    demand(b.cancel(order), 400, 'INVALID_STATUS')
    now = b.show(order)
    equal((part(now, ann)['status'], part(now, bob)['status'], now['payment_status']),
          ('completed', 'paid', 'paid'), 'untouched')
    equal((stock(p, ann), stock(q, ann)), (9, 9), 'the stock')


# --- expiry ---------------------------------------------------------------------------------------

@suite.test
def test_unpaid_orders_expire():
    b, p, q = Buyer(), product(), product(bob)
    order, kept = unpaid(b, (p, 4), (q, 1)), unpaid(b, (p, 1))
    cash = b.order((p, 1), method='cash_on_delivery')
    equal(stock(p, ann), 4, 'the stock, sold')
    sql("UPDATE orders SET expires_at = now() - interval '1 s' WHERE id = :'id'", id=order['id'])
    now = b.becomes(order, status='cancelled')
    equal((now['cancel_reason'], now['payment_status']), ('expired', 'unpaid'), 'the order')
    equal([x['status'] for x in now['parts']], ['cancelled'] * 2, 'the parts')
    equal((stock(p, ann), stock(q, ann)), (8, 10), 'the stock, restored')
    demand(b.cancel(order), 400, 'INVALID_STATUS')
    demand(move(ann, order, 'processing'), 400, 'INVALID_STATUS')
    for other in (kept, cash):
        equal(b.show(other)['status'], 'pending', 'what is not due')


@suite.test
def test_paid_orders_do_not_expire():
    b, p = Buyer(), product()
    order = b.paid((p, 1))
    due = unpaid(b, (p, 1))
    sql("UPDATE orders SET expires_at = now() - interval '1 s' WHERE id IN (:'a', :'b')",
        a=order['id'], b=due['id'])
    b.becomes(due, status='cancelled')
    equal(b.show(order)['status'], 'paid', 'the paid one')


if __name__ == '__main__':
    suite.main()
