"""Buyers and readers at work, while somebody pulls cables. Each buyer places one order after the other, each
under a key of its own, and asks again with that key until he is told its number; what he was told is kept.
"""
import http.client
import secrets
import threading
import time

from soko import Failed

AGAIN = {409, 500, 502, 503, 504}  # 409: a twin is being served
PAUSE = 0.1


def ask(shop, *request):
    """A status, 0 if there was none, and the answer."""
    try:
        a = shop.call(*request)
        return a.status, a
    except (OSError, http.client.HTTPException):
        shop.local.c = None
        return 0, None


class Attempt:
    def __init__(self, began, ended, status, number):
        self.began, self.ended, self.status, self.number = began, ended, status, number


class Load:
    """`buyers` are signed in (an access token each) and order one piece of the product at a time."""

    def __init__(self, shop, buyers, product, readers=2):
        self.shop, self.product = shop, product
        self.attempts, self.reads, self.wrong, self.orders = [], [], [], {}
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._guard, args=(self._buy, b), daemon=True) for b in buyers]
        self.threads += [threading.Thread(target=self._guard, args=(self._read, n), daemon=True)
                         for n in range(readers)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        """Each buyer ends what he has begun."""
        self.over.set()
        for t in self.threads:
            t.join(120)
        if any(t.is_alive() for t in self.threads):
            raise Failed('a client does not come to an end')
        if self.wrong:
            raise Failed(f'answers that nobody may get: {self.wrong[:5]}')

    def _guard(self, work, arg):
        try:
            work(arg)
        except Exception as e:  # a thread that dies must be heard of
            self.wrong.append(repr(e))

    def _buy(self, token):
        while not self.over.is_set():
            key, number = secrets.token_hex(12), None
            while number is None:
                began = time.monotonic()
                status, a = ask(self.shop, 'POST', '/orders', {
                    'shipping_address': 'Moi Avenue 12, Nairobi', 'payment_method': 'cash_on_delivery',
                    'items': [{'product_id': self.product, 'quantity': 1}]}, token, {'Idempotency-Key': key})
                number = a.data['order_number'] if status == 201 else None
                self.attempts.append(Attempt(began, time.monotonic(), status, number))
                if number is None and status not in AGAIN | {0}:
                    self.wrong.append(repr(a))
                    return
                if number is None:
                    time.sleep(PAUSE)  # a client's manners, and no test waits for it
            self.orders[key] = number

    def _read(self, n):
        """Past nginx's cache: each asks for something else."""
        count = 0
        while not self.over.is_set():
            count += 1
            began = time.monotonic()
            status, _ = ask(self.shop, 'GET', f'/products?per_page={1 + count % 50}&page={1 + n}&max_price={count}')
            self.reads.append(Attempt(began, time.monotonic(), status, None))
            if status not in AGAIN | {0, 200}:
                self.wrong.append(f'GET /products: {status}')
                return
            time.sleep(PAUSE / 4)

    # --- what it came to

    def sold_since(self, when):
        return [a for a in self.attempts if a.number and a.began >= when]

    def count(self):
        return len(self.orders)

    @staticmethod
    def statuses(attempts, since=0):
        """How often which status came, by attempts that ended since then, as words."""
        seen = {}
        for a in attempts:
            if a.ended >= since:
                seen[a.status] = seen.get(a.status, 0) + 1
        return ', '.join(f'{n} x {s or "no answer"}' for s, n in sorted(seen.items()))

    @staticmethod
    def longest_gap(attempts, since=0):
        """The longest time without a success, in seconds."""
        ends = sorted([since] * (since > 0) + [a.ended for a in attempts if a.status in (200, 201) and a.ended >= since])
        return max((b - a for a, b in zip(ends, ends[1:])), default=0)

    @staticmethod
    def slowest(attempts, since=0):
        return max((a.ended - a.began for a in attempts if a.ended >= since), default=0)
