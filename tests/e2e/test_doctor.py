"""`sokoctl doctor`: nothing is wrong with a shop that is well, and each fault that is planted is found by
its check's name, with what to do about it.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import contextmanager

from keeping_common import STATE, as_superuser, beside, findings, outside, run, url_of
from orders_common import Buyer, shop
from owner import pid_of, redis, sql, sql_one, start, stop, workers
from soko import Suite, check, equal, until

suite = Suite()
CONF = os.environ['SOKO_CONF']


def doctor(conf=CONF, **settings):
    return findings(conf=conf, **settings)


def wrong(found):
    return [(f['check'], f['what']) for f in found if f['state'] == 'wrong']


def finds(name, words, remedy, state='wrong', conf=CONF, **settings):
    """One finding of that check says this, and what to do; nothing else is wrong."""
    found = doctor(conf, **settings)
    mine = [f for f in found if f['check'] == name and f['state'] == state and re.search(words, f['what'])]
    check(mine, f'{name} finds {words}: {[f for f in found if f["state"] not in ("ok", "skipped")]}')
    check(all(re.search(remedy, f['remedy'] or '') for f in mine), f'and says what to do: {mine}')
    others = [w for w in wrong(found) if w[0] != name]
    return others


def only(name, words, remedy, **more):
    equal(finds(name, words, remedy, **more), [], 'nothing else is wrong')


@contextmanager
def conf_with(**changed):
    """The shop's settings with some changed; None takes one away."""
    with open(CONF, encoding='utf-8') as f:
        lines = [line for line in f.read().splitlines() if line.split('=')[0] not in changed]
    lines += [f'{name}={value}' for name, value in changed.items() if value is not None]
    path = tempfile.mktemp(prefix='conf-', dir=STATE)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(fd, 'w', encoding='utf-8') as f:
        f.write('\n'.join(lines) + '\n')
    yield path
    os.unlink(path)


@contextmanager
def mode(path, bits):
    was = os.stat(path).st_mode & 0o7777
    os.chmod(path, bits)
    try:
        yield
    finally:
        os.chmod(path, was)


@contextmanager
def renamed(path):
    os.rename(path, path + '.away')
    try:
        yield
    finally:
        os.rename(path + '.away', path)


def postgres_with(**changed):
    """Restarts PostgreSQL with other words on its command line."""
    stop('postgres')
    path = os.path.join(STATE, 'run', 'postgres.cmd')
    with open(path, encoding='utf-8') as f:
        command = f.read()
    for name, value in changed.items():
        command = re.sub(rf'-c {name}=\S+', f'-c {name}={value}', command)
    with open(path, 'w', encoding='utf-8') as f:
        f.write(command)
    start('postgres')
    until(lambda: run('config', 'SOKO_ENV')[0] == 0 and subprocess.run(
        ['/usr/lib/postgresql/15/bin/pg_isready', '-q', '-d', url_of('postgres', 'postgres')],
        check=False).returncode == 0, 'PostgreSQL')


def all_lanes():
    return sql_one("SELECT count(DISTINCT application_name) FROM pg_stat_activity WHERE application_name ~ "
                   "'^soko-jobs (payments|clock|messages|tokens)$'") == '4'


@suite.test
def test_fsync_off_is_found():
    only('pg-settings', 'fsync = off', 'ALTER SYSTEM SET fsync = on')
    postgres_with(fsync='on')
    until(all_lanes, 'soko-jobs is back', 60)


@suite.test
def test_nothing_is_wrong_with_a_shop_that_is_well():
    found = doctor()
    equal(wrong(found), [], 'what is wrong')
    names = list(dict.fromkeys(f['check'] for f in found))
    check(len(names) >= 20, f'each check has said something: {names}')
    equal([f for f in found if f['state'] == 'skipped'], [], 'what was skipped')
    known = {('configuration', 'SOKO_ENV is demo'), ('redis', 'maxmemory is not set'),
             ('clock', 'nobody synchronises'), ('backups', 'holds no backup'), ('disk', '%')}
    equal([f for f in found if f['state'] == 'warning' and
           not any(f['check'] == c and w in f['what'] for c, w in known)], [], 'warnings of this machine alone')
    status, said = run('doctor', conf=CONF)
    equal(status, 0, said)
    check(re.search(r'^ok +postgresql ', said, re.M) and re.search(r'^0 wrong, \d+ warnings', said, re.M), said)


@suite.test
def test_the_owners_address_is_told_from_the_workers():
    found = findings()
    check(any(f['check'] == 'rights' and "the owner's" in f['what'] for f in found), f'{found}')
    equal(wrong(found), [], 'and is as good')


