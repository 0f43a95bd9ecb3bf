"""One-time codes, from the shop to a hand and back: verified contacts, and forgotten passwords.

# settings: JOBS_BACKOFF=100ms JOBS_BACKOFF_MAX=200ms JOBS_MAX_ATTEMPTS=3 LIMIT_LOGIN_ACCOUNT=20 JOBS_LEASE=3s
"""
import os
import re
import secrets

from codes_common import Person, all_quiet, code_at, codes_at, new_password, not_good, shop, told, wrong
from owner import sql, sql_one, start, stop
from soko import Suite, check, demand, equal, together, until

suite = Suite()
TABLES = ('messages', 'outbox', 'one_time_codes', 'forgotten_passwords', 'audit_log', 'idempotency_keys', 'tries')
JOBS = 'jobs'


# --- verification ---------------------------------------------------------------------------------

@suite.test
def test_a_contact_is_verified_by_its_code():
    admin = shop.admin()
    for what, verified in (('phone', (True, False)), ('email', (False, True))):
        ann = Person()
        equal(ann.verified(), (False, False), 'at first')
        code = ann.asked(what)
        not_good(ann.verify(what, wrong(code), 400))
        equal(ann.verified(), (False, False), 'after a wrong one')
        ann.verify(what, code)
        equal(ann.verified(), verified, what)
        equal(ann.audit('account.contact_verified'), ['{"what":"%s"}' % what], 'the log')
        for body in (None, code, wrong(code)):
            check('already' in ann.verify(what, body).data['message'], 'once more is harmless')
        seen = demand(shop.call('GET', f'/admin/users?search={ann.user}', token=admin['access_token']), 200).data[0]
        equal((seen['phone_verified'], seen['email_verified']), verified, 'as an administrator sees it')
        equal(sql_one("SELECT count(*) FROM one_time_codes WHERE account_id = :'id' AND used_at IS NOT NULL",
                      id=ann.id), '1', 'used up')


@suite.test
def test_what_is_not_there_cannot_be_verified():
    for what, ann in (('phone', Person(phone=False)), ('email', Person(email=False))):
        for code in (None, '123456'):
            equal(ann.verify(what, code, 400).fields, [what], 'the field')


@suite.test
def test_a_malformed_code_is_no_try():
    ann = Person()
    code = ann.asked('phone')
    for bad in ('', '12345', '1234567', ' 12345', '12345a', '１２３４５６', '-12345', '12 345'):
        equal(ann.verify('phone', bad, 400).fields, ['code'], repr(bad))
    demand(ann.call('POST', '/auth/verify-phone', {'code': int(code)}), 400)
    demand(ann.call('POST', '/auth/verify-phone', {'codes': code}), 400)
    equal(sql_one("SELECT tries FROM one_time_codes WHERE account_id = :'id'", id=ann.id), '0', 'tries')
    ann.verify('phone', code)


@suite.test
def test_five_wrong_tries_end_a_code():
    ann = Person()
    code = ann.asked('email')
    for _ in range(4):
        not_good(ann.verify('email', wrong(code), 400))
    other = Person()
    last = other.asked('email')
    for _ in range(5):
        not_good(other.verify('email', wrong(last), 400))
    not_good(other.verify('email', last, 400))
    equal(other.verified(), (False, False), 'the sixth try, with the right code')
    ann.verify('email', code)
    equal(ann.verified(), (False, True), 'the fifth try, with the right code')


@suite.test
def test_parallel_tries_count_each():
    ann = Person()
    code = ann.asked('phone')
    guesses = [f'{n:06}' for n in range(24) if f'{n:06}' != code]
    for a in together(len(guesses), lambda i: ann.call('POST', '/auth/verify-phone', {'code': guesses[i]})):
        not_good(a)
    equal(sql_one("SELECT tries FROM one_time_codes WHERE account_id = :'id'", id=ann.id), '5', 'tries')
    not_good(ann.verify('phone', code, 400))


