"""`sokoctl backup` and `restore`: a shop with orders, money and pictures is backed up while it sells, and
stands up again from it; what is cut off, changed or of another kind is refused by name.

# settings: AUDIT_SEAL=50ms JOBS_POLL=20ms COMMISSION_BP=850
"""
import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from contextlib import contextmanager

from audit_common import is_good
from keeping_common import CTL, STATE, SUPERUSER, beside, databases, good, outside, refused, run, url_of
from orders_common import Buyer, shop
from owner import Held, redis, sql, sql_one, start, stop
from pictures import png
from refund_common import Stall, give, refunds_become
from soko import Suite, check, demand, equal, until

suite = Suite()
stall = Stall()
FOLDER = tempfile.mkdtemp(prefix='backups-', dir=STATE)


def backups(folder=FOLDER):
    return sorted(glob.glob(os.path.join(folder, 'soko-*')))


def manifest(path):
    with open(os.path.join(path, 'manifest.json'), encoding='utf-8') as f:
        return json.load(f)


def backup(*words, folder=FOLDER, **settings):
    """Makes one; its path. Two in a second are one name, so the earlier is moved out of its way."""
    before = set(backups(folder))
    said = good('backup', folder, *words, **settings)
    new = [p for p in backups(folder) if p not in before]
    equal(len(new), 1, said)
    return new[0]


def aged(path, stamp):
    """The same backup, as if it were of another time."""
    to = os.path.join(os.path.dirname(path), f'soko-{stamp}Z')
    os.rename(path, to)
    return to


def copy_of(path):
    to = os.path.join(tempfile.mkdtemp(prefix='copy-', dir=STATE), os.path.basename(path))
    shutil.copytree(path, to)
    return to


def rows(database):
    """Each table with its number of rows, by our own counting."""
    names = [r[0] for r in sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
                               url=url_of(database))]
    return {n: int(sql(f'SELECT count(*) FROM "{n}"', url=url_of(database))[0][0]) for n in names}


def sell_something():
    """Sales by each method, one given back in part, a picture: all that a backup must keep."""
    product = stall.product()
    demand(shop.upload(f'/products/{product["id"]}/image', 'image', png(), stall.seller['access_token']), 201)
    for method in ('stripe', 'mpesa', 'simulated'):
        buyer, order = stall.paid(method, (product, 2))
    demand(give(stall.seller, order, lines=[{'product_id': product['id'], 'quantity': 1}]), 201)
    refunds_become(stall.seller, order, 'succeeded')
    return product


first = {}


@contextmanager
def buyers_at_work():
    """Some who buy and pay without a pause, for as long as the block is entered."""
    over, made = threading.Event(), []
    product = stall.product(stock=100000)

    def work():
        buyer = Buyer('Busy')
        while not over.is_set():
            made.append(buyer.order((product, 1))['id'])

    threads = [threading.Thread(target=work) for _ in range(3)]
    for t in threads:
        t.start()
    try:
        until(lambda: len(made) > 3, 'orders')
        yield made
    finally:
        over.set()
        for t in threads:
            t.join()


@suite.test
def test_a_backup_is_made_while_the_shop_sells_and_is_whole():
    first['product'] = sell_something()
    with buyers_at_work() as made:
        before = len(made)
        path = first['path'] = backup()
        until(lambda: len(made) > before, 'that orders go on')
    says = manifest(path)
    check(before <= says['tables']['orders'] <= len(made) + 3, f'orders: {says["tables"]["orders"]}, made {len(made)}')
    equal(os.stat(path).st_mode & 0o777, 0o700, 'the folder')
    for name in ('manifest.json', 'manifest.sha256', 'database.dump'):
        equal(os.stat(os.path.join(path, name)).st_mode & 0o777, 0o600, name)
    with open(os.path.join(path, 'database.dump'), 'rb') as f:
        equal(hashlib.sha256(f.read()).hexdigest(), says['dump_sha256'], 'the sum of the dump')
    equal(subprocess.run(['sha256sum', '-c', 'manifest.sha256'], cwd=path, capture_output=True,
                         check=False).returncode, 0, 'other tools can look at it')
    equal(sum(s['amount'] for s in says['ledger']), 0, 'the ledger sums to zero')
    check(re.fullmatch(r'\d+:[0-9a-f]{64}', says['audit_head']), says['audit_head'])
    check(says['media_files'] >= 1 and says['media_missing'] == 0, f'pictures: {says}')
    for dirpath, _, names in os.walk(os.path.join(path, 'media')):
        for name in names:
            with open(os.path.join(dirpath, name), 'rb') as f:
                equal(hashlib.sha256(f.read()).hexdigest(), name.split('.')[0], 'a picture is what its name says')


