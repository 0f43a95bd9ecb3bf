"""API keys: what they open, what ends them, and how soon; with Redis, without it, and in races.

What each row of the route table does with a key is test_gate.py's and test_tenancy.py's.
"""
# settings: LIMIT_PUBLIC=100000 LIMIT_SIGNED_IN=200000 TOKEN_CACHE=3s JOBS_SWEEP=200ms API_KEY_KEPT=1d QUEUE_LIMIT=60s
import glob
import hashlib
import json
import os
import secrets
import threading

import leaks
from owner import redis, sql, sql_one, start, stop
from soko import Shop, Suite, check, demand, equal, together, until

suite = Suite()
shop = Shop()
GOOD = {'name': 'Stock of the shop', 'role': 'buyer', 'scope': 'write'}


def good(who, **more):
    return {**GOOD, 'password': who['password'], **more}

HOME = {'line1': 'Moi Avenue 12', 'city': 'Nairobi', 'country': 'KE'}
made = []  # every key that this suite was shown


def new_key(who, role=None, scope='write', **more):
    data = shop.new_key(who, role, scope, **more)
    made.append(data['key'])
    return data


def look(key, status=200, code=None):
    """Asks something small by a key."""
    return demand(shop.call('GET', '/auth/profile', token=key['key']), status, code)


def listed(who):
    return demand(shop.call('GET', '/api-keys', token=who['access_token']), 200).data


def revoke(who, key, status=200, code=None):
    return demand(shop.call('DELETE', f'/api-keys/{key["id"]}', token=who['access_token']), status,
                  code)


def place(key):
    """Where Redis has its copy."""
    return 'soko:key:' + hashlib.sha256(key['key'].encode()).hexdigest()


def new_admin():
    """A second administrator, so that the first may do things to him."""
    who = shop.sign_up('Root')
    sql("INSERT INTO account_roles (account_id, role) VALUES (:'id', 'admin')", id=who['user']['id'])
    return shop.sign_in(who['email'], who['password'], 'admin')


def change_user(account, **change):
    demand(shop.call('PUT', f'/admin/users/{account}', change, shop.admin()['access_token']), 200)


# --- making, listing, revoking --------------------------------------------------------------------

@suite.test
def test_a_key_is_shown_once_and_kept_as_its_hash():
    ann = shop.sign_up()
    data = new_key(ann, name=' Stock ', expires_at='2036-02-20')
    equal({k: data[k] for k in ('name', 'role', 'scope', 'last_used_at', 'expires_at')},
          {'name': 'Stock', 'role': 'buyer', 'scope': 'write', 'last_used_at': None,
           'expires_at': '2036-02-20T00:00:00Z'}, 'what was made')
    check(data['key'].startswith('sk_soko_') and len(data['key']) == 8 + 43, 'the look of a key')
    equal(data['hint'], data['key'][-4:], 'hint')
    row = json.loads(sql_one("SELECT to_json(k) FROM api_keys k WHERE id = :'id'", id=data['id']))
    equal(row['key_hash'], '\\x' + hashlib.sha256(data['key'].encode()).hexdigest(), 'what is kept')
    check(data['key'] not in json.dumps(row), 'the key is kept')
    equal(listed(ann), [{k: v for k, v in data.items() if k != 'key'}], 'list')
    look(data)
    check(listed(ann)[0]['last_used_at'] is not None, 'it does not say that it was used')
    equal(listed(shop.sign_up('Ben')), [], 'the list of another')


@suite.test
def test_what_is_wrong_with_it_is_named():
    ann = shop.sign_up()

    def refused(body):
        return demand(shop.call('POST', '/api-keys', body, ann['access_token']), 400,
                      'VALIDATION_ERROR').fields
    equal(refused({}), ['name', 'role', 'scope', 'password'], 'what is needed')
    for field, value in (('name', ''), ('name', 'n' * 101), ('role', 'root'), ('role', ''),
                         ('scope', 'all'), ('scope', 'read|write'), ('expires_at', 'soon'),
                         ('expires_at', '2020-01-01T00:00:00Z'), ('key', 'sk_soko_mine'),
                         ('account_id', ann['user']['id'])):
        equal(refused(good(ann, **{field: value})), [field], f'field for {value!r}')
    equal(listed(ann), [], 'keys')
    demand(shop.call('DELETE', '/api-keys/nonsense', token=ann['access_token']), 400)


