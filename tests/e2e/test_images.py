"""Pictures of products and logos of stores: what may be uploaded, where it goes, who removes it."""
# settings: MEDIA_SWEEP=100ms
import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor

from nginx_raw import dressed
from orders_common import UNKNOWN, shop
from owner import sql
from pictures import GIF, JPEG, WEBP, chunk, png
from soko import Suite, check, demand, equal, form, until

suite = Suite()
admin = shop.admin()
ann, bob = shop.new_seller('Ann'), shop.new_seller('Bob')
category = shop.new_category(admin)['id']
MEDIA = os.path.join(os.environ['SOKO_STATE'], 'media')
LONG_AGO = time.time() - 7 * 86400
MIB = 1 << 20


def product(seller=ann):
    return shop.new_product(seller, category)


def add(p, data, seller=ann, **more):
    return shop.upload(f'/products/{p["id"]}/image', 'image', data, seller['access_token'], **more)


def added(p, data, seller=ann):
    """The URL of a picture that was just added."""
    return demand(add(p, data, seller), 201).data['images'][-1]


def drop(p, n, seller=ann, headers=None):
    return shop.call('DELETE', f'/products/{p["id"]}/images/{n}', token=seller['access_token'],
                     headers=headers)


def show(p):
    return demand(shop.call('GET', f'/products/{p["id"]}', token=ann['access_token']), 200).data


def refused(p, data, why, **more):
    a = demand(add(p, data, **more), 400, 'VALIDATION_ERROR')
    check(why in a.errors[0]['message'], f'wanted "{why}": {a!r}')
    return a


def path_of(url):
    check(url.startswith('/media/'), url)
    return os.path.join(MEDIA, url.removeprefix('/media/'))


def url_of(data, extension='png'):
    digest = hashlib.sha256(data).hexdigest()
    return f'/media/{digest[:2]}/{digest}.{extension}'


def stored():
    """The files that are there, by path below the folder of media."""
    return {os.path.relpath(os.path.join(d, f), MEDIA) for d, _, files in os.walk(MEDIA)
            for f in files}


def put(name, data=b'x', old=True):
    """A file in the folder of media that no request has brought there."""
    path = os.path.join(MEDIA, name)
    if not os.path.isdir(os.path.dirname(path)):
        os.mkdir(os.path.dirname(path))
        os.chown(os.path.dirname(path), os.stat(MEDIA).st_uid, os.stat(MEDIA).st_gid)
    with open(path, 'wb') as f:
        f.write(data)
    if old:
        age(path)
    return path


def age(path):
    os.utime(path, (LONG_AGO, LONG_AGO))


def sweep_goes_by(folder):
    """Waits until a sweep has removed an old orphan from the folder: twice, so that one of them was a
    whole walk that began after the call."""
    for _ in range(2):
        name = folder + hashlib.sha256(os.urandom(8)).hexdigest()[2:]
        path = put(f'{folder}/{name}.png')
        until(lambda p=path: not os.path.exists(p), 'the sweep comes by')


@suite.test
def test_each_kind_is_stored_and_served():
    p = product()
    picture = png()
    for data, kind, extension in ((picture, 'image/png', 'png'), (JPEG, 'image/jpeg', 'jpg'),
                                  (WEBP, 'image/webp', 'webp')):
        url = added(p, data)
        equal(url, url_of(data, extension), 'a name by content')
        a = demand(shop.call('GET', url), 200)
        equal(a.content, data, 'what is served')
        equal((a.headers['content-type'], a.headers['x-content-type-options']), (kind, 'nosniff'),
              'headers')
        check('immutable' in a.headers['cache-control'], 'it never changes')
        check('sandbox' in a.headers['content-security-policy'], 'nothing in it runs')
        st = os.stat(path_of(url))
        equal(oct(st.st_mode & 0o7777), '0o644', 'for nginx to read')
        equal(oct(os.stat(os.path.dirname(path_of(url))).st_mode & 0o7777), '0o755', 'its folder')
    now = show(p)
    equal(now['images'], [url_of(picture), url_of(JPEG, 'jpg'), url_of(WEBP, 'webp')], 'in order')
    equal(now['image_url'], url_of(picture), 'the first is its face')
    equal(now['version'], p['version'] + 3, 'each was a change')


@suite.test
def test_the_same_content_is_the_same_file():
    p, q = product(), product(bob)
    data = png()
    equal(added(p, data), added(q, data, bob), 'two sellers')
    equal(added(p, data), url_of(data), 'the same product')
    equal([f for f in stored() if url_of(data).endswith(f)],
          [url_of(data).removeprefix('/media/')], 'one file')


