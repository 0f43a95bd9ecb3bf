"""What the providers send to the shop: webhooks, callbacks, reports; through nginx, over TLS.

    world.deliver.send(provider, 'event', refs, build, request=request, group='pi_1', retries=8)

`build(do, attempt)` gives an Outgoing each time, so that a retry has a fresh signature; it runs in a
thread of deliver's and holds no lock. With `request`, the call that caused it, the message leaves after
that call's answer, as a rule; without, at once. Messages of one `group` leave in order; what failed
(no 2xx; a redirect is a failure) is sent again, `retries` times, each after twice as long as before,
and no longer in order. Nothing here blocks the caller.

Rules for messages (operations callback, event, result, c2b, report...) may say:

    lost true            never sent (nor repeated)
    copies n             sent n times; parallel true: all at once
    delay_ms n           later
    before_answer true   sent, and answered by the shop, before the answer of the call that caused it
    hold true            kept until POST /sim/release {"match": ...}
    reorder true         kept until the next one of its group has been sent, or for `reorder_ms` (1000)
    retries n            instead of the provider's own
    from "1.2.3.4"       X-Forwarded-For, so that it comes from an address that is not listed

A provider that needs the rule before it knows what to send takes it itself, and passes on its `do`.

and what the provider's module knows (amount, currency, signature, result_code...), which build() obeys.
"""
import http.client
import itertools
import ssl
import threading
import time
import traceback
from urllib.parse import urlsplit

TIME_OUT = 20
PARALLEL = 32
FIRST_RETRY = 0.1
LAST_RETRY = 5.0


class Outgoing:
    def __init__(self, path, body, headers, method='POST'):
        self.path, self.body, self.headers, self.method = path, body, headers, method


class Delivery:
    """One message. `state`: waiting, held, lost, delivered, retrying, failed."""

    def __init__(self, number, provider, operation, refs, build, group, retries, rule, do):
        self.id, self.provider, self.operation, self.refs = number, provider, operation, refs
        self.build, self.group, self.rule = build, group, rule
        self.do = do if do is not None else rule.do if rule else {}
        self.retries = self.do.get('retries', retries)
        self.state, self.attempts, self.tried = 'waiting', [], 0
        self.at = time.time()
        self.sent = threading.Event()      # tried at least once, or never to be
        self.released = threading.Event()  # no longer held
        if not self.do.get('hold'):
            self.released.set()

    def fits(self, match):
        return match is None or any(match in r for r in self.refs)

    def shown(self):
        return {'id': self.id, 'provider': self.provider, 'operation': self.operation,
                'references': self.refs, 'state': self.state, 'at': self.at,
                'rule': self.rule.id if self.rule else None, 'attempts': list(self.attempts)}