@suite.test
def test_of_parallel_uses_one_wins():
    ann = Person()
    code = ann.forgot()
    passwords = [new_password() for _ in range(8)]
    answers = together(8, lambda i: ann.reset(code, password=passwords[i]))
    won = [p for a, p in zip(answers, passwords) if a.status == 200]
    equal(len(won), 1, f'winners of {answers}')
    for a in answers:
        if a.status != 200:
            not_good(a)
    ann.sign_in(won[0])
    equal(len(ann.audit('account.password_reset')), 1, 'resets')
    ben = Person()
    code = ben.asked('phone')
    for a in together(8, lambda i: ben.call('POST', '/auth/verify-phone', {'code': code})):
        demand(a, 200)
    equal(len(ben.audit('account.contact_verified')), 1, 'verifications')


@suite.test
def test_a_code_belongs_to_purpose_account_and_target():
    ann, ben = Person(), Person()
    phone, email, forgotten = ann.asked('phone'), ann.asked('email'), ann.forgot()
    for code in {phone, email} - {forgotten}:
        not_good(ann.reset(code))
    for code in {email, forgotten} - {phone}:
        not_good(ann.verify('phone', code, 400))
    ben.asked('phone')
    sql("UPDATE one_time_codes b SET code_mac = a.code_mac FROM one_time_codes a WHERE b.account_id = :'ben' "
        "AND a.account_id = :'ann' AND a.purpose = b.purpose", ann=ann.id, ben=ben.id)
    not_good(ben.verify('phone', phone, 400))
    sql("UPDATE one_time_codes SET purpose = 'reset_password' WHERE account_id = :'id'", id=ben.id)
    not_good(ben.reset(phone, 'phone'))
    ann.verify('phone', phone)
    ann.verify('email', email)
    demand(ann.reset(forgotten), 200)


@suite.test
def test_a_change_unverifies_and_ends_the_code():
    ann = Person()
    code = ann.asked('email')
    old, new = ann.email, f'new-{secrets.token_hex(6)}@example.com'
    demand(ann.call('PUT', '/auth/profile', {'email': new}), 200)
    not_good(ann.verify('email', code, 400))
    demand(ann.call('PUT', '/auth/profile', {'email': old}), 200)
    ann.verify('email', code)  # where it was sent to, again
    for same in ({'email': old}, {'email': old.upper()}, {'name': 'Ann W.'}, {'phone': '0' + ann.phone[4:]}):
        equal(demand(ann.call('PUT', '/auth/profile', same), 200).data['email_verified'], True, f'{same}')
    equal(len(ann.audit('account.contact_changed')), 2, 'changes')
    equal(demand(ann.call('PUT', '/auth/profile', {'email': new}), 200).data['email_verified'], False, 'a new one')
    equal(demand(ann.call('PUT', '/auth/profile', {'email': old}), 200).data['email_verified'], False, 'and back')
    phone = ann.asked('phone')
    ann.verify('phone', phone)
    gone = demand(ann.call('PUT', '/auth/profile', {'phone': None, 'email': new}), 200).data
    equal((gone['phone'], gone['phone_verified'], gone['email_verified']), (None, False, False), 'removed')
    # A code that waits for a new password ends with the address that it went to.
    ben = Person()
    code = ben.forgot()
    demand(ben.call('PUT', '/auth/profile', {'email': f'b-{secrets.token_hex(6)}@example.com'}), 200)
    not_good(ben.reset(code, 'username'))
    not_good(ben.reset(code, 'phone'))


@suite.test
def test_a_code_grows_old():
    ann = Person()
    codes = [(ann.asked('phone'), lambda c: ann.call('POST', '/auth/verify-phone', {'code': c})),
             (ann.forgot(), ann.reset)]
    sql("UPDATE one_time_codes SET expires_at = now() WHERE account_id = :'id'", id=ann.id)
    for code, use in codes:
        not_good(use(code))
    ann.older()
    ann.verify('phone', ann.asked('phone'))


@suite.test
def test_a_new_code_replaces_the_old():
    ann = Person()
    first = ann.asked('phone')
    for _ in range(4):
        not_good(ann.verify('phone', wrong(first), 400))
    ann.older()
    second = ann.asked('phone')
    if first != second:
        not_good(ann.verify('phone', first, 400))
    ann.verify('phone', second)


