"""Signing in while something else happens: what was checked is looked at again before a session opens.

The moment between the two is made by a lock on the account that somebody holds (owner.Held), never by waiting.
"""
# settings: LIMIT_LOGIN_ACCOUNT=1000 JOBS_POLL=1h JOBS_SWEEP=1d
import crypt
import json
import os
import secrets
import threading

from owner import Held, sql, sql_one
from soko import Shop, Suite, check, demand, equal, until

suite = Suite()
shop = Shop()
OLD, NEW = 'the password of before', 'the password from now on'


def yescrypt(password):
    return crypt.crypt(password, '$y$j75$abcdefghijklmnopqrstu.')


def bcrypt(password, cost=4):
    return crypt.crypt(password, f'$2b${cost:02}$abcdefghijklmnopqrstu.')


class Owner:
    def __init__(self, **more):
        self.email = f'u{secrets.token_hex(8)}@example.com'
        body = {'email': self.email, 'password': OLD, 'name': 'Ann', **more}
        self.id = demand(shop.call('POST', '/auth/register', body), 201).data['id']

    def login(self, password=OLD, **more):
        return shop.call('POST', '/auth/login', {'email': self.email, 'password': password, **more})

    def login_behind(self, change, then=Held.commit, password=OLD, **values):
        """The answer to a sign-in that has checked the password, and finds the account locked by `change`."""
        answer = []
        with Held(change, id=self.id, **values) as held:
            t = threading.Thread(target=lambda: answer.append(self.login(password)))
            t.start()
            held.wait_for(1)
            then(held)
            t.join()
        return answer[0]

    def sessions(self):
        return int(sql_one("SELECT count(*) FROM sessions WHERE account_id = :'id' AND ended_at IS NULL", id=self.id))

    def failures(self):
        return [r[0] for r in sql("SELECT detail::json->>'reason' FROM audit_log WHERE subject = :'id'::uuid"
                                  " AND event = 'account.sign_in_failed' ORDER BY id", id=self.id)]

    def scheme(self):
        return sql_one("SELECT password_scheme FROM accounts WHERE id = :'id'", id=self.id)

    def set_hash(self, value):
        sql("UPDATE accounts SET password_hash = :'hash' WHERE id = :'id'", id=self.id, hash=value)


SET_HASH = "UPDATE accounts SET password_hash = :'hash' WHERE id = :'id'"


@suite.test
def hole_47_nobody_learns_whether_an_account_exists():
    """The words, the headers and the status are those of an unknown name, whatever is wrong; the work is
    integration/test_secret.c's, and ./dev bench signin's."""
    wrong, imported, inactive = Owner(), Owner(), Owner()
    imported.set_hash(bcrypt(OLD, 5))
    sql("UPDATE accounts SET is_active = false WHERE id = :'id'", id=inactive.id)
    nobody = shop.call('POST', '/auth/login', {'email': f'u{secrets.token_hex(8)}@example.com', 'password': 'guess'})
    for name, who in (('wrong', wrong), ('imported', imported), ('deactivated', inactive)):
        for more in ({}, {'role': 'admin'}, {'totp_code': '123456'}):
            a = demand(who.login('guess', **more), 401, 'UNAUTHORIZED')
            equal(json.dumps(a.errors), json.dumps(nobody.errors), f'words: {name}, {more}')
            equal(set(a.headers), set(nobody.headers), f'headers: {name}, {more}')
    equal(imported.scheme(), '$2b$05$', 'a wrong password hashes nothing anew')


@suite.test
def a_password_that_changes_meanwhile_ends_the_sign_in():
    ann = Owner()
    demand(ann.login_behind(SET_HASH, hash=yescrypt(NEW)), 401, 'UNAUTHORIZED')
    equal((ann.sessions(), ann.failures()), (0, ['password']), 'sessions and failures')
    demand(ann.login(), 401)
    demand(ann.login(NEW), 200)


@suite.test
def a_change_that_is_taken_back_ends_nothing():
    ann = Owner()
    demand(ann.login_behind(SET_HASH, then=Held.rollback, hash=yescrypt(NEW)), 200)
    equal((ann.sessions(), ann.failures()), (1, []), 'sessions and failures')


