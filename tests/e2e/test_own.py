"""What is one's own: addresses, sessions, the password. In a shop without a mail server."""
# settings: SMTP_URL= SMTP_PASSWORD= MAIL_FROM=
from orders_common import Buyer, shop
from soko import Suite, demand, equal

suite = Suite()
HOME = {'line1': 'Moi Avenue 12', 'city': 'Nairobi', 'country': 'KE', 'postal_code': '00100',
        'phone': '0712345678'}


@suite.test
def an_address_is_kept_changed_and_forgotten():
    ann = Buyer()
    made = demand(ann.call('POST', '/addresses', {**HOME, 'is_default': True}), 201).data
    equal(made['phone'], '+254712345678', 'the phone in E.164')
    path = f'/addresses/{made["id"]}'
    changed = demand(ann.call('PUT', path, {'line2': '2nd floor', 'postal_code': None}), 200).data
    equal((changed['line1'], changed['line2'], changed['postal_code']),
          ('Moi Avenue 12', '2nd floor', None), 'what was sent has changed, and nothing else')
    other = demand(ann.call('POST', '/addresses', {**HOME, 'is_default': True}), 201).data
    listed = demand(ann.call('GET', '/addresses'), 200).data
    equal([a['id'] for a in listed], [other['id'], made['id']], 'the usual one first')
    equal([a['is_default'] for a in listed], [True, False], 'one default')
    equal(demand(ann.call('DELETE', path), 200).data['message'], 'address deleted', 'the word')
    demand(ann.call('PUT', path, {'city': 'Kisumu'}), 404)
    demand(ann.call('DELETE', path), 404)


@suite.test
def an_address_says_what_is_wrong_with_it():
    ann = Buyer()
    equal(demand(ann.call('POST', '/addresses', {}), 400).fields, ['line1', 'city', 'country'],
          'what is needed')
    equal(demand(ann.call('POST', '/addresses', {**HOME, 'country': 'ke'}), 400).fields,
          ['country'], 'two capital letters')
    made = demand(ann.call('POST', '/addresses', HOME), 201).data
    demand(ann.call('PUT', f'/addresses/{made["id"]}', {'country': 'K1'}), 400)
    demand(ann.call('PUT', '/addresses/nonsense', {'city': 'Kisumu'}), 400)
    demand(ann.call('DELETE', '/addresses/nonsense'), 400)


@suite.test
def somebody_elses_address_is_not_there():
    ann, ben = Buyer('Ann'), Buyer('Ben')
    made = demand(ann.call('POST', '/addresses', HOME), 201).data
    demand(ben.call('PUT', f'/addresses/{made["id"]}', {'city': 'Kisumu'}), 404)
    demand(ben.call('DELETE', f'/addresses/{made["id"]}'), 404)
    equal(demand(ben.call('GET', '/addresses'), 200).data, [], 'his list')
    product = shop.new_product(shop.new_seller(), shop.new_category()['id'])
    refused = demand(ben.call('POST', '/orders', {
        'address_id': made['id'], 'payment_method': 'cash_on_delivery',
        'items': [{'product_id': product['id'], 'quantity': 1}]}), 400)
    equal(refused.fields, ['address_id'], 'the field')


@suite.test
def sessions_are_listed_and_ended_one_by_one():
    ann = Buyer()
    other = shop.sign_in(ann.me['email'], ann.me['password'])
    listed = demand(ann.call('GET', '/auth/sessions'), 200).data
    equal(len(listed), 2, 'both sessions')
    equal(sum(s['is_current'] for s in listed), 1, 'one is this one')
    foreign = next(s for s in listed if not s['is_current'])
    path = f'/auth/sessions/{foreign["id"]}'
    demand(Buyer('Ben').call('DELETE', path), 404)
    equal(demand(ann.call('DELETE', path), 200).data['message'], 'session ended', 'the word')
    demand(shop.call('GET', '/auth/profile', token=other['access_token']), 401, 'UNAUTHORIZED')
    demand(shop.call('POST', '/auth/refresh', {'refresh_token': other['refresh_token']}), 401)
    demand(ann.call('GET', '/auth/profile'), 200)
    demand(ann.call('DELETE', path), 404)
    demand(ann.call('DELETE', '/auth/sessions/nonsense'), 400)


@suite.test
def a_new_password_ends_the_other_sessions():
    ann = Buyer()
    other = shop.sign_in(ann.me['email'], ann.me['password'])
    new = 'a brand new secret'
    wrong = demand(ann.call('PUT', '/auth/password',
                            {'old_password': 'not it at all', 'new_password': new}), 400)
    equal(wrong.fields, ['old_password'], 'the field')
    equal(demand(ann.call('PUT', '/auth/password', {'old_password': ann.me['password'],
                                                    'new_password': 'short'}), 400).fields,
          ['new_password'], 'the field')
    demand(ann.call('PUT', '/auth/password', {'old_password': ann.me['password'],
                                              'new_password': new}), 200)
    demand(shop.call('GET', '/auth/profile', token=other['access_token']), 401)
    demand(ann.call('GET', '/auth/profile'), 200)
    demand(shop.call('POST', '/auth/login', {'email': ann.me['email'],
                                             'password': ann.me['password']}), 401)
    shop.sign_in(ann.me['email'], new)


@suite.test
def nobody_is_promised_a_code_that_cannot_be_sent():
    refused = demand(Buyer().call('POST', '/auth/verify-email', {}), 503, 'SERVICE_UNAVAILABLE')
    equal(refused.errors[0]['message'], 'this shop sends no e-mail now', 'why')


suite.main()
