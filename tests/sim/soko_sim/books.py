"""The providers' own books: what each took from buyers and gave back, in minor units.

They are kept by the simulator alone, from what it did and not from what it told the shop, so that
they can convict the shop's ledger. A refund counts when the money has moved, not when it was asked
for; one that fails after all is taken back.
"""
import threading


class Books:
    def __init__(self):
        self.lock = threading.Lock()
        self.charges = {}  # (provider, ref) -> dict
        self.payouts = {}  # (provider, ref) -> dict

    def charge(self, provider, currency, ref, amount, order, **more):
        """A buyer paid. `ref` is the provider's own receipt; `order` whatever names the order; `more` is
        shown as it is."""
        with self.lock:
            if (provider, ref) in self.charges:
                raise ValueError(f'{provider} charge {ref} is in the books')
            self.charges[provider, ref] = {'ref': ref, 'currency': currency.upper(), 'amount': amount,
                                           'refunded': 0, 'order': order, 'paid': True, **more}

    def refund(self, provider, ref, amount):
        """Of that charge, `amount` went back; a negative one came again. Never below 0 or above the
        charge."""
        with self.lock:
            charge = self.charges[provider, ref]
            if not 0 <= charge['refunded'] + amount <= charge['amount']:
                raise ValueError(f'{provider} charge {ref}: refund of {amount} goes beyond it')
            charge['refunded'] += amount

    def pay_out(self, provider, currency, ref, amount, order):
        """Money that left without belonging to one charge (M-Pesa B2C)."""
        with self.lock:
            if (provider, ref) in self.payouts:
                raise ValueError(f'{provider} payout {ref} is in the books')
            self.payouts[provider, ref] = {'ref': ref, 'currency': currency.upper(), 'amount': amount,
                                           'order': order}

    def shown(self):
        with self.lock:
            out = {}
            for (provider, _), charge in self.charges.items():
                page = _page(out, provider, charge['currency'])
                page['charged'] += charge['amount']
                page['refunded'] += charge['refunded']
                page['charges'].append({k: v for k, v in charge.items() if k != 'currency'})
            for (provider, _), payout in self.payouts.items():
                page = _page(out, provider, payout['currency'])
                page['refunded'] += payout['amount']
                page['payouts'].append({k: v for k, v in payout.items() if k != 'currency'})
            for currencies in out.values():
                for page in currencies.values():
                    page['net'] = page['charged'] - page['refunded']
            return out

    def text(self):
        """A line "PROVIDER CURRENCY NET" each, for `sokoctl ledger check --books`."""
        return ''.join(f'{provider} {currency} {page["net"]}\n'
                       for provider, currencies in sorted(self.shown().items())
                       for currency, page in sorted(currencies.items()))

    def reset(self):
        with self.lock:
            self.charges.clear()
            self.payouts.clear()


def _page(out, provider, currency):
    return out.setdefault(provider, {}).setdefault(
        currency, {'charged': 0, 'refunded': 0, 'net': 0, 'charges': [], 'payouts': []})
