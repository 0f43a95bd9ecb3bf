"""Machines without hardware: a network namespace each, joined by a bridge in a namespace of its own.

Nothing is done to the network of the machine that we run on: its addresses, routes and interfaces stay as
they are. The names hold our pid, so that clones do not collide, and are written down before they are made,
so that the next run removes what a killed one has left.
"""
import ctypes
import os
import signal
import subprocess

from soko import Failed, until

CLONE_NEWNET = 0x40000000
SUBNET = '10.77.0.'


def run(*command, check=True, timeout=60, both=False, **more):
    """What it printed on standard output; on both, if that is asked for."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False,
                          stdin=more.pop('stdin', subprocess.DEVNULL), **more)
    if check and done.returncode != 0:
        raise Failed(f'{" ".join(command)}: {done.stderr.strip()}\n{done.stdout.strip()}'.rstrip())
    return done.stdout + (done.stderr if both else '')


def _end_of(namespace):
    """Ends what still runs there, and removes it. Only what was started in it can be in it."""
    listed = run('ip', 'netns', 'list', check=False).split()
    if namespace not in listed:
        return
    for pid in run('ip', 'netns', 'pids', namespace, check=False).split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    until(lambda: not run('ip', 'netns', 'pids', namespace, check=False).split(),
          f'the end of what runs in {namespace}')
    run('ip', 'netns', 'delete', namespace)


class Network:
    """`record` is a file of the names that were made. Machines get the addresses .1, .2, ... in turn."""

    def __init__(self, record):
        self.record, self.hosts = record, {}
        self.home = os.open('/proc/self/ns/net', os.O_RDONLY)
        self.remove_left()
        self.bridge = self._make('net')
        self._ip(self.bridge, 'link', 'add', 'switch', 'type', 'bridge')
        self._ip(self.bridge, 'link', 'set', 'switch', 'up')

    def _make(self, name):
        namespace = f'soko-{os.getpid()}-{name}'
        with open(self.record, 'a', encoding='ascii') as f:
            f.write(namespace + '\n')
        run('ip', 'netns', 'add', namespace)
        self._ip(namespace, 'link', 'set', 'lo', 'up')
        return namespace

    @staticmethod
    def _ip(namespace, *words):
        run('ip', '-n', namespace, *words)

    def add(self, name):
        """A machine with a cable to the bridge. Gives its address."""
        namespace, address = self._make(name), f'{SUBNET}{len(self.hosts) + 1}'
        self._ip(self.bridge, 'link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace)
        self._ip(self.bridge, 'link', 'set', name, 'master', 'switch', 'up')
        self._ip(namespace, 'address', 'add', address + '/24', 'dev', 'eth0')
        self._ip(namespace, 'link', 'set', 'eth0', 'up')
        self.hosts[name] = namespace
        return address

    def cut(self, name):
        """Pulls the cable: what is sent to the machine is lost, and nobody is told."""
        self._ip(self.bridge, 'link', 'set', name, 'down')

    def mend(self, name):
        self._ip(self.bridge, 'link', 'set', name, 'up')

    def enter(self, name):
        """This thread, and those that it makes from here on, are on that machine."""
        with open(f'/run/netns/{self.hosts[name]}', encoding='ascii') as f:
            self._set(f.fileno())

    @staticmethod
    def _set(descriptor):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, CLONE_NEWNET) != 0:
            raise Failed(f'setns: {os.strerror(ctypes.get_errno())}')

    def remove_left(self):
        """What this run or an earlier one has made."""
        self._set(self.home)
        if os.path.exists(self.record):
            with open(self.record, encoding='ascii') as f:
                names = f.read().split()
            for name in names:
                _end_of(name)
            os.remove(self.record)
