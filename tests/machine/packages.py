"""The packages that are tested: of this tree, and of the commit before it.

`make deb` takes some minutes, so a package is kept beside the archives of machine.py, under the hash of
what it was made from.
"""
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile

from machine import CACHE, Broken, run

KEPT = 4    # packages, the newest
TIMEOUT = 1800


def _git(top, *words):
    """What git says, as bytes; None if it fails."""
    done = subprocess.run(['git', '-c', 'safe.directory=*', '-C', top, *words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout if done.returncode == 0 else None


def _files(top):
    """What belongs to the tree as it lies there, committed or not."""
    listed = _git(top, 'ls-files', '-z', '--cached', '--others', '--exclude-standard')
    if listed is None:
        raise Broken(f'{top}: git ls-files fails')
    return sorted(f for f in listed.decode().split('\0') if f and os.path.exists(os.path.join(top, f)))


def _copy(top, to):
    """Copies the tree; gives its hash."""
    seen = hashlib.sha256()
    for name in _files(top):
        source, target = os.path.join(top, name), os.path.join(to, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(source, target)
        with open(source, 'rb') as f:
            seen.update(f'{name}\0{os.stat(source).st_mode:o}\0'.encode() + hashlib.sha256(f.read()).digest())
    return seen.hexdigest()[:16]


def _make(tree):
    """The package of a tree that is no git tree, so that its version is the plain one."""
    run('autoreconf', '-fi', cwd=tree, timeout=TIMEOUT)
    run('./configure', cwd=tree, timeout=TIMEOUT)
    made = run('make', f'-j{os.cpu_count()}', 'deb', cwd=tree, timeout=TIMEOUT).splitlines()[-1]
    for path in (made, os.path.join(tree, made)):
        if path.endswith('.deb') and os.path.exists(path):
            return path
    found = [f for f in os.listdir(os.path.join(tree, 'deb')) if re.fullmatch(r'soko_.*[.]deb', f)]
    if len(found) != 1:
        raise Broken(f'make deb made {found}')
    return os.path.join(tree, 'deb', found[0])


def _kept(key, tree):
    """The package of a tree, from the cache or made."""
    path = os.path.join(CACHE, f'soko-{key}.deb')
    if not os.path.exists(path):
        shutil.copy(_make(tree), path + '.new')
        os.rename(path + '.new', path)
    os.utime(path)
    found = [os.path.join(CACHE, f) for f in os.listdir(CACHE) if f.startswith('soko-')]
    for old in sorted(found, key=os.path.getmtime, reverse=True)[KEPT:]:
        os.unlink(old)
    return path


@contextlib.contextmanager
def _alone():
    """One at a time on this machine; all use the same cache."""
    os.makedirs(CACHE, mode=0o755, exist_ok=True)
    with open(os.path.join(CACHE, 'lock-deb'), 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def of_this_tree(top, to):
    """Makes the package of the tree as it lies there, into the file `to`."""
    with _alone(), tempfile.TemporaryDirectory(dir=os.path.dirname(to)) as tree:
        shutil.copy(_kept(_copy(top, tree), tree), to)


def of_last_commit(top, to):
    """The same for the commit before HEAD. False if there is none, or none with a package."""
    if _git(top, 'cat-file', '-e', 'HEAD~1:systemd/debian/control') is None:
        return False
    archive = _git(top, 'archive', 'HEAD~1')
    with _alone(), tempfile.TemporaryDirectory(dir=os.path.dirname(to)) as tree:
        subprocess.run(['tar', '-C', tree, '-xf', '-'], input=archive, check=True)
        shutil.copy(_kept(hashlib.sha256(archive).hexdigest()[:16], tree), to)
    return True


def field(deb, name):
    return run('dpkg-deb', '-f', deb, name).strip()


def changed(deb, to, version, files=()):
    """Another version of a package: its number, and files that it has else or besides ((path, text), ...)."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(to)) as work:
        tree = os.path.join(work, 'tree')
        run('dpkg-deb', '-R', deb, tree)
        control = os.path.join(tree, 'DEBIAN/control')
        with open(control, encoding='utf-8') as f:
            text = f.read()
        with open(control, 'w', encoding='utf-8') as f:
            f.write(re.sub(r'(?m)^Version: .*$', f'Version: {version}', text))
        sums = os.path.join(tree, 'DEBIAN/md5sums')
        with open(sums, encoding='utf-8') as f:
            kept = [line for line in f if line.rstrip('\n').split('  ', 1)[1] not in dict(files)]
        with open(sums, 'w', encoding='utf-8') as f:
            f.writelines(kept)
            for path, words in files:
                with open(os.path.join(tree, path), 'w', encoding='utf-8') as added:
                    added.write(words)
                f.write(f'{hashlib.md5(words.encode()).hexdigest()}  {path}\n')
        run('dpkg-deb', '--root-owner-group', '-Zgzip', '-z1', '-b', tree, to)


def needs(*debs):
    """The packages that they depend on or recommend, by name; of alternatives the first."""
    found = set()
    for deb in debs:
        for name in ('Pre-Depends', 'Depends', 'Recommends'):
            for one in field(deb, name).split(','):
                if one.strip():
                    found.add(one.split('|')[0].split('(')[0].strip().split(':')[0])
    return sorted(found)
