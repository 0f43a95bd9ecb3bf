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


def setting_fault(name, value):
    """What sokoctl says of a setting that it refuses."""
    done = subprocess.run(os.environ['SOKO_CTL'].split() + ['config', name], capture_output=True,
                          text=True, timeout=60, check=False, env={**os.environ, name: value})
    if done.returncode == 0:
        raise Failed(f'{name}={value} was taken')
    return done.stderr


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
        except (FileNotFoundError, ProcessLookupError):  # the latter: gone between opening and reading
            return True

    until(is_gone, f'the end of {server}')


def start(server):
    """Starts again what stop() has ended; it may not answer yet."""
    output_of(os.environ['SOKO_DEV'], '_start', os.environ['SOKO_STATE'], server)


def reload(*servers, **settings):
    """Writes settings into the shop's file, has the servers (all, if none is named) read it, and waits until each worker
    is of the new ones."""
    path = os.environ['SOKO_CONF']
    servers = servers or ('soko-api-fast', 'soko-api-hash', 'soko-api-wire', 'jobs')
    with open(path, encoding='utf-8') as f:
        lines = [line for line in f.read().splitlines() if line.split('=')[0] not in settings]
    lines += [f'{name}={value}' for name, value in settings.items()]
    with open(path, 'w', encoding='utf-8') as f:  # in place: it stays its owner's
        f.write('\n'.join(lines) + '\n')
    before = {server: workers(server) for server in servers}
    for server in servers:
        os.kill(pid_of(server), signal.SIGHUP)
    for server in servers:
        def renewed(server=server):
            now = workers(server)
            return len(now) == len(before[server]) and not now & before[server]
        until(renewed, f'{server} is renewed', 60)


class Held:
    """A transaction of the owner's that holds what `statement` locks, for as long as the block is
    entered; wait_for(n) waits until so many others wait for it, one behind the other."""

    def __init__(self, statement, url=None, **values):
        command = [PSQL, url or os.environ['SOKO_OWNER_URL'], '-XqtA', '-v', 'ON_ERROR_STOP=1']
        for name, value in values.items():
            command += ['-v', f'{name}={value}']
        self.statement = statement
        self.psql = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _say(self, words):
        self.psql.stdin.write(words + '\n')
        self.psql.stdin.flush()

    def __enter__(self):
        self._say(f'BEGIN; {self.statement};\nSELECT pg_backend_pid();')
        self.pid = ''
        while not self.pid:
            line = self.psql.stdout.readline()
            if not line:
                raise Failed(f'psql did not hold: {self.statement}')
            self.pid = line.strip()
        return self

    def wait_for(self, count):
        until(lambda: int(sql_one(
            "WITH RECURSIVE waiting AS (SELECT pid FROM pg_stat_activity WHERE :'holder'::int = ANY (pg_blocking_pids(pid))"
            " UNION SELECT a.pid FROM waiting w JOIN pg_stat_activity a ON w.pid = ANY (pg_blocking_pids(a.pid)))"
            " SELECT count(*) FROM waiting", holder=self.pid)) >= count, f'{count} that wait')

    def also(self, statements):
        """More in the same transaction, of which no rows are wanted. What fails ends psql, and nothing is committed."""
        self._say(statements)

    def commit(self):
        """Who waited goes on, and sees it."""
        self._say('COMMIT;')

    def rollback(self):
        """Who waited goes on, and sees nothing of it."""
        self._say('ROLLBACK;')

    def __exit__(self, *_):
        self._say('ROLLBACK;')
        self.psql.stdin.close()
        self.psql.stdout.close()
        self.psql.wait(60)
