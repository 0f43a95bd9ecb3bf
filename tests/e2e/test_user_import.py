"""Accounts of the older systems from a file: who comes over signs in with the password that he has, every
line makes one account however often the file comes, and every refusal is said without quoting anybody."""
import crypt
import csv
import io
import os
import secrets
import signal
import subprocess
import tempfile

from owner import Held, sql, sql_one
from soko import Shop, Suite, check, demand, equal, until

suite = Suite()
shop = Shop()
folder = tempfile.TemporaryDirectory()
REFUSED, USAGE, FAILED = 65, 64, 1
SALT = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
BATCH = 500
GO = '$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga'  # x/crypto/bcrypt's own test: "allmine"


def word():
    return 'u' + secrets.token_hex(8)


def email():
    return word() + '@example.com'


def subscriber():
    return f'7{secrets.randbelow(10 ** 8):08d}'


def bcrypt(password, prefix='2b', cost=4):
    salt = ''.join(secrets.choice(SALT) for _ in range(21)) + secrets.choice('.Oeu')
    return crypt.crypt(password, f'${prefix}${cost:02}${salt}')


def yescrypt(password, scheme='$y$j75$'):
    return crypt.crypt(password, scheme + 'abcdefghijklmnopqrstu.')


HASH = bcrypt('a password of many')


def path(name):
    return os.path.join(folder.name, name)


def write(name, rows, columns=None):
    """A file of rows, each a dict; its columns are those that any row has."""
    columns = columns or list(dict.fromkeys(k for row in rows for k in row))
    with open(path(name), 'w', encoding='utf-8', newline='') as f:
        w = csv.writer(f, lineterminator='\n')
        w.writerow(columns)
        w.writerows([row.get(c, '') for c in columns] for row in rows)
    return path(name)


def command(*words):
    return os.environ['SOKO_CTL'].split() + ['user', 'import', *words]


def load(*words, status=0):
    done = subprocess.run(command(*words), capture_output=True, text=True, timeout=300, check=False)
    out = done.stdout + done.stderr
    equal(done.returncode, status, f'user import: {out}')
    return out


def report(name):
    with open(path(name), encoding='utf-8') as f:
        rows = list(csv.reader(io.StringIO(f.read())))
    equal(rows[0], ['line', 'field', 'reason'], 'the report names its columns')
    return rows[1:]


def login(status=200, **body):
    return demand(shop.call('POST', '/auth/login', body), status)


def account(by):
    """What the table says of the one account with this e-mail, phone or username."""
    rows = sql("SELECT id, name, email, phone, username, password_hash, is_active, created_at AT TIME ZONE 'UTC',"
               " email_verified_at IS NOT NULL, phone_verified_at IS NOT NULL,"
               " (SELECT string_agg(role, ' ') FROM account_roles r WHERE r.account_id = a.id)"
               " FROM accounts a WHERE :'by' IN (email, phone, username)", by=by)
    equal(len(rows), 1, f'accounts with {by}')
    return dict(zip(('id', 'name', 'email', 'phone', 'username', 'hash', 'is_active', 'created_at',
                     'email_verified', 'phone_verified', 'roles'), rows[0]))


def accounts():
    return int(sql_one('SELECT count(*) FROM accounts'))


# --- they come over -------------------------------------------------------------------------------

