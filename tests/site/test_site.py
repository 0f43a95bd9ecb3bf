"""The installed site: what `make install` has put into a tree, written by sokoctl with a production's
settings, and held against nginx -t below a main file as Debian's; then nginx runs it, on ports 80 and 443,
with pools that are told how to fail.

    test_site.py TREE        where `make install DESTDIR=TREE prefix=/usr sysconfdir=/etc` was run

All of it in namespaces of its own (mounts, network, processes), which end with it: /etc/nginx is the
tree's, and what nginx writes is nobody's. That takes root.
"""
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'e2e')]

from fake_pool import Pool  # noqa: E402
from soko import Failed, Suite, check, equal, until  # noqa: E402

TREE = os.path.abspath(sys.argv[1])
CTL = TREE + '/usr/sbin/sokoctl'
CONF = '/run/soko.conf'
NAME = 'shop.example.com'
SITE = '/etc/nginx/sites-available/soko'
CACHE = '/var/lib/nginx/soko'
LOG = '/var/log/nginx/soko-access.log'
KEY = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'
HOSTS = ('127.0.0.2', '127.0.0.3')

# As the package nginx-common has them, without their comments.
MAIN = '''user www-data;
worker_processes auto;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;

events {
    worker_connections 768;
}

http {
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;
    ssl_prefer_server_ciphers on;
    access_log /var/log/nginx/access.log;
    gzip on;
    include /etc/nginx/conf.d/*.conf;
    include /etc/nginx/sites-enabled/*;
}
'''
DEFAULT = '''server {
    listen 80 default_server;
    listen [::]:80 default_server;
    root /var/www/html;
    server_name _;
    location / {
        try_files $uri $uri/ =404;
    }
}
'''

suite = Suite()


def run(*command, ok=True):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if ok and done.returncode != 0:
        raise Failed(f'{" ".join(command)}: {done.stderr}{done.stdout}')
    return done


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)


def read(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


# --- the machine ----------------------------------------------------------------------------------

def enter():
    """Again, in namespaces of our own; then the machine as a package finds it."""
    if os.environ.get('SOKO_SITE_INSIDE') != '1':
        os.environ['SOKO_SITE_INSIDE'] = '1'
        os.execvp('unshare', ['unshare', '--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc',
                              sys.executable, '-B', os.path.abspath(__file__), TREE])
    run('ip', 'link', 'set', 'lo', 'up')
    etc = TREE + '/etc/nginx'
    put(etc + '/mime.types', 'types {\n    text/html html;\n}\n')
    put(etc + '/nginx.conf', MAIN)
    put(etc + '/sites-available/default', DEFAULT)
    for folder in ('conf.d', 'sites-enabled'):
        os.makedirs(f'{etc}/{folder}', exist_ok=True)
    for name in ('default', 'soko'):
        if not os.path.islink(f'{etc}/sites-enabled/{name}'):
            os.symlink(f'../sites-available/{name}', f'{etc}/sites-enabled/{name}')
    run('mount', '--bind', etc, '/etc/nginx')
    openssl = read('/etc/ssl/openssl.cnf')
    for folder in ('/var/log/nginx', '/var/lib/nginx', '/run', '/etc/ssl'):
        run('mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', folder)
    put('/etc/ssl/openssl.cnf', openssl)
    # ssl-cert's, and another.
    for cert, key, name in (('/etc/ssl/certs/ssl-cert-snakeoil.pem', '/etc/ssl/private/ssl-cert-snakeoil.key', 'debian'),
                            ('/etc/ssl/own/fullchain.pem', '/etc/ssl/own/privkey.pem', NAME)):
        os.makedirs(os.path.dirname(cert), exist_ok=True)
        os.makedirs(os.path.dirname(key), mode=0o710, exist_ok=True)
        run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
            '-subj', '/CN=' + name, '-addext', 'subjectAltName=DNS:' + name, '-keyout', key, '-out', cert)
    put('/run/docs/index.html', 'documentation\n')
    put('/run/acme/.well-known/acme-challenge/a-Token_1', 'a-Token_1.key')
    put('/run/acme/.well-known/acme-challenge/a.html', 'not a token')


