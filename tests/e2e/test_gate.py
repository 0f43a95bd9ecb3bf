"""The gate, whole: each row of the route table, asked with each credential that there is.

What is let in is written down here once more, by hand, from API.md ("Who") and routes.h; the rows come
from `sokoctl routes --json`. Nothing is changed by it: what is let in finds a body that is refused, or an
id that is none.
"""
import secrets

from orders_common import shop
from owner import ctl_json, sql
from soko import Failed, Suite, check, demand, equal

suite = Suite()
rows = ctl_json('routes', '--json')

# One account that holds every role, so that a credential's role alone makes the difference.
root = shop.new_seller('Root')
sql("INSERT INTO account_roles (account_id, role) VALUES (:'id', 'admin')", id=root['user']['id'])
ALL = ('buyer', 'seller', 'admin')


def session(role):
    return shop.sign_in(root['email'], root['password'], role)['access_token']


def ended():
    token = session('admin')
    demand(shop.call('POST', '/auth/logout', token=token), 200)
    return token


def revoked():
    key = shop.new_key({**root, 'access_token': session('admin')}, 'admin')
    demand(shop.call('DELETE', f'/api-keys/{key["id"]}', token=session('buyer')), 200)
    return key['key']


# name: (token, what it is, role)
CREDENTIALS = {'none': (None, 'nothing', None), 'junk': ('junk', 'nothing', None),
               'junk that looks like a key': ('sk_soko_' + secrets.token_urlsafe(32), 'nothing', None),
               'an ended session': (ended(), 'nothing', None),
               'a revoked key': (revoked(), 'nothing', None)}
for r in ALL:
    CREDENTIALS[f'session in {r}'] = (session(r), 'session', r)
    for s in ('read', 'write'):
        CREDENTIALS[f'key to {s} in {r}'] = (
            shop.new_key({**root, 'access_token': session('admin')}, r, s)['key'], s, r)

# who: (the roles that are let in, whether a key may be one of them)
WHO = {'anyone': (ALL, True), 'signed_in': (ALL, True), 'in_person': (ALL, False), 'buyer': (['buyer'], True),
       'seller': (['seller', 'admin'], True), 'admin': (['admin'], True), 'admin_in_person': (['admin'], False)}

# What ends what it is called with, and has no input that could be refused: it is called with one of its own.
LOGOUT = 'POST /api/v1/auth/logout'


def wanted(row, kind, role):
    """401, 403, or 0: he is let in."""
    roles, keys = WHO[row['who']]
    if row['who'] == 'anyone':
        return 0
    if kind == 'nothing':
        return 401
    if kind in ('read', 'write') and not keys:
        return 403
    if kind == 'read' and row['method'] != 'GET':
        return 403
    return 0 if role in roles else 403


def gates_word(answer):
    """401 or 403, if it is the gate that said so; else 0."""
    words = answer.errors[0]['message'] if answer.errors else ''
    if answer.status == 401 and words in ('sign in, and send a valid access token', 'Session expired'):
        return 401
    said = ('an API key cannot do this', 'this API key may only read', 'this needs the role')
    return 403 if answer.status == 403 and words.startswith(said) else 0


def ask(row, token):
    path = '/'.join('x' if part.startswith(':') else part for part in row['path'].split('/'))
    # Refused by whatever takes a body, and by whatever takes none.
    return shop.call(row['method'], path, None if row['method'] == 'GET' else {'nonsense': 1}, token)


@suite.test
def test_every_who_is_known_here():
    equal(sorted(WHO), sorted({r['who'] for r in rows}), 'who there is')


def each_row(check_one):
    faults = []
    for row in rows:
        try:
            check_one(row)
        except Failed as e:
            faults.append(f'{row["method"]} {row["path"]}: {e}')
    if faults:
        raise Failed('\n'.join(faults))


def test_of(name):
    token, kind, role = CREDENTIALS[name]

    def test():
        def one(row):
            mine = token
            if f'{row["method"]} {row["path"]}' == LOGOUT and kind == 'session':
                mine = session(role)
            a = ask(row, mine)
            equal(gates_word(a), wanted(row, kind, role), f'the gate\'s word ({a!r})')
            if wanted(row, kind, role) == 0:
                check(a.status not in (401, 500, 502, 503), f'got {a!r}')
        each_row(one)
    test.__name__ = 'test_' + name.replace(' ', '_')
    suite.test(test)


for credential in CREDENTIALS:
    test_of(credential)


@suite.test
def test_a_look_is_a_look():
    """HEAD is GET without its body, for keys that may read too; OPTIONS asks nobody."""
    for name, (token, kind, role) in CREDENTIALS.items():
        for row in rows:
            if row['method'] == 'GET' and not row['ids']:
                path = row['path']
                a = shop.call('HEAD', path, token=token)
                word = a.status if a.status in (401, 403) else 0
                equal(word, wanted(row, kind, role), f'{name}: HEAD {path}')
                equal(shop.call('OPTIONS', path, token=token).status, 204, f'{name}: OPTIONS {path}')


if __name__ == '__main__':
    suite.main()
