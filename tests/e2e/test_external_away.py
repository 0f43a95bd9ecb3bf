"""The OAuth2 server is down, slow, or says what nobody understands; Redis is away; the issuer is switched
on a running shop. What must be said then, who waits for whom, and what is revoked in the end.

# settings: TOKEN_ISSUER=oauth2 PROVIDER_FAILURES=3 PROVIDER_PAUSE=500ms JOBS_SWEEP=1s
# settings: JOBS_BACKOFF=100ms JOBS_BACKOFF_MAX=500ms JOBS_MAX_ATTEMPTS=1000
"""
import os
import secrets
import signal

from external_common import (active, ask_refresh, asked, away, bent, digest, expired, forget,
                             is_revoked, no_token_is_kept, profile, recover, refresh, seen, shop,
                             sign_up)
from money import setting
from owner import pid_of, redis, sql, start, stop, workers
from soko import Failed, Suite, check, demand, equal, together, until

suite = Suite()
POOLS = ('fast', 'hash', 'wire')


# --- the server is away ---------------------------------------------------------------------------

@suite.test
def test_a_server_that_is_down_is_503_and_never_401():
    who = sign_up()
    token = who['access_token']
    for do in ({'refuse_connection': True}, {'hang': True}, {'drop': True}, {'status': 500},
               {'status': 503}, {'status': 429}, {'status': 400}, {'status': 401}, {'status': 403},
               {'status': 404}, {'body': 'html'}, {'body': 'empty'}, {'body': 'truncated'},
               {'body': 'cut'}, {'body': 'large'}, {'body': 'drip'}):
        with bent('introspect', **do):
            forget(token)
            away(profile(token))
            away(shop.call('POST', '/auth/logout', token=token))
            # Who need not be known is served, and waits for nobody.
            demand(shop.call('GET', '/products', token=token), 200)
            demand(shop.call('GET', '/categories'), 200)
        forget(token)
        demand(profile(token), 200)


@suite.test
def test_a_hanging_server_delays_nobody_else():
    people = [sign_up() for _ in range(4)]
    with bent('introspect', hang=True):
        for who in people:
            forget(who['access_token'])
        calls = asked('introspect')

        def work(i):
            token = people[i % 4]['access_token']
            if i < 8:
                return [profile(token) for _ in range(10)]
            return [shop.call('GET', f'/products?page={i}', token=token) for _ in range(10)]
        results = together(12, work)
        for i, answers in enumerate(results):
            if isinstance(answers, Exception):
                raise answers
            for a in answers:
                if i < 8:
                    away(a)
                else:
                    demand(a, 200)
        asked_him = asked('introspect') - calls
        check(0 < asked_him < 20, f'80 requests, and {asked_him} questions to one who hangs')
    for who in people:
        demand(profile(who['access_token']), 200)


@suite.test
def test_nobody_signs_in_without_the_server_and_nobody_loses_his_session():
    who = sign_up()
    body = {'email': who['email'], 'password': who['password']}
    with bent('token', refuse_connection=True):
        away(shop.call('POST', '/auth/login', body))
        away(ask_refresh(who['refresh_token']))
        demand(profile(who['access_token']), 200)
        # Who is not let in anyway is told so, and one may register.
        demand(shop.call('POST', '/auth/login', {**body, 'password': 'wrong'}), 401, 'UNAUTHORIZED')
        demand(shop.call('POST', '/auth/register', {
            'email': f'new-{secrets.token_hex(6)}@example.com', 'password': 'Nairobi-2026', 'name': 'New'}), 201)
    now = refresh(who['refresh_token'])
    demand(profile(now['access_token']), 200)


@suite.test
def test_keys_and_webhooks_have_nothing_to_do_with_the_server():
    who = sign_up()
    key = shop.new_key(who)['key']
    form = {'Content-Type': 'application/x-www-form-urlencoded'}
    calls = asked('introspect')
    with bent('introspect', refuse_connection=True):
        for _ in range(3):
            equal(demand(shop.call('GET', '/auth/profile', token=key), 200).data['id'], who['user']['id'],
                  'whose key it is')
        demand(shop.call('POST', f'/webhooks/sms/{setting("AT_REPORT_TOKEN")}', headers=form,
                         raw=b'id=ATXid_1&status=Success'), 200)
        equal(asked('introspect'), calls, 'questions')


@suite.test
def test_redis_may_forget_or_be_away():
    gone, here = sign_up(), sign_up()
    redis('FLUSHALL')
    demand(profile(here['access_token']), 200)
    stop('redis')
    try:
        demand(profile(here['access_token']), 200)
        demand(shop.call('POST', '/auth/logout', token=gone['access_token']), 200)
        expired(profile(gone['access_token']))
        demand(profile(here['access_token']), 200)
        after = refresh(here['refresh_token'])
        expired(profile(here['access_token']))
        demand(profile(after['access_token']), 200)
    finally:
        start('redis')

    def is_back():
        try:
            return redis('PING') == 'PONG'
        except Failed:
            return False
    until(is_back, 'Redis is back')
    for token in (gone['access_token'], here['access_token']):
        expired(profile(token))
        is_revoked(token)
    demand(profile(after['access_token']), 200)


