#!/usr/bin/python3
"""The package on a machine of its own, from an empty database to a purge: see README.md.

The tests are one story, told in order; each goes on from where the one before it left the machine.
"""
import argparse
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../e2e'))

import packages  # pylint: disable=C0413
from machine import Broken, Machine, base, remove, until  # pylint: disable=C0413
from soko import Failed, Shop, Suite, check, demand, equal  # pylint: disable=C0413

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
POOLS = ('fast', 'hash', 'wire')
SERVICES = [f'soko-api@{p}.service' for p in POOLS] + ['soko-jobs.service']
SOCKETS = [f'soko-api@{p}.socket' for p in POOLS]
NAME = 'localhost'
RESTARTS = 10       # of each service, under load
STRIDE = 60         # answers between two changes
SETTINGS = '/etc/soko/soko.conf.d/{}.conf'
CERT, KEY = '/etc/ssl/certs/soko.pem', '/etc/ssl/private/soko.key'
# One client asks for all.
SETTINGS_HERE = f'''LIMIT_PUBLIC=0
LIMIT_SIGNED_IN=0
LIMIT_LOGIN=0
LIMIT_LOGIN_ACCOUNT=0
TLS_CERTIFICATE={CERT}
TLS_CERTIFICATE_KEY={KEY}
'''
CATALOG = 'sql/functions/catalog.sql'
MIGRATION = 'usr/share/soko/sql/schema/{:04d}_machine'



class Story(Suite):
    """Nothing is told after what went wrong: it could only go wrong too."""
    ended = False

    def test(self, f):
        def told():
            if self.ended:
                raise Failed('not reached')
            self.ended = True
            f()
            self.ended = False
        told.__name__ = f.__name__
        return super().test(told)


suite = Story()


class World:
    """What the tests know of each other."""
    machine = shop = None
    old = new = newer = None    # packages, as files
    said_old = ''               # where the old one came from
    product = order = buyer = admin = None


w = World()


# --- hands ----------------------------------------------------------------------------------------

def sql(statement):
    return w.machine.run('setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', 'psql', '-XqtA',
                         '-v', 'ON_ERROR_STOP=1', '-d', 'soko', '-c', statement).strip()


def ctl(*words, **more):
    return w.machine.run('sokoctl', *words, **more)


def install(deb):
    """By apt, as a person would. What it says."""
    w.machine.take(deb, '/root/soko.deb')
    said = w.machine.run('apt-get', '-o', 'Dpkg::Use-Pty=0', '-y', '--allow-downgrades', '-o', 'APT::Sandbox::User=root',
                         'install', '/root/soko.deb')
    equal(w.machine.says('dpkg-query', '-W', '-f', '${db:Status-Status} ${Version}', 'soko'),
          'installed ' + packages.field(deb, 'Version'), 'what dpkg says')
    return said


def main_pid(unit):
    return int(w.machine.unit(unit, 'MainPID'))


def children(unit):
    pid = main_pid(unit)
    return w.machine.says('pgrep', '-P', str(pid)).split()


def active(unit):
    return w.machine.unit(unit, 'ActiveState') == 'active'


def all_active(units=tuple(SERVICES)):
    return all(active(u) for u in units)


def serves():
    try:
        return w.shop.call('GET', '/ready').status == 200
    except OSError:
        w.shop.local.c = None
        return False


def sell(tell_id=None):
    """A new buyer buys by cash on delivery; gives the order as he sees it."""
    buyer = w.shop.sign_up('Wanjiku')
    demand(w.shop.call('POST', '/cart/items', {'product_id': w.product, 'quantity': 2}, buyer['access_token']), 200)
    headers = {'Idempotency-Key': secrets.token_hex(12), **({'X-Request-ID': tell_id} if tell_id else {})}
    made = demand(w.shop.call('POST', '/orders', {'shipping_address': 'Moi Avenue 12, Nairobi',
                                                  'payment_method': 'cash_on_delivery'},
                              buyer['access_token'], headers), 201).data
    seen = demand(w.shop.call('GET', f'/orders/{made["id"]}', token=buyer['access_token']), 200).data
    equal((seen['status'], seen['payment_status'], seen['total_amount']), ('pending', 'unpaid', made['total_amount']),
          'the order as its buyer sees it')
    w.buyer, w.order = buyer, seen
    return seen


