"""Sessions, attacked: what ends one ends it for everybody who holds a part of it, at once, whatever
races with it, and whatever Redis knows, forgets or misses."""
# settings: JOBS_SWEEP=200ms LIMIT_LOGIN_ACCOUNT=8
import base64
import hashlib
import json
import os
import secrets
import signal
import threading
import uuid

from owner import Held, pid_of, redis, sql, sql_one, start, stop
from soko import Failed, Shop, Suite, check, demand, equal, together, until

suite = Suite()
shop = Shop()
admin = shop.admin()
ROUNDS = 200
GRACE = "interval '31 s'"


def refresh(token, **more):
    return shop.call('POST', '/auth/refresh', {'refresh_token': token, **more})


def profile(who, by=shop):
    return by.call('GET', '/auth/profile', token=who['access_token'])


def claims_of(token):
    part = token.split('.')[1]
    return json.loads(base64.urlsafe_b64decode(part + '=' * (-len(part) % 4)))


def session_of(who):
    return claims_of(who['access_token'])['sid']


def redis_key(who):
    return 'soko:session:' + session_of(who)


def lives(who):
    demand(profile(who), 200)


def dead(who):
    """Neither token of a pair opens anything."""
    for a in (profile(who), refresh(who['refresh_token'])):
        check(a.status == 401 and a.errors[0]['message'] == 'Session expired', f'it lives: {a!r}')


def set_user(who, **change):
    return demand(shop.call('PUT', f'/admin/users/{who["user"]["id"]}', change,
                            admin['access_token']), 200)


def age(token, by=GRACE):
    """Makes the rotation of a refresh token older."""
    digest = hashlib.sha256(token.encode()).hexdigest()
    rows = sql(f"UPDATE refresh_tokens SET rotated_at = rotated_at - {by} WHERE token_hash = "
               "decode(:'digest', 'hex') AND rotated_at IS NOT NULL RETURNING 1", digest=digest)
    equal(rows, [['1']], 'a rotated token of that hash')


def audited(session):
    """What the audit log says of a session, with the reasons."""
    return [tuple(r) for r in sql("SELECT event, coalesce(detail::json->>'reason', '') FROM audit_log "
                                  "WHERE subject = :'id' ORDER BY id", id=session)]


# --- refreshing -----------------------------------------------------------------------------------

@suite.test
def test_hole_35_refresh_tokens_are_typed_rotate_end_and_read_roles_anew():
    me = shop.sign_up('Rhea')
    # Typed: neither is the other.
    a = refresh(me['access_token'])
    check(a.status in (400, 401), f'an access token refreshes: {a!r}')
    demand(shop.call('GET', '/auth/profile', token=me['refresh_token']), 401, 'UNAUTHORIZED')
    # Rotating, and ended for both holders when the old one comes again after the grace.
    fresh = demand(refresh(me['refresh_token']), 200).data
    check(fresh['refresh_token'] != me['refresh_token'], 'it did not rotate')
    age(me['refresh_token'])
    demand(refresh(me['refresh_token']), 401, 'UNAUTHORIZED')
    dead(me)
    dead(fresh)
    # Roles come from the database, and add up: a seller is a buyer still.
    again = shop.sign_in(me['email'], me['password'])
    demand(shop.call('POST', '/stores', {'name': 'Rhea ' + secrets.token_hex(5)},
                     again['access_token']), 201)
    seller = demand(refresh(again['refresh_token'], role='seller'), 200).data
    demand(shop.call('GET', '/seller/orders', token=seller['access_token']), 200)
    buyer = demand(refresh(seller['refresh_token'], role='buyer'), 200).data
    demand(shop.call('GET', '/cart', token=buyer['access_token']), 200)
    demand(refresh(buyer['refresh_token'], role='admin'), 403, 'FORBIDDEN')


@suite.test
def test_within_the_grace_again_and_again_and_the_session_lives():
    me = shop.sign_up()
    pairs = [demand(refresh(me['refresh_token']), 200).data for _ in range(5)]
    equal(len({p['refresh_token'] for p in pairs} | {me['refresh_token']}), 6, 'different tokens')
    # The grace begins with the first rotation, and no use prolongs it.
    age(me['refresh_token'], "interval '29 s'")
    demand(refresh(me['refresh_token']), 200)
    age(me['refresh_token'], "interval '2 s'")
    lives(me)
    demand(refresh(me['refresh_token']), 401)
    for pair in (me, *pairs):
        dead(pair)


