"""Orders as sellers see them: their parts, step by step, and what cancelling one gives back."""
from orders_common import (ADDRESS, UNKNOWN, Buyer, move, move_all, part, quiet, shop, stock,
                           unpaid)
from soko import Suite, demand, equal, together

suite = Suite()
admin = shop.admin()
ann, bob = shop.new_seller('Ann'), shop.new_seller('Bob')
category = shop.new_category(admin)['id']
STATUSES = ('pending', 'paid', 'processing', 'shipping', 'shipped', 'completed', 'cancelled')


def product(seller=ann, price='100', amount=10, **more):
    return shop.new_product(seller, category, price, amount, **more)


def listed(seller, query='', **more):
    return demand(shop.call('GET', '/seller/orders' + query, token=seller['access_token'], **more),
                  200)


@suite.test
def test_a_seller_sees_his_own_lines_alone():
    seller, b = shop.new_seller('Sela'), Buyer()
    p, q = product(seller, '10'), product(bob, '7')
    order = b.paid((p, 2), (q, 1))
    a = listed(seller)
    equal(a.json['meta']['pagination']['total_items'], 1, 'orders')
    mine = a.data[0]
    equal((mine['id'], mine['order_number'], mine['store_id'], mine['status'], mine['amount'],
           mine['payment_status'], mine['payment_method'], mine['shipping_address']),
          (order['id'], order['order_number'], seller['store_id'], 'paid', '20', 'paid',
           'simulated', ADDRESS), 'his part')
    equal([(i['product_id'], i['quantity']) for i in mine['items']], [(p['id'], 2)], 'his lines')
    move_all(bob, order, 'processing')
    mine = listed(seller).data[0]
    equal(mine['status'], 'paid', "the other's step is not his")
    stores = {e['store_id'] for e in mine['events']} - {None}
    equal(stores, {seller['store_id']}, 'whose events he sees')
    theirs = next(o for o in listed(bob, '?per_page=100').data if o['id'] == order['id'])
    equal([i['product_id'] for i in theirs['items']], [q['id']], "the other's lines")


@suite.test
def test_a_seller_filters_by_status():
    seller, b = shop.new_seller('Sela'), Buyer()
    p = product(seller, amount=100)
    first, second, third = (b.paid((p, n)) for n in (1, 2, 3))
    move_all(seller, second, 'processing')
    move_all(seller, third, 'cancelled')
    for status in STATUSES:
        wanted = {'paid': [first['id']], 'processing': [second['id']],
                  'cancelled': [third['id']]}.get(status, [])
        a = listed(seller, f'?status={status}')
        equal([o['id'] for o in a.data], wanted, status)
        equal(a.json['meta']['pagination']['total_items'], len(wanted), f'total of {status}')
    equal([o['id'] for o in listed(seller).data], [o['id'] for o in (third, second, first)],
          'newest first')
    equal([o['id'] for o in listed(seller, '?per_page=1&page=3').data], [first['id']], 'a page')
    for query in ('?status=lost', '?page=0', '?store_id=x'):
        demand(shop.call('GET', '/seller/orders' + query, token=seller['access_token']), 400,
               'VALIDATION_ERROR')


@suite.test
def test_an_admin_names_the_store():
    b = Buyer()
    order = b.paid((product(ann), 1), (product(bob), 1))
    for answer in (shop.call('GET', '/seller/orders', token=admin['access_token']),
                   move(admin, order, 'processing')):
        demand(answer, 400, 'VALIDATION_ERROR')
        equal(answer.fields, ['store_id'], 'the field')
    a = listed(admin, f'?store_id={bob["store_id"]}&per_page=100')
    equal({o['store_id'] for o in a.data}, {bob['store_id']}, 'the stores')
    demand(move(admin, order, 'processing', store_id=bob['store_id']), 200)
    now = b.show(order)
    equal((part(now, ann)['status'], part(now, bob)['status']), ('paid', 'processing'), 'the parts')
    for store, status, code in ((bob['store_id'], 403, 'FORBIDDEN'), (UNKNOWN, 403, 'FORBIDDEN')):
        demand(move(ann, order, 'processing', store_id=store), status, code)


@suite.test
def test_each_step_and_no_other():
    b = Buyer()
    order = b.paid((product(), 1))
    way = ['paid', 'processing', 'shipping', 'shipped', 'completed']
    for here, there in zip(way, way[1:] + [None]):
        cancel = {'cancelled'} if here in ('paid', 'processing') else set()
        for wrong in set(STATUSES) - {there} - cancel:
            a = demand(move(ann, order, wrong), 400, 'INVALID_STATUS')
            equal(a.fields, ['status'], f'the field of {here} to {wrong}')
        equal(part(b.show(order), ann)['status'], here, 'where it stands')
        if there:
            a = demand(move(ann, order, there), 200)
            equal(a.data['status'], there, 'where it stands')
    demand(move(ann, order, 'cancelled'), 400, 'INVALID_STATUS')
    events = [e['event'] for e in b.show(order)['events'] if e['store_id']]
    equal(events, way, 'what happened')


