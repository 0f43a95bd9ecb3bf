"""The audit log: what is written there and by whom; the chain that soko-jobs seals it into, recomputed here from
what shop/audit_link.h says; and `sokoctl audit verify`, which finds whatever is changed by hand.

# settings: AUDIT_SEAL=50ms JOBS_POLL=20ms
"""
import getpass
import hashlib
import hmac
import json
import os
import re
import subprocess
import tempfile
from contextlib import contextmanager

from orders_common import Buyer, move, move_all, shop
from owner import PSQL, ctl, sql, sql_one, start, stop
from soko import Failed, Suite, check, demand, equal, together, until

suite = Suite()
admin = shop.admin()
OWNER = os.environ['SOKO_OWNER_URL']
SUPERUSER = OWNER.replace('soko_owner@', 'postgres@', 1)
APP = OWNER.replace('soko_owner@', 'soko_app@', 1)
INSERT = "INSERT INTO audit_log (event, detail, trace_id) VALUES "
GOOD = 'the audit log is as it was sealed'


def run(*words, conf=None):
    """sokoctl's exit status and everything that it says."""
    command = os.environ['SOKO_CTL'].split()
    if conf:
        command[command.index('--config') + 1] = conf
    done = subprocess.run(command + list(words), capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def verify(*words, conf=None):
    """The faults by their first word, in order, and all that it says."""
    status, said = run('audit', 'verify', *words, conf=conf)
    found = re.findall(r'^fault: (\w+):', said, re.M)
    equal(status, 1 if found else 0, f'the exit status: {said}')
    check(bool(found) != (GOOD in said), f'it says which: {said}')
    return found, said


def head_of(said):
    return re.search(r'^head (\d+:[0-9a-f]{64})$', said, re.M)[1]


def is_good(*words):
    found, said = verify(*words)
    equal(found, [], said)
    return head_of(said)


def loose():
    return sql_one('SELECT count(*) FROM audit_log l WHERE NOT EXISTS '
                   '(SELECT FROM audit_chain c WHERE c.entry = l.id)')


def all_sealed():
    until(lambda: loose() == '0', 'each entry has a link')


def entries(**filters):
    words = [w for name, value in filters.items() for w in ('--' + name, value)]
    return [json.loads(line) for line in ctl('audit', 'list', '--json', *words).splitlines()]


def events_of(subject):
    return [e['event'] for e in entries(subject=subject)]


def last_of(event, subject):
    found = entries(event=event, subject=subject)
    check(found, f'{event} of {subject}')
    return found[-1]


def account_of(who):
    return who['user']['id']


def setting(name):
    with open(os.environ['SOKO_CONF'], encoding='utf-8') as f:
        return next(line.rstrip('\n').split('=', 1)[1] for line in f if line.startswith(name + '='))


# --- the chain, by a tool of our own --------------------------------------------------------------

COLUMNS = """c.number, c.settled, (extract(epoch FROM c.sealed_at) * 1000000)::bigint, l.id,
    (extract(epoch FROM l.at) * 1000000)::bigint, l.event, l.actor, l.actor_role, l.api_key, l.operator, l.subject,
    l.address, l.detail, l.trace_id"""


def chain():
    """Rows of (mac, values), as JSON tells null from nothing."""
    return [json.loads(row[0]) for row in sql(
        f"SELECT json_build_array(encode(c.mac, 'hex'), {COLUMNS}) FROM audit_chain c "
        'JOIN audit_log l ON l.id = c.entry ORDER BY c.number')]


def mac(key, before, values):
    text = b''
    for value in (before, *values):
        raw = str(value).encode()
        text += b'-,' if value is None else b'%d:%s,' % (len(raw), raw)
    return hmac.new(key, text, hashlib.sha256).hexdigest()


@suite.test
def test_the_chain_is_as_the_header_says():
    Buyer()
    all_sealed()
    key = hmac.new(setting('DATA_KEY').encode(), b'box\0audit', hashlib.sha256).digest()
    before, rows = '', chain()
    check(len(rows) > 10, f'links: {len(rows)}')
    for n, (has, *values) in enumerate(rows, 1):
        equal(values[0], n, 'numbers without a gap')
        equal(has, mac(key, before, values), f'the MAC of link {n}')
        before = has


@suite.test
def test_the_journal_holds_an_anchor():
    Buyer()
    all_sealed()
    number, anchor = is_good().split(':')

    def logged():
        with open(os.path.join(os.environ['SOKO_STATE'], 'log', 'jobs.log'), encoding='utf-8') as f:
            said = [json.loads(line) for line in f if '"audit.sealed"' in line]
        return [s for s in said if s['soko.audit.number'] == int(number)]

    equal(until(logged, 'audit.sealed in the log')[0]['soko.audit.mac'], anchor, 'the head')
    is_good('--head', f'{number}:{anchor}')
    is_good('--head', f'{number}:{anchor.upper()}', '--after', f'{number}:{anchor}')


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


# --- sealing --------------------------------------------------------------------------------------

@contextmanager
def session(url):
    """A psql that is told things one by one."""
    p = subprocess.Popen([PSQL, url, '-XqtA', '-v', 'ON_ERROR_STOP=1'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         text=True)

    def say(statement):
        p.stdin.write(statement + ";\n\\echo .\n")
        p.stdin.flush()
        lines = []
        while (line := p.stdout.readline()) not in ('.\n', ''):
            lines.append(line.rstrip('\n'))
        return lines

    try:
        yield say
    finally:
        p.stdin.close()
        p.wait(timeout=60)


def settled():
    return int(sql_one('SELECT coalesce(max(settled), 0) FROM audit_chain'))


@suite.test
def test_an_entry_that_commits_late_is_sealed():
    with session(APP) as late:
        late('BEGIN')
        slow = int(late(INSERT + "('late.one', '{}', 't') RETURNING id")[0])
        for _ in range(3):
            Buyer()
            until(lambda: loose() == '0', 'the others do not wait')
        check(settled() < slow, f'{slow} is not settled while it may still come: {settled()}')
        late('COMMIT')
    all_sealed()
    number = sql_one("SELECT number FROM audit_chain WHERE entry = :'id'", id=slow)
    check(number != '', 'it has its link')

    def passed():
        Buyer()
        return settled() >= slow
    until(passed, 'what is settled goes on behind it')
    is_good()


@suite.test
def test_a_rollback_leaves_a_gap_that_nobody_waits_for():
    with session(APP) as gone:
        gone('BEGIN')
        gap = int(gone(INSERT + "('gone', '{}', 't') RETURNING id")[0])
        gone('ROLLBACK')

    def passed():
        Buyer()
        return settled() >= gap
    until(passed, 'what is settled goes on behind it')
    is_good()


@suite.test
def test_many_hosts_seal_at_once():
    sql(INSERT.replace(' VALUES', '') + "SELECT 'many', json_build_object('n', n), 't' FROM generate_series(1, 3000) AS n",
        url=APP)
    for status, said in together(4, lambda i: run('audit', 'seal')):
        equal(status, 0, said)
    all_sealed()
    equal(sql('SELECT max(number) - count(*), count(*) - count(DISTINCT entry) FROM audit_chain'), [['0', '0']],
          'each number and each entry once')
    is_good()


@suite.test
def test_sealing_again_has_nothing_to_do():
    all_sealed()
    stop('jobs')
    try:
        head = is_good()
        equal(ctl('audit', 'seal'), f'0 sealed\nhead {head}\n', 'nothing waits')
        Buyer()
        equal(ctl('audit', 'seal').splitlines()[0], '1 sealed', 'the sign-in')
    finally:
        start('jobs')
    is_good('--head', head)


# --- what is changed by hand ----------------------------------------------------------------------

FREE = ''.join(f'ALTER TABLE {t} DISABLE TRIGGER ALL;' for t in ('audit_log', 'audit_chain'))
BACK = """
    BEGIN;
    TRUNCATE audit_log, audit_chain;
    INSERT INTO audit_log OVERRIDING SYSTEM VALUE SELECT * FROM kept_log;
    INSERT INTO audit_chain SELECT * FROM kept_chain;
    COMMIT;
    ALTER TABLE audit_log ENABLE TRIGGER ALL; ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_stays;
    ALTER TABLE audit_chain ENABLE TRIGGER ALL; ALTER TABLE audit_chain ENABLE ALWAYS TRIGGER audit_chain_stays;"""
SWAP = """
    UPDATE audit_log l SET (at, event, actor, actor_role, api_key, operator, subject, address, detail, trace_id) =
        (SELECT at, event, actor, actor_role, api_key, operator, subject, address, detail, trace_id FROM kept_log k
         WHERE k.id = CASE l.id WHEN {0} THEN {1} ELSE {0} END) WHERE id IN ({0}, {1});"""
FIFTH = '(SELECT entry FROM kept_chain WHERE number = 5)'
SIXTH = '(SELECT entry FROM kept_chain WHERE number = 6)'
NINTH = '(SELECT entry FROM kept_chain WHERE number = 9)'
END = '(SELECT max(number) FROM kept_chain)'
EDITS = {'at': "at - interval '1 microsecond'", 'event': "event || ' '", 'actor': 'gen_random_uuid()',
         'actor_role': "'admin '", 'api_key': 'gen_random_uuid()', 'operator': "'nobody'",
         'subject': 'gen_random_uuid()', 'address': "'192.0.2.1'", 'detail': "'{ }'", 'trace_id': "trace_id || 'x'"}

# What is done, the faults that are found, and words of what is said.
TAMPERED = [
    *((f'UPDATE audit_log SET {column} = {value} WHERE id = {FIFTH}', ['altered'], 'or its link, 5')
      for column, value in EDITS.items()),
    # A null is not an empty text.
    (f"UPDATE audit_log SET operator = '' WHERE id = {FIFTH} AND operator IS NULL; UPDATE audit_log SET operator = "
     f"NULL WHERE id = {FIFTH} AND operator = ''; UPDATE audit_log SET api_key = NULL, address = '' WHERE id = {FIFTH}",
     ['altered'], 'link, 5'),
    ("UPDATE audit_chain SET sealed_at = sealed_at + interval '1 microsecond' WHERE number = 5", ['altered'], 'link, 5'),
    ('UPDATE audit_chain SET settled = settled + 1 WHERE number = 5', ['altered'], 'link, 5'),
    # The MAC of a link is part of the next.
    ("UPDATE audit_chain SET mac = decode(repeat('00', 32), 'hex') WHERE number = 5", ['altered'], 'links 5 to 6'),
    (f'DELETE FROM audit_log WHERE id = {FIFTH}', ['missing'], ', of link 5'),
    ('DELETE FROM audit_chain WHERE number = 5', ['missing', 'inserted'], 'links 5 to 5'),
    ('DELETE FROM audit_chain WHERE number < 4', ['missing', 'inserted', 'inserted', 'inserted'], 'links 1 to 3'),
    (f'DELETE FROM audit_chain WHERE number = 5; DELETE FROM audit_log WHERE id = {FIFTH}', ['missing'], 'links 5 to 5'),
    # Taken out, and the rest moved up.
    (f'DELETE FROM audit_chain WHERE number = 5; DELETE FROM audit_log WHERE id = {FIFTH}; '
     'UPDATE audit_chain SET number = number + 100000 WHERE number > 5; '
     'UPDATE audit_chain SET number = number - 100001 WHERE number > 5', ['truncated', 'foreign'], 'links 5 to '),
    # Put in, with an id of its own, or with a link.
    ("INSERT INTO audit_log (id, event, detail, trace_id) OVERRIDING SYSTEM VALUE VALUES (-7, 'x', '{}', 't')",
     ['inserted'], 'entry -7'),
    ("INSERT INTO audit_log (event, detail, trace_id, at) VALUES ('x', '{}', 't', now() - interval '1 day')",
     ['unsealed'], 'waited'),
    ("INSERT INTO audit_log (event, detail, trace_id, at) VALUES ('x', '{}', 't', now() + interval '1 day')",
     ['unsealed'], 'waited'),
    ("UPDATE audit_chain SET number = number + 100000 WHERE number > 5; "
     "UPDATE audit_chain SET number = number - 99999 WHERE number > 100000; "
     "INSERT INTO audit_log (id, event, detail, trace_id) OVERRIDING SYSTEM VALUE VALUES (-7, 'x', '{}', 't'); "
     "INSERT INTO audit_chain (number, entry, settled, mac) VALUES (6, -7, 0, decode(repeat('ab', 32), 'hex'))",
     ['truncated', 'foreign'], 'links 6 to '),
    # Two changed places: what is in them, next to each other and not; the entries of two links.
    (SWAP.format(FIFTH, SIXTH), ['reordered', 'reordered'], 'link 5 has sealed'),
    (SWAP.format(FIFTH, NINTH), ['reordered', 'reordered'], 'link 9 has sealed'),
    (f'UPDATE audit_chain SET entry = -5 WHERE number = 5; UPDATE audit_chain SET entry = {FIFTH} WHERE number = 6; '
     f'UPDATE audit_chain SET entry = {SIXTH} WHERE number = 5', ['reordered', 'reordered'], 'link 5 has sealed'),
    # Cut off: the entries tell of it as long as they are there and young links are missing.
    (f"DELETE FROM audit_log WHERE id IN (SELECT entry FROM audit_chain WHERE number > {END} - 3); "
     f"DELETE FROM audit_chain WHERE number > {END} - 3", ['truncated'], 'the chain ends before'),
    ('TRUNCATE audit_log, audit_chain', ['truncated'], 'the chain ends before'),
]


@contextmanager
def by_hand():
    """As one can who owns the machine; all is put back."""
    all_sealed()
    stop('jobs')
    sql('DROP TABLE IF EXISTS kept_log, kept_chain; CREATE TABLE kept_log AS TABLE audit_log; '
        'CREATE TABLE kept_chain AS TABLE audit_chain', url=SUPERUSER)
    sql(FREE, url=SUPERUSER)
    try:
        yield
    finally:
        sql(BACK, url=SUPERUSER)
        start('jobs')


@suite.test
def test_what_is_changed_by_hand_is_found():
    with by_hand():
        head = is_good()
        for done, wanted, words in TAMPERED:
            sql('BEGIN; ' + done + '; COMMIT', url=SUPERUSER)
            found, said = verify('--head', head)
            equal(found, wanted, f'{done}: {said}')
            check(words in said, f'{done}: {words} in {said}')
            sql(BACK + FREE, url=SUPERUSER)
            is_good('--head', head)
    is_good('--head', head)


@contextmanager
def another_key():
    with open(os.environ['SOKO_CTL'].split()[-1], encoding='utf-8') as f:
        text = re.sub(r'^DATA_KEY=.*$', 'DATA_KEY=' + 'e' * 64, f.read(), flags=re.M)
    with tempfile.NamedTemporaryFile('w', encoding='utf-8') as conf:
        conf.write(text)
        conf.flush()
        yield conf.name


@suite.test
def test_another_key_is_told_and_spoils_nothing():
    all_sealed()
    with another_key() as conf:
        found, said = verify(conf=conf)
        equal(found, ['foreign'], said)
        check('links 1 to ' in said, said)
        Buyer()
        status, said = run('audit', 'seal', conf=conf)
        check(status == 1 and 'is not sealed by DATA_KEY' in said, f'{status}: {said}')
    all_sealed()
    is_good()


@suite.test
def test_a_chain_that_was_built_anew_is_found():
    with by_hand():
        head = is_good()
        n = int(head.split(':')[0])
        with another_key() as conf:
            sql('TRUNCATE audit_chain', url=SUPERUSER)
            equal(run('audit', 'seal', conf=conf)[0], 0, 'sealed by another key')
        found, said = verify()
        equal(found, ['foreign'], said)
        check(f'links 1 to {n}' in said, said)
        equal(sorted(verify('--head', head)[0]), ['foreign', 'truncated'], 'nor is it the chain of the journal')
        sql(BACK + FREE, url=SUPERUSER)
        with another_key() as conf:
            sql('DELETE FROM audit_chain WHERE number > 4', url=SUPERUSER)
            fourth = sql_one("SELECT encode(mac, 'hex') FROM audit_chain WHERE number = 4")
            equal(run('audit', 'seal', '--head', f'4:{fourth}', conf=conf)[0], 0, 'from the fifth on')
        found, said = verify()
        equal(found, ['foreign'], said)
        check(f'links 5 to {n}' in said, said)
        # By our own key, by somebody who could call sokoctl: the journal knows better.
        sql(f'TRUNCATE audit_chain; DELETE FROM audit_log WHERE id = {FIFTH}', url=SUPERUSER)
        equal(run('audit', 'seal')[0], 0, 'sealed by our key')
        is_good()
        equal(verify('--head', head)[0], ['truncated'], 'but not through the anchor')


@suite.test
def test_a_person_lets_the_chain_go_on():
    with by_hand():
        head = is_good()
        n, last = head.split(':')
        sql("UPDATE audit_log SET event = 'gone' WHERE id = (SELECT max(entry) FROM audit_chain)", url=SUPERUSER)
        sql(INSERT + "('next', '{}', 't')", url=APP)
        status, said = run('audit', 'seal')
        check(status == 1 and f'the head {head}' in said, f'nothing is built on it: {said}')
        status, said = run('audit', 'seal', '--head', f'{n}:{"0" * 64}')
        check(status == 1 and f'the head is another: {head}' in said, said)
        equal(run('audit', 'seal', '--head', head)[1].splitlines()[0], '1 sealed', 'once it was looked at')
        equal(verify()[0], ['altered'], 'it is told of ever after')
        is_good('--after', head)
        equal(verify('--after', f'{n}:{"0" * 64}')[0][0], 'truncated', 'not behind something else')


@suite.test
def test_jobs_do_not_build_on_what_was_changed():
    with by_hand():
        sql("UPDATE audit_log SET event = 'gone' WHERE id = (SELECT max(entry) FROM audit_chain)", url=SUPERUSER)
        sql(INSERT + "('next', '{}', 't')", url=APP)
        start('jobs')
        log = os.path.join(os.environ['SOKO_STATE'], 'log', 'jobs.log')

        def said():
            with open(log, encoding='utf-8') as f:
                return [line for line in f if '"audit.unsound"' in line]
        until(said, 'audit.unsound in the log')
        equal(loose(), '1', 'nothing was sealed')
        stop('jobs')
    all_sealed()
    is_good()


suite.main()
