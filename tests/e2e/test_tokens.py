"""Access tokens, forged and odd: what was not made by us, for this, for somebody who is there, opens nothing."""
import base64
import hashlib
import hmac
import json
import os
import time
import uuid

from owner import sql
from soko import Shop, Suite, check, demand

suite = Suite()
shop = Shop()


def claims_of(token):
    part = token.split('.')[1]
    return json.loads(base64.urlsafe_b64decode(part + '=' * (-len(part) % 4)))


def lives(who):
    demand(shop.call('GET', '/auth/profile', token=who['access_token']), 200)


def dead(who):
    demand(shop.call('GET', '/auth/profile', token=who['access_token']), 401, 'UNAUTHORIZED')
    demand(shop.call('POST', '/auth/refresh', {'refresh_token': who['refresh_token']}), 401, 'UNAUTHORIZED')


def token_key():
    with open(os.path.join(os.environ['SOKO_STATE'], 'conf', 'token_key'), 'rb') as f:
        return f.read().strip()


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def forge(claims, alg, key, digest=None, **head):
    text = '.'.join((b64(json.dumps({'alg': alg, 'typ': 'JWT', **head}).encode()),
                     b64(json.dumps(claims).encode())))
    return text + '.' + (b64(hmac.new(key, text.encode(), digest).digest()) if digest else '')


@suite.test
def test_hole_44_a_token_of_nobody_is_nobodys():
    """An account that is gone, or was never there, does not become an empty one that passes."""
    gone, key = shop.sign_up('Gone'), token_key()
    account = gone['user']['id']
    claims = claims_of(gone['access_token'])
    sql("DELETE FROM messages WHERE account_id = :'id'; "
        "DELETE FROM sessions WHERE account_id = :'id'; DELETE FROM known_addresses WHERE "
        "account_id = :'id'; DELETE FROM account_roles WHERE account_id = :'id'; "
        "DELETE FROM accounts WHERE id = :'id'", id=account)
    dead(gone)
    for path in ('/auth/profile', '/cart', '/orders', '/addresses', '/auth/sessions'):
        demand(shop.call('GET', path, token=gone['access_token']), 401, 'UNAUTHORIZED')
    here = shop.sign_up('Here')
    lives(here)  # and Redis knows it
    for sub, sid in ((str(uuid.uuid4()), claims_of(here['access_token'])['sid']),
                     (account, claims_of(here['access_token'])['sid']),
                     (here['user']['id'], str(uuid.uuid4())),
                     (here['user']['id'], claims['sid'])):
        forged = forge({**claims, 'sub': sub, 'sid': sid}, 'HS256', key, hashlib.sha256)
        demand(shop.call('GET', '/auth/profile', token=forged), 401, 'UNAUTHORIZED')
    lives(here)


@suite.test
def test_a_forged_or_odd_token_opens_nothing():
    key, me = token_key(), shop.sign_up()
    good, claims, now = me['access_token'], claims_of(me['access_token']), int(time.time())
    s256 = hashlib.sha256
    lives({'access_token': forge(claims, 'HS256', key, s256)})  # so the forger's hand is right

    def less(name):
        return forge({k: v for k, v in claims.items() if k != name}, 'HS256', key, s256)

    bad = {
        'alg none': forge(claims, 'none', key), 'alg NONE': forge(claims, 'NONE', key),
        'no alg': '.'.join((b64(b'{"typ":"JWT"}'), good.split('.')[1], '')),
        'HS384': forge(claims, 'HS384', key, hashlib.sha384),
        'HS512': forge(claims, 'HS512', key, hashlib.sha512),
        'HS256 in name alone': forge(claims, 'HS256', key, hashlib.sha512),
        'another key': forge(claims, 'HS256', b'x' * 64, s256),
        'its own key': forge(claims, 'HS256', b'x' * 64, s256, jwk={'kty': 'oct', 'k': b64(b'x' * 64)}),
        'a key by name': forge(claims, 'HS256', b'', s256, kid='/dev/null'),
        'typ refresh': forge({**claims, 'typ': 'refresh'}, 'HS256', key, s256),
        'exp passed': forge({**claims, 'exp': now - 1}, 'HS256', key, s256),
        'exp as text': forge({**claims, 'exp': str(now + 900)}, 'HS256', key, s256),
        'exp beyond time': forge({**claims, 'exp': 2**62}, 'HS256', key, s256),
        'iat to come': forge({**claims, 'iat': now + 3600}, 'HS256', key, s256),
        'iat negative': forge({**claims, 'iat': -1}, 'HS256', key, s256),
        'sub of nobody': forge({**claims, 'sub': '00000000-0000-0000-0000-000000000000'}, 'HS256', key, s256),
        'role none': forge({**claims, 'role': 'none'}, 'HS256', key, s256),
        'a list': '.'.join((good.split('.')[0], b64(b'[]'), good.split('.')[2])),
        'two tokens': good + ' ' + good, 'two with a comma': good + ', ' + good,
        'two spaces': ' ' + good, 'the wrong half': good[:len(good) // 2],
        'url escapes': good.replace('.', '%2e'),
        **{'no ' + name: less(name) for name in claims},
    }
    for what, token in bad.items():
        a = shop.call('GET', '/auth/profile', token=token)
        check(a.status == 401 and a.code == 'UNAUTHORIZED', f'{what}: {a!r}')
    for header in ('Bearer', 'Bearer ', 'Bearer\t' + good, 'Token ' + good, good, 'Basic ' + good,
                   'Bearer:' + good, 'xBearer ' + good, 'Bearer "' + good + '"'):
        a = shop.call('GET', '/auth/profile', headers={'Authorization': header})
        check(a.status == 401, f'{header[:12]!r}: {a!r}')
    # The scheme's case does not matter (RFC 9110, section 11.1), nor does white space around a header.
    for header in ('bearer ' + good, 'BEARER ' + good, ' Bearer ' + good + ' '):
        demand(shop.call('GET', '/auth/profile', headers={'Authorization': header}), 200)
    for path in (f'/auth/profile?token={good}', f'/auth/profile?access_token={good}'):
        demand(shop.call('GET', path), 401, 'UNAUTHORIZED')
    demand(shop.call('GET', '/auth/profile', headers={'Cookie': f'access_token={good}'}), 401)


if __name__ == '__main__':
    suite.main()