def configure(**settings):
    """A production's settings; what is given wins, and None takes one away."""
    known = {'DATABASE_URL': 'postgresql://soko_app@/soko?host=/run/postgresql', 'TOKEN_KEY': KEY, 'DATA_KEY': KEY[::-1],
             'PASSWORD_DENY_LIST': '', 'PUBLIC_URL': f'https://{NAME}', 'NGINX_TEMPLATES': TREE + '/usr/share/soko/nginx',
             'DOCS_DIR': '/run/docs', 'ACME_DIR': '/run/acme', 'TLS_CERTIFICATE': '/etc/ssl/own/fullchain.pem',
             'TLS_CERTIFICATE_KEY': '/etc/ssl/own/privkey.pem'}
    known.update(settings)
    put(CONF, ''.join(f'{k}={v}\n' for k, v in known.items() if v is not None))


def ctl(*words, ok=True):
    return run(CTL, '--config', CONF, *words, ok=ok)


def fresh():
    """No site of ours."""
    shutil.rmtree('/etc/nginx/soko', ignore_errors=True)
    if os.path.exists(SITE):
        os.unlink(SITE)


def good(what):
    """nginx likes it, and has nothing else to say."""
    said = run('nginx', '-t', ok=False).stderr
    equal(said.splitlines(), ['nginx: the configuration file /etc/nginx/nginx.conf syntax is ok',
                              'nginx: configuration file /etc/nginx/nginx.conf test is successful'], what)


def everything():
    """All files of the site, with their texts."""
    paths = [SITE] + [os.path.join('/etc/nginx/soko', name) for name in sorted(os.listdir('/etc/nginx/soko'))]
    return {path: read(path) for path in paths}


class Nginx:
    """nginx with the site for these settings."""

    def __init__(self, **settings):
        fresh()
        configure(**settings)

    def __enter__(self):
        ctl('nginx', 'write')
        good('the site that is served')
        if os.path.exists(LOG):
            os.unlink(LOG)
        shutil.rmtree(CACHE, ignore_errors=True)  # what one before has kept is not this one's answer
        self.process = subprocess.Popen(['nginx', '-g', 'daemon off;'])
        until(is_up, 'an answer of nginx')
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


# --- clients --------------------------------------------------------------------------------------

class Got:
    def __init__(self, r):
        self.status, self.text = r.status, r.read().decode()
        self.headers = {k.lower(): v for k, v in r.getheaders()}
        self.json = json.loads(self.text) if self.text.startswith('{') else None


def ask(method, path, body=None, host='127.0.0.1', headers=None):
    tls = ssl.create_default_context(cafile='/etc/ssl/own/fullchain.pem')
    s = tls.wrap_socket(socket.create_connection((host, 443), 30), server_hostname=NAME)
    c = http.client.HTTPSConnection(NAME)
    c.sock = s
    with s:
        c.request(method, path, body, headers or {}, encode_chunked='Transfer-Encoding' in (headers or {}))
        return Got(c.getresponse())


def is_up():
    try:
        return ask('GET', '/nothing').status == 404
    except OSError:
        return False


def ask_plain(path, host='127.0.0.1', name=NAME):
    c = http.client.HTTPConnection(host, 80, timeout=30)
    c.request('GET', path, headers={'Host': name})
    return Got(c.getresponse())


def lines():
    return [json.loads(line) for line in read(LOG).splitlines()]


# --- nginx -t -------------------------------------------------------------------------------------

