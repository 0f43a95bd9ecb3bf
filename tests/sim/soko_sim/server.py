"""The program: one HTTP port for every provider, and the control calls below /sim/.

A provider is a class in a module of its own:

    class Daraja:
        NAME = 'daraja'                    # as rules name it
        PREFIXES = ('/oauth/', '/mpesa/')  # of the paths that are its own
        OPERATIONS = {'push', ...}         # that a rule may name
        KNOBS = {'result_code', ...}       # that a rule's `do` may say, besides the common ones
        def __init__(self, world)          # keeps world
        def handle(self, request)          # -> Response, or None: no such path
        def control(self, request, parts)  # /sim/<CONTROLS>/...: -> Response or None; parts[0] is the word
        CONTROLS = ('phones', 'prompts')   # first words below /sim/ that are its own
        def reset(self)                    # forgets its state; holds world.lock
        def start(self), def stop(self)    # optional: servers of its own (SMTP)

and is named in PROVIDERS below. What it gets:

    request.method, .path, .query (text), .params (list of pairs), .headers, .body, .json()
    world.config (the file's NAME=value), .now() (seconds, with the clock's skew), .random, .lock (held
        in effect() and reset(); never hold it while waiting or calling out), .log(event, **members),
        .digest(text), .wait(ms, rule=None), .later(ms, function, *args) (a timer that reset ends)
    world.open(request, provider, operation, refs, key=None) -> Call     call.py: knobs of answers
    world.deliver.send(...)                                              deliver.py: messages to the shop
    world.books                                                          books.py

An effect that was caused by a call passes `request` to deliver.send, so that its messages leave after
the answer. Response, Outgoing: call.py, deliver.py.
"""
import argparse
import hashlib
import http.server
import importlib
import json
import os
import random
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from urllib.parse import parse_qsl, urlsplit

from .books import Books
from .call import LONGEST_HANG, Call, Calls, Response
from .control import Control
from .deliver import Deliver
from .rules import Rules

# Modules that play a provider, and the class in each.
PROVIDERS = (('stripe', 'Stripe'), ('daraja', 'Daraja'), ('sms', 'Sms'), ('oauth2', 'Oauth2'),
             ('smtp', 'Smtp'), ('page', 'Page'))
LARGEST_BODY = 1 << 20


class World:
    """What the providers share."""

    def __init__(self, options):
        self.options = options
        self.config = read_config(options.config)
        self.lock = threading.RLock()
        self.random = random.Random(options.seed)
        self.skew = 0.0
        self.rules, self.books, self.calls = Rules(), Books(), Calls()
        self.deliver = Deliver(self, options.shop, options.ca)
        self.timers, self.age = set(), 0
        self.providers = []
        self.ending = threading.Event()
        self.log_lock = threading.Lock()

    def now(self):
        return time.time() + self.skew

    def digest(self, text):
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def wait(self, ms, rule=None):
        """For `ms`, or until the rule is removed."""
        if ms > 0:
            (rule.gone if rule else self.ending).wait(ms / 1000)

    def later(self, ms, function, *args):
        """Calls function(*args) under world.lock after `ms`, unless all is reset before."""
        age = self.age

        def run():
            self.timers.discard(timer)
            with self.lock:
                if age == self.age:
                    function(*args)
        timer = threading.Timer(ms / 1000, run)
        timer.daemon = True
        self.timers.add(timer)
        timer.start()

    def open(self, request, provider, operation, refs, key=None):
        return Call(self, request, provider, operation, refs, key)

    def log(self, event, **members):
        line = json.dumps({'at': round(time.time(), 3), 'event': event, **members})
        with self.log_lock:
            print(line, flush=True)

    def reset(self):
        with self.lock:
            self.age += 1
            for timer in list(self.timers):
                timer.cancel()
            self.timers.clear()
            self.skew = 0.0
            self.rules.remove()
            self.deliver.reset()
            self.books.reset()
            self.calls.reset()
            for provider in self.providers:
                provider.reset()