@suite.test
def test_a_bad_configuration_is_found_whole_and_the_rest_looked_at_all_the_same():
    with conf_with(STATEMENT_TIMEOUT='5', STRIPE_WEBHOOK_SECRETS='', NO_SUCH='1') as conf:
        found = doctor(conf)
        faults = [what for name, what in wrong(found) if name == 'configuration']
        equal(len(faults), 3, f'all at once, those of providers too: {faults}')
        for words in ('STATEMENT_TIMEOUT', 'STRIPE_WEBHOOK_SECRETS', 'NO_SUCH'):
            check(any(words in f for f in faults), f'{words}: {faults}')
        check(all(conf in f['remedy'] for f in found if f['check'] == 'configuration' and f['state'] == 'wrong'),
              'which file to edit')
        check(any(f['check'] == 'migrations' and f['state'] == 'ok' for f in found), f'{found}')
    with conf_with(DATABASE_URL=None, TOKEN_KEY='short') as conf:
        faults = wrong(doctor(conf))
        check(all('short' not in w for _, w in faults), f'no secret is quoted: {faults}')
        equal({n for n, _ in faults}, {'configuration'}, f'{faults}')


@suite.test
def test_secrets_that_others_can_read_are_found():
    with mode(CONF, 0o644):
        only('secrets', re.escape(CONF) + '.*0644', 'chmod 600')
    with open(os.path.join(STATE, 'conf', 'token_key'), encoding='ascii') as f:
        same = f.read().strip()
    with conf_with(DATA_KEY=same) as conf:
        finds('secrets', 'TOKEN_KEY and DATA_KEY are the same', 'openssl rand', conf=conf)
    with conf_with() as conf:
        os.mkdir(conf + '.d')
        for name, words in (('10-names.conf', 'AT_USERNAME=sandbox'), ('20-keys.conf', f'DATA_KEY={same[::-1]}')):
            with open(os.path.join(conf + '.d', name), 'w', encoding='ascii') as f:
                f.write(words + '\n')
            os.chmod(f.name, 0o644)
        finds('secrets', '20-keys.conf holds secrets and is open to others', 'chmod 600', conf=conf)
        check(not any('10-names.conf' in f['what'] for f in doctor(conf)), 'what holds none may be read')
        shutil.rmtree(conf + '.d')


@suite.test
def test_postgresql_that_is_away_is_found_and_the_rest_looked_at():
    nowhere = url_of('soko', 'soko_app').replace(STATE, '/nowhere')
    found = doctor(DATABASE_URL=nowhere)
    equal({n for n, _ in wrong(found)}, {'postgresql'}, 'nothing else is wrong')
    check(any('systemctl status postgresql' in (f['remedy'] or '') for f in found), f'{found}')
    check(any(f['check'] == 'ledger' and f['state'] == 'skipped' for f in found), 'what is skipped is told')
    check(any(f['check'] == 'redis' and f['state'] == 'ok' for f in found), f'{found}')
    found = doctor(DATABASE_URL='postgresql://soko_app:geheim@localhost:1/soko')
    check('geheim' not in json.dumps(found), 'no password is told')


@suite.test
def test_a_role_that_may_too_much_is_found():
    as_superuser('GRANT soko_owner TO soko_app')
    try:
        only('rights', 'acts as the owner', 'REVOKE soko_owner FROM soko_app')
    finally:
        as_superuser('REVOKE soko_owner FROM soko_app')
    as_superuser('ALTER ROLE soko_app SUPERUSER')
    try:
        only('rights', 'is a superuser', 'NOSUPERUSER')
    finally:
        as_superuser('ALTER ROLE soko_app NOSUPERUSER')
    as_superuser('GRANT UPDATE ON ledger_entries TO soko_app')
    try:
        only('rights', 'may rewrite the ledger', 'REVOKE UPDATE')
    finally:
        as_superuser('REVOKE UPDATE ON ledger_entries FROM soko_app')
    as_superuser('GRANT CREATE ON SCHEMA public TO PUBLIC')
    try:
        only('rights', 'may make tables', 'REVOKE CREATE ON SCHEMA public')
    finally:
        as_superuser('REVOKE CREATE ON SCHEMA public FROM PUBLIC')
    equal(wrong(doctor()), [], 'all is well again')


