"""A known number of things happens, and /metrics says exactly that; whoever is not listed finds nothing.

# settings: METRICS_EVERY=50ms METRICS_FULL_EVERY=100ms METRICS_ADDRESSES=127.0.0.1,198.51.100.0/24,2001:db8::7
# settings: LIMIT_LOGIN=40 PROVIDER_FAILURES=3 PROVIDER_PAUSE=200ms
"""
import os
import secrets
import signal
import subprocess

from metrics_common import Reading, Since, gauge, scrape
from money import Buyer, rule, sim
from nginx_raw import ask, dressed
from owner import Held, ctl, ctl_json, setting_fault, sql, sql_one, start, stop, workers
from soko import API, Shop, Suite, check, demand, equal, until

suite = Suite()
shop = Shop()
seller = shop.new_seller()
category = shop.new_category()['id']
SECONDS = 3  # of the clock, that two programs may see differently


def product(price='100'):
    return shop.new_product(seller, category, price, 100)


@suite.test
def test_promtool_has_nothing_to_say():
    done = subprocess.run(['promtool', 'check', 'metrics'], input=scrape().text, capture_output=True, text=True,
                          timeout=60, check=False)
    equal((done.returncode, done.stdout, done.stderr), (0, '', ''), 'promtool check metrics')
    equal(Reading(ctl('metrics')).kinds, scrape().kinds, 'sokoctl metrics prints the same')


@suite.test
def test_requests_are_counted_by_route_method_and_status():
    thing = product()['id']
    since = Since()
    for _ in range(7):
        demand(shop.call('GET', '/status'), 200)
    for _ in range(5):
        demand(shop.call('GET', '/products/' + '0' * 8 + '-0000-0000-0000-' + '0' * 12), 404)
    for n in range(3):  # by his token: else nginx would answer two of them from its cache
        demand(shop.call('GET', f'/products/{thing}?{n}', token=seller['access_token']), 200)
    demand(shop.call('DELETE', '/status'), 405)
    since.exactly(7, 'soko_requests_total', route=API + '/status', method='GET', status='200')
    since.exactly(3, 'soko_requests_total', route=API + '/products/:id', status='200')
    missing = since.grown('soko_requests_total', route=API + '/products/:id', status='404')
    check(1 <= missing <= 5, f'of the missing, those that nginx had not kept: {missing}')
    since.exactly(1, 'soko_requests_total', route='(none)', method='DELETE', status='405')
    since.exactly(7, 'soko_request_duration_seconds_count', route=API + '/status')
    now = scrape()
    check(since.grown('soko_request_duration_seconds_sum', now, route=API + '/status') > 0, 'they took time')
    equal(since.grown('soko_request_duration_seconds_bucket', now, route=API + '/status', le='+Inf'), 7, 'all')
    equal(now.sum('soko_request_duration_seconds_count'), now.sum('soko_requests_total'), 'each has its time')
    equal(now.sum('soko_queue_wait_seconds_count'), now.sum('soko_requests_total') + 1, 'each waited, this one too')
    rows = {r['path'] for r in ctl_json('routes', '--json')} | {'(none)'}
    equal(now.labels('soko_requests_total', 'route') - rows, set(), 'routes are those of the table')
    equal(now.sum('soko_metrics_dropped_total'), 0, 'everything has room')


@suite.test
def test_buckets_only_grow_from_one_to_the_next():
    now, of = scrape(), {}
    for (name, labels), value in now.values.items():
        if name.endswith('_bucket'):
            rest = frozenset(x for x in labels if x[0] != 'le')
            of.setdefault((name, rest), []).append((float(dict(labels)['le']), value))
    check(len(of) > 10, 'there are histograms')
    for (name, rest), buckets in of.items():
        buckets.sort()
        equal(len(buckets), 14, f'{name} {rest}')
        equal([v for _, v in buckets], sorted(v for _, v in buckets), f'{name} {rest}')
        equal(buckets[-1][1], now.values[name.removesuffix('_bucket') + '_count', rest], 'the last is all')


