"""nginx's limit per address, in front of the exact ones: wider, and over what the microcache answers."""
# limits: defaults
import secrets

from nginx_raw import Connection, ask, dressed
from soko import Failed, Suite, check, equal

RATE = 5 * 120  # a minute, of LIMIT_SIGNED_IN's default; the burst is the same

suite = Suite()


def somebody():
    """An address of the block that is set aside for measuring networks."""
    return {'X-Forwarded-For': f'198.18.{secrets.randbelow(256)}.{secrets.randbelow(254) + 1}'}


def until_refused(path, who):
    """Asks until nginx refuses; gives how many answers came before, and the refusal."""
    n = 0
    while n < 20 * RATE:
        with Connection() as c:
            for _ in range(500):  # nginx closes a connection after 1000
                a = c.ask('GET', path, who)
                if a.status == 429:
                    return n, a
                equal(a.status, 200, f'answer {n}')
                n += 1
    raise Failed('never refused')


@suite.test
def test_an_address_that_floods_is_refused_in_json():
    who = somebody()
    n, refusal = until_refused('/api/v1/products?page=1', who)
    check(n >= RATE, f'refused after {n}')
    dressed(refusal, 429, 'RATE_LIMITED')
    equal(ask('GET', '/api/v1/products?page=1', somebody()).status, 200, 'another address')
    equal(ask('GET', '/docs/', who).status, 200, 'a file')
    a = ask('POST', '/webhooks/none', who, b'{}')
    equal((a.status, a.code), (404, 'NOT_FOUND'), 'a provider')


suite.main()