@suite.test
def test_codes_are_sent_now_and_then():
    ann = Person()

    def refused(most):
        a = demand(ann.call('POST', '/auth/verify-phone', {}), 429, 'RATE_LIMITED')
        check(0 < int(a.headers['retry-after']) <= most, f'Retry-After: {a.headers["retry-after"]}')

    for _ in range(5):
        ann.asked('phone')
        refused(3600)
        ann.older(minutes=1)
    refused(3600)
    check(int(demand(ann.call('POST', '/auth/verify-phone', {}), 429).headers['retry-after']) > 60, 'an hour is over')
    ann.asked('email')  # another kind
    refused(3600)
    ann.older(minutes=60)
    ann.asked('phone')
    equal(len(codes_at(ann.phone)), 6, 'codes that came')
    # Parallel wishes are one.
    ben = Person()
    answers = together(8, lambda i: ben.call('POST', '/auth/verify-email', {}))
    equal(sorted(a.status for a in answers), [200] + [429] * 7, 'answers')


# --- forgotten passwords --------------------------------------------------------------------------

def bare(answer):
    """All that could tell somebody something: but for the request's own id, and the time."""
    headers = {k: v for k, v in answer.headers.items() if k not in ('date', 'x-request-id')}
    meta = answer.json['meta']
    return answer.status, headers, answer.text.replace(meta['request_id'], 'ID').replace(meta['timestamp'], 'NOW')


def all_alike(answers):
    for label, a in answers.items():
        equal(bare(a), bare(next(iter(answers.values()))), label)


@suite.test
def test_a_forgotten_password():
    for kind, ann in (('email', Person()), ('phone', Person()), ('username', Person()),
                      ('username', Person(email=False))):
        other = ann.sign_in().data
        code, password = ann.forgot(kind), new_password()
        not_good(ann.reset(wrong(code), kind))
        demand(ann.reset(code, kind, password), 200)
        for session in (ann.token, other['access_token']):
            demand(shop.call('GET', '/auth/profile', token=session), 401)
        demand(shop.call('POST', '/auth/refresh', {'refresh_token': other['refresh_token']}), 401)
        ann.sign_in(status=401)
        ann.token = ann.sign_in(password).data['access_token']
        not_good(ann.reset(code, kind))
        equal(ann.audit('account.password_reset'), ['{}'], 'the log')
        equal(len(codes_at(ann.target(kind))), 1, 'where it was sent')
        until(lambda: [t for t in told(ann.email or ann.phone) if 'password was reset' in t], 'the notice')


@suite.test
def test_a_stolen_session_is_no_way_to_a_new_password():
    ann, mine, phone = Person(), f'eve-{secrets.token_hex(6)}@example.com', f'+2547{secrets.randbelow(10 ** 8):08}'
    demand(ann.call('PUT', '/auth/profile', {'email': mine, 'phone': phone}), 200)
    ann.verify('email')
    verified = code_at(mine)
    ann.verify('email', verified)
    for kind, name in (('email', mine), ('phone', phone), ('username', ann.user)):
        demand(shop.call('POST', '/auth/forgot-password', {kind: name}), 200)
    all_quiet()
    equal((codes_at(mine), codes_at(phone)), ([verified], []), 'codes for a new password')
    sql("UPDATE accounts SET email_set_at = email_set_at - interval '24 hours' WHERE id = :'id'", id=ann.id)
    demand(shop.call('POST', '/auth/forgot-password', {'username': ann.user}), 200)
    code_at(mine, 1)


