"""One key, one effect, one answer, when it is hardest: pairs of twins at once on every route that takes a
key, and workers that are killed between effect and answer. The cases are test_idempotency.py's.

The jobs hardly poll here, so that the fault points are met by requests alone.
"""
# settings: JOBS_POLL=1h JOBS_SWEEP=1d QUEUE_LIMIT=60s
import os
import uuid

from money import arm_any, sim
from owner import sql_one, workers
from soko import Failed, Shop, Suite, check, demand, equal, together, until
from test_idempotency import (CASES, SECRET, TABLE, is_replay, new_key, order_body, orders_of, post, put_in, shop,
                              stall, stock_of, with_store)

suite = Suite()
quiet = Shop()  # for answers that nginx gives because a worker died: no part of the contract
quiet.log = None
ROWS = [r for r in TABLE if r['takes_key'] and r['name'] in CASES]  # test_idempotency.py misses the others
PAIRS, LANES = 500, 4
CLEAN = (502, 503, 504)  # what nginx says of a worker that died

# Where a worker may die, between the effect and the answer; for those that call a provider, in each step.
POINTS = ('before_commit', 'after_commit', 'before_answer')
POINTS_OF_STEPS = POINTS + ('started', 'after_call', 'finishing')


def in_lanes(work, jobs):
    """work(job) for each job, a few at a time; the first failure is told."""
    jobs = list(jobs)

    def lane(k):
        for job in jobs[k::LANES]:
            work(job)

    for result in together(LANES, lane):
        if isinstance(result, Exception):
            raise result


def insist(row, path, body, who, key):
    """The answer to a request that goes on until no twin and no dead one stands in its way. That an answer was
    not kept, because it holds a secret, is an answer."""
    def asked():
        a = post(path, body, who, key, by=quiet)
        in_the_way = a.status in CLEAN or (a.status == 409 and a.fields == ['Idempotency-Key']
                                           and 'secret' not in a.errors[0]['message'])
        return None if in_the_way else a
    a = until(asked, 'an answer to the retry', 60)
    shop._note('POST', path if path.startswith('/api/') else '/api/v1' + path, a)
    return a


def holds_secret(row, a):
    return row['name'] in SECRET and a.status == 409 and 'secret' in a.errors[0]['message']


def made_once(row, body):
    """What a provider has made for it, however often it was asked."""
    if row['name'] == 'payment_stripe':
        equal(len(sim('GET', f'/sim/stripe/intents?match={body["order_id"]}')), 1, 'intents')
    elif row['name'] == 'payment_mpesa':
        number = sql_one("SELECT order_number FROM orders WHERE id = :'id'", id=body['order_id'])
        prompts = sim('GET', f'/sim/calls?provider=daraja&operation=push&match={number}')
        check(len(prompts) <= 1, f'prompts: {prompts}')


# --- at the same time -----------------------------------------------------------------------------

def pair(row):
    """A fresh case of the route, twice at once under one key."""
    who, path, body, count = CASES[row['name']]()
    key = new_key()
    answers = together(2, lambda _: post(path, body, who, key))
    done = []
    for a in answers:
        if isinstance(a, Exception):
            raise a
        if holds_secret(row, a):
            continue
        if a.status == 409:  # a twin is at work, or was a moment ago
            equal((a.code, a.fields), ('CONFLICT', ['Idempotency-Key']), 'refusal of a twin')
            a = insist(row, path, body, who, key)
            if holds_secret(row, a):
                continue
            check(is_replay(a), f'the second of two has acted: {a!r}')
        done.append(demand(a, row['status']))
    check(done, 'nobody was told')
    equal(sum(not is_replay(a) for a in done), 1, 'first answers')
    for a in done:
        equal(a.data, done[0].data, 'answers')
    equal(count(), 1, 'effects')
    made_once(row, body)


@suite.test
def test_500_pairs_over_every_route_have_one_effect_each():
    told = []

    def one(n):
        row = ROWS[n % len(ROWS)]
        try:
            pair(row)
            told.append(row['name'])
        except Failed as e:
            raise Failed(f'pair {n}, {row["name"]}: {e}') from None

    stall.product()  # what all cases share
    in_lanes(one, range(PAIRS))
    equal((len(told), set(told)), (PAIRS, {r['name'] for r in ROWS}), 'pairs, over every route')


@suite.test
def test_pairs_of_one_buyer_order_once():
    """Not a fresh buyer each: the cart's lock is fought for, too."""
    product, buyers, pairs = stall.product(stock=1000), [shop.sign_up() for _ in range(LANES)], 15
    row = next(r for r in ROWS if r['name'] == 'order_place')

    def lane(i):
        made = []
        for _ in range(pairs):
            put_in(buyers[i], product)
            key = new_key()
            answers = together(2, lambda _, k=key: post('/orders', order_body(), buyers[i], k))
            answers = [insist(row, '/orders', order_body(), buyers[i], key) if a.status == 409 else a
                       for a in answers]
            equal(demand(answers[0], 201).data, demand(answers[1], 201).data, 'answers')
            equal(sum(is_replay(a) for a in answers), 1, 'replays')
            made.append(answers[0].data['id'])
        return made

    made = together(LANES, lane)
    for buyer, orders in zip(buyers, made):
        if isinstance(orders, Exception):
            raise orders
        equal(sorted(orders_of(buyer)), sorted(set(orders)), 'orders made')
    equal(stock_of(product), 1000 - LANES * pairs, 'stock')