@suite.test
def test_no_key_is_in_a_backup():
    said = good('backup', tempfile.mkdtemp(dir=STATE))
    check('DATA_KEY and TOKEN_KEY are NOT in it' in said, said)
    keys = []
    for name in ('data_key', 'token_key'):
        with open(os.path.join(STATE, 'conf', name), 'rb') as f:
            keys.append(f.read().strip())
    for dirpath, _, names in os.walk(first['path']):
        for name in names:
            with open(os.path.join(dirpath, name), 'rb') as f:
                data = f.read()
            check(all(k not in data for k in keys), f'{name} holds a key')


@suite.test
def test_pictures_are_shared_with_the_backup_before():
    first['path'] = aged(first['path'], '20260101T000000')
    second = backup()
    names = [os.path.relpath(p, second) for p in glob.glob(second + '/media/??/*')]
    check(names, 'there are pictures')
    for name in names:
        equal(os.stat(os.path.join(second, name)).st_ino, os.stat(os.path.join(first['path'], name)).st_ino,
              'a link, and no second copy')
    equal(manifest(second)['media_files'], len(names), 'and counted')
    shutil.rmtree(second)
    good('restore', '--check', first['path'], DATABASE_URL=url_of('soko', 'postgres'))


@suite.test
def test_a_restored_database_is_as_the_manifest_says():
    with beside() as name:
        media = tempfile.mkdtemp(dir=STATE)
        said = good('restore', first['path'], DATABASE_URL=url_of(name), MEDIA_DIR=media)
        says, now = manifest(first['path']), rows(name)
        now['audit_log'] -= 1  # that it was restored
        equal({n: c for n, c in now.items() if says['tables'].get(n) != c}, {}, 'the rows of each table')
        check('FLUSHDB' in said and '--head ' + says['audit_head'] in said, said)
        good('ledger', 'check', DATABASE_URL=url_of(name))
        good('audit', 'verify', '--head', says['audit_head'], DATABASE_URL=url_of(name))
        equal(len(glob.glob(media + '/??/*')), says['media_files'], 'the pictures')
        equal(oct(os.stat(glob.glob(media + '/??/*')[0]).st_mode & 0o777), '0o644', 'as nginx reads them')
        rights = "SELECT has_table_privilege('soko_app', 'orders', 'INSERT'), " \
                 "has_table_privilege('soko_app', 'ledger_entries', 'DELETE')"
        equal(sql(rights, url=url_of(name)), [['t', 'f']], 'what the workers may came back too')
        refused('is not empty', 'restore', first['path'], DATABASE_URL=url_of(name), MEDIA_DIR=media)


@suite.test
def test_a_rehearsal_leaves_nothing_and_changes_nothing():
    before, orders = databases(), sql_one('SELECT count(*) FROM orders')
    said = good('restore', '--check', first['path'], DATABASE_URL=url_of('soko', 'postgres'))
    check('as the manifest says' in said, said)
    equal(databases(), before, 'no database is left')
    equal(sql_one('SELECT count(*) FROM orders'), orders, 'the shop is as it was')
    refused('ALTER ROLE', 'restore', '--check', first['path'])  # the owner may make no databases here