class Deliver:
    def __init__(self, world, shop, ca):
        self.world = world
        parts = urlsplit(shop)
        self.plain = parts.scheme == 'http'
        self.host, self.port = parts.hostname, parts.port or (80 if self.plain else 443)
        self.tls = None if self.plain else ssl.create_default_context(cafile=ca)
        self.slots = threading.BoundedSemaphore(PARALLEL)
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.quiet = threading.Condition(self.lock)
        self.under_way = 0  # attempts whose answer has not come
        self.all, self.queues, self.age = [], {}, 0

    def send(self, provider, operation, refs, build, request=None, group=None, retries=0, do=None):
        """`do`: instead of a rule's."""
        refs = [str(r) for r in refs if r]
        rule = self.world.rules.take(provider, operation, refs) if do is None else None
        one = Delivery(next(self.numbers), provider, operation, refs, build, group, retries, rule, do)
        with self.lock:
            self.all.append(one)
            age = self.age
        if one.do.get('lost'):
            self._became(one, 'lost')
            one.sent.set()
        elif request is not None and one.do.get('before_answer'):
            request.before.append(lambda: self._one(one, age))
        elif request is not None:
            request.after.append(lambda: self._queue(one, age))
        else:
            self._queue(one, age)
        return one

    def ask(self, out):
        """Sends one message now and waits for the shop's answer: its status and body. Raises OSError or
        HTTPException."""
        return self._exchange(out)

    def release(self, match=None):
        """Lets go what is held. Gives how many that were."""
        with self.lock:
            held = [d for d in self.all if not d.released.is_set() and d.fits(match)]
        for one in held:
            one.released.set()
        return len(held)

    def shown(self, provider=None, operation=None, match=None):
        with self.lock:
            return [d.shown() for d in self.all if provider in (None, d.provider)
                    and operation in (None, d.operation) and d.fits(match)]

    def pending(self):
        """How many messages are still on their way; held ones are not."""
        with self.lock:
            return sum(d.state in ('waiting', 'retrying') for d in self.all)

    def reset(self):
        """Forgets all; what waits is never sent."""
        with self.lock:
            going, self.all, self.queues = self.all, [], {}
            self.age += 1
        for one in going:
            one.released.set()
            one.sent.set()

    def settle(self):
        """Waits until what was on the wire when it was forgotten has arrived, so that nothing of before
        comes after. Called without world.lock, which the shop's answer may need."""
        with self.quiet:
            self.quiet.wait_for(lambda: self.under_way == 0, TIME_OUT)

    # --- inside

    def _queue(self, one, age):
        # Held, delayed and reordered ones stand beside the queue, so that others may pass them.
        if not one.released.is_set() or one.do.get('delay_ms') or one.do.get('reorder'):
            if not one.released.is_set():
                self._became(one, 'held')
            self._thread(self._late, one, age)
            return
        group = one.group if one.group is not None else ('alone', one.id)
        with self.lock:
            if age != self.age:
                return
            waiting = self.queues.get(group)
            if waiting is not None:
                waiting.append(one)
                return
            self.queues[group] = [one]
        self._thread(self._drain, group, age)

    def _drain(self, group, age):
        while True:
            with self.lock:
                queue = self.queues.get(group)
                if age != self.age or not queue:
                    if age == self.age:
                        self.queues.pop(group, None)
                    return
                one = queue[0]
            self._one(one, age)
            with self.lock:
                if age == self.age:
                    queue.pop(0)

    def _late(self, one, age):
        one.released.wait()
        if one.state == 'held':
            self._became(one, 'waiting')
        self.world.wait(one.do.get('delay_ms', 0))
        if one.do.get('reorder'):
            self._await_next(one)
        self._one(one, age)

    def _await_next(self, one):
        end = time.monotonic() + one.do.get('reorder_ms', 1000) / 1000
        while time.monotonic() < end and one.released.is_set():
            with self.lock:
                later = [d for d in self.all if d.group == one.group and d.id > one.id]
            if later:
                later[0].sent.wait(max(0, end - time.monotonic()))
                return
            time.sleep(0.005)

    def _one(self, one, age):
        copies = one.do.get('copies', 1)
        if one.do.get('parallel') and copies > 1:
            gate = threading.Barrier(copies)
            threads = [self._thread(self._attempt, one, age, gate) for _ in range(copies)]
            for t in threads:
                t.join()
        else:
            for _ in range(copies):
                self._attempt(one, age)
        one.sent.set()
        if one.state == 'waiting' and age == self.age:
            self._fail(one, age)

    def _fail(self, one, age):
        if one.tried > one.retries:
            self._became(one, 'failed')
            return
        self._became(one, 'retrying')
        later = min(FIRST_RETRY * 2 ** (one.tried - 1), LAST_RETRY)
        timer = threading.Timer(later, self._again, (one, age))
        timer.daemon = True
        timer.start()

    def _again(self, one, age):
        if age == self.age:
            self._attempt(one, age)
            if one.state != 'delivered':
                self._fail(one, age)

    def _attempt(self, one, age, gate=None):
        with self.lock:
            if age != self.age:
                if gate is not None:
                    gate.abort()
                return
            self.under_way += 1
            one.tried += 1
            number = one.tried
        try:
            self._send(one, number, gate)
        finally:
            with self.quiet:
                self.under_way -= 1
                self.quiet.notify_all()

    def _send(self, one, number, gate):
        began = time.time()
        try:
            out = one.build(one.do, number)
            if one.do.get('from'):
                out.headers['X-Forwarded-For'] = one.do['from']
            if gate is not None:
                gate.wait()
            status, error = self._exchange(out)[0], None
        except (OSError, http.client.HTTPException) as e:
            status, error = None, type(e).__name__
        except threading.BrokenBarrierError:  # its twins were forgotten, and so is it
            return
        except Exception as e:  # a fault of the provider's build(), which must not stop the others
            self.world.log('broken', error=traceback.format_exc())
            status, error = None, type(e).__name__
        with self.lock:
            one.attempts.append({'at': began, 'status': status, 'error': error})
        if status is not None and 200 <= status < 300:
            self._became(one, 'delivered')
        self.world.log('message', provider=one.provider, operation=one.operation, attempt=number,
                       status=status, error=error)

    def _exchange(self, out):
        with self.slots:
            if self.plain:
                c = http.client.HTTPConnection(self.host, self.port, timeout=TIME_OUT)
            else:
                c = http.client.HTTPSConnection(self.host, self.port, context=self.tls,
                                                timeout=TIME_OUT)
            try:
                c.request(out.method, out.path, body=out.body, headers=out.headers)
                answer = c.getresponse()
                return answer.status, answer.read()
            finally:
                c.close()

    def _became(self, one, state):
        with self.lock:
            if one.state == 'delivered':
                return
            one.state = state

    def _thread(self, what, *args):
        t = threading.Thread(target=what, args=args, daemon=True)
        t.start()
        return t
