"""A Debian 12 of its own to install things in: made by debootstrap, booted by systemd-nspawn.

The tree with all packages is made once, and kept as an archive that all clones on this machine share;
its name follows from the list of packages. Only making it needs the network. A machine is unpacked
from it, has a network of its own with nothing but a loopback, and is gone after the `with` block, its
processes and files with it, whatever happens. Root is needed for all of this.
"""
import contextlib
import ctypes
import fcntl
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time

CACHE = '/var/cache/soko-dev'
KEPT = 3            # archives, the newest
PATIENCE = 120      # seconds until something that must come has failed
CLONE_NEWNET = 0x40000000
PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
CLEAN = {'PATH': PATH, 'LC_ALL': 'C.UTF-8', 'TZ': 'UTC', 'DEBIAN_FRONTEND': 'noninteractive', 'HOME': '/root'}

# What makes it a machine, and the servers that a shop needs; the package's own dependencies are
# added by whoever asks for a base.
SYSTEM = ('systemd', 'systemd-sysv', 'dbus', 'ca-certificates', 'openssl', 'procps',
          'postgresql', 'redis-server', 'nginx-light')


class Broken(Exception):
    pass


def run(*command, **more):
    """A command on this host; what it printed. Broken, with its last words, if it fails."""
    more.setdefault('timeout', 900)
    done = subprocess.run(command, stdin=more.pop('stdin', subprocess.DEVNULL) if 'input' not in more else None,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more)
    if done.returncode != 0:
        words = '\n'.join(done.stdout.splitlines()[-40:])
        raise Broken(f'{" ".join(command)}: exit status {done.returncode}\n{words}')
    return done.stdout


# --- the base -------------------------------------------------------------------------------------

def _make(tree, packages):
    """Two steps: debootstrap's own way of installing would start servers on this host's ports."""
    run('debootstrap', '--variant=minbase', '--include=' + ','.join(SYSTEM[:4]), 'bookworm', tree)
    with open(tree + '/usr/sbin/policy-rc.d', 'w', encoding='ascii') as f:
        f.write('#!/bin/sh\nexit 101\n')
    os.chmod(tree + '/usr/sbin/policy-rc.d', 0o755)
    apt = ('chroot', tree, 'apt-get', '-o', 'Acquire::Retries=3', '-o', 'Dpkg::Use-Pty=0')
    run(*apt, 'update', env=CLEAN)
    run(*apt, 'install', '-y', '--no-install-recommends', *SYSTEM, *packages, env=CLEAN)
    run(*apt, 'clean', env=CLEAN)
    os.unlink(tree + '/usr/sbin/policy-rc.d')


def _forget():
    """All but the newest archives."""
    found = [os.path.join(CACHE, f) for f in os.listdir(CACHE) if f.startswith('base-')]
    for old in sorted(found, key=os.path.getmtime, reverse=True)[KEPT:]:
        os.unlink(old)


