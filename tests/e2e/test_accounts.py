"""Accounts and sessions: registering, signing in and out, roles, tokens, the profile.

Limits are wide, not off, because an answer says them only where there are any.
"""
# settings: LIMIT_PUBLIC=100000 LIMIT_SIGNED_IN=100000 LIMIT_LOGIN=100000
import base64
import hashlib
import hmac
import json
import os
import secrets
import time
import uuid

from owner import redis, sql, start, stop
from soko import Failed, Shop, Suite, check, demand, equal, until

suite = Suite()
shop = Shop()


def word():
    return 'u' + secrets.token_hex(8)


def somebody(**more):
    """What a new account may be made of."""
    return {'email': f'{word()}@example.com', 'password': 'Nairobi-2026', 'name': 'Ann', **more}


def subscriber():
    """Nine digits of a Kenyan mobile number that nobody has."""
    return f'7{secrets.randbelow(10 ** 8):08d}'


def register(body, status=201, code=None):
    return demand(shop.call('POST', '/auth/register', body), status, code)


def login(body, status=200, code=None, **more):
    return demand(shop.call('POST', '/auth/login', body, **more), status, code)


def refresh(token, status=200, code=None, **more):
    return demand(shop.call('POST', '/auth/refresh', {'refresh_token': token, **more}), status,
                  code)


def profile(token, status=200, code=None):
    return demand(shop.call('GET', '/auth/profile', token=token), status, code)


def expired(answer):
    """It is the 401 of a session that is over."""
    demand(answer, 401, 'UNAUTHORIZED')
    equal(answer.errors[0]['message'], 'Session expired', 'message')
    check('Bearer' in answer.headers.get('www-authenticate', ''), 'no WWW-Authenticate')


# --- registering ----------------------------------------------------------------------------------

@suite.test
def test_an_account_has_each_identity_that_was_given():
    phone = subscriber()
    for given, seen in (({'email': None}, {}), ({'phone': '0' + phone}, {'phone': '+254' + phone}),
                        ({'username': 'Ann.' + phone}, {'username': 'ann.' + phone})):
        body = somebody()
        email = body.pop('email')
        if 'email' in given:
            given, seen = {'email': email}, {'email': email}
        data = register({**body, **given}).data
        equal({k: data[k] for k in ('email', 'phone', 'username')},
              {'email': None, 'phone': None, 'username': None, **seen}, 'identities')
        equal((data['name'], data['roles']), ('Ann', ['buyer']), 'name and roles')
        equal(str(uuid.UUID(data['id'])), data['id'], 'id')
        check(data['created_at'].endswith('Z'), 'created_at')
        check('password' not in json.dumps(data), 'the answer speaks of the password')
    everything = somebody(phone='+254 1' + phone[1:], username=word())
    data = register(everything).data
    equal((data['email'], data['phone'], data['username']),
          (everything['email'], '+2541' + phone[1:], everything['username']), 'all three')


@suite.test
def test_an_empty_registration_reports_email_password_name():
    a = register({}, 400, 'VALIDATION_ERROR')
    equal(a.fields, ['email', 'password', 'name'], 'fields')
    equal({e['message'] for e in a.errors}, {'is required'}, 'messages')
    equal({e['code'] for e in a.errors}, {'VALIDATION_ERROR'}, 'codes')


@suite.test
def test_a_registration_reports_all_errors_at_once():
    a = register({'username': 'a b', 'phone': '12', 'name': 7, 'password': 'short',
                  'email': 'no address', 'is_admin': True}, 400, 'VALIDATION_ERROR')
    equal(a.fields, ['email', 'password', 'name', 'phone', 'username', 'is_admin'], 'fields')


@suite.test
def test_an_unknown_field_is_refused_by_name():
    for name in ('role', 'roles', 'is_admin', 'Email'):
        a = register(somebody(**{name: 'admin'}), 400, 'VALIDATION_ERROR')
        equal(a.fields, [name], 'fields')


