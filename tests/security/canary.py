"""Nothing secret is in any log of the run: those that each shop's servers have left (soko-api, soko-jobs,
nginx, PostgreSQL, Redis, the simulator), and those of the programs under test. TAP.

Searched for are secrets by their look, and, as they are, the secrets of each shop and every password,
token, client_secret, e-mail address and phone number that the end-to-end tests have sent or been given
(tests/e2e/soko.py keeps them). Judges whole runs; what it finds is printed masked.

    canary.py LOGS       the folder of a run's logs (var/log/test)
"""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))

import leaks  # noqa: E402

# audit: what was in the table at the end.
SERVERS = ('soko-api-fast', 'soko-api-hash', 'soko-api-wire', 'jobs', 'nginx', 'nginx-access',
           'nginx-error', 'postgres', 'redis', 'sim', 'audit')
AUDIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'fcgi-app', 'shop', 'audit.c')
SHOWN = 20


def audited(paths):
    """The events that audit.c names, and those that were written in the run."""
    with open(AUDIT, encoding='utf-8') as f:
        named = set(re.findall(r'^ *\[AUDIT_\w+\] = "([\w.]+)"', f.read(), re.M))
    return named, {e['event'] for path in paths for e in leaks.read_json_lines(path)}


class Tap:
    def __init__(self):
        self.count, self.failed = 0, 0

    def say(self, good, name, findings=()):
        findings = list(findings)
        self.count += 1
        for line in findings[:SHOWN]:
            print('# ' + line)
        if len(findings) > SHOWN:
            print(f'# and {len(findings) - SHOWN} more')
        self.failed += not good
        print(f'{"ok" if good else "not ok"} {self.count} - canary: {name}', flush=True)


def main(root):
    tap = Tap()
    kept = sorted(p for p in glob.glob(os.path.join(root, '**', '*.log'), recursive=True)
                  if '.shop' + os.sep in p)
    own = sorted(set(glob.glob(os.path.join(root, '*', '[iu]n*', '*.log'))) - set(kept))

    for name in leaks.LOOKS:
        caught, spared = leaks.SAMPLES[name]
        look = leaks.COMPILED[name]
        tap.say(bool(look.search(caught)) and not look.search(spared)
                and bool(leaks.ALL.search(caught)), f'{name} is known by its look')

    for server in SERVERS:
        wrote = [p for p in kept if os.path.basename(p) == server + '.log' and os.path.getsize(p)]
        # nginx's own output is empty if all is well; it need only have been kept.
        there = [p for p in kept if os.path.basename(p) == server + '.log']
        quiet = server in ('nginx', 'nginx-error', 'soko-api-wire')
        tap.say(bool(there if quiet else wrote), f'the logs of {server} were kept')

    named, written = audited([p for p in kept if os.path.basename(p) == 'audit.log'])
    tap.say(named and named <= written, 'every kind of event was written to an audit log',
            (f'never: {event}' for event in sorted(named - written)))

    hits = {}
    for path in kept + own:
        for name, place, what in leaks.by_look(path):
            hits.setdefault(name, []).append(f'{place}: {what}')
    for name in leaks.LOOKS:
        tap.say(name not in hits, f'no log has {name}', hits.get(name, ()))

    secrets = set()
    for path in glob.glob(os.path.join(root, '**', 'secrets'), recursive=True):
        with open(path, encoding='utf-8') as f:
            secrets.update(f.read().split('\n'))
    tap.say(len(secrets) > len(SERVERS), 'the secrets of the shops were kept')
    found = leaks.by_value(kept + own, secrets)
    tap.say(not found, "no log has a secret of its shop's", [f'{p}: {w}' for p, w in found])

    planted = set()
    for path in glob.glob(os.path.join(root, '**', '*.planted'), recursive=True):
        with open(path, encoding='utf-8') as f:
            planted.update(f.read().split('\n'))
    tap.say(len(planted) > 100, f'canaries were planted by the end-to-end tests: {len(planted)}')
    found = leaks.by_value(kept + own, planted)
    tap.say(not found, 'no log has a value that the tests have sent or been given',
            [f'{p}: {w}' for p, w in found])

    print(f'1..{tap.count}')
    return 1 if tap.failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
