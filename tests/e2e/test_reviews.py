"""Reviews: who may write one, and what they make of a product."""
from orders_common import UNKNOWN, Buyer, move, move_all, shop
from soko import Suite, demand, equal, together

suite = Suite()
admin = shop.admin()
seller = shop.new_seller('Sela')
category = shop.new_category(admin)['id']


def product():
    return shop.new_product(seller, category, '100', 50)


def review(who, p, rating=5, **more):
    return shop.call('POST', f'/products/{p["id"]}/reviews', {'rating': rating, **more},
                     who['access_token'])


def shipped_to(p, name='Bea'):
    b = Buyer(name)
    order = b.order((p, 1), method='cash_on_delivery')
    move_all(seller, order, 'processing', 'shipping', 'shipped')
    return b


def rating(p):
    now = demand(shop.call('GET', f'/products/{p["id"]}', token=seller['access_token']), 200).data
    return now['rating_average'], now['rating_count']


@suite.test
def test_only_who_had_it_shipped_may_review():
    p, q, b = product(), product(), Buyer()
    demand(review(b.me, p), 403, 'FORBIDDEN')
    order = b.paid((p, 1))
    for step in ('processing', 'shipping', 'shipped'):
        demand(review(b.me, p), 403, 'FORBIDDEN')
        move_all(seller, order, step)
    for who in (Buyer().me, seller, admin):
        demand(review(who, p), 403, 'FORBIDDEN')
    demand(review(b.me, q), 403, 'FORBIDDEN')
    equal(rating(p), (0, 0), 'without a review')
    a = demand(review(b.me, p, 4, comment='Came the next day'), 201).data
    equal((a['product_id'], a['user_name'], a['rating'], a['comment']),
          (p['id'], 'Bea', 4, 'Came the next day'), 'the review')
    demand(review(b.me, p, 1), 409, 'CONFLICT')
    equal(rating(p), (4, 1), 'the product')


@suite.test
def test_what_was_cancelled_is_not_reviewed():
    p, b = product(), Buyer()
    order = b.order((p, 1), method='cash_on_delivery')
    demand(move(seller, order, 'cancelled'), 200)
    demand(review(b.me, p), 403, 'FORBIDDEN')


@suite.test
def test_a_part_completed_by_one_store_is_not_the_others():
    p, other = product(), shop.new_seller('Otis')
    q, b = shop.new_product(other, category), Buyer()
    order = b.order((p, 1), (q, 1), method='cash_on_delivery')
    move_all(seller, order, 'processing', 'shipping', 'shipped', 'completed')
    demand(review(b.me, q), 403, 'FORBIDDEN')
    demand(review(b.me, p), 201)


@suite.test
def test_a_seller_who_bought_reviews_as_any_role():
    p, other = product(), shop.new_seller('Otis')
    b = Buyer()
    b.token = shop.sign_in(other['email'], other['password'], 'buyer')['access_token']
    order = b.order((p, 1), method='cash_on_delivery')
    move_all(seller, order, 'processing', 'shipping', 'shipped')
    demand(review(other, p), 201)


@suite.test
def test_ratings_are_summed():
    p = product()
    for n, (stars, average) in enumerate(((5, 5), (4, 4.5), (5, 4.67)), 1):
        demand(review(shipped_to(p).me, p, stars), 201)
        equal(rating(p), (average, n), 'the product')
    listed = demand(shop.call('GET', f'/products?category_id={category}&per_page=100',
                              token=seller['access_token']), 200).data
    equal([(x['rating_average'], x['rating_count']) for x in listed if x['id'] == p['id']],
          [(4.67, 3)], 'in the list')


@suite.test
def test_input_is_checked():
    p = product()
    b = shipped_to(p)
    for body, field in (({}, 'rating'), ({'rating': 0}, 'rating'), ({'rating': 6}, 'rating'),
                        ({'rating': 4.5}, 'rating'), ({'rating': '5'}, 'rating'),
                        ({'rating': None}, 'rating'), ({'rating': 5, 'stars': 5}, 'stars'),
                        ({'rating': 5, 'comment': 'x' * 5001}, 'comment'),
                        ({'rating': 5, 'comment': 7}, 'comment')):
        a = demand(b.call('POST', f'/products/{p["id"]}/reviews', body), 400, 'VALIDATION_ERROR')
        equal(a.fields, [field], f'the field of {body}')
    demand(review(b.me, {'id': UNKNOWN}), 404, 'NOT_FOUND')
    demand(review(b.me, {'id': 'x'}), 400, 'VALIDATION_ERROR')
    equal(demand(review(b.me, p), 201).data['comment'], None, 'a review without words')


@suite.test
def test_one_each_even_at_once():
    p = product()
    b = shipped_to(p)
    answers = together(6, lambda i: review(b.me, p, 3))
    equal(sorted(a.status for a in answers), [201] + [409] * 5, 'the statuses')
    equal(rating(p), (3, 1), 'counted once')


@suite.test
def test_reviews_are_listed():
    p = product()
    path = f'/products/{p["id"]}/reviews'
    empty = demand(shop.call('GET', path), 200)
    equal((empty.data, empty.json['meta']['pagination']['total_items']), ([], 0), 'without any')
    names = ('Ada', 'Ben', 'Cleo')
    for stars, name in enumerate(names, 1):
        demand(review(shipped_to(p, name).me, p, stars, comment=f'{name} was here'), 201)
    token = seller['access_token']
    a = demand(shop.call('GET', path + '?per_page=2', token=token), 200)
    equal([(r['user_name'], r['rating']) for r in a.data], [('Cleo', 3), ('Ben', 2)],
          'newest first')
    equal(a.json['meta']['pagination'],
          {'current_page': 1, 'per_page': 2, 'total_items': 3, 'total_pages': 2}, 'pagination')
    a = demand(shop.call('GET', path + '?per_page=2&page=2', token=token), 200)
    equal([r['user_name'] for r in a.data], ['Ada'], 'the second page')
    demand(shop.call('GET', path + '?per_page=101'), 400, 'VALIDATION_ERROR')
    demand(shop.call('GET', f'/products/{UNKNOWN}/reviews'), 404, 'NOT_FOUND')
    demand(shop.call('GET', '/products/x/reviews'), 400, 'VALIDATION_ERROR')


if __name__ == '__main__':
    suite.main()