@suite.test
def test_a_key_takes_the_password_again():
    """A stolen session must not become a key, which outlives it."""
    ann = shop.sign_up()
    for password in ('wrong', ann['password'] + ' ', ann['password'].upper() + 'x'):
        a = demand(shop.call('POST', '/api-keys', good(ann, password=password), ann['access_token']), 400,
                   'VALIDATION_ERROR')
        equal(a.fields, ['password'], 'field')
    equal(listed(ann), [], 'keys')
    new_key(ann)


@suite.test
def test_a_key_has_a_role_that_is_held_and_not_above_the_session():
    buyer, seller, admin = shop.sign_up(), shop.new_seller(), new_admin()

    def make(who, role, status):
        return demand(shop.call('POST', '/api-keys', good(who, role=role), who['access_token']),
                      status, None if status == 201 else 'FORBIDDEN')
    for role in ('seller', 'admin'):
        equal(make(buyer, role, 403).fields, ['role'], 'field')
    make(seller, 'admin', 403)
    make(admin, 'seller', 403)  # he has no store
    for who, role in ((buyer, 'buyer'), (seller, 'buyer'), (seller, 'seller'), (admin, 'buyer'),
                      (admin, 'admin')):
        made.append(make(who, role, 201).data['key'])
    # A session that acts as less makes no key that is more, whatever its account holds.
    low = shop.sign_in(admin['email'], admin['password'], 'buyer')
    make(low, 'admin', 403)
    low = shop.sign_in(seller['email'], seller['password'], 'buyer')
    make(low, 'seller', 403)


@suite.test
def test_a_key_acts_in_its_one_role():
    seller = shop.new_seller()
    as_seller, as_buyer = new_key(seller), new_key(seller, 'buyer')
    demand(shop.call('GET', '/seller/orders', token=as_seller['key']), 200)
    demand(shop.call('GET', '/cart', token=as_seller['key']), 403, 'FORBIDDEN')
    demand(shop.call('GET', '/cart', token=as_buyer['key']), 200)
    a = demand(shop.call('GET', '/seller/orders', token=as_buyer['key']), 403, 'FORBIDDEN')
    equal(a.errors[0]['message'], 'this needs the role seller; you act as buyer', 'words')


@suite.test
def test_reading_and_writing():
    ann = shop.sign_up()
    reads, writes = new_key(ann, scope='read'), new_key(ann)
    for method in ('GET', 'HEAD'):
        demand(shop.call(method, '/addresses', token=reads['key']), 200)
    demand(shop.call('OPTIONS', '/addresses', token=reads['key']), 204)
    a = demand(shop.call('POST', '/addresses', HOME, reads['key']), 403, 'FORBIDDEN')
    equal(a.errors[0]['message'], 'this API key may only read', 'words')
    address = demand(shop.call('POST', '/addresses', HOME, writes['key']), 201).data['id']
    for method, body in (('PUT', {'city': 'Kisumu'}), ('DELETE', None)):
        demand(shop.call(method, f'/addresses/{address}', body, reads['key']), 403, 'FORBIDDEN')
    demand(shop.call('PUT', f'/addresses/{address}', {'city': 'Kisumu'}, writes['key']), 200)
    demand(shop.call('DELETE', f'/addresses/{address}', token=writes['key']), 200)


@suite.test
def test_a_key_manages_no_keys():
    ann = shop.sign_up()
    key = new_key(ann)
    for method, path, body in (('GET', '/api-keys', None), ('POST', '/api-keys', good(ann)),
                               ('DELETE', f'/api-keys/{key["id"]}', None)):
        a = demand(shop.call(method, path, body, key['key']), 403, 'FORBIDDEN')
        equal(a.errors[0]['message'], 'an API key cannot do this: sign in', 'words')
    equal(len(listed(ann)), 1, 'keys')


