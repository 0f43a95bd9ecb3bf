"""A pool of soko-api as nginx sees it: a FastCGI responder on a port, which does what it is told with a
request and remembers it. Standard library only."""
import socket
import struct
import threading

PORTS = {'fast': 9001, 'hash': 9002, 'wire': 9003}
BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6


def record(kind, content):
    return struct.pack('>BBHHBB', 1, kind, 1, len(content), 0, 0) + content


def pairs(data):
    """Names and values of the parameters."""
    at, found = 0, {}
    while at < len(data):
        lengths = []
        for _ in range(2):
            n = data[at]
            if n > 127:
                n = struct.unpack_from('>I', data, at)[0] & 0x7fffffff
                at += 3
            at += 1
            lengths.append(n)
        name = data[at:at + lengths[0]].decode('latin-1')
        found[name] = data[at + lengths[0]:at + sum(lengths)].decode('latin-1')
        at += sum(lengths)
    return found


class Pool:
    """One pool of one host. `does`: 'answer', 'die' (takes the request, and is gone), 'hang' (takes it, and
    says nothing), 'full' (its listen queue is full, so that a connection is never made), 'refuse' (nobody
    listens). `seen` holds (method, path, body) of what came."""

    def __init__(self, address, pool, does='answer'):
        self.address, self.pool, self.does = (address, PORTS[pool]), pool, does
        self.seen, self.kept = [], []
        self.closed = threading.Event()
        self.s = None
        if does == 'refuse':
            return
        self.s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind(self.address)
        self.s.listen(0 if does == 'full' else 64)
        if does == 'full':
            self.fill()
        else:
            threading.Thread(target=self.serve, daemon=True).start()

    def fill(self):
        """Connects until nobody gets in any more."""
        while len(self.kept) < 64:
            c = socket.socket()
            c.settimeout(0.3)
            self.kept.append(c)
            try:
                c.connect(self.address)
            except TimeoutError:
                return
        raise AssertionError('the queue has no end')

    def serve(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        params, body, ended = b'', b'', False
        with c, c.makefile('rb') as f:
            while not ended:
                head = f.read(8)
                if len(head) < 8:
                    return
                _, kind, _, length, padding, _ = struct.unpack('>BBHHBB', head)
                content = f.read(length)
                f.read(padding)
                if kind == PARAMS:
                    params += content
                elif kind == STDIN:
                    body += content
                    ended = not content
            p = pairs(params)
            self.seen.append((p['REQUEST_METHOD'], p['REQUEST_URI'], body))
            if self.does == 'hang':
                self.closed.wait(60)
            if self.does == 'answer':
                text = f'{{"data":"{self.address[0]}"}}'
                c.sendall(record(STDOUT, f'Status: 200\r\nContent-Type: application/json\r\n\r\n{text}'.encode()) +
                          record(STDOUT, b'') + record(END, b'\0' * 8))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed.set()
        if self.s is not None:
            self.s.shutdown(socket.SHUT_RDWR)
            self.s.close()
        for c in self.kept:
            c.close()