@suite.test
def test_past_the_grace_the_family_ends_and_it_is_written_down():
    me = shop.sign_up()
    other = shop.sign_in(me['email'], me['password'])
    thief = demand(refresh(me['refresh_token']), 200).data
    owner = demand(refresh(thief['refresh_token']), 200).data
    age(me['refresh_token'])
    for _ in range(2):
        demand(refresh(me['refresh_token']), 401)
    for pair in (me, thief, owner):
        dead(pair)
    equal(audited(session_of(me)), [('session.refresh_reused', ''),
                                    ('session.ended', 'refresh_reused')], 'the audit log')
    lives(other)
    demand(refresh(other['refresh_token']), 200)


@suite.test
def test_many_refreshes_of_one_token_at_once():
    for _ in range(10):
        me = shop.sign_up()
        pairs = [demand(a, 200).data for a in together(8, lambda _, t=me['refresh_token']: refresh(t))]
        equal(len({p['refresh_token'] for p in pairs}), 8, 'different tokens')
        for pair in (me, *pairs):
            lives(pair)
        age(me['refresh_token'])
        answers = together(8, lambda i, t=me['refresh_token'], p=pairs: refresh(
            t if i % 2 else p[i]['refresh_token']))
        check(all(answers[i].status == 401 for i in (1, 3, 5, 7)), f'reused: {answers}')
        for pair in (me, *pairs, *(a.data for a in answers if a.status == 200)):
            dead(pair)
        equal([e for e in audited(session_of(me)) if e[0] == 'session.ended'],
              [('session.ended', 'refresh_reused')], 'it ended once')


@suite.test
def test_a_refresh_token_that_nobody_used_dies_by_its_own_age():
    """The pair of a lost answer lies somewhere. Its session is kept alive by another pair."""
    me = shop.sign_up()
    lost = demand(refresh(me['refresh_token']), 200).data['refresh_token']
    here = demand(refresh(me['refresh_token']), 200).data['refresh_token']
    digest = hashlib.sha256(lost.encode()).hexdigest()
    sql("UPDATE refresh_tokens SET issued_at = issued_at - interval '8 days' "
        "WHERE token_hash = decode(:'digest', 'hex')", digest=digest)
    demand(refresh(lost), 401)
    demand(refresh(here), 200)
    # And old ones do not heap up.
    until(lambda: sql_one("SELECT count(*) FROM refresh_tokens WHERE token_hash = "
                          "decode(:'digest', 'hex')", digest=digest) == '0', 'the sweep')
    lives(me)


# --- what ends a session --------------------------------------------------------------------------

class Victim:
    """An account with one session to be ended, and one that does it where that takes another."""

    def __init__(self):
        self.me = shop.sign_up('Vera')
        set_user(self.me, roles=['buyer', 'admin'])
        self.me.update(shop.sign_in(self.me['email'], self.me['password']))
        self.other = shop.sign_in(self.me['email'], self.me['password'])
        self.password = 'another-' + secrets.token_urlsafe(9)

    def sign_out(self):
        return shop.call('POST', '/auth/logout', token=self.me['access_token'])

    def end_from_elsewhere(self):
        return shop.call('DELETE', f'/auth/sessions/{session_of(self.me)}',
                         token=self.other['access_token'])

    def change_password(self):
        return shop.call('PUT', '/auth/password', {'old_password': self.me['password'],
                                                   'new_password': self.password},
                         self.other['access_token'])

    def _admin(self, **change):
        return shop.call('PUT', f'/admin/users/{self.me["user"]["id"]}', change,
                         admin['access_token'])

    def deactivate(self):
        return self._admin(is_active=False)

    def take_role(self):
        return self._admin(roles=['buyer'])


ENDERS = {  # and whether the other session lives on
    'sign_out': True, 'end_from_elsewhere': True, 'change_password': True, 'deactivate': False,
    'take_role': False,
}
ALL_BUT_ONE = ('change_password', 'deactivate', 'take_role')  # what must meet a sign-in, too


def each_ender(test, names=tuple(ENDERS)):
    for name in names:
        v = Victim()
        try:
            test(v, name, getattr(v, name))
        except Failed as e:
            raise Failed(f'{name}: {e}') from None