@suite.test
def test_who_comes_over_signs_in_with_his_password():
    long = 'this is what a password manager of 2019 made: ' + secrets.token_hex(40)
    people = [(email(), 'of Go, 2a', '2a', 4), (email(), 'of Node, 2b', '2b', 5), (email(), 'of PHP, 2y', '2y', 4),
              (email(), 'Pässwörd ™ 茶🍵', '2a', 4), (email(), 'Pässwörd ™ 茶🍵', '2y', 4),
              (email(), ' blanks at both ends ', '2b', 4), (email(), 'x', '2b', 4)]
    rows = [{'name': f'Person {i}', 'email': e, 'password_hash': bcrypt(p, prefix, cost)}
            for i, (e, p, prefix, cost) in enumerate(people)]
    go, late, yes = email(), email(), email()
    rows += [{'name': 'Go', 'email': go, 'password_hash': GO},
             {'name': 'Long', 'email': late, 'password_hash': bcrypt(long, '2b')},
             {'name': 'Yes', 'email': yes, 'password_hash': yescrypt('of Debian', '$y$j85$')}]
    out = load(write('a.csv', rows))
    check(f'{len(rows)} lines: {len(rows)} new, 0 here already, 0 refused' in out, out)
    for scheme in ('$2b$04$', '$2b$05$', '$2b$10$', '$y$j85$'):
        check(f' {scheme}' in out, f'{scheme} is not said to cost: {out}')
    check('$2a$' not in out and '$2y$' not in out, f'one cost said twice: {out}')
    for e, p in [(e, p) for e, p, *_ in people] + [(go, 'allmine'), (late, long), (yes, 'of Debian')]:
        for wrong in (p + 'x', p.upper() if p.upper() != p else p.lower(), 'nonsense'):
            if e != late or wrong != p + 'x':  # beyond 72 bytes bcrypt sees nothing
                login(401, email=e, password=wrong)
        before = account(e)['hash']
        login(email=e, password=p)
        after = account(e)['hash']
        check(before != after and after.startswith('$y$j75$'), f'not hashed anew: {after}')
        login(email=e, password=p)
        equal(account(e)['hash'], after, 'once is enough')
        login(401, email=e, password=p + 'x')
    equal(sql("SELECT count(*) FROM accounts WHERE password_scheme <> '$y$j75$'"), [['0']], 'other schemes')


@suite.test
def test_beyond_72_bytes_bcrypt_sees_nothing_and_yescrypt_all():
    e, start = email(), 'a' * 72
    load(write('a.csv', [{'name': 'A', 'email': e, 'password_hash': bcrypt(start + 'tail')}]))
    login(401, email=e, password=start[1:])
    login(email=e, password=start + 'another tail')  # as it was in the older system
    login(email=e, password=start + 'another tail')
    login(401, email=e, password=start + 'tail')


@suite.test
def test_each_column_arrives():
    digits, name, only = subscriber(), word(), word()
    e = email()
    load(write('a.csv', [
        {'name': ' Änn W. ', 'email': e.upper(), 'phone': '0' + digits, 'username': name.upper(),
         'password_hash': HASH, 'roles': 'buyer', 'is_active': 'TRUE', 'created_at': '2019-05-01T10:00:00Z',
         'email_verified': 'true', 'phone_verified': 'FALSE'},
        {'username': only, 'password_hash': HASH, 'is_active': 'false'}]))
    one, other = account(e), account(only)
    equal({k: one[k] for k in ('name', 'email', 'phone', 'username', 'is_active', 'created_at', 'email_verified',
                               'phone_verified', 'roles')},
          {'name': 'Änn W.', 'email': e, 'phone': '+254' + digits, 'username': name, 'is_active': 't',
           'created_at': '2019-05-01 10:00:00', 'email_verified': 't', 'phone_verified': 'f', 'roles': 'buyer'},
          'everything')
    equal((other['name'], other['email'], other['phone'], other['is_active'], other['email_verified'],
           other['roles']), (only, '', '', 'f', 'f', 'buyer'), 'who has a username alone is called by it')
    for by in ({'email': e}, {'phone': digits}, {'username': name}):
        equal(login(**by, password='a password of many').data['user']['id'], one['id'], f'by {by}')
    login(403, username=only, password='a password of many')
    login(401, username=only, password='not this one')


@suite.test
def test_a_file_makes_each_account_once():
    rows = [{'name': f'P{i}', 'email': email(), 'phone': '0' + subscriber(), 'password_hash': HASH}
            for i in range(20)]
    name = write('a.csv', rows)
    check('20 new, 0 here already, 0 refused' in load(name), 'the first time')
    before = accounts()
    check('0 new, 20 here already, 0 refused' in load(name), 'the second time')
    # Columns in another order, numbers written in another way: the same lines.
    again = [{'phone': '+254 ' + r['phone'][1:], 'password_hash': r['password_hash'], 'email': r['email'].upper(),
              'name': r['name'] + ' ', 'is_active': 'true'} for r in rows]
    check('0 new, 20 here already, 0 refused' in load(write('b.csv', again)), 'written otherwise')
    # One has signed in, changed all that he can, and is known all the same.
    token = login(email=rows[0]['email'], password='a password of many').data['access_token']
    demand(shop.call('PUT', '/auth/profile', {'email': email(), 'phone': '0' + subscriber(), 'name': 'New'}, token), 200)
    check('0 new, 20 here already, 0 refused' in load(name), 'after a change')
    equal(accounts(), before, 'accounts')


