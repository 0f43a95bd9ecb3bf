"""The chain that soko-jobs seals the audit log into, recomputed here from what shop/audit_link.h says; and
`sokoctl audit verify`, which finds whatever is changed by hand.

# settings: AUDIT_SEAL=50ms JOBS_POLL=20ms
"""
import hashlib
import hmac
import json
import os
import re
import secrets
import subprocess
import tempfile
from contextlib import contextmanager

from audit_common import APP, INSERT, SUPERUSER, all_sealed, is_good, loose, run, verify
from orders_common import Buyer
from owner import PSQL, ctl, sql, sql_one, start, stop
from soko import Suite, check, equal, together, until

suite = Suite()


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
def test_the_role_of_a_worker_suffices():
    all_sealed()
    head = is_good()
    conf = os.environ['SOKO_CONF']
    check('//soko_app@' in setting('DATABASE_URL'), 'it is a worker\'s')
    for words in (('audit', 'verify', '--head', head), ('audit', 'seal'), ('audit', 'list', '--json')):
        status, said = run(*words, conf=conf)
        equal(status, 0, f'{words}: {said[-300:]}')


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
        text = re.sub(r'^DATA_KEY=.*$', 'DATA_KEY=' + secrets.token_hex(32), f.read(), flags=re.M)
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
        sql('DELETE FROM audit_chain WHERE number = 5', url=SUPERUSER)
        equal(verify()[0], ['missing', 'inserted', 'altered'], 'this too')
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


# --- many, at the end: what is changed by hand is put back entry by entry ---------------------------

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
def test_more_than_a_turn_takes():
    sql(INSERT.replace(' VALUES', '') + "SELECT 'many', '{}', 't' FROM generate_series(1, 25000) AS n", url=APP)
    newest = int(sql_one('SELECT max(id) FROM audit_log'))
    until(lambda: loose() == '0', 'each entry has a link', 120)

    def passed():
        Buyer()
        return settled() >= newest
    until(passed, 'what is settled goes on behind them')
    is_good()


suite.main()
