"""A catalogue from a file and back: every line once, whatever happens on the way; every refusal said;
what was exported comes back the same, byte for byte."""
import csv
import io
import json
import os
import pty
import secrets
import signal
import subprocess
import tempfile
import threading

from owner import sql
from soko import Suite, check, equal, until
from test_migrate import Scratch, url

suite = Suite()
COLUMNS = ['store', 'category', 'sku', 'name', 'description', 'price', 'currency', 'stock', 'weight_g',
           'is_active']
REFUSED = 65


class Store(Scratch):
    """A migrated database, and a folder for files."""

    def __enter__(self):
        super().__enter__()
        self.url = url('soko_owner', self.name)
        self.folder = tempfile.TemporaryDirectory()
        self.migrate('up')
        return self

    def __exit__(self, *what):
        self.folder.cleanup()
        super().__exit__(*what)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, content):
        with open(self.path(name), 'wb') as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def read(self, name):
        with open(self.path(name), 'rb') as f:
            return f.read()

    def command(self, *words):
        return os.environ['SOKO_CTL'].split() + list(words), {**os.environ, 'DATABASE_URL': self.url}

    def ctl(self, *words, status=0, said=None):
        command, env = self.command(*words)
        done = subprocess.run(command, env=env, capture_output=True, timeout=300, check=False,
                              input=said)
        out = (done.stdout + done.stderr).decode('utf-8', 'replace')
        equal(done.returncode, status, f'sokoctl {" ".join(words)}: {out}')
        return out

    def rows(self, statement):
        return sql(statement, self.url)

    def open_stores(self, *names):
        for i, name in enumerate(names):
            email = f'{secrets.token_hex(6)}@example.com'
            owner = self.ctl('user', 'create', '--name', f'Owner {i}', '--email', email,
                             '--password-stdin', said=b'a long password\n').strip()
            sql("INSERT INTO stores (id, owner_id, name) VALUES (gen_random_uuid(), :'owner', :'name')",
                self.url, owner=owner, name=name)

    def account(self, email):
        return self.ctl('user', 'create', '--name', 'Ann', '--email', email, '--password-stdin',
                        said=b'a long password\n').strip()


def as_csv(lines, columns=COLUMNS, **how):
    out = io.StringIO()
    w = csv.writer(out, **{'lineterminator': '\n', **how})
    w.writerow(columns)
    w.writerows(lines)
    return out.getvalue()


def line(sku, store='Kibanda', category='Kitchen > Spices', **more):
    """A good line as a list, in the order of COLUMNS."""
    of = {'store': store, 'category': category, 'sku': sku, 'name': f'Thing {sku}', 'description': 'Good',
          'price': '12.5', 'currency': 'KES', 'stock': '3', 'weight_g': '100', 'is_active': 'true', **more}
    return [of[c] for c in COLUMNS]


def lines(count):
    """Some thousand goods of two stores, not in order, with all that a text may hold."""
    odd = ('plain', 'a "quoted" word', 'two\nlines', 'comma, comma', 'Mkate wa Bibi é ü 茶 🍵', '', 'CR LF\r\nhere',
           '=1+1', '\\ and > here')
    return [line(f'S-{i * 7919 % count:06}', 'Kibanda' if i % 3 else 'Ünder, the "Tree"',
                 f'Kitchen > Level {i % 5} > Leaf {i % 40}', description=odd[i % len(odd)].strip(),
                 price=f'{i + 1}.{i % 10}'.removesuffix('.0'), stock=str(i % 50), weight_g=str(i) if i % 4 else '',
                 is_active='false' if i % 11 == 0 else 'true') for i in range(count)]


def as_jsonl(rows):
    out = []
    for row in rows:
        of = dict(zip(COLUMNS, row))
        of['stock'] = int(of['stock'])
        of['weight_g'] = int(of['weight_g']) if of['weight_g'] else None
        of['is_active'] = of['is_active'] == 'true'
        out.append(json.dumps(of, ensure_ascii=len(out) % 2 == 0) + '\n')
    return ''.join(out)


