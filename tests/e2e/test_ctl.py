"""The sysadmin's hand: what sokoctl shows and does of users, stores, orders and the outbox, what the API
says afterwards, what is in the audit log, and how it refuses.

# settings: JOBS_BACKOFF=50ms JOBS_BACKOFF_MAX=100ms JOBS_POLL=20ms JOBS_MAX_ATTEMPTS=2 LIMIT_LOGIN_ACCOUNT=3
"""
import json
import os
import pwd
import subprocess

from audit_common import account_of, entries, run
from orders_common import Buyer, UNKNOWN, shop, stock, unpaid
from owner import ctl, sql, sql_one
from soko import Suite, check, demand, equal, until

suite = Suite()
admin = shop.admin()
TOKEN = admin['access_token']
seller = shop.new_seller()
category = shop.new_category(admin)['id']
USAGE, FAILED = 64, 1


def lines(*words):
    return [json.loads(line) for line in ctl(*words, '--json').splitlines()]


def one(*words):
    found = lines(*words)
    equal(len(found), 1, f'{words} is one object')
    return found[0]


def refused(*words, status=FAILED, says=''):
    got, said = run(*words)
    equal(got, status, f'{words}: {said}')
    check(said.startswith('sokoctl: ') and says in said, f'{words}: it says why: {said}')


def audited(event, subject, /, **detail):
    """The newest such entry is ours, and says so."""
    e = entries(subject=subject, event=event)[-1]
    check(e['operator'] and e['actor'] is None, f'{event} is of the system user: {e}')
    equal({k: e['detail'].get(k) for k in detail}, detail, f'{event} in detail')


# --- the command line ----------------------------------------------------------------------------


@suite.test
def what_a_command_does_not_take_is_refused_by_name():
    refused('user', 'list', '--nginx', status=USAGE, says='user list takes no --nginx')
    refused('user', 'show', status=USAGE, says='user show needs WHO')
    refused('user', 'show', 'a', 'b', status=USAGE, says="user show takes no 'b'")
    refused('user', 'list', '--role', status=USAGE, says='--role needs a value')
    refused('user', 'list', '--json=yes', status=USAGE, says='--json takes no value')
    refused('user', 'list', '--nonsense', status=USAGE, says='--nonsense: no such option')
    refused('user', 'list', '--rol', 'admin', status=USAGE, says='--rol: no such option')
    refused('user', 'nonsense', status=USAGE, says='user nonsense: no such command')
    for words in (['user', 'list', '--nginx'], ['user', 'list', '--nonsense']):
        check('usage: sokoctl user list [--search WORDS]' in run(*words)[1], f'{words}: how it is said')
    check('user deactivate' in run('user')[1] and 'ledger' not in run('user')[1], 'what begins alike')
    check('-x: no such option' in run('-x', 'user', 'list')[1], 'a single dash')
    equal(ctl('user', 'list', '--limit=1').count('\n'), 2, '--name=value is --name value')


@suite.test
def help_is_of_the_command_that_is_named():
    said = ctl('user', 'create', '--help')
    check('--password-stdin' in said and '--nginx' not in said and 'ledger' not in said, said)
    check('buyer|admin' in said, 'what an option may be')
    check('JOBS_LEASE' in ctl('--help') and 'JOBS_LEASE' not in said, 'settings in the whole alone')
    said = ctl('outbox', '--help')
    check('outbox drop' in said and 'user list' not in said, said)
    check(ctl('--version').startswith('sokoctl '), 'the version')


# --- users ---------------------------------------------------------------------------------------


