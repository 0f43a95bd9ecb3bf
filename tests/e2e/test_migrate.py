"""The schema goes up, down to nothing, and up again to the same; the worker's role finds its bounds in
a database that is as `sokoctl migrate` made it."""
import difflib
import os
import secrets
import shutil
import subprocess
import tempfile

from owner import PSQL
from soko import Failed, Suite, check, equal

suite = Suite()
PG_DUMP = PSQL.replace('psql', 'pg_dump')
OWNER = os.environ['SOKO_OWNER_URL']


def url(role, database):
    return OWNER.replace('soko_owner@', role + '@', 1).replace('/soko?', f'/{database}?', 1)


def psql(role, database, statement):
    done = subprocess.run([PSQL, url(role, database), '-XqtA', '-v', 'ON_ERROR_STOP=1', '-c',
                           statement], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode == 0, done.stdout + done.stderr


class Scratch:
    """A database of its own, gone at the end."""

    def __enter__(self):
        self.name = 'scratch_' + secrets.token_hex(4)
        self.sql('postgres', f'CREATE DATABASE {self.name} OWNER soko_owner', 'postgres')
        return self

    def __exit__(self, *_):
        self.sql('postgres', f'DROP DATABASE {self.name} WITH (FORCE)', 'postgres')

    def sql(self, role, statement, database=None):
        good, said = psql(role, database or self.name, statement)
        if not good:
            raise Failed(f'{statement}: {said}')
        return said.split()

    def migrate(self, *words, good=True, sql_dir=None):
        env = {**os.environ, 'DATABASE_URL': url('soko_owner', self.name)}
        if sql_dir:
            env['SQL_DIR'] = sql_dir
        done = subprocess.run(os.environ['SOKO_CTL'].split() + ['migrate', *words], env=env,
                              capture_output=True, text=True, timeout=120, check=False)
        equal(done.returncode == 0, good, f'migrate {" ".join(words)}: {done.stdout}{done.stderr}')
        return done.stdout + done.stderr

    def dump(self):
        """Everything that the schema says, with who may do what."""
        done = subprocess.run([PG_DUMP, '--schema-only', url('soko_owner', self.name)],
                              capture_output=True, text=True, timeout=60, check=True)
        return [line for line in done.stdout.splitlines()
                if line and not line.startswith(('--', '\\restrict', '\\unrestrict'))]

    def same(self, before, words):
        """Whether the schema is what it was; shows the lines that are not."""
        equal([line for line in difflib.unified_diff(before, self.dump(), n=0, lineterm='')], [],
              words)

    def tables(self):
        return self.sql('soko_owner', "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'S')"
                                      " AND relnamespace = 'public'::regnamespace ORDER BY 1")

    def version(self):
        return int(self.sql('soko_owner', 'SELECT coalesce(max(version), 0) FROM schema_migrations')[0])


@suite.test
def test_up_down_up():
    with Scratch() as db:
        db.migrate('up')
        newest, full = db.version(), db.dump()
        check(newest > 0 and len(db.tables()) > 10, 'there is a schema')
        check('nothing to migrate' in db.migrate('up'), 'again is nothing')
        db.same(full, 'again changes nothing')
        db.migrate('down', str(newest))
        equal(db.version(), 0, 'all is undone')
        equal(db.tables(), ['schema_migrations'], 'nothing stands')
        db.migrate('down')
        db.migrate('up')
        equal(db.version(), newest, 'up again')
        db.same(full, 'the same schema')


@suite.test
def hole_37_nobody_is_seeded():
    """A database that was only migrated holds no account, no role and no session."""
    with Scratch() as db:
        db.migrate('up')
        for table in ('accounts', 'account_roles', 'sessions', 'api_keys', 'stores'):
            equal(db.sql('soko_owner', f'SELECT count(*) FROM {table}'), ['0'], table)


@suite.test
def test_some_steps_down():
    with Scratch() as db:
        db.migrate('up')
        newest, full = db.version(), db.dump()
        for steps in (1, 2, newest // 2):
            db.migrate('down', str(steps))
            equal(db.version(), newest - steps, f'{steps} steps down')
            db.migrate('up')
            db.same(full, f'{steps} steps down and up again')


# What a shop had sold before it had a ledger: a statement for each story, then what is told of it.
PEOPLE = """
INSERT INTO accounts (id, name, username, password_hash) SELECT pg_temp.n(i), 'A', 'a' || i, '$y$j75$aaaa$' || repeat('b', 43) FROM generate_series(1, 3) i;
INSERT INTO stores (id, owner_id, name) SELECT pg_temp.n(10 + i), pg_temp.n(i), 'Store ' || i FROM generate_series(1, 2) i;
INSERT INTO categories (id, name) VALUES (pg_temp.n(20), 'C');
INSERT INTO products (id, store_id, category_id, name, price, currency, description)
    SELECT pg_temp.n(30 + i), pg_temp.n(10 + i), pg_temp.n(20), 'P', 100, 'KES', '' FROM generate_series(1, 2) i;
"""
# order, status, payment status, method, currency, cancel reason; then its parts' statuses
SOLD = [
    (100, 'paid', 'paid', 'simulated', 'KES', None, ['paid', 'processing']),
    (101, 'completed', 'paid', 'simulated', 'KES', None, ['completed', 'completed']),
    (102, 'completed', 'partially_refunded', 'simulated', 'KES', None, ['completed', 'cancelled']),
    (103, 'cancelled', 'refunded', 'simulated', 'KES', 'buyer', ['cancelled', 'cancelled']),
    (104, 'cancelled', 'paid', 'simulated', 'KES', 'seller', ['cancelled', 'cancelled']),
    (105, 'completed', 'paid', 'cash_on_delivery', 'KES', None, ['completed', 'completed']),
    (106, 'pending', 'unpaid', 'cash_on_delivery', 'KES', None, ['completed', 'pending']),
    (107, 'pending', 'unpaid', 'simulated', 'KES', None, ['pending', 'pending']),
    (108, 'paid', 'paid', 'simulated', 'TZS', None, ['paid', 'completed']),
    (109, 'cancelled', 'refunded', 'simulated', 'KES', 'expired', ['cancelled', 'cancelled']),
    (110, 'cancelled', 'paid', 'simulated', 'KES', 'buyer', ['cancelled', 'cancelled']),
]
# payment, order, status, refunded
PAID = [(200, 100, 'succeeded', 0), (201, 101, 'succeeded', 0), (202, 102, 'partially_refunded', 700),
        (203, 103, 'refunded', 1000), (204, 104, 'succeeded', 0), (207, 107, 'needs_review', 0),
        (208, 108, 'failed', 0), (218, 108, 'succeeded', 0), (209, 109, 'refunded', 1000), (210, 110, 'succeeded', 0),
        (220, 100, 'refunded', 1000), (230, 107, 'failed', 0)]
# refund, payment, status, amount
RETURNED = [(302, 202, 'succeeded', 700), (303, 203, 'succeeded', 300), (313, 203, 'succeeded', 700),
            (304, 204, 'pending', 1000), (309, 209, 'succeeded', 1000), (310, 210, 'failed', 1000),
            (320, 220, 'succeeded', 1000)]


def quoted(value):
    return 'NULL' if value is None else f"'{value}'"


def sell(db):
    """Each part costs: the first 300, the second 700."""
    lines = ["CREATE FUNCTION pg_temp.n(i integer) RETURNS uuid LANGUAGE sql AS "
             "$$ SELECT lpad(i::text, 32, '0')::uuid $$;", PEOPLE]
    for order, status, payment_status, method, currency, reason, parts in SOLD:
        lines.append(f"INSERT INTO orders (id, order_number, account_id, status, payment_status, payment_method, currency, "
                     f"total_amount, shipping_address, cancel_reason) VALUES (pg_temp.n({order}), 'ORDER{order}', "
                     f"pg_temp.n(3), '{status}', '{payment_status}', '{method}', '{currency}', 1000, '\"here\"', {quoted(reason)});")
        for i, part in enumerate(parts, 1):
            amount = 300 if i == 1 else 700
            lines.append(f"INSERT INTO order_parts (order_id, store_id, status, amount) "
                         f"VALUES (pg_temp.n({order}), pg_temp.n({10 + i}), '{part}', {amount});")
            lines.append(f"INSERT INTO order_lines (order_id, line_no, store_id, product_id, name, price, quantity) "
                         f"VALUES (pg_temp.n({order}), {i}, pg_temp.n({10 + i}), pg_temp.n({30 + i}), 'P', {amount // 100}, 100);")
    currency_of = {row[0]: row[4] for row in SOLD}
    for payment, order, status, refunded in PAID:
        lines.append(f"INSERT INTO payments (id, order_id, provider, status, amount, currency, refunded) VALUES "
                     f"(pg_temp.n({payment}), pg_temp.n({order}), 'simulated', '{status}', 1000, '{currency_of[order]}', {refunded});")
        outcome = 'failed' if status == 'failed' else 'paid'
        lines.append(f"INSERT INTO provider_events (provider, event_id, payment_id, outcome) VALUES "
                     f"('simulated', 'e{payment}', pg_temp.n({payment}), '{outcome}');")
    for refund, payment, status, amount in RETURNED:
        lines.append(f"INSERT INTO refunds (id, payment_id, amount, currency, reason, status) VALUES "
                     f"(pg_temp.n({refund}), pg_temp.n({payment}), {amount}, 'KES', 'late', '{status}');")
    db.sql('soko_owner', '\n'.join(lines))


def books(db):
    """What the ledger of the database sums to, once sokoctl says that it is right."""
    env = {**os.environ, 'DATABASE_URL': url('soko_owner', db.name)}
    done = subprocess.run(os.environ['SOKO_CTL'].split() + ['ledger', 'check'], env=env, capture_output=True,
                          text=True, timeout=120, check=False)
    equal(done.returncode, 0, f'ledger check: {done.stdout}{done.stderr}')
    return {tuple(line.split()[:-1]): line.split()[-1] for line in done.stdout.splitlines()
            if len(line.split()) in (3, 4) and line[:3] in ('KES', 'TZS')}


@suite.test
def test_what_was_sold_before_is_booked():
    """By 0020, and once, however often the schema goes down and up."""
    with Scratch() as db:
        db.migrate('up')
        newest = db.version()
        db.migrate('down', str(newest - 14))
        sell(db)
        db.migrate('up')
        wanted = {
            # of 8 payments that came in KES, 4 went back, one of them but for 300; one more in TZS
            ('KES', 'provider_cash', 'simulated'): '43', ('KES', 'buyer_funds'): '-10',
            ('KES', 'refunds_payable'): '-20', ('KES', 'store_payable'): '-13', ('KES', 'zero', 'sum:'): '0',
            ('TZS', 'provider_cash', 'simulated'): '10', ('TZS', 'buyer_funds'): '-3',
            ('TZS', 'store_payable'): '-7', ('TZS', 'zero', 'sum:'): '0'}
        equal(books(db), wanted, 'the books')
        booked = db.sql('soko_owner', 'SELECT kind, count(*) FROM ledger_transactions GROUP BY 1 ORDER BY 1')
        equal(booked, ['part_completed|4', 'payment_settled|9', 'refund_paid|5', 'refund_requested|7'], 'the facts')
        equal(db.sql('soko_owner', 'SELECT count(*) FROM (SELECT row_number() OVER (ORDER BY id) - row_number() '
                                   'OVER (ORDER BY date_trunc(\'milliseconds\', booked_at), id) AS n '
                                   'FROM ledger_transactions) AS x WHERE n <> 0'), ['0'], 'ids are in the order of time')
        for steps in (1, 2, 3, newest - 14, newest - 14):
            db.migrate('down', str(steps))
            db.migrate('up')
            equal(books(db), wanted, f'{steps} steps down and up again')
            equal(db.sql('soko_owner', 'SELECT kind, count(*) FROM ledger_transactions GROUP BY 1 ORDER BY 1'), booked,
                  f'the facts, {steps} steps down and up again')


@suite.test
def test_status_tells():
    with Scratch() as db:
        check('pending' in db.migrate('status'), 'nothing is applied yet')
        db.migrate('up')
        said = db.migrate('status')
        check('pending' not in said and 'CHANGED' not in said, said)
        db.migrate('down')
        equal(db.migrate('status').count('pending'), 1, 'one was undone')


@suite.test
def test_changed_file_is_refused():
    with Scratch() as db, tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        shutil.copytree(os.path.join(os.path.dirname(__file__), '..', '..', 'sql'), d,
                        dirs_exist_ok=True)
        db.migrate('up', sql_dir=d)
        with open(os.path.join(d, 'schema', '0004_stores.up.sql'), 'a', encoding='utf-8') as f:
            f.write('-- a word too late\n')
        before = db.dump()
        check('0004' in db.migrate('up', good=False, sql_dir=d), 'it says which')
        check('CHANGED' in db.migrate('status', good=False, sql_dir=d), 'status says so too')
        db.same(before, 'nothing was done')


@suite.test
def test_broken_migration_leaves_nothing():
    with Scratch() as db, tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        shutil.copytree(os.path.join(os.path.dirname(__file__), '..', '..', 'sql'), d,
                        dirs_exist_ok=True)
        db.migrate('up')
        newest, before = db.version(), db.dump()
        name = os.path.join(d, 'schema', f'{newest + 1:04}_broken')
        with open(name + '.up.sql', 'w', encoding='utf-8') as f:
            f.write('CREATE TABLE half (n integer);\nCREATE TABLE orders (n integer);\n')
        with open(name + '.down.sql', 'w', encoding='utf-8') as f:
            f.write('DROP TABLE half;\n')
        check('already exists' in db.migrate('up', good=False, sql_dir=d), 'it says why')
        equal(db.version(), newest, 'all of it, or nothing')
        db.same(before, 'not half of it')


@suite.test
def test_worker_makes_nothing():
    with Scratch() as db:
        db.migrate('up')
        for statement in ('CREATE SCHEMA mine', 'CREATE TABLE mine (n int)', 'CREATE EXTENSION citext',
                          'CREATE PUBLICATION mine', 'DROP SCHEMA public CASCADE',
                          'CREATE DATABASE mine', f'DROP DATABASE {db.name}',
                          f'ALTER DATABASE {db.name} SET search_path = mine'):
            good, said = psql('soko_app', db.name, statement)
            check(not good and ('denied' in said or 'must be' in said), f'{statement}: {said}')


if __name__ == '__main__':
    suite.main()