SHOPS = {
    'one host': {},
    'what a fresh Debian has': {'TLS_CERTIFICATE': None, 'TLS_CERTIFICATE_KEY': None, 'ACME_DIR': None, 'DOCS_DIR': None},
    'IPv4 alone': {'NGINX_LISTEN': '443', 'NGINX_LISTEN_HTTP': '80'},
    'IPv6 alone': {'NGINX_LISTEN': '[::]:443', 'NGINX_LISTEN_HTTP': '[::]:80'},
    'no plain HTTP': {'NGINX_LISTEN_HTTP': ''},
    'behind a balancer': {'NGINX_LISTEN': '127.0.0.1:8443,[::1]:8443', 'NGINX_LISTEN_HTTP': '',
                          'TRUSTED_PROXIES': '127.0.0.1,10.0.0.0/8,fd00::/8'},
    'another port': {'PUBLIC_URL': f'https://{NAME}:8443/', 'NGINX_LISTEN': '8443'},
    'a shop of many words': {'CORS_ORIGINS': f'https://{"a" * 60}.example.com,http://localhost:3000',
                             'MAINTENANCE_ALLOW': '192.0.2.0/24,2001:db8::/32,192.0.2.0/24'},
    'without limits': {'LIMIT_SIGNED_IN': '0'},
    'with the widest limits': {'LIMIT_SIGNED_IN': '1000000', 'UPLOAD_MAX_SIZE': '64M', 'WORKER_DEADLINE': '1h',
                               'QUEUE_LIMIT': '1h'},
    'logs to syslog': {'NGINX_ACCESS_LOG': 'syslog:server=unix:/run/log,tag=soko,nohostname',
                       'NGINX_ERROR_LOG': 'syslog:server=127.0.0.1:514,tag=soko'},
    'one host elsewhere': {'APP_HOSTS': '10.0.0.5'},
    'several hosts': {'APP_HOSTS': '10.0.0.5,10.0.0.6'},
    'several hosts, this one too': {'APP_HOSTS': 'local, 10.0.0.6,10.0.0.7'},
    'several hosts by IPv6': {'APP_HOSTS': 'fd00::5,fd00::6'},
    'several hosts, IPv4 alone': {'APP_HOSTS': '10.0.0.5,10.0.0.6', 'NGINX_LISTEN': '443', 'NGINX_LISTEN_HTTP': '80'},
}


@suite.test
def test_nginx_likes_the_installed_site():
    for what, settings in SHOPS.items():
        fresh()
        configure(**settings)
        ctl('nginx', 'write')
        good(what)
        for path, text in everything().items():
            words = [w for w in text.split('@')[1:-1] if w.isupper()]
            equal((words, os.stat(path).st_mode & 0o777), ([], 0o644), f'{what}: {path}')


@suite.test
def test_a_machine_of_nginx_alone_has_no_secrets():
    fresh()
    configure(DATABASE_URL=None, TOKEN_KEY=None, DATA_KEY=None, APP_HOSTS='10.0.0.5,10.0.0.6')
    ctl('nginx', 'write')
    good('without secrets')
    for words in (('maintenance', 'on'), ('maintenance', 'status'), ('maintenance', 'off')):
        ctl(*words)
    check('TOKEN_KEY: is missing' in ctl('audit', 'list', ok=False).stderr, 'others need them')


@suite.test
def test_a_machine_without_ipv6_is_told_so():
    knob = '/proc/sys/net/ipv6/conf/lo/disable_ipv6'
    fresh()
    configure(NGINX_LISTEN='127.0.0.1:8443,[::1]:8443', NGINX_LISTEN_HTTP='')
    put(knob, '1')
    try:
        check('[::1]:8443 is left out: this machine has no IPv6' in ctl('nginx', 'write').stdout, 'not told')
        good('without IPv6')
        check('[::1]' not in read(SITE), 'it listens there')
        # Without any, nginx would listen on port 80, and without TLS.
        configure(NGINX_LISTEN='[::1]:8443', NGINX_LISTEN_HTTP='')
        done = ctl('nginx', 'write', ok=False)
        check(done.returncode == 1 and 'NGINX_LISTEN: [::1]:8443: this machine has none of it' in done.stderr, done.stderr)
        configure(NGINX_LISTEN='127.0.0.1:8443,[::1]:8443', NGINX_LISTEN_HTTP='')
    finally:
        put(knob, '0')
    check('changed /etc/nginx/sites-available/soko' in ctl('nginx', 'write').stdout, 'it has IPv6 again')
    check('[::1]:8443' in read(SITE), 'it does not listen there')