@suite.test
def test_what_ends_a_session_ends_it_at_once():
    def one(v, name, end):
        lives(v.me)
        lives(v.other)
        demand(end(), 200)
        dead(v.me)
        (lives if ENDERS[name] else dead)(v.other)
        reason = sql_one("SELECT end_reason FROM sessions WHERE id = :'id'", id=session_of(v.me))
        equal(audited(session_of(v.me)), [('session.ended', reason)], 'the audit log')
    each_ender(one)


@suite.test
def test_reactivated_the_old_sessions_stay_dead():
    v = Victim()
    demand(v.deactivate(), 200)
    demand(shop.call('POST', '/auth/login', {'email': v.me['email'], 'password': v.me['password']}),
           403, 'FORBIDDEN')
    set_user(v.me, is_active=True)
    for state in ('as it is', 'forgotten'):
        if state == 'forgotten':
            redis('FLUSHALL')
        dead(v.me)
        dead(v.other)
    lives(shop.sign_in(v.me['email'], v.me['password']))


@suite.test
def test_deactivated_behind_our_back_it_cannot_refresh():
    me = shop.sign_up()
    sql("UPDATE accounts SET is_active = false WHERE id = :'id'", id=me['user']['id'])
    demand(refresh(me['refresh_token']), 403, 'FORBIDDEN')
    demand(profile(me), 401)


@suite.test
def test_a_session_is_no_way_to_find_the_password():
    me, other = shop.sign_up(), shop.sign_up()

    def change(who, old, status, code):
        return demand(shop.call('PUT', '/auth/password', {'old_password': old, 'new_password': 'a brand new one'},
                                who['access_token']), status, code)
    for _ in range(8):
        change(me, 'a guess ' + secrets.token_hex(4), 400, 'VALIDATION_ERROR')
    for old in ('another guess', me['password']):
        check(int(change(me, old, 429, 'RATE_LIMITED').headers['retry-after']) > 0, 'when to come again')
    demand(shop.call('POST', '/auth/totp', {'password': me['password']}, me['access_token']), 429)
    pair = demand(shop.call('POST', '/auth/refresh', {'refresh_token': me['refresh_token']}), 200).data
    change(pair, me['password'], 429, 'RATE_LIMITED')  # a fresh token is of the same session
    again = shop.sign_in(me['email'], me['password'])  # who knows it is not locked out, and can throw the thief out
    demand(shop.call('POST', '/auth/totp', {'password': me['password']}, again['access_token']), 201)
    change(other, 'a guess', 400, 'VALIDATION_ERROR')
    change(other, other['password'], 200, None)


# --- races ----------------------------------------------------------------------------------------

def in_turn(lock, *calls, **values):
    """Makes each call wait, in this order, for what the lock holds; then lets go. Gives the answers."""
    answers = [None] * len(calls)

    def one(i):
        answers[i] = calls[i]()

    threads = []
    with Held(lock, **values) as held:
        for i in range(len(calls)):
            threads.append(threading.Thread(target=one, args=(i,)))
            threads[-1].start()
            held.wait_for(i + 1)
    for t in threads:
        t.join()
    return answers


@suite.test
def test_a_refresh_and_an_end_one_after_the_other_in_both_ways():
    for first in (True, False):
        def one(v, name, end, first=first):
            lives(v.me)
            calls = [lambda: refresh(v.me['refresh_token']), end]
            answers = in_turn("SELECT FROM sessions WHERE id = :'id' FOR UPDATE",
                              *calls[::1 if first else -1], id=session_of(v.me))
            refreshed, ended = answers[::1 if first else -1]
            demand(ended, 200)
            demand(refreshed, 200 if first else 401)
            if first:
                dead(refreshed.data)
            dead(v.me)
        each_ender(one)


