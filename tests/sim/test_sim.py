"""soko-sim as Africa's Talking, an OAuth2 server and an SMTP server; its page and its control calls."""
import base64
import re
import smtplib
import threading
from urllib.parse import parse_qs, quote_plus

from sim_common import TOKEN, Sim, check, demand, equal, main, until

SECRET = 's3cret&+ %'
sim = Sim(OAUTH2_CLIENT_ID='shop:1', OAUTH2_CLIENT_SECRET=SECRET, SMTP_PASSWORD='pass word')
TESTS = []
REPORTS = '/webhooks/sms/' + TOKEN


def test(f):
    TESTS.append(f)
    return f


def send(headers=None, **form):
    form = {'username': 'sandbox', 'to': '+254711000000', 'message': 'Order successful & paid + sent', **form}
    return sim.call('POST', '/version1/messaging', form=form,
                    headers={'apiKey': sim.config['AT_API_KEY'], 'Accept': 'application/json', **(headers or {})})


def recipients(answer):
    return demand(answer, 201).json['SMSMessageData']['Recipients']


def messages(query=''):
    return demand(sim.get('/sim/messages' + query), 200).json


def basic(name='shop:1', secret=SECRET):
    return {'Authorization': 'Basic ' + base64.b64encode(
        f'{quote_plus(name)}:{quote_plus(secret)}'.encode()).decode()}


def grant(headers=None, **form):
    return sim.call('POST', '/oauth2/token', form={'grant_type': 'client_credentials', 'scope': 'api', **form},
                    headers=basic() if headers is None else headers)


def introspect(token, **form):
    return demand(sim.call('POST', '/admin/oauth2/introspect', form={'token': token, **form}), 200).json


MAIL = ('From: shop@example.com\r\nTo: ann@example.com\r\nSubject: =?utf-8?q?Your_order_=E2=9C=93?=\r\n'
        'Date: Sat, 21 Nov 2026 04:00:00 +0000\r\nMessage-ID: <1@example.com>\r\nMIME-Version: 1.0\r\n'
        'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n'
        'Asante sana \u2713\r\n..point\r\n').encode()


def mail(raw=MAIL, to='ann@example.com'):
    """Sends a message byte for byte; gives the last answer's code."""
    with smtplib.SMTP('127.0.0.1', sim.smtp, timeout=20) as s:
        s.ehlo()
        s.mail('shop@example.com')
        code, _ = s.rcpt(to)
        if code != 250:
            return code
        equal(s.docmd('DATA')[0], 354)
        s.send(raw + b'.\r\n')
        return s.getreply()[0]


@test
def test_sms_has_the_documented_shape():
    a = demand(send(), 201).json
    equal(a['SMSMessageData']['Message'], 'Sent to 1/1 Total Cost: KES 0.8000')
    [r] = a['SMSMessageData']['Recipients']
    equal(set(r), {'statusCode', 'number', 'status', 'cost', 'messageId'}, 'members')
    equal((r['statusCode'], r['number'], r['status'], r['cost']),
          (101, '+254711000000', 'Success', 'KES 0.8000'))
    [m] = messages('?kind=sms')
    equal((m['to'], m['text'], m['id']), ('+254711000000', 'Order successful & paid + sent', r['messageId']))
    headers, body = sim.await_got(REPORTS)[0]
    equal(headers['Content-Type'], 'application/x-www-form-urlencoded')
    equal({k: v[0] for k, v in parse_qs(body.decode()).items()},
          {'id': r['messageId'], 'status': 'Success', 'phoneNumber': '+254711000000', 'networkCode': '63902',
           'retryCount': '0'}, 'the report')


@test
def test_sms_refusals():
    a = demand(send({'apiKey': 'atsk_other'}), 401)
    equal((a.body, a.headers.get_content_type()), (b'The supplied authentication is invalid', 'text/plain'))
    demand(send(username='shop'), 401)
    demand(send(message=''), 400)
    a = sim.call('POST', '/version1/messaging', body='username=sandbox&to=+254711000000&message=x',
                 headers={'apiKey': sim.config['AT_API_KEY'],
                          'Content-Type': 'application/x-www-form-urlencoded'})
    equal([(r['statusCode'], r['messageId']) for r in recipients(a)], [(403, 'None')], 'a raw + is a blank')
    a = send(to='+254711000000,0711000000').json['SMSMessageData']
    equal(a['Message'], 'Sent to 1/2 Total Cost: KES 0.8000')
    a = demand(send(**{'from': 'STRANGER'}), 201).json['SMSMessageData']
    equal(a, {'Message': 'InvalidSenderId', 'Recipients': []})
    equal(len(messages()), 1, 'what was sent')