@suite.test
def test_revoking_works_at_once():
    ann, ben = shop.sign_up(), shop.sign_up('Ben')
    key, other = new_key(ann), new_key(ann)
    look(key)
    check(redis('GET', place(key)).endswith(' buyer write'), 'Redis has no copy')
    revoke(ben, key, 404, 'NOT_FOUND')
    look(key)
    equal(revoke(ann, key).data['message'], 'API key revoked', 'words')
    for _ in range(5):
        look(key, 401, 'UNAUTHORIZED')
    revoke(ann, key, 404, 'NOT_FOUND')
    equal([k['id'] for k in listed(ann)], [other['id']], 'list')
    look(other)
    until(lambda: redis('GET', place(key)) == '', 'the end of what Redis was told')
    look(key, 401, 'UNAUTHORIZED')


@suite.test
def test_forty_at_once_make_twenty():
    ann = shop.sign_up()
    answers = together(40, lambda n: shop.call('POST', '/api-keys', good(ann, name=f'Key {n}'),
                                               ann['access_token']))
    equal(sorted(a.status for a in answers), [201] * 20 + [409] * 20, 'answers')
    fresh = [a.data for a in answers if a.status == 201]
    made.extend(k['key'] for k in fresh)
    equal({a.code for a in answers if a.status == 409}, {'CONFLICT'}, 'codes')
    equal(len({k['key'] for k in fresh}), 20, 'keys')
    equal(len(listed(ann)), 20, 'keys that are listed')
    demand(shop.call('POST', '/api-keys', good(ann), ann['access_token']), 409, 'CONFLICT')
    revoke(ann, fresh[0])
    new_key(ann)
    demand(shop.call('POST', '/api-keys', good(ann), ann['access_token']), 409, 'CONFLICT')
    # One that has expired is shown, and counts no more.
    sql("UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE id = :'id'",
        id=fresh[1]['id'])
    new_key(ann)
    equal(len(listed(ann)), 21, 'keys that are listed')
    demand(shop.call('POST', '/api-keys', good(ann), ann['access_token']), 409, 'CONFLICT')
    new_key(shop.sign_up('Ben'))


@suite.test
def test_the_audit_log_names_the_key():
    admin, store = new_admin(), shop.new_seller()['store_id']
    key = new_key(admin, scope='write')
    demand(shop.call('PUT', f'/admin/stores/{store}/status', {'status': 'suspended'}, key['key']), 200)
    demand(shop.call('PUT', f'/admin/stores/{store}/status', {'status': 'active'},
                     admin['access_token']), 200)
    revoke(admin, key)
    me = admin['user']['id']
    rows = sql("""SELECT event, coalesce(api_key::text, 'none'), coalesce(subject::text, ''), detail FROM audit_log
                  WHERE actor = :'me' AND event <> 'account.signed_in' ORDER BY id""", me=me)
    equal([r[:3] for r in rows],
          [['api_key.created', 'none', key['id']], ['store.status_set', key['id'], store],
           ['store.status_set', 'none', store], ['api_key.revoked', 'none', key['id']]], 'entries')
    equal(json.loads(rows[0][3]), {'role': 'admin', 'scope': 'write'}, 'facts')
    equal(sql_one("SELECT count(*) FROM messages WHERE account_id = :'me' AND template = 'notice'", me=me), '1',
          'notices')


@suite.test
def test_sixty_are_made_an_hour():
    ann = shop.sign_up()
    for _ in range(60):
        revoke(ann, new_key(ann))
    a = demand(shop.call('POST', '/api-keys', good(ann), ann['access_token']), 429, 'RATE_LIMITED')
    check('retry-after' in a.headers, 'Retry-After')
    equal(listed(ann), [], 'keys')
    new_key(shop.sign_up('Ben'))