@suite.test
def test_sales_payments_and_what_they_take():
    thing, buyer, since = product(), shop.sign_up(), Since()
    bought = 4
    for _ in range(bought):
        demand(shop.buy(buyer, thing['id'], key=secrets.token_hex(8)), 201)
    since.exactly(bought, 'soko_requests_total', route=API + '/orders', method='POST', status='201', pool='fast')
    since.exactly(bought, 'soko_deliveries_total', consumer='payments_begin', outcome='done', pool='jobs')
    since.exactly(bought, 'soko_delivery_duration_seconds_count', consumer='payments_begin')
    for name in ('soko_payments', 'soko_payments_last_hour'):
        since.exactly(bought, name, provider='simulated', status='succeeded')
    since.exactly(bought, 'soko_orders', status='paid')
    since.exactly(bought, 'soko_sql_statements_total', statement='CART_ADD_ITEM')
    check(since.grown('soko_sql_seconds_total', statement='TX_COMMIT') > 0, 'a commit takes time')
    now = scrape()
    for what in ('entries', 'cash'):
        equal(now.sum('soko_ledger_difference_minor_units', currency='KES', what=what), 0, 'the ledger agrees')
    equal(now.sum('soko_ledger_unbalanced_transactions'), 0, 'each transaction')
    for reading in ('often', 'full'):
        age = float(sql_one('SELECT extract(epoch FROM now())')) - now.sum('soko_observed_timestamp_seconds', reading=reading)
        check(-SECONDS < age < 60, f'{reading}: read {age} s ago')


@suite.test
def test_a_ledger_that_is_wrong_is_seen():
    thing = sql_one("SELECT id FROM payments WHERE status = 'succeeded' LIMIT 1")
    sql("UPDATE payments SET received = received + 700 WHERE id = :'p'", p=thing)
    gauge(-700, 'soko_ledger_difference_minor_units', currency='KES', what='cash')
    sql("UPDATE payments SET received = received - 700 WHERE id = :'p'", p=thing)
    gauge(0, 'soko_ledger_difference_minor_units', currency='KES', what='cash')
    # No program can book this; somebody who owns the tables can.
    entry = sql("ALTER TABLE ledger_entries DISABLE TRIGGER USER; UPDATE ledger_entries SET amount = amount + 1 "
                "WHERE (transaction_id, entry_no) = (SELECT transaction_id, entry_no FROM ledger_entries "
                "WHERE account = 'buyer_funds' LIMIT 1) RETURNING transaction_id, entry_no")[0]
    gauge(1, 'soko_ledger_unbalanced_transactions')
    gauge(1, 'soko_ledger_difference_minor_units', currency='KES', what='entries')
    sql("UPDATE ledger_entries SET amount = amount - 1 WHERE transaction_id = :'t' AND entry_no = :'n'; "
        "ALTER TABLE ledger_entries ENABLE TRIGGER USER", t=entry[0], n=entry[1])
    gauge(0, 'soko_ledger_unbalanced_transactions')
    gauge(0, 'soko_ledger_difference_minor_units', currency='KES', what='entries')


@suite.test
def test_what_waits_and_what_was_given_up():
    add = ("INSERT INTO outbox (event, consumer, lane, subject, trace_id, attempts, parked_at) "
           "SELECT 'test', 'nobody', 'messages', gen_random_uuid(), 'metrics', :n, :parked FROM generate_series(1, :count)")
    sql(add.replace(':n', '12').replace(':parked', 'now()').replace(':count', '3'))
    gauge(3, 'soko_outbox_parked', lane='messages')
    gauge(0, 'soko_outbox_parked', lane='payments')
    # Nobody listens to it: the twelfth attempt was its last.
    since = Since()
    sql(add.replace(':n', '11').replace(':parked', 'NULL').replace(':count', '1'))
    since.exactly(1, 'soko_deliveries_total', consumer='nobody', outcome='parked')
    gauge(4, 'soko_outbox_parked', lane='messages')
    sql("DELETE FROM outbox WHERE consumer = 'nobody'")
    gauge(0, 'soko_outbox_parked', lane='messages')
    stop('jobs')  # what is due stays so; but nobody looks: the numbers are of the time that is told
    old = scrape().sum('soko_observed_timestamp_seconds', reading='often')
    sql("INSERT INTO outbox (event, consumer, lane, subject, trace_id, available_at, attempts) "
        "VALUES ('test', 'nobody', 'tokens', gen_random_uuid(), 'metrics', now() - interval '1 hour', 11)")
    equal(scrape().sum('soko_observed_timestamp_seconds', reading='often'), old, 'while nobody looks')
    sql("UPDATE outbox SET lane = 'nobody' WHERE consumer = 'nobody'")
    start('jobs')
    until(lambda: (scrape().sum('soko_observed_timestamp_seconds', reading='often') or 0) > old, 'they look again')
    sql("DELETE FROM outbox WHERE consumer = 'nobody'")


