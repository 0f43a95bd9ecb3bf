"""What runs on a machine of the test: PostgreSQL, Redis, the pools over TCP, soko-jobs, nginx. Each is a
process of the unprivileged user in the machine's namespace, with its files in a folder of the machine's,
and dies with us.
"""
import os
import pwd
import secrets
import signal
import subprocess

from network import run
from soko import Failed, until

BIN = '/usr/lib/postgresql/15/bin'
POOLS = {'fast': 9001, 'hash': 9002, 'wire': 9003}
TLS_PORT = 8443
PASSWORDS = {role: secrets.token_hex(16) for role in ('soko_owner', 'soko_app', 'replicator')}

# What a shop with a standby sets, beside the addresses. The time-outs are what decides how soon a standby
# leaves a primary that is gone without a word: their defaults are a minute.
POSTGRESQL = '''
port = 5432
max_connections = 100
timezone = UTC
log_timezone = UTC
log_error_verbosity = terse
log_min_error_statement = panic
log_line_prefix = '%m [%p] %q%u/%a '
fsync = off                         # for tests, which survive anything but a crash of the machine

wal_level = replica
wal_log_hints = on                  # for pg_rewind
wal_keep_size = 512MB               # for a standby that was away
hot_standby = on
max_standby_streaming_delay = 5s
synchronous_commit = on
wal_sender_timeout = 5s
wal_receiver_timeout = 5s
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 500ms
'''

HBA = '''
local all         postgres              peer map=console
local replication all                   reject
host  soko        soko_owner,soko_app   10.77.0.0/24 scram-sha-256
host  replication replicator            10.77.0.0/24 scram-sha-256
host  postgres    replicator            10.77.0.0/24 scram-sha-256
'''


def is_alive(pid):
    try:
        with open(f'/proc/{pid}/stat', encoding='utf-8') as f:
            return f.read().rpartition(')')[2].split()[0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):  # the latter: gone between opening and reading
        return False