@suite.test
def test_it_says_what_changed_and_leaves_the_rest_alone():
    fresh()
    configure()
    said = ctl('nginx', 'write').stdout.splitlines()
    files = everything()
    equal(sorted(line.split()[1] for line in said if line.startswith('new ')), sorted(files), 'all are new')
    before = {path: os.stat(path).st_mtime_ns for path in files}
    equal(ctl('nginx', 'write').stdout.splitlines(), ['nothing has changed'], 'again')
    equal({path: os.stat(path).st_mtime_ns for path in files}, before, 'nothing was written')
    equal(ctl('nginx', 'check').stdout.splitlines(), ['nothing would change'], 'check')
    configure(CORS_ORIGINS='https://app.example.com', LIMIT_SIGNED_IN='240')
    done = ctl('nginx', 'check', ok=False)
    equal((done.returncode, done.stdout.splitlines()[:2]),
          (1, ['would change /etc/nginx/soko/origins.conf', f'would change {SITE}']), 'check')
    equal(everything(), files, 'it only says so')
    said = ctl('nginx', 'write').stdout.splitlines()
    equal(said, ['changed /etc/nginx/soko/origins.conf', f'changed {SITE}', 'then: nginx -t && systemctl reload nginx'],
          'a setting')
    now = {path: os.stat(path).st_mtime_ns for path in files}
    equal(sorted(path for path in files if now[path] != before[path]), ['/etc/nginx/sites-available/soko',
                                                                        '/etc/nginx/soko/origins.conf'], 'written')
    os.unlink('/etc/nginx/sites-enabled/soko')
    check('ln -s ../sites-available/soko /etc/nginx/sites-enabled/soko' in ctl('nginx', 'write').stdout, 'how to enable it')
    os.symlink('../sites-available/soko', '/etc/nginx/sites-enabled/soko')


@suite.test
def test_what_is_the_sysadmins_stays():
    fresh()
    configure()
    ctl('nginx', 'write')
    own = '# mine\nserver_name www.shop.example.com;\n'
    for name in ('local.conf', 'local-http.conf'):
        check('Yours' in read('/etc/nginx/soko/' + name), name)
    put('/etc/nginx/soko/local.conf', own)
    put('/etc/nginx/soko/local-http.conf', 'map $host $mine { default 1; }\n')
    configure(LIMIT_SIGNED_IN='7')
    ctl('nginx', 'write')
    equal(read('/etc/nginx/soko/local.conf'), own, 'the server block')
    equal(read('/etc/nginx/soko/local-http.conf'), 'map $host $mine { default 1; }\n', 'the http block')
    good('with additions')
    # A file that we have not written is somebody's.
    put(SITE, 'server { }\n')
    before = everything()
    configure(LIMIT_SIGNED_IN='8', CORS_ORIGINS='https://app.example.com')
    done = ctl('nginx', 'write', ok=False)
    equal(done.returncode, 1, 'status')
    check(f'{SITE}: was not written by sokoctl: move it away' in done.stderr, done.stderr)
    equal(everything(), before, 'nothing was written')


