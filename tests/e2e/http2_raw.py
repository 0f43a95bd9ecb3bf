"""HTTP/2 as no client would send it: frames and header fields byte for byte. Of the answer it reads
statuses and bodies, no other header. Standard library only."""
import os
import socket
import ssl
import struct

from nginx_raw import address, base
from soko import Answer, check

DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY, CONTINUATION = 0, 1, 3, 4, 7, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
# RFC 7541, appendix A: what nginx says of a status in one byte.
INDEXED = {0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404, 0x8e: 500}


def field(name, value):
    """A header field as two literal texts, kept in no table (RFC 7541, section 6.2.2)."""
    def text(s):
        s = s if isinstance(s, bytes) else s.encode('latin-1')
        if len(s) < 127:
            return bytes([len(s)]) + s
        out, n = b'\x7f', len(s) - 127
        while n >= 128:
            out, n = out + bytes([n % 128 + 128]), n // 128
        return out + bytes([n]) + s
    return b'\x00' + text(name) + text(value)


def request(method='GET', path='/health', **more):
    """The pseudo-header fields of an honest request; more or others by name, None for none."""
    fields = {':method': method, ':scheme': 'https', ':authority': base.netloc, ':path': path,
              **{':' + k: v for k, v in more.items()}}
    return [(k, v) for k, v in fields.items() if v is not None]


class Http2:
    """One connection. Streams are opened by ask(); the answer of a stream that the other side broke off,
    or of a connection that it closed, has the status 0."""

    def __init__(self):
        tls = ssl.create_default_context(cafile=os.environ['SOKO_CACERT'])
        tls.set_alpn_protocols(['h2'])
        self.s = tls.wrap_socket(socket.create_connection(address, timeout=20),
                                 server_hostname=address[0])
        check(self.s.selected_alpn_protocol() == 'h2', 'nginx speaks no HTTP/2')
        self.next, self.buffer, self.closed = 1, b'', False
        self.s.sendall(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
        self.frame(SETTINGS, 0, 0, b'')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def frame(self, kind, flags, stream, payload):
        try:
            self.s.sendall(struct.pack('>I', len(payload))[1:] + bytes([kind, flags])
                           + struct.pack('>I', stream) + payload)
        except OSError:
            self.closed = True

    def _take(self, n):
        while len(self.buffer) < n and not self.closed:
            try:
                more = self.s.recv(65536)
            except (ConnectionResetError, ssl.SSLEOFError):
                more = b''
            self.closed = self.closed or not more
            self.buffer += more
        got, self.buffer = self.buffer[:n], self.buffer[n:]
        return got

    def _read(self):
        """The next frame, or None at the end."""
        head = self._take(9)
        if len(head) < 9:
            return None
        body = self._take(int.from_bytes(head[:3], 'big'))
        return head[3], head[4], int.from_bytes(head[5:9], 'big') & 0x7fffffff, body

    def send(self, fields, body=None):
        """Opens a stream; gives its number."""
        stream, self.next = self.next, self.next + 2
        block = b''.join(field(k, v) for k, v in fields)
        self.frame(HEADERS, END_HEADERS | (0 if body is not None else END_STREAM), stream, block)
        if body is not None:
            self.frame(DATA, END_STREAM, stream, body)
        return stream

    def answer(self, stream):
        status, body = 0, b''
        while True:
            got = self._read()
            if got is None:
                return Answer(0, {}, '')
            kind, flags, of, payload = got
            if kind == SETTINGS and not flags & ACK:
                self.frame(SETTINGS, ACK, 0, b'')
            elif kind == GOAWAY:
                self.closed = True
            elif of == stream and kind == RST_STREAM and status == 0:
                return Answer(0, {}, '')
            elif of == stream and kind == HEADERS:
                status = INDEXED.get(payload[0]) or int(payload[2:5])
            elif of == stream and kind == DATA:
                body += payload
            if of == stream and (kind == RST_STREAM or kind in (HEADERS, DATA) and flags & END_STREAM):
                return Answer(status, {}, body.decode('utf-8', 'replace'))

    def ask(self, fields, body=None):
        return self.answer(self.send(fields, body))