def report(db, name):
    rows = list(csv.reader(io.StringIO(db.read(name).decode())))
    equal(rows[0], ['line', 'sku', 'field', 'reason'], 'the report names its columns')
    return rows[1:]


def exported(rows):
    """The export of such lines: by store and sku in the order of their bytes."""
    rows = sorted(rows, key=lambda r: (r[0].encode(), r[2].encode()))
    out = as_csv(rows)
    return out.encode()


@suite.test
def what_was_imported_is_exported():
    rows = lines(3000)
    with Store() as db:
        db.open_stores('Kibanda', 'Ünder, the "Tree"')
        for name, content in (('a.csv', as_csv(rows)), ('b.jsonl', as_jsonl(rows)),
                              ('c.csv', '\ufeff' + as_csv(rows, lineterminator='\r\n')),
                              ('d.csv', as_csv(rows, quoting=csv.QUOTE_ALL))):
            out = db.ctl('product', 'import', db.write(name, content))
            check(f'3000 lines: {3000 if name == "a.csv" else 0} new' in out and ' 0 refused' in out, out)
            check(name == 'a.csv' or '3000 as they were' in out, f'{name}: {out}')
        db.ctl('product', 'export', db.path('out.csv'))
        equal(db.read('out.csv') == exported(rows), True, 'the export is the lines in order')
        equal(db.rows('SELECT count(*), max(version), (SELECT count(*) FROM categories) FROM products'),
              [['3000', '1', '46']], 'each once, none changed, no category twice')
        equal(db.rows('SELECT count(*) FROM product_stock JOIN product_ratings USING (product_id)'),
              [['3000']], 'each has its stock and its ratings')


@suite.test
def an_export_fills_an_empty_shop_and_comes_out_the_same():
    with Store() as one, Store() as two:
        stores = ('Kibanda', 'Ünder, the "Tree"', 'zebra', 'Ann’s')
        one.open_stores(*stores)
        two.open_stores(*reversed(stores))
        rows = lines(2000) + [line(f'T-{i}', 'zebra' if i % 2 else 'Ann’s', r'A\\ \> B > C') for i in range(300)]
        one.ctl('product', 'import', one.write('a.csv', as_csv(rows)))
        equal(one.rows("SELECT count(*) FROM categories WHERE name = 'A\\ > B'"), [['1']], 'an escaped name')
        for form in ('csv', 'jsonl'):
            name = f'out.{form}'
            one.ctl('product', 'export', one.path(name))
            two.ctl('product', 'import', two.write(name, one.read(name)))
            two.ctl('product', 'export', two.path('again.' + form))
            equal(two.read('again.' + form) == one.read(name), True, f'{form} comes back the same')
        told = one.ctl('product', 'export', '--store', 'zebra', '--format', 'jsonl')
        equal(told.count('"store":"zebra"'), 150, 'one store alone')
        check('no such store' in one.ctl('product', 'export', '--store', 'nobody', status=1), 'an unknown one')
        equal(sorted(os.listdir(one.folder.name)), ['a.csv', 'out.csv', 'out.jsonl'], 'no temporary file stays')
        one.rows("INSERT INTO products (id, store_id, category_id, name, price, currency)"
                 " SELECT gen_random_uuid(), store_id, category_id, 'x', 1, 'KES' FROM products LIMIT 1")
        check('1 have no sku' in one.ctl('product', 'export', one.path('out.csv')), 'what is left out is counted')