@suite.test
def test_what_is_too_short_or_too_long_is_refused_by_name():
    for field, value in (('password', '1234567'), ('password', ''), ('password', 'p' * 129),
                         ('name', ''), ('name', '  '), ('name', 'n' * 256),
                         ('email', 'e' * 244 + '@example.com'), ('email', 'a@b'),
                         ('email', '@b.ke'),
                         ('email', 'a b@example.com'), ('email', 'a@example.com,b@example.com'),
                         ('username', 'ab'), ('username', 'u' * 256), ('username', '1ann'),
                         ('phone', '0' * 256), ('phone', '0212345678'), ('phone', '+2547123456')):
        a = register(somebody(**{field: value}), 400, 'VALIDATION_ERROR')
        equal(a.fields, [field], f'fields for {value[:20]!r}')
    # What is just long enough. A password counts letters, not bytes, and its blanks.
    for field, value in (('password', '1234 678'), ('password', ' äöüß™  '),
                         ('password', 'p' * 128),
                         ('name', 'ñ' * 255), ('username', 'u' * 16 + secrets.token_hex(8))):
        register(somebody(**{field: value}))


@suite.test
def test_text_is_trimmed_and_a_password_is_not():
    body = somebody(name=' Ann W. ', password=' blanks matter ')
    equal(register(body).data['name'], 'Ann W.', 'name')
    login({'email': body['email'], 'password': body['password'].strip()}, 401, 'UNAUTHORIZED')
    login({'email': f' {body["email"]} ', 'password': body['password']})


@suite.test
def test_what_is_taken_is_409_with_its_field():
    digits = subscriber()
    first = somebody(phone='0' + digits, username=word())
    register(first)
    for field, value in (('email', first['email']), ('email', first['email'].upper()),
                         ('phone', '+254' + digits), ('username', first['username'].upper())):
        a = register(somebody(**{field: value}), 409, 'CONFLICT')
        equal(a.fields, [field], 'field')
    # The password of the first is still the first's.
    login({'email': first['email'], 'password': first['password']})


@suite.test
def test_a_phone_in_every_form_is_the_same_account():
    digits = subscriber()
    body = somebody(phone='0' + digits)
    account = register(body).data
    for form in ('0' + digits, digits, '254' + digits, '+254' + digits,
                 f'+254 {digits[:3]} {digits[3:]}',
                 f'0{digits[:3]}-{digits[3:6]}-{digits[6:]}', f'(0{digits[:3]}) {digits[3:]}'):
        equal(register(somebody(phone=form), 409, 'CONFLICT').fields, ['phone'], form)
        data = login({'phone': form, 'password': body['password']}).data
        equal(data['user']['id'], account['id'], form)


@suite.test
def test_an_address_has_ascii_letters_only():
    for email in ('ÄNN@example.com', 'ann@É.ke', 'İ@example.com', 'аnn@example.com',
                  'a\u200bn@b.ke'):
        equal(register(somebody(email=email), 400, 'VALIDATION_ERROR').fields, ['email'], email)
        equal(login({'email': email, 'password': 'Nairobi-2026'}, 400).fields, ['email'], email)


# --- signing in -----------------------------------------------------------------------------------

@suite.test
def test_one_signs_in_by_any_identity():
    digits = subscriber()
    body = somebody(phone='0' + digits, username=word())
    account = register(body).data
    for by in ({'email': body['email']}, {'email': body['email'].upper()}, {'phone': digits},
               {'username': body['username']}, {'username': body['username'].upper()}):
        data = login({**by, 'password': body['password']}).data
        equal(data['user'], account, f'user by {by}')
        equal((data['token_type'], data['role']), ('Bearer', 'buyer'), 'type and role')
        equal(data['expires_in'], 15 * 60, 'expires_in')
        equal(profile(data['access_token']).data, account, 'profile')


@suite.test
def test_an_empty_sign_in_reports_email_and_password():
    equal(login({}, 400, 'VALIDATION_ERROR').fields, ['email', 'password'], 'fields')
    a = login({'email': 'a@example.com', 'username': 'ann', 'password': 'x'}, 400)
    equal(a.fields, ['email'], 'two identities')
    equal(login({**somebody()}, 400).fields, ['name'], 'unknown field')
    a = login({'email': 'a@example.com', 'password': 'x', 'role': 'root'}, 400)
    equal(a.fields, ['role'], 'no such role')


@suite.test
def test_any_bad_credential_is_401_in_the_same_words():
    body = somebody(phone='0' + subscriber(), username=word())
    register(body)
    password = body['password']
    bad = [{k: body[k], 'password': 'wrong-' + password} for k in ('email', 'phone', 'username')]
    bad += [{'email': body['email'], 'password': p} for p in ('x', password + ' ', 'p' * 256)]
    bad += [{'email': word() + '@example.com', 'password': body['password']},
            {'phone': '0' + subscriber(), 'password': body['password']},
            {'username': word(), 'password': body['password']}]
    answers = [login(b, 401, 'UNAUTHORIZED') for b in bad]
    equal({json.dumps(a.errors) for a in answers}, {json.dumps(answers[0].errors)}, 'words')


