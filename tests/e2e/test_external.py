"""Access tokens that an OAuth2 server makes (TOKEN_ISSUER=oauth2), with the simulator as ORY Hydra:
who gets one, what is looked at, who is asked how often, what a refresh and the end of a session do.

# settings: TOKEN_ISSUER=oauth2 PROVIDER_FAILURES=3 PROVIDER_PAUSE=500ms JOBS_SWEEP=1s
# settings: JOBS_BACKOFF=100ms JOBS_BACKOFF_MAX=500ms JOBS_MAX_ATTEMPTS=1000
"""
import json
import os
import secrets

from external_common import (active, ask_refresh, asked, at_server, away, bent, digest, expired,
                             forget, is_revoked, keeper, living_of, no_token_is_kept, profile,
                             refresh, seen, shop, sign_in, sign_up)
from money import arm_any, rule, setting, sim
from owner import redis, sql, sql_one
from soko import Suite, check, demand, equal, together, until

suite = Suite()


# --- who gets one ---------------------------------------------------------------------------------

@suite.test
def test_signing_in_obtains_a_token_of_its_own():
    before = asked('token')
    one = sign_up()
    two = sign_in(one)
    equal(asked('token') - before, 2, 'tokens that were asked for')
    check(one['access_token'] != two['access_token'], 'two sessions share a token')
    for who in (one, two):
        check(who['access_token'] in active(), 'not one of the server\'s')
        check(0 < who['expires_in'] <= 3599, f'expires_in {who["expires_in"]}')
        equal(who['token_type'], 'Bearer', 'token_type')
        equal(demand(profile(who['access_token']), 200).data['email'], one['email'], 'whose it is')
        equal(sql_one("SELECT count(*) FROM external_tokens WHERE token_hash = decode(:'hash', 'hex') "
                      "AND ended_at IS NULL", hash=digest(who['access_token'])), '1', 'rows')
    # Two calls for one account, by one client: the token says who calls, the server cannot.
    equal(len(living_of(one)), 2, 'living tokens')


@suite.test
def test_what_is_refused_asks_for_no_token_or_leaves_none():
    who = sign_up()
    before, calls = active(), asked('token')
    body = {'email': who['email'], 'password': who['password']}
    demand(shop.call('POST', '/auth/login', {**body, 'password': 'not this one'}), 401, 'UNAUTHORIZED')
    demand(ask_refresh('nobody knows this'), 401, 'UNAUTHORIZED')
    equal(asked('token'), calls, 'tokens that were asked for')
    demand(shop.call('POST', '/auth/login', {**body, 'role': 'admin'}), 403, 'FORBIDDEN')
    demand(ask_refresh(who['refresh_token'], role='admin'), 403, 'FORBIDDEN')
    equal(asked('token'), calls + 2, 'tokens that were asked for')
    until(lambda: active() == before, 'what was not needed is revoked')
    refresh(who['refresh_token'])


@suite.test
def test_a_token_that_is_not_as_ordered_is_refused():
    who = sign_up()
    body = {'email': who['email'], 'password': who['password']}
    # What cannot be read cannot be revoked: it opens nothing, and expires.
    for do in ({'status': 401, 'code': 'invalid_client'}, {'status': 400}, {'status': 500},
               {'body': 'html'}, {'body': 'empty'}, {'body': 'truncated'}):
        with bent('token', **do):
            away(shop.call('POST', '/auth/login', body))
            away(ask_refresh(who['refresh_token']))
    before = active()
    for do in ({'type': 'mac'}, {'scope': 'other'}, {'scope': ''}, {'expires_in': 0},
               {'expires_in': -1}):
        with bent('token', **do):
            away(shop.call('POST', '/auth/login', body))
            away(ask_refresh(who['refresh_token']))
    # The server gives it, and does not know it for what we demand.
    with bent('introspect', members={'active': False}):
        away(shop.call('POST', '/auth/login', body))
    until(lambda: not {t for t in active() - before if t not in seen}, 'it is revoked')
    # The words' case does not matter.
    made = rule('oauth2', 'token', None, 1, type='BEARER')
    sign_in(who)
    check(made['id'] in [c['rule'] for c in sim('GET', '/sim/calls?provider=oauth2&operation=token')],
          'the rule was not used')


