"""What no log may contain: secrets by their look, and those that the tests have planted.

Used by test_secrets.py on its own shop's logs, and by ../security/canary.py on those of the whole run.
"""
import json
import os
import re
import subprocess
import tempfile

# Looks. In front of each stands what it would be part of if it were something else (a longer number, a
# hash); a number is a phone's only if nothing but digits is around it.
LOOKS = {
    'a bearer token': r'(?i)\bbearer +[\w.~+/-]{8,}',
    'a JWT': r'\beyJ[\w-]{8,}\.[\w-]{8,}',
    'a webhook secret': r'\bwhsec_\w{8,}',
    'an API key': r'\b(?:sk|rk)_(?:test|live|soko)_[\w-]{8,}|\batsk_\w{8,}',
    'a client_secret': r'\b(?:pi|seti|cs)_\w+_secret_\w{4,}',
    'a CheckoutRequestID': r'\bws_CO_\d{8,}',
    'a full phone number': r'(?<![\w.-])\+?254[17]\d{8}(?![\w-])|%2B254[17]\d{8}',
    'an e-mail address': r'[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b',
    'a token in a path': r'/webhooks/[^ "?]*/?[0-9a-f]{64}',
    'a password': r'"(?:password|old_password|new_password|pin)" *: *"',
    'a password in a URL': r'[a-z]://[^/ "@:]+:[^/ "@]+@',
    'a digest of a password': r'\$(?:y|2[ab])\$[\w./$]{20,}',
}

# One that must be caught and one that must not, each.
SAMPLES = {
    'a bearer token': ('authorization: Bearer abcdefgh.ijk', 'the bearer of bad news'),
    'a JWT': ('token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.x', 'eyJhbGciOiJIUzI1NiJ9'),
    'a webhook secret': ('key=whsec_0123456789', 'whsec_'),
    'an API key': ('"sk_soko_4eC3-HqLyjW"', 'sk_soko_...'),
    'a client_secret': ('pi_1_secret_abcd', 'payments_client_secret_key'),
    'a CheckoutRequestID': ('ws_CO_1007202409152617172396192', 'ws_CO_'),
    'a full phone number': ('to +254712345678.', '254712***678 0192547123456789 a254712345678'),
    'an e-mail address': ('for <ann.w+x@mail.example.com>', 'postgresql://soko_app@/soko soko@localhost'),
    'a token in a path': ('POST /webhooks/sms/' + 'ab' * 32 + ' HTTP', '/webhooks/sms/*** ' + 'ab' * 32),
    'a password': ('{"password": "x"}', '"error.field":"password"'),
    'a password in a URL': ('smtp://user:pw@host', 'http://127.0.0.1:8080/x unix:/run/a@b'),
    'a digest of a password': ('$y$j9T$abcdefghijklmnopqrstuv$x', '$1 and $2'),
}

COMPILED = {name: re.compile(look) for name, look in LOOKS.items()}
ALL = re.compile('|'.join(f'(?:{look.removeprefix("(?i)")})' for look in LOOKS.values()), re.I)

# Members of bodies, ours and theirs, whose values are secret or somebody's.
SECRET = {'password', 'old_password', 'new_password', 'current_password', 'access_token',
          'refresh_token', 'client_secret', 'key', 'email', 'phone', 'pin', 'secret', 'otpauth_url',
          'recovery_codes', 'totp_code'}
LEAST = 10  # shorter ones would be found everywhere


def secrets_in(body):
    """The values in a body that nobody may log."""
    if isinstance(body, dict):
        for key, value in body.items():
            if key in SECRET and value and isinstance(value, (str, list)):
                for one in [value] if isinstance(value, str) else value:
                    # +254712***678 is how a phone may be shown, and logged.
                    if isinstance(one, str) and len(one) >= LEAST and one.isprintable() and '***' not in one \
                            and not is_common(one):
                        yield one
            else:
                yield from secrets_in(value)
    elif isinstance(body, list):
        for value in body:
            yield from secrets_in(value)


def is_common(value):
    """A word, which a log may say for reasons of its own, or a pattern: a password that was refused as too
    common is "administrator", a token that is too long is all one letter."""
    return (value.isalpha() and value.islower()) or len(set(value)) < 6


def planted_file(exchanges):
    return exchanges + '.planted'


def plant(exchanges, *bodies):
    """Remembers what is in these bodies, so that the logs can be searched for it."""
    found = sorted({v for body in bodies for v in secrets_in(body)})
    if found:
        with open(planted_file(exchanges), 'a', encoding='utf-8') as f:
            f.write(''.join(v + '\n' for v in found))


def masked(text):
    return text[:6] + '*' * max(0, len(text) - 6)


def by_look(path):
    """Each line of a log that has something of LOOKS: (look, "path:line", masked)."""
    with open(path, encoding='utf-8', errors='replace') as f:
        for n, line in enumerate(f, 1):
            if not ALL.search(line):
                continue
            for name, look in COMPILED.items():
                for hit in look.finditer(line):
                    yield name, f'{path}:{n}', masked(hit[0])


def by_value(paths, values):
    """Each place where one of these values stands as it is: ("path:line", masked)."""
    values = sorted({v for v in values if len(v) >= LEAST})
    if not values or not paths:
        return []
    with tempfile.NamedTemporaryFile('w', encoding='utf-8') as f:
        f.write('\n'.join(values) + '\n')
        f.flush()
        done = subprocess.run(['grep', '-aHnoF', '-f', f.name, '--', *paths], capture_output=True,
                              text=True, errors='replace', check=False,
                              env={**os.environ, 'LC_ALL': 'C'})
    if done.returncode > 1:
        raise RuntimeError(done.stderr)
    hits = []
    for line in done.stdout.splitlines():
        path, n, text = line.split(':', 2)
        hits.append((f'{path}:{n}', masked(text)))
    return hits


def secrets_of(conf):
    """The secret values of a shop's configuration."""
    names = ('TOKEN_KEY', 'DATA_KEY', 'OAUTH2_CLIENT_SECRET', 'STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRETS', 'DARAJA_CONSUMER_KEY',
             'DARAJA_CONSUMER_SECRET', 'DARAJA_PASSKEY', 'DARAJA_INITIATOR_PASSWORD',
             'DARAJA_C2B_TOKEN', 'AT_API_KEY', 'AT_REPORT_TOKEN', 'SMTP_PASSWORD')
    with open(conf, encoding='utf-8') as f:
        pairs = [line.rstrip('\n').split('=', 1) for line in f if '=' in line]
    return [value for name, value in pairs if name in names and value]


def read_json_lines(path):
    with open(path, encoding='utf-8') as f:
        for line in f:
            yield json.loads(line)