@suite.test
def test_what_is_taken_refuses_the_line_and_changes_nothing():
    ann = shop.sign_up()
    e, name, digits = email(), word(), subscriber()
    first = {'name': 'First', 'email': e, 'phone': '0' + digits, 'username': name, 'password_hash': HASH}
    rows = [first, {**first, 'name': 'Second'}, {**first, 'email': email(), 'username': word()},
            {**first, 'email': email(), 'phone': ''}, {'name': 'Ann', 'email': ann['email'], 'password_hash': HASH},
            first, {'name': 'Last', 'email': email(), 'password_hash': HASH}]
    out = load(write('a.csv', rows), '--refused', path('no.csv'), status=REFUSED)
    check('7 lines: 2 new, 1 here already, 4 refused' in out, out)
    taken = 'is taken, by an account or by a line before'
    equal(report('no.csv'), [['3', 'email', taken], ['3', 'phone', taken], ['3', 'username', taken],
                             ['4', 'phone', taken], ['5', 'username', taken], ['6', 'email', taken]], 'the report')
    equal(account(e)['name'], 'First', 'the first line wins')
    shop.sign_in(ann['email'], ann['password'])
    login(401, email=ann['email'], password='a password of many')


@suite.test
def test_duplicates_are_found_over_batches_too():
    rows = [{'username': word(), 'password_hash': HASH} for _ in range(BATCH + 10)]
    rows[BATCH + 5] = {**rows[3], 'password_hash': bcrypt('another')}
    out = load(write('a.csv', rows), '--refused', path('no.csv'), status=REFUSED)
    check(f'{BATCH + 9} new, 0 here already, 1 refused' in out, out)
    equal([r[:2] for r in report('no.csv')], [[str(BATCH + 7), 'username']], 'the report')
    equal(account(rows[3]['username'])['hash'], HASH, 'the first line wins')


# --- what is refused ------------------------------------------------------------------------------

BAD = [
    ({'email': 'no address'}, 'email'), ({'phone': '12'}, 'phone'), ({'username': '1 2'}, 'username'),
    ({'name': ''}, 'name'), ({'name': 'n' * 256}, 'name'), ({'email': ''}, 'email'),
    ({'password_hash': ''}, 'password_hash'), ({'password_hash': 'Nairobi-2026'}, 'password_hash'),
    ({'password_hash': '5f4dcc3b5aa765d61d8327deb882cf99'}, 'password_hash'),
    ({'password_hash': '$6$salt$hash'}, 'password_hash'), ({'password_hash': HASH[:-1]}, 'password_hash'),
    ({'password_hash': HASH + 'x'}, 'password_hash'), ({'password_hash': HASH[:-1] + '!'}, 'password_hash'),
    ({'password_hash': HASH.replace('$04$', '$03$')}, 'password_hash'),
    ({'password_hash': HASH.replace('$04$', '$15$')}, 'password_hash'),
    ({'password_hash': HASH.replace('$04$', '$4$')}, 'password_hash'),
    ({'password_hash': HASH.replace('$2b$', '$2x$')}, 'password_hash'),
    ({'password_hash': '$y$jET$9umc5HYjJDyVVuMZ6gRUo/$9wENdatBWUJmvVKdRec00AAiWw6qL8tDffZ5eNgrDA.'}, 'password_hash'),
    ({'password_hash': 'x' * 10000}, 'password_hash'),
    ({'roles': 'admin'}, 'roles'), ({'roles': 'buyer,admin'}, 'roles'), ({'roles': 'seller'}, 'roles'),
    ({'roles': 'customer'}, 'roles'), ({'is_active': 'maybe'}, 'is_active'), ({'is_active': '1'}, 'is_active'),
    ({'created_at': 'yesterday'}, 'created_at'), ({'created_at': '2199-01-01'}, 'created_at'),
    ({'created_at': '2019-02-30'}, 'created_at'), ({'phone_verified': 'true'}, 'phone_verified'),
    ({'email': '', 'username': 'ok', 'email_verified': 'true'}, 'username'),
]