# --- what is looked at ----------------------------------------------------------------------------

@suite.test
def test_the_server_is_asked_once_a_while_and_token():
    who = sign_up()
    token = who['access_token']
    for answer in together(8, lambda _: profile(token)):
        demand(answer, 200)
    for _ in range(20):
        demand(profile(token), 200)
    equal(asked('introspect', token), 1, 'questions, the one at sign-in with them')
    ttl = int(redis('PTTL', 'soko:token:' + digest(token)))
    check(0 < ttl <= 30000, f'his answer is used for {ttl} ms')
    forget(token)
    for _ in range(20):
        demand(profile(token), 200)
    equal(asked('introspect', token), 2, 'questions')
    check(0 < int(redis('PTTL', 'soko:token:' + digest(token))) <= 30000, 'life of his answer')
    # Never longer than the token.
    sql("UPDATE external_tokens SET expires_at = now() + interval '5 s' WHERE token_hash = decode(:'h', 'hex')",
        h=digest(token))
    forget(token)
    demand(profile(token), 200)
    check(int(redis('PTTL', 'soko:token:' + digest(token))) <= 5000, 'it is used beyond its end')


@suite.test
def test_hole_26_a_token_that_no_session_was_given_opens_nothing():
    """Seed S4 held all users' tokens to be of one client, and looked at the token alone."""
    sign_up()
    client = setting('OAUTH2_CLIENT_ID')
    others = [sim('POST', '/sim/oauth2/tokens', body)['access_token'] for body in (
        {}, {'client_id': 'another-client'}, {'sub': 'ann', 'client_id': client},
        {'sub': keeper['user']['id'], 'scope': 'api admin'})]
    form = {'grant_type': 'client_credentials', 'scope': 'api'}
    others.append(json.loads(at_server('/oauth2/token', **form))['access_token'])
    seen.update(others)
    for token in others:
        check(token in active(), 'not active')
        for path in ('/auth/profile', '/cart', '/orders', '/admin/users'):
            demand(shop.call('GET', path, token=token), 401, 'UNAUTHORIZED')
        equal(asked('introspect', token), 0, 'questions about a token that is not ours')
    for token in others:
        at_server('/oauth2/revoke', token=token)


@suite.test
def test_hole_26_a_token_is_bound_to_its_user():
    ann, bob = sign_up('Ann'), sign_up('Bob')
    for who in (ann, bob):
        forget(who['access_token'])
        equal(demand(profile(who['access_token']), 200).data['id'], who['user']['id'], 'who it is')
    # Bob signs out. Ann's is no less good, though both are of one client.
    demand(shop.call('POST', '/auth/logout', token=bob['access_token']), 200)
    expired(profile(bob['access_token']))
    demand(profile(ann['access_token']), 200)


@suite.test
def test_junk_never_reaches_the_server():
    calls = asked('introspect')
    for token in ('x', 'ory_at_' + secrets.token_urlsafe(40), 'a.b.c', 'a b', '=', 'ä', '..', 'a' * 5000,
                  keeper['refresh_token'], '%00', '*', 'soko:token'):
        a = shop.call('GET', '/auth/profile', headers={'Authorization': b'Bearer ' + token.encode()})
        check(a.status == 401 and a.code == 'UNAUTHORIZED', f'{token[:20]!r}: {a!r}')
        check('Bearer' in a.headers.get('www-authenticate', ''), 'no WWW-Authenticate')
        demand(shop.call('GET', '/categories', headers={'Authorization': b'Bearer ' + token.encode()}), 200)
    equal(asked('introspect'), calls, 'questions')


