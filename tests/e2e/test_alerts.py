"""The alerts fire when they should (promtool), and speak, like the dashboard and the page about both, of metrics and labels
that /metrics has.

# flavours: check
# settings: METRICS_EVERY=50ms METRICS_FULL_EVERY=100ms
"""
import json
import os
import re
import subprocess
import tempfile

from metrics_common import Since, scrape, shop
from soko import Suite, check, equal, until

suite = Suite()
CLONE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
ALERTS = os.path.join(CLONE, 'systemd', 'prometheus', 'soko-alerts.yml')
CASES = os.path.join(CLONE, 'tests', 'prometheus', 'soko-alerts-test.yml')
BOARD = os.path.join(CLONE, 'systemd', 'grafana', 'soko.json')
PAGE = os.path.join(CLONE, 'nginx', 'docs', 'metrics.html')
SELECTOR = re.compile(r'\b(soko_[a-z_]+)(?:\{([^{}]*)\})?')
MATCHER = re.compile(r'([a-z]+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
ADDED = {'instance', 'job', 'le'}  # by Prometheus; `le` by histograms


def text_of(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def promtool(*words):
    done = subprocess.run(['promtool', *words], capture_output=True, text=True, timeout=120, check=False)
    check(done.returncode == 0, f'promtool {" ".join(words)}: {done.stdout}{done.stderr}')
    return done.stdout


def family(name, kinds):
    """The family of a sample's name."""
    for suffix in ('_bucket', '_sum', '_count'):
        if name.endswith(suffix) and kinds.get(name.removesuffix(suffix)) == 'histogram':
            return name.removesuffix(suffix)
    return name


def known_labels():
    """By family, those of docs/metrics.html, which says all of them."""
    rows = re.findall(r'<tr><th scope="row"><code>(soko_[a-z_]+)</code></th><td>([^<]*)</td>', text_of(PAGE))
    return {name: set(re.findall(r'[a-z]+', labels)) for name, labels in rows}


def dwells_on_metrics(expressions):
    kinds, known, met = scrape().kinds, known_labels(), 0
    for e in expressions:
        for name, inside in SELECTOR.findall(e):
            of = family(name, kinds)
            check(of in kinds, f'{name} is no metric of ours: {e}')
            for label, _, _ in MATCHER.findall(inside):
                check(label in known[of] | ADDED, f'{name} has no label {label}: {e}')
            met += 1
    return met


def panels():
    return [p for p in json.loads(text_of(BOARD))['panels'] if p['type'] != 'row']


@suite.test
def test_promtool_takes_the_rules_and_their_cases():
    check('24 rules found' in promtool('check', 'rules', '--lint=all', '--lint-fatal', ALERTS), 'all rules are read')
    check('SUCCESS' in promtool('test', 'rules', CASES), 'each alert fires')
    # One whose threshold is moved out of reach fires no more, and the cases say so.
    with tempfile.TemporaryDirectory() as folder:
        deaf = text_of(ALERTS).replace('soko_ledger_difference_minor_units != 0', 'soko_ledger_difference_minor_units > 9e9')
        with open(os.path.join(folder, 'deaf.yml'), 'w', encoding='utf-8') as f:
            f.write(deaf)
        with open(os.path.join(folder, 'cases.yml'), 'w', encoding='utf-8') as f:
            f.write(text_of(CASES).replace('../../systemd/prometheus/soko-alerts.yml', 'deaf.yml'))
        done = subprocess.run(['promtool', 'test', 'rules', os.path.join(folder, 'cases.yml')], capture_output=True,
                              text=True, timeout=120, check=False)
        check(done.returncode != 0 and 'SokoLedgerWrong' in done.stdout + done.stderr, 'a deaf alert is found out')


@suite.test
def test_every_alert_has_a_case_and_a_word_on_what_to_do():
    names = re.findall(r'- alert: (\w+)', text_of(ALERTS))
    check(len(names) == len(set(names)) > 20, 'names')
    cases, page = text_of(CASES), text_of(PAGE)
    for name in names:
        fires = re.search(rf'alertname: {name}\n\s+exp_alerts:', cases)
        check(fires, f'{name} fires in no case')
        equal(page.count(f'id="{name}"'), 1, f'{name} in metrics.html')


@suite.test
def test_alerts_speak_of_metrics_that_there_are():
    expressions = re.findall(r'^        expr: (?:\|\n((?:          .*\n)+)|(.*)\n)', text_of(ALERTS), flags=re.M)
    equal(len(expressions), 24, 'expressions')
    check(dwells_on_metrics([a or b for a, b in expressions]) > 24, 'metrics')


@suite.test
def test_the_dashboard_does_too():
    exprs = [t['expr'] for p in panels() for t in p['targets']]
    check(len(exprs) > 30 and dwells_on_metrics(exprs) > 30, 'metrics')
    # Grafana fills in what begins with $; Prometheus reads the rest.
    with tempfile.NamedTemporaryFile('w', suffix='.yml', encoding='utf-8') as f:
        rules = [{'record': f'soko:panel_{n}', 'expr': e.replace('$__rate_interval', '5m').replace('$instance', '.*')}
                 for n, e in enumerate(exprs)]
        json.dump({'groups': [{'name': 'board', 'rules': rules}]}, f)
        f.flush()
        check(f'{len(exprs)} rules found' in promtool('check', 'rules', f.name), 'every expression is one')
    ids = [p['id'] for p in json.loads(text_of(BOARD))['panels']]
    equal(len(ids), len(set(ids)), 'ids of panels')
    seen = {(x, y) for p in panels() for x in range(p['gridPos']['x'], p['gridPos']['x'] + p['gridPos']['w'])
            for y in range(p['gridPos']['y'], p['gridPos']['y'] + p['gridPos']['h'])}
    equal(len(seen), sum(p['gridPos']['w'] * p['gridPos']['h'] for p in panels()), 'no panel lies upon another')


@suite.test
def test_the_page_tells_every_metric_and_its_labels():
    since = Since()
    shop.sign_up()
    until(lambda: since.grown('soko_sql_statements_total') > 0, 'something was counted')
    now, known = scrape(), known_labels()
    equal(set(known), set(now.kinds), 'the metrics of metrics.html are those of /metrics')
    for (name, labels), _ in now.values.items():
        of = family(name, now.kinds)
        equal({k for k, _ in labels} - {'le'}, known[of], name)


suite.main()
