"""What tests of external tokens share: people who sign in, the simulator as their OAuth2 server, and what
becomes of a token. Every token that went over a wire is kept in `seen`."""
import base64
import contextlib
import glob
import hashlib
import os
import secrets
import subprocess
import urllib.parse
import urllib.request

from money import rule, setting, sim
from owner import PSQL, redis, sql, sql_one
from soko import Shop, check, demand, equal, until

shop = Shop()
seen = set()

def sign_up(name='Ann'):
    who = shop.sign_up(name)
    seen.update((who['access_token'], who['refresh_token']))
    return who


def sign_in(who, role=None):
    again = shop.sign_in(who['email'], who['password'], role)
    seen.update((again['access_token'], again['refresh_token']))
    return again


def ask_refresh(token, **more):
    return shop.call('POST', '/auth/refresh', {'refresh_token': token, **more})


def refresh(token, **more):
    data = demand(ask_refresh(token, **more), 200).data
    seen.update((data['access_token'], data['refresh_token']))
    return data


def profile(token):
    return shop.call('GET', '/auth/profile', token=token)


def expired(answer):
    demand(answer, 401, 'UNAUTHORIZED')
    equal(answer.errors[0]['message'], 'Session expired', 'message')


def away(answer):
    """503 and when to come again: the server is away, and nobody says that the token is bad."""
    demand(answer, 503, 'SERVICE_UNAVAILABLE')
    check(int(answer.headers['retry-after']) > 0, 'no Retry-After')


def digest(token):
    return hashlib.sha256(token.encode()).hexdigest()


def forget(token):
    """As when conf->token_cache has passed."""
    redis('DEL', 'soko:token:' + digest(token))


def asked(operation, match=''):
    return len(sim('GET', f'/sim/calls?provider=oauth2&operation={operation}&match={match}'))


def active():
    return set(sim('GET', '/sim/oauth2/tokens')['tokens'])


def is_revoked(token):
    until(lambda: token not in active(), 'it is revoked at the server')
    until(lambda: sql_one("SELECT revoked_at IS NOT NULL AND sealed = '' FROM external_tokens "
                          "WHERE token_hash = decode(:'hash', 'hex')", hash=digest(token)) == 't',
          'it is noted')


def living_of(who):
    """The tokens of an account that the server holds active."""
    hashes = {row[0] for row in sql(
        "SELECT encode(x.token_hash, 'hex') FROM external_tokens x JOIN sessions s ON s.id = x.session_id "
        "WHERE s.account_id = :'id'", id=who['user']['id'])}
    return {token for token in active() if digest(token) in hashes}


def at_server(path, **form):
    """What the server's own administrator could do: a form, with the client's name."""
    name = f'{setting("OAUTH2_CLIENT_ID")}:{setting("OAUTH2_CLIENT_SECRET")}'
    pair = ':'.join(urllib.parse.quote(part, safe='') for part in name.split(':', 1))
    request = urllib.request.Request(
        os.environ['SOKO_SIM'] + path, data=urllib.parse.urlencode(form).encode(), method='POST',
        headers={'Authorization': 'Basic ' + base64.b64encode(pair.encode()).decode()})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


@contextlib.contextmanager
def bent(operation, match=None, **do):
    """The server misbehaves meanwhile. Afterwards all pools have found that he is back."""
    made = rule('oauth2', operation, match, None, **do)
    try:
        yield
    finally:
        sim('DELETE', f'/sim/rules/{made["id"]}')
        recover()


def recover():
    def good():
        a = shop.call('POST', '/auth/login', {'email': keeper['email'], 'password': keeper['password']})
        if a.status != 200:
            return False
        seen.update((a.data['access_token'], a.data['refresh_token']))
        forget(a.data['access_token'])
        return profile(a.data['access_token']).status == 200
    until(good, 'the server is asked again')


keeper = sign_up('Kim')


def no_token_is_kept():
    """Of all that went over a wire, nothing is in a table, in a log or in Redis."""
    for name in ('token', 'introspect', 'revoke'):
        check(asked(name) > 10, f'{name}: too little has happened')
    seen.update(active())
    secret = setting('OAUTH2_CLIENT_SECRET')
    dump = subprocess.run([PSQL.replace('psql', 'pg_dump'), os.environ['SOKO_OWNER_URL'], '--data-only',
                           '--inserts', '--exclude-table=none'], capture_output=True, text=True, timeout=300,
                          check=True).stdout
    check('external_tokens' in dump, 'no dump')
    keys = [k for k in redis('--scan').splitlines() if k]
    check(any(k.startswith('soko:token:') for k in keys), 'Redis holds no answer')
    held = '\n'.join(keys + [redis('GET', k) for k in keys if redis('TYPE', k) == 'string'])
    logs = {}
    for path in glob.glob(os.path.join(os.environ['SOKO_STATE'], 'log', '*')):
        with open(path, encoding='utf-8', errors='replace') as f:
            logs[os.path.basename(path)] = f.read()
    check(any('oauth2' in text for text in logs.values()), 'no log speaks of the server')
    check(len(seen) > 100, f'only {len(seen)} tokens')
    for where, text in {'the database': dump, 'Redis': held, **logs}.items():
        for token in {*seen, secret, urllib.parse.quote(secret, safe=''), keeper['password']}:
            check(token not in text, f'{where} holds a token or secret: {token[:12]}...')
            check(base64.b64encode(token.encode()).decode() not in text, f'{where}: base64')
            check(token.encode().hex() not in text, f'{where}: hexadecimal')