@suite.test
def an_imported_hash_that_changes_meanwhile_is_not_hashed_anew():
    ann = Owner()
    ann.set_hash(bcrypt(OLD))
    demand(ann.login_behind(SET_HASH, hash=bcrypt(NEW)), 401)
    equal((ann.sessions(), ann.scheme()), (0, '$2b$04$'), 'sessions and scheme')
    demand(ann.login(), 401)
    demand(ann.login(NEW), 200)
    equal(ann.scheme(), '$y$j75$', 'now it is')


@suite.test
def two_first_sign_ins_at_once_both_pass():
    """The one that is faster hashes the password anew; for the other it is another hash, and no other password."""
    ann = Owner()
    ann.set_hash(bcrypt(OLD))
    fresh = yescrypt(OLD)
    demand(ann.login_behind(SET_HASH, hash=fresh), 200)
    equal(sql_one("SELECT password_hash FROM accounts WHERE id = :'id'", id=ann.id), fresh, 'the hash of the first')
    equal((ann.sessions(), ann.failures()), (1, []), 'sessions and failures')


@suite.test
def who_is_deactivated_meanwhile_gets_no_session():
    ann = Owner()
    demand(ann.login_behind("UPDATE accounts SET is_active = false WHERE id = :'id'"), 403, 'FORBIDDEN')
    equal((ann.sessions(), ann.failures()), (0, ['deactivated']), 'sessions and failures')


@suite.test
def a_role_that_is_taken_meanwhile_is_not_acted_in():
    ann = Owner()
    sql("INSERT INTO account_roles (account_id, role) VALUES (:'id', 'admin')", id=ann.id)
    equal(demand(ann.login(), 200).data['role'], 'admin', 'before')
    a = demand(ann.login_behind("SELECT FROM accounts WHERE id = :'id' FOR UPDATE;"
                                "DELETE FROM account_roles WHERE account_id = :'id' AND role = 'admin'"), 200)
    equal(a.data['role'], 'buyer', 'the role')


@suite.test
def an_account_that_goes_meanwhile_is_unknown():
    ann = Owner()
    demand(ann.login_behind("DELETE FROM account_roles WHERE account_id = :'id';"
                            "DELETE FROM messages WHERE account_id = :'id'; DELETE FROM accounts WHERE id = :'id'"), 401)


def spent():
    """Tries of all names that are not given back."""
    return int(sql_one('SELECT coalesce(sum(cardinality(made_at)), 0) FROM tries'))


@suite.test
def a_worker_that_dies_leaves_no_transaction_and_no_half_session():
    """At the first COMMIT, and between the two: no session, no lock; the try is spent once it is committed."""
    for point, tries in (('before_commit', 0), ('after_call', 1)):
        ann, before = Owner(), spent()
        path = os.path.join(os.environ['SOKO_FAULT_DIR'], point)
        with open(path, 'w', encoding='ascii'):
            pass
        demand(ann.login(), 503, 'SERVICE_UNAVAILABLE')
        check(not os.path.exists(path), f'nobody died at {point}')
        until(lambda: sql("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'") == [['0']],
              f'no transaction is left open at {point}')
        equal((ann.sessions(), spent() - before), (0, tries), f'sessions and tries after a death at {point}')
        demand(ann.login(), 200)
        equal((ann.sessions(), spent() - before), (1, tries), f'sessions and tries once signed in, {point}')


@suite.test
def no_transaction_is_open_while_a_password_is_hashed():
    """The first step commits before the second begins: the try can be seen while the account is still waited for."""
    ann, before, answer = Owner(), spent(), []
    with Held("SELECT FROM accounts WHERE id = :'id' FOR UPDATE", id=ann.id) as held:
        t = threading.Thread(target=lambda: answer.append(ann.login()))
        t.start()
        held.wait_for(1)
        equal(spent() - before, 1, 'tries that can be seen')
        held.commit()
        t.join()
    demand(answer[0], 200)
    equal(spent() - before, 0, 'it is given back')


suite.main()
