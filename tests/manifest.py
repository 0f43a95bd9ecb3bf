"""The manifests: what the units, soko.conf and soko-setup say, held against the table of settings; and
what may not lie in the repository. TAP on standard output.

    manifest.py [BUILD]     a build tree; build/check of this clone if it is not given

soko-setup is run for real, in folders of ours, with the real soko-api. What takes root or a PostgreSQL
is played by stubs that stand before it on PATH: id, getent, and runuser, which keeps the SQL that it is
given. tests/machine does the same without stubs."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else f'{TOP}/build/check')
UNITS = f'{BUILD}/systemd'
NAME = '[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+'

tests = []


def test(function):
    tests.append(function)
    return function


def check(good, why):
    if not good:
        raise AssertionError(why)


def equal(got, wanted, what):
    check(got == wanted, f'{what}: {got!r}, not {wanted!r}')


def read(path):
    with open(path, encoding='utf-8') as file:
        return file.read()


def run(*command, **more):
    """Runs it and takes what it prints, in an environment of its own."""
    environment = {'PATH': os.environ['PATH'], 'LC_ALL': 'C.UTF-8', **more.pop('env', {})}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, check=False, **more)


def ctl(*words):
    done = run(f'{BUILD}/sokoctl', *words)
    equal(done.returncode, 0, f'sokoctl {" ".join(words)}: {done.stderr}')
    return done.stdout


def table():
    """The settings as --help tells them: name, whether it is a secret, whether it is required."""
    rows = re.findall(rf'^  ({NAME})( \*)?, (required)?', ctl('--help'), re.M)
    check(len(rows) > 100, f'--help lists {len(rows)} settings')
    return {name: (bool(star), bool(required)) for name, star, required in rows}


def services():
    """The services that run programs of ours: name, text."""
    names = [name for name in sorted(os.listdir(UNITS)) if name.endswith('.service')]
    check(len(names) >= 7, f'services: {names}')
    return [(name, read(f'{UNITS}/{name}')) for name in names]


@test
def hole_28_units_hand_out_the_secrets_of_the_table_and_nothing_else():
    secrets = {name for name, (secret, _) in table().items() if secret}
    equal(set(ctl('config', 'secrets').split()), secrets, 'sokoctl config secrets')
    for name, text in services():
        loaded = dict(re.findall(r'^LoadCredential=([^:\n]*):(.*)$', text, re.M))
        equal(set(loaded), secrets, f'{name}: what it loads')
        equal(set(re.findall(r'^SetCredential=([^:\n]*):\\n$', text, re.M)), secrets,
              f'{name}: what may be missing')
        owner = 'sokoctl' in text and 'User=soko-owner' in text
        equal(loaded['DATABASE_URL'].endswith('/credentials/owner/DATABASE_URL'), owner,
              f'{name} has the owner of the database, and is it the owner')
        for secret, path in loaded.items():
            check(path.endswith(f'/{secret}') and '/credentials/' in path, f'{name}: {path}')
        check(not re.search(r'^(Environment|PassEnvironment|EnvironmentFile)=', text, re.M),
              f'{name} sets variables past the table')


@test
def hole_28_soko_conf_names_every_setting_once():
    text = read(f'{UNITS}/soko.conf')
    plain = re.findall(rf'^#({NAME})=', text, re.M)
    places = re.findall(rf'^# A secret(?:, required)?: credentials/({NAME})$', text, re.M)
    rows = table()
    equal(sorted(plain + places), sorted(rows), 'the settings')
    for name, (secret, required) in rows.items():
        equal(name in places, secret, f'{name} is a file')
        if required:
            check(f'# A secret, required: credentials/{name}' in text, f'{name} is required, and has no place')
    check(not re.search(r'^[^#\n]', text, re.M), 'soko.conf sets something')
    # A sentence before each.
    for line in re.findall(rf'^(.*)\n(?:#{NAME}=|# A secret)', text, re.M):
        check(re.match(r'# \S', line), f'no sentence: {line!r}')


STUBS = {
    'id': '#!/bin/sh\necho 0\n',
    'getent': '#!/bin/sh\nexit 0\n',
    # The role exists if a file says so.
    'runuser': '''#!/bin/sh
sql=$(cat)
printf '%s\\n' "$sql" >>"$STUB_DIR/sql"
case $sql in
"SHOW port;") echo 5433 ;;
"SHOW max_connections;") echo 20 ;;
"SELECT 1 FROM pg_roles"*) [ ! -e "$STUB_DIR/exists" ] || echo 1 ;;
"SELECT 1 FROM pg_database"*) [ ! -e "$STUB_DIR/exists" ] || echo 1 ;;
"CREATE ROLE soko_owner"* | *"CREATE ROLE soko_owner"*) [ ! -e "$STUB_DIR/die" ] || exit 3 ;;
esac
''',
}


class Machine:
    """Folders in which soko-setup finds a machine."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='soko-manifest-')
        self.etc = f'{self.dir}/etc/soko'
        self.stubs = f'{self.dir}/stubs'
        for folder in (self.etc, self.stubs, f'{self.dir}/libexec/soko', f'{self.dir}/sbin'):
            os.makedirs(folder)
        for name, text in STUBS.items():
            self.write(f'{self.stubs}/{name}', text, 0o755)
        shutil.copy(f'{UNITS}/soko.conf', self.etc)
        os.symlink(f'{BUILD}/soko-api', f'{self.dir}/libexec/soko/soko-api')
        os.symlink(f'{BUILD}/sokoctl', f'{self.dir}/sbin/sokoctl')
        text = read(f'{TOP}/systemd/soko-setup.sh')
        for name, value in {'sysconfdir': f'{self.dir}/etc', 'libexecdir': f'{self.dir}/libexec',
                            'sbindir': f'{self.dir}/sbin', 'pkgdatadir': f'{self.dir}/share',
                            'localstatedir': f'{self.dir}/var'}.items():
            text = text.replace(f'@{name}@', value)
        self.write(f'{self.dir}/soko-setup', text, 0o755)

    @staticmethod
    def write(path, text, mode=0o600):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(path, mode)

    def setup(self, *words):
        return run(f'{self.dir}/soko-setup', '--no-start', *words,
                   env={'PATH': f'{self.stubs}:{os.environ["PATH"]}', 'STUB_DIR': self.dir})

    def api_check(self):
        return run(f'{BUILD}/soko-api', '--check', '--config', f'{self.etc}/soko.conf',
                   env={'CREDENTIALS_DIRECTORY': f'{self.etc}/credentials'})

    def files(self):
        found = {}
        for folder, _, names in os.walk(self.etc):
            for name in names:
                path = os.path.join(folder, name)
                found[os.path.relpath(path, self.etc)] = (read(path), os.stat(path).st_mode & 0o777)
        return found

    def sql(self):
        return read(f'{self.dir}/sql') if os.path.exists(f'{self.dir}/sql') else ''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)


