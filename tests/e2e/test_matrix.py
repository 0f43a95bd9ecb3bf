"""Money is right after anything: each provider, each thing that goes wrong with him, and a kill -9 at each
fault point of the path of money.

A case is an order of its own: bought, paid in the way of its scenario, with whoever passes its fault
point on behalf of this order killed there; then, if it was paid, cancelled and refunded. After each half
order, payment, stock and the provider's own books agree, and the buyer was charged at most once; at the
end the ledger agrees with itself and with the providers' books.

# settings: JOBS_LEASE=1s JOBS_BACKOFF=100ms JOBS_BACKOFF_MAX=500ms JOBS_POLL=20ms PAYMENT_ASK_AFTER=400ms
# settings: PAYMENT_ASK_MAX=1s REFUND_ASK_AFTER=400ms MPESA_PROMPT_TTL=1500ms PROVIDER_TIMEOUT=1500ms
# settings: PROVIDER_FAILURES=1000 PROVIDER_AT_ONCE=32 WORKERS_WIRE=12 JOBS_SWEEP=100ms REFUND_ATTEMPTS=50
"""
import decimal
import os
import queue
import threading
import time
import traceback

from money import (Buyer, arm, at_rest, books_agree, charges, demand, rule, shop, sim, stripe_update,
                   until, PACE, PATIENCE)
from owner import sql
from soko import Failed, Suite, check, equal

suite = Suite()
AT_ONCE = 10
QUANTITY = 2
STOCK = 10
PRICE = 150          # shillings, of one
TOTAL = PRICE * QUANTITY * 100

FAULTS = [None, 'payment_started', 'payment_called', 'payment_noted', 'webhook_heard', 'webhook_stored',
          'settling', 'payment_asked', 'refund_started', 'refund_called', 'refund_noted']

# What the providers send, and the call that starts a payment.
WORD = {'stripe': ('stripe', 'event'), 'mpesa': ('daraja', 'callback')}
START = {'stripe': ('stripe', 'create_intent'), 'mpesa': ('daraja', 'push')}


class Case:
    def __init__(self, method, scenario, fault):
        self.method, self.scenario, self.fault = method, scenario, fault
        self.name = f'{method}, {scenario}, {fault or "no crash"}'
        self.reached, self.outcome = False, None

    def word(self, times=None, **do):
        rule(*WORD[self.method], self.order['order_number'], times, **do)

    def start(self, times=1, **do):
        rule(*START[self.method], self.order['order_number'], times, **do)

    def charged(self):
        return charges(self.order)[0] > 0

    def pay(self, enough=None):
        return self.buyer.pay(self.order, enough)

    def pay_until_charged(self):
        """The provider has the money, and the shop has not heard of it."""
        def looks():
            if self.charged():
                return True
            if not any(p['status'] in ('initiating', 'processing', 'unknown')
                       for p in self.buyer.payments(self.order)):
                self.buyer.ask(self.order)
            elif self.method == 'stripe':
                self.buyer.ask(self.order)  # the same attempt again, and its secret
            return None
        until(looks, 'a charge', PATIENCE, PACE)

    def release(self):
        sim('POST', '/sim/release', {'match': self.order['order_number']})

    def expire(self):
        sql("UPDATE orders SET expires_at = now() WHERE id = :'order'", order=self.order['id'])


# --- the scenarios --------------------------------------------------------------------------------

def answer_first(c):
    c.word(delay_ms=150)
    c.pay()


def callback_first(c):
    c.word(before_answer=True)
    c.pay()


def callback_lost(c):
    c.word(lost=True)
    c.pay()


def callback_twice(c):
    c.word(copies=2, parallel=True)
    c.pay()


def callback_after_cancel(c):
    """Held until the order is cancelled: what was charged goes back."""
    c.word(hold=True)
    c.pay_until_charged()
    c.buyer.cancel(c.order)
    c.release()


def callback_after_expiry(c):
    """The time to pay is over; the provider is asked first, and says what he knows."""
    c.word(hold=True)
    if c.method == 'mpesa':
        rule('daraja', 'query', c.order['order_number'], 1, result_code='1037')  # "no answer", and yet
    c.pay_until_charged()
    c.expire()
    until(lambda: c.buyer.show(c.order)['payment_status'] != 'unpaid'
          or c.buyer.show(c.order)['status'] == 'cancelled', 'an order that is paid or over', PATIENCE, PACE)
    c.release()


def wrong_amount(c):
    """What comes is not what was asked for: never paid; an administrator sends it back."""
    more = {}
    if c.method == 'stripe':
        more['meddle'] = lambda intent: stripe_update(intent, amount=TOTAL - 5000)
    else:
        rule('daraja', 'push', c.order['order_number'], None, charge=TOTAL - 5000)
    c.buyer.pay(c.order, lambda o: any(p['status'] == 'needs_review' for p in c.buyer.payments(c.order)),
                **more)
    equal(c.buyer.show(c.order)['payment_status'], 'unpaid', 'a mismatch never marks paid')
    admin = shop.admin()['access_token']
    wrong = next(p for p in c.buyer.payments(c.order) if p['status'] == 'needs_review')

    def resolved():
        a = shop.call('POST', f'/admin/payments/{wrong["id"]}/resolve', {'action': 'refund'}, admin)
        return a if a.status in (200, 201, 400, 409) else None
    until(resolved, 'a resolution', PATIENCE, PACE)
    c.buyer.cancel(c.order)


