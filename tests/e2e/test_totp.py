"""The second factor: set up, shown at sign-in, used once, limited, removed, and kept out of sight.

An account may fail eight times an hour here; each test has accounts of its own.
"""
# settings: LIMIT_LOGIN_ACCOUNT=8
import base64
import hashlib
import json
import os
import re
import subprocess
from urllib.parse import parse_qs, unquote, urlsplit

from factor import Person, code_of, no_code_of, shop
from owner import ctl, redis, sql, sql_one
from soko import Failed, Suite, check, demand, equal, together, until

suite = Suite()
TRIES = 8
RECOVERY = re.compile(r'[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}')
PG_DUMP = '/usr/lib/postgresql/15/bin/pg_dump'


def demanded(answer):
    """It is the 401 that asks for a code. Its words."""
    demand(answer, 401, 'UNAUTHORIZED')
    equal(answer.errors[0].get('details'), {'totp_required': True}, 'details')
    return answer.errors[0]['message']


def is_over(token):
    demand(shop.call('GET', '/auth/sessions', token=token), 401, 'UNAUTHORIZED')


def lives(token):
    demand(shop.call('GET', '/auth/sessions', token=token), 200)


def shown(person):
    return demand(person.call('GET', '/auth/totp'), 200).data


# --- setting it up --------------------------------------------------------------------------------

@suite.test
def test_a_factor_holds_once_a_code_has_confirmed_it():
    ann = Person()
    off = {'is_enabled': False, 'enabled_at': None, 'recovery_codes_left': 0}
    equal(shown(ann), off, 'before')
    made = ann.begin()
    equal(len(base64.b32decode(made['secret'])), 20, 'bytes of the secret')
    equal(shown(ann), off, 'unconfirmed')
    demand(ann.sign_in(), 200)
    wrong = demand(ann.confirm(no_code_of(ann.secret)), 400, 'VALIDATION_ERROR')
    equal(wrong.fields, ['code'], 'field')
    equal(shown(ann), off, 'after a wrong code')
    codes = demand(ann.confirm(), 200).data['recovery_codes']
    equal(len(set(codes)), 10, 'recovery codes')
    check(all(RECOVERY.fullmatch(c) for c in codes), f'their look: {codes[0]}')
    now = shown(ann)
    equal((now['is_enabled'], now['recovery_codes_left']), (True, 10), 'after')
    check(now['enabled_at'].endswith('Z'), 'since when')
    demanded(ann.sign_in())
    demand(ann.sign_in(ann.code(1)), 200)
    equal(ann.audited('account.totp_enabled'), 1, 'audit entries')
    equal(ann.told('second factor was switched on'), 1, 'notices')


@suite.test
def test_the_url_is_what_apps_read():
    ann = Person()
    sql("UPDATE accounts SET email = :'email' WHERE id = :'id'", id=ann.id, email=f'a+%&?#{ann.email}')
    made = ann.begin()
    url = urlsplit(made['otpauth_url'])
    equal((url.scheme, url.netloc, url.fragment), ('otpauth', 'totp', ''), 'its parts')
    equal(unquote(url.path), f'/Soko:a+%&?#{ann.email}', 'the label')
    equal(url.path.count(':'), 1, 'colons')
    equal(parse_qs(url.query, strict_parsing=True),
          {'secret': [made['secret']], 'issuer': ['Soko'], 'algorithm': ['SHA1'], 'digits': ['6'],
           'period': ['30']}, 'the rest')


@suite.test
def test_beginning_again_replaces_what_was_not_confirmed():
    ann = Person()
    first = ann.begin()['secret']
    second = ann.begin()['secret']
    check(first != second, 'the same secret twice')
    demand(ann.confirm(code_of(first)), 400, 'VALIDATION_ERROR')
    demand(ann.confirm(), 200)
    demand(ann.call('POST', '/auth/totp', {'password': ann.password}), 409, 'CONFLICT')
    demand(ann.confirm(ann.code(1)), 404, 'NOT_FOUND')
    equal(sql_one("SELECT count(*) FROM second_factors WHERE account_id = :'id'", id=ann.id), '1', 'rows')


@suite.test
def test_nothing_can_be_confirmed_that_was_not_begun():
    ann = Person()
    demand(ann.confirm('000000'), 404, 'NOT_FOUND')
    equal(demand(ann.call('POST', '/auth/totp/confirm', {}), 400).fields, ['code'], 'fields')
    equal(demand(ann.call('POST', '/auth/totp', {}), 400).fields, ['password'], 'fields')