@suite.test
def test_a_sign_in_and_an_end_of_all_one_after_the_other_in_both_ways():
    for first in (True, False):
        def one(v, name, end, first=first):
            calls = [lambda: shop.call('POST', '/auth/login', {
                'email': v.me['email'], 'password': v.me['password']}), end]
            answers = in_turn("SELECT FROM accounts WHERE id = :'id' FOR UPDATE",
                              *calls[::1 if first else -1], id=v.me['user']['id'])
            opened, ended = answers[::1 if first else -1]
            demand(ended, 200)
            if first:
                dead(demand(opened, 200).data)
            elif name == 'take_role':
                equal(demand(opened, 200).data['role'], 'buyer', 'the role of what was opened')
            else:
                demand(opened, {'change_password': 401, 'deactivate': 403}[name])
            dead(v.me)
        each_ender(one, ALL_BUT_ONE)


@suite.test
def test_200_rounds_of_everything_at_once():
    """Refreshes, a sign-in, requests and an end, let go together: whatever was handed out is dead."""
    def one_round(n):
        v, name = Victim(), tuple(ENDERS)[n % len(ENDERS)]
        if n % 2:
            redis('DEL', redis_key(v.me), redis_key(v.other))
        work = [getattr(v, name), lambda: refresh(v.me['refresh_token']),
                lambda: refresh(v.me['refresh_token']), lambda: profile(v.me),
                lambda: shop.call('POST', '/auth/login', {'email': v.me['email'],
                                                          'password': v.me['password']})]
        answers = together(len(work), lambda i: work[i]())
        for a in answers:
            if isinstance(a, Exception):
                raise a
        demand(answers[0], 200)
        for a in (answers[1], answers[2]):
            check(a.status in (200, 401), f'a refresh: {a!r}')
            if a.status == 200:
                dead(a.data)
        dead(v.me)
        opened = answers[4]
        left = sql("SELECT role FROM sessions WHERE account_id = :'id' AND ended_at IS NULL",
                   id=v.me['user']['id'])
        if name == 'deactivate':
            equal(left, [], 'sessions of a deactivated account')
        elif name == 'take_role':
            check(all(r == ['buyer'] for r in left), f'sessions of a role that was taken: {left}')
        elif name == 'change_password':
            equal(len(left), 1, 'sessions that the old password opened')
        if opened.status == 200 and name in ('deactivate', 'change_password'):
            dead(opened.data)
        until(lambda: redis('GET', redis_key(v.me)) == 'ended', 'Redis knows')

    def lane(k):
        for n in range(k, ROUNDS, 2):
            try:
                one_round(n)
            except Failed as e:
                raise Failed(f'round {n}: {e}') from None

    for result in together(2, lane):
        if isinstance(result, Exception):
            raise result


# --- what Redis knows -----------------------------------------------------------------------------

def redis_is_back():
    def pong():
        try:
            return redis('PING') == 'PONG'
        except Failed:
            return False
    until(pong, 'Redis is back')


@suite.test
def test_what_redis_forgets_nobody_gains_by():
    ended = []

    def one(v, name, end):
        lives(v.me)
        demand(end(), 200)
        ended.append((v, name))
    each_ender(one)
    for _ in range(2):
        redis('FLUSHALL')
        for v, name in ended:
            dead(v.me)
            (lives if ENDERS[name] else dead)(v.other)
    # Known as dead again: the next request need not ask PostgreSQL, nor be counted as its account's.
    for v, _ in ended:
        equal(redis('GET', redis_key(v.me)), 'ended', 'what Redis knows')


@suite.test
def test_what_ends_while_redis_is_away_is_dead_then_and_after():
    victims = [(Victim(), name) for name in ENDERS]
    for v, _ in victims:
        lives(v.me)
        lives(v.other)
    stop('redis')
    try:
        for v, name in victims:
            demand(getattr(v, name)(), 200)
            dead(v.me)
            (lives if ENDERS[name] else dead)(v.other)
    finally:
        start('redis')
    redis_is_back()
    for v, name in victims:
        dead(v.me)
        (lives if ENDERS[name] else dead)(v.other)
        until(lambda v=v: redis('GET', redis_key(v.me)) == 'ended', 'Redis is told', 60)


@suite.test
def test_a_redis_that_hangs_and_remembers_is_told():
    """Worse than one that forgets: it comes back with sessions that it knew as living."""
    v = Victim()

    def is_known():
        lives(v.me)
        return redis('GET', redis_key(v.me)) == v.me['user']['id']
    until(is_known, 'Redis knows it as living')
    # That is bounded, whatever becomes of who should tell it.
    left = int(redis('PTTL', redis_key(v.me)))
    check(0 < left <= 30000, f'Redis may believe it for {left} ms')
    pid = pid_of('redis')
    os.kill(pid, signal.SIGSTOP)
    try:
        demand(v.end_from_elsewhere(), 200)
        dead(v.me)
    finally:
        os.kill(pid, signal.SIGCONT)
    redis_is_back()
    until(lambda: redis('GET', redis_key(v.me)) == 'ended', 'Redis is told', 60)
    dead(v.me)
    lives(v.other)