@suite.test
def test_each_bad_line_is_refused_by_number_and_field():
    rows = []
    for change, _ in BAD:
        rows.append({'name': 'Good', 'email': email(), 'password_hash': HASH})
        rows.append({'name': 'Bad', 'email': email(), 'phone': '', 'username': '', 'roles': '', 'is_active': '',
                     'created_at': '', 'email_verified': '', 'phone_verified': '', 'password_hash': HASH, **change})
    before = accounts()
    out = load(write('a.csv', rows), '--refused', path('no.csv'), status=REFUSED)
    check(f'{len(BAD)} new, 0 here already, {len(BAD)} refused' in out, out)
    equal(accounts() - before, len(BAD), 'the good ones')
    told = report('no.csv')
    by_line = {}
    for line, field, reason in told:
        by_line.setdefault(int(line), []).append(field)
        check(reason and len(reason) < 120, f'line {line}: {reason!r}')
    equal([(n, fields[0]) for n, fields in sorted(by_line.items())],
          [(2 * i + 3, field) for i, (_, field) in enumerate(BAD)], 'lines and fields')
    why = {reason for line, field, reason in told if field == 'roles'}
    check(any('sokoctl user create --role admin' in r for r in why), f'admin is refused without advice: {why}')
    equal(sql("SELECT count(*) FROM account_roles r JOIN accounts a ON a.id = r.account_id"
              " WHERE a.imported_line IS NOT NULL AND r.role <> 'buyer'"), [['0']], 'more than buyers')
    # Neither the report nor the screen quotes anybody.
    with open(path('no.csv'), encoding='utf-8') as f:
        said = out + f.read()
    for row in rows:
        for field in ('email', 'password_hash', 'phone'):
            check(not row.get(field) or len(row[field]) < 4 or row[field] not in said, f'quotes {row.get(field)!r}')


@suite.test
def test_all_faults_of_a_line_are_told():
    load(write('a.csv', [{'name': '', 'email': 'x', 'phone': 'y', 'username': '', 'password_hash': 'z', 'roles': 'admin',
                          'is_active': 'w', 'created_at': 'v'}]), '--refused', path('no.csv'), status=REFUSED)
    equal([r[:2] for r in report('no.csv')],
          [['2', f] for f in ('name', 'email', 'phone', 'password_hash', 'roles', 'is_active', 'created_at')], 'all of them')


@suite.test
def test_without_a_report_the_first_few_are_shown():
    out = load(write('a.csv', [{'email': 'x', 'username': word(), 'password_hash': HASH}] * 30), status=REFUSED)
    equal(out.count('email: '), 10, f'shown: {out}')
    check('line 2: email: ' in out and '--refused FILE' in out, out)


@suite.test
def test_what_is_no_csv_is_refused_line_by_line():
    one, two = word(), word()
    with open(path('a.csv'), 'wb') as f:
        f.write(b'\xef\xbb\xbfusername,password_hash\r\n' + f'{one},{HASH}\r\n'.encode() +
                b'only one\n' + b'x"y,z\n' + b'\xff\xfe,' + HASH.encode() + b'\n' + b'a\x00b,' + HASH.encode() + b'\n' +
                b'x' * 300000 + b',y\n' + f'"{two}","{HASH}"'.encode())
    out = load(path('a.csv'), '--refused', path('no.csv'), status=REFUSED)
    check('2 new, 0 here already, 5 refused' in out, out)
    equal([r[0] for r in report('no.csv')], ['3', '4', '5', '6', '7'], 'lines')
    login(username=one, password='a password of many')
    login(username=two, password='a password of many')