@suite.test
def test_a_stolen_session_sets_nothing_up_and_cannot_guess():
    ann = Person()
    for _ in range(TRIES):
        wrong = demand(ann.call('POST', '/auth/totp', {'password': 'not it at all'}), 400,
                       'VALIDATION_ERROR')
        equal(wrong.fields, ['password'], 'field')
    refused = demand(ann.call('POST', '/auth/totp', {'password': ann.password}), 429, 'RATE_LIMITED')
    check(int(refused.headers['retry-after']) > 0, 'Retry-After')
    equal(sql_one("SELECT count(*) FROM second_factors WHERE account_id = :'id'", id=ann.id), '0', 'rows')
    equal(ann.audited('account.proof_failed'), TRIES, 'audit entries')
    # The right ones cost nothing.
    ben = Person('Ben')
    for _ in range(2 * TRIES):
        ben.begin()


@suite.test
def test_the_password_cannot_be_guessed_where_it_is_asked_again():
    """The tries of all such places are one account's."""
    ann = Person().enrol()
    places = (lambda p: ann.call('PUT', '/auth/password', {'old_password': p, 'new_password': 'a brand new secret'}),
              lambda p: ann.call('DELETE', '/auth/totp', {'password': p, 'code': ann.recovery[0]}),
              lambda p: ann.call('POST', '/auth/totp/recovery-codes', {'password': p, 'code': ann.recovery[0]}))
    for i in range(TRIES):
        demand(places[i % 3]('not it at all'), 400, 'VALIDATION_ERROR')
    for place in places:
        demand(place(ann.password), 429, 'RATE_LIMITED')
    # A right one costs nothing, whatever else is wrong.
    ben = Person('Ben')
    for _ in range(2 * TRIES):
        demand(ben.call('DELETE', '/auth/totp', {'password': ben.password, 'code': '123456'}), 404)
        demand(ben.call('PUT', '/auth/password', {'old_password': ben.password, 'new_password': ben.email}), 400)
    ben.enrol()
    for _ in range(2 * TRIES):
        demand(ben.call('POST', '/auth/totp', {'password': ben.password}), 409)


@suite.test
def test_turning_it_on_ends_the_other_sessions():
    ann = Person()
    other = demand(ann.sign_in(), 200).data
    lives(other['access_token'])
    sql("INSERT INTO known_addresses (account_id, network) VALUES (:'id', '198.51.100.7')", id=ann.id)
    ann.enrol()
    is_over(other['access_token'])
    demand(shop.call('POST', '/auth/refresh', {'refresh_token': other['refresh_token']}), 401)
    lives(ann.token)
    equal(sql("SELECT second_factor FROM sessions WHERE account_id = :'id' AND ended_at IS NULL",
              id=ann.id), [['t']], 'the session that is left, and its mark')
    equal(sql_one("SELECT count(*) FROM known_addresses WHERE account_id = :'id' AND network = '198.51.100.7'",
                  id=ann.id), '0', 'addresses known from before')


@suite.test
def test_who_signs_in_meanwhile_has_shown_it_or_is_out():
    """A sign-in by password alone that races with the confirmation leaves no session."""
    for _ in range(8):
        ann = Person()
        ann.begin()
        results = together(4, lambda i, a=ann: a.confirm() if i == 0 else a.sign_in())
        demand(results[0], 200)
        for a in results[1:]:
            if a.status == 200:
                is_over(a.data['access_token'])
            else:
                demanded(a)
        lives(ann.token)


# --- signing in -----------------------------------------------------------------------------------

@suite.test
def test_a_missing_code_and_a_wrong_one_are_told_apart():
    ann = Person().enrol()
    missing, wrong = demanded(ann.sign_in()), demanded(ann.sign_in(no_code_of(ann.secret)))
    check(missing != wrong, 'the same words')
    for odd in ('', ' ', '12345', '1234567', 'abcdef', '０１２３４５', '-' * 32):
        equal(demanded(ann.sign_in(odd)), wrong, f'words for {odd!r}')
        redis('FLUSHALL')
        sql('DELETE FROM tries')
    equal(demand(ann.sign_in('1' * 33), 400).fields, ['totp_code'], 'too long')
    # Without the password nobody is told that there is a factor.
    for code in (None, ann.fresh(), ann.recovery[0]):
        a = demand(ann.sign_in(code, password='not this one'), 401)
        check('details' not in a.errors[0] and 'totp' not in a.text, f'it speaks of the factor: {a!r}')
    demand(ann.sign_in(ann.recovery[0]), 200)