class Machine:
    def __init__(self, network, name, folder, user, inst):
        self.network, self.name, self.user, self.inst = network, name, user, inst
        self.address = network.add(name)
        self.folder = os.path.join(folder, name)
        self.servers = {}
        for part in ('', 'run', 'log', 'conf', 'pg', 'nginx', 'nginx/soko', 'redis', 'metrics'):
            self.make_folder(part)

    # --- files and processes

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def make_folder(self, part):
        os.makedirs(self.path(part), 0o700, exist_ok=True)
        self._give(self.path(part))

    def _give(self, path):
        entry = pwd.getpwnam(self.user)
        os.chown(path, entry.pw_uid, entry.pw_gid)

    def write(self, part, text, mode=0o600):
        """Written beside and put in its place, so that nobody reads half of it."""
        with open(os.open(self.path(part) + '.new', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), 'w',
                  encoding='utf-8') as f:
            f.write(text)
        self._give(self.path(part) + '.new')
        os.rename(self.path(part) + '.new', self.path(part))
        return self.path(part)

    def _command(self, command):
        """Without the group's and our environment; killed with us."""
        return ['ip', 'netns', 'exec', self.network.hosts[self.name], 'env', '-i',
                'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C.UTF-8', 'TZ=UTC',
                'HOME=' + self.folder, 'setpriv', f'--reuid={self.user}', f'--regid={self.user}', '--clear-groups',
                '--inh-caps=-all', '--pdeathsig', 'KILL', '--', *command]

    def run(self, *command, **more):
        return run(*self._command(command), cwd='/', **more)

    def start(self, server, *command):
        with open(self.path('log', server + '.log'), 'ab') as log:
            self.servers[server] = subprocess.Popen(self._command(command), cwd='/', stdin=subprocess.DEVNULL,
                                                    stdout=log, stderr=log, start_new_session=True)

    def kill(self, server, sig=signal.SIGKILL):
        """Ends it, at once unless another signal is named, and waits for the end."""
        process = self.servers.pop(server, None)
        if process is None:
            return
        with open(f'/proc/{process.pid}/task/{process.pid}/children', encoding='ascii') as f:
            children = f.read().split()
        process.send_signal(sig)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)
            raise Failed(f'{server} of {self.name} does not end') from None
        for child in children if sig == signal.SIGKILL else ():
            try:
                os.kill(int(child), sig)
            except ProcessLookupError:
                pass
        until(lambda: not any(is_alive(c) for c in children), f'the end of the children of {server} of {self.name}')

    def kill_all(self):
        for server in list(self.servers):
            self.kill(server)

    def alive(self):
        return {server for server, process in self.servers.items() if process.poll() is None}

    # --- PostgreSQL

    def conninfo_of_primary(self, all_machines):
        """Whoever of them takes writes. The first answer counts, so nobody needs to say who it is."""
        return (f"host={','.join(m.address for m in all_machines)} port=5432 user=replicator "
                f"application_name={self.name} target_session_attrs=read-write "
                'connect_timeout=2 tcp_user_timeout=3000')

    def configure_postgres(self, all_machines, synchronous):
        """`synchronous`: whether a commit waits for one of the others."""
        others = ', '.join(m.name for m in all_machines if m is not self)
        names = f'ANY 1 ({others})' if synchronous else ''
        self.write('.pgpass', f"*:*:*:replicator:{PASSWORDS['replicator']}\n")  # of HOME
        self.write('conf/pg_ident.conf', f'console {self.user} postgres\n')
        self.write('conf/pg_hba.conf', HBA)
        self.write('conf/postgresql.conf', POSTGRESQL + f'''
listen_addresses = '{self.address}'
unix_socket_directories = '{self.path('run')}'
unix_socket_permissions = 0700
hba_file = '{self.path('conf/pg_hba.conf')}'
ident_file = '{self.path('conf/pg_ident.conf')}'
primary_conninfo = '{self.conninfo_of_primary(all_machines)}'
synchronous_standby_names = '{names}'
''')
        if 'postgres' in self.servers:
            self.servers['postgres'].send_signal(signal.SIGHUP)

    def _forget_pid(self):
        """Of a server that was killed: the pid may be somebody's by now."""
        if os.path.exists(self.path('pg/postmaster.pid')):
            os.remove(self.path('pg/postmaster.pid'))

    def start_postgres(self):
        self._forget_pid()
        self.start('postgres', BIN + '/postgres', '-D', self.path('pg'), '-c',
                   'config_file=' + self.path('conf/postgresql.conf'))
        self.wait_for_postgres()

    def wait_for_postgres(self):
        def answers():
            if self.servers['postgres'].poll() is not None:
                raise Failed(f'PostgreSQL of {self.name} does not start: {self.path("log/postgres.log")}')
            return self.sql('SELECT 1', database='postgres', check=False).strip() == '1'
        until(answers, f'PostgreSQL of {self.name}', 60)

    def sql(self, statement, database='soko', check=True):
        """At the machine's own console, whether it has a network or not."""
        return self.run(BIN + '/psql', '-XqtA', '-F', ' ', '-v', 'ON_ERROR_STOP=1', '-h', self.path('run'), '-U',
                        'postgres', '-d', database, '-c', statement, check=check).strip()

    def begin_primary(self):
        self.run(BIN + '/initdb', '-D', self.path('pg'), '-U', 'postgres', '-A', 'trust', '-E', 'UTF8',
                 '--locale=C.UTF-8', '--no-instructions', '--no-sync')
        self.start_postgres()
        for role, password in PASSWORDS.items():
            more = 'REPLICATION' if role == 'replicator' else ''
            self.sql(f"CREATE ROLE {role} LOGIN {more} PASSWORD '{password}'", 'postgres')
        for function in ('pg_ls_dir(text, boolean, boolean)', 'pg_stat_file(text, boolean)',
                         'pg_read_binary_file(text)', 'pg_read_binary_file(text, bigint, bigint, boolean)'):
            self.sql(f'GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO replicator', 'postgres')
        self.sql('CREATE DATABASE soko OWNER soko_owner', 'postgres')

    def begin_standby(self, primary):
        self.run(BIN + '/pg_basebackup', '-D', self.path('pg'), '-X', 'stream', '--checkpoint=fast', '--no-sync', '-d',
                 f'host={primary.address} user=replicator')
        self.write('pg/standby.signal', '')
        self.start_postgres()

    def rewind(self, primary):
        """The old primary becomes a standby: what only it had is thrown away. pg_rewind believes the other's
        control file, which names the new timeline only after a checkpoint: without one it would find nothing to
        do, and the old primary would come back with another past, and confirm commits that it has not."""
        primary.sql('CHECKPOINT', 'postgres')
        self._forget_pid()
        said = self.run(BIN + '/pg_rewind', '-D', self.path('pg'), '--no-sync', '--config-file=' + self.path('conf/postgresql.conf'),
                 '--source-server', f'host={primary.address} user=replicator dbname=postgres', both=True)
        if 'no rewind required' in said:
            raise Failed(f'{self.name} and {primary.name} are not taken for what they are: {said}')
        self.write('pg/standby.signal', '')
        self.start_postgres()

    # --- Redis

    def start_redis(self):
        self.start('redis', 'redis-server', '--port', '6379', '--bind', self.address, '--protected-mode', 'no', '--save',
                   '', '--appendonly', 'no', '--daemonize', 'no', '--dir', self.path('redis'))
        until(lambda: self.run('redis-cli', '-h', self.address, 'ping', check=False).strip() == 'PONG',
              f'Redis of {self.name}')

    # --- Soko

    def configure_soko(self, settings):
        self.write('conf/soko.conf', ''.join(f'{k}={v}\n' for k, v in sorted(settings.items())))

    def ctl(self, *words, config='soko.conf', check=True):
        return self.run(self.inst + '/sbin/sokoctl', '--config', self.path('conf', config), *words, check=check,
                        timeout=120)

    def start_pools(self):
        """As soko-api-tcp@.service: the workers' descriptor 0 is a TCP socket."""
        for pool, port in POOLS.items():
            self.start('soko-' + pool, 'spawn-fcgi', '-n', '-a', self.address, '-p', str(port), '-b', '4096', '--',
                       self.inst + '/libexec/soko/soko-api', '--config', self.path('conf/soko.conf'), '--pool', pool)

    def start_jobs(self):
        self.start('jobs', self.inst + '/libexec/soko/soko-jobs', '--config', self.path('conf/soko.conf'))

    def start_nginx(self, clone, application, tls, media):
        """The site of production over TLS, for the machines in `application`, as sokoctl writes it."""
        with open(os.path.join(clone, 'nginx/nginx-dev.conf.in'), encoding='utf-8') as f:
            self.write('nginx/nginx.conf', f.read().replace('@STATE_DIR@', self.folder).replace('@WORKERS@', '2'))
        with open(self.path('conf/soko.conf'), encoding='utf-8') as f:
            settings = f.read()
        site = {'PUBLIC_URL': f'https://{self.address}:{TLS_PORT}', 'NGINX_LISTEN': f'{self.address}:{TLS_PORT}',
                'NGINX_LISTEN_HTTP': '', 'APP_HOSTS': ','.join(m.address for m in application), 'MEDIA_DIR': media,
                'NGINX_DIR': self.path('nginx'), 'NGINX_TEMPLATES': self.inst + '/share/soko/nginx',
                'NGINX_CACHE': self.path('nginx/cache'), 'NGINX_ACCESS_LOG': self.path('log/nginx-access.log'),
                'NGINX_ERROR_LOG': self.path('log/nginx-error.log'), 'DOCS_DIR': self.path('nginx'),
                'TLS_CERTIFICATE': tls + '/cert.pem', 'TLS_CERTIFICATE_KEY': tls + '/key.pem'}
        self.write('conf/site.conf', settings + ''.join(f'{k}={v}\n' for k, v in site.items()))
        self.ctl('nginx', 'write', config='site.conf')
        self.start('nginx', 'nginx', '-p', self.path('nginx') + '/', '-c', self.path('nginx/nginx.conf'), '-e',
                   self.path('log/nginx.log'), '-g', 'daemon off;')