@suite.test
def test_the_age_of_what_hangs():
    """Deliveries that are due and that nobody takes, since a transaction holds them."""
    sql("INSERT INTO outbox (event, consumer, lane, subject, trace_id, available_at) "
        "VALUES ('test', 'nobody', 'tokens', gen_random_uuid(), 'metrics', now() + interval '1 hour')")
    gauge(1, 'soko_outbox_deliveries', lane='tokens', state='later')
    with Held("UPDATE outbox SET trace_id = 'held' WHERE consumer = 'nobody'"):
        gauge(0, 'soko_outbox_oldest_due_seconds', lane='tokens')
    with Held("LOCK TABLE outbox IN EXCLUSIVE MODE") as held:
        held._say("UPDATE outbox SET available_at = now() - interval '90 seconds' WHERE consumer = 'nobody';"  # pylint: disable=W0212
                  " COMMIT; BEGIN; SELECT FROM outbox WHERE consumer = 'nobody' FOR UPDATE;")
        until(lambda: 90 <= (scrape().sum('soko_outbox_oldest_due_seconds', lane='tokens') or 0) < 200, 'it is due')
        gauge(1, 'soko_outbox_deliveries', lane='tokens', state='due')
        held._say("DELETE FROM outbox WHERE consumer = 'nobody'; COMMIT; BEGIN;")  # pylint: disable=W0212
        gauge(0, 'soko_outbox_deliveries', lane='tokens', state='due')


@suite.test
def test_what_waits_for_a_person():
    before = scrape()
    equal((before.sum('soko_payments_need_review'), before.sum('soko_refunds_waiting')), (0, 0), 'nothing')
    payment = sql("SELECT id, updated_at FROM payments WHERE status = 'succeeded' LIMIT 1")[0][0]
    sql("INSERT INTO refunds (id, payment_id, amount, currency, reason, status) "
        "VALUES (gen_random_uuid(), :'p', 1, 'KES', 'metrics', 'failed')", p=payment)
    gauge(1, 'soko_refunds_waiting')
    gauge(1, 'soko_refunds', status='failed')
    sql("DELETE FROM refunds WHERE reason = 'metrics'")
    sql("UPDATE payments SET status = 'needs_review' WHERE id = :'p'", p=payment)
    gauge(1, 'soko_payments_need_review')
    sql("UPDATE payments SET status = 'unknown', created_at = created_at - interval '1 day' WHERE id = :'p'", p=payment)
    gauge(1, 'soko_payments_open', provider='simulated', status='unknown')
    age = scrape().sum('soko_payments_oldest_open_seconds', provider='simulated', status='unknown')
    check(86400 <= age < 86400 + 600, f'a day old: {age}')
    sql("UPDATE payments SET status = 'succeeded', created_at = created_at + interval '1 day' WHERE id = :'p'", p=payment)
    gauge(0, 'soko_payments_open', provider='simulated', status='unknown')
    gauge(0, 'soko_payments_oldest_open_seconds', status='unknown')
    gauge(0, 'soko_refunds_waiting')
    equal(scrape().sum('soko_orders_overdue_seconds'), 0, 'no order is late')