@suite.test
def test_a_code_is_taken_once():
    ann = Person().enrol()
    demanded(ann.sign_in(ann.code()))     # it has confirmed the factor
    code = ann.code(1)
    demand(ann.sign_in(code), 200)
    demanded(ann.sign_in(code))
    demanded(ann.sign_in(ann.code(-1)))   # of a step before the last
    demanded(ann.sign_in(ann.code()))
    check(ann.told('tried a second time') >= 3, 'notices')
    check(ann.audited('account.proof_failed') >= 3, 'audit entries')


@suite.test
def test_a_clock_may_be_one_step_off():
    ann = Person().enrol()
    for ahead in (-1, 0, 1):
        ann.fresh()
        a = ann.sign_in(ann.code(ahead))
        if ahead == -1 and a.status == 401:  # the step ended meanwhile
            a = ann.sign_in(ann.code(-1))
        demand(a, 200)
    for ahead in (-3, -2, 3, 120):
        ann.fresh()
        if ann.code(ahead) not in {ann.code(n) for n in (-1, 0, 1, 2)}:
            demanded(ann.sign_in(ann.code(ahead)))


@suite.test
def test_a_code_may_be_typed_with_a_blank():
    ann = Person().enrol()
    code = ann.fresh()
    demand(ann.sign_in(f' {code[:3]} {code[3:]} '), 200)


@suite.test
def test_of_many_sign_ins_with_one_code_one_wins():
    for _ in range(4):
        ann = Person().enrol()
        for code in (ann.code(1), ann.recovery[3]):
            answers = together(4, lambda _, a=ann, c=code: a.sign_in(c))
            equal(sorted(a.status for a in answers), [200, 401, 401, 401], 'statuses')
            for a in answers:
                if a.status == 401:
                    demanded(a)
            sql('DELETE FROM tries')


@suite.test
def test_a_recovery_code_works_once_in_any_hand():
    ann = Person().enrol()
    one, two, three = ann.recovery[:3]
    demand(ann.sign_in(one), 200)
    demanded(ann.sign_in(one))
    demand(ann.sign_in(two.lower().replace('-', ' ')), 200)
    demand(ann.sign_in(three.replace('-', '').replace('0', 'o').replace('1', 'l')), 200)
    demanded(ann.sign_in(three))
    equal(shown(ann)['recovery_codes_left'], 7, 'codes left')
    equal(ann.audited('account.recovery_code_used'), 3, 'audit entries')
    equal(ann.told('recovery code was used'), 3, 'notices')
    # Somebody else's is nobody's.
    ben = Person('Ben').enrol()
    demanded(ben.sign_in(ann.recovery[5]))
    demand(ann.sign_in(ann.recovery[5]), 200)


@suite.test
def test_a_code_that_nobody_asked_for_is_no_fault():
    ann = Person()
    demand(ann.sign_in('123456'), 200)
    ann.begin()
    demand(ann.sign_in('123456'), 200)


@suite.test
def test_who_knows_the_password_may_not_guess_the_code():
    """By whichever name of the account, and from then on not even by a right code."""
    ann = Person().enrol()
    name = 'u' + ann.id.replace('-', '')[-12:]
    sql("UPDATE accounts SET username = :'name' WHERE id = :'id'", id=ann.id, name=name)
    by = ({'email': ann.email}, {'username': name})
    bad = no_code_of(ann.secret)

    def sign_in(i, code):
        return shop.call('POST', '/auth/login', {**by[i % 2], 'password': ann.password, 'totp_code': code})

    for i in range(TRIES):
        demanded(sign_in(i, bad))
    for i in range(2):
        refused = demand(sign_in(i, ann.fresh()), 429, 'RATE_LIMITED')
        check(int(refused.headers['retry-after']) > 0, 'Retry-After')
    equal(sql_one("SELECT last_step FROM second_factors WHERE account_id = :'id'", id=ann.id), '0', 'steps taken')


@suite.test
def test_a_missing_code_and_a_right_one_cost_no_try():
    ann = Person().enrol()
    for _ in range(2 * TRIES):
        demanded(ann.sign_in())
    equal(ann.audited('account.sign_in_failed'), 2 * TRIES, 'audit entries')
    for _ in range(TRIES):
        demand(ann.sign_in(ann.fresh()), 200)
    for _ in range(TRIES - 1):
        demanded(ann.sign_in(no_code_of(ann.secret)))
    for _ in range(2):
        demand(ann.sign_in(ann.fresh()), 200)
    demanded(ann.sign_in(no_code_of(ann.secret)))
    demand(ann.sign_in(ann.fresh()), 429, 'RATE_LIMITED')


