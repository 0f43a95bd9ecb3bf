"""The audit log: what is written there and by whom, how it is read, and that nobody changes it.

# settings: AUDIT_SEAL=50ms JOBS_POLL=20ms
"""
import getpass
import os
import subprocess

from audit_common import (APP, INSERT, OWNER, SUPERUSER, account_of, all_sealed, entries, events_of, is_good, last_of,
                          run)
from orders_common import Buyer, move, move_all, shop
from owner import ctl, sql, sql_one
from soko import Failed, Suite, check, demand, equal

suite = Suite()
admin = shop.admin()


# --- who writes what ------------------------------------------------------------------------------

@suite.test
def test_signing_in_and_out():
    ann = Buyer('Anna')
    account = account_of(ann.me)
    demand(shop.call('POST', '/auth/login', {'email': ann.me['email'], 'password': 'wrong horse battery'}), 401)
    demand(ann.call('POST', '/auth/logout'), 200)
    found = entries(subject=account)
    equal([(e['event'], e['actor'], e['detail']) for e in found],
          [('account.signed_in', None, {'role': 'buyer'}), ('account.sign_in_failed', None, {'reason': 'password'})],
          'the account')
    check(all(e['address'] in ('127.0.0.1', '::1') and e['trace_id'] for e in found), f'from where: {found}')
    ended = entries(actor=account)
    equal([(e['event'], e['actor_role'], e['detail']) for e in ended],
          [('session.ended', 'buyer', {'reason': 'signed_out'})], 'the session')
    demand(shop.call('POST', '/auth/login', {'email': 'nobody@example.com', 'password': 'wrong horse battery'}), 401)
    equal(entries(event='account.sign_in_failed')[-1]['detail'], {'reason': 'unknown'}, 'of nobody')
    equal(entries(event='account.sign_in_failed')[-1]['subject'], None, 'of nobody')


@suite.test
def test_a_refresh_token_used_again():
    ann = Buyer()
    session = sql_one("SELECT id FROM sessions WHERE account_id = :'id'", id=account_of(ann.me))
    demand(shop.call('POST', '/auth/refresh', {'refresh_token': ann.me['refresh_token']}), 200)
    sql("UPDATE refresh_tokens SET rotated_at = rotated_at - interval '1 hour' WHERE rotated_at IS NOT NULL "
        "AND session_id = :'id'", id=session)
    demand(shop.call('POST', '/auth/refresh', {'refresh_token': ann.me['refresh_token']}), 401)
    equal([(e['event'], e['detail']) for e in entries(subject=session)],
          [('session.refresh_reused', {'account': account_of(ann.me)}),
           ('session.ended', {'reason': 'refresh_reused'})], 'refused, and yet written')


@suite.test
def test_what_an_administrator_does_to_an_account():
    ann = Buyer()
    account = account_of(ann.me)

    def change(body):
        demand(shop.call('PUT', f'/admin/users/{account}', body, admin['access_token']), 200)

    change({'roles': ['buyer', 'admin']})
    change({'roles': ['buyer', 'admin']})
    change({'roles': ['buyer']})
    change({'is_active': False})
    change({'is_active': False})
    change({'is_active': True})
    found = [e for e in entries(subject=account) if e['actor']]
    equal([(e['event'], e['detail']) for e in found],
          [('account.role_granted', {'role': 'admin'}), ('account.role_revoked', {'role': 'admin'}),
           ('account.deactivated', {}), ('account.activated', {})], 'what changed, once')
    check(all(e['actor'] == account_of(admin) and e['actor_role'] == 'admin' for e in found), f'by whom: {found}')
    demand(shop.call('POST', '/auth/login', {'email': ann.me['email'], 'password': ann.me['password']}), 200)


@suite.test
def test_who_is_refused_has_changed_nothing():
    before = sql_one("SELECT count(*) FROM audit_log WHERE event LIKE 'account.role%' OR event LIKE 'store.%'")
    me = account_of(admin)
    demand(shop.call('PUT', f'/admin/users/{me}', {'roles': ['buyer']}, admin['access_token']), 400)
    seller = shop.new_seller()
    path = f'/admin/stores/{seller["store_id"]}/status'
    demand(shop.call('PUT', path, {'status': 'suspended'}, admin['access_token'], {'If-Match': '"99"'}), 412)
    after = sql_one("SELECT count(*) FROM audit_log WHERE event LIKE 'account.role%' OR event LIKE 'store.%'")
    equal(int(after), int(before) + 1, 'but for the role of the seller')
    equal(last_of('account.role_granted', account_of(seller))['detail'], {'role': 'seller'}, 'who opened a store')


