#!/usr/bin/python3
"""A shop of three machines, which die one after the other under load. Each machine is a network namespace
(network.py), each server a real one (machine.py), the clients buy and read all the while (traffic.py):

    one     nginx, the pools over TCP, soko-jobs, PostgreSQL (standby; the catalogue is read here)
    two     PostgreSQL (primary), Redis (first of the list)
    three   the pools over TCP, soko-jobs, PostgreSQL (standby), Redis (second)

A commit waits for one of the two standbys. Lines `# figure:` are what nginx/docs/hosts.html quotes; no test
asserts a time.

Run as root: ./dev test hosts. The folder, the logs' folder, the programs and the user are in SOKO_HOSTS,
SOKO_KEPT, SOKO_INST and SOKO_USER.
"""
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time

CLONE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(CLONE, 'tests/e2e'))

from traffic import AGAIN, Load, ask  # noqa: E402
from machine import PASSWORDS, POOLS, TLS_PORT, Machine  # noqa: E402
from network import Network, run  # noqa: E402
from pictures import png  # noqa: E402
from soko import Failed, Shop, Suite, check, demand, equal, until  # noqa: E402

FOLDER, KEPT = os.environ['SOKO_HOSTS'], os.environ['SOKO_KEPT']
INST, USER = os.environ['SOKO_INST'], os.environ['SOKO_USER']
BUYERS, STOCK = 8, 1000000

suite = Suite()


def figure(words):
    print(f'# figure: {words}', flush=True)