# --- revoking ------------------------------------------------------------------------------------

@suite.test
def test_a_hanging_server_holds_up_no_other_job():
    seller = shop.new_seller()
    product = shop.new_product(seller, shop.new_category()['id'])
    who = sign_up()
    seen.update((seller['access_token'], seller['refresh_token']))
    with bent('revoke', hang=True):
        demand(shop.call('POST', '/auth/logout', token=who['access_token']), 200)
        until(lambda: asked('revoke', who['access_token']) > 0, 'he is asked to revoke')
        buyer = sign_up('Bea')
        order = demand(shop.buy(buyer, product['id']), 201).data
        until(lambda: shop.call('GET', f'/orders/{order["id"]}', token=buyer['access_token']).data[
            'payment_status'] == 'paid', 'the order is paid meanwhile')
        check(who['access_token'] in active(), 'it was revoked')
        expired(profile(who['access_token']))
    is_revoked(who['access_token'])


def jobs_of(token):
    return sql("SELECT o.attempts, coalesce(o.parked_at::text, '') FROM outbox o JOIN external_tokens x "
               "ON x.id = o.subject WHERE o.event = 'token.ended' AND x.token_hash = decode(:'h', 'hex')",
               h=digest(token))


@suite.test
def test_revoking_is_tried_until_it_is_done_or_idle():
    for do in ({'status': 500}, {'status': 503}, {'status': 401, 'code': 'invalid_client'}, {'status': 429},
               {'refuse_connection': True}, {'status': 400, 'code': 'invalid_client'}):
        who = sign_up()
        with bent('revoke', who['access_token'], **do):
            demand(shop.call('POST', '/auth/logout', token=who['access_token']), 200)
            until(lambda: int((jobs_of(who['access_token']) or [['0']])[0][0]) >= 2, f'{do}: tried again')
        is_revoked(who['access_token'])
        equal(jobs_of(who['access_token']), [], 'jobs')
    for code in ('invalid_request', 'unsupported_token_type'):
        who = sign_up()
        with bent('revoke', who['access_token'], status=400, code=code):
            demand(shop.call('POST', '/auth/logout', token=who['access_token']), 200)
            until(lambda: jobs_of(who['access_token']) == [], f'{code} is final')
        equal(asked('revoke', who['access_token']), 1, 'attempts')
        check(who['access_token'] in active(), 'it is revoked')
    # What has expired meanwhile is nobody's business any more.
    who = sign_up()
    with bent('revoke', who['access_token'], status=500):
        demand(shop.call('POST', '/auth/logout', token=who['access_token']), 200)
        until(lambda: asked('revoke', who['access_token']) > 0, 'tried')
        sql("UPDATE external_tokens SET expires_at = now() WHERE token_hash = decode(:'h', 'hex')",
            h=digest(who['access_token']))
        until(lambda: jobs_of(who['access_token']) == [], 'it is left alone')


# --- switching ------------------------------------------------------------------------------------

def switch(issuer):
    """Changes TOKEN_ISSUER in the shop's configuration, and has all its processes read it."""
    path = os.environ['SOKO_CONF']
    with open(path, encoding='utf-8') as f:
        lines = [line for line in f if not line.startswith('TOKEN_ISSUER=')]
    with open(path, 'w', encoding='utf-8') as f:
        f.writelines(lines + [f'TOKEN_ISSUER={issuer}\n'])
    servers = [f'soko-api-{pool}' for pool in POOLS] + ['jobs']
    old = {server: workers(server) for server in servers}
    for server in servers:
        os.kill(pid_of(server), signal.SIGHUP)
    until(lambda: all(not old[s] & workers(s) and workers(s) for s in servers), 'new workers')


@suite.test
def test_switching_the_issuer_keeps_sessions_and_refuses_old_tokens():
    who = sign_up()
    external = who['access_token']
    switch('soko')
    try:
        demand(profile(external), 401, 'UNAUTHORIZED')
        now = refresh(who['refresh_token'])
        equal(now['access_token'].count('.'), 2, 'parts of a token of ours')
        demand(profile(now['access_token']), 200)
        is_revoked(external)
        # A session that ends without having been refreshed ends its token too.
    finally:
        switch('oauth2')
    recover()
    demand(profile(now['access_token']), 401, 'UNAUTHORIZED')
    demand(profile(external), 401, 'UNAUTHORIZED')
    again = refresh(now['refresh_token'])
    check(again['access_token'] in active(), 'not one of the server\'s')
    equal(demand(profile(again['access_token']), 200).data['id'], who['user']['id'], 'who it is')


@suite.test
def test_no_token_is_in_a_table_a_log_or_redis():
    no_token_is_kept()


suite.main()