@suite.test
def test_bad_settings_are_named_and_change_nothing():
    fresh()
    configure()
    ctl('nginx', 'write')
    before = everything()
    for name, value, why in (('PUBLIC_URL', '', 'is empty'), ('PUBLIC_URL', 'http://shop.example.com', 'https://'),
                             ('PUBLIC_URL', 'https://shop.example.com/shop', 'path'),
                             ('PUBLIC_URL', 'https://Shop.example.com', 'lower case'),
                             ('PUBLIC_URL', 'https://a;b', 'host name'),
                             ('TLS_CERTIFICATE', '/etc/ssl/none.pem', 'No such file'),
                             ('TLS_CERTIFICATE_KEY', '/etc/ssl/none.key', 'No such file'),
                             ('TLS_CERTIFICATE', 'cert.pem', 'absolute'), ('TLS_CERTIFICATE', '/a b', 'alone'),
                             ('APP_HOSTS', 'app1.example.com', 'no address'), ('APP_HOSTS', '10.0.0.5:9001', 'no address'),
                             ('NGINX_LISTEN', '', 'empty'), ('NGINX_LISTEN', '443 default_server', 'port'),
                             ('NGINX_LISTEN_HTTP', '0.0.0.0', 'port'), ('MAINTENANCE_ALLOW', 'office', 'no address'),
                             ('NGINX_TEMPLATES', '/none', 'No such file'), ('SOCKET_DIR', 'run', 'absolute'),
                             ('MEDIA_DIR', '/srv/$uri', 'alone'), ('DOCS_DIR', '/srv/docs;', 'alone'),
                             ('NGINX_ACCESS_LOG', 'off', 'absolute'), ('NGINX_DIR', '/none', 'No such file')):
        configure(**{name: value})
        done = ctl('nginx', 'write', ok=False)
        check(done.returncode != 0, f'{name}={value} was taken')
        check(any(line.startswith(f'{name}: ') and why in line for line in done.stderr.splitlines()),
              f'{name}={value}: {done.stderr}')
    equal(everything(), before, 'what is there')
    configure()
    put('/run/templates/soko.conf.in', '@NO_SUCH_THING@ @TOKEN_KEY@\n')
    for name in ('fastcgi.conf', 'headers.conf', 'microcache.conf', 'local.conf', 'local-http.conf'):
        shutil.copy(f'{TREE}/usr/share/soko/nginx/{name}', '/run/templates')
    configure(NGINX_TEMPLATES='/run/templates')
    done = ctl('nginx', 'write', ok=False)
    for word in ('@NO_SUCH_THING@', '@TOKEN_KEY@'):
        check(f'/run/templates/soko.conf.in: {word} is no setting' in done.stderr, done.stderr)
    check(KEY not in done.stderr + done.stdout, 'it says the key')
    equal(everything(), before, 'what is there')


@suite.test
def test_nothing_is_half_written():
    fresh()
    configure()
    ctl('nginx', 'write')
    before = everything()
    # The last of the files cannot be made.
    os.mkdir(SITE + '.new')
    configure(LIMIT_SIGNED_IN='9', CORS_ORIGINS='https://app.example.com', APP_HOSTS='10.0.0.5,10.0.0.6')
    done = ctl('nginx', 'write', ok=False)
    os.rmdir(SITE + '.new')
    check(done.returncode == 1 and f'{SITE}.new: Is a directory' in done.stderr, done.stderr)
    equal(everything(), before, 'what is there, and nothing beside it')
    # Many at once.
    started = [subprocess.Popen([CTL, '--config', CONF, 'nginx', 'write'], stdout=subprocess.DEVNULL) for _ in range(8)]
    equal([p.wait(60) for p in started], [0] * 8, 'all at once')
    good('after all at once')


# --- as it runs -----------------------------------------------------------------------------------

@suite.test
def test_one_host_as_it_is_served():
    with Nginx():
        a = ask('GET', '/api/v1/products')
        equal((a.status, a.json['errors'][0]['code'], a.headers['retry-after']), (503, 'SERVICE_UNAVAILABLE', '1'),
              'nobody is there')
        equal(a.headers['strict-transport-security'], 'max-age=31536000; includeSubDomains', 'HSTS')
        equal(ask('GET', '/docs/').text, 'documentation\n', 'files')
        equal(ask('GET', '/docs/', host='::1').status, 200, 'by IPv6')
        for host in ('127.0.0.1', '::1'):
            a = ask_plain('/api/v1/products?page=2', host)
            equal((a.status, a.headers['location']), (308, f'https://{NAME}/api/v1/products?page=2'), 'plain HTTP')
        equal(ask_plain('/.well-known/acme-challenge/a-Token_1').text, 'a-Token_1.key', 'http-01')
        for path in ('/.well-known/acme-challenge/', '/.well-known/acme-challenge/a.html',
                     '/.well-known/acme-challenge/../../../soko.conf', '/.well-known/x'):
            check(ask_plain(path).status in (308, 400), path)
        equal(ask_plain('/.well-known/acme-challenge/none').status, 404, 'no such token')
        # Another name is the other site's: nobody is led where a Host says.
        check('location' not in ask_plain('/', name='evil.example.com').headers, 'led by Host')


