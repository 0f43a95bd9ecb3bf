"""The shop from behind: SQL as the database's owner, and sokoctl. For what no client can bring
about or see: an order that is due, a store that was suspended, the sum of all stock."""
import json
import os
import subprocess

from soko import Failed

PSQL = '/usr/lib/postgresql/15/bin/psql'


def sql(statement, **values):
    """Runs a statement; its rows as lists of texts (null is ''). Values are written :'name'."""
    command = [PSQL, os.environ['SOKO_OWNER_URL'], '-XqtA', '-F', '\x1f', '-v', 'ON_ERROR_STOP=1']
    for name, value in values.items():
        command += ['-v', f'{name}={value}']
    done = subprocess.run(command, input=statement, capture_output=True, text=True, timeout=60,
                          check=False)
    if done.returncode != 0:
        raise Failed(f'psql: {done.stderr.strip()}: {statement}')
    return [line.split('\x1f') for line in done.stdout.splitlines()]


def sql_one(statement, **values):
    """The one value of the one row."""
    return sql(statement, **values)[0][0]


def ctl(*words):
    """What sokoctl prints."""
    done = subprocess.run(os.environ['SOKO_CTL'].split() + list(words), capture_output=True,
                          text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise Failed(f'sokoctl {" ".join(words)}: {done.stderr.strip()}')
    return done.stdout


def ctl_json(*words):
    return json.loads(ctl(*words))
