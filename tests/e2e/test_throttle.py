"""Tries at a name: how many reach the hash of a password, whoever sends them, and that nobody is locked out
by others.

What has reached the hash is counted by the audit log: an entry is written for each password that was hashed
and found wrong, and for no other refusal. Addresses are those of the blocks set aside for measuring, by
X-Forwarded-For; the attack is written to sockets as it is, many requests at a time.
"""
# limits: defaults
# settings: QUEUE_LIMIT=60s
# flavours: check
import collections
import itertools
import json
import os
import secrets
import signal
import threading
import time

from nginx_raw import Connection, base
from owner import ctl, pid_of, sql, sql_one, start, stop, workers
from soko import Shop, Suite, check, demand, equal, together, until

suite = Suite()
shop = Shop()
TRIES = int(ctl('config', 'LIMIT_LOGIN_ACCOUNT'))
HOUR = 3600
addresses = (f'10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}' for n in itertools.count(1))
PASSWORD = 'the owner knows it'


def word():
    return 'u' + secrets.token_hex(8)


def subscriber():
    return f'07{secrets.randbelow(10 ** 8):08d}'


def call(path, body, address=None, status=None, code=None):
    """From an address that nobody has used, if none is given."""
    a = shop.call('POST', path, body, headers={'X-Forwarded-For': address or next(addresses)})
    return a if status is None else demand(a, status, code)


def login(name, password, address=None, status=None, **more):
    by = 'email' if '@' in name else 'phone' if name.strip('+ -()').isdigit() else 'username'
    return call('/auth/login', {by: name, 'password': password, **more}, address, status)


class Owner:
    def __init__(self):
        self.email, self.phone, self.username = word() + '@example.com', subscriber(), word()
        self.id = call('/auth/register', {'email': self.email, 'phone': self.phone, 'username': self.username,
                                          'name': 'Ann', 'password': PASSWORD}, None, 201).data['id']

    def hashed(self):
        return int(sql_one("SELECT count(*) FROM audit_log WHERE event = 'account.sign_in_failed'"
                           " AND subject = :'id'::uuid AND detail::json->>'reason' = 'password'", id=self.id))

    def signed_in(self):
        return int(sql_one("SELECT count(*) FROM audit_log WHERE event = 'account.signed_in'"
                           " AND subject = :'id'::uuid", id=self.id))


def refused(answer):
    """It is 429, and says for how many seconds."""
    demand(answer, 429, 'RATE_LIMITED')
    seconds = int(answer.headers['retry-after'])
    check(str(seconds) in answer.errors[0]['message'], f'{answer!r} says another time than {seconds}')
    return seconds


def exhaust(name, password='wrong'):
    """All tries at a name, each from another address."""
    for i in range(TRIES):
        demand(login(name, password), 401)
    return refused(login(name, password))


def age(seconds):
    """All tries were made so long ago."""
    sql("UPDATE tries SET made_at = ARRAY(SELECT m - :'s'::int * interval '1 s' FROM unnest(made_at) AS m)", s=seconds)


# --- the attack -----------------------------------------------------------------------------------