@suite.test
def test_what_is_over_is_forgotten_in_time():
    ann = shop.sign_up()
    keys = {word: new_key(ann, name=word)['id'] for word in ('living', 'lasting', 'expired', 'expired long ago',
                                                              'revoked', 'revoked long ago')}
    sql("""UPDATE api_keys SET expires_at = CASE name WHEN 'lasting' THEN now() + interval '1 day'
               WHEN 'expired' THEN now() - interval '1 hour' WHEN 'expired long ago' THEN now() - interval '25 hours' END,
           revoked_at = CASE name WHEN 'revoked' THEN now() - interval '1 hour'
               WHEN 'revoked long ago' THEN now() - interval '25 hours' END WHERE account_id = :'me'""",
        me=ann['user']['id'])

    def there():
        rows = sql("SELECT name FROM api_keys WHERE account_id = :'me' ORDER BY name", me=ann['user']['id'])
        return [r[0] for r in rows]
    until(lambda: len(there()) == 4, 'the sweep')
    equal(there(), ['expired', 'lasting', 'living', 'revoked'], 'what is kept')
    equal({k['id'] for k in listed(ann)}, {keys[w] for w in ('living', 'lasting', 'expired')}, 'list')


# --- what ends a key ------------------------------------------------------------------------------

@suite.test
def test_a_deactivated_account_has_no_keys_until_it_is_back():
    ann = shop.sign_up()
    keys = [new_key(ann), new_key(ann, scope='read')]
    for _ in range(2):
        for key in keys:
            look(key)
        change_user(ann['user']['id'], is_active=False)
        for key in keys:
            look(key, 401, 'UNAUTHORIZED')
        change_user(ann['user']['id'], is_active=True)
        for key in keys:
            look(key)


@suite.test
def test_a_lost_role_ends_its_keys_alone():
    root = new_admin()
    as_admin, as_buyer = new_key(root), new_key(root, 'buyer')
    for _ in range(2):
        demand(shop.call('GET', '/admin/users', token=as_admin['key']), 200)
        change_user(root['user']['id'], roles=['buyer'])
        demand(shop.call('GET', '/admin/users', token=as_admin['key']), 401, 'UNAUTHORIZED')
        look(as_buyer)
        change_user(root['user']['id'], roles=['buyer', 'admin'])
        demand(shop.call('GET', '/admin/users', token=as_admin['key']), 200)


@suite.test
def test_an_expired_key_is_none():
    ann = shop.sign_up()
    key = new_key(ann, expires_at='2036-01-01T00:00:00Z')
    look(key)
    # A copy ends with its key: it lives as long as is left of it, not TOKEN_CACHE.
    redis('DEL', place(key))
    sql("UPDATE api_keys SET expires_at = now() + interval '2 seconds' WHERE id = :'id'", id=key['id'])
    look(key)
    check(0 < int(redis('PTTL', place(key))) <= 2000, 'the copy outlives its key')
    until(lambda: sql_one("SELECT expires_at <= now() FROM api_keys WHERE id = :'id'",
                          id=key['id']) == 't', 'the end of the key')
    look(key, 401, 'UNAUTHORIZED')
    equal([k['id'] for k in listed(ann)], [key['id']], 'it is listed all the same')
    revoke(ann, key)
    equal(listed(ann), [], 'list')


@suite.test
def test_a_key_is_no_session_and_no_password():
    ann = shop.sign_up()
    key, again = new_key(ann), shop.sign_in(ann['email'], ann['password'])
    password = secrets.token_urlsafe(12)
    demand(shop.call('PUT', '/auth/password', {'old_password': ann['password'],
                                               'new_password': password}, again['access_token']), 200)
    look(key)
    demand(shop.call('POST', '/auth/logout', token=again['access_token']), 200)
    look(key)
    revoke(shop.sign_in(ann['email'], password), key)
    look(key, 401, 'UNAUTHORIZED')


# --- Redis, PostgreSQL and races ------------------------------------------------------------------