@suite.test
def test_the_audit_log_waits_for_its_seal():
    """Entries are sealed every AUDIT_SEAL, 10 seconds: they are seen in between, and sealed in the end."""
    shop.sign_in(seller['email'], seller['password'])
    until(lambda: scrape().sum('soko_audit_unsealed_seconds') > 0, 'an entry without a seal')
    gauge(0, 'soko_audit_unsealed_seconds')


@suite.test
def test_providers_calls_and_their_breaker():
    thing, buyer = product('65'), Buyer()
    order, since = buyer.order(thing['id'], 'mpesa'), Since()
    demand(buyer.call('POST', '/payments/mpesa', {'order_id': order['id'], 'phone': buyer.phone}), 202)
    since.exactly(1, 'soko_provider_calls_total', provider='mpesa', operation='push', outcome='success', pool='wire')
    since.exactly(1, 'soko_provider_call_duration_seconds_count', provider='mpesa', operation='push', pool='wire')
    equal(scrape().sum('soko_provider_breaker_open', provider='mpesa', pool='wire'), 0, 'it answers')
    stripe = Buyer()
    paper = stripe.order(thing['id'], 'stripe')
    bent = rule('stripe', 'create_intent', paper['order_number'], None, status=503, stored=False)
    check(bent is not None, 'the rule stands')
    since = Since()

    def opens():
        stripe.call('POST', '/payments/stripe', {'order_id': paper['id']})
        return scrape().sum('soko_provider_breaker_open', provider='stripe', pool='wire') == 1
    until(opens, 'Stripe is left alone')
    check(since.grown('soko_provider_calls_total', provider='stripe', outcome='failure', pool='wire') >= 3, 'three failed')
    until(lambda: stripe.call('POST', '/payments/stripe', {'order_id': paper['id']}) and
          since.grown('soko_provider_calls_total', provider='stripe', outcome='not_sent') > 0, 'one is not sent')
    sim('DELETE', '/sim/rules')
    until(lambda: stripe.call('POST', '/payments/stripe', {'order_id': paper['id']}).status == 201, 'it answers again')
    gauge(0, 'soko_provider_breaker_open', provider='stripe', pool='wire')


@suite.test
def test_replays_and_limits():
    buyer, key, since = shop.sign_up(), secrets.token_hex(8), Since()
    for _ in range(4):
        shop.call('POST', '/cart/items', {'product_id': product_for_all, 'quantity': 1}, buyer['access_token'],
                  {'Idempotency-Key': key})
    since.exactly(3, 'soko_idempotent_replays_total')
    refused, who = 0, f'198.18.{secrets.randbelow(256)}.{secrets.randbelow(254) + 1}'
    while refused < 3:
        a = ask('POST', API + '/auth/login', {'X-Forwarded-For': who, 'Content-Type': 'application/json'}, b'{}')
        refused += a.status == 429
        check(a.status in (400, 429), repr(a))
    since.exactly(3, 'soko_rate_limited_total', limit='sign_in', pool='hash')
    since.exactly(3, 'soko_requests_total', route=API + '/auth/login', status='429')


@suite.test
def test_redis_that_is_away_is_counted():
    since = Since()
    stop('redis')
    try:
        demand(shop.call('GET', '/cart', token=seller['access_token']), 403)
        until(lambda: since.grown('soko_redis_calls_total', call='gate', outcome='down') >= 1, 'it is down')
    finally:
        start('redis')

    def works():
        shop.call('GET', '/auth/profile', token=seller['access_token'])
        return since.grown('soko_redis_calls_total', call='gate', outcome='ok') >= 1
    until(works, 'it is back')


