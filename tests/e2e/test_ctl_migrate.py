# flavours: check
"""Migrations under a shop that works: a lock that is held stops nobody, functions change under workers that
have prepared statements with them, and what `migrate verify` finds."""
import os
import queue
import subprocess
import tempfile
import threading
import shutil

from orders_common import Buyer, shop
from owner import Held, sql, sql_one
from soko import Suite, check, demand, equal, until
from test_migrate import Scratch

suite = Suite()
SQL = os.path.join(os.path.dirname(__file__), '..', '..', 'sql')
admin = shop.admin()
seller = shop.new_seller()
product = shop.new_product(seller, shop.new_category(admin)['id'], stock=100)
buyer = Buyer()
order = buyer.order((product, 1))


class Files:
    """A copy of sql/, whose migrations are more than the program knows."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()

    def __enter__(self):
        self.dir = self.folder.name
        os.chmod(self.dir, 0o755)
        shutil.copytree(SQL, self.dir, dirs_exist_ok=True)
        self.newest = max(int(n[:4]) for n in os.listdir(self.path('schema')) if n.endswith('.sql'))
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, text):
        with open(self.path(*name.split('/')), 'w', encoding='utf-8') as f:
            f.write(text)

    def add(self, up, down, name='probe'):
        self.newest += 1
        for way, text in (('up', up), ('down', down)):
            self.write(f'schema/{self.newest:04}_{name}.{way}.sql', text)
        return f'{self.newest:04}_{name}'


class Migrating:
    """`sokoctl migrate` with other files, in the background; what it says, line by line."""

    def __init__(self, *words, **settings):
        env = {**os.environ, **settings}
        self.process = subprocess.Popen(os.environ['SOKO_CTL'].split() + ['migrate', *words], env=env, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines, self.said = queue.Queue(), ''
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.said += line
            self.lines.put(line)

    def hears(self, words):
        while words not in self.said:
            self.lines.get(timeout=20)

    def end(self, status=0):
        got = self.process.wait(60)
        self.reader.join()
        self.process.stdout.close()
        equal(got, status, self.said)
        return self.said


def reads_orders():
    demand(buyer.call('GET', f'/orders/{order["id"]}'), 200)
    demand(buyer.call('GET', '/orders'), 200)


@suite.test
def a_lock_that_others_hold_stops_nobody_else():
    with Files() as files:
        name = files.add('ALTER TABLE orders ADD COLUMN probe integer;\n', 'ALTER TABLE orders DROP COLUMN probe;\n')
        settings = {'SQL_DIR': files.dir, 'MIGRATE_LOCK_TIMEOUT': '100ms', 'MIGRATE_PATIENCE': '1min'}
        with Held('SELECT count(*) FROM orders') as reader:
            up = Migrating('up', **settings)
            up.hears('the shop goes on')
            for _ in range(20):  # through several tries, each of which locks out who comes behind it
                reads_orders()
            demand(Buyer('Ben').place(), 400)
            check('applied' not in up.said, 'it has not got its lock')
            check(f'{name}: others hold a lock that it needs' in up.said, up.said)
            reader.rollback()
            said = up.end()
        check(f'applied {name}' in said, said)
        equal(sql_one("SELECT count(*) FROM information_schema.columns WHERE column_name = 'probe'"), '1', 'it is there')
        reads_orders()
        Migrating('down', **settings).end()
        reads_orders()


@suite.test
def patience_has_an_end():
    with Files() as files:
        files.add('ALTER TABLE orders ADD COLUMN probe integer;\n', 'ALTER TABLE orders DROP COLUMN probe;\n')
        settings = {'SQL_DIR': files.dir, 'MIGRATE_LOCK_TIMEOUT': '50ms', 'MIGRATE_PATIENCE': '1ms'}
        with Held('SELECT count(*) FROM orders'):
            said = Migrating('up', **settings).end(1)
        check('gave up after MIGRATE_PATIENCE' in said, said)
        check(int(sql_one('SELECT max(version) FROM schema_migrations')) < files.newest, 'nothing was applied')


@suite.test
def one_migrates_at_a_time():
    with Held('SELECT pg_advisory_xact_lock(7265736)') as other:
        up = Migrating('up', MIGRATE_LOCK_TIMEOUT='50ms')
        up.hears('another migration is running; the shop goes on')
        other.rollback()
        up.end()


@suite.test
def an_index_is_made_beside_writers():
    """Outside of any transaction, and again after it was broken off."""
    with Files() as files:
        up = ('-- no transaction\nDROP INDEX CONCURRENTLY IF EXISTS orders_probe;\n'
              'CREATE INDEX CONCURRENTLY orders_probe\n    ON orders (notes);\n')
        files.add(up + 'CREATE INDEX CONCURRENTLY orders_probe ON orders (notes);\n',
                  '-- no transaction\nDROP INDEX CONCURRENTLY IF EXISTS orders_probe;\n')
        before = sql_one('SELECT max(version) FROM schema_migrations')
        check('already exists' in Migrating('up', SQL_DIR=files.dir).end(1), 'it fails at its end')
        equal(sql_one('SELECT max(version) FROM schema_migrations'), before, 'it is not noted')
        files.write(f'schema/{files.newest:04}_probe.up.sql', up)
        with Held("UPDATE orders SET notes = notes WHERE id = :'id'", id=order['id']) as writer:
            run = Migrating('up', SQL_DIR=files.dir)
            until(lambda: sql_one("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sokoctl migrate' "
                                  "AND query LIKE '%INDEX CONCURRENTLY%' AND state = 'active' AND wait_event_type = 'Lock'") == '1',
                  'it waits for the writer')
            Buyer('Ben').order((product, 1))  # behind it nobody waits
            writer.commit()
            run.end()
        equal(sql_one("SELECT indisvalid FROM pg_index WHERE indexrelid = 'orders_probe'::regclass"), 't', 'the index')
        equal(sql_one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7265736"), '0', 'no hold is left')
        Migrating('down', SQL_DIR=files.dir).end()
        equal(sql_one("SELECT to_regclass('orders_probe') IS NULL"), 't', 'it is gone')


def while_serving(work):
    """Two clients read while work() is done; each must be answered well."""
    over, bad, answered = threading.Event(), [], []

    def client(i):
        me = Buyer(f'Client{i}')
        while not over.is_set():
            for answer in (me.call('GET', '/products?search=product&sort_by=price'),  # who signs in is shown no cache
                           me.call('GET', f'/products/{product["id"]}'),
                           buyer.call('GET', f'/orders/{order["id"]}'), me.call('GET', '/orders')):
                answered.append(1)
                if answer.status != 200:
                    bad.append(answer)

    threads = [threading.Thread(target=client, args=(i,)) for i in range(2)]
    for t in threads:
        t.start()
    try:
        work(answered)
    finally:
        over.set()
        for t in threads:
            t.join()
    equal(bad, [], f'of {len(answered)} answers')


def after(answered, more):
    wanted = len(answered) + more
    until(lambda: len(answered) >= wanted, 'more answers', 60)


@suite.test
def functions_are_renewed_under_the_workers():
    def work(answered):
        for _ in range(4):
            after(answered, 20)
            Migrating('up').end()
        after(answered, 20)

    while_serving(work)


@suite.test
def a_result_of_another_type_is_prepared_anew():
    """json becomes jsonb, under the statements of every worker; they repeat the request, and nobody notices."""
    drop = 'DROP FUNCTION order_events_json(uuid, uuid);\n'
    with Files() as files:
        with open(files.path('functions', 'orders.sql'), encoding='utf-8') as f:
            text = f.read()
        start = text.index('CREATE OR REPLACE FUNCTION order_events_json')
        changed = text[:start] + drop + text[start:].replace('RETURNS json\n', 'RETURNS jsonb\n', 1).replace(
            'json_agg(', 'jsonb_agg(', 1).replace('json_build_object(', 'jsonb_build_object(', 1)
        files.write('functions/orders.sql', changed)

        def work(answered):
            after(answered, 20)
            Migrating('up', SQL_DIR=files.dir).end()
            equal(sql_one("SELECT prorettype::regtype FROM pg_proc WHERE proname = 'order_events_json'"), 'jsonb', 'changed')
            after(answered, 60)

        try:
            while_serving(work)
        finally:
            sql(f'BEGIN; {drop} {text[start:].split(chr(10) + chr(10))[0].replace("RETURNS jsonb", "RETURNS json")}; COMMIT')
            Migrating('up').end()


def faults(db, *words, sql_dir=None):
    said = db.migrate('verify', good=not words, sql_dir=sql_dir)
    for w in words:
        check(any(line.startswith('fault: ') and w in line for line in said.splitlines()), f'{w}: {said}')
    if words:
        check(said.strip().endswith(f'{len(words)} faults') or len(words) == 1 and said.strip().endswith('1 faults'), said)
    return said


@suite.test
def verify_finds_what_is_not_as_it_should_be():
    with Scratch() as db, Files() as files:
        db.migrate('up')
        check('the schema is that of' in faults(db), 'all is well')
        newest = files.newest
        # What was applied is not what lies here.
        with open(files.path('schema', '0004_stores.up.sql'), 'a', encoding='utf-8') as f:
            f.write('-- a word too late\n')
        faults(db, '0004_stores: was changed after it was applied', sql_dir=files.dir)
        db.sql('soko_owner', f"UPDATE schema_migrations SET name = 'else' WHERE version = {newest}")
        faults(db, f'{newest:04}_')
        db.sql('soko_owner', f"DELETE FROM schema_migrations WHERE version = {newest}")
        faults(db, 'is pending')


@suite.test
def verify_finds_gaps_order_and_a_newer_schema():
    with Scratch() as db, Files() as files:
        db.migrate('up')
        db.sql('soko_owner', "CREATE TABLE kept AS SELECT * FROM schema_migrations")
        db.sql('soko_owner', "GRANT SELECT ON kept TO soko_app")
        db.sql('soko_owner', 'DELETE FROM schema_migrations WHERE version = 7')
        faults(db, '0007_orders: was left out: later ones are applied')
        db.sql('soko_owner', 'INSERT INTO schema_migrations SELECT * FROM kept WHERE version = 7')
        db.sql('soko_owner', "UPDATE schema_migrations SET applied_at = applied_at - interval '1 h' WHERE version = 9")
        faults(db, '0009_payments: was applied before the one that precedes it')
        db.sql('soko_owner', "UPDATE schema_migrations SET applied_at = applied_at + interval '1 h' WHERE version = 9")
        faults(db)
        name = files.add('CREATE TABLE probe (n int);\n', 'DROP TABLE probe;\n')
        faults(db, f'{name}: is pending', 'and this program needs', sql_dir=files.dir)
        db.migrate('up', sql_dir=files.dir)
        faults(db, f'{name}: was applied by a newer version than this program')
        db.migrate('down', sql_dir=files.dir)
        faults(db)


@suite.test
def verify_finds_what_is_missing_and_what_the_shop_may_not():
    with Scratch() as db:
        db.migrate('up')
        db.sql('soko_owner', 'DROP VIEW ledger_due')
        faults(db, 'ledger_due: is missing')
        db.migrate('up')
        db.sql('soko_owner', 'REVOKE ALL ON reviews FROM soko_app')
        db.sql('soko_owner', 'REVOKE INSERT ON outbox FROM soko_app')
        faults(db, 'soko_app may not read reviews', 'soko_app may not write outbox')
        db.sql('soko_owner', 'GRANT ALL ON reviews, outbox TO soko_app')
        db.sql('postgres', 'GRANT CREATE ON SCHEMA public TO soko_app')
        faults(db, 'soko_app may make tables in the schema public')
        db.sql('postgres', 'REVOKE CREATE ON SCHEMA public FROM soko_app')
        db.sql('postgres', 'CREATE TABLE mine (n int)')
        db.sql('postgres', 'ALTER TABLE mine OWNER TO soko_app')
        faults(db, 'soko_app owns tables')
        db.sql('postgres', 'DROP TABLE mine')
        db.sql('soko_owner', 'ALTER TABLE orders ADD CONSTRAINT probe CHECK (total_amount > -1) NOT VALID')
        faults(db, 'the constraint probe of orders is not validated')
        db.sql('soko_owner', 'ALTER TABLE orders DROP CONSTRAINT probe')
        db.sql('postgres', "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'outbox_due'::regclass")
        faults(db, 'the index outbox_due is invalid')
        db.sql('postgres', "UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'outbox_due'::regclass")
        faults(db)


if __name__ == '__main__':
    suite.main()
