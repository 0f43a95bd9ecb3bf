"""The shop from behind: SQL as the database's owner, sokoctl, Redis, the servers' processes. For
what no client can bring about or see: an order that is due, a store that was suspended, the sum of
all stock, a worker that died."""
import json
import os
import signal
import subprocess

from soko import Failed, until

PSQL = '/usr/lib/postgresql/15/bin/psql'


def sql(statement, url=None, **values):
    """Runs a statement; its rows as lists of texts (null is ''). Values are written :'name'."""
    command = [PSQL, url or os.environ['SOKO_OWNER_URL'], '-XqtA', '-F', '\x1f', '-v',
               'ON_ERROR_STOP=1']
    for name, value in values.items():
        command += ['-v', f'{name}={value}']
    done = subprocess.run(command, input=statement, capture_output=True, text=True, timeout=300,
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
        raise Failed(f'sokoctl {" ".join(words)}: {done.stderr.strip()}\n{done.stdout.strip()}')
    return done.stdout


def ctl_json(*words):
    return json.loads(ctl(*words))


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise Failed(f'{" ".join(command)}: {done.stderr.strip()}')
    return done.stdout.strip()


def redis(*words):
    return output_of('redis-cli', '-s', os.environ['SOKO_REDIS_SOCKET'], *words)


def pid_of(server):
    """The pid that was stored when it was started."""
    with open(os.path.join(os.environ['SOKO_STATE'], 'run', server + '.pid'),
              encoding='ascii') as f:
        return int(f.read())


def workers(server):
    """The pids of its children."""
    return set(output_of('pgrep', '-P', str(pid_of(server))).split())


def stop(server):
    """PostgreSQL takes SIGTERM for "when the last client has left"; SIGINT is "now"."""
    pid = pid_of(server)
    os.kill(pid, signal.SIGINT if server == 'postgres' else signal.SIGTERM)

    def is_gone():
        try:
            with open(f'/proc/{pid}/stat', encoding='utf-8') as f:
                return f.read().rpartition(')')[2].split()[0] == 'Z'
        except FileNotFoundError:
            return True

    until(is_gone, f'the end of {server}')


def start(server):
    """Starts again what stop() has ended; it may not answer yet."""
    output_of(os.environ['SOKO_DEV'], '_start', os.environ['SOKO_STATE'], server)