@suite.test
def test_who_asks_learns_nothing():
    known, gone = Person(), Person()
    sql("UPDATE accounts SET is_active = false WHERE id = :'id'", id=gone.id)
    nobody = {'email': f'x-{secrets.token_hex(6)}@example.com', 'phone': f'+2547{secrets.randbelow(10 ** 8):08}',
              'username': 'x' + secrets.token_hex(6)}
    all_quiet()
    stop(JOBS)
    try:
        for kind in ('email', 'phone', 'username'):
            names = {'known': known.name(kind), 'unknown': nobody[kind], 'deactivated': gone.name(kind)}
            all_alike({label: demand(shop.call('POST', '/auth/forgot-password', {kind: name}), 200)
                       for label, name in names.items()})
            for label, name in names.items():
                equal(sql("SELECT o.event, o.consumer FROM forgotten_passwords f JOIN outbox o ON o.subject = f.id "
                          "WHERE f.kind = :'kind' AND f.name = :'name'", kind=kind, name=name),
                      [['password.forgotten', 'reset_send']], f'what is written for {label}')
    finally:
        start(JOBS)
    all_quiet()
    equal(sql_one('SELECT count(*) FROM forgotten_passwords'), '0', 'names that are kept')
    equal([len(codes_at(t)) for t in (known.email, known.phone, gone.email, gone.phone, nobody['email'], nobody['phone'])],
          [1, 0, 0, 0, 0, 0], 'one code, for three wishes within a minute')


@suite.test
def test_a_reset_is_refused_alike():
    right, used, old, tired, gone = (Person() for _ in range(5))
    codes = {p: p.forgot() for p in (right, used, old, tired, gone)}
    demand(used.reset(codes[used]), 200)
    sql("UPDATE one_time_codes SET expires_at = now() WHERE account_id = :'id'", id=old.id)
    for _ in range(5):
        tired.reset(wrong(codes[tired]))
    sql("UPDATE accounts SET is_active = false WHERE id = :'id'", id=gone.id)
    none = Person()
    stranger = {'email': f'x-{secrets.token_hex(6)}@example.com', 'code': '123456', 'password': new_password()}
    all_alike({'wrong': right.reset(wrong(codes[right])), 'used': used.reset(codes[used]),
               'old': old.reset(codes[old]), 'exhausted': tired.reset(codes[tired]),
               'deactivated': gone.reset(codes[gone]), 'none was sent': none.reset('123456'),
               'unknown': shop.call('POST', '/auth/reset-password', stranger)})
    equal(right.audit('account.sign_in_failed'), ['{"reason":"reset_code"}'], 'the log')
    demand(right.reset(codes[right]), 200)


@suite.test
def test_tries_are_counted_by_name():
    ann = Person()
    for path, body, most in (('forgot-password', {}, 5),
                             ('reset-password', {'code': '123456', 'password': new_password()}, 20)):
        last = {}
        for label, name in (('known', ann.email), ('unknown', f'x-{secrets.token_hex(6)}@example.com')):
            answers = [shop.call('POST', f'/auth/{path}', {'email': name, **body}) for _ in range(most + 1)]
            equal([a.status for a in answers[:-1]], [answers[0].status] * most, label)
            last[label] = demand(answers[-1], 429, 'RATE_LIMITED')
            check(0 < int(last[label].headers['retry-after']) <= 3600, 'Retry-After')
    ann.sign_in()


@suite.test
def test_a_reset_says_what_is_wrong_with_its_body():
    for path, more in (('forgot-password', {}), ('reset-password', {'code': '123456', 'password': new_password()})):
        for body, fields in (({}, ['email']), ({'email': 'none'}, ['email']), ({'phone': '12'}, ['phone']),
                             ({'email': 'a@example.com', 'phone': '0712345678'}, ['email']),
                             ({'username': 'ann', 'role': 'admin'}, ['role'])):
            equal(demand(shop.call('POST', f'/auth/{path}', {**body, **more}), 400, 'VALIDATION_ERROR').fields, fields,
                  f'{path} {body}')
    equal(demand(shop.call('POST', '/auth/reset-password', {}), 400).fields, ['email', 'code', 'password'], 'nothing')
    ann = Person()
    code = ann.forgot()
    for password, words in (('short', 'must have at least 8 characters'), ('password1', 'is too common'),
                            (ann.email, 'must not be'), (ann.phone, 'must not be'), ('0' + ann.phone[4:], 'must not be'),
                            (ann.user.upper(), 'must not be')):
        a = demand(ann.reset(code, password=password), 400, 'VALIDATION_ERROR')
        equal(a.fields, ['password'], password)
        check(a.errors[0]['message'].startswith(words), f'{a!r}')
    demand(ann.reset(code), 200)  # none of them used it up