@suite.test
def test_a_deactivated_account_is_403_only_for_who_knows_its_password():
    body = somebody()
    register(body)
    session = login({'email': body['email'], 'password': body['password']}).data
    sql("UPDATE accounts SET is_active = false WHERE email = :'email'", email=body['email'])
    login({'email': body['email'], 'password': body['password']}, 403, 'FORBIDDEN')
    login({'email': body['email'], 'password': 'not this one'}, 401, 'UNAUTHORIZED')
    refresh(session['refresh_token'], 403, 'FORBIDDEN')


@suite.test
def test_a_role_that_is_not_held_is_403():
    body = somebody()
    register(body)
    me = {'email': body['email'], 'password': body['password']}
    for role in ('seller', 'admin'):
        login({**me, 'role': role}, 403, 'FORBIDDEN')
        login({**me, 'password': 'not this one', 'role': role}, 401, 'UNAUTHORIZED')
    session = login({**me, 'role': 'buyer'}).data
    for role in ('seller', 'admin'):
        refresh(session['refresh_token'], 403, 'FORBIDDEN', role=role)
    refresh(session['refresh_token'])


@suite.test
def test_the_default_role_is_the_highest_and_another_can_be_chosen():
    admin = shop.admin()
    equal(admin['role'], 'admin', 'role of an administrator')
    as_buyer = shop.sign_in(admin['email'], admin['password'], 'buyer')
    demand(shop.call('GET', '/cart', token=as_buyer['access_token']), 200)
    demand(shop.call('GET', '/cart', token=admin['access_token']), 403, 'FORBIDDEN')
    demand(shop.call('POST', '/categories', {'name': word()}, as_buyer['access_token']), 403,
           'FORBIDDEN')


@suite.test
def test_a_new_store_makes_a_seller_at_the_next_refresh():
    me = shop.sign_up('Sela')
    demand(shop.call('GET', '/seller/orders', token=me['access_token']), 403, 'FORBIDDEN')
    demand(shop.call('POST', '/stores', {'name': word()}, me['access_token']), 201)
    equal(profile(me['access_token']).data['roles'], ['buyer', 'seller'], 'roles')
    # The session that did it goes on as a buyer's, even over a refresh.
    demand(shop.call('GET', '/seller/orders', token=me['access_token']), 403, 'FORBIDDEN')
    demand(shop.call('GET', '/cart', token=me['access_token']), 200)
    again = refresh(me['refresh_token']).data
    equal(again['role'], 'buyer', 'role of a plain refresh')
    seller = refresh(again['refresh_token'], role='seller').data
    equal(seller['role'], 'seller', 'role asked for')
    equal(demand(shop.call('GET', '/seller/orders', token=seller['access_token']), 200).data, [],
          'orders of a new store')
    demand(shop.call('GET', '/cart', token=seller['access_token']), 403, 'FORBIDDEN')
    equal(refresh(seller['refresh_token']).data['role'], 'seller', 'it stays')
    equal(shop.sign_in(me['email'], me['password'])['role'], 'seller', 'default at sign-in')


@suite.test
def test_an_idempotency_key_is_ignored_at_sign_in():
    body = somebody()
    key = {'Idempotency-Key': word()}
    demand(shop.call('POST', '/auth/register', body, headers=key), 201)
    demand(shop.call('POST', '/auth/register', body, headers=key), 409, 'CONFLICT')
    me = {'email': body['email'], 'password': body['password']}
    first, second = login(me, headers=key), login(me, headers=key)
    login({**me, 'password': 'not this one'}, 401, headers=key)
    check(first.data['access_token'] != second.data['access_token'], 'the same token twice')
    check('idempotent-replayed' not in second.headers, 'it was replayed')
    login(me, headers={'Idempotency-Key': 'k' * 300})


# --- tokens ---------------------------------------------------------------------------------------

def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def forge(claims, alg, key, digest=None):
    """A token of these claims, signed as told; alg says what its header claims."""
    head = b64(json.dumps({'alg': alg, 'typ': 'JWT'}).encode())
    text = f'{head}.{b64(json.dumps(claims).encode())}'
    if digest is None:
        return text + '.'
    return f'{text}.{b64(hmac.new(key, text.encode(), digest).digest())}'


