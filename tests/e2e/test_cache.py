"""The microcache: nothing personal is ever kept, and what is public is a second old at most."""
import secrets

from orders_common import Buyer, shop
from owner import ctl_json
from soko import Suite, check, demand, equal, together, until

suite = Suite()
admin = shop.admin()
seller = shop.new_seller('Sela')
product = shop.new_product(seller, shop.new_category(admin)['id'], price='100')
path = f'/products/{product["id"]}'


@suite.test
def two_accounts_that_cross_see_each_their_own():
    ann, ben = Buyer('Ann'), Buyer('Ben')
    ann.fill((product, 1))
    ben.fill((product, 2))
    own = {ann.token: (ann.me['email'], 1), ben.token: (ben.me['email'], 2)}

    def read(n):
        token = (ann.token, ben.token)[n % 2]
        profile = demand(shop.call('GET', '/auth/profile', token=token), 200)
        cart = demand(shop.call('GET', '/cart', token=token), 200)
        for a in (profile, cart):
            check('no-store' in a.headers['cache-control'], 'not to be kept by anybody')
        return (profile.data['email'], cart.data['item_count']) == own[token]

    equal(together(40, read), [True] * 40, 'forty readers at once')
    for private in ('/auth/profile', '/cart', '/orders'):
        demand(shop.call('GET', private), 401)
    shared = {e['path'] for e in ctl_json('routes', '--json')
              if e['cacheable'] and e['who'] != 'anyone'}
    equal(shared, set(), 'routes that are kept, and not public')


@suite.test
def a_public_answer_with_a_token_is_not_kept():
    mark = secrets.token_hex(4)
    query = f'/products?search={mark}'
    first = demand(shop.call('GET', query, token=seller['access_token']), 200)
    check('no-store' in first.headers['cache-control'], 'not to be kept')
    check('x-ratelimit-limit' not in demand(shop.call('GET', query), 200).headers,
          'an anonymous answer carries nobody\'s counter')


@suite.test
def a_sellers_change_is_seen_within_the_second():
    equal(demand(shop.call('GET', path), 200).data['price'], '100', 'kept')
    demand(shop.call('PUT', path, {'price': '111'}, seller['access_token']), 200)
    equal(demand(shop.call('GET', path, token=seller['access_token']), 200).data['price'], '111',
          'at once for whoever is signed in')
    until(lambda: shop.call('GET', path).data['price'] == '111', 'for everybody')


@suite.test
def a_tag_changes_with_what_it_tags():
    def tag(query=''):
        return demand(shop.call('GET', f'/products?search={product["name"].split()[1]}{query}',
                                token=seller['access_token']), 200).headers['etag']

    before = tag()
    check(before.startswith('W/"'), 'it is weak')
    equal(tag(), before, 'the same for the same, whatever meta says')
    check(tag('&facets=true') != before, 'facets count')
    demand(shop.call('PUT', path, {'price': '112'}, seller['access_token']), 200)
    check(tag() != before, 'a new price, a new tag')


suite.main()