class World:
    """The three machines, the shop on them, and the people in it."""

    def __init__(self):
        os.makedirs(FOLDER, exist_ok=True)
        os.chmod(FOLDER, 0o755)
        self.network = Network(os.path.join(FOLDER, 'namespaces'))
        self.machines, self.secret = [], os.urandom(32).hex()
        self.remove()

    @staticmethod
    def remove():
        for part in ('one', 'two', 'three', 'tls', 'media'):
            shutil.rmtree(os.path.join(FOLDER, part), ignore_errors=True)

    def keep_logs(self):
        """For who looks for a fault, and for canary.py, with what they may not hold."""
        shutil.rmtree(KEPT, ignore_errors=True)
        for m in self.machines:
            shutil.copytree(m.path('log'), os.path.join(KEPT, m.name))
        with open(os.open(os.path.join(KEPT, 'secrets'), os.O_WRONLY | os.O_CREAT, 0o600), 'w', encoding='ascii') as f:
            f.write('\n'.join([self.secret, self.secret[::-1], *PASSWORDS.values()]) + '\n')
        owner = os.stat(os.path.dirname(KEPT))
        for folder, _, files in os.walk(KEPT):
            for path in [folder, *(os.path.join(folder, f) for f in files)]:
                os.chown(path, owner.st_uid, owner.st_gid)
        self.remove()

    def make(self):
        self.machines = [Machine(self.network, name, FOLDER, USER, INST) for name in ('one', 'two', 'three')]
        self.one, self.two, self.three = self.machines
        self.network.add('client')
        self.primary = self.two
        self.tls, self.media = os.path.join(FOLDER, 'tls'), os.path.join(FOLDER, 'media')
        for folder in (self.tls, self.media):
            os.makedirs(folder)
            shutil.chown(folder, USER)
        run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
            '-subj', '/CN=soko', '-addext', 'subjectAltName=' + ','.join(f'IP:{m.address}' for m in self.machines),
            '-keyout', self.tls + '/key.pem', '-out', self.tls + '/cert.pem')
        shutil.chown(self.tls + '/key.pem', USER)
        self.start_databases()
        self.two.start_redis()
        self.three.start_redis()
        self.configure()
        self.one.ctl('migrate', 'up', config='owner.conf')
        self.one.ctl('demo', 'load', '--accounts', self.one.path('conf/accounts'), config='owner.conf')
        self.start_shop()
        self.network.enter('client')
        self.shop = self.shop_at(self.one)
        until(self.is_ready, 'a shop that is ready')
        self.people()

    def start_databases(self):
        self.two.configure_postgres(self.machines, synchronous=False)
        self.two.begin_primary()
        for m in (self.one, self.three):
            m.configure_postgres(self.machines, synchronous=True)
            m.begin_standby(self.two)
        self.two.configure_postgres(self.machines, synchronous=True)
        until(lambda: self.confirming(self.two) == {'one', 'three'}, 'two standbys')

    @staticmethod
    def confirming(primary):
        """The standbys that stream, and may confirm a commit."""
        return set(primary.sql("SELECT application_name FROM pg_stat_replication WHERE state = 'streaming' AND "
                               "sync_state = 'quorum'", 'postgres').split())

    @staticmethod
    def url(role, machines, which='read-write'):
        return (f"postgresql://{role}:{PASSWORDS[role]}@{','.join(m.address for m in machines)}/soko"
                f'?target_session_attrs={which}')

    def settings(self, machine):
        """Those of an application host, which reads the catalogue at its own standby if it has one."""
        replicas = sorted((m for m in self.machines if m is not self.two), key=lambda m: m is not machine)
        return {
            'SOKO_ENV': 'demo', 'DATABASE_URL': self.url('soko_app', [self.two, self.three, self.one]),
            'DATABASE_REPLICA_URL': self.url('soko_app', replicas, 'prefer-standby'), 'REPLICA_LAG': '1s',
            'METRICS_DIR': machine.path('metrics'),
            'REDIS_ADDRESS': f'{self.two.address}:6379,{self.three.address}:6379',
            'TOKEN_KEY': self.secret, 'DATA_KEY': self.secret[::-1], 'SQL_DIR': INST + '/share/soko/sql',
            'MESSAGES_DIR': INST + '/share/soko/messages', 'MEDIA_DIR': self.media, 'WORKERS_FAST': '4',
            'WORKERS_HASH': '2', 'WORKERS_WIRE': '2', 'PASSWORD_COST': '1', 'LIMIT_PUBLIC': '0', 'LIMIT_SIGNED_IN': '0',
            'LIMIT_LOGIN': '0', 'LIMIT_LOGIN_ACCOUNT': '0', 'PASSWORD_DENY_LIST': '', 'JOBS_BACKOFF_MAX': '2s', 'JOBS_LEASE': '5s'}

    def configure(self):
        for m in self.machines:
            m.configure_soko(self.settings(m))
        self.one.write('conf/owner.conf', ''.join(f'{k}={v}\n' for k, v in {
            **self.settings(self.one), 'DATABASE_URL': self.url('soko_owner', [self.two, self.three, self.one])}.items()))

    def start_shop(self):
        for m in (self.one, self.three):
            m.start_pools()
            m.start_jobs()
        self.one.start_nginx(CLONE, [self.one, self.three], self.tls, self.media)

    def shop_at(self, machine):
        return Shop(f'https://{machine.address}:{TLS_PORT}', self.tls + '/cert.pem')

    def is_ready(self):
        return ask(self.shop, 'GET', '/ready')[0] == 200

    def people(self):
        with open(self.one.path('conf/accounts'), encoding='utf-8') as f:
            email, password = next(line.split()[1:] for line in f if line.startswith('admin'))
        seller = self.seller = self.shop.new_seller()
        category = self.shop.new_category(self.shop.sign_in(email, password))['id']
        self.product, self.spare = (self.shop.new_product(seller, category, stock=STOCK)['id'] for _ in range(2))
        self.goods = self.shop.new_product(seller, category)
        self.buyers = [self.shop.sign_up(f'Buyer{n}') for n in range(BUYERS)]
        self.sold = 0       # what buyers were told, of all loads
        self.numbers = set()

    def load(self):
        return Load(self.shop, [b['access_token'] for b in self.buyers], self.product)

    def keep(self, load):
        """What was acknowledged is expected to be there from now on."""
        equal(len(set(load.orders.values())), load.count(), 'orders, told by their keys')
        check(not self.numbers & set(load.orders.values()), 'a number was given twice')
        self.sold += load.count()
        self.numbers |= set(load.orders.values())

    def demand_books(self):
        """All that was acknowledged is there, once, and nothing else; the books balance."""
        found = self.primary.sql(
            f"SELECT o.order_number FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE l.product_id = '{self.product}'"
        ).split()
        equal(self.numbers - set(found), set(), 'orders that were acknowledged and are lost')
        equal(set(found) - self.numbers, set(), 'orders that nobody was told of')
        equal(len(found), self.sold, 'orders')
        equal(self.primary.sql(f"SELECT available FROM product_stock WHERE product_id = '{self.product}'"),
              str(STOCK - self.sold), 'what is left in stock')
        self.one.ctl('ledger', 'check', config='owner.conf')
        until(lambda: self.primary.sql('SELECT count(*) FROM outbox') == '0', 'an empty outbox', 60)

    def demand_living(self, before):
        """Nobody of Soko was started anew: `before` are the programs() of then, and no worker hung so long that
        its parent ended it."""
        equal(self.programs(), before, 'the processes of Soko')
        for m in (self.one, self.three):
            for pool in POOLS:
                with open(m.path(f'log/soko-{pool}.log'), encoding='utf-8') as f:
                    check('"prefork.deadline"' not in f.read(), f'a worker of {pool} on {m.name} hung')

    def programs(self):
        """The pids of all parents of Soko's."""
        return {(m.name, s): p.pid for m in self.machines for s, p in m.servers.items()
                if s == 'jobs' or s.startswith('soko-')}