def same_order():
    """What was sold before is there, for who is still signed in."""
    seen = demand(w.shop.call('GET', f'/orders/{w.order["id"]}', token=w.buyer['access_token']), 200).data
    equal((seen['order_number'], seen['total_amount']), (w.order['order_number'], w.order['total_amount']), 'the order')


class Steady:
    """`with Steady() as load:` steady.py at work in the machine's network; leaving the block without a
    failure ends it, holds its orders against the database, and prints the figures."""

    def __init__(self, words):
        self.words, self.program = words, None

    def __enter__(self):
        self.program = subprocess.Popen(  # pylint: disable=R1732
            [sys.executable, '-B', os.path.join(HERE, 'steady.py'), '--base', f'https://{NAME}', '--cacert',
             w.machine.path(CERT), '--product', w.product],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        equal(self.program.stdout.readline().strip(), 'ready', 'what the load says first')
        return self

    def say(self, words):
        self.program.stdin.write(words + '\n')
        self.program.stdin.flush()
        return self.program.stdout.readline()

    def more(self, count=STRIDE):
        check(self.say(f'more {count}').startswith('answers'), 'the load goes on')

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.judge(json.loads(self.say('stop')))
        finally:
            self.program.kill()
            self.program.wait()
            self.program.stdin.close()
            self.program.stdout.close()

    def judge(self, r):
        idle = r['counts'].pop('closed while idle', 0)
        print(f'# figure: {self.words}: {r["answers"]} requests, {len(r["failures"])} failed; {len(r["orders"])} orders;'
              f' median {r["median"] * 1000:.0f} ms, p99 {r["p99"] * 1000:.0f} ms,'
              f' longest {r["longest"] * 1000:.0f} ms; {idle} connections closed while idle;'
              f' {json.dumps(r["counts"])}', flush=True)
        for failure in r['failures'][:20]:
            print('# failed: ' + failure)
        equal(len(r['failures']), 0, 'failed requests')
        check(r['orders'], 'orders')
        emails = ','.join(f"'{e}'" for e in r['buyers'])
        found = sql('SELECT o.id FROM orders o JOIN accounts a ON a.id = o.account_id'
                    f' WHERE a.email IN ({emails}) ORDER BY 1').split()
        equal(found, sorted(r['orders']), 'the orders in the database, each once')


# --- the story ------------------------------------------------------------------------------------

@suite.test
def test_package_installs_and_starts_nothing():
    check(not w.machine.exists('/usr/sbin/sokoctl'), 'nothing of ours is there before')
    install(w.old)
    equal(w.machine.says('dpkg', '--verify', 'soko'), '', 'what dpkg finds changed')
    for unit in SERVICES + SOCKETS:
        check(not active(unit), f'{unit} is not running before there is a shop')
    check('soko' in w.machine.run('getent', 'passwd', 'soko'), 'a user of its own')


@suite.test
def test_setup_makes_a_shop():
    set_up()
    until(serves, 'an answer of the new shop')
    check(all_active(), 'all services run')


def set_up():
    """As install.html says, with a certificate that is only good here."""
    w.machine.run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                  '-days', '30', '-subj', f'/CN={NAME}', '-addext', f'subjectAltName=DNS:{NAME}', '-keyout', KEY,
                  '-out', CERT)
    w.machine.run('rm', '/etc/nginx/sites-enabled/default')
    open_shop()
    w.shop = Shop(f'https://{NAME}', w.machine.path(CERT))