@suite.test
def test_a_database_that_is_empty_or_behind_is_found():
    with beside() as name:
        found = wrong(doctor(DATABASE_URL=url_of(name, 'soko_app')))
        check(('migrations', 'the database is empty, or not the shop\'s') in found, f'{found}')
    with tempfile.TemporaryDirectory(dir=STATE) as copy:
        source = next(line.split('=', 1)[1].strip() for line in open(CONF, encoding='utf-8')
                      if line.startswith('SQL_DIR='))
        shutil.copytree(source, copy + '/sql')
        with open(copy + '/sql/schema/0003_accounts.up.sql', 'a', encoding='utf-8') as f:
            f.write('-- edited\n')
        only('migrations', '0003_accounts was changed', 'install the package anew', SQL_DIR=copy + '/sql')
        newest = sorted(os.listdir(copy + '/sql/schema'))[-1]
        shutil.copytree(source, copy + '/newer')
        number = int(newest[:4]) + 1
        with open(f'{copy}/newer/schema/{number:04d}_more.up.sql', 'w', encoding='utf-8') as f:
            f.write('SELECT 1;\n')
        found = wrong(doctor(SQL_DIR=copy + '/newer'))
        check(any(n == 'migrations' and '1 are pending' in w for n, w in found), f'{found}')


@suite.test
def test_too_few_connections_are_found():
    only('connections', 'take 406 connections', 'max_connections = ', WORKERS_FAST='397')


@suite.test
def test_redis_that_is_away_or_refuses_is_found():
    only('redis', 'does not answer', 'systemctl status redis-server', REDIS_ADDRESS='unix:/nowhere/redis.sock')
    redis('CONFIG', 'SET', 'maxmemory', '64mb')
    try:
        only('redis', 'noeviction', 'maxmemory-policy')
        redis('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
        equal(wrong(doctor()), [], 'all is well')
    finally:
        redis('CONFIG', 'SET', 'maxmemory', '0')
        redis('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')


@suite.test
def test_folders_and_sockets_are_looked_at():
    only('folders', 'MEDIA_DIR: .*No such file', 'install -d', MEDIA_DIR=STATE + '/nowhere') if not shown() else \
        finds('folders', 'MEDIA_DIR: .*No such file', 'install -d', MEDIA_DIR=STATE + '/nowhere')
    with mode(os.path.join(STATE, 'media'), 0o777):
        only('folders', 'anybody may write', 'chmod o-w')
    sockets = setting('SOCKET_DIR')
    with mode(os.path.join(sockets, 'wire.sock'), 0o666):
        only('sockets', 'wire.sock has mode 0666', 'systemctl restart soko-api@wire')
    with renamed(os.path.join(sockets, 'hash.sock')):
        only('sockets', 'hash.sock: No such file', 'systemctl start soko-api@hash.socket')
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(os.path.join(sockets, 'hash.sock'))
        dead.close()
        os.chmod(os.path.join(sockets, 'hash.sock'), 0o660)
        try:
            only('sockets', 'hash.sock: nobody listens', 'systemctl restart')
        finally:
            os.unlink(os.path.join(sockets, 'hash.sock'))


@suite.test
def test_workers_that_hang_are_found_also_behind_a_full_queue():
    path = os.path.join(setting('SOCKET_DIR'), 'wire.sock')
    pids = [pid_of('soko-api-wire'), *map(int, workers('soko-api-wire'))]
    waiting = []
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        only('sockets', 'wire.sock: nobody takes a request', 'journalctl -u soko-api@wire')
        for _ in range(10000):
            s = socket.socket(socket.AF_UNIX)
            s.setblocking(False)
            waiting.append(s)
            if s.connect_ex(path) != 0:
                break
        only('sockets', 'wire.sock: the queue is full', 'journalctl -u soko-api@wire')
    finally:
        for s in waiting:
            s.close()
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    until(lambda: wrong(doctor()) == [], 'all is well again', 60)


def setting(name):
    with open(CONF, encoding='utf-8') as f:
        return next(line.rstrip('\n').split('=', 1)[1] for line in f if line.startswith(name + '='))


def shown():
    return sql_one("SELECT count(*) FROM product_images WHERE url LIKE '/media/%'") != '0'


def certificate(folder, days, host='localhost', key='key'):
    cert = f'{folder}/cert-{days}-{host}.pem'
    done = subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days',
         str(days), '-subj', f'/CN={host}', '-addext', f'subjectAltName=DNS:{host}', '-keyout', f'{folder}/{key}.pem',
         '-out', cert], capture_output=True, check=False)
    equal(done.returncode, 0, done.stderr)
    return cert, f'{folder}/{key}.pem'


def certifies(words, remedy, **settings):
    """Nothing else is wrong, but that nginx's site may not follow from these settings."""
    others = {name for name, _ in finds('certificate', words, remedy, **settings)}
    check(others <= {'nginx'}, f'what else is wrong: {others}')