@suite.test
def test_codes_are_limited_for_a_stolen_session_too():
    ann = Person().enrol()
    bad = no_code_of(ann.secret)
    proof = {'password': ann.password, 'code': bad}
    for i in range(TRIES):
        a = (ann.call('DELETE', '/auth/totp', proof) if i % 2 else
             ann.call('POST', '/auth/totp/recovery-codes', proof))
        equal(demand(a, 400, 'VALIDATION_ERROR').fields, ['code'], 'field')
    for code in (ann.fresh(), ann.recovery[0]):
        demand(ann.call('DELETE', '/auth/totp', {**proof, 'code': code}), 429, 'RATE_LIMITED')
    equal(shown(ann)['is_enabled'], True, 'the factor')
    ben = Person('Ben')
    ben.begin()
    for _ in range(TRIES):
        demand(ben.confirm(no_code_of(ben.secret)), 400)
    demand(ben.confirm(), 429, 'RATE_LIMITED')
    equal(shown(ben)['is_enabled'], False, 'the factor')


# --- removing it ----------------------------------------------------------------------------------

@suite.test
def test_removing_it_takes_password_and_code():
    ann = Person()
    proof = {'password': ann.password, 'code': '123456'}
    for unset in (ann, ann.begin() and ann):
        demand(unset.call('DELETE', '/auth/totp', proof), 404, 'NOT_FOUND')
        demand(unset.call('POST', '/auth/totp/recovery-codes', proof), 404, 'NOT_FOUND')
    demand(ann.confirm(), 200)
    other = demand(ann.sign_in(ann.code(1)), 200).data
    equal(demand(ann.call('DELETE', '/auth/totp', {}), 400).fields, ['password', 'code'], 'fields')
    a = ann.call('DELETE', '/auth/totp', {'password': 'not it at all', 'code': ann.fresh()})
    equal(demand(a, 400).fields, ['password'], 'field')
    equal(demand(ann.call('DELETE', '/auth/totp', {**proof, 'code': no_code_of(ann.secret)}), 400).fields,
          ['code'], 'field')
    lives(other['access_token'])
    a = demand(ann.call('DELETE', '/auth/totp', {**proof, 'code': ann.fresh()}), 200)
    check('removed' in a.data['message'], 'the words')
    is_over(other['access_token'])
    lives(ann.token)
    equal(shown(ann)['is_enabled'], False, 'the factor')
    demand(ann.sign_in(), 200)
    equal(sql("""SELECT count(*) FROM second_factors WHERE account_id = :'id'
                 UNION ALL SELECT count(*) FROM recovery_codes WHERE account_id = :'id'
                 UNION ALL SELECT count(*) FROM sessions WHERE account_id = :'id' AND second_factor
                           AND ended_at IS NULL""", id=ann.id), [['0']] * 3, 'what is left of it')
    equal((ann.audited('account.totp_disabled'), ann.told('second factor was switched off')), (1, 1),
          'audit entries and notices')
    demand(ann.enrol().sign_in(ann.code(1)), 200)


@suite.test
def test_a_recovery_code_removes_it_too():
    ann = Person().enrol()
    demand(ann.sign_in(ann.recovery[0]), 200)
    proof = {'password': ann.password}
    demand(ann.call('DELETE', '/auth/totp', {**proof, 'code': ann.recovery[0]}), 400)
    demand(ann.call('DELETE', '/auth/totp', {**proof, 'code': ann.recovery[1]}), 200)


@suite.test
def test_new_recovery_codes_void_the_old():
    ann = Person().enrol()
    old = ann.recovery
    new = demand(ann.call('POST', '/auth/totp/recovery-codes',
                          {'password': ann.password, 'code': old[0]}), 200).data['recovery_codes']
    check(len(set(new)) == 10 and not set(new) & set(old), 'the new codes')
    equal(shown(ann)['recovery_codes_left'], 10, 'codes left')
    demanded(ann.sign_in(old[1]))
    demand(ann.sign_in(new[1]), 200)
    equal(ann.audited('account.recovery_codes_renewed'), 1, 'audit entries')