world = None


def flowing(load, words, count=40):
    """Waits until that many further orders were placed."""
    now = time.monotonic()
    until(lambda: len(load.sold_since(now)) >= count or load.wrong, words, 120)


@suite.test
def test_a_sale_on_three_machines():
    """Both application hosts sell; every commit is confirmed by a standby."""
    with world.load() as load:
        began = time.monotonic()
        flowing(load, 'orders', 300)
        seconds = time.monotonic() - began
    world.keep(load)
    equal(load.statuses(load.attempts), f'{load.count()} x 201', 'answers to buyers')
    equal(load.statuses(load.reads), f'{len(load.reads)} x 200', 'answers to readers')
    for m in (world.one, world.three):
        with open(m.path('log/soko-fast.log'), encoding='utf-8') as f:
            check('"http.response.status_code":201' in f.read().replace('": ', '":'), f'{m.name} has sold something')
        counted = m.ctl('metrics')
        check(re.search(r'^soko_requests_total\{.*route="/api/v1/orders".*\} [1-9]', counted, re.M),
              f'orders in the metrics of {m.name}: {counted[:2000]}')
    figure(f'{load.count()} orders by {BUYERS} buyers in {seconds:.1f} s, each confirmed by a standby')
    world.demand_books()


@suite.test
def test_a_picture_is_seen_whoever_took_it():
    """The application hosts write into the directory that nginx reads; they take turns."""
    for _ in range(4):
        data = png()
        a = world.shop.upload(f'/products/{world.goods["id"]}/image', 'image', data, world.seller['access_token'])
        seen = world.shop.call('GET', demand(a, 201).data['images'][-1])
        check(seen.status == 200 and seen.content == data, f'the picture: {seen.status}')


