"""The page /sim/ for a person: phones with their prompts and messages, e-mails, and cards to pay with.

    GET /sim/            page.html, one file, which asks for the next every second
    GET /sim/page.json   what it shows, the newest first
    GET /sim/messages?match=&kind=sms|mail    all SMS and e-mails, oldest first; match: number, address or text
"""
import os

from .call import Response

MOST = 40


class Page:
    NAME = 'page'
    CONTROLS = ('', 'page.json', 'messages')

    def __init__(self, world):
        self.world = world

    def reset(self):
        """It keeps nothing."""

    def control(self, request, parts):
        if request.method not in ('GET', 'HEAD') or len(parts) > 1:
            return None
        if not parts:
            with open(os.path.join(os.path.dirname(os.path.realpath(__file__)), 'page.html'), 'rb') as f:
                return Response(200, f.read(), 'text/html; charset=utf-8')
        with self.world.lock:
            return Response.json(self._messages(dict(request.params)) if parts == ['messages']
                                 else self._shown())

    def _messages(self, wanted):
        kept = [m for p in self.world.providers for m in getattr(p, 'messages', [])]
        match, kind = wanted.get('match', ''), wanted.get('kind')
        return sorted((m for m in kept if kind in (None, m['kind']) and any(
            match in str(m.get(k, '')) for k in ('to', 'text', 'subject', 'id'))), key=lambda m: m['at'])

    def _shown(self):
        daraja = next(p for p in self.world.providers if p.NAME == 'daraja')
        stripe = next(p for p in self.world.providers if p.NAME == 'stripe')
        prompts = [{k: v for k, v in p.items() if k != 'path'} for p in daraja.prompts.values()]
        intents = [{k: i[k] for k in ('id', 'client_secret', 'amount', 'currency', 'status', 'description',
                                      'metadata', 'created', 'last_payment_error')}
                   for i in stripe.money.intents.values()]
        moved = [{k: t[k] for k in ('receipt', 'kind', 'phone', 'amount', 'bill', 'at')}
                 for t in daraja.money.shown() if t['kind'] != 'stk']
        return {'moved': moved[:-MOST - 1:-1], 'prompts': prompts[:-MOST - 1:-1], 'intents': intents[:-MOST - 1:-1],
                'messages': self._messages({})[:-MOST - 1:-1], 'books': {
                    provider: {c: {k: page[k] for k in ('charged', 'refunded', 'net')}
                               for c, page in currencies.items()}
                    for provider, currencies in self.world.books.shown().items()}}