@suite.test
def test_what_a_file_is_called_does_not_matter():
    for name in ('a.php', '../../etc/passwd', 'a.html', 'a.svg', 'a.phtml', 'a.jpg.php', 'a.shtml', 'a.js', '.htaccess',
                 'a.png%00.php', 'C:\\\\a.gif', ''):
        data = png()
        equal(demand(add(product(), data, filename=name), 201).data['images'][-1], url_of(data), name)


PAGE = b'<!doctype html><script>alert(1)</script><?php system($_GET["c"]); ?>'


def with_comment(text):
    """A picture that is whole, and holds a page where a picture may hold words."""
    return JPEG[:2] + b'\xff\xfe' + (len(text) + 2).to_bytes(2, 'big') + text + JPEG[2:]


@suite.test
def test_hole_39_a_picture_that_is_a_page_too_is_a_picture():
    """What a browser or PHP would read as a page, were it served as one: it never is."""
    p = product()
    for data, kind in ((with_comment(PAGE), 'image/jpeg'), (with_comment(b'<svg onload=alert(1)>'), 'image/jpeg'),
                       (png(extra=chunk(b'tEXt', b'Comment\0' + PAGE)), 'image/png')):
        url = demand(add(p, data, filename='a.php'), 201).data['images'][-1]
        check(url.endswith(('.jpg', '.png')), url)
        for path in (url, url + '?a.php', url + '?c=id'):
            for accept in ('text/html', '*/*'):
                got = demand(shop.call('GET', path, headers={'Accept': accept}), 200)
                equal((got.content, got.headers['content-type'], got.headers['x-content-type-options']),
                      (data, kind, 'nosniff'), path)
                policy = got.headers['content-security-policy'].split('; ')
                check({'sandbox', "default-src 'none'", "frame-ancestors 'none'"} <= set(policy), f'{policy}')
        # By no other name, and not as a script with a path behind it.
        stem = url.rpartition('.')[0]
        for path in (url + '/a.php', stem + '.php', stem + '.html', stem, url + '.html', url + ';a.php', url + '%00.php',
                     url + '%0a.php', stem + '.PNG', stem.upper() + '.png'):
            check(shop.call('GET', path).status in (400, 404), f'{path} is served')
    # What says that it is a page is none of ours, whatever it is called.
    for name in ('a.svg', 'a.html', 'a.png', 'a.php'):
        for page in (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', PAGE,
                     b'\xef\xbb\xbf' + PAGE, b'GIF89a' + PAGE, b'RIFF\x24\0\0\0WAVEfmt ' + PAGE, b'BM' + PAGE):
            equal(demand(add(p, page, filename=name), 400).fields, ['image'], name)
    equal([f for f in stored() if not f.endswith(('.jpg', '.png', '.webp'))], [], 'other files')


@suite.test
def test_hole_39_only_whole_pictures_pass_and_nothing_else_is_kept():
    p = product()
    before = stored()
    page = b'<!doctype html><script>alert(1)</script>'
    none = 'is not a JPEG, PNG or WebP image'
    for data, why in (
            (GIF, none), (page, none), (b'x', none), (b'%PDF-1.4', none), (b'PK\3\4', none),
            (b'<svg xmlns="http://www.w3.org/2000/svg"/>', none), (page + png(), none),
            (png() + page, "after the image's end"), (png() + b'\n', "after the image's end"),
            (JPEG + page, "after the image's end"), (JPEG + JPEG, "after the image's end"),
            (WEBP + page, "after the image's end"), (png() + b'PK\3\4', "after the image's end"),
            (png()[:-1], 'ends early'), (JPEG[:-2], 'ends early'), (WEBP[:-1], 'ends early'),
            (png()[:60], 'ends early'), (png().replace(b'Comment', b'Komment'), 'damaged'),
            (png(extra=chunk(b'EVIL', page)), 'damaged'),
            (png(told=(0, 2)), 'no width'), (png(told=(8193, 1)), '8192'),
            (png(told=(1, 8193)), '8192'), (png(told=(8192, 8192)), '40 million'),
            (png(extra=chunk(b'acTL', bytes(8))), 'damaged')):
        a = refused(p, data, why) if why != 'damaged' else demand(add(p, data), 400)
        equal(a.fields, ['image'], 'the field')
    equal(show(p)['images'], [], 'pictures')
    # Another's product, a product that is not there, a full one: no file is left behind.
    demand(add(p, png(), bob), 403, 'FORBIDDEN')
    demand(add({'id': UNKNOWN}, png()), 404, 'NOT_FOUND')
    demand(shop.upload(f'/products/{p["id"]}/image', 'image', png()), 401, 'UNAUTHORIZED')
    demand(shop.upload(f'/stores/{ann["store_id"]}/logo', 'logo', png(), bob['access_token']), 403,
           'FORBIDDEN')
    equal(stored() - before, set(), 'files')
    for path in ('/media/', '/media/00/', '/media/..%2fconf/soko.conf'):
        check(shop.call('GET', path).status in (400, 404), f'{path} lists or leads out')