@suite.test
def test_a_new_password():
    ann = Buyer()
    demand(ann.call('PUT', '/auth/password', {'old_password': ann.me['password'],
                                              'new_password': 'staple of correct horses'}), 200)
    entry = last_of('account.password_changed', account_of(ann.me))
    equal((entry['actor'], entry['detail']), (account_of(ann.me), {}), 'who, and nothing more')


@suite.test
def test_stores_and_money():
    seller = shop.new_seller()
    store, token = seller['store_id'], admin['access_token']
    product = shop.new_product(seller, shop.new_category(admin)['id'], price='50')
    for bp in (700, None):
        demand(shop.call('PUT', f'/admin/stores/{store}/commission', {'commission_bp': bp}, token), 200)
    for status in ('suspended', 'active'):
        demand(shop.call('PUT', f'/admin/stores/{store}/status', {'status': status}, token), 200)
    equal([(e['event'], e['detail'], e['actor_role']) for e in entries(subject=store)],
          [('store.commission_set', {'commission_bp': '700'}, 'admin'),
           ('store.commission_set', {'commission_bp': 'usual'}, 'admin'),
           ('store.status_set', {'status': 'suspended'}, 'admin'),
           ('store.status_set', {'status': 'active'}, 'admin')], 'the store')

    ann = Buyer()
    order = ann.paid((product, 2))
    move_all(seller, order, 'processing')
    given = demand(shop.call('POST', f'/orders/{order["id"]}/refunds', {'amount': '20', 'reason': 'Torn'},
                             seller['access_token']), 201).data
    entry = last_of('refund.requested', given[0]['id'])
    equal((entry['actor'], entry['actor_role'], entry['detail']),
          (account_of(seller), 'seller', {'order': order['id'], 'amount': '2000', 'currency': 'KES',
                                          'reason': 'returned'}), 'the refund')
    demand(move(seller, order, 'cancelled'), 200)
    equal([(e['event'], e['detail']) for e in entries(subject=order['id'])],
          [('order.moved', {'status': 'cancelled', 'store': store})], 'the order')

    other = ann.paid((product, 1))
    move_all(seller, other, 'processing', 'shipping', 'shipped', 'completed')
    equal([e['detail']['status'] for e in entries(subject=other['id'])], ['completed'], 'where money follows')
    third = ann.paid((product, 1))
    demand(ann.cancel(third), 200)
    equal(events_of(third['id']), [], 'a buyer is no staff')


@suite.test
def test_the_hand_of_the_sysadmin():
    done = subprocess.run(os.environ['SOKO_CTL'].split() + [
        'user', 'create', '--role', 'admin', '--email', 'audited@example.com', '--name', 'Root', '--password-stdin'],
        input='correct horse battery\n', capture_output=True, text=True, timeout=60, check=False)
    equal(done.returncode, 0, done.stderr)
    found = entries(subject=done.stdout.strip())
    equal([(e['event'], e['detail']) for e in found],
          [('account.created', {'role': 'admin'}), ('account.role_granted', {'role': 'admin'})], 'the account')
    name = os.environ.get('SUDO_USER') if os.getuid() == 0 else None
    check(all(e['operator'] == (name or getpass.getuser()) and e['actor'] is None for e in found), f'{found}')
    if os.getuid() == 0:
        done = subprocess.run(os.environ['SOKO_CTL'].split() + [
            'user', 'create', '--email', 'sudo@example.com', '--name', 'Sue', '--password-stdin'],
            input='correct horse battery\n', capture_output=True, text=True, timeout=60, check=True,
            env={**os.environ, 'SUDO_USER': 'sue'})
        equal(entries(subject=done.stdout.strip())[0]['operator'], 'sue', 'who called sudo')


@suite.test
def test_a_list_is_filtered_and_in_order():
    everything = entries()
    equal([e['id'] for e in everything], sorted(e['id'] for e in everything), 'newest last')
    check(len(entries(until='2020-01-01')) == 0 and len(entries(**{'from': '2020-01-01'})) >= len(everything), 'by time')
    check({e['event'] for e in entries(event='account.signed_in')} == {'account.signed_in'}, 'by event')
    lines = ctl('audit', 'list', '--event', 'account.created').splitlines()
    check(lines and all('  operator ' in line and '  detail {"role":' in line for line in lines), f'{lines}')
    for words in (('--event', 'account.sneezed'), ('--actor', 'me'), ('--subject', '7'), ('--from', 'noon'),
                  ('everything',)):
        equal(run('audit', 'list', *words)[0], 64, f'{words}')
    for words in (('--head', '7'), ('--head', '0:' + 'a' * 64), ('--head', '1:' + 'g' * 64), ('--after', 'x'), ('now',)):
        equal(run('audit', 'verify', *words)[0], 64, f'{words}')


