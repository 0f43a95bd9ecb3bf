"""A pool that is restarted on a socket that stays: what systemd does, done here by hand. Requests are
FastCGI records through no nginx, so that each says itself when it arrived. tests/machine/ does the same
with a whole machine.
"""
import contextlib
import os
import signal
import socket
import struct
import subprocess
import threading
import time

from soko import Suite, check, equal, until

suite = Suite()
STATE = os.environ['SOKO_STATE']
API = os.path.join(os.environ['SOKO_CTL'].split()[0].rpartition('/sbin/')[0], 'libexec/soko/soko-api')
BEGIN, PARAMS, STDIN, STDOUT = 1, 4, 5, 6
WORKERS = 4     # ./dev test's WORKERS_FAST
QUEUED = 40     # wait for a restart
RESTARTS = 6
CLIENTS = 6
STRIDE = 60     # answers between two restarts
PATIENCE = 60


def record(kind, data=b''):
    return struct.pack('>BBHHBx', 1, kind, 1, len(data), 0) + data


def pair(name, value):
    return bytes((len(name), len(value))) + name.encode() + value.encode()


def send(path, arrived, whole=True):
    """A GET of something public on a new connection, its last record held back or not. Gives the
    connection."""
    params = {'REQUEST_METHOD': 'GET', 'REQUEST_URI': '/api/v1/categories', 'REMOTE_ADDR': '127.0.0.1',
              'SOKO_ARRIVAL': f'{arrived:.3f}'}
    c = socket.socket(socket.AF_UNIX)
    c.settimeout(PATIENCE)
    c.connect(path)
    c.sendall(record(BEGIN, bytes((0, 1, 0, 0, 0, 0, 0, 0)))
              + record(PARAMS, b''.join(pair(*p) for p in params.items()))
              + (record(PARAMS) + record(STDIN) if whole else b''))
    return c


def status(c):
    """The status that the worker answers; 0 if it dropped the request."""
    with contextlib.closing(c), c.makefile('rb') as f:
        out = b''
        while len(head := f.read(8)) == 8:
            _, kind, _, length, padding = struct.unpack('>BBHHBx', head)
            data = f.read(length + padding)[:length]
            out += data if kind == STDOUT else b''
    first = out.split(b'\r\n', 1)[0]
    return int(first.split()[1]) if first.startswith(b'Status: ') else 0


class Pool:
    """A listening socket, and the programs that serve it one after the other."""

    def __init__(self, name):
        sockets = os.path.dirname(os.environ['SOKO_REDIS_SOCKET'])
        self.path = os.path.join(sockets, name + '.sock')
        self.notify_path = os.path.join(sockets, name + '.notify')
        self.log = open(os.path.join(STATE, 'log', name + '.log'), 'ab')  # pylint: disable=R1732
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(4096)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.notify_path)
        self.notify.settimeout(PATIENCE)
        self.program = None

    def start(self):
        """Starts it; it may not be ready yet."""
        self.program = subprocess.Popen(  # pylint: disable=R1732
            [API, '--config', os.environ['SOKO_CONF'], '--pool', 'fast'], stdin=self.listener,
            stderr=self.log, env={**os.environ, 'NOTIFY_SOCKET': self.notify_path})

    def ready(self):
        while b'READY=1' not in self.notify.recv(4096).split(b'\n'):
            pass

    def stop(self):
        self.program.send_signal(signal.SIGTERM)
        equal(self.program.wait(PATIENCE), 0, 'its exit status')
        self.program = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.program is not None:
            self.program.kill()  # its children die with it
            self.program.wait()
        for s in (self.listener, self.notify):
            s.close()
        self.log.close()
        os.unlink(self.path)
        os.unlink(self.notify_path)

    def ask(self, ago=0):
        """The answer to one that arrived so many seconds ago."""
        return status(send(self.path, time.time() - ago))


@suite.test
def test_who_waited_for_a_restart_is_served():
    with Pool('queue') as pool:
        for _ in range(2):
            # They came long ago, by nginx's word, and nobody was there. The first keep each worker
            # until the pool is open.
            first = [send(pool.path, time.time() - 8, whole=False) for _ in range(WORKERS)]
            waiting = [send(pool.path, time.time() - 8) for _ in range(QUEUED)]
            pool.start()
            pool.ready()
            for c in first:
                c.sendall(record(PARAMS) + record(STDIN))
            equal({status(c) for c in first + waiting}, {200}, 'what those were told who waited')
            equal(pool.ask(), 200, 'somebody who comes now')
            pool.stop()


@suite.test
def test_a_flood_is_refused_soon_after_a_start():
    with Pool('flood') as pool:
        pool.start()
        pool.ready()
        # Some QUEUE_LIMITs after it opened, who waited longer than one is refused again, and also by
        # workers that have come since.
        until(lambda: pool.ask(8) == 503, 'an end of the grace')
        pool.program.send_signal(signal.SIGHUP)
        pool.ready()
        for _ in range(QUEUED):
            equal(pool.ask(8), 503, 'one who waited too long')
        equal(pool.ask(), 200, 'one who did not')


class Clients:
    """Asks without end, each on new connections, and counts what they were told."""

    def __init__(self, pool):
        self.pool, self.over, self.answers, self.failures = pool, threading.Event(), [], []
        self.threads = [threading.Thread(target=self.one) for _ in range(CLIENTS)]

    def one(self):
        while not self.over.is_set():
            try:
                got = self.pool.ask()
            except OSError as e:
                got = repr(e)
            (self.answers if got == 200 else self.failures).append(got)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def more(self, count):
        wanted = len(self.answers) + count
        until(lambda: len(self.answers) >= wanted or self.failures, f'{count} more answers', PATIENCE)

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join()


@suite.test
def test_restarts_lose_no_request():
    with Pool('restarts') as pool:
        pool.start()
        with Clients(pool) as clients:
            for _ in range(RESTARTS):
                clients.more(STRIDE)
                pool.stop()
                pool.start()
            clients.more(STRIDE)
        equal(clients.failures, [], 'what failed')
        check(len(clients.answers) >= RESTARTS * STRIDE, 'many answers')
        pool.stop()


suite.main()
