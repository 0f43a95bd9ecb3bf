"""The holes of the five older systems that must not come back: tests/README.md says each in words."""
# settings: JOBS_POLL=1h JOBS_SWEEP=1d
import os

from orders_common import UNKNOWN, Buyer, move_all, part, shop, stock
from owner import ctl, sql, sql_one, start, stop, workers
from soko import Failed, Suite, check, demand, equal, together, until

suite = Suite()
admin = shop.admin()
category = shop.new_category(admin)
seller = shop.new_seller('Sela')
CASH = 'cash_on_delivery'


def product(**more):
    return shop.new_product(seller, category['id'], **more)


def rows_of(order_id):
    """What the database holds of an order: orders, parts, lines, stock movements."""
    return [int(n) for n in sql("SELECT (SELECT count(*) FROM orders WHERE id = :'id'), "
                                "(SELECT count(*) FROM order_parts WHERE order_id = :'id'), "
                                "(SELECT count(*) FROM order_lines WHERE order_id = :'id')",
                                id=order_id)[0]]


def die_at(point, call):
    """Makes the worker that serves `call` end itself at a fault point. Gives the answer."""
    path = os.path.join(os.environ['SOKO_FAULT_DIR'], point)
    with open(path, 'w', encoding='ascii'):
        os.chmod(path, 0o666)
    answer = call()
    check(not os.path.exists(path), f'nobody passed {point}')
    check(answer.status in (502, 503, 504), f'a clean error, not {answer!r}')
    return answer


@suite.test
def hole_01_prices_come_from_the_database():
    p, ann = product(price='100'), Buyer()
    for body in ({'product_id': p['id'], 'quantity': 1, 'price': '1'},):
        equal(demand(ann.call('POST', '/cart/items', body), 400).fields, ['price'], 'unknown')
    for extra in ({'total_amount': '1'}, {'amount': '1'}):
        ann.fill((p, 1))
        equal(demand(ann.place(CASH, **extra), 400).fields, list(extra), 'unknown')
    sql("UPDATE products SET price = 12345 WHERE id = :'id'", id=p['id'])
    order = demand(ann.place(CASH), 201).data
    equal(order['total_amount'], '246.9', 'two, at the price of now')


@suite.test
def hole_02_order_items_and_stock_are_one_transaction():
    p, ann = product(stock=5), Buyer()
    ann.fill((p, 2))
    die_at('before_commit', lambda: ann.place(CASH))
    equal(stock(p, ann.me), 5, 'the stock')
    equal(demand(ann.call('GET', '/orders'), 200).data, [], 'no order')
    equal(demand(ann.call('GET', '/cart'), 200).data['item_count'], 2, 'the cart')
    equal(rows_of(demand(ann.place(CASH), 201).data['id']), [1, 1, 1], 'all of it')
    equal(stock(p, ann.me), 3, 'the stock')


@suite.test
def hole_03_stock_is_taken_with_the_order():
    p, ann = product(stock=5), Buyer()
    ann.order((p, 2), method=CASH)
    equal(stock(p, ann.me), 3, 'before anybody has paid')
    try:
        sql("UPDATE product_stock SET available = -1 WHERE product_id = :'id'", id=p['id'])
    except Failed as e:
        check('product_stock_available_check' in str(e), 'the constraint refuses')
    else:
        raise Failed('the database takes negative stock')


@suite.test
def hole_04_a_shortage_with_some_left_is_a_shortage():
    p, ann = product(stock=3), Buyer()
    short = demand(ann.call('POST', '/cart/items', {'product_id': p['id'], 'quantity': 4}), 409,
                   'INSUFFICIENT_STOCK')
    equal(short.errors[0]['details']['available'], 3, 'what there is')
    ann.fill((p, 3))
    sql("UPDATE product_stock SET available = 1 WHERE product_id = :'id'", id=p['id'])
    short = demand(ann.place(CASH), 409, 'INSUFFICIENT_STOCK')
    equal(short.errors[0]['details'], {'product_id': p['id'], 'available': 1}, 'what there is')
    equal(stock(p, ann.me), 1, 'nothing was taken')


@suite.test
def hole_05_an_order_reaches_the_stock():
    """There is one process and one statement; that every answer has the shape that its reader
    expects is tests/contract/check.py."""
    p, q, ann = product(stock=9), product(stock=9), Buyer()
    ann.order((p, 2), (q, 3), method=CASH)
    equal((stock(p, ann.me), stock(q, ann.me)), (7, 6), 'each by its quantity')


@suite.test
def hole_06_a_cart_answers_after_each_write():
    p, ann = product(), Buyer()
    path = f'/cart/items/{p["id"]}'
    for method, where, body, count in (('POST', '/cart/items',
                                        {'product_id': p['id'], 'quantity': 2}, 2),
                                       ('PUT', path, {'quantity': 5}, 5), ('DELETE', path, None, 0)):
        equal(demand(ann.call(method, where, body), 200).data['item_count'], count, method)
        equal(demand(ann.call('GET', '/cart'), 200).data['item_count'], count, 'read again')


