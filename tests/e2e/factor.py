"""The other side of a second factor: an authenticator app, and somebody who has one.

No test waits for a step of 30 seconds: an app may be ahead by one, and last_step can be set back.
"""
import base64
import hmac
import time

from owner import sql, sql_one
from soko import Shop, demand

shop = Shop()
STEP = 30


def code_of(secret, ahead=0, at=None):
    """RFC 6238 with SHA-1 and six digits, in so many steps from now."""
    step = int((time.time() if at is None else at) // STEP) + ahead
    mac = hmac.new(base64.b32decode(secret), step.to_bytes(8, 'big'), 'sha1').digest()
    at = mac[-1] & 15
    return f'{(int.from_bytes(mac[at:at + 4], "big") & 0x7fffffff) % 10**6:06}'


def no_code_of(secret):
    """One that fits no step around now."""
    good = {code_of(secret, ahead) for ahead in range(-3, 5)}
    return next(c for c in (f'{n:06}' for n in range(20)) if c not in good)


class Person:
    """An account, signed in, whose factor can be set up."""

    def __init__(self, name='Ann', role=None):
        me = shop.sign_up(name)
        self.id, self.email, self.password = me['user']['id'], me['email'], me['password']
        self.secret, self.recovery = None, []
        if role:
            self.hold(role)
        self.take(demand(self.sign_in(), 200).data if role else me)

    def take(self, session):
        self.token, self.refresh_token = session['access_token'], session['refresh_token']

    def hold(self, role):
        sql("INSERT INTO account_roles (account_id, role) VALUES (:'id', :'role')", id=self.id, role=role)

    def call(self, method, path, body=None, **more):
        return shop.call(method, path, body, self.token, **more)

    def sign_in(self, code=None, **more):
        body = {'email': self.email, 'password': self.password, **more}
        if code is not None:
            body['totp_code'] = code
        return shop.call('POST', '/auth/login', body)

    def refresh(self, role=None):
        body = {'refresh_token': self.refresh_token}
        if role:
            body['role'] = role
        return shop.call('POST', '/auth/refresh', body)

    def begin(self):
        made = demand(self.call('POST', '/auth/totp', {'password': self.password}), 201).data
        self.secret = made['secret']
        return made

    def confirm(self, code=None):
        return self.call('POST', '/auth/totp/confirm', {'code': code or self.code()})

    def enrol(self):
        self.begin()
        self.recovery = demand(self.confirm(), 200).data['recovery_codes']
        return self

    def code(self, ahead=0):
        return code_of(self.secret, ahead)

    def fresh(self):
        """A code that is good now, whatever was taken before."""
        sql("UPDATE second_factors SET last_step = 0 WHERE account_id = :'id'", id=self.id)
        return self.code()

    def audited(self, event):
        return int(sql_one("SELECT count(*) FROM audit_log WHERE subject = :'id' AND event = :'event'",
                           id=self.id, event=event))

    def told(self, words):
        """How many messages that say this wait for him, or were sent."""
        return int(sql_one("""SELECT count(*) FROM messages WHERE account_id = :'id' AND template = 'notice'
                              AND params::text LIKE '%' || :'words' || '%'""", id=self.id, words=words))