def open_shop():
    w.machine.write(SETTINGS.format('90-machine'), SETTINGS_HERE)
    w.machine.run('soko-setup', '--url', f'https://{NAME}')
    w.machine.run('sokoctl', 'nginx', 'write')
    w.machine.run('ln', '-sfn', '../sites-available/soko', '/etc/nginx/sites-enabled/soko')
    w.machine.run('nginx', '-t')
    w.machine.run('systemctl', 'reload', 'nginx')


@suite.test
def test_request_starts_a_stopped_pool():
    for pool in POOLS:
        w.machine.run('systemctl', 'stop', f'soko-api@{pool}.service')
    for pool in POOLS:
        check(not active(f'soko-api@{pool}.service'), f'{pool} is stopped')
        check(active(f'soko-api@{pool}.socket'), f'the socket of {pool} still listens')
    # Through nginx over TLS; each waits in the socket until somebody serves it.
    demand(w.shop.call('GET', '/products'), 200)
    demand(w.shop.call('POST', '/auth/login', {'email': 'nobody@example.com', 'password': 'not a password'}), 401)
    demand(w.shop.call('POST', '/payments/stripe', {}), 401)
    # The first worker has answered; systemd hears of it when all are there.
    for pool in POOLS:
        until(lambda: active(f'soko-api@{pool}.service'), f'{pool}, started by a request')  # pylint: disable=W0640


@suite.test
def test_it_sells_in_production_from_an_empty_database():
    equal(ctl('config', 'SOKO_ENV').strip(), 'production', 'SOKO_ENV')
    equal(sql('SELECT count(*) FROM accounts'), '0', 'accounts at first')
    password = secrets.token_urlsafe(16)
    ctl('user', 'create', '--role', 'admin', '--email', 'admin@example.com', '--name', 'Ada', '--password-stdin',
        input=password + '\n')
    admin = w.shop.sign_in('admin@example.com', password)
    equal(admin['role'], 'admin', 'who was made by sokoctl acts as')
    seller = w.shop.sign_up('Sela')
    w.machine.write('/root/goods.csv', 'store,category,sku,name,price,currency,stock\n'
                    'Kibanda,Kitchen > Coffee,PB-1,Peaberry coffee,850,KES,100000\n')
    ctl('product', 'import', '/root/goods.csv', '--owner', seller['email'])
    found = demand(w.shop.call('GET', '/products?search=peaberry'), 200).data
    equal([p['name'] for p in found], ['Peaberry coffee'], 'what is for sale')
    w.product, w.admin = found[0]['id'], admin
    sell()
    his = w.shop.sign_in(seller['email'], seller['password'], 'seller')
    seen = demand(w.shop.call('GET', '/seller/orders', token=his['access_token']), 200).data
    equal([o['id'] for o in seen], [w.order['id']], 'what the seller sees')
    demand(w.shop.call('PUT', f'/orders/{w.order["id"]}/status', {'status': 'processing'}, his['access_token']), 200)
    equal(ctl('ledger', 'check').count('differ'), 0, 'the ledger')


@suite.test
def test_logs_are_in_the_journal():
    request = 'machine-' + secrets.token_hex(8)
    sell(request)

    def found():
        lines = w.machine.journal('-o', 'cat', '-u', 'soko-api@fast.service', '--grep', request).splitlines()
        return [json.loads(line) for line in lines]
    line, = until(found, 'the sale in the journal')
    equal((line['http.request.id'], line['url.path'], line['http.response.status_code']),
          (request, '/api/v1/orders', 201), 'the line of the sale')
    said = w.machine.journal('-o', 'cat', '-t', 'soko-api', '-t', 'soko-jobs').splitlines()
    check(len(said) > 20, 'what our programs have said')
    for one in said:
        check(isinstance(json.loads(one), dict), f'a line of the journal: {one[:200]}')
        for secret in ('password', 'email'):
            check(w.buyer[secret] not in one, f'a line of the journal has an {secret}')