def base(packages):
    """The archive of a Debian with these packages; made if it is not there yet."""
    os.makedirs(CACHE, mode=0o755, exist_ok=True)
    with open(os.path.join(CACHE, 'lock'), 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        key = hashlib.sha256('\n'.join((*SYSTEM, *sorted(packages))).encode()).hexdigest()[:16]
        archive = os.path.join(CACHE, f'base-{key}.tar')
        if os.path.exists(archive):
            os.utime(archive)
            return archive
        print('# making a Debian, once: debootstrap', flush=True)
        tree = os.path.join(CACHE, f'new-{key}')
        try:
            shutil.rmtree(tree, ignore_errors=True)
            _make(tree, packages)
            run('tar', '--one-file-system', '-C', tree, '-cf', archive + '.new', '.')
            os.rename(archive + '.new', archive)
        finally:
            shutil.rmtree(tree, ignore_errors=True)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(archive + '.new')
        _forget()
        return archive


# --- the machine ----------------------------------------------------------------------------------

def until(what, words, seconds=PATIENCE, pace=0.1):
    """Polls until `what` gives something true, and gives that."""
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got:
            return got
        if time.monotonic() > end:
            raise Broken(f'never came true: {words}')
        time.sleep(pace)


def _started(pid):
    """When a process started, in ticks since boot: with the pid, its identity. None if it is gone."""
    with contextlib.suppress(OSError):
        with open(f'/proc/{pid}/stat', encoding='utf-8', errors='replace') as f:
            return f.read().rpartition(')')[2].split()[19]
    return None


def remove(folder):
    """What a run that was killed has left: its machine, if it runs, and its files."""
    with contextlib.suppress(FileNotFoundError):
        with open(os.path.join(folder, 'pid'), encoding='ascii') as f:
            pid, started = f.read().split()
        if _started(pid) == started:
            os.kill(int(pid), signal.SIGKILL)
            until(lambda: _started(pid) != started, 'the end of an earlier machine')
    shutil.rmtree(folder, ignore_errors=True)
    if os.path.exists(folder):
        raise Broken(f'{folder} cannot be removed')


class Machine:
    """`with Machine(archive, folder) as m:` and it runs. The folder is made, and removed at the end."""

    def __init__(self, archive, folder):
        self.archive, self.folder = archive, folder
        self.tree = os.path.join(folder, 'tree')
        self.console = os.path.join(folder, 'console')
        self.name = 'soko-' + secrets.token_hex(4)
        self.nspawn = None
        self.leader = None
        self.home = os.open('/proc/self/ns/net', os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self):
        remove(self.folder)
        try:
            os.makedirs(self.tree)
            run('tar', '-C', self.tree, '-xf', self.archive)
            # One that has been booted before: the first boot enables every unit that it finds.
            with open(self.tree + '/etc/machine-id', 'w', encoding='ascii') as f:
                f.write(secrets.token_hex(16) + '\n')
            self.boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._leave_network()
        self._kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        # systemd-nspawn's own; it leaves them behind when it is killed.
        for left in ('propagate', 'unix-export'):
            with contextlib.suppress(OSError):
                os.rmdir(f'/run/systemd/nspawn/{left}/{self.name}')
        if os.path.exists(self.folder):
            print(f'# {self.folder} could not be removed whole', flush=True)

    # Its power switch.

    def boot(self):
        """Gives when all that starts by itself has started, or failed to."""
        # Without a systemd on this host there is nobody to ask for a scope of our own.
        alone = [] if os.path.isdir('/run/systemd/system') else ['--keep-unit']
        with open(self.console, 'ab') as console:
            self.nspawn = subprocess.Popen(  # pylint: disable=R1732
                ['systemd-nspawn', '--quiet', '--boot', '--directory', self.tree, '--machine', self.name,
                 '--private-network', '--register=no', '--console=pipe', *alone],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
                env={'PATH': PATH})
        self.leader = until(self._find_leader, 'a machine that boots')
        with open(os.path.join(self.folder, 'pid'), 'w', encoding='ascii') as f:
            f.write(f'{self.leader} {_started(self.leader)}\n')
        self._enter_network()
        until(lambda: self.says('systemctl', 'is-system-running').strip() in ('running', 'degraded'),
              'a machine that has booted')

    def _find_leader(self):
        if self.nspawn.poll() is not None:
            raise Broken(f'systemd-nspawn ended: {self.console_tail()}')
        for pid in self._children(self.nspawn.pid):
            with contextlib.suppress(OSError, IndexError):
                with open(f'/proc/{pid}/comm', encoding='ascii') as f:
                    if f.read().strip() == 'systemd' and os.path.exists(f'/proc/{pid}/root/run/systemd/private'):
                        return pid
        return None

    @staticmethod
    def _children(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as f:
                return [int(p) for p in f.read().split()]
        return []

    def power_off(self):
        self._leave_network()
        os.kill(self.leader, signal.SIGRTMIN + 4)
        self.nspawn.wait(PATIENCE)
        self.nspawn = self.leader = None

    def _kill(self):
        """At once. Its first process dies with systemd-nspawn, and all others with that."""
        if self.nspawn is None:
            return
        if self.leader is None:
            self.leader = next(iter(self._children(self.nspawn.pid)), None)
        if self.leader is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.leader, signal.SIGKILL)
        try:
            self.nspawn.wait(20)
        except subprocess.TimeoutExpired:
            self.nspawn.kill()
            self.nspawn.wait()
        self.nspawn = self.leader = None

    # Its network: this process and what it starts are in it while the machine runs.

    @staticmethod
    def _setns(fd):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), 'setns')

    def _enter_network(self):
        fd = os.open(f'/proc/{self.leader}/ns/net', os.O_RDONLY | os.O_CLOEXEC)
        self._setns(fd)
        os.close(fd)

    def _leave_network(self):
        self._setns(self.home)

    # Its keyboard.

    def command(self, *words):
        """A command line of this host that runs those words in the machine, as root."""
        return ['nsenter', '--all', '--target', str(self.leader), 'env', '-i', '--chdir=/',
                *(f'{k}={v}' for k, v in CLEAN.items()), *words]

    def run(self, *words, **more):
        return run(*self.command(*words), **more)

    def says(self, *words):
        """What a command prints on standard output, whatever its exit status."""
        done = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, timeout=300, check=False)
        return done.stdout

    def path(self, inside):
        """A file of the machine, from here. Follows no link that the machine made."""
        return self.tree + inside

    def exists(self, inside):
        return os.path.lexists(self.path(inside))

    def read(self, inside):
        with open(self.path(inside), encoding='utf-8') as f:
            return f.read()

    def write(self, inside, text, mode=0o644):
        with open(self.path(inside), 'w', encoding='utf-8') as f:
            os.fchmod(f.fileno(), mode)
            f.write(text)

    def take(self, outside, inside):
        """Copies a file of this host into it."""
        shutil.copy(outside, self.path(inside))

    def unit(self, unit, prop):
        return self.says('systemctl', 'show', '--value', '--property', prop, unit).strip()

    def journal(self, *words):
        return self.says('journalctl', '--no-pager', '--quiet', *words)

    def console_tail(self):
        with open(self.console, encoding='utf-8', errors='replace') as f:
            return ''.join(f.readlines()[-20:])

    def tell(self):
        """What there is to know about a machine in which something failed, as TAP's comments."""
        if self.leader is None:
            words = self.console_tail()
        else:
            words = self.says('systemctl', '--failed', '--no-legend') + self.journal('-n', '60')
        for line in words.splitlines():
            print('# ' + line[:400])
        sys.stdout.flush()