class Flood:
    """Sign-ins with a wrong password from many addresses, over a few connections that stay open, a whole bunch
    on the way at a time."""
    THREADS, BUNCH = 6, 25

    def __init__(self, bodies, senders, count):
        self.work = ((bodies[i % len(bodies)], senders[i % len(senders)]) for i in range(count))
        self.count, self.lock, self.left = count, threading.Lock(), count
        self.told, self.waits, self.failure = collections.Counter(), [], None
        self.threads = [threading.Thread(target=self.run) for _ in range(self.THREADS)]

    def __enter__(self):
        self.began = time.monotonic()
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        for t in self.threads:
            t.join()
        self.seconds = time.monotonic() - self.began
        if self.failure:
            raise self.failure
        equal(sum(self.told.values()), self.count, 'answers')

    def half_way(self):
        until(lambda: self.failure or self.left < self.count // 2, 'half of the attack', 120)

    def run(self):
        try:
            while True:
                with self.lock:
                    mine = list(itertools.islice(self.work, 20 * self.BUNCH))
                if not mine:
                    return
                with Connection() as c:
                    stream = c.s.makefile('rb')
                    for i in range(0, len(mine), self.BUNCH):
                        self.bunch(c.s, stream, mine[i:i + self.BUNCH])
        except Exception as e:
            self.failure = e

    def bunch(self, out, stream, some):
        out.sendall(b''.join(
            f'POST /api/v1/auth/login HTTP/1.1\r\nHost: {base.netloc}\r\nContent-Type: application/json\r\n'
            f'X-Forwarded-For: {address}\r\nContent-Length: {len(body)}\r\n\r\n{body}'.encode()
            for body, address in some))
        told = [self.answer(stream) for _ in some]
        with self.lock:
            self.left -= len(some)
            for status, wait in told:
                self.told[status] += 1
                if status == 429:
                    self.waits.append(wait)

    @staticmethod
    def answer(stream):
        status, headers = int(stream.readline().split()[1]), {}
        while line := stream.readline().strip():
            name, _, value = line.decode('latin-1').partition(':')
            headers[name.lower()] = value.strip()
        if 'content-length' in headers:
            stream.read(int(headers['content-length']))
        else:
            while size := int(stream.readline(), 16):
                stream.read(size + 2)
            stream.readline()
        return status, int(headers.get('retry-after', 0))


SENDERS = ([f'198.18.{i % 7}.{i + 1}' for i in range(160)] +
           [f'2001:db8:{i:x}::{i + 1:x}' for i in range(40)])
ATTACK = 10000  # tries, twice


def attack(owner, words):
    """10,000 tries from 200 addresses at one account; the owner signs in from his address meanwhile."""
    home = next(addresses)
    login(owner.email, PASSWORD, home, 200)
    bodies = [json.dumps({'email': owner.email, 'password': f'guess {i}'}) for i in range(97)]
    with Flood(bodies, SENDERS, ATTACK) as flood:
        flood.half_way()
        during = login(owner.email, PASSWORD, home)
        still = flood.left
    equal(during.status, 200, f'the owner, from where he is known: {during!r}')
    check(still > 0, 'the attack was over before the owner came')
    check(min(flood.waits) >= 1, '429 without Retry-After')
    equal(set(flood.told), {401, 429}, f'answers {flood.told}')
    equal(owner.hashed(), flood.told[401], 'what was answered by 401 is what was hashed')
    print(f'# {words}: {ATTACK} tries from {len(SENDERS)} addresses in {flood.seconds:.1f} s'
          f' ({ATTACK / flood.seconds:.0f}/s): {owner.hashed()} reached the hash (LIMIT_LOGIN_ACCOUNT is {TRIES}),'
          f' {flood.told[429]} were refused; the owner signed in with {still} of them to come')
    return home


@suite.test
def test_10_000_tries_under_the_default_limits():
    owner = Owner()
    home = attack(owner, 'default limits')
    equal(owner.hashed(), TRIES, 'tries that reached the hash')
    equal(owner.signed_in(), 2, 'the owner, before and during it')
    # Who is the owner and comes from elsewhere must wait; from home he need not.
    refused(login(owner.email, PASSWORD))
    login(owner.email, PASSWORD, home, 200)


def set_limit_login(value):
    """LIMIT_LOGIN of the pool that signs in, from now on."""
    path = os.environ['SOKO_CONF']
    with open(path, encoding='utf-8') as f:
        lines = [line for line in f if not line.startswith('LIMIT_LOGIN=')]
    with open(path, 'w', encoding='utf-8') as f:
        f.writelines(lines + [f'LIMIT_LOGIN={value}\n'])
    old = workers('soko-api-hash')
    os.kill(pid_of('soko-api-hash'), signal.SIGHUP)
    until(lambda: workers('soko-api-hash') and not old & workers('soko-api-hash'), 'new workers')


@suite.test
def test_10_000_tries_with_nothing_but_the_throttle():
    owner = Owner()
    set_limit_login(0)
    try:
        attack(owner, 'LIMIT_LOGIN=0')
    finally:
        set_limit_login(10)
    equal(owner.hashed(), TRIES, 'tries that reached the hash')


@suite.test
def test_200_tries_at_once():
    owner = Owner()
    senders = [next(addresses) for _ in range(200)]
    answers = together(200, lambda i: login(owner.email, f'guess {i}', senders[i]))
    for a in answers:
        if isinstance(a, Exception):
            raise a
    equal(collections.Counter(a.status for a in answers), {401: TRIES, 429: 200 - TRIES}, 'answers')
    equal(owner.hashed(), TRIES, 'tries that reached the hash')


# --- whose tries ----------------------------------------------------------------------------------

@suite.test
def test_names_that_nobody_has_are_refused_alike():
    owner, nobody = Owner(), word() + '@example.com'
    waits = [exhaust(owner.email), exhaust(nobody)]
    check(all(HOUR - 300 < w <= HOUR for w in waits), f'Retry-After {waits}')
    here, there = login(owner.email, 'wrong'), login(nobody, 'wrong')
    equal({k for k in here.headers} ^ {k for k in there.headers}, set(), 'headers')
    equal({e['code'] for e in here.errors + there.errors}, {'RATE_LIMITED'}, 'codes')


@suite.test
def test_a_name_has_one_bucket_however_it_is_written():
    owner, digits = Owner(), None
    digits = owner.phone[1:]
    forms = {
        'email': [owner.email, owner.email.upper(), f' {owner.email.capitalize()} '],
        'phone': ['0' + digits, digits, '254' + digits, '+254' + digits, f'+254 {digits[:3]}-{digits[3:]}',
                  f'(0{digits[:3]}) {digits[3:]}'],
        'username': [owner.username, owner.username.upper(), f'{owner.username} '],
    }
    for by, ways in forms.items():
        for i in range(TRIES):
            call('/auth/login', {by: ways[i % len(ways)], 'password': 'wrong'}, None, 401)
        for way in ways:
            refused(call('/auth/login', {by: way, 'password': 'wrong'}))
    equal(owner.hashed(), 3 * TRIES, 'each name has its own')


@suite.test
def test_one_address_locks_nobody_out():
    owner, flooder = Owner(), next(addresses)
    answers = [login(owner.email, 'wrong', flooder).status for _ in range(40)]
    passed = answers.count(401)
    check(passed < TRIES, f'{passed} tries of one address passed the gate')
    equal(owner.hashed(), passed, 'what the gate refused cost no try')
    login(owner.email, PASSWORD, None, 200)


@suite.test
def test_a_success_gives_its_try_back():
    owner = Owner()
    for _ in range(TRIES + 5):
        login(owner.email, PASSWORD, None, 200)
    exhaust(owner.email)
    equal(owner.hashed(), TRIES, 'tries')


@suite.test
def test_who_knows_the_password_spends_no_tries():
    owner = Owner()
    for _ in range(TRIES + 5):
        login(owner.email, PASSWORD, None, 403, role='admin')
    sql("UPDATE accounts SET is_active = false WHERE id = :'id'", id=owner.id)
    for _ in range(TRIES + 5):
        login(owner.email, PASSWORD, None, 403)
    exhaust(owner.email)
    equal(owner.hashed(), TRIES, 'tries')


@suite.test
def test_a_known_address_has_its_own_tries_and_no_more():
    owner, home = Owner(), next(addresses)
    login(owner.email, PASSWORD, home, 200)
    exhaust(owner.email)
    refused(login(owner.email, PASSWORD))
    limit = TRIES
    set_limit_login(0)
    try:
        for _ in range(limit):
            login(owner.email, 'wrong', home, 401)
        refused(login(owner.email, PASSWORD, home))
    finally:
        set_limit_login(10)
    equal(owner.hashed(), 2 * TRIES, 'tries')
    # It is known for this account, not for others, and not for ever.
    other = Owner()
    exhaust(other.email)
    refused(login(other.email, PASSWORD, home))
    sql("UPDATE known_addresses SET last_used_at = now() - interval '31 days' WHERE account_id = :'id'", id=owner.id)
    age(HOUR)
    exhaust(owner.email)
    refused(login(owner.email, PASSWORD, home))


@suite.test
def test_a_failed_sign_in_makes_no_address_known():
    owner, stranger = Owner(), next(addresses)
    login(owner.email, 'wrong', stranger, 401)
    login(owner.email, PASSWORD, stranger, 403, role='admin')
    exhaust_rest = TRIES - 1
    for _ in range(exhaust_rest):
        login(owner.email, 'wrong', None, 401)
    refused(login(owner.email, PASSWORD, stranger))


@suite.test
def test_of_an_ipv6_address_the_network_is_known():
    owner = Owner()
    login(owner.email, PASSWORD, '2001:db8:aaaa:1::5', 200)
    login(owner.email, PASSWORD, '::ffff:192.0.2.77', 200)
    exhaust(owner.email)
    login(owner.email, PASSWORD, '2001:db8:aaaa:1:ffff:ffff:ffff:ffff', 200)
    login(owner.email, PASSWORD, '192.0.2.77', 200)
    refused(login(owner.email, PASSWORD, '2001:db8:aaaa:2::5'))
    equal(sql("SELECT network FROM known_addresses WHERE account_id = :'id' ORDER BY 1", id=owner.id),
          [['192.0.2.77'], ['2001:db8:aaaa:1::/64']], 'networks')


@suite.test
def test_who_holds_a_session_has_as_many_tries_at_its_password():
    owner = Owner()
    token = login(owner.email, PASSWORD, None, 200).data['access_token']

    def change(old):
        return shop.call('PUT', '/auth/password', {'old_password': old, 'new_password': 'another long one'}, token)

    for i in range(TRIES):
        demand(change(f'guess {i}'), 400, 'VALIDATION_ERROR')
    refused(change(PASSWORD))
    age(HOUR)
    demand(change(PASSWORD), 200)
    login(owner.email, 'another long one', None, 200)


@suite.test
def test_a_stolen_session_keeps_its_owner_from_no_remedy():
    owner = Owner()
    stolen = login(owner.email, PASSWORD, None, 200).data['access_token']
    token = login(owner.email, PASSWORD, None, 200).data['access_token']
    demand(shop.call('POST', '/auth/totp', {'password': PASSWORD}, token), 201)
    for i in range(TRIES):
        demand(shop.call('POST', '/auth/totp/confirm', {'code': f'{i:06}'}, stolen), 400, 'VALIDATION_ERROR')
        demand(shop.call('POST', '/auth/totp', {'password': f'guess {i}'}, stolen), 400, 'VALIDATION_ERROR')
    refused(shop.call('POST', '/auth/totp/confirm', {'code': '000000'}, stolen))
    refused(shop.call('POST', '/auth/totp', {'password': PASSWORD}, stolen))
    demand(shop.call('POST', '/auth/totp/confirm', {'code': '000000'}, token), 400, 'VALIDATION_ERROR')
    change = {'old_password': PASSWORD, 'new_password': 'another long one'}
    demand(shop.call('PUT', '/auth/password', change, token), 200)
    demand(shop.call('GET', '/auth/profile', token=stolen), 401)


@suite.test
def test_right_passwords_of_ones_own_do_not_keep_the_hashers_busy_for_ever():
    owner = Owner()
    token = login(owner.email, PASSWORD, None, 200).data['access_token']
    for _ in range(60):
        demand(shop.call('POST', '/auth/totp', {'password': PASSWORD}, token), 201)
    refused(shop.call('POST', '/auth/totp', {'password': PASSWORD}, token))
    refused(shop.call('DELETE', '/auth/totp', {'password': PASSWORD, 'code': '123456'}, token))
    login(owner.email, PASSWORD, None, 200)
    age(HOUR)
    demand(shop.call('POST', '/auth/totp', {'password': PASSWORD}, token), 201)


# --- for how long ---------------------------------------------------------------------------------

@suite.test
def test_retry_after_says_when():
    owner = Owner()
    for _ in range(TRIES - 1):
        login(owner.email, 'wrong', None, 401)
    age(3000)
    login(owner.email, 'wrong', None, 401)
    wait = refused(login(owner.email, PASSWORD))
    check(HOUR - 3000 - 300 < wait <= HOUR - 3000, f'Retry-After {wait}')
    age(wait)
    login(owner.email, PASSWORD, None, 200)
    for _ in range(TRIES - 1):  # the last one still counts
        login(owner.email, 'wrong', None, 401)
    refused(login(owner.email, PASSWORD))


@suite.test
def test_the_throttle_needs_no_redis():
    owner, flooder = Owner(), next(addresses)
    stop('redis')
    try:
        told = collections.Counter(login(owner.email, 'wrong', flooder).status for _ in range(TRIES + 10))
    finally:
        start('redis')
    equal(told, {401: TRIES, 429: 10}, 'answers')
    equal(owner.hashed(), TRIES, 'tries that reached the hash')


@suite.test
def test_what_is_written_down_names_nobody():
    owner = Owner()
    login(owner.email, 'wrong', None, 401)
    for table in ('tries', 'audit_log'):
        rows = str(sql(f'SELECT * FROM {table}'))
        for secret in (owner.email, owner.phone[1:], owner.username):
            check(secret not in rows, f'{table} holds a name')


suite.main()
