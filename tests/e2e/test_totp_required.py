"""TOTP_REQUIRED=admin: nobody acts as an administrator without a second factor, however he came to it.

The shop begins without the demand, so that there are sessions that are older than it.
"""
# settings: TOTP_REQUIRED=none LIMIT_LOGIN_ACCOUNT=100
import os

from factor import Person, shop
from owner import ctl, redis, sql, start, stop
from soko import Suite, check, demand, equal, until

suite = Suite()
POOLS = ('soko-api-fast', 'soko-api-hash')
ADMIN = '/admin/users'


def require(whom):
    """The setting is changed and the workers that look at it start again."""
    path = os.environ['SOKO_CONF']
    with open(path, encoding='utf-8') as f:
        lines = [line for line in f if not line.startswith('TOTP_REQUIRED=')]
    with open(path, 'w', encoding='utf-8') as f:
        f.writelines([*lines, f'TOTP_REQUIRED={whom}\n'])
    for pool in POOLS:
        stop(pool)
        start(pool)
    until(lambda: shop.call('GET', '/ready').status == 200, 'the fast pool')
    until(lambda: shop.call('POST', '/auth/login', {}).status == 400, 'the hash pool')


def needs_factor(answer):
    demand(answer, 403, 'FORBIDDEN')
    equal(answer.errors[0].get('details'), {'totp_setup_required': True}, 'details')


def is_over(token):
    demand(shop.call('GET', '/auth/sessions', token=token), 401, 'UNAUTHORIZED')


def key_of(who, role='admin'):
    """An API key of somebody who acts in that role."""
    return demand(who.call('POST', '/api-keys', {'name': 'A machine', 'role': role, 'scope': 'read',
                                                 'password': who.password}), 201).data['key']


def new_admin(name='Ann'):
    """An administrator who has no second factor, signed in as a buyer."""
    ann = Person(name)
    ann.hold('admin')
    return ann


def only_admin():
    """An account that holds no other role, and has no second factor."""
    ann = new_admin()
    sql("DELETE FROM account_roles WHERE account_id = :'id' AND role = 'buyer'", id=ann.id)
    ann.take(demand(ann.sign_in(), 200).data)
    return ann


# What is done before the demand.
early, early_too, cached = (Person(name, 'admin') for name in ('Early', 'Too', 'Cached'))
proved = Person('Proved', 'admin').enrol()
early_key, early_buyer_key, proved_key = key_of(early), key_of(early, 'buyer'), key_of(proved)
elsewhere = demand(proved.sign_in(proved.code(1)), 200).data


@suite.test
def test_without_the_demand_administrators_need_none():
    for who in (early, early_too, cached, proved):
        demand(who.call('GET', ADMIN), 200)
    for key in (early_key, proved_key):
        demand(shop.call('GET', ADMIN, token=key), 200)
    require('admin')


@suite.test
def test_a_session_from_before_the_demand_does_not_act_as_admin():
    redis('FLUSHALL')
    demand(shop.call('GET', ADMIN, token=proved.token), 200)   # by the row
    demand(shop.call('GET', ADMIN, token=proved.token), 200)   # by Redis
    demand(shop.call('GET', ADMIN, token=elsewhere['access_token']), 200)
    for _ in range(2):
        for method, path, body in (('GET', ADMIN, None), ('GET', '/seller/products', None),
                                   ('POST', '/categories', {'name': 'Never'}), ('GET', '/auth/profile', None),
                                   ('POST', '/addresses', {})):
            needs_factor(early.call(method, path, body))
    # Also if Redis knows only that the session lives, which what a person does for himself has told it.
    redis('FLUSHALL')
    demand(cached.call('GET', '/auth/sessions'), 200)
    needs_factor(cached.call('GET', ADMIN))
    demand(cached.call('GET', '/auth/sessions'), 200)


@suite.test
def test_an_api_key_in_the_role_needs_a_factor_of_its_account():
    redis('FLUSHALL')
    demand(shop.call('GET', ADMIN, token=early_key), 401, 'UNAUTHORIZED')
    demand(shop.call('GET', '/cart', token=early_buyer_key), 200)
    for _ in range(2):
        demand(shop.call('GET', ADMIN, token=proved_key), 200)
    lone = only_admin()
    needs_factor(lone.call('POST', '/api-keys', {'name': 'A machine', 'role': 'admin', 'scope': 'write',
                                                   'password': lone.password}))
    equal(demand(lone.call('GET', '/api-keys'), 200).data, [], 'keys')