@suite.test
def users_are_listed_and_found_by_any_name():
    ann = shop.sign_up('Ann')
    sql("UPDATE accounts SET name = E'Annabel \\x1b[2J\\u009b1m' WHERE id = :'id'", id=account_of(ann))
    rows = lines('user', 'list', '--search', ann['email'])
    equal([r['email'] for r in rows], [ann['email']], 'by e-mail address')
    api = demand(shop.call('GET', f'/admin/users?search={ann["email"]}', token=TOKEN), 200).data[0]
    equal(rows[0], api, 'the same as the API says')
    table = ctl('user', 'list', '--search', ann['email'])
    check(table.startswith('id ') and api['id'] in table, table)
    check('Annabel ?[2J?1m ' in table, 'a terminal is shown no controls')
    sql("UPDATE accounts SET phone = '+254700100200', username = 'annabel' WHERE id = :'id'", id=api['id'])
    for name in (api['id'], ann['email'], ann['email'].upper(), '+254700100200', '0700100200', 'Annabel'):
        equal(one('user', 'show', name)['id'], api['id'], f'by {name}')
    shown = one('user', 'show', 'annabel')
    equal({k: shown[k] for k in ('second_factor', 'sessions', 'api_keys', 'store_id')},
          {'second_factor': False, 'sessions': 1, 'api_keys': 0, 'store_id': None}, 'what hangs on it')
    check(f'email: {ann["email"]}\n' in ctl('user', 'show', 'annabel'), 'a member a line')
    for name in (UNKNOWN, 'nobody@example.com', '+254700999999', 'nobodyhere'):
        refused('user', 'show', name, says=f'{name}: there is no such account' if name == UNKNOWN else '')
    refused('user', 'show', 'no name at all', says='username')
    refused('user', 'list', '--role', 'king', status=USAGE, says='--role: is none of buyer|seller|admin')
    refused('user', 'list', '--limit', 'many', status=USAGE, says='--limit')
    check(all('admin' in r['roles'] for r in lines('user', 'list', '--role', 'admin')), 'by role')


@suite.test
def long_lists_are_cut_for_people_and_whole_for_programs():
    sql("INSERT INTO accounts (id, name, username, password_hash) SELECT gen_random_uuid(), 'Crowd', 'crowd' || n, "
        "'$y$j75$aaaa$' || repeat('b', 43) FROM generate_series(1, 1203) n")
    try:
        equal(len(lines('user', 'list', '--search', 'Crowd')), 1203, 'programs get all')
        equal(len(lines('user', 'list', '--search', 'Crowd', '--limit', '700')), 700, 'or what they ask for')
        status, said = run('user', 'list', '--search', 'Crowd')
        equal((status, said.count('Crowd')), (0, 100), 'people a hundred')
        check('there are more than these 100; --limit N shows N' in said, said[-200:])
        equal(ctl('user', 'list', '--search', 'Crowd', '--limit', '1203').count('Crowd'), 1203, 'or more')
        check('there are none' in run('user', 'list', '--search', 'Nobody')[1], 'or none')
    finally:
        sql("DELETE FROM accounts WHERE name = 'Crowd'")


@suite.test
def an_account_is_deactivated_and_activated():
    ann = Buyer()
    account = account_of(ann.me)
    ctl('user', 'deactivate', ann.me['email'])
    demand(ann.call('GET', '/auth/profile'), 401)
    demand(shop.call('POST', '/auth/login', {'email': ann.me['email'], 'password': ann.me['password']}), 403)
    equal(one('user', 'show', account)['is_active'], False, 'it says so')
    check(account in [u['id'] for u in lines('user', 'list', '--status', 'inactive')], 'and is listed so')
    audited('account.deactivated', account)
    ctl('user', 'activate', account)
    shop.sign_in(ann.me['email'], ann.me['password'])
    audited('account.activated', account)
    refused('user', 'deactivate', UNKNOWN, says='there is no such account')