def claims_of(token):
    part = token.split('.')[1]
    return json.loads(base64.urlsafe_b64decode(part + '=' * (-len(part) % 4)))


@suite.test
def test_a_bad_token_is_401_and_says_how_to_do_better():
    with open(os.path.join(os.environ['SOKO_STATE'], 'conf', 'token_key'), 'rb') as f:
        key = f.read().strip()
    good = shop.sign_up()['access_token']
    claims = claims_of(good)
    profile(forge(claims, 'HS256', key, hashlib.sha256))  # so the forger's hand is right
    head, payload, signature = good.split('.')
    now = int(time.time())
    bad = {
        'nothing': None, 'garbage': 'garbage', 'dots': '..', 'two parts': f'{head}.{payload}',
        'no signature': f'{head}.{payload}.', 'four parts': good + '.x', 'padded': good + '=',
        'another signature': f'{head}.{payload}.{"A" * len(signature)}',
        'another payload': '.'.join((head, b64(json.dumps({**claims, 'role': 'admin'}).encode()),
                                     signature)),
        'long': 'a' * 12000,
        'none': forge(claims, 'none', key), 'None': forge(claims, 'None', key),
        'none, signed': forge(claims, 'none', key, hashlib.sha256),
        'HS512': forge(claims, 'HS512', key, hashlib.sha512),
        'HS384': forge(claims, 'HS384', key, hashlib.sha384),
        'RS256': forge(claims, 'RS256', key, hashlib.sha256),
        'another key': forge(claims, 'HS256', b'k' * 64, hashlib.sha256),
        'no key': forge(claims, 'HS256', b'', hashlib.sha256),
        'expired': forge({**claims, 'exp': now - 3600}, 'HS256', key, hashlib.sha256),
        'no exp': forge({k: v for k, v in claims.items() if k != 'exp'}, 'HS256', key,
                        hashlib.sha256),
        'no typ': forge({k: v for k, v in claims.items() if k != 'typ'}, 'HS256', key,
                        hashlib.sha256),
        'another typ': forge({**claims, 'typ': 'refresh'}, 'HS256', key, hashlib.sha256),
        'no role': forge({**claims, 'role': 'root'}, 'HS256', key, hashlib.sha256),
        'no session': forge({**claims, 'sid': str(uuid.uuid4())}, 'HS256', key, hashlib.sha256),
        'not his session': forge({**claims, 'sub': str(uuid.uuid4()),
                                  'sid': claims_of(shop.sign_up()['access_token'])['sid']},
                                 'HS256', key, hashlib.sha256),
    }
    for what, token in bad.items():
        a = shop.call('GET', '/auth/profile', token=token)
        check(a.status == 401 and a.code == 'UNAUTHORIZED', f'{what}: {a!r}')
        check('Bearer' in a.headers.get('www-authenticate', ''), f'{what}: no WWW-Authenticate')
    a = shop.call('GET', '/auth/profile', headers={'Authorization': 'Basic YTpi'})
    demand(a, 401, 'UNAUTHORIZED')
    # A scheme's case does not matter (RFC 9110, section 11.1).
    demand(shop.call('GET', '/auth/profile', headers={'Authorization': 'bearer ' + good}), 200)


@suite.test
def test_a_stale_token_does_not_keep_one_from_refreshing_it():
    me = shop.sign_up()
    demand(shop.call('POST', '/auth/refresh', {'refresh_token': me['refresh_token']}, 'garbage'),
           200)
    demand(shop.call('GET', '/categories', token='garbage'), 200)


# --- refreshing -----------------------------------------------------------------------------------

def age(token):
    """Makes the rotation of a refresh token older than any grace."""
    digest = hashlib.sha256(token.encode()).hexdigest()
    rows = sql("UPDATE refresh_tokens SET rotated_at = rotated_at - interval '1 day' "
               "WHERE token_hash = decode(:'digest', 'hex') AND rotated_at IS NOT NULL RETURNING 1",
               digest=digest)
    equal(rows, [['1']], 'a rotated token of that hash')


