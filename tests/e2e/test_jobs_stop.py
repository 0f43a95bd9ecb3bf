"""soko-jobs is told to stop in the middle of a batch: what it has not begun is done by whoever comes
next, at once. The lease is an hour here, so nothing arrives that had to wait for its end.

# settings: JOBS_LEASE=1h PROVIDER_AT_ONCE=6
# flavours: check
"""
import secrets

from money import rule, sim
from owner import sql_one, start, stop
from soko import Shop, Suite, demand, equal, until

suite = Suite()
shop = Shop()
PEOPLE = 5


def claimed():
    return int(sql_one("SELECT count(*) FROM outbox WHERE lane = 'messages' AND attempts > 0"))


@suite.test
def test_a_batch_is_given_back():
    phones = [f'+2547{secrets.randbelow(10 ** 8):08}' for _ in range(PEOPLE)]
    stop('jobs')
    for phone in phones:
        demand(shop.call('POST', '/auth/register', {
            'name': 'Ann', 'phone': phone, 'password': secrets.token_urlsafe(12)}), 201)
    slow = rule('sms', 'send', None, None, delay_ms=2000)['id']
    start('jobs')
    until(lambda: claimed() == PEOPLE, 'a batch that is claimed whole')
    stop('jobs')
    left = int(sql_one("SELECT count(*) FROM outbox WHERE lane = 'messages'"))
    equal(left, PEOPLE - 1, 'what was begun is done, and no more was begun')
    equal(int(sql_one("SELECT count(*) FROM outbox WHERE lane = 'messages'"
                      " AND available_at <= now() AND attempts = 0")), left, 'all of it is due')
    sim('DELETE', f'/sim/rules/{slow}')
    start('jobs')
    for phone in phones:
        until(lambda who=phone: sim('GET', f'/sim/messages?kind=sms&match={who[1:]}'),
              f'the welcome of {phones.index(phone)}')
        equal(len(sim('GET', f'/sim/messages?kind=sms&match={phone[1:]}')), 1, 'once')


if __name__ == '__main__':
    suite.main()