@suite.test
def test_many_at_once_open_one_store():
    for _ in range(10):
        buyer, path, body, count = with_store()
        key = new_key()
        answers = together(6, lambda _, p=path, b=body, w=buyer, k=key: post(p, b, w, k))
        for a in answers:
            check(a.status == 201 or a.fields == ['Idempotency-Key'], f'one of many: {a!r}')
        good = [a for a in answers if a.status == 201]
        equal(sum(not is_replay(a) for a in good), 1, 'first answers')
        equal({a.data['id'] for a in good}, {post(path, body, buyer, key).data['id']}, 'stores')
        equal(count(), 1, 'stores')


# --- a worker dies --------------------------------------------------------------------------------

def death(row, who, path, body, key, point):
    """Asks by a worker that is killed at `point`; waits until another has taken its place. False: a lane of the
    jobs, or who served a provider's message, came by first, and died instead."""
    pool = 'soko-api-' + row['pool']
    before = workers(pool)
    fault = arm_any(point)
    try:
        a = post(path, body, who, key, by=quiet)
        check(not os.path.exists(fault), f'nobody passed {point}: {a!r}')
    finally:
        if os.path.exists(fault):
            os.unlink(fault)
    if a.status == row['status']:
        return False
    check((a.status, a.code) in ((502, 'PROVIDER_UNAVAILABLE'), (503, 'SERVICE_UNAVAILABLE')),
          f'no clean answer at {point}: {a!r}')
    check(a.json['meta']['request_id'] == a.headers['x-request-id'], 'request id')
    equal(a.headers['content-type'].split(';')[0], 'application/json', 'type')

    def replaced():
        now = workers(pool)
        return len(now) == len(before) and len(before - now) == 1
    until(replaced, 'another worker takes the place of the dead one')
    return True


def had_happened(row, point):
    """Whether the answer was committed with its effect when the worker died."""
    return point == 'before_answer' or (point == 'after_commit' and not row['in_steps'])


def die_and_retry(row, point):
    def died():
        who, path, body, count = CASES[row['name']]()
        key = new_key()
        return (who, path, body, count, key) if death(row, who, path, body, key, point) else None

    who, path, body, count, key = until(died, f'a worker that dies at {point}')
    committed = had_happened(row, point)
    if committed or not row['in_steps']:
        equal(count(), int(committed), 'effects before the retry')
    first = insist(row, path, body, who, key)
    equal(count(), 1, 'effects')
    if holds_secret(row, first):
        check(committed, 'it is said to have been done')
    else:
        equal(is_replay(demand(first, row['status'])), committed, 'the retry is a replay')
        again = post(path, body, who, key)
        if row['name'] in SECRET:
            check(holds_secret(row, again), f'{again!r}')
        else:
            check(is_replay(demand(again, row['status'])), 'the second retry is no replay')
            equal(again.data, first.data, 'data')
    equal(count(), 1, 'effects in the end')
    made_once(row, body)
    if row['upload']:
        url = first.data.get('image_url') or first.data.get('logo_url')
        equal(shop.call('GET', url).status, 200, f'the file behind {url}')


@suite.test
def test_a_worker_dies_at_each_point_of_each_route():
    faults = []
    for row in ROWS:
        for point in POINTS_OF_STEPS if row['in_steps'] else POINTS:
            try:
                die_and_retry(row, point)
            except Failed as e:
                faults.append(f'{row["name"]}, {point}: {e}')
    check(not faults, '\n'.join(faults))


@suite.test
def test_a_key_that_was_only_started_is_no_answer():
    """It dies in the middle, and nobody retries: the key stands as started, another body is refused, and the
    same one, later, by another session, goes on."""
    row = next(r for r in ROWS if r['name'] == 'payment_mpesa')
    who, path, body, count = CASES[row['name']]()
    key = new_key()
    check(death(row, who, path, body, key, 'started'), 'a worker died')
    equal(sql_one("SELECT count(*) FROM idempotency_keys WHERE key = :'key' AND status IS NULL", key=key), '1',
          'a key that is started')
    refused = insist(row, path, {**body, 'phone': '0711111111'}, who, key)
    demand(refused, 422, 'IDEMPOTENCY_KEY_REUSED')
    again = shop.sign_in(who['email'], who['password'])
    a = demand(insist(row, path, body, again, key), 202)
    check(not is_replay(a), 'a replay of nothing')
    equal(count(), 1, 'attempts')
    equal(str(uuid.UUID(a.data['id'])), a.data['id'], 'id')


if __name__ == '__main__':
    suite.main()
