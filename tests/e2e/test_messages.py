"""What people are told, by SMS and by e-mail, through the simulator: it arrives as it was written, once
if anybody can know, at most twice if not; and whatever becomes of it, the order does not notice.

# settings: JOBS_BACKOFF=100ms JOBS_BACKOFF_MAX=500ms JOBS_MAX_ATTEMPTS=6 JOBS_LEASE=3s
# settings: PROVIDER_TIMEOUT=1s PROVIDER_FAILURES=1000
"""
import os
import secrets
import shutil
import subprocess
import tempfile

from money import arm_any, rule, setting, sim
from orders_common import move_all
from owner import sql, sql_one
from soko import Shop, Suite, check, demand, equal, until

suite = Suite()
shop = Shop()
FORM = {'Content-Type': 'application/x-www-form-urlencoded'}
ADDRESS = 'Moi Avenue 12, Nairobi'


def any_phone():
    return f'+2547{secrets.randbelow(10 ** 8):08}'


class Person:
    """An account with a phone, an e-mail address, both or neither, signed in."""

    def __init__(self, name='Ann', phone=True, email=True):
        self.phone = any_phone() if phone is True else phone
        self.email = f'ann-{secrets.token_hex(6)}@example.com' if email is True else email
        self.user = 'u' + secrets.token_hex(6)
        password = secrets.token_urlsafe(12)
        body = {'name': name, 'password': password, 'username': self.user}
        if phone:
            body['phone'] = self.phone
        if email:
            body['email'] = self.email
        demand(shop.call('POST', '/auth/register', body), 201)
        self.token = demand(shop.call('POST', '/auth/login', {
            'username': self.user, 'password': password}), 200).data['access_token']

    def order(self, product, method='cash_on_delivery'):
        return demand(shop.call('POST', '/orders', {
            'shipping_address': ADDRESS, 'payment_method': method,
            'items': [{'product_id': product['id'], 'quantity': 1}]}, self.token), 201).data

    def shown(self, order):
        return demand(shop.call('GET', f'/orders/{order["id"]}', token=self.token), 200).data

    # What has reached him.

    def texts(self):
        return [m['text'] for m in sim('GET', f'/sim/messages?kind=sms&match={self.phone[1:]}')]

    def mails(self):
        return sim('GET', f'/sim/messages?kind=mail&match={self.email}')

    # What the shop holds of it.

    def row(self, template='welcome', channel='sms'):
        rows = sql("SELECT m.status, m.unsure, m.failure, m.provider_ref FROM messages m "
                   "JOIN accounts a ON a.id = m.account_id "
                   "WHERE a.username = :'who' AND m.template = :'template' AND m.channel = :'channel'",
                   who=self.user, template=template, channel=channel)
        return dict(zip(('status', 'unsure', 'failure', 'ref'), rows[0])) if rows else None

    def becomes(self, *statuses, template='welcome', channel='sms'):
        def looks_so():
            row = self.row(template, channel)
            return row if row and row['status'] in statuses else None
        return until(looks_so, f'a {template} by {channel} that is {statuses}: '
                               f'{self.row(template, channel)}')


class Goods:
    seller = product = None

    @classmethod
    def get(cls):
        if cls.product is None:
            cls.seller = shop.new_seller()
            cls.product = shop.new_product(cls.seller, shop.new_category()['id'], price='1250.50',
                                           stock=1000)
        return cls.product


def bent_person(times=1, operation='send', **do):
    """Somebody whose first SMS, or whose reports, meet this; the rule stands before he signs up."""
    phone = any_phone()
    rule('sms', operation, phone[1:], times, **do)
    return Person(email=False, phone=phone)


# --- what arrives ---------------------------------------------------------------------------------

@suite.test
def test_a_welcome_arrives_by_both():
    ann = Person('Ann Wanjiru')
    ann.becomes('sent', 'delivered')
    ann.becomes('sent', channel='email')
    equal([t[:34] for t in ann.texts()], ['Welcome to our e-commerce platform'], 'SMS')
    equal([m['subject'] for m in ann.mails()], ['Welcome to our e-commerce platform'], 'e-mail')
    check('Hello Ann Wanjiru,' in ann.mails()[0]['text'], f'{ann.mails()}')