@suite.test
def test_an_api_key_is_ours_and_asks_nobody():
    who = sign_up()
    key = shop.new_key(who, 'buyer')
    before = asked('introspect')
    redis('DEL', 'soko:key:' + digest(key['key']))
    for _ in range(2):
        demand(profile(key['key']), 200)
    demand(shop.call('GET', '/api-keys', token=key['key']), 403, 'FORBIDDEN')
    demand(profile('sk_soko_' + secrets.token_urlsafe(32)), 401, 'UNAUTHORIZED')
    demand(profile('sk_soko_junk'), 401, 'UNAUTHORIZED')
    equal(asked('introspect'), before, 'questions to the server')


@suite.test
def test_his_word_alone_is_not_enough():
    """Active by his word, and yet not for us."""
    who = sign_up()
    token = who['access_token']
    for members in ({'active': False}, {'token_use': 'refresh_token'}, {'token_type': 'refresh_token'},
                    {'exp': 1000000000}, {'exp': 'never'}, {'exp': 1.5}, {'nbf': 4000000000},
                    {'nbf': '0'}, {'scope': 'other'}, {'scope': 'apis'}, {'scope': None},
                    {'scope': ['api']}, {'client_id': 'another'}):
        forget(token)
        with bent('introspect', token, members=members):
            expired(profile(token))
    # What is no answer says nothing about the token.
    for members in ({'active': 'true'}, {'active': 1}, {'active': None}, {'active': {}}):
        forget(token)
        with bent('introspect', token, members=members):
            away(profile(token))
    for members in ({'token_use': None, 'nbf': None, 'client_id': None, 'aud': None, 'iss': None},
                    {'scope': 'x api y'}, {'exp': 4000000000}, {'ext': {'deep': [1, {'a': None}]}}):
        forget(token)
        with bent('introspect', token, members=members):
            demand(profile(token), 200)
    # He may want to know who asks.
    forget(token)
    with bent('introspect', token, demand_auth=True):
        demand(profile(token), 200)


@suite.test
def test_what_is_revoked_there_is_refused_here():
    who = sign_up()
    token = who['access_token']
    at_server('/oauth2/revoke', token=token)
    demand(profile(token), 200)  # by his answer of before, which lives as long as TOKEN_CACHE
    forget(token)
    calls = asked('introspect', token)
    for _ in range(5):
        expired(profile(token))
    equal(asked('introspect', token) - calls, 1, 'his no is noted too')
    # He who has signed in goes on by his refresh token.
    demand(profile(refresh(who['refresh_token'])['access_token']), 200)


# --- refreshing -----------------------------------------------------------------------------------

@suite.test
def test_refreshing_replaces_the_token_and_revokes_the_old():
    who = sign_up()
    old = who
    for _ in range(3):
        demand(profile(old['access_token']), 200)  # so Redis holds his yes
        now = refresh(old['refresh_token'])
        check(now['access_token'] != old['access_token'], 'the same token')
        expired(profile(old['access_token']))
        demand(profile(now['access_token']), 200)
        is_revoked(old['access_token'])
        equal(living_of(who), {now['access_token']}, 'living tokens')
        old = now
    equal(len(shop.call('GET', '/auth/sessions', token=now['access_token']).data), 1, 'sessions')


@suite.test
def test_an_answer_that_comes_late_revives_nothing():
    """The server is asked about a token; while he thinks, it is replaced."""
    who = sign_up()
    old = who['access_token']
    forget(old)
    calls = asked('introspect', old)
    slow = rule('oauth2', 'introspect', old, 1, delay_ms=600)

    def work(i):
        if i == 0:
            return profile(old)
        until(lambda: asked('introspect', old) > calls, 'he is asked')
        return refresh(who['refresh_token'])
    answer, now = together(2, work)
    check(answer.status in (200, 401), f'{answer!r}')
    check(slow['id'] in [c['rule'] for c in sim('GET', f'/sim/calls?operation=introspect&match={old}')],
          'he was quick')
    equal(redis('GET', 'soko:token:' + digest(old)), 'ended', 'what Redis says')
    expired(profile(old))
    demand(profile(now['access_token']), 200)