@suite.test
def test_services_restart_and_reload():
    for unit in SERVICES:
        before = main_pid(unit)
        w.machine.run('systemctl', 'restart', unit)
        check(main_pid(unit) not in (0, before), f'{unit} has a new process')
        parent, before = main_pid(unit), set(children(unit))
        w.machine.run('systemctl', 'reload', unit)
        until(lambda: active(unit) and not before & set(children(unit)), f'new workers of {unit}')
        equal(main_pid(unit), parent, f'the parent of {unit} after a reload')
    w.machine.run('systemctl', 'restart', 'soko.target')
    until(all_active, 'all services')
    same_order()


@suite.test
def test_killed_workers_and_parents_come_back():
    for unit in SERVICES:
        before = children(unit)
        check(before, f'{unit} has children')
        w.machine.run('kill', '-KILL', before[0])
        until(lambda: len(children(unit)) == len(before) and before[0] not in children(unit), f'a child of {unit}')
        parent = main_pid(unit)
        w.machine.run('kill', '-KILL', str(parent))
        until(lambda: active(unit) and main_pid(unit) not in (0, parent), f'a new parent of {unit}')
    until(serves, 'an answer')
    sell()


@suite.test
def test_restarts_under_load_lose_no_request():
    with Steady(f'{RESTARTS} rolling restarts') as load:
        load.more()
        for _ in range(RESTARTS):
            for unit in SERVICES:
                w.machine.run('systemctl', 'restart', unit)
            load.more()


@suite.test
def test_reloads_under_load_lose_no_request():
    with Steady('reloads of all services and of nginx') as load:
        load.more()
        for n in range(3):
            w.machine.write(SETTINGS.format('91-machine'), f'LOG_LEVEL={("warn", "debug", "info")[n]}\n')
            w.machine.run('systemctl', 'reload', 'soko.target')
            load.more()
            w.machine.run('systemctl', 'reload', 'nginx')
            load.more()


def in_view():
    return sql("SELECT count(*) FROM information_schema.columns WHERE table_name = 'product_view' AND column_name = 'machine:hidden'")


def versions():
    return int(sql('SELECT max(version) FROM schema_migrations'))


@suite.test
def test_upgrade_under_load_loses_no_request():
    schema = versions()
    with Steady('an upgrade') as load:
        load.more()
        before = {u: main_pid(u) for u in SERVICES}
        install(w.newer)
        load.more()
        check(all(main_pid(u) not in (0, before[u]) for u in SERVICES), 'every service was renewed')
    check(versions() > schema, 'the schema is newer')
    equal(sql("SELECT count(*) FROM information_schema.columns WHERE table_name = 'products' AND column_name = 'machine'"),
          '1', 'the column of the newer package')
    equal(in_view(), '1', 'the view has it')
    same_order()
    sell()


@suite.test
def test_downgrade_under_load_loses_no_request():
    schema = versions()
    with Steady('a downgrade') as load:
        load.more()
        install(w.old)
        load.more()
    equal((versions(), in_view()), (schema, '1'), 'the newer schema stays, its view too')
    check(all_active(), 'all services run')
    same_order()
    sell()


@suite.test
def test_machine_comes_back_by_itself():
    install(w.new)
    w.machine.power_off()
    w.machine.boot()
    w.shop = Shop(f'https://{NAME}', w.machine.path(CERT))
    until(serves, 'an answer after a boot')
    check(all_active(), 'all services run')
    same_order()
    sell()


@suite.test
def test_removed_it_leaves_the_data():
    orders = sql('SELECT count(*) FROM orders')
    w.machine.run('apt-get', '-o', 'Dpkg::Use-Pty=0', '-y', 'remove', 'soko')
    for unit in SERVICES + SOCKETS:
        equal((w.machine.unit(unit, 'LoadState'), w.machine.unit(unit, 'ActiveState')), ('not-found', 'inactive'), unit)
    equal(w.machine.says('pgrep', '-x', 'soko-.*').split(), [], 'processes that are left')
    check(not w.machine.exists('/usr/libexec/soko/soko-api'), 'the programs are gone')
    for left in ('/etc/soko/soko.conf', '/etc/soko/credentials', '/var/lib/soko/media'):
        check(w.machine.exists(left), f'{left} is left')
    equal(sql('SELECT count(*) FROM orders'), orders, 'orders in the database')