@suite.test
def test_the_form_must_be_what_is_asked_for():
    p = product()
    path, token, data = f'/products/{p["id"]}/image', ann['access_token'], png()

    def post(parts, status, code, fields):
        body, kind = form(*parts)
        a = demand(shop.call('POST', path, None, token, {'Content-Type': kind}, body), status, code)
        equal(a.fields, fields, 'the fields')

    post([], 400, 'VALIDATION_ERROR', ['image'])
    post([('image', 'a.png', b'')], 400, 'VALIDATION_ERROR', ['image'])
    post([('picture', 'a.png', data)], 400, 'VALIDATION_ERROR', ['picture', 'image'])
    post([('image', 'a.png', data), ('logo', 'a.png', data)], 400, 'VALIDATION_ERROR', ['logo'])
    post([('image', 'a.png', data), ('image', 'a.png', data)], 400, 'VALIDATION_ERROR', ['image'])
    body, kind = form(('image', 'a.png', data))
    for cut in (0, 10, len(body) // 2, len(body) - 4):
        demand(shop.call('POST', path, None, token, {'Content-Type': kind}, body[:cut]), 400,
               'VALIDATION_ERROR')
    demand(shop.call('POST', path, None, token, {'Content-Type': kind}, body + b'more'), 400)
    demand(shop.call('POST', path, None, token, {'Content-Type': 'multipart/form-data'}, body), 400,
           'VALIDATION_ERROR')
    for other in ('application/json', 'image/png', 'multipart/mixed; boundary=x',
                  'application/x-www-form-urlencoded'):
        demand(shop.call('POST', path, None, token, {'Content-Type': other}, body), 415,
               'UNSUPPORTED_MEDIA_TYPE')
    demand(shop.call('POST', path, {'image': 'x'}, token), 415, 'UNSUPPORTED_MEDIA_TYPE')
    equal(show(p)['images'], [], 'pictures')


def of_size(n):
    """A PNG of exactly n bytes."""
    small = png()
    end = len(small) - 12
    return small[:end] + chunk(b'zzZz', bytes(n - len(small) - 12)) + small[end:]


@suite.test
def test_too_large_is_413():
    p = product()
    equal(len(of_size(5 * MIB)), 5 * MIB, 'the test itself')
    demand(add(p, of_size(5 * MIB)), 201)
    a = demand(add(p, of_size(5 * MIB + 1)), 413, 'PAYLOAD_TOO_LARGE')
    equal(a.fields, ['image'], 'the field: soko-api has measured it')
    dressed(add(p, bytes(6 * MIB)), 413, 'PAYLOAD_TOO_LARGE')
    demand(shop.upload(f'/stores/{ann["store_id"]}/logo', 'logo', of_size(5 * MIB + 1),
                       ann['access_token']), 413, 'PAYLOAD_TOO_LARGE')
    equal(len(show(p)['images']), 1, 'pictures')


@suite.test
def test_a_product_has_ten_at_most():
    p = product()
    for _ in range(8):
        added(p, png())
    # All at once: two places are left.
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: add(p, png()), range(6)))
    equal(sorted(a.status for a in answers), [201, 201, 409, 409, 409, 409], 'statuses')
    before = stored()
    demand(add(p, png()), 409, 'CONFLICT')
    equal(stored(), before, 'files')
    now = show(p)
    equal((len(now['images']), len(set(now['images']))), (10, 10), 'pictures')
    demand(drop(p, 3), 200)
    demand(add(p, png()), 201)


@suite.test
def test_one_that_goes_leaves_no_gap():
    p = product()
    a, b, c, d = (added(p, png()) for _ in range(4))
    for n, left in ((2, [a, c, d]), (1, [c, d]), (2, [c]), (1, [])):
        equal(demand(drop(p, n), 200).data, {'message': 'image deleted'}, 'the answer')
        now = show(p)
        equal((now['images'], now['image_url']), (left, left[0] if left else None), f'without {n}')
        equal([int(r[0]) for r in sql("SELECT n FROM product_images WHERE product_id = :'p' ORDER BY n",
                                      p=p['id'])], list(range(1, len(left) + 1)), 'numbers')
    demand(drop(p, 1), 404, 'NOT_FOUND')
    for n in ('0', '01', '-1', 'x', '1.5', '9999999999', UNKNOWN):
        x = demand(drop(p, n), 400, 'VALIDATION_ERROR')
        equal(x.fields, ['n'], n)
    demand(drop(p, 11), 404, 'NOT_FOUND')
    x = demand(shop.call('DELETE', '/products/x/images/x', token=ann['access_token']), 400)
    equal(x.fields, ['id', 'n'], 'both')


