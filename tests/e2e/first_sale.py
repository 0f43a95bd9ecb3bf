#!/usr/bin/python3
"""Buys something in a demo shop, end to end, and prints the receipt. `./dev up` ends with it.

Register, browse, search, cart, checkout, paid by the asynchronous pipeline, moved by the seller to
shipped, reviewed: all through nginx, over TLS.
"""
import argparse
import secrets
import sys
import time

from soko import Failed, Shop, Step, demand, run_steps


def accounts(path):
    with open(path, encoding='utf-8') as f:
        return {email: password for _, email, password in (line.split() for line in f)}


class PatientShop(Shop):
    """Waits when it is told to: somebody may run `./dev up` often, and sign-ins are limited."""

    def call(self, *args, **kwargs):
        a = super().call(*args, **kwargs)
        while a.status == 429:
            time.sleep(min(60, int(a.headers.get('retry-after', '1'))))
            a = super().call(*args, **kwargs)
        return a


def in_stock(shop, seller):
    """The id of coffee that can be bought. Many a first sale empties the shelf; the seller has more."""
    found = shop.call('GET', '/products?search=peaberry+coffee').data
    for product in found:
        if product['stock'] >= 2:
            return product['id']
    more = {k: found[0][k] for k in ('name', 'description', 'price', 'currency', 'category_id',
                                     'weight_g')}
    return demand(shop.call('POST', '/products', {**more, 'stock': 1000}, seller), 201).data['id']


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument('--base', required=True, help='https://localhost:8443')
    args.add_argument('--cacert', required=True)
    args.add_argument('--accounts', required=True, help='what `sokoctl demo load` has written')
    o = args.parse_args()
    seller = 'jikoni@soko.example'
    me = {'email': f'first-{secrets.token_hex(4)}@example.com',
          'password': secrets.token_urlsafe(12)}
    shop = PatientShop(o.base, o.cacert)
    kept = run_steps(shop, [
        Step('register', 'POST', '/auth/register', {**me, 'name': 'Fiona First'}, 201),
        Step('sign in', 'POST', '/auth/login', me, keep={'me': 'access_token'}),
        Step('browse', 'GET', '/products?sort_by=price&per_page=5', see=lambda a: a.data),
        Step('search', 'GET', '/products?search=peaberry+coffee', see=lambda a: a.data),
        Step('the seller signs in', 'POST', '/auth/login',
             {'email': seller, 'password': accounts(o.accounts)[seller]},
             keep={'seller': 'access_token'}),
    ])
    kept['product'] = in_stock(shop, kept['seller'])
    kept = run_steps(shop, [
        Step('put into the cart', 'POST', '/cart/items',
             {'product_id': '{product}', 'quantity': 2}, as_='me',
             see=lambda a: a.data['item_count'] == 2),
        Step('order', 'POST', '/orders',
             {'shipping_address': {'street': 'Moi Avenue 12', 'city': 'Nairobi', 'country': 'KE'}},
             201, as_='me', headers={'Idempotency-Key': secrets.token_hex(8)},
             keep={'order': 'id'}),
        Step('paid', 'GET', '/orders/{order}', as_='me',
             poll=lambda a: a.data['payment_status'] == 'paid'),
        Step('processing', 'PUT', '/orders/{order}/status', {'status': 'processing'}, as_='seller'),
        Step('shipping', 'PUT', '/orders/{order}/status',
             {'status': 'shipping', 'tracking_number': 'KE-2026-1'}, as_='seller'),
        Step('shipped', 'PUT', '/orders/{order}/status', {'status': 'shipped'}, as_='seller'),
        Step('review', 'POST', '/products/{product}/reviews',
             {'rating': 5, 'comment': 'Came the next day'}, 201, as_='me'),
    ], kept)
    order = shop.call('GET', f'/orders/{kept["order"]}', token=kept['me']).data
    print(f'Order {order["order_number"]}, {order["status"]}, {order["payment_status"]}')
    for line in order['items']:
        print(f'  {line["quantity"]} x {line["name"]:<32} {line["subtotal"]:>8} {order["currency"]}')
    print(f'  total {order["total_amount"]:>36} {order["currency"]}')
    print(f'  receipt {order["payment"]["receipt"]} ({order["payment"]["provider"]})')
    print(f'  tracking {order["parts"][0]["tracking_number"]} of {order["parts"][0]["store_name"]}')
    for event in order['events']:
        print(f'  {event["at"]} {event["event"]}')


if __name__ == '__main__':
    try:
        main()
    except (Failed, OSError) as e:
        sys.exit(f'the first sale failed: {e}')