@test
def hole_28_soko_setup_makes_all_that_is_required():
    with Machine() as machine:
        before = machine.api_check()
        equal(before.returncode, 78, 'a machine without a shop')
        for name, (_, required) in table().items():
            equal(f'{name}: is missing' in before.stderr, required, f'{name} is asked for: {before.stderr}')

        done = machine.setup('--url', 'https://shop.example.com')
        equal(done.returncode, 0, f'soko-setup: {done.stderr}')
        after = machine.api_check()
        equal((after.returncode, after.stdout), (0, 'ok\n'), f'soko-api --check: {after.stderr}')
        made = machine.files()
        equal(sorted(made), ['credentials/DATABASE_URL', 'credentials/DATA_KEY', 'credentials/TOKEN_KEY',
                             'credentials/owner/DATABASE_URL', 'soko.conf', 'soko.conf.d/10-setup.conf'],
              'what it made')
        for path, (text, mode) in made.items():
            if path.startswith('credentials/'):
                equal(mode, 0o600, f'mode of {path}')
                check(text.strip() not in done.stdout + done.stderr, f'{path} was printed')
        for folder in ('credentials', 'credentials/owner'):
            equal(os.stat(f'{machine.etc}/{folder}').st_mode & 0o777, 0o700, f'mode of {folder}')
        check(made['credentials/TOKEN_KEY'] != made['credentials/DATA_KEY'], 'the keys are the same')
        roles = re.findall(r"CREATE ROLE (\w+) LOGIN PASSWORD '(\w+)'", machine.sql())
        equal([role for role, _ in roles], ['soko_owner', 'soko_app'], 'the roles')
        for (role, password), path in zip(roles, ('owner/DATABASE_URL', 'DATABASE_URL')):
            equal(made[f'credentials/{path}'][0], f'postgresql://{role}:{password}@127.0.0.1:5433/soko\n', path)
        check('ALTER SYSTEM SET max_connections' in done.stdout, f'20 connections suffice: {done.stdout}')

        done = machine.setup('--url', 'https://other.example.com')
        equal(done.returncode, 0, f'again: {done.stderr}')
        equal(machine.files(), made, 'what it left')
        check("PUBLIC_URL is 'https://shop.example.com', and stays so" in done.stdout, done.stdout)

        for name in ('TOKEN_KEY', 'DATA_KEY', 'DATABASE_URL'):
            os.rename(f'{machine.etc}/credentials/{name}', f'{machine.dir}/{name}')
            lost = machine.api_check()
            equal((lost.returncode, f'{name}: is missing' in lost.stderr), (78, True), f'{name} lost')
            # What systemd puts in the place of a missing file.
            machine.write(f'{machine.etc}/credentials/{name}', '\n')
            equal(machine.api_check().stderr, lost.stderr, f'{name} empty')
            os.rename(f'{machine.dir}/{name}', f'{machine.etc}/credentials/{name}')
        equal(machine.api_check().returncode, 0, 'and put back')