@suite.test
def refused_lines_are_reported():
    bad = [
        (line('R-1', price='12,50'), 'price', 'must be a decimal number such as 12.5, without sign or exponent'),
        (line('R-2', price='0'), 'price', 'must be more than zero'),
        (line('R-3', price='1.234'), 'price', 'is too large, or has more decimals than KES has'),
        (line('R-4', store='Nobody'), 'store', 'is not a known store'),
        (line('R-5', name='x' * 256), 'name', 'must have at most 255 characters'),
        (line('R-6', name=''), 'name', 'is required'),
        (line('', name='No key'), 'sku', 'is required'),
        (line('R-8', stock='-1'), 'stock', 'must be at least 0'),
        (line('R-9', stock='many'), 'stock', 'must be a whole number'),
        (line('R-10', currency='XXX'), 'currency', 'is not a currency that is accepted here'),
        (line('R-11', is_active='yes'), 'is_active', 'must be true or false'),
        (line('R-12', category='Kitchen > > Spices'), 'category', 'has an empty name'),
        (line('R-13', category='Garden > Spices'), 'category', '"Spices" is below "Kitchen" already'),
        (line('R-14', category='Spices'), 'category', '"Spices" is below "Kitchen" already'),
        (line('R-15', name='bad \udcff'), 'name', 'is not valid UTF-8'),
        (line('R-16', name='nul \0'), 'name', 'contains a control character'),
        (line('R-17')[:-1], '', 'has 9 columns, where the first line has 10'),
        (line('R-18') + ['more'], '', 'has 11 columns, where the first line has 10'),
        (line('x' * 65), 'sku', 'must have at most 64 characters'),
    ]
    text = as_csv([line('G-1')] + [row for row, _, _ in bad] + [line('G-2')])
    text += 'Kibanda,Kitchen > Spices,Q-1,a "quoted" word,,1,KES,1,1,true\n'
    text += 'Kibanda,Kitchen > Spices,G-3,"two\nlines",,1,KES,1,1,true\n'
    text += 'Kibanda,Kitchen > Spices,Q-2,"never closed,,1,KES,1,1,true\n'
    want = [[str(n), row[2] if field or len(row) == len(COLUMNS) else '', field, reason]
            for n, (row, field, reason) in enumerate(bad, 3)]
    want += [['23', '', '', 'has a quote in an unquoted field'],
             ['26', '', '', 'has a quote that is never closed']]
    with Store() as db:
        db.open_stores('Kibanda')
        path = db.write('a.csv', text.encode('utf-8', 'surrogateescape'))
        out = db.ctl('product', 'import', path, '--refused', db.path('no.csv'), status=REFUSED)
        check(f'{3 + len(want)} lines: 3 new, 0 changed, 0 as they were, {len(want)} refused' in out, out)
        equal(report(db, 'no.csv'), want, 'each line once, with its field and reason')
        equal(db.rows('SELECT sku FROM products ORDER BY sku'), [['G-1'], ['G-2'], ['G-3']], 'only the good')
        out = db.ctl('product', 'import', path, '--again', status=REFUSED)
        check('line 3: price: must be a decimal number' in out and '--refused FILE reports' in out, out)


@suite.test
def refused_lines_of_json():
    good = json.loads(as_jsonl([line('J-1')]))
    bad = [
        ({**good, 'sku': 'J-2', 'colour': 'red'}, 'J-2', 'colour', 'is not a known field'),
        ({**good, 'sku': 'J-3', 'stock': '5'}, 'J-3', 'stock', 'must be a whole number'),
        ({**good, 'sku': 'J-4', 'name': None}, 'J-4', 'name', 'must not be null'),
        ({**good, 'sku': None}, '', 'sku', 'is required'),
        ([], '', '', 'the body must be a JSON object'),
    ]
    text = json.dumps(good) + '\n\n' + ''.join(json.dumps(b) + '\n' for b, *_ in bad)
    text += '{"sku":"J-9","sku":"J-9"}\n{"sku":\n{"sku":"' + 'x' * (1 << 18) + '"}\n'
    with Store() as db:
        db.open_stores('Kibanda')
        out = db.ctl('product', 'import', db.write('a.jsonl', text), '--refused', db.path('no.csv'),
                     status=REFUSED)
        check('9 lines: 1 new' in out, out)
        rows = report(db, 'no.csv')
        equal(rows[:5], [[str(n), *b[1:]] for n, b in enumerate(bad, 3)], 'fields by name')
        equal([r[0] for r in rows[5:]], ['8', '9', '10'], 'what is no JSON is told too')
        equal(rows[-1][3], 'is too long', 'a line has its limit')