@suite.test
def test_a_tombstone_is_not_overwritten_by_whoever_read_before():
    """Readers that found the row living while it was being ended, and tell Redis too late."""
    for _ in range(40):
        me = shop.sign_up()
        redis('DEL', redis_key(me))

        def one(i, me=me):
            if i == 3:
                return shop.call('POST', '/auth/logout', token=me['access_token'])
            redis('DEL', redis_key(me)) if i == 0 else None
            return profile(me)
        answers = together(8, one)
        demand(answers[3], 200)
        for a in answers:
            check(a.status in (200, 401), f'{a!r}')
        until(lambda me=me: sql_one("SELECT count(*) FROM outbox WHERE subject = :'id'",
                                    id=session_of(me)) == '0', 'the event is delivered')
        check(redis('GET', redis_key(me)) in ('', 'ended'), 'Redis believes that it lives')
        dead(me)


# --- the list -------------------------------------------------------------------------------------

@suite.test
def test_the_list_says_what_is_true():
    me, stranger = shop.sign_up('Lia'), shop.sign_up('Otto')

    def open_with(agent):
        return demand(shop.call('POST', '/auth/login', {'email': me['email'], 'password': me['password']},
                                headers={'User-Agent': agent}), 200).data

    def listed(who):
        return demand(shop.call('GET', '/auth/sessions', token=who['access_token']), 200).data

    phone, tablet, old = open_with('Phone/1'), open_with('Tablet/2'), open_with('Old/3')
    equal({s['id'] for s in listed(me)}, {session_of(w) for w in (me, phone, tablet, old)}, 'all')
    sql("UPDATE sessions SET expires_at = now() - interval '1 s' WHERE id = :'id'", id=session_of(old))
    demand(shop.call('DELETE', f'/auth/sessions/{session_of(tablet)}', token=me['access_token']), 200)
    phone.update(demand(refresh(phone['refresh_token']), 200).data)
    now = listed(phone)
    equal([s['id'] for s in now], [session_of(phone), session_of(me)], 'who lives, last used first')
    equal([s['is_current'] for s in now], [True, False], 'which one asks')
    equal((now[0]['user_agent'], now[0]['role'], now[0]['address']), ('Phone/1', 'buyer', '127.0.0.1'),
          'where')
    check(now[0]['last_used_at'] >= now[0]['created_at'], 'when')
    equal([s['id'] for s in listed(stranger)], [session_of(stranger)], 'nobody else\'s')
    # What is not one's own, not there, or over, is not there; and nothing has happened to it.
    for sid in (session_of(phone), session_of(tablet), session_of(old), str(uuid.uuid4())):
        demand(shop.call('DELETE', f'/auth/sessions/{sid}', token=stranger['access_token']), 404, 'NOT_FOUND')
    for sid in (session_of(tablet),):
        demand(shop.call('DELETE', f'/auth/sessions/{sid}', token=me['access_token']), 404, 'NOT_FOUND')
    lives(phone)
    dead(tablet)
    demand(refresh(old['refresh_token']), 401)
    # One's own, too, may be ended by its id.
    demand(shop.call('DELETE', f'/auth/sessions/{session_of(me)}', token=me['access_token']), 200)
    dead(me)


@suite.test
def test_sessions_that_are_long_over_are_swept():
    me, here = shop.sign_up(), shop.sign_up()
    sql("UPDATE sessions SET expires_at = now() - interval '8 days' WHERE id = :'id'", id=session_of(me))
    until(lambda: sql("SELECT id FROM sessions WHERE id = :'id'", id=session_of(me)) == [], 'the sweep')
    equal(sql_one("SELECT count(*) FROM refresh_tokens WHERE session_id = :'id'", id=session_of(me)), '0',
          'its refresh tokens')
    dead(me)
    lives(here)


if __name__ == '__main__':
    suite.main()