@suite.test
def test_the_certificate_is_looked_at():
    with tempfile.TemporaryDirectory(dir=STATE) as folder:
        soon, key = certificate(folder, 3)
        certifies('ends in [23] days', 'certbot renew', TLS_CERTIFICATE=soon, TLS_CERTIFICATE_KEY=key)
        other, _ = certificate(folder, 365, key='other')
        certifies("is not the certificate's", 'one pair', TLS_CERTIFICATE=other, TLS_CERTIFICATE_KEY=key)
        certifies('is not for shop.example.com', 'certbot certonly -d shop.example.com',
                  PUBLIC_URL='https://shop.example.com')
        certifies('No such file', 'certbot certonly', TLS_CERTIFICATE=folder + '/nowhere.pem')
        with open(folder + '/junk.pem', 'w', encoding='ascii') as f:
            f.write('junk\n')
        certifies('no certificate', 'certbot certonly', TLS_CERTIFICATE=folder + '/junk.pem')


@suite.test
def test_a_site_of_nginx_that_is_out_of_date_is_found():
    only('nginx', 'not what the settings say', 'sokoctl nginx write', LIMIT_SIGNED_IN='77')


@suite.test
def test_jobs_that_are_away_and_what_waits_for_them_are_found():
    stop('jobs')
    try:
        until(lambda: any(n == 'jobs' for n, _ in wrong(doctor())), 'that nobody is at work')
        only('jobs', '0 of its 4 lanes', 'systemctl restart soko-jobs')
        sql("INSERT INTO outbox (event, consumer, lane, subject, trace_id, available_at) VALUES "
            "('order.created', 'nobody', 'payments', gen_random_uuid(), 'test', now() - interval '1 hour')")
        equal({n for n, _ in finds('outbox', 'lane payments: 1 are due', 'journalctl -u soko-jobs') and
               wrong(doctor())}, {'jobs', 'outbox'}, 'what is wrong')
        sql("UPDATE outbox SET parked_at = now()")
        finds('outbox', '1 were given up', 'sokoctl outbox list', state='warning')
        sql("DELETE FROM outbox WHERE consumer = 'nobody'")
        sql("INSERT INTO audit_log (at, event, detail, trace_id) VALUES (now() - interval '1 hour', 'test', '{}', 't')")
        finds('audit', 'have no seal', 'DATA_KEY')
    finally:
        start('jobs')
    until(lambda: wrong(doctor()) == [], 'all is well again', 60)


@suite.test
def test_money_that_waits_for_a_person_is_found():
    sql("INSERT INTO payments (id, provider, status, amount, asked, received, currency) "
        "VALUES (gen_random_uuid(), 'mpesa', 'needs_review', 100, 100, 100, 'KES')")
    finds('payments', '1 payments wait for a person', 'accept or return each', state='warning')
    finds('ledger', 'KES: the ledger says', 'sokoctl ledger check')
    sql("DELETE FROM payments WHERE status = 'needs_review'")
    product = shop.new_product(shop.new_seller(), shop.new_category(shop.admin())['id'])
    order = Buyer().paid((product, 1))
    payment = sql_one("SELECT id FROM payments WHERE order_id = :'id'", id=order['id'])
    sql("INSERT INTO refunds (id, payment_id, amount, currency, reason, status) "
        "VALUES (gen_random_uuid(), :'id', 100, 'KES', 'returned', 'failed')", id=payment)
    finds('payments', '1 refunds have failed', 'sokoctl refund', state='warning')
    sql('DELETE FROM refunds')
    equal(wrong(doctor()), [], 'all is well again')


@suite.test
def test_pictures_and_backups_that_are_missing_are_found():
    row = sql("SELECT url FROM product_images WHERE url LIKE '/media/%' LIMIT 1")[0][0]
    with renamed(os.path.join(STATE, row[1:])):
        only('pictures', 'is not there|are missing', 'backup')
    with tempfile.TemporaryDirectory(dir=STATE) as folder:
        finds('backups', 'holds no backup', 'soko-backup.timer', state='warning', BACKUP_DIR=folder)
        os.mkdir(folder + '/soko-20200101T000000Z')
        finds('backups', 'holds no backup', 'soko-backup.timer', state='warning', BACKUP_DIR=folder)
        with open(folder + '/soko-20200101T000000Z/manifest.sha256', 'w', encoding='ascii'):
            pass
        only('backups', 'the newest is \\d+ days old', 'sokoctl backup', BACKUP_DIR=folder)
        shutil.copytree(folder + '/soko-20200101T000000Z', folder + '/soko-20990101T000000Z')
        finds('backups', 'is of days to come', 'soko-backup.timer', state='warning', BACKUP_DIR=folder)


suite.main()