@suite.test
def test_hole_25_plus_and_ampersand_arrive_unharmed():
    name = 'A+B & C=D%41 @amount@'
    ann = Person(name)
    ann.becomes('sent', 'delivered')
    ann.becomes('sent', channel='email')
    check(name in ann.texts()[0], f'{ann.texts()}')
    check(name in ann.mails()[0]['text'], f'{ann.mails()}')


@suite.test
def test_any_script_arrives():
    ann = Person('አበበ Łukasz')
    ann.becomes('sent', 'delivered')
    ann.becomes('sent', channel='email')
    check('አበበ Łukasz' in ann.texts()[0], f'{ann.texts()}')
    check('አበበ Łukasz' in ann.mails()[0]['text'], f'{ann.mails()}')


@suite.test
def test_each_is_told_by_what_he_has():
    for phone, email in ((True, False), (False, True), (False, False)):
        ann = Person(phone=phone, email=email)
        order = ann.order(Goods.get())
        equal([r[0] for r in sql("SELECT channel FROM messages m JOIN accounts a ON a.id = m.account_id "
                                 "WHERE a.username = :'who' ORDER BY template, channel", who=ann.user)],
              ['sms'] * 2 * phone + ['email'] * 2 * email, 'messages')
        until(lambda: sql_one(
            "SELECT count(*) FROM outbox WHERE event = 'message.queued' AND attempts = 0") == '0',
            'events of messages that were taken')
        equal(ann.shown(order)['status'], 'pending', 'the order')


@suite.test
def test_an_order_is_told_of():
    ann, product = Person(), Goods.get()
    order = ann.order(product)
    ann.becomes('sent', 'delivered', template='order_placed')
    ann.becomes('sent', template='order_placed', channel='email')
    move_all(Goods.seller, order, 'processing', 'shipping', 'shipped')
    ann.becomes('sent', 'delivered', template='order_shipped')
    ann.becomes('sent', template='order_shipped', channel='email')
    number = order['order_number']
    placed = [t for t in ann.texts() if t.startswith('Order successful')]
    equal(len(placed), 1, f'{ann.texts()}')
    check(number in placed[0] and 'KES 1250.5' in placed[0], f'{placed}')
    check(any(t.startswith(f'Order {number}: goods have been shipped') for t in ann.texts()),
          f'{ann.texts()}')
    equal(sorted(m['subject'] for m in ann.mails()),
          sorted(['Welcome to our e-commerce platform', f'Order successful: {number}',
                  f'Order {number} is on its way']), 'e-mails')


@suite.test
def test_payment_and_refund_are_told_of():
    ann, product = Person(), Goods.get()
    order = ann.order(product, 'simulated')
    ann.becomes('sent', 'delivered', template='order_paid')
    demand(shop.call('PUT', f'/orders/{order["id"]}/cancel', token=ann.token), 200)
    ann.becomes('sent', 'delivered', template='refunded')
    for template in ('order_paid', 'refunded'):
        ann.becomes('sent', template=template, channel='email')
    for start in ('We have received KES 1250.5', 'We have sent KES 1250.5'):
        equal(len([t for t in ann.texts() if t.startswith(start)]), 1, f'{start}: {ann.texts()}')


# --- a provider in trouble ------------------------------------------------------------------------

@suite.test
def test_a_refusal_is_final():
    for do, failure in (({'recipient': 'UserInBlacklist'}, 'UserInBlacklist'),
                        ({'empty': True}, 'InvalidSenderId')):
        ann = bent_person(None, **do)
        equal(ann.becomes('failed')['failure'], failure, 'why')
        equal(ann.texts(), [], 'nothing arrived')
        equal(calls(ann), 1, 'asked once')


def calls(person):
    return len(sim('GET', f'/sim/calls?provider=sms&operation=send&match={person.phone[1:]}'))