@test
def test_sms_knobs():
    sim.rule('sms', 'send', match='+254711000001', recipient='UserInBlacklist', only='000001')
    equal([r['statusCode'] for r in recipients(send(to='+254711000001,+254711000002'))], [406, 101])
    sim.rule('sms', 'send', match='+254711000003', empty=True)
    equal(recipients(send(to='+254711000003')), [])
    sim.rule('sms', 'send', match='+254711000004', status=500)
    demand(send(to='+254711000004'), 500)
    sim.rule('sms', 'report', match='+254711000005', statuses=['Sent', 'Failed'], failure='UserInBlacklist')
    recipients(send(to='+254711000005'))
    got = [parse_qs(b.decode()) for _, b in sim.await_got(REPORTS, 3)]
    got = [g for g in got if g['phoneNumber'] == ['+254711000005']]
    equal([(g['status'], g.get('failureReason')) for g in got],
          [(['Sent'], None), (['Failed'], ['UserInBlacklist'])], 'in order')


@test
def test_oauth2_token_and_introspection():
    a = demand(grant(), 200).json
    equal(set(a), {'access_token', 'expires_in', 'scope', 'token_type'}, 'members')
    equal((a['expires_in'], a['scope'], a['token_type']), (3599, 'api', 'bearer'))
    check(a['access_token'].startswith('ory_at_'), 'opaque')
    i = introspect(a['access_token'])
    equal({k: i[k] for k in ('active', 'scope', 'client_id', 'sub', 'aud', 'iss', 'token_type', 'token_use',
                             'ext')},
          {'active': True, 'scope': 'api', 'client_id': 'shop:1', 'sub': 'shop:1', 'aud': [],
           'iss': 'http://hydra:4444/', 'token_type': 'Bearer', 'token_use': 'access_token', 'ext': {}})
    check(isinstance(i['exp'], int) and i['exp'] - i['iat'] == 3599 and i['nbf'] == i['iat'], 'times')
    equal(introspect(a['access_token'], scope='api'), i)
    equal(introspect(a['access_token'], scope='api admin'), {'active': False}, 'not enough scope')
    equal(introspect('ory_at_unknown'), {'active': False})


@test
def test_oauth2_errors():
    a = demand(grant(basic(secret='other')), 401).json
    equal((a['error'], a['status_code'], set(a)),
          ('invalid_client', 401, {'error', 'error_description', 'error_hint', 'status_code'}))
    demand(grant({}), 401)
    demand(grant({'Authorization': 'Basic ' + base64.b64encode(f'shop:1:{SECRET}'.encode()).decode()}), 401)
    equal(demand(grant(scope='api admin'), 400).json['error'], 'invalid_scope')
    equal(demand(grant(grant_type='password'), 400).json['error'], 'unsupported_grant_type')
    demand(sim.get('/oauth2/token'), 405)
    demand(sim.call('POST', '/admin/oauth2/introspect', form={}), 400)


@test
def test_oauth2_revoke_and_expiry():
    token = grant().json['access_token']
    demand(sim.call('POST', '/oauth2/revoke', form={'token': token}), 401)
    equal(introspect(token)['active'], True, 'a stranger revokes nothing')
    for given in (token, token, 'ory_at_unknown'):
        equal(demand(sim.call('POST', '/oauth2/revoke', form={'token': given}, headers=basic()), 200).body, b'')
    equal(introspect(token), {'active': False})
    sim.rule('oauth2', 'token', expires_in=0)
    equal(introspect(grant().json['access_token']), {'active': False})


@test
def test_oauth2_knobs():
    token = demand(sim.post('/sim/oauth2/tokens', {'sub': 'ann', 'scope': 'api x', 'aud': ['a'],
                                                   'ext': {'role': 'buyer'}}), 200).json['access_token']
    i = introspect(token)
    equal((i['sub'], i['scope'], i['aud'], i['ext']), ('ann', 'api x', ['a'], {'role': 'buyer'}))
    sim.rule('oauth2', 'introspect', match='ann', times=1, aud='text', members={'token_use': 'refresh_token'})
    i = introspect(token)
    equal((i['aud'], i['token_use']), ('a', 'refresh_token'))
    sim.rule('oauth2', 'introspect', match='ann', times=1, demand_auth=True)
    demand(sim.call('POST', '/admin/oauth2/introspect', form={'token': token}), 401)
    sim.rule('oauth2', 'introspect', status=503)
    demand(sim.call('POST', '/admin/oauth2/introspect', form={'token': token}), 503)


@test
def test_smtp_keeps_a_message():
    equal(mail(), 250)
    [m] = messages('?kind=mail')
    equal((m['to'], m['subject'], m['id'], m['from']),
          ('ann@example.com', 'Your order \u2713', '<1@example.com>', 'shop@example.com'))
    equal(m['text'].replace('\r\n', '\n'), 'Asante sana \u2713\n.point\n', 'the doubled point is one')
    equal(messages('?match=ann@example'), [m])
    equal(messages('?match=bob'), [])