class Request:
    def __init__(self, method, target, headers, body):
        parts = urlsplit(target)
        self.method, self.path, self.query = method, parts.path, parts.query
        self.headers, self.body = headers, body
        self.before, self.after = [], []  # messages that this call causes

    @property
    def params(self):
        return parse_qsl(self.query, keep_blank_values=True)

    def json(self):
        """The body as JSON; ValueError if it is none."""
        return json.loads(self.body or b'null')

    def flush_before(self):
        while self.before:
            self.before.pop(0)()

    def flush_after(self):
        self.flush_before()
        while self.after:
            self.after.pop(0)()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    timeout = LONGEST_HANG
    disable_nagle_algorithm = True

    def version_string(self):
        return 'soko-sim'

    def log_message(self, *args):
        """Its lines would hold paths, and those hold secrets."""

    def answer(self):
        world = self.server.world
        length = self.headers.get('Content-Length', '0')
        if not length.isdigit() or int(length) > LARGEST_BODY or 'Transfer-Encoding' in self.headers:
            self.close_connection = True
            return self.write(Response.text('bad length', 413))
        request = Request(self.command, self.path, self.headers, self.rfile.read(int(length)))
        try:
            response = dispatch(world, request)
        except Exception:
            # A fault of the simulator must be seen as one, not as a provider's 500.
            world.log('broken', path=request.path.split('/')[1], error=traceback.format_exc())
            response = Response.json({'soko-sim': traceback.format_exc()}, 599)
        try:
            self.write(response)
        except OSError:
            self.close_connection = True
        finally:
            request.flush_after()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = answer

    def write(self, response):
        if response.how == 'hang':
            (response.rule.gone if response.rule else self.server.world.ending).wait(LONGEST_HANG)
        if response.how in ('hang', 'drop', 'reset'):
            self.close_connection = True
            if response.how == 'reset':
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                           struct.pack('ii', 1, 0))
            self.connection.close()
            return
        self.send_response(response.status)
        self.send_header('Content-Type', response.kind)
        self.send_header('Content-Length', str(len(response.body)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == 'HEAD':
            return
        if response.how == 'cut':
            self.wfile.write(response.body[:len(response.body) // 2])
            self.close_connection = True
        elif response.how == 'drip':
            for i in range(len(response.body)):
                self.wfile.write(response.body[i:i + 1])
                self.wfile.flush()
                self.server.world.wait(response.drip_ms, response.rule)
        else:
            self.wfile.write(response.body)


def dispatch(world, request):
    response = None
    parts = [p for p in request.path.split('/') if p]
    if parts[:1] == ['sim']:
        response = world.control.handle(request, parts[1:])
        for provider in world.providers:
            if response is None and (parts[1] if parts[1:] else '') in getattr(provider, 'CONTROLS', ()):
                response = provider.control(request, parts[1:])
    else:
        for provider in world.providers:
            if response is None and request.path.startswith(getattr(provider, 'PREFIXES', ()) or '\0'):
                response = provider.handle(request)
    if response is None:
        response = Response.json({'error': 'soko-sim knows no such path'}, 404)
    return response


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a client that went away is none of our faults
            self.world.log('broken', error=traceback.format_exc())


def read_config(path):
    """NAME=value lines; the shop's own soko.conf will do. Values may stand in double quotes."""
    config = {}
    if path:
        with open(path, encoding='utf-8') as f:
            for line in f:
                name, equal, value = line.strip().partition('=')
                if equal and not name.startswith('#'):
                    value = value.strip()
                    if len(value) > 1 and value[0] == value[-1] == '"':
                        value = value[1:-1]
                    config[name.strip()] = value
    return config


def load_providers(world):
    here = os.path.dirname(os.path.realpath(__file__))
    for module, name in PROVIDERS:
        if os.path.exists(os.path.join(here, module + '.py')):
            found = importlib.import_module(f'.{module}', __package__)
            world.providers.append(getattr(found, name)(world))
    for provider in world.providers:
        world.rules.know(provider)


def main(argv=None):
    parser = argparse.ArgumentParser(prog='soko-sim', description='The providers of a Soko shop, offline')
    parser.add_argument('--port', type=int, required=True)
    parser.add_argument('--smtp-port', type=int, default=0)
    parser.add_argument('--shop', default='https://localhost:8443', help='where messages go')
    parser.add_argument('--ca', help='the certificate that the shop shows')
    parser.add_argument('--seed', type=int, default=None, help='for ids; random by default')
    parser.add_argument('--config', help='NAME=value lines: the credentials that it demands')
    world = World(parser.parse_args(argv))
    load_providers(world)
    world.control = Control(world)
    server = Server(('127.0.0.1', world.options.port), Handler)
    server.world = world

    def end(*_):
        world.ending.set()
        threading.Thread(target=server.shutdown, daemon=True).start()
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    for provider in world.providers:
        if hasattr(provider, 'start'):
            provider.start()
    world.log('listening', port=server.server_address[1], providers=[p.NAME for p in world.providers])
    server.serve_forever(poll_interval=0.1)
    for provider in world.providers:
        if hasattr(provider, 'stop'):
            provider.stop()
    server.server_close()
    world.log('ended')
    return 0