@suite.test
def test_what_was_not_sent_is_sent_later():
    for do in ({'recipient': 'InternalServerError'}, {'status': 401}, {'status': 429}):
        ann = bent_person(2, **do)
        row = ann.becomes('sent', 'delivered')
        equal((len(ann.texts()), row['unsure'], calls(ann)), (1, '1', 3), f'{do}')


@suite.test
def test_a_lost_answer_makes_two_at_most():
    once, always = bent_person(1, drop=True), bent_person(None, drop=True)
    once.becomes('sent', 'delivered')
    equal(len(once.texts()), 2, 'the first came too, as nobody could know')
    equal(always.becomes('failed')['failure'], 'unknown', 'why')
    equal((len(always.texts()), calls(always)), (2, 2), 'never a third')


@suite.test
def test_nonsense_counts_as_unknown():
    for do in ({'status': 500, 'body': 'html'}, {'body': 'truncated'}, {'body': 'empty'},
               {'body': 'html'}):
        ann = bent_person(1, **do)
        row = ann.becomes('sent', 'delivered')
        equal((row['unsure'], calls(ann)), ('2', 2), f'{do}')


@suite.test
def test_a_mail_server_in_trouble():
    for operation, times, do, status, mails in (
            ('rcpt', None, {'status': 550}, 'failed', 0),
            ('rcpt', 2, {'status': 450}, 'sent', 1),
            ('mail', 1, {'status': 451}, 'sent', 1),
            ('mail', None, {'status': 554}, 'failed', 0),
            ('mail', 1, {'drop': True}, 'sent', 2)):
        email = f'ann-{secrets.token_hex(6)}@example.com'
        rule('smtp', operation, email, times, **do)
        ann = Person(phone=False, email=email)
        ann.becomes(status, channel='email')
        got = ann.mails()
        equal(len(got), mails, f'{operation} {do}')
        check(len({m['id'] for m in got}) <= 1, f'a repeated mail is known by its id: {got}')


@suite.test
def test_what_cannot_be_sent_is_parked_and_hurts_nobody():
    ann = bent_person(None, recipient='GatewayError')
    parked = ("SELECT count(*) FROM outbox o JOIN messages m ON m.id = o.subject "
              "JOIN accounts a ON a.id = m.account_id "
              "WHERE a.username = :'who' AND o.parked_at IS NOT NULL")
    until(lambda: sql_one(parked, who=ann.user) == '1', 'a parked message')
    equal(ann.row()['status'], 'queued', 'the message')
    Person().becomes('sent', 'delivered')


@suite.test
def test_orders_do_not_notice_that_the_provider_hangs():
    hang = rule('sms', 'send', None, None, hang=True)['id']
    try:
        people = [Person(email=False) for _ in range(3)]
        orders = [p.order(Goods.get(), 'simulated') for p in people]
        for p, o in zip(people, orders):
            until(lambda p=p, o=o: p.shown(o)['payment_status'] == 'paid', 'a paid order')
        check(any(p.row()['status'] in ('queued', 'sending') for p in people),
              'the messages are behind, and the orders are not')
        move_all(Goods.seller, orders[0], 'processing', 'shipping', 'shipped')
    finally:
        sim('DELETE', f'/sim/rules/{hang}')
    for p in people:
        p.becomes('sent', 'delivered', 'failed')
        check(calls(p) >= 1, 'it was asked')
        for template in ('welcome', 'order_placed'):
            check(int(p.row(template)['unsure']) <= 2, 'never a third time')
    Person().becomes('sent', 'delivered')


@suite.test
def test_a_crash_in_the_middle_makes_two_at_most():
    until(lambda: sql_one("SELECT count(*) FROM outbox WHERE lane = 'messages' "
                          "AND parked_at IS NULL") == '0', 'a lane that is idle')
    armed = arm_any('message_called')
    ann = Person(email=False)
    until(lambda: not os.path.exists(armed), 'the death of a lane')
    row = ann.becomes('sent', 'delivered')
    equal((len(ann.texts()), row['unsure']), (2, '2'), 'the first may have come, so it has')


# --- delivery reports -----------------------------------------------------------------------------

