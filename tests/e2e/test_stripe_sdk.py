# flavours: check
# settings: STRIPE_WEBHOOK_SECRETS=whsec_of_the_sdk_tests_new,whsec_of_the_sdk_tests_old
"""Stripe's official SDK as the judge of both sides: it drives soko-sim (tests/sdk/stripe_sdk.mjs), and
signs what the shop's verifier has to accept or refuse.

The SDK comes from npm, of exactly the locked version, into $SOKO_SDK; once for all runs.
"""
import filecmp
import json
import os
import secrets
import shutil
import subprocess
import sys
import time

from owner import sql_one
from soko import Failed, Shop, Suite, check, demand, equal

suite = Suite()
shop = Shop()
here = os.path.dirname(os.path.realpath(__file__))
sdk = os.path.join(here, '..', 'sdk')
simulator = os.path.join(here, '..', 'sim', 'soko-sim')
folder = os.environ['SOKO_SDK']
NEW, OLD = 'whsec_of_the_sdk_tests_new', 'whsec_of_the_sdk_tests_old'


def install():
    """npm ci, unless it is there already."""
    lock = os.path.join(folder, 'installed.json')
    if os.path.exists(lock) and filecmp.cmp(lock, os.path.join(sdk, 'package-lock.json'), shallow=False):
        return
    os.makedirs(folder, exist_ok=True)
    for name in ('package.json', 'package-lock.json', '.npmrc'):
        shutil.copy(os.path.join(sdk, name), folder)
    done = subprocess.run(['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
                          cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise Failed(f'npm ci: {done.stdout} {done.stderr}')
    shutil.copy(os.path.join(sdk, 'package-lock.json'), lock)


def node(*words, text=None):
    done = subprocess.run(['node', os.path.join(sdk, 'stripe_sdk.mjs'), words[0], folder, *words[1:]],
                          input=text, stdout=subprocess.PIPE, text=True, timeout=600, check=False)
    return done.returncode, done.stdout


def signed(*wanted):
    """generateTestHeaderString for each {payload, secret, timestamp}."""
    rc, out = node('sign', text=''.join(json.dumps(w) + '\n' for w in wanted))
    equal((rc, len(out.splitlines())), (0, len(wanted)), 'headers made by the SDK')
    return out.splitlines()


def event():
    """An event that the shop takes and ignores, as Stripe's bytes."""
    return json.dumps({
        'id': 'evt_' + secrets.token_hex(12), 'object': 'event', 'api_version': '2026-10-28.endive',
        'created': int(time.time()), 'data': {'object': {'id': 'cus_1', 'object': 'customer', 'name': 'Änn'}},
        'livemode': False, 'pending_webhooks': 1, 'request': {'id': None, 'idempotency_key': None},
        'type': 'customer.created'}, indent=2, ensure_ascii=False)


def post(body, header):
    headers = {'Content-Type': 'application/json; charset=utf-8'}
    if header is not None:
        headers['Stripe-Signature'] = header
    return shop.call('POST', '/webhooks/stripe', raw=body if isinstance(body, bytes) else body.encode(),
                     headers=headers)


def kept(body):
    return int(sql_one("SELECT count(*) FROM provider_events WHERE event_id = :'id'", id=json.loads(body)['id']))


def accepts(secret=NEW, age=0, bend=lambda header: header):
    body = event()
    [header] = signed({'payload': body, 'secret': secret, 'timestamp': int(time.time()) - age})
    demand(post(body, bend(header)), 200)
    equal(kept(body), 1, 'rows of the event')


def refused(body, header):
    answer = demand(post(body, header), 400)
    check('signature' in answer.text, f'refused, but not for its signature: {answer!r}')


def refuses(secret=NEW, age=0, bend=lambda header: header):
    body = event()
    [header] = signed({'payload': body, 'secret': secret, 'timestamp': int(time.time()) - age})
    refused(body, bend(header))
    equal(kept(body), 0, 'rows of the event')


@suite.test
def test_the_shop_accepts_what_the_sdk_signs():
    accepts()


@suite.test
def test_the_shop_accepts_the_older_of_two_secrets():
    accepts(OLD)


@suite.test
def test_the_shop_accepts_a_signature_within_the_tolerance():
    accepts(age=240)
    accepts(age=-240)


@suite.test
def test_the_shop_accepts_one_good_signature_among_others():
    accepts(bend=lambda h: h.replace(',v1=', f',v1={"0" * 64},v0={"1" * 64},v1='))
    accepts(bend=lambda h: h + f',v1={"f" * 64},v2=abc')


@suite.test
def test_the_shop_takes_a_replay_once():
    body = event()
    [header] = signed({'payload': body, 'secret': NEW, 'timestamp': int(time.time())})
    for _ in range(3):
        demand(post(body, header), 200)
    equal(kept(body), 1, 'rows of the event')


@suite.test
def test_the_shop_refuses_every_altered_byte_of_the_body():
    body = event().encode()
    [header] = signed({'payload': body.decode(), 'secret': NEW, 'timestamp': int(time.time())})
    for i in range(len(body)):
        refused(body[:i] + bytes([body[i] ^ 1]) + body[i + 1:], header)
    for i in range(0, len(body), 16):
        refused(body[:i] + body[i + 1:], header)
        refused(body[:i] + b' ' + body[i:], header)
    equal(kept(body), 0, 'rows of the event')
    demand(post(body, header), 200)


@suite.test
def test_the_shop_refuses_every_altered_digit_of_the_signature():
    body = event()
    [header] = signed({'payload': body, 'secret': NEW, 'timestamp': int(time.time())})
    at = header.index('v1=') + 3
    for i in range(at, len(header)):
        other = '0' if header[i] != '0' else '1'
        refused(body, header[:i] + other + header[i + 1:])
    equal(kept(body), 0, 'rows of the event')


@suite.test
def test_the_shop_refuses_every_altered_digit_of_the_time():
    body = event()
    [header] = signed({'payload': body, 'secret': NEW, 'timestamp': int(time.time())})
    for i in range(2, header.index(',')):
        for other in '0123456789'.replace(header[i], ''):
            refused(body, header[:i] + other + header[i + 1:])
    equal(kept(body), 0, 'rows of the event')


@suite.test
def test_the_shop_refuses_an_old_time_stamp():
    refuses(age=360)


@suite.test
def test_the_shop_refuses_a_time_stamp_from_the_future():
    refuses(age=-360)


@suite.test
def test_the_shop_refuses_a_wrong_secret():
    refuses('whsec_of_the_sdk_tests_another')
    refuses(NEW[:-1])
    refuses(NEW.removeprefix('whsec_'))
    refuses(f'{NEW},{OLD}')
    refuses(NEW + ' ')


@suite.test
def test_the_shop_refuses_the_signature_of_another_event():
    one, other = event(), event()
    [header] = signed({'payload': one, 'secret': NEW, 'timestamp': int(time.time())})
    refused(other, header)


@suite.test
def test_the_shop_refuses_what_is_no_signature():
    refuses(bend=lambda h: None)
    refuses(bend=lambda h: '')
    refuses(bend=lambda h: h.replace('v1=', 'v0='))
    refuses(bend=lambda h: h.replace('t=', 'x='))
    refuses(bend=lambda h: h.split(',')[0])
    refuses(bend=lambda h: h.split(',')[1])
    refuses(bend=lambda h: h[:-1])
    refuses(bend=lambda h: h + '0')
    refuses(bend=lambda h: h.upper())
    refuses(bend=lambda h: 't=,v1=')
    refuses(bend=lambda h: ',' * 4000)


def sdk_cases():
    """Runs the SDK's cases. Gives a test for each, named after it, that repeats its verdict."""
    rc, out = node('drive', simulator)
    verdicts, words, planned = [], [], 0
    for line in out.splitlines():
        verdict, dash, name = line.partition(' - ')
        if line.startswith('1..'):
            planned = int(line[3:])
        elif dash and verdict.startswith(('ok ', 'not ok ')):
            words = []  # those that follow are its own
            verdicts.append((verdict.startswith('ok '), name, words))
        else:
            words.append(line.removeprefix('# '))

    def verdict_of(good, words):
        return lambda: check(good, '\n'.join(words))

    tests = []
    for good, name, words in verdicts:
        one = verdict_of(good, words)
        one.__name__ = 'sdk: ' + name
        tests.append(one)

    def test_sdk_all_cases_ran():
        check(planned > 0, 'the SDK ran no case')
        equal((len(verdicts), rc), (planned, 0 if all(v[0] for v in verdicts) else 1), 'cases, exit status')
    return [*tests, test_sdk_all_cases_ran]


def main():
    try:
        install()
        suite.tests[:0] = sdk_cases()
    except (Failed, OSError, subprocess.TimeoutExpired) as e:
        print(f'1..1\nnot ok 1 - the SDK runs\n# {e}', flush=True)
        sys.exit(1)
    suite.main()


if __name__ == '__main__':
    main()
