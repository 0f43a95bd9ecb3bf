"""Requests as no client would send them, byte for byte. Nothing is noted in $SOKO_EXCHANGES: nginx
answers many of these, and the contract is soko-api's. Standard library only."""
import http.client
import io
import json
import os
import socket
import ssl
from datetime import datetime
from urllib.parse import urlsplit

from soko import Answer, check, equal

base = urlsplit(os.environ['SOKO_BASE'])
address = (base.hostname, base.port or 443)
tls = ssl.create_default_context(cafile=os.environ['SOKO_CACERT'])


# Of every answer, each once. The policy of content follows from the path.
SAFETY = {
    'strict-transport-security': 'max-age=31536000; includeSubDomains',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
    'server': 'nginx',
}


class Stream(io.BytesIO):
    """Bytes of several answers: http.client closes what it has read one from."""

    def close(self):
        pass

    def makefile(self, _):
        return self

    def at_end(self):
        return self.tell() == len(self.getbuffer())


def answer_of(r):
    text = r.read().decode('utf-8', 'replace')
    a = Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, text)
    a.lines = [(k.lower(), v) for k, v in r.getheaders()]
    return a


def lines_of(answer, name):
    """What was said under one name, line by line."""
    return [v for k, v in answer.lines if k == name]


def safe(answer, what, policy='sandbox', embeds='same-origin'):
    """The answer, if it has each safety header once, in the form that is meant. `policy` is a part of
    its content security policy, `embeds` says whose pages may show it."""
    for name, value in SAFETY.items():
        equal(lines_of(answer, name), [value], f'{what}: {name}')
    equal(lines_of(answer, 'cross-origin-resource-policy'), [embeds], f'{what}: who embeds it')
    csp = lines_of(answer, 'content-security-policy')
    equal(len(csp), 1, f'{what}: policies')
    for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", policy):
        check(part in csp[0].split('; '), f'{what}: {part} is not in {csp[0]}')
    check('unsafe' not in csp[0] and '*' not in csp[0], f'{what}: {csp[0]}')
    equal(len(lines_of(answer, 'x-request-id')), 1, f'{what}: ids')
    for name in ('set-cookie', 'x-powered-by', 'access-control-allow-credentials'):
        equal(lines_of(answer, name), [], f'{what}: {name}')
    return answer


class Connection:
    """One connection; `plain` without TLS, `source` from another address of this machine."""

    def __init__(self, plain=False, source=None):
        self.s = socket.create_connection(address, timeout=20,
                                          source_address=(source, 0) if source else None)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not plain:
            self.s = tls.wrap_socket(self.s, server_hostname=address[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def raw(self, data, method='GET'):
        """Sends bytes, gives the Answer; `method` says only whether a body will come."""
        try:
            self.s.sendall(data)
        except OSError:
            pass  # it may answer before it has read all
        r = http.client.HTTPResponse(self.s, method=method)
        r.begin()
        return answer_of(r)

    def all_of(self, data):
        """Sends bytes, and gives all that comes until the other side closes."""
        try:
            self.s.sendall(data)
        except OSError:
            pass
        got = []
        while not got or got[-1]:
            try:
                got.append(self.s.recv(65536))
            except (ConnectionResetError, ssl.SSLEOFError):
                break
        return b''.join(got)

    def ask(self, method, target, headers=None, body=b''):
        h = {'Host': base.netloc, **(headers or {})}
        if body:
            h.setdefault('Content-Length', str(len(body)))
        head = ''.join(f'{k}: {v}\r\n' for k, v in h.items())
        return self.raw(f'{method} {target} HTTP/1.1\r\n{head}\r\n'.encode('latin-1') + body, method)


def answers_in(data):
    """The answers, one after another, in what came."""
    stream, found = Stream(data), []
    while not stream.at_end():
        r = http.client.HTTPResponse(stream)
        r.begin()
        found.append(answer_of(r))
    return found


def raw(data, **kind):
    with Connection(**kind) as c:
        return c.raw(data)


def ask(method, target, headers=None, body=b'', **kind):
    with Connection(**kind) as c:
        return c.ask(method, target, headers, body)


def dressed(answer, status, code):
    """The answer, if it is the JSON envelope that API.md promises, whole."""
    equal((answer.status, answer.code), (status, code), f'answer {answer!r}')
    check(answer.headers['content-type'].startswith('application/json'), 'is not JSON')
    equal(answer.headers.get('cache-control'), 'no-store', 'Cache-Control')
    check(answer.errors[0]['message'], 'says nothing')
    meta = answer.json['meta']
    equal(meta['request_id'], answer.headers.get('x-request-id'), 'request id')
    check(meta['timestamp'].endswith('Z'), f'time {meta["timestamp"]}')
    datetime.fromisoformat(meta['timestamp'].replace('Z', '+00:00'))
    if status in (429, 503):
        check(int(answer.headers['retry-after']) >= 1, 'Retry-After')
    return answer


def parsed_log():
    """nginx's access log so far, a dict a line."""
    with open(os.path.join(os.environ['SOKO_STATE'], 'log', 'nginx-access.log'),
              encoding='utf-8') as f:
        return [json.loads(line) for line in f if line.endswith('\n')]