@suite.test
def test_a_role_at_refresh_needs_it():
    needs_factor(early.refresh())
    needs_factor(early.refresh('admin'))
    early.take(demand(early.refresh('buyer'), 200).data)
    demand(early.call('GET', '/cart'), 200)
    needs_factor(early.refresh('admin'))
    needs_factor(shop.call('GET', ADMIN, token=cached.token))


@suite.test
def test_a_sign_in_as_admin_needs_it():
    ann = new_admin()
    for role in ({}, {'role': 'admin'}):
        needs_factor(ann.sign_in(**role))
        needs_factor(ann.sign_in('123456', **role))
    demand(ann.sign_in(role='buyer'), 200)
    ann.enrol()
    demand(ann.sign_in(), 401)
    ann.take(demand(ann.sign_in(ann.code(1)), 200).data)
    demand(ann.call('GET', ADMIN), 200)
    ann.take(demand(ann.refresh(), 200).data)
    demand(ann.call('GET', ADMIN), 200)


@suite.test
def test_who_sets_it_up_acts_as_admin_in_that_session():
    """One that was opened before the factor: at the next refresh, or at once if it had the role."""
    ann = new_admin()
    other = demand(ann.sign_in(role='buyer'), 200).data
    ann.enrol()
    is_over(other['access_token'])
    ann.take(demand(ann.refresh('admin'), 200).data)
    demand(ann.call('GET', ADMIN), 200)
    needs_factor(early_too.call('GET', ADMIN))
    early_too.enrol()
    demand(early_too.call('GET', ADMIN), 200)


@suite.test
def test_a_session_without_the_mark_does_not_act_whatever_the_account_has():
    ann = new_admin().enrol()
    ann.take(demand(ann.sign_in(ann.code(1)), 200).data)
    demand(ann.call('GET', ADMIN), 200)
    sql("UPDATE sessions SET second_factor = false WHERE account_id = :'id'", id=ann.id)
    redis('FLUSHALL')
    needs_factor(ann.call('GET', ADMIN))
    needs_factor(ann.refresh())


@suite.test
def test_who_is_only_admin_gets_in_to_set_it_up_and_no_further():
    ann = only_admin()
    equal(demand(ann.sign_in(role='admin'), 200).data['role'], 'admin', 'the role')
    demand(ann.sign_in(role='buyer'), 403)
    for path in (ADMIN, '/admin/orders', '/seller/products', '/auth/profile', '/addresses'):
        needs_factor(ann.call('GET', path))
    needs_factor(ann.call('POST', '/categories', {'name': 'Never'}))
    needs_factor(ann.refresh())
    ann.enrol()
    demand(ann.call('GET', ADMIN), 200)
    ann.take(demand(ann.refresh(), 200).data)
    demand(ann.call('GET', ADMIN), 200)
    demand(ann.sign_in(), 401)
    lost = only_admin()
    demand(lost.call('POST', '/auth/logout'), 200)


@suite.test
def test_turning_it_off_ends_what_acts_as_admin():
    ann = new_admin().enrol()
    ann.take(demand(ann.sign_in(ann.code(1)), 200).data)
    admin = ann.token
    demand(shop.call('GET', ADMIN, token=admin), 200)
    # The same session acts as a buyer from here on; the token of before lives on.
    ann.take(demand(ann.refresh('buyer'), 200).data)
    demand(shop.call('GET', ADMIN, token=admin), 200)
    demand(ann.call('DELETE', '/auth/totp', {'password': ann.password, 'code': ann.recovery[0]}), 200)
    is_over(admin)
    is_over(ann.token)
    demand(ann.refresh(), 401)
    needs_factor(ann.sign_in())


@suite.test
def test_sokoctl_switches_it_off_and_ends_what_acts_as_admin():
    demand(shop.call('GET', ADMIN, token=proved.token), 200)
    demand(shop.call('GET', ADMIN, token=proved_key), 200)
    ctl('user', 'totp-off', '--email', proved.email)
    is_over(proved.token)
    is_over(elsewhere['access_token'])
    demand(shop.call('GET', ADMIN, token=proved_key), 401, 'UNAUTHORIZED')
    needs_factor(proved.sign_in())


@suite.test
def test_others_need_none():
    ann = Person()
    demand(ann.call('GET', '/cart'), 200)
    seller = shop.new_seller()
    demand(shop.call('GET', '/seller/products', token=seller['access_token']), 200)
    check('totp' not in shop.call('GET', ADMIN, token=ann.token).text, 'a buyer is told of factors')


suite.main()