@suite.test
def test_redis_dies_and_nobody_is_signed_out_or_in():
    """The first of the list is killed: sessions go on, and one that was ended stays ended."""
    left = world.shop.sign_up('Lea')
    token = left['access_token']
    demand(world.shop.call('GET', '/auth/profile', token=token), 200)
    demand(world.shop.call('POST', '/auth/logout', {'refresh_token': left['refresh_token']}, token), 200)
    with world.load() as load:
        flowing(load, 'orders before')
        began = time.monotonic()
        world.two.kill('redis')
        for _ in range(16):  # by every worker, more or less
            demand(world.shop.call('GET', '/auth/profile', token=token), 401)
        flowing(load, 'orders without it', 100)
        world.two.start_redis()
        for _ in range(16):
            demand(world.shop.call('GET', '/auth/profile', token=token), 401)
        flowing(load, 'orders with it', 40)
    world.keep(load)
    figure(f'the first Redis is killed and comes back: buyers got {load.statuses(load.attempts, began)}, readers '
           f'{load.statuses(load.reads, began)}')
    equal(load.statuses(load.attempts), f'{load.count()} x 201', 'answers to buyers')
    equal(load.statuses(load.reads), f'{len(load.reads)} x 200', 'answers to readers')


@suite.test
def test_an_application_host_dies():
    """Machine three is gone without a word: pools, standby, Redis. nginx goes on with machine one."""
    with world.load() as load:
        flowing(load, 'orders before')
        began = time.monotonic()
        world.network.cut('three')
        world.three.kill_all()
        flowing(load, 'orders without machine three', 200)
        figure(f'machine three (pools, standby, Redis) dies: buyers got {load.statuses(load.attempts, began)}, the '
               f'longest wait for an order was {load.longest_gap(load.attempts, began):.1f} s; readers got '
               f'{load.statuses(load.reads, began)}')
        world.network.mend('three')
        world.three.start_postgres()
        world.three.start_redis()
        world.three.start_pools()
        world.three.start_jobs()
        until(lambda: world.confirming(world.two) == {'one', 'three'}, 'machine three as a standby', 60)
        flowing(load, 'orders with machine three')
    world.keep(load)
    world.demand_books()


