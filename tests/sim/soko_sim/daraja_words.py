"""Daraja's words: its errors, what it demands of a request, its result texts, times and ids."""
import base64
import calendar
import re
import subprocess
import time
from urllib.parse import urlsplit

from .call import Response

EAST_AFRICA = 3 * 3600  # no summer time
TIMESTAMP_TOLERANCE = 300
SANDBOX_PASSKEY = 'bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919'
FORBIDDEN = re.compile(r'm-?pesa|safaricom|exe|cmd|sql|query', re.IGNORECASE)

RESULTS = {
    '0': 'The service request is processed successfully.',
    '1': 'The balance is insufficient for the transaction.',
    '2': 'Declined due to limit rule: less than the minimum transaction amount.',
    '3': 'Declined due to limit rule: greater than the maximum transaction amount.',
    '4': 'Declined due to limit rule: would exceed daily transfer limit.',
    '8': 'Declined due to limit rule: would exceed the maximum balance.',
    '11': 'The DebitParty is in an invalid state.',
    '17': 'Declined due to limit rule: same amount and customer within 2 minutes.',
    '21': 'The initiator is not allowed to initiate this request.',
    '26': 'System internal error.',
    '1001': 'Unable to lock subscriber, a transaction is already in process for the current subscriber',
    '1019': 'Transaction has expired',
    '1025': 'An error occurred while sending a push request',
    '1031': 'Request cancelled by user',
    '1032': 'Request cancelled by user',
    '1036': 'SMSC ACK timeout.',
    '1037': 'DS timeout user cannot be reached',
    '2001': 'The initiator information is invalid.',
    '2006': 'Declined due to account rule: the account status does not allow this transaction.',
    '2028': 'The request is not permitted according to product assignment.',
    '2040': 'Credit Party customer type (Unregistered or Registered Customer) cannot be supported by the service.',
    '4999': 'The transaction is still under processing',
    '8006': 'The security credential is locked.',
    '9999': 'Request error',
    'R000001': 'The transaction has already been reversed.',
    'R000002': 'The OriginalTransactionID is invalid.',
    'SFC_IC0003': 'The operator does not exist.',
}

# The error of each HTTP status that a rule asks for, unless it says a code of its own.
FAULTS = {
    400: (400, '400.002.02', 'Bad Request - Invalid Request'),
    401: (401, '401.002.01', 'Error Occurred - Invalid Access Token'),
    403: (403, '403.001.01', 'Forbidden'),
    404: (404, '404.001.01', 'Resource not found'),
    405: (405, '405.001', 'Method Not Allowed'),
    429: (500, '500.003.02', 'Error Occurred: Spike Arrest Violation'),  # not as 429
    500: (500, '500.003.1001', 'Internal Server Error'),
    503: (500, '500.003.02', 'System is busy. Please try again in few minutes.'),
}
MESSAGES = {
    '404.001.03': 'Invalid Access Token', '400.003.01': 'Error Occurred - Invalid Access Token',
    '500.001.1001': 'Unable to lock subscriber, a transaction is already in process for the current subscriber',
    '500.002.1001': 'Duplicate OriginatorConversationID.', '500.003.03': 'Error Occurred: Quota Violation',
    '500.003.02': 'Error Occurred: Spike Arrest Violation',
}


class Refused(Exception):
    """The request is answered by an error at once."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def response(self, random):
        return Response.json({'requestId': request_id(random), 'errorCode': self.code,
                              'errorMessage': self.message}, self.status)


def invalid(name):
    return Refused(400, '400.002.02', f'Bad Request - Invalid {name}')


def fault(random, status, code, do):
    """What Call.run() wants: the error that a rule asks for."""
    status, usual, message = FAULTS.get(status, (status, '500.003.1001', 'Internal Server Error'))
    if code:
        message = MESSAGES.get(code, message)
    return Refused(status, code or usual, do.get('message', message)).response(random)


def result_text(code):
    return RESULTS.get(code, 'The service request failed.')


# --- what a request must hold

def text(body, name, shown=None, least=1, most=1000, pattern=None):
    value = body.get(name)
    if not isinstance(value, str) or not least <= len(value) <= most \
            or (pattern and not re.fullmatch(pattern, value)):
        raise invalid(shown or name)
    return value


def plain(body, name, most, shown=None):
    return text(body, name, shown, 1, most, r'[A-Za-z0-9 -]+')


def digits(body, name, shown=None):
    """A number, or a text of digits, as a text."""
    value = body.get(name)
    if isinstance(value, bool) or not re.fullmatch(r'[0-9]{1,15}', str(value)):
        raise invalid(shown or name)
    return str(value)


def shillings(body, least, most):
    value = int(digits(body, 'Amount'))
    if not least <= value <= most:
        raise invalid('Amount')
    return value


def phone(body, name, shown=None):
    value = digits(body, name, shown)
    if not re.fullmatch(r'254[17][0-9]{8}', value):
        raise invalid(shown or name)
    return value


def url(body, name):
    """A URL of ours; gives the path and query that we shall call."""
    value = text(body, name)
    parts = urlsplit(value)
    if parts.scheme != 'https' or not parts.hostname or parts.fragment or '@' in parts.netloc \
            or FORBIDDEN.search(value) or re.search(r'ngrok|mockbin|requestbin', value, re.IGNORECASE):
        raise invalid(name)
    return (parts.path or '/') + ('?' + parts.query if parts.query else '')


def password(body, shortcode, passkey, now):
    """Timestamp and Password of M-Pesa Express."""
    stamp = text(body, 'Timestamp', pattern=r'[0-9]{14}')
    try:
        then = time.strptime(stamp, '%Y%m%d%H%M%S')
    except ValueError:
        raise invalid('Timestamp') from None
    if abs(calendar.timegm(then) - (now + EAST_AFRICA)) > TIMESTAMP_TOLERANCE:
        raise invalid('Timestamp')
    wanted = base64.b64encode((shortcode + passkey + stamp).encode()).decode()
    if text(body, 'Password') != wanted:
        raise Refused(500, '500.001.1001', 'Wrong credentials')


def decrypted(credential, key):
    """The initiator's password, or None: not encrypted with our certificate."""
    try:
        raw = base64.b64decode(credential, validate=True)
    except ValueError:
        return None
    done = subprocess.run(['openssl', 'pkeyutl', '-decrypt', '-inkey', key, '-pkeyopt',
                           'rsa_padding_mode:pkcs1'], input=raw, capture_output=True, timeout=20,
                          check=False)
    return done.stdout.decode('utf-8', 'replace') if done.returncode == 0 else None


# --- times and ids

def local(now, how='%Y%m%d%H%M%S'):
    return time.strftime(how, time.gmtime(now + EAST_AFRICA))


def dotted(now):
    return local(now, '%d.%m.%Y %H:%M:%S')


def hexes(random, *lengths):
    return '-'.join(''.join(random.choice('0123456789abcdef') for _ in range(n)) for n in lengths)


def request_id(random):
    return hexes(random, 4, 4, 4, 20)


def conversation_id(random, now):
    return 'AG_' + local(now, '%Y%m%d') + '_' + hexes(random, 20)


def receipt(random):
    return random.choice('RSTU') + ''.join(
        random.choice('ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789') for _ in range(9))


def money(minor):
    return f'{minor // 100}.{minor % 100:02d}'


def masked(number):
    return f'{number[:4]} ***** {number[-3:]}'