@suite.test
def test_installed_again_it_sells_on():
    install(w.new)
    w.machine.run('systemctl', 'start', 'soko.target')
    until(serves, 'an answer')
    same_order()
    sell()


@suite.test
def test_purged_it_leaves_database_and_media():
    w.machine.write('/var/lib/soko/media/kept', 'a picture')
    orders = sql('SELECT count(*) FROM orders')
    w.machine.run('apt-get', '-o', 'Dpkg::Use-Pty=0', '-y', 'purge', 'soko')
    equal(w.machine.says('dpkg-query', '-W', '-f', '${db:Status-Status}', 'soko'), '', 'what dpkg knows')
    check(not w.machine.exists('/etc/soko'), 'its configuration is gone')
    check(w.machine.exists('/var/lib/soko/media/kept'), 'the media are left')
    equal(sql('SELECT count(*) FROM orders'), orders, 'orders in the database')


@suite.test
def test_with_its_secrets_put_back_it_sells_on():
    install(w.new)
    kept, = (f for f in os.listdir(w.machine.path('/var/lib/soko')) if f.startswith('credentials.'))
    w.machine.run('cp', '-a', f'/var/lib/soko/{kept}/.', '/etc/soko/credentials')
    open_shop()
    until(serves, 'an answer')
    same_order()
    sell()


# --- main -----------------------------------------------------------------------------------------

def make_packages(folder, package):
    """The package of this tree, one of before, and one of after: with a column more, in a table and in the
    view of it that the catalogue reads."""
    w.new, w.old, w.newer = (os.path.join(folder, f + '.deb') for f in ('new', 'old', 'newer'))
    if package:
        shutil.copy(package, w.new)
    else:
        packages.of_this_tree(TOP, w.new)
    version = packages.field(w.new, 'Version')
    before = os.path.join(folder, 'before.deb')
    if packages.of_last_commit(TOP, before):
        w.said_old = 'the previous commit'
    else:
        shutil.copy(w.new, before)
        w.said_old = 'this tree, by a lower number: the previous commit has no package here'
    packages.changed(before, w.old, version + '~0')
    files = [f for f in os.listdir(os.path.join(TOP, 'sql/schema')) if f.endswith('.up.sql')]
    with open(os.path.join(TOP, CATALOG), encoding='utf-8') as f:
        catalog = f.read().replace('\nFROM products p\n', ',\n       p.machine AS "machine:hidden"\nFROM products p\n', 1)
    check('p.machine' in catalog, f'{CATALOG} has the view of products')
    path = MIGRATION.format(max(int(f[:4]) for f in files) + 1)
    packages.changed(w.new, w.newer, version + '+1', (
        (path + '.up.sql', '-- A column that only the newer version knows.\n'
                           "ALTER TABLE products ADD COLUMN machine text NOT NULL DEFAULT '';\n"),
        (path + '.down.sql', 'ALTER TABLE products DROP COLUMN machine CASCADE;\n'),
        ('usr/share/soko/' + CATALOG, catalog)))
    print(f'# figure: upgraded from: {w.said_old}', flush=True)


def leave(*_):
    raise KeyboardInterrupt    # nothing is told of a machine that was only stopped


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument('--folder', required=True, help='for the machine; made, and removed at the end')
    args.add_argument('--package', help='of this tree, if there is one already')
    o = args.parse_args()
    folder = o.folder
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    inner = os.path.join(folder, 'machine')
    remove(inner)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder, mode=0o700)
    try:
        make_packages(folder, o.package)
        with Machine(base(packages.needs(w.new)), inner) as w.machine:
            try:
                suite.main()
            except SystemExit as e:
                if e.code:
                    w.machine.tell()
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    try:
        main()
    except Broken as e:
        print('1..1\nnot ok 1 - machine')
        sys.exit('\n'.join('# ' + line for line in str(e).splitlines()))