@suite.test
def test_a_worker_that_dies_takes_no_number_with_it():
    gauge(4, 'soko_workers_wanted', pool='fast')
    since, victim = Since(), sorted(workers('soko-api-fast'))[0]
    for _ in range(20):
        demand(shop.call('GET', '/status'), 200)
    since.exactly(20, 'soko_requests_total', route=API + '/status', status='200')
    os.kill(int(victim), signal.SIGKILL)
    until(lambda: victim not in workers('soko-api-fast'), 'its end')
    since.exactly(1, 'soko_worker_exits_total', pool='fast', reason='signal')
    since.exactly(1, 'soko_worker_starts_total', pool='fast')
    since.exactly(20, 'soko_requests_total', route=API + '/status', status='200')

    def serve(now):
        return sum(now.sum('soko_workers', pool='fast', state=s) for s in ('idle', 'busy'))
    now = until(lambda: next((n for n in [scrape()] if serve(n) == 4), None), 'all are there again, and serve')
    equal(now.sum('soko_workers', pool='fast', state='leaving'), 0, 'nobody leaves')
    for reason in ('deadline', 'failed', 'stop_timeout'):
        equal(now.sum('soko_worker_exits_total', reason=reason), 0, reason)


@suite.test
def test_counters_go_on_when_a_service_starts_anew():
    demand(shop.call('GET', '/status'), 200)
    before, since = scrape(), Since()
    stop('soko-api-fast')
    start('soko-api-fast')
    until(lambda: shop.call('GET', '/health').status == 200, 'it serves again')
    since.exactly(0, 'soko_requests_total', route=API + '/status', status='200')
    now = scrape()
    check(now.sum('soko_start_timestamp_seconds', pool='fast') > before.sum('soko_start_timestamp_seconds', pool='fast'),
          'a new start')
    equal(now.sum('soko_start_timestamp_seconds', pool='hash'), before.sum('soko_start_timestamp_seconds', pool='hash'),
          'the others stay')
    equal(since.grown('soko_worker_exits_total', now, pool='fast', reason='told'), 4, 'four were told')
    for key, value in before.values.items():
        if before.kinds.get(key[0]) == 'counter':
            check(now.values.get(key, -1) >= value, f'{key}: {value}, then {now.values.get(key)}')


@suite.test
def test_files_of_others_are_left_out():
    folder = os.path.join(os.environ['SOKO_STATE'], 'metrics')
    good = sorted(f for f in os.listdir(folder) if f.startswith('hash-'))
    equal(len(good), 1, f'one file of the pool hash: {os.listdir(folder)}')
    with open(os.path.join(folder, good[0]), 'rb') as f:
        content = f.read()
    before = scrape()
    equal(before.text.count('is left out'), 0, 'nothing is')
    for name, data in (('cut', content[:-1]), ('long', content + b'\0'), ('alien', b'x' * len(content)), ('empty', b'')):
        path = os.path.join(folder, good[0].replace('hash', name))
        with open(path, 'wb') as f:
            f.write(data)
        os.chmod(path, 0o644)
        now = scrape()
        os.unlink(path)
        equal(now.text.count('is left out'), 1, name)
        equal(now.labels('soko_workers_wanted', 'pool'), {'fast', 'hash', 'wire', 'jobs'}, name)


@suite.test
def test_strangers_find_nothing():
    for chain in ('198.51.101.1', '127.0.0.2', '203.0.113.9', '127.0.0.1, 203.0.113.9', '2001:db8::8', '::1'):
        dressed(ask('GET', '/metrics', {'X-Forwarded-For': chain}), 404, 'NOT_FOUND')
    dressed(ask('GET', '/metrics', source='127.0.0.2'), 404, 'NOT_FOUND')
    dressed(ask('GET', '/metrics', {'X-Forwarded-For': '127.0.0.1'}, source='127.0.0.2'), 404, 'NOT_FOUND')
    for chain in ('198.51.100.1', '198.51.100.255', '2001:db8::7', '203.0.113.9, 198.51.100.7'):
        a = ask('GET', '/metrics', {'X-Forwarded-For': chain})
        equal((a.status, a.text[:7]), (200, '# HELP '), chain)
    for entry, why in (('0.0.0.0/0', 'too wide'), ('prometheus.example.com', 'no address'), ('10.0.0.0/8; allow all', 'bits')):
        said = setting_fault('METRICS_ADDRESSES', entry)
        check('METRICS_ADDRESSES' in said and why in said, said)
    check('METRICS_DIR' in setting_fault('METRICS_DIR', 'metrics'), 'a folder is an absolute path')


product_for_all = product()['id']
suite.main()