@suite.test
def test_a_bad_header_refuses_the_file():
    for columns, words in ((['email', 'password'], ('password', 'not a known one')),
                           (['email', 'password_hash', 'role'], ('role', 'not a known one')),
                           (['email', 'email', 'password_hash'], ('email', 'stands twice')),
                           (['email', 'name'], ('password_hash', 'is missing')),
                           (['name', 'password_hash'], ('email', 'and so are phone and username'))):
        out = load(write('a.csv', [], columns), status=REFUSED)
        check(all(w in out for w in words), f'{columns}: {out}')
    with open(path('empty.csv'), 'w', encoding='ascii'):
        pass
    check('is empty' in load(path('empty.csv'), status=REFUSED), 'an empty file')
    check('0 lines: 0 new' in load(write('a.csv', [], ['email', 'password_hash'])), 'no lines')
    load(path('none.csv'), status=FAILED)
    load(folder.name, status=FAILED)
    load(status=USAGE)
    load(path('a.csv'), path('a.csv'), status=USAGE)
    load(path('a.csv'), '--refused', path('no/such/folder.csv'), status=FAILED)


# --- while it runs --------------------------------------------------------------------------------

@suite.test
def test_a_killed_import_is_run_again():
    rows = [{'username': word(), 'password_hash': HASH} for _ in range(2 * BATCH + 100)]
    name = write('a.csv', rows)
    before = accounts()
    with Held("INSERT INTO accounts (id, name, username, password_hash) VALUES (gen_random_uuid(), 'X', :'u', :'h')",
              u=rows[BATCH + 50]['username'], h=HASH) as held:
        child = subprocess.Popen(command(name), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        held.wait_for(1)  # in the middle of its second batch
        child.send_signal(signal.SIGKILL)
        child.wait()
        equal(accounts() - before, BATCH, 'the first batch stays')
    until(lambda: sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sokoctl'") == [['0']],
          'its end in the database')
    done = accounts() - before  # its second batch may have gone on without it, and ended whole
    check(done in (BATCH, 2 * BATCH), f'{done} accounts')
    out = load(name)
    check(f'{len(rows) - done} new, {done} here already, 0 refused' in out, out)
    equal(accounts() - before, len(rows), 'each once')


@suite.test
def test_two_at_once_make_each_account_once():
    rows = [{'username': word(), 'password_hash': HASH} for _ in range(3 * BATCH)]
    name = write('a.csv', rows)
    before = accounts()
    both = [subprocess.Popen(command(name), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for _ in range(2)]
    said = [child.communicate(timeout=120)[0] for child in both]
    equal([child.returncode for child in both], [0, 0], f'both end well: {said}')
    equal(accounts() - before, len(rows), 'each once')
    new = [int(s.split(' lines: ')[1].split(' new')[0]) for s in said]
    equal(sum(new), len(rows), f'and counted once: {said}')


@suite.test
def test_a_registration_under_way_is_waited_for():
    mine, his = email(), email()
    name = write('a.csv', [{'name': 'A', 'email': mine, 'password_hash': HASH},
                           {'name': 'B', 'email': his, 'password_hash': HASH}])
    with Held("INSERT INTO accounts (id, name, email, password_hash) VALUES (gen_random_uuid(), 'Himself', :'e', :'h')",
              e=his, h=HASH) as held:
        child = subprocess.Popen(command(name), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        held.wait_for(1)
        held.commit()
        out = child.communicate(timeout=60)[0]
    equal(child.returncode, REFUSED, out)
    check('1 new, 0 here already, 1 refused' in out, out)
    equal(account(his)['name'], 'Himself', 'who was first')


@suite.test
def test_the_audit_log_says_how_many_and_who_did_it():
    start = sql_one('SELECT coalesce(max(id), 0) FROM audit_log')
    rows = [{'username': word(), 'password_hash': HASH} for _ in range(BATCH + 7)]
    load(write('a.csv', rows))
    entries = sql("SELECT detail::json->>'added', detail::json->>'from_line', detail::json->>'to_line', operator <> ''"
                  " FROM audit_log WHERE id > :'start' AND event = 'accounts.imported' ORDER BY id", start=start)
    equal(entries, [[str(BATCH), '2', str(BATCH + 1), 't'], ['7', str(BATCH + 2), str(BATCH + 8), 't']], 'entries')
    load(path('a.csv'))
    equal(sql_one("SELECT count(*) FROM audit_log WHERE id > :'start' AND event = 'accounts.imported'", start=start),
          '2', 'nothing was imported, nothing is told')


suite.main()