@suite.test
def test_within_the_grace_the_second_use_is_given_the_same_token():
    who = sign_up()
    first = refresh(who['refresh_token'])
    calls = asked('token')
    second = refresh(who['refresh_token'])
    third = refresh(who['refresh_token'])
    equal(asked('token'), calls, 'tokens that were asked for')
    equal({second['access_token'], third['access_token']}, {first['access_token']}, 'the token')
    equal(len({d['refresh_token'] for d in (who, first, second, third)}), 4, 'refresh tokens')
    check(0 < second['expires_in'] <= first['expires_in'], 'expires_in')
    until(lambda: living_of(who) == {first['access_token']}, 'one living token')
    demand(profile(second['access_token']), 200)
    # Whichever of them signs out: none is left.
    demand(shop.call('POST', '/auth/logout', token=third['access_token']), 200)
    expired(profile(first['access_token']))
    is_revoked(first['access_token'])
    equal(living_of(who), set(), 'living tokens')


@suite.test
def test_within_the_grace_another_role_gets_another_token():
    """A token acts in the role that its session had when it was given."""
    who = sign_up('Sela')
    demand(shop.call('POST', '/stores', {'name': 'Store ' + secrets.token_hex(6)}, who['access_token']), 201)
    buyer = refresh(who['refresh_token'])
    demand(shop.call('GET', '/cart', token=buyer['access_token']), 200)
    seller = refresh(who['refresh_token'], role='seller')
    equal((buyer['role'], seller['role']), ('buyer', 'seller'), 'roles')
    demand(shop.call('GET', '/seller/orders', token=seller['access_token']), 200)
    demand(shop.call('GET', '/cart', token=seller['access_token']), 403, 'FORBIDDEN')
    expired(shop.call('GET', '/cart', token=buyer['access_token']))
    again = refresh(who['refresh_token'])
    equal((again['role'], again['access_token']), ('seller', seller['access_token']), 'what a third is given')
    until(lambda: living_of(who) == {seller['access_token']}, 'one living token')


@suite.test
def test_two_tabs_come_to_share_one_token():
    who = sign_up()
    tabs = [refresh(who['refresh_token']), refresh(who['refresh_token'])]
    for turn in range(6):
        tab = turn % 2
        if profile(tabs[tab]['access_token']).status == 401:
            tabs[tab] = refresh(tabs[tab]['refresh_token'])
        demand(profile(tabs[tab]['access_token']), 200)
    tabs[0] = refresh(tabs[0]['refresh_token'])  # of itself, as before its end
    expired(profile(tabs[1]['access_token']))
    tabs[1] = refresh(tabs[1]['refresh_token'])
    equal(tabs[1]['access_token'], tabs[0]['access_token'], 'the token')
    until(lambda: living_of(who) == {tabs[0]['access_token']}, 'one living token')


@suite.test
def test_refreshing_at_once_leaves_one_living_token():
    who, before = sign_up(), active()
    answers = together(8, lambda _: ask_refresh(who['refresh_token']))
    good = [a for a in answers if a.status == 200]
    for a in answers:
        check(a.status in (200, 503), f'{a!r}')
    check(good, 'nobody was served')
    for a in good:
        seen.update((a.data['access_token'], a.data['refresh_token']))
    equal({profile(a.data['access_token']).status for a in good}, {200}, 'answers')
    until(lambda: len(living_of(who)) == 1, 'one living token')
    until(lambda: sql_one("SELECT count(*) FROM outbox WHERE event = 'token.ended'") == '0', 'all is revoked')
    equal(len(active() - before), 1, 'new tokens at the server')


@suite.test
def test_a_refresh_token_used_again_late_ends_the_token_too():
    who = sign_up()
    first = refresh(who['refresh_token'])
    sql("UPDATE refresh_tokens SET rotated_at = rotated_at - interval '1 day' "
        "WHERE token_hash = decode(:'h', 'hex')", h=digest(who['refresh_token']))
    calls = asked('token')
    expired(ask_refresh(who['refresh_token']))
    equal(asked('token'), calls, 'tokens that were asked for')
    expired(profile(first['access_token']))
    is_revoked(first['access_token'])


