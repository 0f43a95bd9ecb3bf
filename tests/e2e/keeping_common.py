"""What the tests of doctor, backup and restore share: sokoctl with another configuration, and databases
beside the shop's."""
import json
import os
import secrets
import subprocess
from contextlib import contextmanager

from owner import PSQL, sql
from soko import Failed, check, equal

STATE = os.environ['SOKO_STATE']
SUPERUSER = os.environ['SOKO_OWNER_URL'].replace('soko_owner@', 'postgres@', 1)
CTL = os.environ['SOKO_CTL'].split()


def url_of(database, role='soko_owner'):
    return SUPERUSER.replace('postgres@', role + '@', 1).replace('/soko?', f'/{database}?', 1)


def run(*words, conf=None, stdin=None, **settings):
    """sokoctl's exit status and everything that it says; settings go over those of the shop."""
    command = list(CTL)
    if conf:
        command[command.index('--config') + 1] = conf
    done = subprocess.run(command + list(words), input=stdin, capture_output=True, text=True, timeout=300,
                          check=False, env={**os.environ, **settings})
    return done.returncode, done.stdout + done.stderr


def good(*words, **more):
    status, said = run(*words, **more)
    if status != 0:
        raise Failed(f'sokoctl {" ".join(words)}: {status}: {said}')
    return said


def refused(expected, *words, **more):
    """It fails, and says this."""
    status, said = run(*words, **more)
    check(status not in (0, -6, -11), f'it is refused: {status}: {said}')
    check(expected in said, f'it says "{expected}": {said}')
    return said


def as_superuser(statement, database='soko', **values):
    return sql(statement, url=url_of(database, 'postgres'), **values)


def outside(statement, database='postgres'):
    """For what can run in no transaction."""
    done = subprocess.run([PSQL, url_of(database, 'postgres'), '-XqtA', '-v', 'ON_ERROR_STOP=1', '-c', statement],
                          capture_output=True, text=True, timeout=60, check=False)
    equal(done.returncode, 0, done.stderr)


@contextmanager
def beside(made=True):
    """The name of another database, empty, or not there yet; dropped at the end."""
    name = 'beside_' + secrets.token_hex(4)
    if made:
        outside(f'CREATE DATABASE {name} OWNER soko_owner')
    try:
        yield name
    finally:
        outside(f'DROP DATABASE IF EXISTS {name} WITH (FORCE)')


def databases():
    return {row[0] for row in sql('SELECT datname FROM pg_database', url=SUPERUSER)}


def findings(*words, conf=None, **settings):
    """What doctor finds: the exit status, and (check, state) with what it says and what to do."""
    status, said = run('doctor', '--json', *words, conf=conf, **settings)
    try:
        report = json.loads(said)
    except ValueError:
        raise Failed(f'doctor: {status}: {said}') from None
    wrong = [f for f in report['findings'] if f['state'] == 'wrong']
    equal(status, 1 if wrong else 0, f'the exit status: {said}')
    equal(report['status'] == 'wrong', bool(wrong), 'the status says it too')
    return report['findings']