@test
def test_smtp_is_strict():
    equal(mail(MAIL.replace(b'Asante', b'\nAsante')), 554, 'a bare LF')
    equal(mail(MAIL.replace(b'Asante', b'a' * 1000)), 554, 'a line too long')
    equal(mail(MAIL.replace(b'Subject', b'X-Subject')), 554, 'no subject')
    equal(mail(MAIL.replace(b'To:', b'To: bob@example.com\r\nTo:')), 554, 'To twice')
    equal(mail(to='ann'), 501, 'no address')
    equal(messages(), [])


@test
def test_smtp_knobs():
    sim.rule('smtp', 'rcpt', match='gone@example.com', status=550)
    equal(mail(to='gone@example.com'), 550)
    sim.rule('smtp', 'mail', match='1@example.com', times=1, status=451)
    equal(mail(), 451)
    equal(messages(), [])
    sim.rule('smtp', 'mail', times=1, drop=True)
    try:
        code = mail()
    except smtplib.SMTPServerDisconnected:
        code = None
    equal(code, None, 'no answer')
    equal(len(messages()), 1, 'but it was kept')
    sim.rule('smtp', 'connect', times=1, status=421)
    try:
        code = mail()
    except smtplib.SMTPException as e:
        code = getattr(e, 'smtp_code', None)
    equal(code, 421)
    equal(mail(), 250)


@test
def test_smtp_auth():
    with smtplib.SMTP('127.0.0.1', sim.smtp, timeout=20) as s:
        equal(s.login('shop', 'pass word')[0], 235)
    with smtplib.SMTP('127.0.0.1', sim.smtp, timeout=20) as s:
        try:
            code = s.login('shop', 'wrong')[0]
        except smtplib.SMTPAuthenticationError as e:
            code = e.smtp_code
        equal(code, 535)


@test
def test_page_shows_what_came():
    a = demand(sim.get('/sim/'), 200)
    equal(a.headers.get_content_type(), 'text/html')
    check(not re.search(rb'https?://', a.body), 'no external resource')
    recipients(send())
    mail()
    shown = demand(sim.get('/sim/page.json'), 200).json
    equal(sorted(m['kind'] for m in shown['messages']), ['mail', 'sms'])
    equal(set(shown), {'prompts', 'moved', 'intents', 'messages', 'books'})


@test
def test_rules_with_a_slip_of_the_pen_are_refused():
    for rule in ({'provider': 'daraja', 'operation': 'pusch', 'do': {'drop': True}},
                 {'provider': 'daraja', 'operation': 'push', 'do': {'drip': True}},
                 {'provider': 'other', 'operation': 'push', 'do': {'drop': True}},
                 {'provider': 'sms', 'operation': 'send', 'do': {}},
                 {'provider': 'sms', 'operation': 'send', 'times': 0, 'do': {'drop': True}}):
        demand(sim.post('/sim/rules', rule), 400)
    equal(sim.get('/sim/rules').json, [])


@test
def test_rules_run_out_and_are_matched():
    sim.rule('sms', 'send', times=2, status=500)
    sim.rule('sms', 'send', match='+254711000009', times=1, status=503)
    equal([send().status, send(to='+254711000009').status, send().status, send().status],
          [500, 503, 500, 201])
    equal(demand(sim.call('DELETE', '/sim/rules'), 200).json['removed'], 2)


@test
def test_clocks_go_wrong():
    token = grant().json['access_token']
    demand(sim.post('/sim/clock', {'skew_ms': 3600_000}), 200)
    equal(introspect(token), {'active': False})
    demand(sim.post('/sim/clock', {'skew_ms': 0}), 200)
    equal(introspect(token)['active'], True)


@test
def test_a_hang_ends_with_its_rule():

    rule, answers = sim.rule('sms', 'send', hang=True), []

    def ask():
        try:
            answers.append(send().status)
        except OSError:
            answers.append(None)
    t = threading.Thread(target=ask)
    t.start()
    until(lambda: sim.get('/sim/calls?provider=sms').json, 'the call')
    equal(answers, [], 'it hangs')
    demand(sim.call('DELETE', f'/sim/rules/{rule}'), 200)
    t.join(20)
    equal(answers, [None], 'without an answer')
    equal(messages(), [], 'or an effect')


@test
def test_reset_forgets_all():
    recipients(send())
    mail()
    token = grant().json['access_token']
    demand(sim.post('/sim/reset'), 200)
    equal((messages(), sim.get('/sim/calls').json, introspect(token)), ([], [], {'active': False}))


@test
def test_nothing_secret_is_printed():
    recipients(send())
    mail()
    token = grant().json['access_token']
    introspect(token)
    log = until(lambda: '"introspect"' in sim.log() and sim.log(), 'a line about a call')
    for secret in (SECRET, token, TOKEN, '254711000000', 'ann@example.com', 'Order successful',
                   sim.config['AT_API_KEY'], 'pass word'):
        check(secret not in log, f'{secret[:4]}... is in the log')


main(TESTS, sim)