@suite.test
def a_later_line_changes_what_an_earlier_made():
    rows = [line('D-1', name='First', stock='9'), line('D-2'),
            line('D-1', 'KIBANDA', name='Second', stock='', description='', weight_g=''),
            line('D-1', 'Kibanda', name='Third', stock='', price='13')]
    with Store() as db:
        db.open_stores('Kibanda')
        out = db.ctl('product', 'import', db.write('a.csv', as_csv(rows)))
        check('4 lines: 2 new, 2 changed' in out, out)
        equal(db.rows("SELECT name, price, description, weight_g, available, version FROM products"
                      " JOIN product_stock ON product_id = id WHERE sku = 'D-1'"),
              [['Third', '1300', 'Good', '100', '9', '3']],
              'an empty stock leaves it; the last line is what counts')
        rows = [['Kibanda', 'Kitchen > Spices', 'D-1', 'Fourth', '14']]
        db.ctl('product', 'import', db.write('b.csv', as_csv(rows, ['store', 'category', 'sku', 'name', 'price'])))
        equal(db.rows("SELECT name, price, description, weight_g, available FROM products"
                      " JOIN product_stock ON product_id = id WHERE sku = 'D-1'"),
              [['Fourth', '1400', 'Good', '100', '9']], 'a column that is not there changes nothing')
        db.ctl('product', 'import', db.write('c.csv', as_csv([line('D-1', weight_g='', description='')])))
        equal(db.rows("SELECT description, weight_g FROM products WHERE sku = 'D-1'"), [['', '']],
              'an empty cell takes description and weight away')


@suite.test
def files_that_are_none():
    with Store() as db:
        for name, content, words in (
                ('a.csv', '', 'is empty; its first line must name the columns'),
                ('b.csv', 'store,sku,name,price\n', 'line 1: category: the column is missing'),
                ('c.csv', ','.join(COLUMNS + ['sku']) + '\n', 'line 1: sku: the column stands twice'),
                ('d.csv', ','.join(COLUMNS + ['colour']) + '\n', 'line 1: colour: column 11 is not a known one')):
            out = db.ctl('product', 'import', db.write(name, content), status=REFUSED)
            check(words in out, out)
        check('--format says which' in db.ctl('product', 'import', db.write('e.txt', 'x'), status=64), 'no ending')
        check('No such file' in db.ctl('product', 'import', db.path('none.csv'), status=1), 'no file')
        check('not a regular file' in db.ctl('product', 'import', '/dev/null', '--format', 'csv', status=1),
              'a device cannot be resumed')
        out = db.ctl('product', 'import', db.write('f.csv', ','.join(COLUMNS) + '\n'))
        check('0 lines: 0 new' in out, out)
        equal(db.rows('SELECT count(*) FROM product_imports'), [['1']], 'only what began is noted')
        check('product import FILE' in db.ctl('--help'), 'the help knows it')


@suite.test
def an_owner_may_open_one_store():
    rows = [line('O-1', 'New shop'), line('O-2', 'new SHOP'), line('O-3', 'Another shop')]
    with Store() as db:
        owner = db.account('ann@example.com')
        path = db.write('a.csv', as_csv(rows))
        out = db.ctl('product', 'import', path, '--owner', 'who@example.com', status=1)
        check('no account has this e-mail address' in out, out)
        out = db.ctl('product', 'import', path, '--owner', 'Ann@example.com', status=REFUSED)
        check('2 new' in out and '1 refused' in out, out)
        check('line 4: store: is not a known store, and its owner has another already' in out, out)
        equal(db.rows('SELECT name, owner_id FROM stores'), [['New shop', owner]], 'the store is hers')
        equal(db.rows("SELECT count(*) FROM account_roles WHERE role = 'seller'"), [['1']], 'and she sells')


def slow(db):
    """Makes each product take its time, so that a kill finds the import on its way."""
    db.rows("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END'")
    db.rows('CREATE TRIGGER a_slow BEFORE INSERT ON products FOR EACH ROW EXECUTE FUNCTION slow()')