def answer_lost(c):
    c.start(drop=True)
    c.pay()


def provider_500(c):
    c.start(2, status=500)
    c.pay()


def provider_hangs(c):
    c.start(hang=True)
    c.pay()


def pending_first(c):
    """Asked, he says that it is under way (4999; processing), twice, and only then what became of it."""
    c.word(lost=True)
    if c.method == 'stripe':
        rule('stripe', 'confirm_intent', c.order['order_number'], 1, processing_ms=900)
    else:
        rule('daraja', 'query', c.order['order_number'], 1, pending=2, form='b')
    c.pay()


SCENARIOS = [answer_first, callback_first, callback_lost, callback_twice, callback_after_cancel,
             callback_after_expiry, wrong_amount, answer_lost, provider_500, provider_hangs, pending_first]


# --- one case -------------------------------------------------------------------------------------

def minor(text):
    """Minor units of what the API says, in shillings."""
    return int(decimal.Decimal(text) * 100)


def agrees(c, words):
    """Order, payments, stock and the provider's own books, once nothing is under way."""
    until(lambda: at_rest(c.order), f'an order at rest, {words}', PATIENCE, PACE)
    o = c.buyer.show(c.order)
    took, gave, count = charges(c.order)
    stock = demand(c.buyer.insist('GET', f'/products/{c.product}'), 200).data['stock']
    lives = o['status'] != 'cancelled'
    kept = sum(minor(p['received']) - minor(p['refunded']) for p in c.buyer.payments(c.order)
               if p['status'] in ('succeeded', 'partially_refunded', 'refunded'))
    check(count <= 1, f'{words}: charged {count} times')
    equal(stock, STOCK - (QUANTITY if lives else 0), f'{words}: stock of an order that is {o["status"]}')
    if lives and o['payment_status'] == 'paid':
        equal(took - gave, TOTAL, f'{words}: what the provider kept of a paid order')
        equal(kept, TOTAL, f'{words}: what our payments say')
    else:
        equal(took - gave, 0, f'{words}: what the provider kept of an order that is {o["status"]}, '
                              f'{o["payment_status"]}')
        equal(kept, 0, f'{words}: what our payments say')
    return o


def run_case(c, buyer, seller, category):
    c.buyer = buyer
    c.product = shop.new_product(seller, category, str(PRICE), STOCK)['id']
    c.order = buyer.order(c.product, c.method, QUANTITY)
    if c.method == 'mpesa':
        sim('POST', '/sim/auto', {'action': 'approve', 'after_ms': 20,
                                  'match': c.order['order_number']})
    path = arm(c.fault, c.order['id']) if c.fault else None
    c.scenario_function(c)
    o = agrees(c, 'after paying')
    c.outcome = f'{o["status"]}, {o["payment_status"]}'
    if o['status'] != 'cancelled':
        check(buyer.cancel(c.order).status in (200, 400), 'is cancelled; 400: by an answer that was lost')
        after = agrees(c, 'after cancelling')
        c.outcome += f'; then {after["status"]}, {after["payment_status"]}'
    if path:
        c.reached = not os.path.exists(path)
        if not c.reached:
            os.unlink(path)


def all_cases():
    for method in ('stripe', 'mpesa'):
        for scenario in SCENARIOS:
            for fault in FAULTS:
                c = Case(method, scenario.__name__, fault)
                c.scenario_function = scenario
                yield c


def run_all():
    waiting, done = queue.Queue(), []
    for c in all_cases():
        waiting.put(c)
    seller = shop.new_seller('Max')
    category = shop.new_category()['id']

    def work():
        buyer = None
        while True:
            try:
                c = waiting.get_nowait()
            except queue.Empty:
                return
            buyer = buyer or Buyer()
            began = time.monotonic()
            try:
                run_case(c, buyer, seller, category)
            except Failed as e:
                c.outcome = f'FAILED: {e}'
            except Exception:
                c.outcome = f'FAILED: {traceback.format_exc()}'
            c.seconds = time.monotonic() - began
            if c.outcome.startswith('FAILED'):
                buyer = None  # another phone, whatever is the matter with this one
            done.append(c)

    threads = [threading.Thread(target=work) for _ in range(AT_ONCE)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return done


CASES = []


@suite.test
def test_every_case():
    CASES.extend(run_all())
    print(f'# {len(CASES)} cases, {sum(c.reached for c in CASES)} deaths')
    for c in sorted(CASES, key=lambda c: c.name):
        print(f'# {c.name:58} {"died" if c.reached else "":5} {c.seconds:5.1f} s  {c.outcome}')
    failed = [c for c in CASES if c.outcome.startswith('FAILED')]
    check(not failed, f'{len(failed)} of {len(CASES)} cases: ' + '; '.join(
        f'{c.name}: {c.outcome[:300]}' for c in failed[:8]))


@suite.test
def test_every_fault_point_was_reached_by_both_providers():
    missed = [(method, fault) for method in ('stripe', 'mpesa') for fault in FAULTS[1:]
              if not any(c.reached for c in CASES if c.method == method and c.fault == fault)]
    equal(missed, [], 'points where nobody died')


@suite.test
def test_ledger_agrees_with_the_providers_books():
    books_agree()


if __name__ == '__main__':
    suite.main()