@suite.test
def test_a_list_shows_no_control_characters():
    sql(INSERT + """('odd.event', '{"a":"b"}', E't\\x1b[2J')""", url=APP)
    sql("INSERT INTO audit_log (event, address, detail, trace_id) VALUES "
        """(E'odd\\x1b]0;x\\x07', E'\\x1b[2J', '{}', 't')""", url=APP)
    said = ctl('audit', 'list')
    check('\x1b' not in said and 'odd?]0;x?' in said, 'as a terminal may see it')
    check('\x1b' not in ctl('audit', 'list', '--json'), 'nor as JSON')


def seen(query='', token=None):
    return demand(shop.call('GET', '/admin/audit' + query, token=token or admin['access_token']), 200)


@suite.test
def test_an_administrator_sees_it():
    ann = Buyer()
    account, me = account_of(ann.me), account_of(admin)
    demand(shop.call('PUT', f'/admin/users/{account}', {'is_active': False}, admin['access_token']), 200)
    all_sealed()
    equal([(e['event'], e['actor'], e['subject'], e['is_sealed']) for e in seen(f'?subject={account}').data],
          [('account.deactivated', me, account, True), ('account.signed_in', None, account, True)], 'newest first')
    entry = seen(f'?actor={me}&event=account.deactivated&subject={account}').data[0]
    equal((entry['actor_role'], entry['detail'], entry['operator'], entry['api_key']), ('admin', {}, None, None), 'more')
    ours = entries(subject=account)[-1]
    equal({k: entry[k] for k in ('trace_id', 'address')}, {k: ours[k] for k in ('trace_id', 'address')}, 'as sokoctl has it')
    equal(seen(f'?subject={account}&until=2020-01-01').data, [], 'by time')
    equal(len(seen(f'?subject={account}&from=2020-01-01').data), 2, 'by time')
    page = seen('?page=2&per_page=3')
    equal(len(page.data), 3, 'a page')
    check(page.json['meta']['pagination']['total_items'] >= 6, f'{page.json["meta"]}')
    for query in ('event=account.sneezed', 'actor=me', 'subject=7', 'from=noon', 'odd=1', 'page=1001&per_page=10'):
        demand(shop.call('GET', '/admin/audit?' + query, token=admin['access_token']), 400, 'VALIDATION_ERROR')
    demand(shop.call('GET', '/admin/audit', token=ann.token), 401)
    demand(shop.call('GET', '/admin/audit', token=Buyer().token), 403)
    demand(shop.call('GET', '/admin/audit', token=shop.new_seller()['access_token']), 403)
    demand(shop.call('GET', '/admin/audit'), 401)


# --- append-only ----------------------------------------------------------------------------------

@suite.test
def test_nobody_changes_or_deletes():
    def refused(statement, url, why):
        try:
            sql(statement, url=url)
        except Failed as e:
            check(why in str(e), f'{statement}: {e}')
            return
        raise Failed(f'{statement} was not refused')

    for table, column in (('audit_log', 'event'), ('audit_chain', 'mac')):
        for statement in (f'UPDATE {table} SET {column} = {column}', f'DELETE FROM {table}', f'TRUNCATE {table} CASCADE',
                          f'ALTER TABLE {table} DISABLE TRIGGER ALL', f'DROP TABLE {table} CASCADE'):
            refused(statement, APP, 'permission denied' if 'TABLE' not in statement else 'must be owner')
        for statement in (f'UPDATE {table} SET {column} = {column}', f'DELETE FROM {table}', f'TRUNCATE {table} CASCADE'):
            refused(statement, OWNER, 'append-only')
            refused('SET session_replication_role = replica; ' + statement, SUPERUSER, 'append-only')
    refused("INSERT INTO audit_log (event, detail, trace_id, at) VALUES ('x', '{}', 't', now())", APP, 'permission denied')
    refused("INSERT INTO audit_log (id, event, detail, trace_id) OVERRIDING SYSTEM VALUE VALUES (1, 'x', '{}', 't')",
            APP, 'permission denied')
    refused("INSERT INTO audit_chain (number, entry, settled, mac, sealed_at) "
            "VALUES (1, 1, 0, decode(repeat('00', 32), 'hex'), now())", APP, 'permission denied')
    for detail in ('nonsense', '[]', '"x"', ''):
        refused(INSERT + f"('x', '{detail}', 't')", APP, '')
    all_sealed()
    is_good()


suite.main()