@suite.test
def test_strangers_and_stale_versions():
    p = product()
    url = added(p, png())
    demand(drop(p, 1, bob), 403, 'FORBIDDEN')
    demand(drop({'id': UNKNOWN}, 1), 404, 'NOT_FOUND')
    stale = {'If-Match': f'"{p["version"]}"'}
    demand(drop(p, 1, headers=stale), 412, 'PRECONDITION_FAILED')
    demand(add(p, png(), headers=stale), 412, 'PRECONDITION_FAILED')
    equal(show(p)['images'], [url], 'pictures')
    demand(add(p, png(), headers={'If-Match': f'"{show(p)["version"]}"'}), 201)
    demand(drop(p, 2, admin), 200)


@suite.test
def test_a_retry_under_its_key_adds_one_picture():
    p, data = product(), png()
    key = {'Idempotency-Key': os.urandom(8).hex()}
    first = demand(add(p, data, headers=key), 201)
    # A client that asks again makes a new boundary.
    again = demand(add(p, data, headers=key), 201)
    equal((again.data, again.headers.get('idempotent-replayed')), (first.data, 'true'), 'a replay')
    demand(add(p, png(), headers=key), 422, 'IDEMPOTENCY_KEY_REUSED')
    equal(len(show(p)['images']), 1, 'pictures')


@suite.test
def test_a_store_has_a_logo():
    path = f'/stores/{ann["store_id"]}'
    first, second = png(), png()
    token = ann['access_token']
    a = demand(shop.upload(path + '/logo', 'logo', first, token), 200)
    equal(a.data['logo_url'], url_of(first), 'the logo')
    a = demand(shop.upload(path + '/logo', 'logo', second, token), 200)
    equal(demand(shop.call('GET', path, token=token), 200).data['logo_url'], url_of(second), 'another')
    equal(demand(shop.call('GET', url_of(second)), 200).content, second, 'what is served')
    demand(shop.upload(path + '/logo', 'image', first, token), 400, 'VALIDATION_ERROR')
    demand(shop.upload(path + '/logo', 'logo', GIF, token), 400, 'VALIDATION_ERROR')
    demand(shop.upload(f'/stores/{UNKNOWN}/logo', 'logo', first, token), 404, 'NOT_FOUND')
    demand(shop.upload(path + '/logo', 'logo', first, token, {'If-Match': '"1"'}), 412,
           'PRECONDITION_FAILED')


@suite.test
def test_hole_39_orphans_are_swept_and_pictures_stay():
    p, q = product(), product()
    kept, logo, shared = png(), png(), png()
    kept_url = added(p, kept)
    demand(shop.upload(f'/stores/{bob["store_id"]}/logo', 'logo', logo, bob['access_token']), 200)
    shared_url = added(p, shared)
    added(q, shared)
    dropped_url = added(p, png())
    for url in (kept_url, url_of(logo), shared_url, dropped_url):
        age(path_of(url))
    demand(drop(p, 3), 200)
    until(lambda: not os.path.exists(path_of(dropped_url)), 'what was dropped is swept')
    demand(shop.call('GET', dropped_url), 404)
    demand(drop(p, 2), 200)  # q shows it too

    folder = kept_url.split('/')[2]
    name = folder + 'f' * 62
    young = put(f'{folder}/{name}.png', old=False)
    others = [put(f'{folder}/notes.txt'), put(f'{folder}/{name}.txt'),
              put(f'{folder}/{"0" * 64 if folder != "00" else "1" * 64}.png')]
    draft = put(f'{folder}/.{UNKNOWN}')
    for url in (kept_url, url_of(logo), shared_url):
        sweep_goes_by(url.split('/')[2])
    until(lambda: not os.path.exists(draft), 'the draft of a crash is swept')
    for path in (young, *others, *(path_of(u) for u in (kept_url, url_of(logo), shared_url))):
        check(os.path.exists(path), f'{path} was swept')
    for url in (kept_url, url_of(logo), shared_url):
        demand(shop.call('GET', url), 200)


@suite.test
def test_a_picture_that_comes_again_is_young():
    p, data = product(), png()
    path = path_of(added(p, data))
    age(path)
    added(p, data)
    check(os.stat(path).st_mtime > time.time() - 3600, 'it is old')


@suite.test
def test_many_orphans_are_swept_in_turns():
    names = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(600)]
    paths = [put(f'{n[:2]}/{n}.webp') for n in names]
    until(lambda: not any(os.path.exists(p) for p in paths), 'all are swept')


if __name__ == '__main__':
    suite.main()