@suite.test
def a_killed_import_goes_on():
    rows = lines(4000)
    for i in range(0, 4000, 100):
        rows[i] = line(f'B-{i}', price='x')
    with Store() as db:
        db.open_stores('Kibanda', 'Ünder, the "Tree"')
        slow(db)
        path = db.write('a.csv', as_csv(rows))
        words = ('product', 'import', path, '--refused', db.path('no.csv'))
        kills = 0
        while kills < 3:
            before = int(db.rows('SELECT coalesce(max(byte_offset), 0) FROM product_imports')[0][0])
            command, env = db.command(*words)
            child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            until(lambda b=before: int(db.rows(
                'SELECT coalesce(max(byte_offset), 0) FROM product_imports')[0][0]) > b + 100,
                  'another batch', 60)
            threading.Event().wait(0.1 * kills)
            child.send_signal(signal.SIGKILL)
            child.wait()
            kills += 1
        # The killed one's last statement may still run; it holds no more than its batch.
        until(lambda: db.rows("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sokoctl'"
                              " AND datname = current_database()") == [['0']], 'its end in the database')
        out = db.ctl(*words, status=REFUSED)
        check('goes on at line' in out, out)
        check('4000 lines: 3960 new, 0 changed, 0 as they were, 40 refused' in out, out)
        equal([r[1] for r in report(db, 'no.csv')], [f'B-{i}' for i in range(0, 4000, 100)],
              'each refused line once, in order')
        db.ctl('product', 'export', db.path('out.csv'))
        equal(db.read('out.csv') == exported([r for r in rows if r[5] != 'x']), True, 'every line once')
        equal(db.rows('SELECT max(version) FROM products'), [['1']], 'none twice')
        out = db.ctl(*words, status=REFUSED)
        check('was imported at' in out and '--again' in out, out)
        check('0 new, 0 changed, 3960 as they were' in db.ctl(*words, '--again', status=REFUSED), 'again')
        equal(len(report(db, 'no.csv')), 40, 'the report is begun again too')


@suite.test
def two_at_once_do_not_mix():
    with Store() as db:
        db.open_stores('Kibanda', 'Ünder, the "Tree"')
        slow(db)
        rows = lines(3000)
        command, env = db.command('product', 'import', db.write('a.csv', as_csv(rows)))
        both = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                for _ in range(2)]
        said = [child.communicate(timeout=120)[0] for child in both]
        check(any(child.returncode == 0 for child in both) or 'another sokoctl' in ''.join(said), said)
        db.ctl('product', 'import', db.path('a.csv'))
        equal(db.rows('SELECT count(*), max(version) FROM products'), [['3000', '1']], 'every line once')
        equal(db.rows('SELECT added + changed + same FROM product_imports'), [['3000']], 'and counted once')


@suite.test
def a_terminal_sees_a_bar():
    with Store() as db:
        db.open_stores('Kibanda', 'Ünder, the "Tree"')
        command, env = db.command('product', 'import', db.write('a.csv', as_csv(lines(2000))))
        ours, theirs = pty.openpty()
        child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        seen = b''
        try:
            while piece := os.read(ours, 4096):
                seen += piece
        except OSError:  # what a terminal says when nobody is left
            pass
        os.close(ours)
        equal(child.wait(), 0, 'imported')
        for part in (b'\r', b'[', b' %  ', b' lines, ', b'/s, ', b' refused'):
            check(part in seen, f'{part!r} is not in {seen!r}')


@suite.test
def twenty_thousand():
    rows = [line(f'L-{i:06}', category=f'Kitchen > Leaf {i % 50}', name=f'Thing {i}') for i in range(20000)]
    with Store() as db:
        db.open_stores('Kibanda')
        check('20000 new' in db.ctl('product', 'import', db.write('a.csv', as_csv(rows))), 'all of them')
        db.ctl('product', 'export', db.path('out.csv'))
        equal(db.read('out.csv') == exported(rows), True, 'and back')


if __name__ == '__main__':
    suite.main()