@suite.test
def test_tls_is_new_and_http2_is_offered():
    with Nginx():
        for version, taken in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True),
                               (ssl.TLSVersion.TLSv1_3, True)):
            tls = ssl.create_default_context(cafile='/etc/ssl/own/fullchain.pem')
            tls.set_ciphers('ALL:@SECLEVEL=0')
            tls.minimum_version = tls.maximum_version = version
            tls.set_alpn_protocols(['h2', 'http/1.1'])
            try:
                with tls.wrap_socket(socket.create_connection(('127.0.0.1', 443), 20), server_hostname=NAME) as s:
                    got = s.selected_alpn_protocol() == 'h2'
            except ssl.SSLError:
                got = False
            equal(got, taken, str(version))


@suite.test
def test_the_log_is_where_logrotate_looks():
    with Nginx():
        check(LOG.startswith('/var/log/nginx/') and LOG.endswith('.log'), LOG)
        ask('GET', '/api/v1/none', headers={'X-Request-ID': 'the-first-one'})
        until(lambda: 'the-first-one' in read(LOG), 'a line')
        os.rename(LOG, LOG + '.1')
        os.kill(int(read('/run/nginx.pid')), signal.SIGUSR1)
        until(lambda: os.path.exists(LOG), 'a new file')
        until(lambda: ask('GET', '/api/v1/none', headers={'X-Request-ID': 'the-next-one'}) and 'the-next-one' in read(LOG),
              'a line in it')
        line = lines()[-1]
        equal((line['http.request.id'], line['url.path'], line['http.response.status_code'], len(line['trace.id'])),
              ('the-next-one', '/api/v1/none', 503, 32), 'what it says')


@suite.test
def test_maintenance_is_seen_by_nginxs_user():
    with Nginx(MAINTENANCE_ALLOW='127.0.0.9'), Pool('127.0.0.2', 'fast'):
        configure(MAINTENANCE_ALLOW='127.0.0.9')
        ctl('maintenance', 'on')
        a = ask('GET', '/api/v1/products')
        equal((a.status, a.headers['retry-after']), (503, '60'), 'closed')
        equal(ask('GET', '/docs/').status, 200, 'files')
        ctl('maintenance', 'off')
        equal(ask('GET', '/api/v1/products').headers['retry-after'], '1', 'open; there is no pool')


# --- several hosts --------------------------------------------------------------------------------

CALLS = (('GET', '/api/v1/cart', None), ('GET', '/api/v1/products?page=7', None), ('POST', '/api/v1/orders', b'{"a":1}'),
         ('PUT', '/api/v1/auth/profile', b'{"name":"Ann"}'), ('DELETE', '/api/v1/cart', None),
         ('PUT', f'/api/v1/cart/items/{"0" * 8}-0000-7000-8000-{"0" * 12}', b'{"quantity":2}'))


def fail_over(first, calls=CALLS):
    """What clients get from two hosts of which the first does what it is told, and which host has seen what. Each
    call meets the first host: it is due again, and nobody has put it aside."""
    told, seen = [], []
    for method, path, body in calls:
        with Nginx(APP_HOSTS=','.join(HOSTS)), Pool(HOSTS[0], 'fast', first) as a, Pool(HOSTS[1], 'fast') as b:
            got = ask(method, path, body)
            told.append((got.status, (got.json or {}).get('data')))
            seen.append((a.seen, b.seen))
    return told, seen


def sent(call):
    return [(call[0], call[1], call[2] or b'')]


@suite.test
def test_a_host_that_refuses_is_passed_by():
    told, seen = fail_over('refuse')
    equal(told, [(200, HOSTS[1])] * len(CALLS), 'all are served')
    equal(seen, [([], sent(c)) for c in CALLS], 'each once, whole')


