"""How often one may ask: counted for the account over all its sessions and addresses, for the address where
nobody is signed in; what is refused is not counted; without Redis the shop is open, and says so in its log.

nginx's own limit stands in front, for each address; the clients here have many.
"""
# limits: defaults
# settings: LIMIT_PUBLIC=20 LIMIT_SIGNED_IN=30 LIMIT_LOGIN=0 LIMIT_LOGIN_ACCOUNT=0 TOKEN_CACHE=1s
import collections
import os
import secrets

from owner import redis, start, stop
from soko import Shop, Suite, check, demand, equal, together, until

suite = Suite()
shop = Shop()
PUBLIC, SIGNED_IN = 20, 30


def somewhere():
    """An address of the block that is set aside for measuring networks."""
    return {'X-Forwarded-For': f'198.18.{secrets.randbelow(256)}.{secrets.randbelow(254) + 1}'}


def ask(who=None, where=None, path='/auth/profile', method='GET'):
    return shop.call(method, path, token=who['access_token'] if who else None, headers=where)


def counts(calls):
    """The statuses that many calls at once get."""
    answers = together(len(calls), lambda i: calls[i]())
    for a in answers:
        if isinstance(a, Exception):
            raise a
    return collections.Counter(a.status for a in answers), answers


def about(got, wanted, words):
    """A bucket fills while it is emptied: a few more are let in, never fewer."""
    check(wanted <= got <= wanted + wanted // 2, f'{words}: {got}, wanted {wanted} or a few more')


@suite.test
def test_hole_38_each_request_counts_once_and_what_is_refused_not_at_all():
    who = shop.sign_up()
    # All in the same millisecond, as far as that can be: each counts.
    told, answers = counts([lambda: ask(who, somewhere()) for _ in range(3 * SIGNED_IN)])
    about(told[200], SIGNED_IN, 'let in')
    equal(set(told), {200, 429}, 'statuses')
    for a in answers:
        h = a.headers
        equal(h['x-ratelimit-limit'], str(SIGNED_IN), 'limit')
        check(0 <= int(h['x-ratelimit-remaining']) < SIGNED_IN, f'remaining: {h["x-ratelimit-remaining"]}')
        check(h['x-ratelimit-reset'].isdigit(), 'reset')
        if a.status == 429:
            equal((a.code, h['x-ratelimit-remaining']), ('RATE_LIMITED', '0'), 'refusal')
            check(1 <= int(h['retry-after']) <= 60, f'Retry-After: {h["retry-after"]}')
    # Whoever goes on asking is let in again all the same: refusals do not count.
    until(lambda: ask(who, somewhere()).status == 200, 'let in again')


@suite.test
def test_an_account_is_one_over_its_sessions_and_addresses():
    one = shop.sign_up()
    sessions = [one] + [shop.sign_in(one['email'], one['password']) for _ in range(3)]
    told, _ = counts([lambda s=s: ask(s, somewhere()) for s in sessions for _ in range(SIGNED_IN)])
    about(told[200], SIGNED_IN, 'let in, by four sessions from 120 addresses')
    equal(ask(one, path='/status').status, 429, 'what is for anyone counts with it')


@suite.test
def test_two_accounts_at_one_address_are_two():
    where = somewhere()
    ann, ben = shop.sign_up('Ann'), shop.sign_up('Ben')
    told, _ = counts([lambda: ask(ann, where) for _ in range(2 * SIGNED_IN)])
    check(told[429] > 0, 'Ann is refused')
    for _ in range(SIGNED_IN // 2):
        demand(ask(ben, where), 200)
    demand(ask(None, where, '/status'), 200)


@suite.test
def test_who_is_not_signed_in_is_counted_by_address():
    where, elsewhere = somewhere(), somewhere()
    told, answers = counts([lambda: ask(None, where, '/status') for _ in range(3 * PUBLIC)])
    about(told[200], PUBLIC, 'let in')
    equal({a.headers['x-ratelimit-limit'] for a in answers}, {str(PUBLIC)}, 'limit')
    demand(ask(None, elsewhere, '/status'), 200)
    demand(ask(shop.sign_up(), where), 200)
    # No credential that is none makes another somebody of him.
    for header in ('Bearer garbage', 'Bearer sk_soko_' + 'x' * 43, 'Basic eDp5'):
        equal(shop.call('GET', '/status', headers={**where, 'Authorization': header}).status, 429, header)
    equal(ask({'access_token': 'garbage'}, where).status, 429, 'before it is said that he is nobody')
    # Nor does another address of the same IPv6 network.
    told, _ = counts([lambda i=i: ask(None, {'X-Forwarded-For': f'2001:db8:1:2::{i + 1:x}'}, '/status')
                      for i in range(3 * PUBLIC)])
    about(told[200], PUBLIC, 'let in, of one network')
    demand(ask(None, {'X-Forwarded-For': '2001:db8:1:3::1'}, '/status'), 200)


@suite.test
def test_a_token_whose_session_has_ended_uses_up_nobodys_limit():
    """Who stole it is signed out, and keeps on asking: its owner does not feel it."""
    owner = shop.sign_up()
    stolen = shop.sign_in(owner['email'], owner['password'])
    demand(ask(stolen, somewhere()), 200)
    demand(ask(stolen, method='POST', path='/auth/logout'), 200)
    for path, good in (('/auth/profile', 401), ('/status', 200)):
        thief = somewhere()
        told, _ = counts([lambda p=path, t=thief: ask(stolen, t, p) for _ in range(3 * SIGNED_IN)])
        equal(set(told), {good, 429}, f'what the thief is told at {path}')
        about(told[good], PUBLIC, f'he counts as his address at {path}')
    a = demand(ask(owner, somewhere()), 200)
    check(int(a.headers['x-ratelimit-remaining']) > SIGNED_IN // 2, f'the owner has {a.headers}')
    # The same when Redis has forgotten that it ended.
    redis('FLUSHALL')
    counts([lambda: ask(stolen, somewhere()) for _ in range(3)])
    counts([lambda: ask(stolen, somewhere()) for _ in range(2 * SIGNED_IN)])
    demand(ask(owner, somewhere()), 200)


@suite.test
def test_a_limit_of_0_is_none():
    who = shop.sign_up()
    body = {'email': who['email'], 'password': who['password']}
    for _ in range(3 * SIGNED_IN):
        a = demand(shop.call('POST', '/auth/login', body), 200)
        check('x-ratelimit-limit' not in a.headers, 'a limit where there is none')


@suite.test
def test_without_redis_the_shop_is_open_and_says_so():
    who, where = shop.sign_up(), somewhere()
    log = os.path.join(os.environ['SOKO_STATE'], 'log', 'soko-api-fast.log')

    def said():
        with open(log, encoding='utf-8') as f:
            return f.read().count('"cache.down"')

    before = said()
    stop('redis')
    try:
        for _ in range(2 * SIGNED_IN):
            demand(ask(who, somewhere()), 200)
            demand(ask(None, where, '/status'), 200)
        check(said() > before, 'it is logged')
    finally:
        start('redis')

    def counts_again():
        a = ask(who, somewhere())
        return a.status == 429 or int(a.headers.get('x-ratelimit-remaining', 0)) > 0
    until(counts_again, 'limits count again')


if __name__ == '__main__':
    suite.main()
