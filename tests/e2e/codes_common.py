"""What the tests of codes and notices share: an account with a phone and a mailbox, and what reached them."""
import re
import secrets

from money import sim
from owner import sql, sql_one
from soko import Shop, check, demand, equal, until

shop = Shop()
NOT_GOOD = 'is wrong, or no longer good: try again, or ask for a new one'


def new_password():
    return secrets.token_urlsafe(12)


class Person:
    """An account with what is asked for, signed in."""

    def __init__(self, phone=True, email=True):
        self.phone = f'+2547{secrets.randbelow(10 ** 8):08}' if phone else None
        self.email = f'ann-{secrets.token_hex(6)}@example.com' if email else None
        self.user = 'u' + secrets.token_hex(6)
        self.password = new_password()
        body = {'name': 'Ann', 'password': self.password, 'username': self.user}
        if phone:
            body['phone'] = self.phone
        if email:
            body['email'] = self.email
        self.id = demand(shop.call('POST', '/auth/register', body), 201).data['id']
        self.token = self.sign_in().data['access_token']

    def sign_in(self, password=None, status=200):
        return demand(shop.call('POST', '/auth/login', {'username': self.user,
                                                        'password': password or self.password}), status)

    def call(self, method, path, body=None, **more):
        return shop.call(method, path, body, self.token, **more)

    def profile(self):
        return demand(self.call('GET', '/auth/profile'), 200).data

    def verify(self, what, code=None, status=200):
        return demand(self.call('POST', f'/auth/verify-{what}', {} if code is None else {'code': code}), status)

    def verified(self):
        p = self.profile()
        return p['phone_verified'], p['email_verified']

    def asked(self, what):
        """A code that was sent to the phone or the e-mail, by its owner's wish."""
        before = len(codes_at(self.target(what)))
        self.verify(what)
        return code_at(self.target(what), before)

    def forgot(self, kind='email'):
        before = len(codes_at(self.target(kind)))
        demand(shop.call('POST', '/auth/forgot-password', {kind: self.name(kind)}), 200)
        return code_at(self.target(kind), before)

    def reset(self, code, kind='email', password=None):
        return shop.call('POST', '/auth/reset-password', {
            kind: self.name(kind), 'code': code, 'password': password or new_password()})

    def name(self, kind):
        return {'email': self.email, 'phone': self.phone, 'username': self.user}[kind]

    def target(self, kind):
        return self.phone if kind == 'phone' or not self.email else self.email

    def older(self, minutes=2):
        """As if the codes had been sent so long ago, and asked for."""
        sql("UPDATE one_time_codes SET created_at = created_at - :'m' * interval '1 minute', "
            "sent_since = sent_since - :'m' * interval '1 minute' WHERE account_id = :'id'",
            m=minutes, id=self.id)

    def audit(self, event):
        return [r[0] for r in sql("SELECT detail FROM audit_log WHERE subject = :'id' AND event = :'event' ORDER BY id",
                                  id=self.id, event=event)]


def told(target):
    """What has reached a number or an address."""
    kind, match = ('mail', target) if '@' in target else ('sms', target[1:])
    return [m['text'] for m in sim('GET', f'/sim/messages?kind={kind}&match={match}')]


def codes_at(target):
    return [c for t in told(target) for c in re.findall(r'(?<!\d)\d{6}(?!\d)', t)]


def code_at(target, before=0):
    return until(lambda: codes_at(target)[before:], 'a code that arrives')[-1]


def wrong(code):
    return f'{(int(code) + 1) % 10 ** 6:06}'


def not_good(answer):
    equal((demand(answer, 400, 'VALIDATION_ERROR').fields, answer.errors[0]['message']),
          (['code'], NOT_GOOD), 'the refusal')


def all_quiet():
    until(lambda: sql_one("SELECT count(*) FROM outbox WHERE parked_at IS NULL") == '0', 'an empty outbox')