@suite.test
def test_input_of_a_step():
    b = Buyer()
    order = b.paid((product(), 1))
    for body, field in (({}, 'status'), ({'status': 'lost'}, 'status'), ({'status': 1}, 'status'),
                        ({'status': 'processing', 'tracking_number': 'x' * 65}, 'tracking_number'),
                        ({'status': 'processing', 'store_id': 'x'}, 'store_id'),
                        ({'status': 'processing', 'amount': 1}, 'amount')):
        a = demand(shop.call('PUT', f'/orders/{order["id"]}/status', body, ann['access_token']),
                   400, 'VALIDATION_ERROR')
        equal(a.fields, [field], f'the field of {body}')
    demand(move(ann, {'id': 'x'}, 'processing'), 400, 'VALIDATION_ERROR')
    demand(move(ann, {'id': UNKNOWN}, 'processing'), 404, 'NOT_FOUND')
    demand(move(bob, order, 'processing'), 404, 'NOT_FOUND')
    demand(move(b.me, order, 'processing'), 403, 'FORBIDDEN')
    equal(b.show(order)['status'], 'paid', 'untouched')


@suite.test
def test_tracking_numbers_stay():
    b = Buyer()
    order = b.paid((product(), 1))
    move_all(ann, order, 'processing')
    a = demand(move(ann, order, 'shipping', tracking_number='KE 2026/1'), 200)
    equal(a.data['tracking_number'], 'KE 2026/1', 'the number')
    move_all(ann, order, 'shipped')
    equal(part(b.show(order), ann)['tracking_number'], 'KE 2026/1', 'for the buyer')


@suite.test
def test_pending_becomes_paid_by_payments_alone():
    b = Buyer()
    for order in (unpaid(b, (product(), 1)),
                  b.order((product(), 1), method='cash_on_delivery')):
        for status in ('paid', 'shipping', 'shipped', 'completed', 'pending'):
            demand(move(ann, order, status), 400, 'INVALID_STATUS')
        now = b.show(order)
        equal((now['status'], now['payment_status']), ('pending', 'unpaid'), 'the order')
    order = unpaid(b, (product(), 1))
    demand(move(ann, order, 'processing'), 400, 'INVALID_STATUS')


@suite.test
def test_cancelling_parts_refunds_each():
    b, p, q = Buyer(), product(ann, '99.99'), product(bob, '0.5')
    order = b.paid((p, 3), (q, 2))
    move_all(bob, order, 'processing')
    move_all(ann, order, 'cancelled')
    now = b.becomes(order, payment_status='partially_refunded')
    equal((now['payment']['status'], now['payment']['refunded'], now['payment']['amount']),
          ('partially_refunded', '299.97', '300.97'), 'the payment')
    equal((now['status'], now['cancel_reason']), ('processing', None), 'the order lives on')
    equal((stock(p, ann), stock(q, ann)), (10, 8), "only this part's stock")
    demand(move(ann, order, 'cancelled'), 400, 'INVALID_STATUS')
    move_all(bob, order, 'cancelled')
    now = b.becomes(order, payment_status='refunded')
    equal((now['status'], now['cancel_reason'], now['payment']['status'],
           now['payment']['refunded']), ('cancelled', 'seller', 'refunded', '300.97'), 'the order')
    equal((stock(p, ann), stock(q, ann)), (10, 10), 'the stock')
    quiet()
    equal(b.show(order)['payment']['refunded'], '300.97', 'no more than was paid')


@suite.test
def test_the_buyer_cancels_what_a_seller_left():
    b, p, q = Buyer(), product(ann), product(bob, '40')
    order = b.paid((p, 1), (q, 1))
    move_all(ann, order, 'cancelled')
    demand(b.cancel(order), 200)
    now = b.becomes(order, payment_status='refunded')
    equal((now['cancel_reason'], now['payment']['refunded']), ('buyer', '140'), 'the order')
    equal((stock(p, ann), stock(q, ann)), (10, 10), 'each restored once')


@suite.test
def test_cancelled_parts_do_not_hold_the_rest_back():
    b = Buyer()
    order = b.order((product(ann), 1), (product(bob), 1), method='cash_on_delivery')
    move_all(ann, order, 'cancelled')
    equal(b.show(order)['status'], 'pending', 'the live part is pending')
    move_all(bob, order, 'processing', 'shipping', 'shipped', 'completed')
    now = b.show(order)
    equal((now['status'], now['payment_status'], part(now, ann)['status']),
          ('completed', 'paid', 'cancelled'), 'the last live part is completed')


@suite.test
def test_steps_that_meet_happen_once():
    b, p = Buyer(), product(amount=10)
    order = b.paid((p, 4))
    steps = [lambda: move(ann, order, 'processing'), lambda: b.cancel(order),
             lambda: move(ann, order, 'cancelled')] * 3
    answers = together(len(steps), lambda i: steps[i]())
    for a in answers:
        if a.status != 200:
            demand(a, 400, 'INVALID_STATUS')
    now = b.becomes(order, payment_status='refunded')
    cancelled = [a for i, a in enumerate(answers) if i % 3 and a.status == 200]
    equal((len(cancelled), now['payment']['refunded'], stock(p, ann)), (1, '400', 10),
          'one cancelled it, and it was given back once')


if __name__ == '__main__':
    suite.main()