@suite.test
def hole_18_an_anonymous_order_kills_nobody():
    before = workers('soko-api-fast')
    for body in (None, {}, {'items': None}, {'shipping_address': {}}):
        demand(shop.call('POST', '/orders', body), 401)
    equal(workers('soko-api-fast'), before, 'the workers')


@suite.test
def hole_19_workers_are_apart_and_time_outs_nest():
    victim = sorted(workers('soko-api-fast'))[0]
    os.kill(int(victim), 9)
    until(lambda: victim not in workers('soko-api-fast') and len(workers('soko-api-fast')) == 4,
          'another worker')
    demand(shop.call('GET', '/categories'), 200)
    ms = {'ms': 1, 's': 1000, 'min': 60000}

    def span(text):
        number = text.rstrip('abcdefghijklmnopqrstuvwxyz')
        return int(number) * ms[text[len(number):]]

    def setting(name):
        return span(ctl('config', name).strip())

    with open(os.path.join(os.environ['SOKO_STATE'], 'nginx', 'sites-available', 'soko'),
              encoding='utf-8') as f:
        said = [line.split()[1].rstrip(';') for line in f if line.split()[:1] == ['fastcgi_read_timeout']]
    equal(len(said), 1, 'one word of nginx')
    check(setting('STATEMENT_TIMEOUT') < setting('WORKER_DEADLINE') < span(said[0]),
          'each inside the next')


@suite.test
def hole_20_a_body_sets_only_what_it_may():
    p, ann = product(stock=5), Buyer()
    ann.fill((p, 1))
    for field in ('id', 'customer_id', 'account_id', 'status', 'payment_status', 'user_id'):
        equal(demand(ann.place(CASH, **{field: UNKNOWN}), 400).fields, [field], 'refused by name')
    for quantity in (-1, 0, 1000, 1.5, '1', None, True, 2**63, 10**30):
        demand(ann.call('POST', '/cart/items', {'product_id': p['id'], 'quantity': quantity}), 400)
    equal(stock(p, ann.me), 5, 'the stock')


@suite.test
def hole_21_an_answer_comes_after_the_commit():
    p, ann = product(), Buyer()
    order = ann.order((p, 1), method=CASH)
    equal(rows_of(order['id']), [1, 1, 1], 'another session of the database sees it at once')


@suite.test
def hole_22_stock_reaches_zero_and_no_less():
    p = product(stock=3)
    buyers = [Buyer(f'Ann{n}') for n in range(6)]
    for b in buyers:
        b.fill((p, 1))
    got = together(6, lambda n: buyers[n].place(CASH).status)
    equal(sorted(got), [201] * 3 + [409] * 3, 'three of six')
    equal(stock(p, buyers[0].me), 0, 'the stock')


@suite.test
def hole_23_what_a_cart_answers_is_written():
    p, ann = product(), Buyer()
    ann.fill((p, 2))
    equal(sql_one("SELECT quantity FROM cart_items WHERE product_id = :'p'", p=p['id']), '2',
          'the row')


@suite.test
def hole_29_stock_is_what_the_database_says():
    p, ann = product(stock=10), Buyer()
    equal(stock(p, ann.me), 10, 'read once, so that a cache would hold it')
    ann.fill((p, 5))
    sql("UPDATE product_stock SET available = 4 WHERE product_id = :'id'", id=p['id'])
    equal(stock(p, ann.me), 4, 'the stock of now')
    demand(ann.place(CASH), 409, 'INSUFFICIENT_STOCK')


@suite.test
def hole_32_cancelling_twice_gives_stock_back_once():
    p, ann = product(stock=10), Buyer()
    order = ann.order((p, 4), method=CASH)
    got = together(8, lambda n: ann.cancel(order).status)
    equal(sorted(got), [200] + [400] * 7, 'one of eight')
    equal(stock(p, ann.me), 10, 'the stock')


@suite.test
def hole_33_an_event_is_written_with_its_cause():
    def events():
        return int(sql_one("SELECT count(*) FROM outbox WHERE event = 'order.created'"))

    p, ann = product(), Buyer()
    ann.fill((p, 1))
    before = events()
    die_at('before_commit', lambda: ann.place('simulated'))
    equal(events(), before, 'no order, no event')
    die_at('after_commit', lambda: ann.place('simulated'))
    equal(events(), before + 1, 'an order whose answer was lost has its event')
    equal(len(demand(ann.call('GET', '/orders'), 200).data), 1, 'one order')


@suite.test
def hole_34_sellers_see_and_move_their_own_part():
    other = shop.new_seller('Otto')
    p, q, ann = product(), shop.new_product(other, category['id']), Buyer()
    order = ann.order((p, 1), (q, 1), method=CASH)
    move_all(seller, order, 'processing', 'shipping')
    now = ann.show(order)
    equal((part(now, seller)['status'], part(now, other)['status'], now['status']),
          ('shipping', 'pending', 'pending'), 'each its own')
    for who, mine in ((seller, p), (other, q)):
        seen = demand(shop.call('GET', '/seller/orders', token=who['access_token']), 200).data
        seen = next(o for o in seen if o['id'] == order['id'])
        equal([i['product_id'] for i in seen['items']], [mine['id']], 'own lines alone')
        check(other['store_id'] not in str(seen) or who is other, 'no word of the other')
        demand(shop.call('GET', f'/orders/{order["id"]}', token=who['access_token']), 403)