@suite.test
def test_sokoctl_switches_it_off_for_a_lost_telephone():
    ann = Person()
    name, digits = 'u' + ann.id.replace('-', '')[-12:], str(int(ann.id[-8:], 16)).zfill(8)[-8:]
    sql("UPDATE accounts SET username = :'name', phone = :'phone' WHERE id = :'id'", id=ann.id, name=name,
        phone='+2547' + digits)
    for n, option in enumerate((('--email', ann.email.upper()), ('--phone', '07' + digits), ('--username', name)), 1):
        ann.enrol()
        token = ann.token
        check('is off' in ctl('user', 'totp-off', *option), 'its words')
        is_over(token)
        ann.take(demand(ann.sign_in(), 200).data)
        equal((ann.audited('account.totp_disabled'), ann.told('second factor was switched off')), (n, n),
              'audit entries and notices')
    equal(sql_one("""SELECT count(*) FROM audit_log WHERE subject = :'id' AND event = 'account.totp_disabled'
                     AND operator <> '' AND actor IS NULL""", id=ann.id), '3', 'entries with an operator')
    for bad, words in ((('--email', ann.email), 'no second factor'), (('--email', 'no@example.com'), 'no such account'),
                       ((), 'give --email'), (('--email', ann.email, '--username', name), 'exactly one'),
                       (('--phone', 'x'), 'phone')):
        try:
            ctl('user', 'totp-off', *bad)
        except Failed as e:
            check(words in str(e), f'{bad}: {e}')
        else:
            raise Failed(f'sokoctl took {bad}')


# --- what somebody sees who should not ------------------------------------------------------------

@suite.test
def test_the_database_does_not_tell_it():
    ann = Person()
    body = json.dumps({'password': ann.password}).encode()
    ann.secret = demand(ann.call('POST', '/auth/totp', raw=body, headers={'Idempotency-Key': 'a key'}),
                        201).data['secret']
    ann.recovery = demand(ann.confirm(), 200).data['recovery_codes']
    demand(ann.sign_in(ann.recovery[0]), 200)
    raw = base64.b32decode(ann.secret)
    dump = subprocess.run([PG_DUMP, '--dbname', os.environ['SOKO_OWNER_URL']], capture_output=True,
                          check=True, timeout=120).stdout
    check(ann.id.encode() in dump and b'COPY public.second_factors' in dump, 'not a dump of this shop')
    looks = [ann.secret.encode(), raw, raw.hex().encode(), base64.b64encode(raw),
             base64.b64encode(raw).rstrip(b'=')]
    # A password, and six digits still more, is soon found behind a digest that takes no key.
    digest = hashlib.sha256(body).hexdigest()
    looks += [digest.encode(), hashlib.sha256(f'POST\n/api/v1/auth/totp\n{digest}'.encode()).hexdigest().encode()]
    for code in ann.recovery:
        looks += [code.encode(), code.replace('-', '').encode(), code.replace('-', '').encode().hex().encode()]
    for look in looks:
        check(look.lower() not in dump.lower(), f'the dump has {look[:6]!r}...')


@suite.test
def test_a_sealed_secret_opens_in_its_own_row_only():
    ann, eve = Person().enrol(), Person('Eve').enrol()
    sql("""UPDATE second_factors SET last_step = 0,
                  secret = (SELECT secret FROM second_factors WHERE account_id = :'eve')
           WHERE account_id = :'ann'""", ann=ann.id, eve=eve.id)
    demanded(ann.sign_in(eve.code()))
    demanded(ann.sign_in(ann.code()))
    log = os.path.join(os.environ['SOKO_STATE'], 'log', 'soko-api-hash.log')

    def is_logged():
        with open(log, encoding='utf-8') as f:
            return any('totp.sealed_by_another_key' in line and ann.id in line for line in f)

    until(is_logged, 'a line in the log')
    # Nor do his recovery codes, moved, open hers.
    sql("""UPDATE recovery_codes SET account_id = :'ann' WHERE account_id = :'eve'""", ann=ann.id, eve=eve.id)
    demanded(ann.sign_in(eve.recovery[0]))
    demand(ann.sign_in(ann.recovery[0]), 200)


@suite.test
def test_the_audit_log_has_no_code():
    ann = Person().enrol()
    demand(ann.sign_in(ann.recovery[0]), 200)
    code = ann.fresh()
    demand(ann.sign_in(code), 200)
    entries = sql("SELECT event, detail FROM audit_log WHERE subject = :'id'", id=ann.id)
    check(len(entries) >= 4, 'entries')
    for _, detail in entries:
        for secret in (ann.secret, code, ann.recovery[0], ann.email):
            check(secret not in detail, f'an entry has a secret: {detail}')


suite.main()
