"""Requests as no client would send them, byte for byte. Nothing is noted in $SOKO_EXCHANGES: nginx
answers many of these, and the contract is soko-api's. Standard library only."""
import http.client
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


class Connection:
    """One connection; `plain` without TLS."""

    def __init__(self, plain=False):
        self.s = socket.create_connection(address, timeout=20)
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
        text = r.read().decode('utf-8', 'replace')
        return Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, text)

    def ask(self, method, target, headers=None, body=b''):
        h = {'Host': base.netloc, **(headers or {})}
        if body:
            h.setdefault('Content-Length', str(len(body)))
        head = ''.join(f'{k}: {v}\r\n' for k, v in h.items())
        return self.raw(f'{method} {target} HTTP/1.1\r\n{head}\r\n'.encode('latin-1') + body, method)


def raw(data, **kind):
    with Connection(**kind) as c:
        return c.raw(data)


def ask(method, target, headers=None, body=b''):
    with Connection() as c:
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
