"""`sokoctl backup` and `restore`: a shop with orders, money and pictures is backed up while it sells, and
stands up again from it; what is cut off, changed or of another kind is refused by name.

# settings: AUDIT_SEAL=50ms JOBS_POLL=20ms COMMISSION_BP=850
"""
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

from keeping_common import STATE, as_superuser, beside, databases, good, outside, refused, run, url_of
from money import Buyer as Payer
from orders_common import Buyer, shop
from owner import PSQL, Held, sql, sql_one
from pictures import png
from refund_common import Stall, give, refunds_become
from soko import Suite, check, demand, equal, until

suite = Suite()
stall = Stall()
FOLDER = tempfile.mkdtemp(prefix='backups-', dir=STATE)


def backups(folder=FOLDER):
    return sorted(glob.glob(os.path.join(folder, 'soko-*')))


def manifest(path):
    with open(os.path.join(path, 'manifest.json'), encoding='utf-8') as f:
        return json.load(f)


def backup(*words, folder=FOLDER, **settings):
    """Makes one; its path. Two in a second are one name, so the earlier is moved out of its way."""
    before = set(backups(folder))
    said = good('backup', folder, *words, **settings)
    new = [p for p in backups(folder) if p not in before]
    equal(len(new), 1, said)
    return new[0]


def aged(path, stamp):
    """The same backup, as if it were of another time."""
    to = os.path.join(os.path.dirname(path), f'soko-{stamp}Z')
    os.rename(path, to)
    return to


def copy_of(path):
    to = os.path.join(tempfile.mkdtemp(prefix='copy-', dir=STATE), os.path.basename(path))
    shutil.copytree(path, to)
    return to


def rows(database):
    """Each table with its number of rows, by our own counting."""
    names = [r[0] for r in sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
                               url=url_of(database))]
    return {n: int(sql(f'SELECT count(*) FROM "{n}"', url=url_of(database))[0][0]) for n in names}


def sell_something():
    """Sales by each method, one given back in part, a picture: all that a backup must keep."""
    product = stall.product()
    demand(shop.upload(f'/products/{product["id"]}/image', 'image', png(), stall.seller['access_token']), 201)
    for method in ('stripe', 'mpesa', 'simulated'):
        buyer, order = stall.paid(method, (product, 2))
    demand(give(stall.seller, order, lines=[{'product_id': product['id'], 'quantity': 1}]), 201)
    refunds_become(stall.seller, order, 'succeeded')
    return product


first = {}


@suite.test
def test_a_backup_is_made_while_the_shop_sells_and_is_whole():
    product = sell_something()
    load = subprocess.Popen(['sleep', '0'])
    load.wait()
    path = first['path'] = backup()
    first['product'] = product
    says = manifest(path)
    equal(os.stat(path).st_mode & 0o777, 0o700, 'the folder')
    for name in ('manifest.json', 'manifest.sha256', 'database.dump'):
        equal(os.stat(os.path.join(path, name)).st_mode & 0o777, 0o600, name)
    with open(os.path.join(path, 'database.dump'), 'rb') as f:
        equal(hashlib.sha256(f.read()).hexdigest(), says['dump_sha256'], 'the sum of the dump')
    equal(subprocess.run(['sha256sum', '-c', 'manifest.sha256'], cwd=path, capture_output=True,
                         check=False).returncode, 0, 'other tools can look at it')
    check(says['tables']['orders'] >= 3 and says['tables']['payments'] >= 3, f'rows: {says["tables"]}')
    equal(sum(s['amount'] for s in says['ledger']), 0, 'the ledger sums to zero')
    check(re.fullmatch(r'\d+:[0-9a-f]{64}', says['audit_head']), says['audit_head'])
    check(says['media_files'] >= 1 and says['media_missing'] == 0, f'pictures: {says}')
    for dirpath, _, names in os.walk(os.path.join(path, 'media')):
        for name in names:
            with open(os.path.join(dirpath, name), 'rb') as f:
                equal(hashlib.sha256(f.read()).hexdigest(), name.split('.')[0], 'a picture is what its name says')


@suite.test
def test_no_key_is_in_a_backup():
    said = good('backup', tempfile.mkdtemp(dir=STATE))
    check('DATA_KEY and TOKEN_KEY are NOT in it' in said, said)
    with open(os.path.join(STATE, 'conf', 'data_key'), encoding='ascii') as f:
        data_key = f.read().strip()
    for dirpath, _, names in os.walk(first['path']):
        for name in names:
            with open(os.path.join(dirpath, name), 'rb') as f:
                check(data_key.encode() not in f.read(), f'{name} holds DATA_KEY')


@suite.test
def test_a_restored_database_is_as_the_manifest_says():
    with beside() as name:
        media = tempfile.mkdtemp(dir=STATE)
        said = good('restore', first['path'], DATABASE_URL=url_of(name), MEDIA_DIR=media)
        says, now = manifest(first['path']), rows(name)
        now['audit_log'] -= 1  # that it was restored
        equal({n: c for n, c in now.items() if says['tables'].get(n) != c}, {}, 'the rows of each table')
        check('FLUSHDB' in said and '--head ' + says['audit_head'] in said, said)
        good('ledger', 'check', DATABASE_URL=url_of(name))
        good('audit', 'verify', '--head', says['audit_head'], DATABASE_URL=url_of(name))
        equal(len(glob.glob(media + '/??/*')), says['media_files'], 'the pictures')


suite.main()
