"""What test_accounts.py demands of accounts and sessions holds for tokens of an OAuth2 server too.

Left out is what reads the claims of a token of ours or knows its life, and what an old access token may
do: here it is dead as soon as it is replaced (test_external.py).

# settings: TOKEN_ISSUER=oauth2 LIMIT_PUBLIC=100000 LIMIT_SIGNED_IN=100000 LIMIT_LOGIN=100000
"""
import test_accounts
from soko import Suite, check

OTHERWISE = {'test_a_bad_token_is_401_and_says_how_to_do_better', 'test_a_refresh_gives_a_fresh_pair',
             'test_within_the_grace_an_old_refresh_token_gets_a_fresh_pair',
             'test_signing_out_needs_no_redis', 'test_one_signs_in_by_any_identity'}

suite = Suite()
suite.tests = [t for t in test_accounts.suite.tests if t.__name__ not in OTHERWISE]
TAKEN = len(suite.tests)


@suite.test
def test_nothing_is_left_out_by_a_slip():
    names = {t.__name__ for t in test_accounts.suite.tests}
    check(OTHERWISE <= names, f'there is no {OTHERWISE - names}')
    check(TAKEN == len(names) - len(OTHERWISE) > 20, f'{TAKEN} tests')


@suite.test
def test_a_dead_token_counts_by_address():
    who = test_accounts.shop.sign_up()
    token = who['access_token']

    def look():
        return test_accounts.shop.call('GET', '/auth/profile', token=token)
    left = [int(look().headers['x-ratelimit-remaining']) for _ in range(2)]
    test_accounts.demand(test_accounts.shop.call('POST', '/auth/logout', token=token), 200)
    dead = look()
    test_accounts.expired(dead)
    check('x-ratelimit-remaining' in dead.headers, 'it is not counted')
    check(int(dead.headers['x-ratelimit-remaining']) != left[1] - 2, 'it counts on its owner')


suite.main()
