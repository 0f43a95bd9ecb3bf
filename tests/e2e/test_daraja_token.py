"""Daraja's token does not come: who pays by M-Pesa is told so, and who pays otherwise does not notice.

# settings: PROVIDER_TIMEOUT=8s STATEMENT_TIMEOUT=30s WORKER_DEADLINE=60s PROVIDER_AT_ONCE=2 PROVIDER_FAILURES=1000
# settings: WORKERS_WIRE=4
"""
import threading

from money import Buyer, rule, shop, sim
from owner import sql
from soko import Suite, check, demand, equal, until

suite = Suite()
seller = shop.new_seller()
goods = shop.new_product(seller, shop.new_category()['id'], price='150', stock=100)


def push(who, order):
    return who.call('POST', '/payments/mpesa', {'order_id': order['id'], 'phone': who.phone})


@suite.test
def test_few_wait_for_a_token():
    buyers = [Buyer('Tom') for _ in range(5)]
    orders = [b.order(goods['id'], 'mpesa') for b in buyers]
    told = []

    def pay(i):
        told.append(push(buyers[i], orders[i]).status)

    sql('DELETE FROM provider_tokens')
    rule('daraja', 'token', None, None, hang=True)
    threads = [threading.Thread(target=pay, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    # One asks for the token and one waits for him: the others are sent away, before any time is over.
    until(lambda: len(told) == 2, 'two who are told at once', 6)
    equal(told, [502, 502], 'what they are told')
    other = Buyer('Sue')
    paid = demand(other.call('POST', '/payments/stripe', {'order_id': other.order(goods['id'], 'stripe')['id']}),
                  201).data
    check(paid['client_secret'] and len(told) == 2, 'the card is taken while they wait')
    sim('DELETE', '/sim/rules')
    for t in threads:
        t.join()
    demand(push(buyers[4], orders[4]), 202)


if __name__ == '__main__':
    suite.main()
