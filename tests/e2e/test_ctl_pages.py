# flavours: check
"""Manual pages and completion know every command, option and setting, and those who read them find no fault."""
import os
import re
import subprocess

from owner import ctl
from soko import Suite, check, equal

suite = Suite()
PROGRAM = os.environ['SOKO_CTL'].split()[0]
ROOT = os.path.dirname(os.path.dirname(PROGRAM))
PAGES = {'sokoctl': '8', 'soko-api': '8', 'soko-jobs': '8', 'soko.conf': '5'}
HELP = ctl('--help')
USAGE, SETTINGS = HELP.split('\nSettings:\n')
COMMANDS = re.findall(r'^  ([a-z][a-z -]*?)(?: (?=[A-Z\[]|--|$))?((?:[A-Z\[]|--).*)?$', USAGE, re.M)
COMMANDS = [(words.strip(), takes) for words, takes in COMMANDS if words.strip()]
OPTIONS = sorted(set(re.findall(r'--[a-z-]+', USAGE)))
NAMES = re.findall(r'^  ([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)', SETTINGS, re.M)


def run(*words, stdin=None):
    return subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def read(page):
    """A page as people see it."""
    done = run('groff', '-man', '-Tutf8', '-P-cbou', '-rLL=1000n', '-K', 'utf-8', stdin=ctl('man', page))
    equal((done.returncode, done.stderr), (0, ''), page)
    return done.stdout


@suite.test
def the_help_was_read():
    check(len(COMMANDS) > 40 and ('migrate up', '') in COMMANDS and ('user show', 'WHO [--json]') in COMMANDS, COMMANDS)
    check(len(OPTIONS) > 30 and len(NAMES) > 80, 'options and settings')


@suite.test
def readers_find_no_fault():
    for page, section in PAGES.items():
        text = ctl('man', page)
        done = run('groff', '-man', '-Tutf8', '-ww', '-z', '-K', 'utf-8', stdin=text)
        equal((done.returncode, done.stdout + done.stderr), (0, ''), f'groff on {page}')
        done = run('mandoc', '-T', 'lint', '-W', 'warning', stdin=text)
        equal((done.returncode, done.stdout + done.stderr), (0, ''), f'mandoc on {page}')
        folder = os.path.join(ROOT, 'share', 'man', 'man' + section)
        with open(os.path.join(folder, f'{page}.{section}'), encoding='utf-8') as f:
            equal(f.read(), text, f'{page} is installed')
    check(run(PROGRAM, 'man', 'nonsense').returncode == 64, 'no such page')


@suite.test
def a_reader_that_finds_faults_says_so():
    """Else the test above would find none in anything."""
    bad = '.TH x 8\n.XX nonsense\n\\fZtext\n'
    check(run('groff', '-man', '-Tutf8', '-ww', '-z', stdin=bad).stderr, 'groff')
    check(run('mandoc', '-T', 'lint', '-W', 'warning', stdin=bad).returncode != 0, 'mandoc')


@suite.test
def every_command_option_and_setting_has_its_place():
    page = read('sokoctl')
    for words, takes in COMMANDS:
        line = f'{words} {takes}'.strip()
        check(re.search(rf'^ +{re.escape(line)}$', page, re.M), f'sokoctl(8) has: {line}')
    for option in OPTIONS:
        check(re.search(rf'^ +{option}( |$)', page, re.M), f'sokoctl(8) explains {option}')
    page = read('soko.conf')
    for name in NAMES:
        check(re.search(rf'^ +{name}( |$)', page, re.M), f'soko.conf(5) has {name}')
    check('STATEMENT_TIMEOUT (1ms to 1h)' in page and 'Default: 5s.' in page, 'range and default')
    equal(len(re.findall(r'^ +[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?: |$)', page, re.M)), len(NAMES), 'and no other')
    for program in ('soko-api', 'soko-jobs'):
        said = run(os.path.join(ROOT, 'libexec', 'soko', program), '--help').stdout
        page = read(program)
        options = set(re.findall(r'^  (--[a-z-]+)', said, re.M))
        check(options, f'{program} has options')
        for option in options:
            check(re.search(rf'^ +{option}( |$)', page, re.M), f'{program}(8) explains {option}')


SCRIPT = os.path.join(ROOT, 'share', 'bash-completion', 'completions', 'sokoctl')


def complete(*words, folder='/'):
    """What bash offers for the last word; the command line as bash splits it."""
    said = run('bash', '--norc', '-c', f'cd {folder} && source {SCRIPT} && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && '
               '"$(complete -p sokoctl | sed "s/.*-F \\([^ ]*\\) .*/\\1/")" && printf "%s\\n" "${COMPREPLY[@]}"',
               'bash', 'sokoctl', *words)
    equal((said.returncode, said.stderr), (0, ''), f'{words}')
    return sorted(said.stdout.split())


@suite.test
def bash_completes_commands():
    with open(SCRIPT, encoding='utf-8') as f:
        equal(f.read(), ctl('completion', 'bash'), 'it is installed')
    equal(complete(''), sorted({words.split()[0] for words, _ in COMMANDS}), 'first words')
    for words, _ in COMMANDS:
        *before, last = words.split()
        check(last in complete(*before, last), f'{words}, whole')
        check(last in complete(*before, ''), f'{words}, from nothing')
    equal(complete('outbox', ''), ['drop', 'list', 'retry'], 'second words')
    equal(complete('outb'), ['outbox'], 'a beginning')
    check('example' in complete('config', 'ex') and 'SMTP_URL' in complete('config', 'SMTP_'), 'a command and a prefix')


@suite.test
def bash_completes_the_options_of_the_command():
    for words, takes in COMMANDS:
        own = set(re.findall(r'--[a-z-]+', takes)) | {'--config', '--help', '--version'}
        equal(complete(*words.split(), '--'), sorted(own), words)
    equal(complete('user', 'list', '--js'), ['--json'], 'a beginning')
    equal(complete('--config', '/some/file', 'user', 'sho'), ['show'], 'the value of an option is no command')


@suite.test
def bash_completes_values_and_files():
    equal(complete('user', 'create', '--role', ''), ['admin', 'buyer'], 'words')
    equal(complete('user', 'list', '--role', ''), ['admin', 'buyer', 'seller'], 'of this command')
    equal(complete('user', 'list', '--role', '=', 's'), ['seller'], 'behind =')
    equal(complete('user', 'list', '--search', ''), [], 'anything may stand here')
    equal(complete('user', 'show', ''), [], 'and here')
    for words in (['--config', 'host'], ['product', 'import', 'host'], ['user', 'import', 'x', '--refused', 'host']):
        check('hosts' in complete(*words, folder='/etc'), f'{words}: files')
    equal(complete('audit', 'verify', '--head', 'host', folder='/etc'), [], 'no files where none are meant')


suite.main()