@suite.test
def test_a_new_password_ends_a_code_that_waits():
    ann = Person()
    code = ann.forgot()
    demand(ann.call('PUT', '/auth/password', {'old_password': ann.password, 'new_password': new_password()}), 200)
    not_good(ann.reset(code))


# --- where a code is, and where it is not ---------------------------------------------------------

def rows_of_all_tables():
    return '\n'.join(r[0] for t in TABLES for r in sql(f'SELECT row_to_json(t)::text FROM {t} t'))


def has(text, code):
    """As a text of its own: not in the middle of an id, a digest, or the fraction of a second; and no
    member that is a number (a duration, a process), which may be any."""
    text = re.sub(r'"[\w.@]+":\d+|\[\d+\]|\bpid \d+', '', text)
    return re.search(rf'(?<![0-9a-f.]){code}(?![0-9a-f])', text) is not None


@suite.test
def test_a_code_is_nowhere_but_in_its_message():
    ann = Person()
    all_quiet()
    stop(JOBS)
    try:
        ann.verify('phone')
        ann.verify('email')
        waiting = rows_of_all_tables()
        equal(sql_one("SELECT count(*) FROM messages WHERE account_id = :'id' AND sealed_params IS NOT NULL",
                      id=ann.id), '2', 'sealed')
    finally:
        start(JOBS)
    codes = [code_at(ann.phone), code_at(ann.email), ann.forgot()]
    all_quiet()
    ann.verify('phone', codes[0])
    demand(ann.reset(codes[2]), 200)
    sent = rows_of_all_tables()
    equal(sql_one("SELECT count(*) FROM messages WHERE sealed_params IS NOT NULL"), '0', 'sealed, when all is sent')
    folder = os.path.join(os.environ['SOKO_STATE'], 'log')
    logs = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding='utf-8', errors='replace') as f:
            logs[name] = f.read()
    check(has('{"code":"012345"}', '012345') and has('012345 is your code', '012345'), 'this test finds nothing')
    for code in codes:
        for where, text in {'waiting': waiting, 'sent': sent, **logs}.items():
            if not where.startswith('sim'):
                check(not has(text, code), f'a code in {where}')


@suite.test
def test_a_late_code_is_not_sent():
    ann = Person()
    all_quiet()
    stop(JOBS)
    try:
        ann.verify('phone')
        demand(shop.call('POST', '/auth/forgot-password', {'email': ann.email}), 200)
        sql("UPDATE messages SET send_until = now() WHERE account_id = :'id' AND template = 'verify'", id=ann.id)
        sql("UPDATE forgotten_passwords SET created_at = now() - interval '11 minutes'")
    finally:
        start(JOBS)
    all_quiet()
    equal(sql("SELECT status, failure, sealed_params IS NULL FROM messages WHERE account_id = :'id' AND template = 'verify'",
              id=ann.id), [['failed', 'late', 't']], 'the message')
    equal((codes_at(ann.phone), codes_at(ann.email)), ([], []), 'what arrived')


@suite.test
def test_what_is_sealed_opens_in_its_own_row_alone():
    ann, ben = Person(), Person()
    all_quiet()
    stop(JOBS)
    try:
        ann.verify('phone')
        ben.verify('phone')
        sql("UPDATE messages m SET sealed_params = o.sealed_params FROM messages o WHERE m.template = 'verify' "
            "AND o.template = 'verify' AND m.account_id = :'ann' AND o.account_id = :'ben'", ann=ann.id, ben=ben.id)
    finally:
        start(JOBS)
    code_at(ben.phone)
    until(lambda: sql_one("SELECT count(*) FROM outbox o JOIN messages m ON m.id = o.subject "
                          "WHERE m.account_id = :'id' AND parked_at IS NOT NULL", id=ann.id) == '1', 'a parked delivery')
    equal(codes_at(ann.phone), [], 'what arrived')
    sql("DELETE FROM outbox WHERE parked_at IS NOT NULL")
    sql("UPDATE messages SET sealed_params = NULL WHERE account_id = :'id'", id=ann.id)


suite.main()