@suite.test
def test_a_host_that_does_not_answer_a_connect_is_passed_by():
    told, seen = fail_over('full')
    equal(told, [(200, HOSTS[1])] * len(CALLS), 'all are served')
    equal(seen, [([], sent(c)) for c in CALLS], 'each once, whole')


@suite.test
def test_what_was_sent_runs_twice_only_if_it_reads():
    told, seen = fail_over('die')
    for call, got, (a, b) in zip(CALLS, told, seen):
        equal(a, sent(call), f'{call}: the first host had it')
        if call[0] == 'GET':
            equal((got, b), ((200, HOSTS[1]), sent(call)), f'{call}')
        else:
            equal((got, b), ((503, None), []), f'{call}')


@suite.test
def test_what_providers_post_may_run_again():
    call = ('POST', '/webhooks/stripe', b'{"id":"evt_1"}')
    told, seen = fail_over('die', [call])
    equal((told, seen), ([(200, HOSTS[1])], [(sent(call), sent(call))]), 'a webhook')


@suite.test
def test_nothing_is_repeated_that_hangs():
    short = {'QUEUE_LIMIT': '1s', 'WORKER_DEADLINE': '300ms', 'STATEMENT_TIMEOUT': '200ms', 'PROVIDER_TIMEOUT': '200ms'}
    with Nginx(APP_HOSTS=','.join(HOSTS), **short), Pool(HOSTS[0], 'fast', 'hang') as a, Pool(HOSTS[1], 'fast') as b:
        got = ask('GET', '/api/v1/cart')
        equal((got.status, got.json['errors'][0]['code']), (504, 'REQUEST_TIMEOUT'), 'a read')
        equal((len(a.seen), len(b.seen)), (1, 0), 'who had it')


@suite.test
def test_all_hosts_share_and_a_dead_one_is_used_again():
    with Nginx(APP_HOSTS=','.join(HOSTS)), Pool(HOSTS[1], 'fast') as b:
        with Pool(HOSTS[0], 'fast') as a:
            equal([ask('GET', '/api/v1/cart').status for _ in range(20)], [200] * 20, 'both')
            check(a.seen and b.seen, f'{len(a.seen)} and {len(b.seen)}')
        equal([ask(m, '/api/v1/cart').status for m in ('GET', 'DELETE') * 10], [200] * 20, 'one')
        with Pool(HOSTS[0], 'fast') as a:
            until(lambda: ask('GET', '/api/v1/cart').status == 200 and a.seen, 'the first host again')
    with Nginx(APP_HOSTS=','.join(HOSTS)):
        for method in ('GET', 'POST', 'DELETE'):
            got = ask(method, '/api/v1/cart', b'{}' if method == 'POST' else None)
            check(got.json is not None, f'{method}: {got.status} {got.text}')
            equal((got.status, got.json['errors'][0]['code'], got.headers['retry-after']),
                  (503, 'SERVICE_UNAVAILABLE', '1'), f'{method}: nobody')


@suite.test
def test_pools_have_their_ports_and_bodies_their_bounds():
    with Nginx(APP_HOSTS=','.join(HOSTS)), Pool(HOSTS[0], 'hash') as a, Pool(HOSTS[1], 'hash') as b:
        equal(ask('PUT', '/api/v1/auth/password', b'{}').status, 200, 'the pool that hashes')
        equal(len(a.seen) + len(b.seen), 1, 'once')
        equal(ask('PUT', '/api/v1/auth/password', b'x' * 9000).json['errors'][0]['code'], 'PAYLOAD_TOO_LARGE', 'a large one')
        for path in ('/_once/fast', '/_once/hash', '/@once_fast', '/_error/503'):
            a = ask('PUT', path, b'{}')
            equal((a.status, a.json['errors'][0]['code']), (404, 'NOT_FOUND'), f'{path}: nobody comes this way')
        chunks = iter([b'x' * 60000, b'x' * 60000])
        equal(ask('PUT', '/api/v1/auth/profile', chunks, headers={'Transfer-Encoding': 'chunked'}).status, 413, 'in chunks')


enter()
suite.main()
