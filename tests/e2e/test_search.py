"""Search as shoppers know it, cursors, and what the matches are made of."""
import secrets
from urllib.parse import quote

from orders_common import shop
from soko import Suite, check, demand, equal, until

suite = Suite()
admin = shop.admin()
mark = 'z' + secrets.token_hex(4)  # a word that nobody else sells
seller = shop.new_seller('Zawadi')
category = shop.new_category(admin)
names = [f'{mark} kettle', f'{mark} teapot of brass', f'{mark} drum']
products = [shop.new_product(seller, category['id'], price=str(100 + n), name=name,
                             description='For the quiet of the evening')
            for n, name in enumerate(names)]


def found(query):
    """Past the microcache: whoever is signed in reads for himself."""
    return demand(shop.call('GET', f'/products?{query}', token=admin['access_token']), 200)


def names_of(query):
    return {p['name'] for p in found(query).data}


@suite.test
def words_are_found_in_name_description_store_and_category():
    equal(names_of(f'search={mark}'), set(names), 'by name')
    equal(names_of(f'search={mark}+evening'), set(names), 'by description')
    equal(names_of(f'search={quote(category["name"])}'), set(names), 'by category')
    store = shop.call('GET', f'/stores/{seller["store_id"]}').data
    equal(names_of(f'search={quote(store["name"])}'), set(names), 'by store')


@suite.test
def the_last_word_may_be_begun():
    equal(names_of(f'search={mark}+kett'), {names[0]}, 'a beginning')
    equal(names_of(f'search={mark[:6]}'), set(names), 'of a single word')


@suite.test
def a_misspelt_word_is_found():
    equal(names_of(f'search={mark}+kettel'), {names[0]}, 'letters changed places')
    wrong = mark[:4] + 'q' + mark[5:]
    check(set(names) <= names_of(f'search={wrong}+teapott+brasss') | set(names), 'harmless')
    check(names[1] in names_of(f'search={mark}+teepot'), 'one letter is wrong')


@suite.test
def a_match_in_the_name_comes_first():
    other = shop.new_product(seller, category['id'], name='Something plain',
                             description=f'goes with the {mark} kettle')
    first = found(f'search={mark}+kettle&sort_by=relevance').data
    equal([p['id'] for p in first], [products[0]['id'], other['id']], 'the order')
    up = found(f'search={mark}+kettle&sort_by=relevance&sort_order=asc').data
    equal([p['id'] for p in up], [other['id'], products[0]['id']], 'and the other way')


@suite.test
def odd_searches_are_harmless():
    for words in ('%', "'", '\\', '\\\\', "''", ':*', '&|!()', '<->', '"', '-', '😀', '😀 \\', 'a:b:*',
                  "o'neil\\", '%%%%', '_'):
        found('search=' + quote(words))
    demand(shop.call('GET', '/products?search=' + 'x' * 5000), 400)


@suite.test
def a_renamed_store_is_found_by_its_new_name():
    word = 'y' + secrets.token_hex(5)
    who = shop.new_seller('Yusuf')
    product = shop.new_product(who, category['id'])
    demand(shop.call('PUT', f'/stores/{who["store_id"]}', {'name': f'House of {word}'},
                     who['access_token']), 200)
    until(lambda: [p['id'] for p in found(f'search={word}').data] == [product['id']],
          'the new name is searched')


@suite.test
def cursors_walk_through_every_sort_order():
    many = shop.new_category(admin)
    ids = {shop.new_product(seller, many['id'], price=str(1 + n % 3))['id'] for n in range(7)}
    for sort in ('created_at', 'price', 'name', 'rating', 'relevance'):
        for way in ('asc', 'desc'):
            query = f'category_id={many["id"]}&sort_by={sort}&sort_order={way}&per_page=3'
            if sort == 'relevance':
                query += f'&search={quote(many["name"])}'
            whole = [p['id'] for p in found(query.replace('per_page=3', 'per_page=100')).data]
            walked, cursor = [], None
            for _ in range(4):
                page = found(query + (f'&cursor={cursor}' if cursor else ''))
                walked += [p['id'] for p in page.data]
                cursor = page.json['meta']['pagination'].get('next_cursor')
                if cursor is None:
                    break
            equal(set(walked), ids, f'{sort} {way}: all of them')
            equal(walked, whole, f'{sort} {way}: in order, none twice')


@suite.test
def a_cursor_is_known_again_and_no_other_is():
    page = found(f'category_id={category["id"]}&per_page=1&sort_by=name')
    cursor = page.json['meta']['pagination']['next_cursor']
    found(f'category_id={category["id"]}&per_page=1&sort_by=name&cursor={cursor}')
    for query in (f'sort_by=price&cursor={cursor}', 'cursor=abc', 'cursor=' + 'A' * 200,
                  f'sort_by=name&cursor={cursor[:-4]}AAAA', *(f'cursor={"A" * n}' for n in range(20, 27))):
        equal(demand(shop.call('GET', f'/products?{query}'), 400).fields, ['cursor'], query)


@suite.test
def facets_count_the_matches():
    facets = found(f'search={mark}&facets=true').json['meta']['facets']
    equal(sum(c['count'] for c in facets['categories']),
          found(f'search={mark}').json['meta']['pagination']['total_items'], 'every match')
    equal([s['store_id'] for s in facets['stores']], [seller['store_id']], 'one store')
    band = next(b for b in facets['prices'] if b['min_price'] == '100')
    equal((band['below'], band['currency']), ('1000', 'KES'), 'the band of hundreds')
    check('facets' not in found(f'search={mark}').json['meta'], 'only on request')


suite.main()
