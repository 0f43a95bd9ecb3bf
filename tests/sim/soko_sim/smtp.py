"""An SMTP server that keeps what it gets (RFC 5321), on a port of its own; GET /sim/messages shows it.

It is strict where servers of life are: lines end with CRLF (a bare LF is 554), have at most 998 bytes,
and the mail needs From, To, Date, Subject and Message-ID. There is no STARTTLS: it listens on loopback. AUTH
is taken if the password is SMTP_PASSWORD of the configuration.

Operations, in their order: connect, rcpt (match: the address), mail (the whole message: address,
subject, Message-ID, text).

Knobs: status n     the SMTP code that refuses it: 421, 450, 550, ...; without effect, unless effect true
       message "..." its text
       delay_ms n, before_ms n, hang true, drop true (after the effect)
"""
import base64
import email
import email.policy
import re
import socketserver
import threading

LARGEST = 1 << 20
NEEDED = ('From', 'To', 'Date', 'Subject', 'Message-ID')


class Smtp:
    NAME = 'smtp'
    OPERATIONS = {'connect', 'rcpt', 'mail'}
    KNOBS = {'message'}

    def __init__(self, world):
        self.world, self.server = world, None
        self.reset()

    def reset(self):
        self.messages = []

    def start(self):
        if self.world.options.smtp_port:
            self.server = Server(('127.0.0.1', self.world.options.smtp_port), Session)
            self.server.smtp = self
            threading.Thread(target=self.server.serve_forever, args=(0.1,), daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()

    def keep(self, sender, to, raw):
        """The message, as GET /sim/messages shows it; or why it is refused."""
        if re.search(rb'(?<!\r)\n|\r(?!\n)', raw):
            return None, '554 5.6.0 bare LF or CR'
        if any(len(line) > 998 for line in raw.split(b'\r\n')):
            return None, '554 5.6.0 line too long'
        mail = email.message_from_bytes(raw, policy=email.policy.default)
        missing = [n for n in NEEDED if len(mail.get_all(n, [])) != 1]
        if missing or mail.defects:
            return None, '554 5.6.0 not as RFC 5322 has it: ' + ', '.join(missing or ['defects'])
        body = mail.get_body(('plain',))
        return {'kind': 'mail', 'id': str(mail['Message-ID']), 'to': ', '.join(to), 'from': sender,
                'subject': str(mail['Subject']), 'text': body.get_content() if body else '',
                'headers': {k: str(v) for k, v in mail.items()}, 'at': self.world.now()}, None


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 128

    def handle_error(self, request, client_address):
        """A client that went away."""


class Session(socketserver.StreamRequestHandler):
    timeout = 60

    def handle(self):
        self.smtp, self.world = self.server.smtp, self.server.smtp.world
        if not self.bent('connect', [], lambda: '220 soko-sim ESMTP'):
            return
        self.sender, self.to = None, []
        while True:
            line = self.rfile.readline(2050)
            if not line.endswith(b'\r\n'):
                return
            verb, _, rest = line[:-2].decode('utf-8', 'replace').partition(' ')
            command = getattr(self, 'do_' + verb.lower(), None) if verb.isalpha() else None
            if command is None:
                self.say('500 5.5.1 unknown command')
            elif command(rest) is False:
                return

    def say(self, *lines):
        for i, line in enumerate(lines):
            code, text = line[:3], line[4:]
            self.wfile.write(f'{code}{" " if i == len(lines) - 1 else "-"}{text}\r\n'.encode())
        self.wfile.flush()
        return True

    def bent(self, operation, refs, effect):
        """Does it and answers, as a rule may bend it. False: the connection is to be closed."""
        rule = self.world.rules.take('smtp', operation, refs)
        do = rule.do if rule else {}
        entry = {'provider': 'smtp', 'operation': operation, 'references': refs,
                 'reference': refs[0] if refs else None, 'at': self.world.now(), 'idempotency_key': None,
                 'rule': rule.id if rule else None, 'outcome': 'answered', 'status': None}
        self.world.calls.add(entry)
        self.world.wait(do.get('before_ms', 0), rule)
        answer = None
        if do.get('effect', not ('status' in do or do.get('hang'))):
            answer = effect()
        if 'status' in do:
            answer = f'{do["status"]} {do.get("message", "a rule of soko-sim asked for this")}'
        self.world.wait(do.get('delay_ms', 0), rule)
        if do.get('hang'):
            self.world.wait(120_000, rule)
        if do.get('hang') or do.get('drop') or do.get('refuse_connection'):
            entry['outcome'] = 'hang' if do.get('hang') else 'drop'
            return False
        entry['status'] = int(answer[:3])
        self.world.log('call', provider='smtp', operation=operation, status=entry['status'],
                       rule=entry['rule'])
        self.say(answer)
        return not answer.startswith('421')

    def do_ehlo(self, rest):
        self.say('250 soko-sim', f'250 SIZE {LARGEST}', '250 8BITMIME', '250 SMTPUTF8',
                 '250 AUTH PLAIN LOGIN')

    def do_helo(self, rest):
        self.say('250 soko-sim')

    def do_noop(self, rest):
        self.say('250 2.0.0 ok')

    def do_rset(self, rest):
        self.sender, self.to = None, []
        self.say('250 2.0.0 ok')

    def do_quit(self, rest):
        self.say('221 2.0.0 bye')
        return False

    def do_auth(self, rest):
        kind, _, given = rest.partition(' ')
        try:
            if kind.upper() == 'PLAIN':
                password = self._told(given, '').split('\0')[-1]
            else:
                if not given:
                    self._told('', 'VXNlcm5hbWU6')
                password = self._told('', 'UGFzc3dvcmQ6')
        except ValueError:
            password = None
        if password is not None and password == self.world.config.get('SMTP_PASSWORD'):
            self.say('235 2.7.0 welcome')
        else:
            self.say('535 5.7.8 authentication failed')

    def _told(self, given, question):
        if not given:
            self.say(f'334 {question}')
            given = self.rfile.readline(2050).decode('ascii', 'replace').strip()
        return base64.b64decode(given, validate=True).decode()

    def do_mail(self, rest):
        found = re.match(r'FROM:<([^>]*)>', rest, re.IGNORECASE)
        if not found or self.sender is not None:
            self.say('503 5.5.1 one sender' if found else '501 5.5.4 FROM:<address>')
        else:
            self.sender = found[1]
            self.say('250 2.1.0 ok')

    def do_rcpt(self, rest):
        found = re.match(r'TO:<([^>@\s]+@[^>@\s]+)>', rest, re.IGNORECASE)
        if not found or self.sender is None:
            return self.say('501 5.1.3 bad address' if self.sender is not None else '503 5.5.1 sender first')

        def take():
            self.to.append(found[1])
            return '250 2.1.5 ok'
        return self.bent('rcpt', [found[1]], take)

    def do_data(self, rest):
        if not self.to:
            return self.say('503 5.5.1 recipients first')
        self.say('354 end with a point')
        raw = bytearray()
        while True:
            line = self.rfile.readline(LARGEST)
            if not line:
                return False
            if line == b'.\r\n':
                break
            raw += line[1:] if line.startswith(b'.') else line
            if len(raw) > LARGEST:
                self.say('552 5.3.4 too large')
                return False
        sender, to = self.sender, self.to
        self.sender, self.to = None, []
        message, refused = self.smtp.keep(sender, to, bytes(raw))
        if refused:
            return self.say(refused)

        def take():
            with self.world.lock:
                self.smtp.messages.append(message)
            return '250 2.0.0 kept'
        return self.bent('mail', [*to, message['subject'], message['id'], message['text']], take)
