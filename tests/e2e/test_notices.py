"""What people are told when something changes in their account, and which passwords they are not let have."""
import os
import secrets
import subprocess

from codes_common import Person, all_quiet, new_password, shop, told
from owner import ctl, sql
from soko import Suite, check, demand, equal, until

suite = Suite()


# --- notices --------------------------------------------------------------------------------------

def notices(target):
    return [t for t in told(target) if 'ask for a new password' in t]


def noticed(target, words):
    until(lambda: [t for t in notices(target) if words in t], f'a notice to {target}: {words}')


@suite.test
def test_the_old_address_is_told():
    ann = Person()
    email, phone = f'new-{secrets.token_hex(6)}@example.com', f'+2547{secrets.randbelow(10 ** 8):08}'
    demand(ann.call('PUT', '/auth/profile', {'email': email, 'phone': phone}), 200)
    noticed(ann.email, 'Your e-mail address was changed.')
    noticed(ann.phone, 'Your phone number was changed.')
    demand(ann.call('PUT', '/auth/profile', {'username': 'v' + secrets.token_hex(6)}), 200)
    noticed(email, 'Your username was changed.')
    all_quiet()
    equal([len(notices(t)) for t in (ann.email, ann.phone, email, phone)], [1, 1, 1, 0], 'notices')
    equal(sorted(ann.audit('account.contact_changed')),
          ['{"what":"email"}', '{"what":"phone"}', '{"what":"username"}'], 'the log')
    ben = Person(email=False)
    demand(ben.call('PUT', '/auth/profile', {'email': f'b-{secrets.token_hex(6)}@example.com'}), 200)
    noticed(ben.phone, 'Your e-mail address was changed.')


@suite.test
def test_a_password_is_not_changed_in_secret():
    for ann in (Person(), Person(email=False)):
        demand(ann.call('PUT', '/auth/password', {'old_password': ann.password, 'new_password': new_password()}), 200)
        noticed(ann.email or ann.phone, 'Your password was changed.')
    all_quiet()
    ann = Person(phone=False, email=False)
    demand(ann.call('PUT', '/auth/password', {'old_password': ann.password, 'new_password': new_password()}), 200)
    all_quiet()


@suite.test
def test_a_new_address_is_told_of():
    ann = Person()
    ann.sign_in()
    all_quiet()
    equal(notices(ann.email), [], 'the first sign-in, and one from there again')
    sql("UPDATE known_addresses SET network = '192.0.2.1' WHERE account_id = :'id'", id=ann.id)
    ann.sign_in(new_password(), 401)
    ann.sign_in()
    noticed(ann.email, 'signed in from a new address')
    ann.sign_in()
    all_quiet()
    equal(len(notices(ann.email)), 1, 'notices')
    sql("DELETE FROM known_addresses WHERE account_id = :'id'", id=ann.id)  # all forgotten, after a month
    ann.sign_in()
    until(lambda: len(notices(ann.email)) == 2, 'another')


@suite.test
def test_a_new_key_is_told_of():
    ann = Person()
    demand(ann.call('POST', '/api-keys', {'name': 'till', 'role': 'buyer', 'scope': 'read',
                                          'password': ann.password}), 201)
    noticed(ann.email, 'An API key was created.')


@suite.test
def test_nobody_has_us_send_messages_to_others_without_end():
    ann = Person(email=False)
    number = [ann.phone, f'+2547{secrets.randbelow(10 ** 8):08}']
    for n in range(10):
        demand(ann.call('PUT', '/auth/profile', {'phone': number[(n + 1) % 2]}), 200)
    for body in ({'phone': number[1]}, {'phone': None}, {'username': 'v' + secrets.token_hex(6)}):
        a = demand(ann.call('PUT', '/auth/profile', body), 429, 'RATE_LIMITED')
        check(int(a.headers['retry-after']) > 3000, 'an hour, about')
    demand(ann.call('PUT', '/auth/profile', {'name': 'Ann W.', 'phone': number[0]}), 200)  # no change of a contact
    all_quiet()
    equal([len(notices(t)) for t in number], [5, 5], 'notices')


@suite.test
def test_nobody_passes_a_number_round_to_have_us_send_it_messages():
    number, sent = f'+2547{secrets.randbelow(10 ** 8):08}', 0
    for person in (Person(phone=False) for _ in range(3)):
        for n in range(4):
            demand(person.call('PUT', '/auth/profile', {'phone': number}), 200)
            a = person.call('PUT', '/auth/profile', {'phone': None})
            sent += a.status == 200
        if sent == 10:
            demand(a, 429, 'RATE_LIMITED')
            break
    equal(sent, 10, 'changes')
    all_quiet()
    equal(len(notices(number)), 10, 'notices')


@suite.test
def test_a_password_is_not_changed_without_end():
    ann = Person(email=False)
    change = {'old_password': ann.password, 'new_password': ann.password}
    for n in range(10):
        demand(ann.call('PUT', '/auth/password', change), 200)
    for n in range(2):
        demand(ann.call('PUT', '/auth/password', change), 429, 'RATE_LIMITED')
    all_quiet()
    equal(len(notices(ann.phone)), 10, 'notices')


# --- common passwords -----------------------------------------------------------------------------

@suite.test
def test_common_passwords_are_refused():
    ann = Person()
    user = 'u' + secrets.token_hex(6)
    for password, words in (('12345678', 'is too common'), ('PassWord1', 'is too common'), (user, 'must not be'),
                            ('Ann Wanjiru', 'must not be')):
        a = demand(shop.call('POST', '/auth/register', {'username': user, 'name': 'ann wanjiru', 'password': password}), 400)
        equal((a.fields, a.errors[0]['message'].startswith(words)), (['password'], True), f'{password}: {a!r}')
    for password, words in (('Password1', 'is too common'), (ann.email.upper(), 'must not be'),
                            ('0' + ann.phone[4:], 'must not be')):
        a = demand(ann.call('PUT', '/auth/password', {'old_password': ann.password, 'new_password': password}), 400)
        equal((a.fields, a.errors[0]['message'].startswith(words)), (['new_password'], True), f'{password}: {a!r}')
    done = subprocess.run([*os.environ['SOKO_CTL'].split(), 'user', 'create', '--username', user, '--name', 'Ann',
                           '--password-stdin'], input='Password1\n', capture_output=True, text=True, timeout=60, check=False)
    check(done.returncode != 0 and 'is too common' in done.stderr, f'sokoctl: {done}')
    ann.sign_in()


@suite.test
def test_a_list_that_cannot_be_read_stops_the_start():
    api = os.path.join(os.path.dirname(os.environ['SOKO_CTL'].split()[0]), '..', 'libexec', 'soko', 'soko-api')
    for path, status in (('/nonexistent/list', 78), ('/tmp', 78), ('', 0)):
        done = subprocess.run([api, '--config', os.environ['SOKO_CONF'], '--check'], capture_output=True, text=True,
                              env={**os.environ, 'PASSWORD_DENY_LIST': path}, timeout=60, check=False)
        equal(done.returncode, status, f'{path}: {done.stderr}')
        check(status == 0 or 'PASSWORD_DENY_LIST' in done.stderr, f'{done.stderr}')
    check(ctl('config', 'PASSWORD_DENY_LIST').strip() == '/usr/share/john/password.lst', 'the default')


suite.main()