@suite.test
def test_a_crash_before_the_commit_leaves_a_token_that_opens_nothing():
    who = sign_up()
    for call in (lambda: ask_refresh(who['refresh_token']),
                 lambda: shop.call('POST', '/auth/login',
                                   {'email': who['email'], 'password': who['password']})):
        before = active()
        point = arm_any('after_call')
        demand(call(), 503)
        check(not os.path.exists(point), 'nobody died')
        lost = active() - before
        equal(len(lost), 1, 'tokens that were obtained')
        seen.update(lost)
        demand(profile(lost.copy().pop()), 401, 'UNAUTHORIZED')
        equal(asked('introspect', lost.copy().pop()), 1, 'questions: the one before it would be given')
        demand(profile(who['access_token']), 200)
    who.update(refresh(who['refresh_token']))
    demand(profile(who['access_token']), 200)


# --- ending ---------------------------------------------------------------------------------------

@suite.test
def test_whatever_ends_a_session_revokes_its_token():
    admin = shop.admin()
    seen.update((admin['access_token'], admin['refresh_token']))

    def sign_out(who):
        demand(shop.call('POST', '/auth/logout', token=who['access_token']), 200)

    def end_by_owner(who):
        other = sign_in(who)
        mine = [s for s in demand(shop.call('GET', '/auth/sessions', token=other['access_token']), 200).data
                if not s['is_current']]
        equal(len(mine), 1, 'other sessions')
        demand(shop.call('DELETE', f'/auth/sessions/{mine[0]["id"]}', token=other['access_token']), 200)
        demand(profile(other['access_token']), 200)

    def change_password(who):
        other = sign_in(who)
        demand(shop.call('PUT', '/auth/password', {'old_password': who['password'],
                                                   'new_password': secrets.token_urlsafe(12)},
                         other['access_token']), 200)
        demand(profile(other['access_token']), 200)

    def deactivate(who):
        demand(shop.call('PUT', f'/admin/users/{who["user"]["id"]}', {'is_active': False},
                         admin['access_token']), 200)

    def take_a_role(who):
        path = f'/admin/users/{who["user"]["id"]}'
        demand(shop.call('PUT', path, {'roles': ['buyer', 'admin']}, admin['access_token']), 200)
        demand(shop.call('PUT', path, {'roles': ['buyer']}, admin['access_token']), 200)

    for end in (sign_out, end_by_owner, change_password, deactivate, take_a_role):
        who = sign_up()
        demand(profile(who['access_token']), 200)
        end(who)
        expired(profile(who['access_token']))
        demand(ask_refresh(who['refresh_token']), 401, 'UNAUTHORIZED')
        is_revoked(who['access_token'])


@suite.test
def test_a_session_that_runs_out_is_found_and_its_token_revoked():
    who = sign_up()
    sql("UPDATE sessions SET expires_at = now() - interval '1 min' WHERE account_id = :'id'",
        id=who['user']['id'])
    redis('FLUSHALL')
    expired(profile(who['access_token']))
    demand(ask_refresh(who['refresh_token']), 401, 'UNAUTHORIZED')
    is_revoked(who['access_token'])


# --- all else ------------------------------------------------------------------------------------

@suite.test
def test_a_key_of_idempotency_is_the_sessions_whatever_its_token():
    who, key = sign_up(), secrets.token_hex(8)
    body = {'line1': 'Moi Avenue 12', 'city': 'Nairobi', 'country': 'KE'}

    def add(token):
        return shop.call('POST', '/addresses', body, token, {'Idempotency-Key': key})
    first = demand(add(who['access_token']), 201)
    again = demand(add(refresh(who['refresh_token'])['access_token']), 201)
    equal(again.data, first.data, 'the answer')
    equal(again.headers.get('idempotent-replayed'), 'true', 'replayed')


@suite.test
def test_no_token_is_in_a_table_a_log_or_redis():
    no_token_is_kept()


suite.main()