@suite.test
def roles_are_given_and_taken():
    ann = Buyer()
    account = account_of(ann.me)
    ctl('user', 'grant', ann.me['email'], 'admin')
    audited('account.role_granted', account, role='admin')
    boss = shop.sign_in(ann.me['email'], ann.me['password'])
    demand(shop.call('GET', '/admin/users', token=boss['access_token']), 200)
    ctl('user', 'revoke', ann.me['email'], 'admin')
    audited('account.role_revoked', account, role='admin')
    demand(shop.call('GET', '/admin/users', token=boss['access_token']), 401)
    refused('user', 'grant', ann.me['email'], 'seller', status=USAGE, says='none of buyer|admin')
    refused('user', 'revoke', ann.me['email'], 'buyer', says='must name at least one role')


@suite.test
def all_sessions_of_an_account_are_ended():
    ann = Buyer()
    other = shop.sign_in(ann.me['email'], ann.me['password'])
    ctl('user', 'sign-out', ann.me['email'])
    for token in (ann.token, other['access_token']):
        demand(shop.call('GET', '/auth/profile', token=token), 401)
    check(all(e['detail']['reason'] == 'by_administrator' and e['operator']
              for e in entries(event='session.ended')[-2:]), 'both are in the audit log')
    shop.sign_in(ann.me['email'], ann.me['password'])
    refused('user', 'sign-out', UNKNOWN, says='no such account')


@suite.test
def who_is_locked_out_is_let_in():
    ann, ben = shop.sign_up('Ann'), shop.sign_up('Ben')

    def lock_out(who):
        sql('DELETE FROM known_addresses')  # else the address that he is known from lets him in
        for _ in range(3):
            demand(shop.call('POST', '/auth/login', {'email': who['email'], 'password': 'wrong'}), 401)
        demand(shop.call('POST', '/auth/login', {'email': who['email'], 'password': who['password']}), 429)

    def may_enter(who, status):
        demand(shop.call('POST', '/auth/login', {'email': who['email'], 'password': who['password']}), status)

    lock_out(ann)
    lock_out(ben)
    check('1 counts' in ctl('user', 'forgive', ann['email']), 'one count')
    audited('account.tries_forgiven', account_of(ann))
    may_enter(ann, 200)
    may_enter(ben, 429)
    ctl('user', 'forgive', '--all')
    equal(sql_one('SELECT count(*) FROM tries'), '0', 'nothing is counted')
    may_enter(ben, 200)
    refused('user', 'forgive', status=USAGE, says='takes an account, or --all')
    refused('user', 'forgive', ann['email'], '--all', status=USAGE, says='takes an account, or --all')
    refused('user', 'forgive', UNKNOWN, says='no such account')


@suite.test
def old_hashes_are_taken_away():
    ann, old = shop.sign_up('Ann'), shop.sign_up('Old')
    sql("UPDATE accounts SET password_hash = '$2b$10$' || repeat('a', 53) WHERE id = :'id'", id=account_of(old))
    refused('user', 'drop-hashes', status=USAGE, says='say it again with --yes')
    check(ctl('user', 'drop-hashes', '--yes').startswith('1 accounts'), 'one')
    check(ctl('user', 'drop-hashes', '--yes').startswith('0 accounts'), 'and none')
    equal(sql_one("SELECT count(*) FROM accounts WHERE password_scheme LIKE '$2%'"), '0', 'none is left')
    equal(entries(event='accounts.hashes_dropped')[-1]['detail'], {'accounts': '1'}, 'it is in the audit log')
    demand(shop.call('POST', '/auth/login', {'email': old['email'], 'password': old['password']}), 401)
    shop.sign_in(ann['email'], ann['password'])


# --- stores --------------------------------------------------------------------------------------


