"""What tests of the metrics share: /metrics read strictly, as Prometheus' text format 0.0.4, and
differences between two readings."""
import re

from soko import Failed, Shop, check, demand, equal, until

shop = Shop()
SAMPLE = re.compile(r'([a-z_]+)(?:\{(.*)\})? (-?\d+(?:\.\d+)?)')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\["\\])*)"(?:,|$)')
KINDS = ('counter', 'gauge', 'histogram')


class Reading:
    """One answer: `values` by (name, labels), `kinds` by family."""

    def __init__(self, text):
        self.text, self.values, self.kinds, helped = text, {}, {}, set()
        check(text.endswith('\n'), 'the last line ends')
        for line in text.splitlines():
            if line.startswith('# HELP '):
                name, words = line[7:].split(' ', 1)
                check(name not in helped and words, f'one HELP: {line}')
                helped.add(name)
            elif line.startswith('# TYPE '):
                name, kind = line[7:].split(' ')
                check(name in helped and name not in self.kinds and kind in KINDS, line)
                self.kinds[name], family = kind, name
            elif not line.startswith('#'):
                name, labels, value = self.sample(line)
                suffix = name.removeprefix(family)
                check(name.startswith(family) and suffix in
                      (('_bucket', '_sum', '_count') if self.kinds[family] == 'histogram' else ('',)),
                      f'{line} stands under {family}')
                check((name, labels) not in self.values, f'twice: {line}')
                self.values[name, labels] = value

    @staticmethod
    def sample(line):
        m = SAMPLE.fullmatch(line)
        if not m:
            raise Failed(f'no sample: {line!r}')
        labels = LABEL.findall(m[2] or '')
        equal(''.join(f'{k}="{v}",' for k, v in labels).rstrip(','), m[2] or '', 'all of the labels')
        return m[1], frozenset(labels), float(m[3])

    def sum(self, name, **labels):
        """Of all series of that name that have these labels; None if there is none."""
        found = [v for (n, have), v in self.values.items() if n == name and set(labels.items()) <= have]
        return sum(found) if found else None

    def labels(self, name, label):
        return {dict(have).get(label) for n, have in self.values if n == name}


def scrape():
    a = demand(shop.call('GET', '/metrics'), 200)
    equal(a.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8', 'its type')
    equal(a.headers['cache-control'], 'no-store', 'nobody keeps it')
    return Reading(a.text)


class Since:
    """What has been counted since it was made."""

    def __init__(self):
        self.before = scrape()

    def grown(self, name, now=None, **labels):
        return round(((now or scrape()).sum(name, **labels) or 0) - (self.before.sum(name, **labels) or 0), 9)

    def exactly(self, wanted, name, **labels):
        """Waits until it has grown so far: what an answer is about is counted behind it. More is wrong."""
        until(lambda: self.grown(name, **labels) >= wanted, f'{wanted} more of {name} {labels}')
        equal(self.grown(name, **labels), wanted, f'{name} {labels}')


def gauge(wanted, name, **labels):
    """Waits until it is so."""
    try:
        until(lambda: scrape().sum(name, **labels) == wanted, f'{name} {labels} {wanted}')
    except Failed as e:
        raise Failed(f'{e}; it is {scrape().sum(name, **labels)}') from None