@suite.test
def test_a_refresh_gives_a_fresh_pair():
    me = shop.sign_up()
    seen = {me['refresh_token']}
    for _ in range(5):
        data = refresh(me['refresh_token']).data
        equal(set(data), {'access_token', 'refresh_token', 'token_type', 'expires_in', 'role',
                          'user'},
              'members')
        check(data['refresh_token'] not in seen, 'a refresh token came again')
        seen.add(data['refresh_token'])
        equal(profile(data['access_token']).data['email'], me['email'], 'profile')
        equal(claims_of(data['access_token'])['sid'], claims_of(me['access_token'])['sid'],
              'session')
        me.update(data)


@suite.test
def test_within_the_grace_an_old_refresh_token_gets_a_fresh_pair():
    me = shop.sign_up()
    first = refresh(me['refresh_token']).data
    second = refresh(me['refresh_token']).data
    check(first['refresh_token'] != second['refresh_token'], 'the same pair twice')
    for data in (me, first, second):
        profile(data['access_token'])
    refresh(first['refresh_token'])
    refresh(second['refresh_token'])


@suite.test
def test_after_the_grace_an_old_refresh_token_ends_the_family():
    me = shop.sign_up()
    other = shop.sign_in(me['email'], me['password'])
    first = refresh(me['refresh_token']).data
    second = refresh(first['refresh_token']).data
    age(me['refresh_token'])
    for _ in range(2):
        expired(shop.call('POST', '/auth/refresh', {'refresh_token': me['refresh_token']}))
    for data in (first, second):
        expired(shop.call('POST', '/auth/refresh', {'refresh_token': data['refresh_token']}))
    for data in (me, first, second):
        expired(shop.call('GET', '/auth/profile', token=data['access_token']))
    profile(other['access_token'])
    refresh(other['refresh_token'])


@suite.test
def test_a_refresh_needs_its_token():
    for body in ({}, {'refresh_token': ''}, {'refresh_token': None}, {'refresh_token': 7}):
        a = demand(shop.call('POST', '/auth/refresh', body), 400, 'VALIDATION_ERROR')
        equal(a.fields, ['refresh_token'], f'fields of {body}')
    for token in ('unknown', 'ü' * 40, shop.sign_up()['access_token'][:128]):
        expired(shop.call('POST', '/auth/refresh', {'refresh_token': token}))


@suite.test
def test_an_access_token_is_no_refresh_token_and_the_other_way():
    me = shop.sign_up()
    a = shop.call('POST', '/auth/refresh', {'refresh_token': me['access_token']})
    check(a.status in (400, 401), f'an access token refreshes: {a!r}')
    profile(me['refresh_token'], 401, 'UNAUTHORIZED')


# --- signing out ----------------------------------------------------------------------------------

def redis_says(*words):
    try:
        return redis(*words)
    except Failed:
        return None  # it is not there yet



@suite.test
def test_signing_out_ends_this_session_at_once_and_no_other():
    one = shop.sign_up()
    two = shop.sign_in(one['email'], one['password'])
    profile(one['access_token'])
    a = demand(shop.call('POST', '/auth/logout', token=one['access_token']), 200)
    equal(a.data, {'message': 'signed out'}, 'data')
    expired(shop.call('GET', '/auth/profile', token=one['access_token']))
    expired(shop.call('POST', '/auth/logout', token=one['access_token']))
    expired(shop.call('POST', '/auth/refresh', {'refresh_token': one['refresh_token']}))
    profile(two['access_token'])
    refresh(two['refresh_token'])
    demand(shop.call('POST', '/auth/logout'), 401, 'UNAUTHORIZED')


@suite.test
def test_redis_may_forget_everything():
    gone = shop.sign_up()
    here = shop.sign_in(gone['email'], gone['password'])
    profile(here['access_token'])
    demand(shop.call('POST', '/auth/logout', token=gone['access_token']), 200)
    for _ in range(3):
        redis('FLUSHALL')
        expired(shop.call('GET', '/auth/profile', token=gone['access_token']))
        profile(here['access_token'])
        # Now that Redis has learnt both again.
        expired(shop.call('GET', '/auth/profile', token=gone['access_token']))
        profile(here['access_token'])
    # A session that Redis knew as living, and forgot, is ended no less.
    demand(shop.call('POST', '/auth/logout', token=here['access_token']), 200)
    redis('FLUSHALL')
    expired(shop.call('GET', '/auth/profile', token=here['access_token']))