@test
def hole_28_soko_setup_goes_on_where_it_was_and_overwrites_nothing():
    with Machine() as machine:
        machine.write(f'{machine.dir}/die', '')
        broken = machine.setup()
        check(broken.returncode != 0, 'PostgreSQL refused, and soko-setup did not')
        half = machine.files()
        equal(sorted(half), ['credentials/owner/DATABASE_URL', 'soko.conf'], 'what a broken run leaves')
        os.unlink(f'{machine.dir}/die')
        equal(machine.setup().returncode, 0, 'the next run')
        equal(machine.files()['credentials/owner/DATABASE_URL'], half['credentials/owner/DATABASE_URL'], 'the password')
        equal(len(set(re.findall(r"CREATE ROLE soko_owner LOGIN PASSWORD '(\w+)'", machine.sql()))), 1,
              'passwords of soko_owner')

        # A role whose password nobody knows is left alone, and so is a key that the database needs.
        machine.write(f'{machine.dir}/exists', '')
        os.unlink(f'{machine.etc}/credentials/DATABASE_URL')
        refused = machine.setup()
        check(refused.returncode == 1 and 'PostgreSQL has a role soko_app' in refused.stderr, refused.stderr)
    with Machine() as machine:
        kept = f'{machine.dir}/var/lib/soko/credentials.x'
        machine.write(f'{kept}/TOKEN_KEY', 'k' * 64)
        refused = machine.setup()
        check(refused.returncode == 1 and kept in refused.stderr, refused.stderr)
        check('credentials/TOKEN_KEY' not in machine.files(), 'another key was made')
    with Machine() as machine:
        elsewhere = 'postgresql://soko_app:secret@db.example.com/soko\n'
        machine.write(f'{machine.etc}/credentials/DATABASE_URL', elsewhere)
        done = machine.setup()
        equal(done.returncode, 0, f'a database elsewhere: {done.stderr}')
        equal(machine.files()['credentials/DATABASE_URL'][0], elsewhere, 'its URL')
        check('CREATE' not in machine.sql(), machine.sql())
    with Machine() as machine:
        for url in ('http://shop.example.com', 'https://shop.example.com/x', "https://a'b", 'https://', 'https://a b'):
            refused = machine.setup('--url', url)
            equal((refused.returncode, sorted(machine.files())), (1, ['soko.conf']), f'{url}: {refused.stderr}')