@suite.test
def test_without_redis_keys_work_and_end_at_once():
    ann, root = shop.sign_up(), new_admin()
    key, other, lost = new_key(ann), new_key(ann), new_key(root)
    for k in (key, other, lost):
        look(k)
    stop('redis')
    try:
        look(key)
        revoke(ann, key)
        look(key, 401, 'UNAUTHORIZED')
        change_user(root['user']['id'], roles=['buyer'])
        look(lost, 401, 'UNAUTHORIZED')
        look(other)
    finally:
        start('redis')
    until(lambda: shop.call('GET', '/ready').data['redis'] == 'ok', 'Redis')
    look(key, 401, 'UNAUTHORIZED')
    look(lost, 401, 'UNAUTHORIZED')
    look(other)


@suite.test
def test_a_copy_that_could_not_be_ended_ends_by_itself():
    ann, root = shop.sign_up(), new_admin()
    key, lost = new_key(ann), new_key(root)
    look(key)
    look(lost)
    redis('CONFIG', 'SET', 'maxmemory', '1')  # it can be read, and told nothing
    try:
        revoke(ann, key)
        change_user(root['user']['id'], roles=['buyer'])
        for k in (key, lost):
            check(redis('GET', place(k)) != 'ask', 'Redis was told')
            until(lambda k=k: shop.call('GET', '/auth/profile', token=k['key']).status == 401,
                  'the end of the copy')
    finally:
        redis('CONFIG', 'SET', 'maxmemory', '0')
    for k in (key, lost):
        look(k, 401, 'UNAUTHORIZED')


@suite.test
def test_a_flushed_redis_ends_and_revives_nothing():
    ann = shop.sign_up()
    key, gone = new_key(ann), new_key(ann)
    look(key)
    look(gone)
    revoke(ann, gone)
    redis('FLUSHALL')
    look(key)
    look(gone, 401, 'UNAUTHORIZED')


@suite.test
def test_odd_copies_open_nothing():
    ann, ben = shop.sign_up(), shop.sign_up('Ben')
    key, me = new_key(ann), ben['user']['id']
    for copy in ('', 'live', 'ask', 'ask ask ask ask', me, f'{me} {me}', f'{me} {me} ',
                 f'{me} {me} root write', f'{me}  {me} admin write', f'{me} {me} adminwrite',
                 f'{me[:-1]} {me} admin write', 'x' * 4000):
        redis('SET', place(key), copy, 'EX', '60')
        equal(look(key).data['id'], ann['user']['id'], f'whose key, for {copy[:60]!r}')


@suite.test
def test_no_slow_reader_revives_a_key():
    """Whoever asks by a key while it is revoked may have read the row before, and fills Redis late."""
    ann = shop.sign_up()
    for _ in range(15):
        key, over = new_key(ann), threading.Event()

        def ask(_, key=key, over=over):
            while not over.is_set():
                shop.call('GET', '/auth/profile', token=key['key'])
                redis('EVAL', "if redis.call('GET', KEYS[1]) ~= 'ask' then redis.call('DEL', KEYS[1]) end",
                      '1', place(key))

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(3)]
        for t in threads:
            t.start()
        try:
            revoke(ann, key)
            look(key, 401, 'UNAUTHORIZED')
        finally:
            over.set()
            for t in threads:
                t.join()
        equal(redis('GET', place(key)), 'ask', 'what Redis says')
        look(key, 401, 'UNAUTHORIZED')


@suite.test
def test_a_lost_connection_is_no_error():
    ann = shop.sign_up()
    key = new_key(ann)
    sid = sql_one("SELECT id FROM sessions WHERE account_id = :'id'", id=ann['user']['id'])
    for _ in range(3):
        for token, at in ((key['key'], place(key)), (ann['access_token'], 'soko:session:' + sid)):
            redis('DEL', at)
            sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'soko-fast'",
                url=os.environ['SOKO_OWNER_URL'].replace('soko_owner@', 'postgres@', 1))
            demand(shop.call('GET', '/auth/profile', token=token), 200)


