# flavours: check
"""With 200,000 products every sort, filter and search of the catalogue goes by an index, as PostgreSQL
plans the compiled-in statements with its settings at their defaults."""
import os
import re

from orders_common import shop
from owner import sql, sql_one
from soko import Suite, check, demand, equal

suite = Suite()
PRODUCTS = 200_000
QUERIES = os.path.join(os.path.dirname(__file__), '..', '..', 'sql', 'queries', 'catalog.sql')


def statement(name):
    """Its text, as the awk script would compile it in."""
    with open(QUERIES, encoding='utf-8') as f:
        text = re.split(r'^-- name: ', f.read(), flags=re.M)
    body = next(t for t in text[1:] if t.split()[0] == name).split('\n', 1)[1]
    return '\n'.join(line for line in body.splitlines() if not line.startswith('--'))


def fill_shop():
    """Sellers, categories and products by SQL; the words are drawn from 20,000."""
    seller = shop.new_seller('Wholesale')
    sql("INSERT INTO categories (id, name) SELECT gen_random_uuid(), 'Shelf ' || n "
        "FROM generate_series(1, 200) n")
    sql("CREATE TEMP TABLE shelf AS SELECT id, row_number() OVER () - 1 AS place FROM categories "
        "WHERE name LIKE 'Shelf %'; "
        "INSERT INTO products (id, store_id, category_id, name, description, price, currency, "
        "                      created_at) "
        "SELECT gen_random_uuid(), :'store', s.id, 'Ware ' || md5((n % 20000)::text), "
        "       'of sort ' || md5((n % 5000)::text), 100 + n * 37 % 900000, 'KES', "
        "       now() - n * interval '1 s' "
        "FROM generate_series(1, :'count'::integer) n JOIN shelf s ON s.place = n % 200; "
        "INSERT INTO product_stock SELECT id, 5 FROM products ON CONFLICT DO NOTHING; "
        "INSERT INTO product_ratings (product_id, rating_count, rating_sum) "
        "SELECT id, 2, 2 + abs(hashtext(id::text)) % 9 FROM products ON CONFLICT DO NOTHING; "
        "ANALYZE", store=seller['store_id'], count=PRODUCTS)
    return seller


seller = fill_shop()
shelf = sql_one("SELECT id FROM categories WHERE name = 'Shelf 7'")
word = sql_one("SELECT split_part(name, ' ', 2) FROM products WHERE category_id = :'c' LIMIT 1",
               c=shelf)
NONE = {'category': None, 'store': None, 'words': None, 'fuzzy': 'false', 'currency': None,
        'least': None, 'most': None, 'stock': None}
KINDS = {'category': 'uuid', 'store': 'uuid', 'words': 'text', 'fuzzy': 'boolean',
         'currency': 'text', 'least': 'bigint', 'most': 'bigint', 'stock': 'boolean'}


def plan(name, key=None, **filters):
    """The plan of a list's first 20 rows, or of those behind `key`."""
    values = {**NONE, **filters}
    literals = ['NULL' if v is None else f"'{v}'" for v in values.values()]
    kinds = list(KINDS.values())
    if name != 'CATALOG_COUNT':
        literals += ['NULL', 'NULL'] if key is None else [f"'{k}'" for k in key]
        literals += ['20', '0']
        kinds += ['text', 'uuid', 'bigint', 'bigint']
    rows = sql(f"SET plan_cache_mode = force_custom_plan; PREPARE s ({', '.join(kinds)}) AS "
               f"{statement(name)}; EXPLAIN EXECUTE s ({', '.join(literals)})")
    return '\n'.join(r[0] for r in rows)


def goes_by(index, text):
    check('Seq Scan on products' not in text and 'Seq Scan on product_ratings' not in text,
          f'all products are read: {text}')
    check(index in text, f'no {index} in {text}')


@suite.test
def sorts_read_an_index_in_order():
    for name, index in (('NEWEST', 'products_newest'), ('OLDEST', 'products_newest'),
                        ('CHEAPEST', 'products_by_price'), ('DEAREST', 'products_by_price'),
                        ('BY_NAME', 'products_by_name'), ('BY_NAME_DOWN', 'products_by_name'),
                        ('BEST_RATED', 'product_ratings_best'),
                        ('WORST_RATED', 'product_ratings_best')):
        goes_by(index, plan('CATALOG_' + name))


@suite.test
def cursors_go_on_in_the_index():
    some = sql("SELECT created_at::text, currency || price, name, id FROM products LIMIT 1")[0]
    for name, index, key in (('NEWEST', 'products_newest', some[0]),
                             ('OLDEST', 'products_newest', some[0]),
                             ('CHEAPEST', 'products_by_price', some[1]),
                             ('DEAREST', 'products_by_price', some[1]),
                             ('BY_NAME', 'products_by_name', some[2]),
                             ('BY_NAME_DOWN', 'products_by_name', some[2])):
        text = plan('CATALOG_' + name, (key, some[3]))
        goes_by(index, text)
        check('Index Cond: (ROW(' in text, f'the key is no condition of the index: {text}')


@suite.test
def each_filter_goes_by_an_index():
    for filters, index in (({'category': shelf}, 'products_of_category'),
                           ({'currency': 'KES', 'least': 500, 'most': 600}, 'products_by_price'),
                           ({'words': word}, 'products_search'),
                           ({'words': word[:12]}, 'products_search'),
                           ({'words': word, 'fuzzy': 'true'}, 'products_trigrams')):
        for name in ('CATALOG_NEWEST', 'CATALOG_COUNT'):
            text = plan(name, **filters)
            check('Seq Scan on products' not in text, f'{filters}: all products are read: {text}')
        goes_by(index, plan('CATALOG_COUNT', **filters))


@suite.test
def filters_combine():
    text = plan('CATALOG_CHEAPEST', category=shelf, words=word, currency='KES', least=100,
                most=900000)
    check('Seq Scan on products' not in text, text)
    for name in ('CATALOG_BEST_MATCH', 'CATALOG_WORST_MATCH'):
        goes_by('products_search', plan(name, words=word))
        goes_by('products_trigrams', plan(name, words=word, fuzzy='true'))


@suite.test
def what_is_found_is_right():
    found = demand(shop.call('GET', f'/products?search={word}&per_page=100'), 200)
    wanted = int(sql_one("SELECT count(*) FROM products WHERE name = 'Ware ' || :'w' OR "
                         "description = 'of sort ' || :'w'", w=word))
    equal(found.json['meta']['pagination']['total_items'], wanted, 'the matches')
    all_of_them = demand(shop.call('GET', '/products'), 200).json['meta']['pagination']
    equal((all_of_them['total_items'], all_of_them.get('total_is_capped')), (10000, True), 'capped')


suite.main()
