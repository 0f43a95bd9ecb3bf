"""What the tests of the audit log share: sokoctl's `audit`, and what is in it."""
import json
import os
import re
import subprocess

from owner import ctl, sql_one
from soko import check, equal, until

OWNER = os.environ['SOKO_OWNER_URL']
SUPERUSER = OWNER.replace('soko_owner@', 'postgres@', 1)
APP = OWNER.replace('soko_owner@', 'soko_app@', 1)
INSERT = "INSERT INTO audit_log (event, detail, trace_id) VALUES "
GOOD = 'the audit log is as it was sealed'


def run(*words, conf=None):
    """sokoctl's exit status and everything that it says."""
    command = os.environ['SOKO_CTL'].split()
    if conf:
        command[command.index('--config') + 1] = conf
    done = subprocess.run(command + list(words), capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def verify(*words, conf=None):
    """The faults by their first word, in order, and all that it says."""
    status, said = run('audit', 'verify', *words, conf=conf)
    found = re.findall(r'^fault: (\w+):', said, re.M)
    equal(status, 1 if found else 0, f'the exit status: {said}')
    check(bool(found) != (GOOD in said), f'it says which: {said}')
    return found, said


def head_of(said):
    return re.search(r'^head (\d+:[0-9a-f]{64})$', said, re.M)[1]


def is_good(*words):
    found, said = verify(*words)
    equal(found, [], said)
    return head_of(said)


def loose():
    return sql_one('SELECT count(*) FROM audit_log l WHERE NOT EXISTS '
                   '(SELECT FROM audit_chain c WHERE c.entry = l.id)')


def all_sealed():
    until(lambda: loose() == '0', 'each entry has a link')


def entries(**filters):
    words = [w for name, value in filters.items() for w in ('--' + name, value)]
    return [json.loads(line) for line in ctl('audit', 'list', '--json', *words).splitlines()]


def events_of(subject):
    return [e['event'] for e in entries(subject=subject)]


def last_of(event, subject):
    found = entries(event=event, subject=subject)
    check(found, f'{event} of {subject}')
    return found[-1]


def account_of(who):
    return who['user']['id']
