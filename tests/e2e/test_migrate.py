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
def test_some_steps_down():
    with Scratch() as db:
        db.migrate('up')
        newest, full = db.version(), db.dump()
        for steps in (1, 2, newest // 2):
            db.migrate('down', str(steps))
            equal(db.version(), newest - steps, f'{steps} steps down')
            db.migrate('up')
            db.same(full, f'{steps} steps down and up again')


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