@suite.test
def a_store_is_suspended_and_opened():
    keeper = shop.new_seller('Kibo')
    product = shop.new_product(keeper, category)
    store = keeper['store_id']
    name = one('store', 'show', store)['name']
    equal(one('store', 'show', name.upper())['id'], store, 'by its name')
    equal(one('store', 'show', store)['products'], 1, 'what it sells')
    ctl('store', 'suspend', name)
    equal(demand(shop.call('GET', f'/stores/{store}'), 200).data['status'], 'suspended', 'the store')
    demand(Buyer().call('POST', '/cart/items', {'product_id': product['id'], 'quantity': 1}), 404)
    audited('store.status_set', store, status='suspended')
    check(store in [s['id'] for s in lines('store', 'list', '--status', 'suspended')], 'it is listed so')
    ctl('store', 'open', store)
    audited('store.status_set', store, status='active')
    equal([s['id'] for s in lines('store', 'list', '--search', name)], [store], 'by a part of its name')
    Buyer().order((product, 1))
    refused('store', 'suspend', 'No such store', says='No such store: there is no such store')
    refused('store', 'list', '--status', 'closed', status=USAGE, says='none of active|suspended')


@suite.test
def a_stores_rate_is_set():
    store = seller['store_id']
    ctl('store', 'commission', store, '850')
    equal(one('store', 'balance', store)['commission_bp'], 850, 'its own')
    audited('store.commission_set', store, commission_bp='850')
    ctl('store', 'commission', store, 'usual')
    equal(one('store', 'show', store)['commission_bp'], None, 'the usual')
    audited('store.commission_set', store, commission_bp='usual')
    for rate in ('-1', '10001', 'much', '', '8.5'):
        refused('store', 'commission', '--', store, rate, status=USAGE, says='not hundredths of a percent')


@suite.test
def what_a_name_tells_a_terminal_is_not_passed_on():
    keeper = shop.sign_up()
    store = demand(shop.call('POST', '/stores', {'name': 'Clear\x9b2JKibo'}, keeper['access_token']), 201).data
    said = ctl('statement', '--store', store['id']) + ctl('store', 'show', store['id'])
    check('\x9b' not in said and said.count('Clear?2JKibo') == 2, f'U+009B begins a command: {said!r}')


@suite.test
def who_could_not_write_its_answer_says_so():
    for words in (('user', 'list'), ('order', 'list', '--json'), ('openapi',), ('metrics',), ('doctor', '--json')):
        with open('/dev/full', 'wb') as full:
            done = subprocess.run(os.environ['SOKO_CTL'].split() + list(words), stdout=full, stderr=subprocess.PIPE,
                                  timeout=120, check=False)
        check(done.returncode != 0 and b'standard output: not all' in done.stderr, f'{words}: {done}')


# --- orders --------------------------------------------------------------------------------------


@suite.test
def orders_are_listed_shown_and_cancelled():
    product = shop.new_product(seller, category, stock=10)
    buyer = Buyer()
    order = buyer.paid((product, 2))
    number = order['order_number']
    equal([o['id'] for o in lines('order', 'list', '--buyer', buyer.me['email'])], [order['id']], 'the buyer\'s')
    equal([o['id'] for o in lines('order', 'list', '--buyer', buyer.me['email'], '--payment-status', 'unpaid')], [], 'unpaid')
    shown = one('order', 'show', number.lower())
    equal((shown['id'], shown['total_amount'], shown['items'][0]['quantity']), (order['id'], '200', 2), 'the order')
    said = ctl('order', 'show', order['id'])
    check(f'order_number: {number}\n' in said and '    quantity: 2\n' in said, said)
    check('Moi Avenue' not in said, 'an address is nobody\'s business here')
    refused('order', 'cancel', number, status=USAGE, says='say it again with --yes')
    ctl('order', 'cancel', number, '--yes')
    buyer.becomes(order, status='cancelled', payment_status='refunded', cancel_reason='seller')
    equal(stock(product, seller), 10, 'stock is back')
    audited('order.moved', order['id'], status='cancelled')
    refused('order', 'cancel', number, '--yes', says='cancelled')
    equal(stock(product, seller), 10, 'once')
    refused('order', 'show', 'NOSUCH', says='NOSUCH: there is no such order')
    refused('order', 'list', '--status', 'lost', status=USAGE, says='none of pending|paid')
    refused('order', 'list', '--from', 'soon', status=USAGE, says='--from: not a date')


