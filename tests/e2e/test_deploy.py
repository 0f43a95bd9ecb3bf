# flavours: check
"""What every deploy does first, `sokoctl migrate up`, beside workers that serve: functions and views are
made anew under their feet, and nobody who asks meanwhile notices.
"""
import os
import re
import secrets
import threading

from owner import Held, ctl, sql_one
from soko import Shop, Suite, check, demand, equal, until

suite = Suite()
DEPLOYS = 5
CLIENTS = 4
STRIDE = 40     # answers between two deploys
CATALOG = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'sql', 'functions', 'catalog.sql')


def deploys_are_not_noticed(deploy):
    shop, over = Shop(), threading.Event()
    answers, failures = [], []
    buyer = shop.sign_up()
    product = demand(shop.call('GET', '/products?search=peaberry+coffee'), 200).data[0]['id']
    demand(shop.call('POST', '/cart/items', {'product_id': product, 'quantity': 1}, buyer['access_token']), 200)

    def browse():
        while not over.is_set():
            for path in (f'/products?search=w{secrets.token_hex(3)}', f'/products?per_page=7&page={secrets.randbelow(9) + 1}',
                         f'/products/{product}?x={secrets.token_hex(3)}', '/cart', '/orders'):
                a = shop.call('GET', path, token=buyer['access_token'])
                (answers if a.status == 200 else failures).append(f'{path}: {a!r}')

    threads = [threading.Thread(target=browse) for _ in range(CLIENTS)]
    for t in threads:
        t.start()
    try:
        for n in range(DEPLOYS):
            wanted = len(answers) + STRIDE
            deploy(n)
            until(lambda: len(answers) >= wanted or failures, 'more answers', 60)  # pylint: disable=W0640
    finally:
        over.set()
        for t in threads:
            t.join()
    equal(failures, [], 'what failed')
    check(len(answers) > DEPLOYS * STRIDE, 'many answers')


@suite.test
def test_functions_are_renewed_beside_workers():
    deploys_are_not_noticed(lambda _: ctl('migrate', 'up'))


@suite.test
def test_a_view_gains_a_column_beside_workers():
    """Those who look for it meanwhile wait, and have looked up the function that gives its rows already."""
    with open(CATALOG, encoding='utf-8') as f:
        view, functions = re.match(r'(.*?CREATE OR REPLACE VIEW product_view AS.*?;)(.*)', f.read(), re.S).groups()

    def deploy(n):
        more = ''.join(f', {i} AS "more_{i}:hidden"' for i in range(n + 1))
        wider = view.replace('\nFROM products p', f'{more}\nFROM products p')
        check(wider != view, 'a column more')
        with Held(wider.rstrip(';')) as held:
            held.wait_for(1)
            held.also(functions)
            held.commit()
        equal(sql_one("SELECT count(*) FROM information_schema.columns WHERE table_name = 'product_view' "
                      "AND column_name LIKE 'more_%'"), str(n + 1), 'columns more')

    deploys_are_not_noticed(deploy)


suite.main()
