"""What the simulator's own tests share: a simulator with a shop that only listens. Standard library
alone, and no code of the simulator's or of Soko's."""
import atexit
import http.client
import http.server
import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.parse

HERE = os.path.dirname(os.path.realpath(__file__))
TOKEN = secrets.token_hex(32)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f'<{self.status} {self.body[:300]!r}>'


class Shop(http.server.BaseHTTPRequestHandler):
    """Takes what the providers send, and answers what `answers` says for the path (200 {})."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        if self.server.door is not None:
            self.server.door(self.path)
        with self.server.lock:
            self.server.got.append((self.path, dict(self.headers), body))
        status, answer = self.server.answers.get(self.path, (200, {'ResultCode': 0}))
        out = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header('Content-Length', str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    def log_message(self, *args):
        pass


class Sim:
    """soko-sim on ports of its own, and the shop that it calls."""

    def __init__(self, **more):
        self.folder = tempfile.mkdtemp(prefix='soko-sim-test-')
        for name, kind in (('shop', ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']),
                           ('daraja', ['rsa:2048'])):
            subprocess.run(['openssl', 'req', '-x509', '-newkey', *kind, '-nodes', '-days', '2', '-subj',
                            '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
                            '-keyout', self.path(name + '.key'), '-out', self.path(name + '.pem')],
                           check=True, capture_output=True)
        self.shop = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Shop)
        self.shop.daemon_threads = True
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.path('shop.pem'), self.path('shop.key'))
        self.shop.socket = tls.wrap_socket(self.shop.socket, server_side=True)
        self.shop.got, self.shop.answers, self.shop.lock = [], {}, threading.Lock()
        self.shop.door = None  # called with a path before what came there is taken
        threading.Thread(target=self.shop.serve_forever, daemon=True).start()
        self.shop_url = f'https://localhost:{self.shop.server_address[1]}'
        self.config = {
            'STRIPE_SECRET_KEY': 'sk_test_' + secrets.token_hex(16),
            'STRIPE_WEBHOOK_SECRETS': 'whsec_' + secrets.token_hex(16),
            'DARAJA_CONSUMER_KEY': secrets.token_hex(8), 'DARAJA_CONSUMER_SECRET': secrets.token_hex(8),
            'DARAJA_SHORTCODE': '174379', 'DARAJA_INITIATOR': 'testapi',
            'DARAJA_PASSKEY': 'bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919',
            'DARAJA_INITIATOR_PASSWORD': secrets.token_hex(8),
            'DARAJA_CERTIFICATE': self.path('daraja.pem'), 'DARAJA_C2B_TOKEN': TOKEN,
            'AT_USERNAME': 'sandbox', 'AT_API_KEY': 'atsk_' + secrets.token_hex(8),
            'AT_REPORT_TOKEN': TOKEN, **more}
        with open(self.path('soko.conf'), 'w', encoding='utf-8') as f:
            f.writelines(f'{k}={v}\n' for k, v in self.config.items())
        self.start()
        atexit.register(self.end)

    def end(self):
        """Whatever became of the tests, nothing stays."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self):
        for _ in range(5):
            self.port, self.smtp = _free(), _free()
            with open(self.path('sim.log'), 'wb') as log:
                self.process = subprocess.Popen(
                    [sys.executable, '-B', os.path.join(HERE, 'soko-sim'), '--port', str(self.port),
                     '--smtp-port', str(self.smtp), '--shop', self.shop_url, '--ca',
                     self.path('shop.pem'), '--config', self.path('soko.conf')],
                    stdout=log, stderr=subprocess.STDOUT)
            end = time.monotonic() + 30
            while self.process.poll() is None and time.monotonic() < end:
                if '"listening"' in self.log():
                    return
                time.sleep(0.02)
            self.process.kill()
            self.process.wait()
        raise Failed('soko-sim does not start: ' + self.log())

    def stop(self):
        self.process.terminate()
        return self.process.wait(20)

    def log(self):
        with open(self.path('sim.log'), encoding='utf-8') as f:
            return f.read()

    def call(self, method, path, body=None, headers=None, form=None):
        headers = dict(headers or {})
        if form is not None:
            body = urllib.parse.urlencode(form)
            headers.setdefault('Content-Type', 'application/x-www-form-urlencoded')
        elif body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault('Content-Type', 'application/json')
        c = http.client.HTTPConnection('127.0.0.1', self.port, timeout=30)
        try:
            c.request(method, path, body, headers)
            r = c.getresponse()
            return Answer(r.status, r.headers, r.read())
        finally:
            c.close()

    def get(self, path, headers=None):
        return self.call('GET', path, None, headers)

    def post(self, path, body=None, headers=None):
        return self.call('POST', path, body if body is not None else {}, headers)

    def rule(self, provider, operation, match=None, times=None, **do):
        return demand(self.post('/sim/rules', {'provider': provider, 'operation': operation,
                                               'match': match, 'times': times, 'do': do}), 200).json['id']

    def got(self, path):
        """What came to a path of the shop: (headers, body)."""
        with self.shop.lock:
            return [(h, b) for p, h, b in self.shop.got if p == path]

    def await_got(self, path, count=1):
        return until(lambda: len(self.got(path)) >= count and self.got(path), f'{count} at {path[:24]}')


def _free():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Failed(Exception):
    pass


def demand(answer, status):
    if answer.status != status:
        raise Failed(f'wanted {status}, got {answer!r}')
    return answer


def equal(got, wanted, words=''):
    if got != wanted:
        raise Failed(f'{words}: wanted {wanted!r}, got {got!r}')


def check(truth, words):
    if not truth:
        raise Failed(words)


def until(what, words, seconds=20):
    """Polls until it is true; the deadline ends a test that would never end."""
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed(f'never came true: {words}')
        time.sleep(0.01)


def main(tests, sim):
    """TAP. A simulator that broke, or that does not end when told to, is a failure of its own."""
    failed = 0
    print(f'1..{len(tests) + 1}')
    for n, test in enumerate(tests, 1):
        name = test.__name__.removeprefix('test_')
        try:
            demand(sim.post('/sim/reset'), 200)
            with sim.shop.lock:
                sim.shop.got.clear()
                sim.shop.answers.clear()
            sim.shop.door = None
            test()
            print(f'ok {n} - {name}', flush=True)
        except Exception as e:  # a test that breaks has failed
            failed += 1
            words = str(e) if isinstance(e, Failed) else traceback.format_exc()
            print(f'not ok {n} - {name}')
            print('\n'.join('# ' + line for line in words.splitlines()), flush=True)
    ended, broken = sim.stop(), [line for line in sim.log().splitlines() if '"broken"' in line]
    good = ended == 0 and not broken
    print(f'{"ok" if good else "not ok"} {len(tests) + 1} - it never broke, and ends when told to')
    if not good:
        print('\n'.join('# ' + line for line in [f'exit status {ended}'] + broken[:5]))
    sys.exit(1 if failed or not good else 0)