@suite.test
def test_what_is_cut_off_or_changed_is_refused_by_name():
    def dump_is(change):
        path = copy_of(first['path'])
        file = os.path.join(path, 'database.dump')
        with open(file, 'r+b') as f:
            change(f)
        return path

    def cut(f):
        f.truncate(os.path.getsize(f.name) // 2)

    def flip(f):
        f.seek(1000)
        byte = f.read(1)[0]
        f.seek(1000)
        f.write(bytes([byte ^ 1]))

    with beside() as name:
        to = {'DATABASE_URL': url_of(name), 'MEDIA_DIR': tempfile.mkdtemp(dir=STATE)}
        for words in (['restore'], ['restore', '--check']):
            refused('database.dump has', *words, dump_is(cut), **to)
            refused('database.dump was changed', *words, dump_is(flip), **to)
        path = copy_of(first['path'])
        os.unlink(path + '/manifest.sha256')
        refused('is no whole backup: it has no manifest.sha256', 'restore', path, **to)
        path = copy_of(first['path'])
        with open(path + '/manifest.json', encoding='utf-8') as f:
            text = f.read()
        with open(path + '/manifest.json', 'w', encoding='utf-8') as f:
            f.write(text.replace('"schema":', '"schema":9', 1))
        refused('manifest.json was changed', 'restore', path, **to)
        path = copy_of(first['path'])
        picture = glob.glob(path + '/media/??/*')[0]
        with open(picture, 'ab') as f:
            f.write(b'!')
        refused(os.path.basename(picture) + ' was changed', 'restore', path, **to)
        path = copy_of(first['path'])
        os.unlink(glob.glob(path + '/media/??/*')[0])
        refused('media holds', 'restore', path, **to)
        refused('is no whole backup', 'restore', STATE, **to)
        equal(rows(name), {}, 'nothing of it came into the database')
        equal(glob.glob(to['MEDIA_DIR'] + '/*'), [], 'nor into MEDIA_DIR')


@suite.test
def test_a_restore_that_ends_early_leaves_an_empty_database():
    with beside() as name:
        # Whoever ends psql in the middle: a table that is not there makes it fail in after.sql, the last step.
        with tempfile.TemporaryDirectory(dir=STATE) as copy:
            source = good('config', 'SQL_DIR').strip()
            shutil.copytree(source, copy + '/sql')
            with open(copy + '/sql/restore/after.sql', 'a', encoding='utf-8') as f:
                f.write('SELECT * FROM nowhere;\n')
            said = refused('the database is empty', 'restore', first['path'], DATABASE_URL=url_of(name),
                           MEDIA_DIR=tempfile.mkdtemp(dir=STATE), SQL_DIR=copy + '/sql')
            check('nowhere' in said, said)
            equal(rows(name), {}, 'nothing is left')
            # Killed where it waits: a table of that name cannot be made while somebody else makes it.
            with open(copy + '/sql/restore/before.sql', 'a', encoding='utf-8') as f:
                f.write('SELECT pg_advisory_xact_lock(4711);\n')
            with Held('SELECT pg_advisory_xact_lock(4711)', url=url_of(name)) as held:
                child = subprocess.Popen(
                    CTL + ['restore', first['path']], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    env={**os.environ, 'DATABASE_URL': url_of(name), 'SQL_DIR': copy + '/sql',
                         'MEDIA_DIR': tempfile.mkdtemp(dir=STATE)})
                held.wait_for(1)
                child.kill()
                child.wait()
            until(lambda: sql("SELECT count(*) FROM pg_stat_activity WHERE datname = :'d' AND pid <> pg_backend_pid() "
                              "AND application_name = 'psql'", url=SUPERUSER, d=name)[0][0] == '0', 'the end of psql')
            equal(rows(name), {}, 'nothing is left')
        good('restore', first['path'], DATABASE_URL=url_of(name), MEDIA_DIR=tempfile.mkdtemp(dir=STATE))


@suite.test
def test_a_backup_that_is_killed_never_looks_whole():
    folder = tempfile.mkdtemp(prefix='killed-', dir=STATE)
    with Held('LOCK TABLE product_imports IN ACCESS EXCLUSIVE MODE') as held:
        child = subprocess.Popen(CTL + ['backup', folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        held.wait_for(1)  # pg_dump, at its first table's lock
        child.kill()
        child.wait()
        names = os.listdir(folder)
        check(len(names) == 1 and names[0].startswith('.partial-soko-'), f'{names}')
    refused('is no whole backup', 'restore', '--check', os.path.join(folder, names[0]))
    with open(folder + '/.partial-of-somebody', 'w', encoding='ascii'):
        pass
    path = backup(folder=folder)
    equal(sorted(os.listdir(folder)), ['.partial-of-somebody', os.path.basename(path)],
          'the next one removes what it left, and nothing else')


@suite.test
def test_keep_removes_the_oldest_and_nothing_of_others():
    folder = tempfile.mkdtemp(prefix='keep-', dir=STATE)
    others = ['soko-notes.txt', 'soko-20200101T000000Z.tar', 'database.dump']
    for name in others:
        with open(os.path.join(folder, name), 'w', encoding='ascii') as f:
            f.write('mine\n')
    os.mkdir(folder + '/soko-20190101T000000Z')  # named like one, and none: it has no manifest
    for stamp in ('20260101T000000', '20260102T000000', '20260103T000000'):
        aged(backup('--no-media', folder=folder), stamp)
    path = backup('--keep', '2', '--no-media', folder=folder)
    equal(sorted(os.listdir(folder)), sorted(others + ['soko-20190101T000000Z', 'soko-20260103T000000Z',
                                                       os.path.basename(path)]), 'what is left')
    for words in ('0', '-1', 'x', '2x'):
        refused('--keep', 'backup', folder, '--keep', words)
    with open(os.path.join(folder, 'locked'), 'w', encoding='ascii'):
        pass
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    refused('another backup is at work', 'backup', folder)
    os.close(lock)
    refused('install -d', 'backup', folder + '/nowhere')


@suite.test
def test_pictures_that_are_lost_fail_the_backup_which_is_kept():
    folder = tempfile.mkdtemp(prefix='lost-', dir=STATE)
    aged(backup(folder=folder), '20260101T000000')
    status, said = run('backup', folder, '--keep', '1', MEDIA_DIR=tempfile.mkdtemp(dir=STATE))
    equal(status, 1, said)
    check('MEDIA_DIR does not hold' in said and 'No older backup was removed' in said, said)
    equal(len(backups(folder)), 2, 'both are there')
    check(manifest(backups(folder)[1])['media_missing'] > 0, 'and the manifest says it')


@suite.test
def test_only_the_owner_backs_up_and_is_restored_to():
    folder = tempfile.mkdtemp(dir=STATE)
    refused("must be the owner's", 'backup', folder, DATABASE_URL=url_of('soko', 'soko_app'))
    equal(os.listdir(folder), [], 'nothing is left')
    with beside() as name:
        refused('restore as the same role', 'restore', first['path'], DATABASE_URL=url_of(name, 'postgres'))
    password = 'geheim-' + os.path.basename(folder)
    status, said = run('backup', folder, DATABASE_URL=f'postgresql://soko_owner:{password}@localhost:1/soko')
    check(status == 1 and password not in said, f'no password is told: {said}')


@suite.test
def test_the_head_is_remembered_in_a_file():
    file = os.path.join(tempfile.mkdtemp(dir=STATE), 'head')
    check('no head is remembered yet' in good('audit', 'verify', '--head-file', file), 'the first time')
    with open(file, encoding='ascii') as f:
        head = f.read().strip()
    check(re.fullmatch(r'\d+:[0-9a-f]{64}', head), head)
    Buyer('Later')
    until(lambda: int(sql_one('SELECT max(number) FROM audit_chain')) > int(head.split(':')[0]), 'another link')
    good('audit', 'verify', '--head-file', file)
    with open(file, encoding='ascii') as f:
        check(int(f.read().split(':')[0]) > int(head.split(':')[0]), 'it went on')
    with open(file, 'w', encoding='ascii') as f:
        f.write('9999999:' + 'a' * 64 + '\n')
    refused('truncated', 'audit', 'verify', '--head-file', file)
    with open(file, encoding='ascii') as f:
        check(f.read().startswith('9999999:'), 'and stays, until somebody has looked')
    with open(file, 'w', encoding='ascii') as f:
        f.write('\n')
    refused('holds no head', 'audit', 'verify', '--head-file', file)


@suite.test
def test_the_ledger_is_waited_for():
    """Longer than STATEMENT_TIMEOUT, after which the rest of the shop thinks that the server hangs."""
    with Held('LOCK TABLE ledger_entries IN ACCESS EXCLUSIVE MODE') as held:
        child = subprocess.Popen(CTL + ['ledger', 'check'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                 env={**os.environ, 'STATEMENT_TIMEOUT': '1ms'})
        held.wait_for(1)
        until(lambda: child.poll() is not None or int(sql_one(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            " AND clock_timestamp() - query_start > interval '3 s'", url=SUPERUSER)), 'a long wait')
    said = child.communicate()[0]
    equal(child.returncode, 0, said)


@suite.test
def test_a_shop_stands_up_from_its_backup_and_sells():
    """The database is lost; money was on its way back when the backup was taken."""
    product = stall.product()
    buyer, order = stall.paid('stripe', (product, 3))
    stop('jobs')
    demand(give(stall.seller, order, lines=[{'product_id': product['id'], 'quantity': 1}]), 201)
    path = backup('--verify', DATABASE_URL=url_of('soko', 'postgres'))
    start('jobs')
    refunds_become(stall.seller, order, 'succeeded')  # after the backup: the buyer has his money
    lost = Buyer('Lost')
    pools = ['soko-api-fast', 'soko-api-hash', 'soko-api-wire']
    for server in pools + ['jobs']:
        stop(server)
    outside('ALTER DATABASE soko RENAME TO soko_lost')
    outside('ALTER ROLE soko_owner CREATEDB')
    said = good('restore', path)
    check('outbox list' in said, said)
    redis('FLUSHDB')
    good('migrate', 'up')
    for server in pools + ['jobs']:
        start(server)
    until(lambda: shop.call('GET', '/ready').status == 200, 'a shop that is ready', 60)
    equal(buyer.call('GET', '/cart').status, 401, 'all are signed out')
    equal(shop.call('POST', '/auth/login', {'email': lost.me['email'], 'password': lost.me['password']}).status, 401,
          'who came after the backup is not in it')
    again = Buyer('New')
    again.paid((product, 1))
    held = [json.loads(line) for line in good('outbox', 'list', '--parked', '--json').splitlines()]
    check([h for h in held if h['consumer'] == 'refunds_send'], f'the refund is held: {held}')
    status = "SELECT r.status FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE p.order_id = :'id'"
    equal(sql_one(status, id=order['id']), 'pending', 'and nobody sends it twice')
    number = next(h for h in held if h['consumer'] == 'refunds_send')
    good('outbox', 'retry', str(number['id']))
    until(lambda: sql_one(status, id=order['id']) == 'succeeded', 'a person lets it go: Stripe knows it by its key', 60)
    good('ledger', 'check')
    is_good()
    check('database.restored' in events(), 'the audit log tells of it')
    outside('DROP DATABASE soko_lost')
    outside('ALTER ROLE soko_owner NOCREATEDB')


def events():
    return {row[0] for row in sql('SELECT DISTINCT event FROM audit_log')}


@suite.test
def test_what_a_link_leads_to_is_not_removed():
    with tempfile.TemporaryDirectory(dir=STATE) as elsewhere:
        folder = tempfile.mkdtemp(prefix='backups-', dir=STATE)
        old = shutil.copytree(first['path'], os.path.join(elsewhere, 'old'))
        os.symlink(elsewhere, os.path.join(folder, '.partial-soko-20200101T000000Z'))
        os.symlink(old, os.path.join(folder, 'soko-20200101T000000Z'))
        backup('--no-media', '--keep', '1', folder=folder)
        equal(len(os.listdir(folder)), 1, 'of the links nothing is left')
        check(os.path.exists(os.path.join(old, 'manifest.sha256')), 'and all that they led to')


@suite.test
def test_a_picture_that_was_damaged_in_a_backup_is_not_in_the_next():
    folder = tempfile.mkdtemp(prefix='backups-', dir=STATE)
    earlier = aged(backup(folder=folder), '20200101T000000')
    picture = glob.glob(earlier + '/media/??/*')[0]
    with open(picture, 'ab') as f:
        f.write(b'x')
    later = backup(folder=folder)
    for name in glob.glob(later + '/media/??/*'):
        with open(name, 'rb') as f:
            equal(hashlib.sha256(f.read()).hexdigest(), os.path.basename(name).split('.')[0], 'what is in it')
    with beside() as name:
        refused('is not what its name says', 'restore', earlier, DATABASE_URL=url_of(name))
        good('restore', later, DATABASE_URL=url_of(name), MEDIA_DIR=tempfile.mkdtemp(dir=STATE))


@suite.test
def test_restored_pictures_are_written_through_no_link():
    media = tempfile.mkdtemp(dir=STATE)
    picture = os.path.basename(glob.glob(first['path'] + '/media/??/*')[0])
    os.mkdir(os.path.join(media, picture[:2]))
    precious = os.path.join(STATE, 'precious')
    with open(precious, 'w', encoding='ascii') as f:
        f.write('precious')
    os.chmod(precious, 0o600)
    os.symlink(precious, os.path.join(media, picture[:2], '.' + picture[:36]))
    with beside() as name:
        good('restore', first['path'], DATABASE_URL=url_of(name), MEDIA_DIR=media)
    with open(precious, encoding='ascii') as f:
        equal(f.read(), 'precious', 'what the link led to')
    equal(os.stat(precious).st_mode & 0o777, 0o600, 'its mode')
    check(os.path.isfile(os.path.join(media, picture[:2], picture)), 'the picture is there')


suite.main()