@suite.test
def hole_40_errors_have_their_own_codes():
    token = admin['access_token']
    one, two = shop.new_category(admin), shop.new_category(admin)
    shop.new_product(seller, one['id'])
    demand(shop.call('PUT', f'/categories/{two["id"]}', {'name': one['name']}, token), 409)
    demand(shop.call('DELETE', f'/categories/{one["id"]}', token=token), 409, 'CONFLICT')
    demand(shop.call('GET', '/products?category_id=nonsense'), 400, 'VALIDATION_ERROR')
    for body, field in (({'price': '-1'}, 'price'), ({'stock': -1}, 'stock')):
        refused = shop.call('POST', '/products', {'name': 'P', 'price': '1',
                                                  'category_id': one['id'], **body},
                            seller['access_token'])
        equal(demand(refused, 400).fields, [field], 'named')
    empty = demand(shop.call('GET', f'/products?category_id={two["id"]}'), 200)
    equal(empty.json['data'], [], 'an empty list is there')
    check('Index' in ''.join(r[0] for r in sql(
        "SET enable_seqscan = off; EXPLAIN SELECT * FROM product_matches(NULL, NULL, 'word', false, "
        "NULL, NULL, NULL, NULL)")), 'search uses its index')


@suite.test
def hole_42_a_bad_address_ends_the_request():
    p, ann = product(stock=4), Buyer()
    ann.fill((p, 1))
    for address in ({'shipping_address': None}, {'shipping_address': 7}, {'address_id': UNKNOWN},
                    {'address_id': 'x'}, {}):
        body = {'payment_method': CASH, **address}
        check(demand(ann.call('POST', '/orders', body), 400).fields, 'a field is named')
    equal((stock(p, ann.me), demand(ann.call('GET', '/orders'), 200).data), (4, []), 'nothing done')


@suite.test
def hole_46_no_transaction_is_left_open():
    ann = Buyer()
    for _ in range(50):
        demand(ann.place(CASH), 400)
        demand(ann.call('POST', '/cart/items', {'product_id': UNKNOWN, 'quantity': 1}), 404)
        demand(ann.call('PUT', f'/orders/{UNKNOWN}/cancel'), 404)
    equal(sql_one("SELECT count(*) FROM pg_stat_activity WHERE usename = 'soko_app' "
                  "AND state LIKE 'idle in transaction%'"), '0', 'open transactions')


@suite.test
def hole_48_money_is_never_floating():
    ann = Buyer()
    cents = [product(price=price) for price in ('0.1', '0.2', '0.7')]
    order = ann.order(*[(p, 3) for p in cents], method=CASH)
    equal((order['total_amount'], [i['subtotal'] for i in order['items']]),
          ('3', ['0.3', '0.6', '2.1']), 'exact sums')
    dear = product(price='9007199254740.93')
    equal(dear['price'], '9007199254740.93', 'beyond what a double holds in cents')
    for price in ('1e3', '0x10', '1.234', 'NaN', '+1', ' 1', '1,5', 1e400, True):
        refused = shop.call('POST', '/products', raw=(
            '{"name":"P","category_id":"%s","price":%s}' % (
                category['id'], 'true' if price is True else '1e400' if price == 1e400
                else f'"{price}"')).encode(), token=seller['access_token'])
        equal(demand(refused, 400).fields, ['price'], f'{price}')


@suite.test
def hole_41_the_shop_is_open_without_redis():
    p, ann = product(), Buyer()
    stop('redis')
    try:
        demand(shop.call('GET', '/categories'), 200)
        demand(ann.call('GET', '/auth/profile'), 200)
        ann.order((p, 1), method=CASH)
        equal(demand(shop.call('GET', '/ready'), 200).data['redis'], 'degraded', 'it says so')
    finally:
        start('redis')
    until(lambda: shop.call('GET', '/ready').data['redis'] == 'ok', 'Redis')


@suite.test
def hole_24_no_other_database_steps_in():
    p, ann = product(), Buyer()
    ann.fill((p, 1))
    stop('postgres')
    try:
        demand(shop.call('GET', '/ready'), 503, 'SERVICE_UNAVAILABLE')
        demand(ann.place(CASH), 503, 'SERVICE_UNAVAILABLE')
        demand(shop.call('GET', '/health'), 200)
    finally:
        start('postgres')
    until(lambda: shop.call('GET', '/ready').status == 200, 'the database')
    until(lambda: ann.call('GET', '/cart').status == 200, 'every worker')
    demand(ann.place(CASH), 201)


suite.main()