def report(**form):
    body = '&'.join(f'{k}={v}' for k, v in form.items()).encode()
    return shop.call('POST', f'/webhooks/sms/{setting("AT_REPORT_TOKEN")}', headers=FORM, raw=body)


def told_of(*words):
    """Somebody whose message was sent, and the simulator's own report kept back; then these come."""
    ann = bent_person(None, 'report', lost=True)
    ref = ann.becomes('sent')['ref']
    for word in words:
        more = {'failureReason': 'UserNotInNetwork'} if word == 'Failed' else {}
        demand(report(id=ref, status=word, phoneNumber='%2B' + ann.phone[1:], networkCode='63902', **more), 200)
    return ann.row()


@suite.test
def test_the_simulator_reports_deliveries():
    """A report that comes before the answer that names its message is not kept (messages.c): it need not come so for all."""
    people = [Person() for _ in range(10)]
    until(lambda: any((p.row() or {}).get('status') == 'delivered' for p in people), 'one of ten that is delivered', 60)


@suite.test
def test_a_final_report_wins_in_any_order():
    for words, status in ((('Sent', 'Buffered'), 'sent'),
                          (('Submitted', 'Success'), 'delivered'),
                          (('Success', 'Sent', 'Buffered'), 'delivered'),
                          (('Success', 'Success', 'Success'), 'delivered'),
                          (('Failed', 'Sent', 'Failed'), 'failed'),
                          (('Rejected',), 'failed'),
                          (('Success', 'Failed'), 'delivered'),
                          (('Failed', 'Success'), 'delivered'),
                          (('AbsentSubscriber', 'Success'), 'delivered'),
                          (('SomethingNew',), 'sent')):
        equal(told_of(*words)['status'], status, f'{words}')
    equal(told_of('Failed')['failure'], 'UserNotInNetwork', 'why')


@suite.test
def test_reports_that_are_none():
    demand(report(id='ATXid_' + secrets.token_hex(16), status='Success'), 200)
    demand(report(status='Success'), 400, 'VALIDATION_ERROR')
    demand(report(id='ATXid_1'), 400, 'VALIDATION_ERROR')
    body = b'id=ATXid_1&status=Success'
    for token in (secrets.token_hex(32), 'x', setting('AT_REPORT_TOKEN')[:-1]):
        demand(shop.call('POST', f'/webhooks/sms/{token}', headers=FORM, raw=body), 404, 'NOT_FOUND')
    for raw in (b'', b'\x00\xff&=', b'{"id":"ATXid_1"}', b'&' * 5000, b'id=%zz&status=%'):
        a = shop.call('POST', f'/webhooks/sms/{setting("AT_REPORT_TOKEN")}', headers=FORM, raw=raw)
        check(a.status in (200, 400), f'{raw[:20]!r}: {a!r}')


# --- templates ------------------------------------------------------------------------------------

@suite.test
def test_a_faulty_template_stops_the_start_and_is_named():
    jobs = os.path.join(os.path.dirname(os.environ['SOKO_CTL'].split()[0]), '..', 'libexec', 'soko',
                        'soko-jobs')
    good = setting('MESSAGES_DIR')

    def start(folder):
        return subprocess.run([jobs, '--config', os.environ['SOKO_CONF'], '--check'],
                              env={**os.environ, 'MESSAGES_DIR': folder}, capture_output=True,
                              text=True, timeout=60, check=False)

    with tempfile.TemporaryDirectory() as folder:
        for name in os.listdir(good):
            shutil.copy(os.path.join(good, name), folder)
        equal(start(folder).returncode, 0, 'as they are')
        path = os.path.join(folder, 'order_paid.sms')
        for text in ('paid @order_number@ @sum@', 'paid', None):
            if text is None:
                os.unlink(path)
            else:
                with open(path, 'w', encoding='utf-8') as f:
                    f.write(text)
            done = start(folder)
            equal(done.returncode, 78, f'{text}: EX_CONFIG')
            check('order_paid.sms' in done.stderr, f'{text}: {done.stderr}')


suite.main()
