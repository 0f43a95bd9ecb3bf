"""Stripe. (First cut: the rest follows within the hour.)"""


class Stripe:
    NAME = 'stripe'
    PREFIXES = ('/v1/',)
    CONTROLS = ('stripe',)
    OPERATIONS = {'create_intent', 'get_intent', 'update_intent', 'confirm_intent', 'cancel_intent',
                  'capture_intent', 'create_refund', 'get_refund', 'list_refunds', 'get_charge',
                  'list_events', 'event'}
    KNOBS = set()

    def __init__(self, world):
        self.world = world

    def handle(self, request):
        return None

    def control(self, request, parts):
        return None

    def reset(self):
        pass