@test
def hole_28_sokoctl_finds_the_secrets_beside_its_file():
    with Machine() as machine:
        equal(machine.setup().returncode, 0, 'soko-setup')
        command = (f'{BUILD}/sokoctl', '--config', f'{machine.etc}/soko.conf', 'config', 'TOKEN_ISSUER')
        done = run(*command)
        equal((done.returncode, done.stdout), (0, 'soko\n'), done.stderr)
        # systemd's word is the last, and programs under systemd have no other.
        equal(run(*command, env={'CREDENTIALS_DIRECTORY': machine.dir}).returncode, 78, 'another folder')
        done = run(f'{BUILD}/soko-api', '--check', '--config', f'{machine.etc}/soko.conf')
        equal(done.returncode, 78, 'soko-api without credentials')
        # Migrations act as the owner, whose URL is looked at first.
        machine.write(f'{machine.etc}/credentials/owner/DATABASE_URL', 'postgresql://x:1:2:3/nonsense')
        done = run(f'{BUILD}/sokoctl', '--config', f'{machine.etc}/soko.conf', 'migrate', 'status')
        check(done.returncode == 78 and 'owner/DATABASE_URL' in done.stderr, done.stderr)
        check('nonsense' not in done.stderr, 'a secret was told')
        equal(run(*command).returncode, 0, 'all else does not look there')


def tracked():
    done = run('git', '-c', 'safe.directory=*', '-C', TOP, 'ls-files', '-z')
    equal(done.returncode, 0, done.stderr)
    names = [name for name in done.stdout.split('\0') if name and os.path.exists(f'{TOP}/{name}')]
    check(len(names) > 500, f'{len(names)} files')
    return names


# What the fuzzers begin with is bytes as strangers send them, pictures among them; no more than that.
CORPUS, CORPUS_MOST = 'tests/fuzz/corpus/', 65536
PROGRAMS = (b'\x7fELF', b'MZ', b'\xca\xfe\xba\xbe', b'!<arch>', b'SQLite format 3', b'PGDMP')


@test
def hole_28_no_program_and_no_database_in_the_repository():
    bad = re.compile(r'\.(a|o|so|exe|deb|db|sqlite3?|dump|pem|key|p12|pfx|crt|gz|xz|zip|tar|jar|log)$')
    for name in tracked():
        check(not bad.search(name), f'{name} does not belong into a repository')
        with open(f'{TOP}/{name}', 'rb') as file:
            data = file.read()
        if name.startswith(CORPUS):
            check(len(data) <= CORPUS_MOST, f'{name}: too large for what a fuzzer begins with')
            check(not data.startswith(PROGRAMS), f'{name} is a program or a database')
        else:
            check(b'\0' not in data, f'{name} is no text')


@test
def hole_28_no_secret_in_the_repository():
    anywhere = re.compile(r'-----BEGIN [A-Z ]*PRIVATE KEY-----\s*\n|\bsk_live_[0-9A-Za-z]{8}|\bAKIA[0-9A-Z]{16}\b')
    # What the simulator and the tests know is no secret of anybody.
    outside_tests = re.compile(r'\bsk_test_[0-9A-Za-z]{8}|\bwhsec_[0-9A-Za-z+/]{8}|\b[0-9a-fA-F]{48,}\b')
    secrets = [name for name, (secret, _) in table().items() if secret]
    places = [name for name in secrets if name.endswith(('_URL', '_ADDRESS'))]    # secret if with a password
    keys = '|'.join(name for name in secrets if name not in places)
    assigned = re.compile(rf'^[^#\n]*\b(?:(?:{keys})=["\']?[0-9A-Za-z+/_.:@-]{{12,}}|'
                          rf'(?:{"|".join(places)})=\S*[0-9A-Za-z+/_-]{{16,}}@)', re.M)
    for name in tracked():
        with open(f'{TOP}/{name}', encoding='utf-8', errors='replace' if name.startswith(CORPUS) else 'strict') as file:
            text = file.read()
        found = anywhere.search(text)
        check(not found, f'{name}: {found and found.group()[:20]}')
        if name.startswith('tests/') or name.endswith('package-lock.json'):
            continue
        found = outside_tests.search(text) or assigned.search(text)
        check(not found, f'{name}: {found and found.group()[:20]}')


def main():
    print(f'1..{len(tests)}')
    failed = 0
    for number, function in enumerate(tests, 1):
        try:
            function()
            print(f'ok {number} - {function.__name__}')
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            failed += 1
            for line in str(error).splitlines():
                print(f'# {line}')
            print(f'not ok {number} - {function.__name__}')
    return 1 if failed else 0


sys.exit(main())
