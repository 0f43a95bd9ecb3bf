"""API keys where acting as an administrator takes a second factor.

An administrator of before the demand has a key already: it is made here by hand.
"""
# settings: TOTP_REQUIRED=admin TOKEN_CACHE=3s
import base64
import hashlib
import hmac
import json
import os
import secrets
import time

from owner import ctl, redis, sql, sql_one
from soko import Shop, Suite, check, demand, equal, until

suite = Suite()
shop = Shop()


def somebody():
    """An administrator, signed in as a buyer, which takes no second factor."""
    who = shop.sign_up('Root')
    sql("INSERT INTO account_roles (account_id, role) VALUES (:'id', 'admin')", id=who['user']['id'])
    return who


def old_key(who, role='admin'):
    key = 'sk_soko_' + secrets.token_urlsafe(32)
    sql("""INSERT INTO api_keys (id, account_id, name, role, scope, key_hash, hint)
           VALUES (gen_random_uuid(), :'account', 'Old', :'role', 'write', decode(:'hash', 'hex'), 'abcd')""",
        account=who['user']['id'], role=role, hash=hashlib.sha256(key.encode()).hexdigest())
    return key


def give_factor(who):
    sql("""INSERT INTO second_factors (account_id, secret, confirmed_at) VALUES (:'id', 'sealed', now())""",
        id=who['user']['id'])


def users(key, status, code=None):
    return demand(shop.call('GET', '/admin/users', token=key), status, code)


@suite.test
def test_an_administrators_key_needs_the_accounts_second_factor():
    who = somebody()
    key, as_buyer = old_key(who), old_key(who, 'buyer')
    users(key, 401, 'UNAUTHORIZED')
    demand(shop.call('GET', '/cart', token=as_buyer), 200)
    sql("INSERT INTO second_factors (account_id, secret) VALUES (:'id', 'sealed')", id=who['user']['id'])
    users(key, 401, 'UNAUTHORIZED')  # shown, and not yet proved
    sql("UPDATE second_factors SET confirmed_at = now() WHERE account_id = :'id'", id=who['user']['id'])
    users(key, 200)
    # A factor that goes by a hand that tells nobody: the copy ends by itself.
    sql("DELETE FROM second_factors WHERE account_id = :'id'", id=who['user']['id'])
    until(lambda: shop.call('GET', '/admin/users', token=key).status == 401, 'the end of the copy')
    demand(shop.call('GET', '/cart', token=as_buyer), 200)


@suite.test
def test_a_factor_that_is_removed_ends_the_key_at_once():
    who = somebody()
    key, as_buyer = old_key(who), old_key(who, 'buyer')
    for _ in range(2):
        give_factor(who)
        users(key, 200)
        demand(shop.call('GET', '/cart', token=as_buyer), 200)
        ctl('user', 'totp-off', '--email', who['email'])
        users(key, 401, 'UNAUTHORIZED')
        demand(shop.call('GET', '/cart', token=as_buyer), 200)


@suite.test
def test_no_administrators_key_is_made_without_one():
    who = somebody()
    body = {'name': 'A machine', 'role': 'admin', 'scope': 'write', 'password': who['password']}
    a = demand(shop.call('POST', '/api-keys', body, who['access_token']), 403, 'FORBIDDEN')
    equal(a.fields, ['role'], 'field')
    # A session of before the demand, which acts as administrator still, and has shown no second factor.
    sql("UPDATE sessions SET role = 'admin' WHERE account_id = :'id'", id=who['user']['id'])
    give_factor(who)
    sid = sql_one("SELECT id FROM sessions WHERE account_id = :'id'", id=who['user']['id'])
    token = forged(who['user']['id'], sid)
    a = demand(shop.call('POST', '/api-keys', body, token), 403, 'FORBIDDEN')
    check('second factor' in a.errors[0]['message'], f'words: {a!r}')
    made = shop.new_key({**who, 'access_token': token}, 'buyer')
    demand(shop.call('GET', '/cart', token=made['key']), 200)
    equal(sql_one("SELECT count(*) FROM api_keys WHERE account_id = :'id' AND role = 'admin'", id=who['user']['id']),
          '0', 'keys of an administrator')
    # The same session, once it has shown one.
    sql("UPDATE sessions SET second_factor = true WHERE id = :'id'", id=sid)
    redis('DEL', 'soko:session:' + sid)
    users(shop.new_key({**who, 'access_token': token}, 'admin')['key'], 200)


def forged(account, sid):
    """An access token such as that session was given before the demand."""
    def b64(data):
        return base64.urlsafe_b64encode(data).rstrip(b'=').decode()
    with open(os.path.join(os.environ['SOKO_STATE'], 'conf', 'token_key'), 'rb') as f:
        secret = f.read().strip()
    now = int(time.time())
    head = b64(json.dumps({'alg': 'HS256', 'typ': 'JWT'}).encode())
    claims = b64(json.dumps({'sub': account, 'sid': sid, 'role': 'admin', 'typ': 'access', 'iat': now,
                             'exp': now + 600}).encode())
    text = f'{head}.{claims}'
    return f'{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}'


if __name__ == '__main__':
    suite.main()