@suite.test
def test_many_at_once_take_turns_at_nothing():
    ann = shop.sign_up()
    key = new_key(ann, scope='read')
    for _ in range(5):
        redis('DEL', place(key))
        sql("UPDATE api_keys SET last_used_at = now() - interval '1 hour' WHERE id = :'id'", id=key['id'])
        answers = together(16, lambda _: shop.call('GET', '/auth/profile', token=key['key']))
        equal({a.status for a in answers}, {200}, 'answers')


@suite.test
def test_a_use_is_noted_once_a_minute():
    ann = shop.sign_up()
    key = new_key(ann)

    def noted():
        return sql_one("SELECT last_used_at FROM api_keys WHERE id = :'id'", id=key['id'])
    look(key)
    first = noted()
    for _ in range(3):
        redis('DEL', place(key))
        look(key)
        equal(noted(), first, 'last_used_at')
    sql("UPDATE api_keys SET last_used_at = now() - interval '61 seconds' WHERE id = :'id'", id=key['id'])
    aged = noted()
    look(key)
    equal(noted(), aged, 'a copy says nothing to PostgreSQL')
    redis('DEL', place(key))
    look(key)
    check(noted() > aged, 'the use was not noted')


# --- what is no key -------------------------------------------------------------------------------

MALFORMED = ['sk_soko_', 'sk_soko_' + 'a' * 42, 'sk_soko_' + 'a' * 44, 'sk_soko_' + 'a' * 42 + '=',
             'sk_soko_' + 'a' * 42 + '.', 'sk_soko_' + 'a' * 21 + ' ' + 'a' * 21, 'SK_SOKO_' + 'a' * 43,
             'sk_soko_' + 'a' * 4000, 'sk_soko-' + 'a' * 43, "sk_soko_' OR 1=1 --" + 'a' * 30,
             'sk_soko_%00' + 'a' * 40, 'sk_soko_' + 'a' * 41 + '\xe4']


@suite.test
def test_junk_costs_nobody_anything():
    """With PostgreSQL away, what does not look like a key is refused as ever: nobody was asked."""
    quiet = Shop()
    quiet.log = None  # answers while PostgreSQL is away are no route's
    shaped = 'sk_soko_' + secrets.token_urlsafe(32)
    demand(shop.call('GET', '/auth/profile', token=shaped), 401, 'UNAUTHORIZED')
    ann = shop.sign_up()
    key = new_key(ann)
    look(key)
    stop('postgres')
    try:
        for junk in MALFORMED:
            for path in ('/auth/profile', '/admin/users'):
                demand(quiet.call('GET', path, token=junk), 401, 'UNAUTHORIZED')
        a = demand(quiet.call('GET', '/auth/profile', token=shaped), 503, 'SERVICE_UNAVAILABLE')
        check('retry-after' in a.headers, 'Retry-After')
        # Where nobody need be known, nobody is asked for.
        demand(quiet.call('GET', '/health', token=shaped), 200)
        demand(quiet.call('GET', '/health', token=key['key']), 200)
    finally:
        start('postgres')
    until(lambda: quiet.call('GET', '/ready').status == 200, 'PostgreSQL')
    until(lambda: quiet.call('GET', '/auth/profile', token=key['key']).status == 200, 'the key')
    demand(shop.call('GET', '/auth/profile', token=shaped), 401, 'UNAUTHORIZED')


@suite.test
def test_a_key_elsewhere_than_in_its_place_is_none():
    ann = shop.sign_up()
    key = new_key(ann)['key']
    for headers in ({'X-API-Key': key}, {'X-Authorization': 'Bearer ' + key}, {'Cookie': f'key={key}'},
                    {'Authorization': key}, {'Authorization': 'Basic ' + key}, {'Authorization': 'Bearer: ' + key},
                    {'Authorization': 'Token ' + key}, {'Proxy-Authorization': 'Bearer ' + key},
                    {'Authorization': f'Bearer x {key}'}, {'Authorization': f'Bearer {key} x'},
                    {'Authorization': f'Bearer "{key}"'}, {'Api-Key': key}, {'Idempotency-Key': key}):
        demand(shop.call('GET', '/auth/profile', headers=headers), 401, 'UNAUTHORIZED')
    for name in ('api_key', 'key', 'access_token', 'token', 'Authorization'):
        demand(shop.call('GET', f'/auth/profile?{name}={key}'), 401, 'UNAUTHORIZED')
    demand(shop.call('GET', '/auth/profile', headers={'Authorization': 'bearer ' + key}), 200)
    # A key is nobody's refresh token, and no password.
    demand(shop.call('POST', '/auth/refresh', {'refresh_token': key}), 401, 'UNAUTHORIZED')
    demand(shop.call('POST', '/auth/login', {'email': ann['email'], 'password': key}), 401)


