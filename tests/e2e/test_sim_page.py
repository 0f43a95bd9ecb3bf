# flavours: check
"""The simulator's page in a real browser: a person pays by phone, by card and by hand, and reads mail."""
import json
import os
import urllib.request

from browser import Browser, base
from soko import Shop, Suite, demand, equal, until

suite = Suite()
shop = Shop()


def simulator(path):
    with urllib.request.urlopen(os.environ['SOKO_SIM'] + path, timeout=30) as r:
        return json.loads(r.read())


def an_order(method):
    """A buyer and what he ordered: KES 100."""
    product = shop.new_product(shop.new_seller(), shop.new_category()['id'])
    buyer = shop.sign_up('Page')
    return buyer, demand(shop.buy(buyer, product['id'], 1, method), 201).data


def paid(buyer, order):
    def ask():
        return demand(shop.call('GET', f'/orders/{order["id"]}', None, buyer['access_token']),
                      200).data['payment_status'] == 'paid'
    return until(ask, 'the order is paid')


def shown(browser, css, text):
    until(lambda: text in browser.text(css), f'{text!r} in {css}')


@suite.test
def test_a_person_pays_on_the_phone():
    buyer, order = an_order('mpesa')
    demand(shop.call('POST', '/payments/mpesa', {'order_id': order['id'], 'phone': '0712000111'},
                     buyer['access_token']), 202)
    with Browser() as browser:
        browser.open(base + '/sim')
        try:
            shown(browser, '.prompt', 'KES 100')
            shown(browser, '.prompt', order['order_number'])
            browser.press('.prompt button:nth-child(2)')
            shown(browser, '.phone', 'Wrong PIN')
            again = until(lambda: shop.call('POST', '/payments/mpesa', {
                'order_id': order['id'], 'phone': '0712000111'}, buyer['access_token']).status == 202,
                'a second prompt')
            equal(again, True, 'after a wrong PIN')
            browser.press('.prompt button.main')
            paid(buyer, order)
            shown(browser, '.phone', 'Paid: KES 100')
        finally:
            browser.screenshot(os.path.join(os.environ['SOKO_STATE'], 'log', 'sim.png'))
        demand(shop.call('PUT', f'/orders/{order["id"]}/cancel', {}, buyer['access_token']), 200)
        shown(browser, '.phone', 'Received back: KES 100')
        shown(browser, '#mails', order['order_number'])
        equal(browser.elsewhere(), [], 'loaded from elsewhere')
        equal(browser.complaints(), [], 'the console')


@suite.test
def test_a_person_pays_by_card():
    buyer, order = an_order('stripe')
    demand(shop.call('POST', '/payments/stripe', {'order_id': order['id']}, buyer['access_token']), 201)
    with Browser() as browser:
        browser.open(base + '/sim/')
        browser.press('#intents button.main')
        paid(buyer, order)
        shown(browser, '#intents', 'succeeded')


@suite.test
def test_a_person_sends_money_by_hand():
    buyer, order = an_order('mpesa')
    with Browser() as browser:
        browser.open(base + '/sim/')
        for name, text in (('phone', '254712000222'), ('shillings', '100'), ('bill', order['order_number'])):
            [field] = browser.find(f'#hand [name={name}]')
            browser.do('POST', f'/element/{field}/value', {'text': text})
        browser.press('#hand button')
        shown(browser, '#handed', 'Sent, receipt')
        paid(buyer, order)
    equal([t['kind'] for t in simulator('/sim/transactions') if t['bill'] == order['order_number']],
          ['c2b'], 'what moved')


suite.main()