@suite.test
def test_signing_out_needs_no_redis():
    """Redis is away while somebody signs out; when it is back, and knows nothing, it is told."""
    gone = shop.sign_up()
    here = shop.sign_in(gone['email'], gone['password'])
    key = 'soko:session:' + claims_of(gone['access_token'])['sid']
    stop('redis')
    try:
        demand(shop.call('POST', '/auth/logout', token=gone['access_token']), 200)
        expired(shop.call('GET', '/auth/profile', token=gone['access_token']))
        profile(here['access_token'])
        refresh(here['refresh_token'])
    finally:
        start('redis')
    until(lambda: redis_says('PING') == 'PONG', 'Redis is back')
    until(lambda: redis_says('GET', key) == 'ended', 'Redis is told', 40)
    expired(shop.call('GET', '/auth/profile', token=gone['access_token']))
    profile(here['access_token'])


# --- the profile ----------------------------------------------------------------------------------

def put(token, body, status=200, code=None):
    return demand(shop.call('PUT', '/auth/profile', body, token), status, code)


@suite.test
def test_a_profile_changes_only_in_what_is_sent():
    digits = subscriber()
    body = somebody(phone='0' + digits, username=word())
    was = register(body).data
    token = login({'email': body['email'], 'password': body['password']}).data['access_token']
    new = word()
    for change in ({'name': 'Ann W.'}, {'email': new.upper() + '@Example.com'}, {'username': None},
                   {'phone': None}, {'phone': digits[::-1].replace(digits[-1], '7', 1)}, {}):
        now = put(token, change).data
        wanted = {**was, **change}
        wanted['email'] = wanted['email'].lower()
        wanted['phone'] = wanted['phone'] and '+254' + wanted['phone'].removeprefix('+254')
        equal({**now, 'updated_at': 0}, {**wanted, 'updated_at': 0}, f'after {change}')
        equal(profile(token).data, now, 'profile')
        was = now
    login({'email': new + '@example.com', 'password': body['password']})
    login({'email': body['email'], 'password': body['password']}, 401)
    login({'username': body['username'], 'password': body['password']}, 401)


@suite.test
def test_the_last_identity_stays():
    me = shop.sign_up()
    token = me['access_token']
    equal(put(token, {'email': None}, 400, 'VALIDATION_ERROR').fields, ['email'], 'fields')
    put(token, {'username': word()})
    put(token, {'email': None})
    put(token, {'username': None}, 400, 'VALIDATION_ERROR')
    put(token, {'username': None, 'email': me['email']})
    login({'email': me['email'], 'password': me['password']})


@suite.test
def test_a_profile_refuses_what_registering_would():
    me, other = shop.sign_up(), shop.sign_up()
    token = me['access_token']
    for body, fields in (({'name': None}, ['name']), ({'name': ''}, ['name']),
                         ({'name': ' '}, ['name']),
                         ({'name': 'n' * 256}, ['name']), ({'email': ''}, ['email']),
                         ({'email': 'none', 'phone': '1', 'username': '-', 'password': 'x'},
                          ['email', 'phone', 'username', 'password']),
                         ({'roles': ['admin']}, ['roles']), ({'id': me['user']['id']}, ['id'])):
        equal(put(token, body, 400, 'VALIDATION_ERROR').fields, fields, f'fields of {body}')
    equal(put(token, {'email': other['email'].upper()}, 409, 'CONFLICT').fields, ['email'], 'field')
    equal(profile(token).data, me['user'], 'the profile')


# --- limits are said ------------------------------------------------------------------------------

@suite.test
def test_limits_are_said_and_counted():
    me = shop.sign_up()
    for call in (('GET', '/auth/profile', None, me['access_token']), ('GET', '/auth/profile'),
                 ('POST', '/auth/login', {}), ('GET', '/status'), ('GET', '/categories', None,
                                                                  me['access_token'])):
        h = shop.call(*call).headers
        equal(h.get('x-ratelimit-limit'), '100000', f'{call[:2]}: limit')
        check(0 <= int(h['x-ratelimit-remaining']) < 100000, f'{call[:2]}: remaining')
        check(len(h['x-ratelimit-reset']) == 10 and h['x-ratelimit-reset'].isdigit(),
              f'{call[:2]}: reset {h["x-ratelimit-reset"]}')
    for path in ('/health', '/ready'):
        check('x-ratelimit-limit' not in shop.call('GET', path).headers, f'{path} counts')


if __name__ == '__main__':
    suite.main()