@suite.test
def test_for_anyone_a_bad_key_is_nobody():
    ann = shop.sign_up()
    good, gone = new_key(ann), new_key(ann)
    revoke(ann, gone)

    def limit(token):
        return demand(shop.call('GET', '/status', token=token), 200).headers['x-ratelimit-limit']
    for junk in (gone['key'], 'sk_soko_' + secrets.token_urlsafe(32), 'sk_soko_x', None):
        equal(limit(junk), '100000', 'the limit of the public')
        demand(shop.call('GET', '/categories', token=junk), 200)
    equal(limit(good['key']), '200000', 'the limit of the signed in')


@suite.test
def test_limits_count_by_account():
    ann, ben = shop.sign_up(), shop.sign_up('Ben')
    bucket = 'soko:limit:account:' + ann['user']['id']
    keys = [new_key(ann), new_key(ann, scope='read')]
    for who in (*keys, ann, ben):
        redis('SET', bucket, '9' * 17)  # far beyond: clamped to a full bucket, so that nothing is left
        status = 200 if who is ben else 429
        demand(shop.call('GET', '/auth/profile', token=who.get('key') or who['access_token']), status)
    redis('DEL', bucket)
    look(keys[0])


@suite.test
def test_an_idempotency_key_is_the_accounts():
    ann = shop.sign_up()
    key, mark = new_key(ann), {'Idempotency-Key': secrets.token_hex(8)}
    first = demand(shop.call('POST', '/addresses', HOME, ann['access_token'], mark), 201)
    again = demand(shop.call('POST', '/addresses', HOME, key['key'], mark), 201)
    equal((again.headers.get('idempotent-replayed'), again.data), ('true', first.data), 'replay')
    demand(shop.call('POST', '/addresses', {**HOME, 'city': 'Kisumu'}, key['key'], mark), 422)
    # Not even a replay is for who may not.
    demand(shop.call('POST', '/addresses', HOME, new_key(ann, scope='read')['key'], mark), 403)
    other = new_key(shop.sign_up('Ben'))
    a = demand(shop.call('POST', '/addresses', HOME, other['key'], mark), 201)
    check(a.data['id'] != first.data['id'], 'the address of another')


@suite.test
def test_logs_name_the_account_and_no_key():
    """Last: it looks for every key that was made above."""
    ann = shop.sign_up()
    key, trace = new_key(ann), secrets.token_hex(16)
    demand(shop.call('GET', '/auth/profile', token=key['key'], headers={'X-Request-ID': trace}), 200)
    logs = sorted(glob.glob(os.path.join(os.environ['SOKO_STATE'], 'log', '*.log')))

    def line():
        with open(os.path.join(os.environ['SOKO_STATE'], 'log', 'soko-api-fast.log'), encoding='utf-8') as f:
            return [s for s in f if trace in s and 'http.request' in s]
    entry = json.loads(until(line, 'the line of the request')[0])
    equal(entry['user.id'], ann['user']['id'], 'user.id')
    check(key['id'] not in json.dumps(entry), 'the id of the key')
    check(len(made) > 60, f'{len(made)} keys')
    equal(leaks.by_value(logs, made), [], 'keys in logs')
    hashes = [hashlib.sha256(k.encode()).hexdigest() for k in made]
    equal(leaks.by_value(logs, hashes), [], 'hashes of keys in logs')


if __name__ == '__main__':
    suite.main()