def readers_at(machine):
    """Connections of workers whose last word there was that of a list of the catalogue."""
    return int(machine.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'soko_app' AND query ~ 'plan_cache_mode'"))


def price_seen(product):
    """The price in the list that anybody may see, of an answer that was made now."""
    a = world.shop.call('GET', f'/products?search={product["name"].split()[1]}&max_price={time.monotonic_ns() % 10**8 + 10**6}')
    return demand(a, 200).data[0]['price'] if a.data else None


@suite.test
def test_the_replica_lags_and_dies():
    """The catalogue is read at the standby of each application host. One that is behind is not asked, and nor
    is one that is gone; no reader notices."""
    for m in (world.one, world.three):
        until(lambda machine=m: price_seen(world.goods) and readers_at(machine) > 0, f'readers at {m.name}')
        m.sql('SELECT pg_wal_replay_pause()', 'postgres')
    seller = world.seller['access_token']
    demand(world.shop.call('PUT', f'/products/{world.goods["id"]}', {'price': '123'}, seller), 200)
    began = old = time.monotonic()
    seen = []
    while len(seen) < 60:
        seen.append(price_seen(world.goods))
        if seen[-1] != '123':
            seen, old = [], time.monotonic()
        check(time.monotonic() < began + 60, 'readers see a new price, while both standbys replay nothing')
    figure(f'both standbys stand still: an old price was seen for {old - began:.1f} s, with REPLICA_LAG=1s')
    for m in (world.one, world.three):
        m.sql('SELECT pg_wal_replay_resume()', 'postgres')
    with world.load() as load:
        flowing(load, 'orders before')
        began = time.monotonic()
        world.one.kill('postgres')
        flowing(load, 'orders while one standby is gone', 100)
        world.one.start_postgres()
        until(lambda: world.confirming(world.two) == {'one', 'three'}, 'the standby again', 60)
    world.keep(load)
    figure(f'the replica of machine one is killed: readers got {load.statuses(load.reads, began)}, none for '
           f'{load.longest_gap(load.reads, began):.1f} s')
    equal(load.statuses(load.reads), f'{len(load.reads)} x 200', 'answers to readers')
    equal(load.statuses(load.attempts), f'{load.count()} x 201', 'answers to buyers')
    world.demand_books()


@suite.test
def test_the_primary_dies_and_a_standby_is_promoted():
    """Machine two is gone without a word, in the middle of everything. No acknowledged order is lost."""
    before = world.programs()
    with world.load() as load:
        flowing(load, 'orders before', 100)
        placed = load.count()
        killed = time.monotonic()
        world.network.cut('two')
        world.two.kill('postgres')
        world.two.kill_all()
        until(lambda: any(a.status not in (200, 201) and a.ended > killed for a in load.attempts), 'a buyer who waits')
        without = time.monotonic()
        until(lambda: len([a for a in load.attempts if a.ended > without]) >= 20, 'buyers who are refused')
        new, other = promote([world.one, world.three])
        promoted = time.monotonic()
        flowing(load, 'orders at the new primary', 200)
        until(lambda: world.confirming(new) == {other.name}, 'the other standby behind the new primary')
    world.keep(load)
    world.demand_living(before)
    first = min(a.ended for a in load.attempts if a.number and a.began >= killed)
    first_after = min(a.ended for a in load.attempts if a.number and a.ended >= promoted)
    figure(f'machine two (primary, first Redis) dies: {placed} orders before, {load.count()} after all; refused or '
           f'lost and asked again: {load.statuses([a for a in load.attempts if not a.number], killed)}')
    figure(f'first order {first - killed:.1f} s after the kill, {first_after - promoted:.1f} s after the promotion, '
           f'which was {promoted - killed:.1f} s after the kill')
    figure(f'no order for {load.longest_gap(load.attempts, killed):.1f} s; slowest answer to a buyer '
           f'{load.slowest(load.attempts, killed):.1f} s; readers: {load.statuses(load.reads, killed)}, none for '
           f'{load.longest_gap(load.reads, killed):.1f} s')
    world.primary = new
    world.demand_books()


def order_at(shop, buyer, key, product):
    """One order of one piece. Gives the status, 0 for none, and the answer."""
    return ask(shop, 'POST', '/orders', {
        'shipping_address': 'Moi Avenue 12, Nairobi', 'payment_method': 'cash_on_delivery',
        'items': [{'product_id': product, 'quantity': 1}]}, buyer['access_token'], {'Idempotency-Key': key})


def orders_at(machine):
    return int(machine.sql('SELECT count(*) FROM orders'))


def timeline(primary):
    return str(int(primary.sql('SELECT pg_walfile_name(pg_current_wal_lsn())')[:8], 16))


WAITS = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@suite.test
def test_the_old_primary_returns_and_acknowledges_nothing():
    """Machine two is switched on again with all that it had: it takes itself for the primary, has its own nginx
    and pools, and they find it first in their list. Nobody fences it. What it takes, no standby confirms, so
    nobody is told that it was done: not by the first answer, not by its repetition under the same key, not if
    the wait is cancelled, not after a restart. The same key at the real shop is one order."""
    world.network.mend('two')
    try:
        old_primary_alone(world.two)
    finally:
        world.two.kill_all()
    world.demand_books()


def old_primary_alone(old):
    # Two buyers of two things, so that neither waits for what the other has locked.
    first, second = [(b, secrets.token_hex(12), p) for b, p in zip(world.buyers, (world.product, world.spare))]
    old.start_postgres()
    equal(old.sql('SELECT pg_is_in_recovery()'), 'f', 'the old primary, in its old role')
    old.start_pools()
    old.start_nginx(CLONE, [old], world.tls, world.media)
    stale = world.shop_at(old)
    until(lambda: ask(stale, 'GET', '/health')[0] == 200, 'the shop of the old primary')
    before, there = orders_at(old), orders_at(world.primary)

    def refused(order, words):
        status, a = order_at(stale, *order)
        check(status in AGAIN, f'{words}: {a!r}')
        return status

    began = time.monotonic()
    status = refused(first, 'an order that hangs')
    figure(f'an order at the old primary, which no standby confirms: {status} after {time.monotonic() - began:.1f} s')
    equal(old.sql(f'SELECT count(*) {WAITS}'), '1', 'commits that wait for a standby')
    refused(first, 'its repetition, while it hangs')

    # Somebody cancels what hangs: PostgreSQL says COMMIT to whoever waits, with a warning.
    answers = []
    other = threading.Thread(target=lambda: answers.append(order_at(stale, *second)))
    other.start()
    until(lambda: old.sql(f'SELECT count(*) {WAITS}') == '2', 'a second commit that waits')
    equal(old.sql(f'SELECT bool_and(pg_cancel_backend(pid)) {WAITS}'), 't', 'cancelled')
    other.join()
    check(answers[0][0] in AGAIN, f'an order whose wait was cancelled: {answers[0][1]!r}')
    equal(orders_at(old), before + 2, 'orders at the old primary alone')
    for order in (first, second):
        refused(order, 'the repetition of an order that is there alone')

    # Nor does a restart, which forgets who waited, make an answer of it.
    old.kill('postgres')
    old.start_postgres()
    for order in (first, second):
        refused(order, 'its repetition after a restart')
    equal(orders_at(old), before + 2, 'orders at the old primary alone')
    equal(orders_at(world.primary), there, 'orders at the primary')

    for order in (first, second):
        status, a = order_at(world.shop, *order)
        check(status == 201 and not a.headers.get('idempotent-replayed'), f'the same key at the real shop: {a!r}')
        if order is first:
            world.sold += 1
            world.numbers.add(a.data['order_number'])
    equal(orders_at(world.primary), there + 2, 'orders at the primary')


@suite.test
def test_the_old_primary_becomes_a_standby():
    """pg_rewind throws away what only it had; commits are confirmed by it from there on. Then the roles are
    given back on purpose, under load: the primary stops, after its standbys have received all of it."""
    old, new = world.two, world.primary
    began = time.monotonic()
    old.rewind(new)
    others = {m.name for m in world.machines if m is not new}
    until(lambda: world.confirming(new) == others, 'two standbys again', 60)
    until(lambda: old.sql('SELECT received_tli FROM pg_stat_wal_receiver') == timeline(new), "the new primary's timeline")
    until(lambda: orders_at(old) == orders_at(new), 'the orders of the new primary, and no others')
    figure(f'the old primary is a standby again {time.monotonic() - began:.1f} s after pg_rewind began')
    old.start_redis()
    before = world.programs()
    with world.load() as load:
        flowing(load, 'orders before the switch')
        began = time.monotonic()
        new.kill('postgres', signal.SIGINT)
        until(lambda: old.sql('SELECT pg_promote()', 'postgres') == 't', 'promotion')
        new.write('pg/standby.signal', '')
        new.start_postgres()
        until(lambda: world.confirming(old) == {m.name for m in world.machines if m is not old}, 'two standbys', 60)
        flowing(load, 'orders after the switch', 100)
    world.keep(load)
    world.primary = old
    world.demand_living(before)
    figure(f'roles exchanged on purpose: no order for {load.longest_gap(load.attempts, began):.1f} s, buyers got '
           f'{load.statuses(load.attempts, began)}')
    world.demand_books()


def promote(standbys):
    """What the administrator does: the standby that has received most is the new primary. Gives it, and the
    others' last."""
    have = {m: int(m.sql("SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')::bigint", 'postgres')) for m in standbys}
    new = max(standbys, key=have.get)
    equal(new.sql('SELECT pg_promote()', 'postgres'), 't', f'promotion of {new.name}')
    return new, next(m for m in standbys if m is not new)


def main():
    global world
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    world = World()
    try:
        try:
            world.make()
        except (Failed, OSError, subprocess.SubprocessError) as e:
            print(f'1..1\nnot ok 1 - three machines\n# {e}')
            sys.exit(1)
        suite.main()
    finally:
        world.network.remove_left()  # and with it whatever runs in it
        world.keep_logs()


main()
