"""The control calls that belong to no provider. JSON in and out.

    GET    /sim/health                {"status": "ok", "pending": messages on their way}
    POST   /sim/rules  {...}          {"id": n}; rules.py says what a rule is; GET shows them
    DELETE /sim/rules, /sim/rules/N   removes them; what hangs because of them is let go
    POST   /sim/reset                 forgets everything; nothing of before comes after its answer
    POST   /sim/release {"match": t}  lets held messages go (without match: all): {"released": n}
    POST   /sim/clock {"skew_ms": n}  the providers' clocks go wrong by that much
    GET    /sim/books, /sim/books.txt what the providers hold
    GET    /sim/calls?provider=&operation=&match=        every call that came, oldest first
    GET    /sim/deliveries?provider=&operation=&match=   every message to the shop, and its attempts
"""
from .call import Response
from .rules import BadRule


class Control:
    def __init__(self, world):
        self.world = world

    def handle(self, request, parts):
        word = '/'.join(parts[:1])
        found = getattr(self, f'_{request.method.lower()}_{word.replace(".", "_")}', None)
        if found is None or (parts[1:] and word != 'rules'):
            return None
        try:
            return found(request, parts)
        except (BadRule, ValueError, TypeError) as e:
            return Response.json({'error': str(e)}, 400)

    def _get_health(self, request, parts):
        return Response.json({'status': 'ok', 'pending': self.world.deliver.pending(),
                              'providers': [p.NAME for p in self.world.providers]})

    def _get_rules(self, request, parts):
        return Response.json(self.world.rules.shown())

    def _post_rules(self, request, parts):
        wanted = request.json()
        if not isinstance(wanted, dict):
            raise BadRule('a rule is an object')
        return Response.json({'id': self.world.rules.add(wanted).id})

    def _delete_rules(self, request, parts):
        gone = self.world.rules.remove(int(parts[1]) if parts[1:] else None)
        return Response.json({'removed': gone}, 404 if parts[1:] and not gone else 200)

    def _post_reset(self, request, parts):
        self.world.reset()
        self.world.deliver.settle()
        return Response.json({'status': 'ok'})

    def _post_release(self, request, parts):
        match = (request.json() or {}).get('match')
        return Response.json({'released': self.world.deliver.release(match)})

    def _post_clock(self, request, parts):
        self.world.skew = int(request.json()['skew_ms']) / 1000
        return Response.json({'skew_ms': round(self.world.skew * 1000)})

    def _get_books(self, request, parts):
        return Response.json(self.world.books.shown())

    def _get_books_txt(self, request, parts):
        return Response.text(self.world.books.text())

    def _get_calls(self, request, parts):
        return Response.json(self.world.calls.shown(**_filters(request)))

    def _get_deliveries(self, request, parts):
        return Response.json(self.world.deliver.shown(**_filters(request)))


def _filters(request):
    filters = {k: v for k, v in request.params if v}
    unknown = set(filters) - {'provider', 'operation', 'match'}
    if unknown:
        raise ValueError(f'unknown parameters: {", ".join(sorted(unknown))}')
    return filters