# --- the outbox ----------------------------------------------------------------------------------


def park(consumer, subject, lane='clock'):
    """A delivery that nobody can do, as if it had been tried often enough."""
    return sql_one("INSERT INTO outbox (event, consumer, lane, subject, trace_id, attempts, parked_at, last_error) "
                   "VALUES ('order.cancelled', :'c', :'l', :'s', 'test', 2, now(), 'INTERNAL_ERROR') RETURNING id",
                   c=consumer, s=subject, l=lane)


@suite.test
def what_is_parked_is_tried_again_or_dropped():
    first, second = park('nobody', UNKNOWN), park('nobody', UNKNOWN)
    rows = {str(r['id']): r for r in lines('outbox', 'list', '--parked', '--lane', 'clock')}
    equal((rows[first]['last_error'], rows[first]['attempts']), ('INTERNAL_ERROR', 2), 'what it says of it')
    equal(lines('outbox', 'list', '--parked', '--lane', 'tokens'), [], 'another lane')
    check(first in ctl('outbox', 'list', '--parked'), 'for people')
    ctl('outbox', 'retry', first)
    audited('outbox.retried', UNKNOWN, consumer='nobody', deliveries='1')
    # soko-jobs knows no such consumer: it fails once more, and is parked again.
    until(lambda: sql_one("SELECT parked_at IS NOT NULL AND attempts = 3 FROM outbox WHERE id = :'id'", id=first) == 't',
          'parked again')
    check(ctl('outbox', 'retry', '--all').startswith('2 '), 'both')
    until(lambda: len(lines('outbox', 'list', '--parked')) == 2, 'both are parked again')
    status, said = run('outbox', 'drop', first)
    equal(status, USAGE, 'without --yes')
    check(f'would drop nobody of {UNKNOWN}' in said and '--yes' in said, said)
    equal(len(lines('outbox', 'list', '--parked')), 2, 'nothing is lost')
    for number in (first, second):
        check(ctl('outbox', 'drop', number, '--yes').startswith('dropped nobody of'), 'it says what')
    audited('outbox.dropped', UNKNOWN, event='order.cancelled', consumer='nobody')
    equal(lines('outbox', 'list', '--parked'), [], 'it is gone')
    refused('outbox', 'drop', first, '--yes', says='no such delivery')
    refused('outbox', 'retry', first, says='no such delivery')
    refused('outbox', 'retry', 'x', status=USAGE, says='not a number')
    refused('outbox', 'retry', status=USAGE, says='takes the number of a delivery, or --all')
    check(ctl('outbox', 'retry', '--all').startswith('0 '), 'none')
    equal(lines('outbox', 'list', '--parked', '--lane', 'tokens'), [], 'none of a lane')


@suite.test
def a_drop_says_what_is_lost():
    number = park('payments_refund_order', UNKNOWN, 'payments')
    check('what was paid for a cancelled order does not go back to its buyer' in run('outbox', 'drop', number)[1],
          'what is lost')
    ctl('outbox', 'drop', number, '--yes')


@suite.test
def what_is_not_parked_is_left_to_soko_jobs():
    number = sql_one("INSERT INTO outbox (event, consumer, lane, subject, trace_id, available_at) VALUES ('x', 'nobody', "
                     "'clock', :'s', 'test', now() + interval '1 h') RETURNING id", s=UNKNOWN)
    for words in (['drop', number, '--yes'], ['retry', number]):
        refused('outbox', *words, says='is not parked: soko-jobs tries it by itself')
    sql("DELETE FROM outbox WHERE id = :'id'", id=number)


@suite.test
def the_operator_is_who_calls():
    ann = Buyer().me
    ctl('user', 'sign-out', ann['email'])
    sudo = os.environ.get('SUDO_USER') if os.getuid() == 0 else None
    equal(entries(event='session.ended')[-1]['operator'], sudo or pwd.getpwuid(os.getuid()).pw_name, 'the system user')


suite.main()
