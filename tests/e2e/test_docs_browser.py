"""The documentation in a real browser: the reference's console calls this very shop.

Chromium is driven by the W3C WebDriver protocol, which is JSON over HTTP; chromedriver is its server.
"""
import base64
import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
from urllib.parse import urlsplit

from soko import Failed, Suite, check, equal, until

suite = Suite()
base = os.environ['SOKO_BASE']
ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'

# A name that is not localhost resolves to nothing, so that whatever the pages would load from
# elsewhere fails, and says so.
FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage',
         '--no-first-run', '--no-proxy-server', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--disable-default-apps',
         '--ignore-certificate-errors', '--window-size=1280,1600',
         '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost']


class Browser:
    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix='soko-browser-')
        self.session = None
        self.driver = subprocess.Popen(['/usr/bin/chromedriver', '--port=0'], text=True,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       env={**os.environ, 'HOME': self.folder})
        try:
            for line in self.driver.stdout:
                said = re.search(r'started successfully on port (\d+)', line)
                if said:
                    break
            else:
                raise Failed('chromedriver did not start')
            self.http = http.client.HTTPConnection('127.0.0.1', int(said[1]), timeout=60)
            options = {'args': FLAGS + ['--user-data-dir=' + os.path.join(self.folder, 'profile')],
                       'binary': '/usr/bin/chromium'}
            self.session = self.call('POST', '/session', {'capabilities': {'alwaysMatch': {
                'browserName': 'chrome', 'acceptInsecureCerts': True,
                'goog:chromeOptions': options, 'goog:loggingPrefs': {'browser': 'ALL'}}}})['sessionId']
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            if self.session:
                self.do('DELETE', '')
        finally:
            self.driver.terminate()
            self.driver.wait(20)
            self.driver.stdout.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, path, body=None):
        self.http.request(method, path, json.dumps(body) if body is not None else None,
                          {'Content-Type': 'application/json'})
        r = self.http.getresponse()
        value = json.loads(r.read())['value']
        if r.status != 200:
            raise Failed(f'{method} {path}: {value["error"]}: {value["message"][:500]}')
        return value

    def do(self, method, path, body=None):
        return self.call(method, f'/session/{self.session}{path}', body)

    def open(self, url):
        self.do('POST', '/url', {'url': url})

    def find(self, css):
        """All elements that match."""
        found = self.do('POST', '/elements', {'using': 'css selector', 'value': css})
        return [e[ELEMENT] for e in found]

    def press(self, css):
        """Waits for the element, then presses it as a person would."""
        element = until(lambda: self.find(css), css)[0]
        self.do('POST', f'/element/{element}/click', {})

    def script(self, text, *args):
        return self.do('POST', '/execute/sync', {'script': text, 'args': list(args)})

    def text(self, css):
        return self.script('const e = document.querySelector(arguments[0]);'
                           'return e ? e.innerText : ""', css)

    def screenshot(self, path):
        with open(path, 'wb') as f:
            f.write(base64.b64decode(self.do('GET', '/screenshot')))

    def complaints(self):
        """What the browser's console holds: refused by the policy, not found, thrown."""
        return [e['message'] for e in self.do('POST', '/se/log', {'type': 'browser'})
                if e['level'] in ('SEVERE', 'WARNING')]

    def elsewhere(self):
        """What the page loaded, or tried to, from any other place than the shop."""
        names = self.script('return performance.getEntriesByType("resource").map(e => e.name)')
        return [n for n in names if urlsplit(n).scheme in ('http', 'https') and not n.startswith(base)]


def block_of(browser, path):
    """The CSS of GET `path` in the reference, once it is drawn."""
    return '#' + until(lambda: browser.script(
        'const block = [...document.querySelectorAll(".opblock-get")].find('
        '    b => b.querySelector("[data-path]")?.dataset.path === arguments[0]);'
        'return block ? block.id : null', path), f'GET {path} in the reference')


def execute(browser, path):
    """Tries GET `path` out in the console; gives the CSS of its block and of the live answer."""
    block = block_of(browser, path)
    browser.press(block + ' .opblock-summary-control')
    browser.press(block + ' .try-out__btn')
    browser.press(block + ' .execute')
    live = block + ' .live-responses-table .response'
    until(lambda: browser.text(live + ' .response-col_status').strip(), 'the live answer')
    return block, live


@suite.test
def test_the_console_calls_the_live_shop():
    with Browser() as browser:
        browser.open(base + '/docs/')
        browser.press('a[href="reference.html"]')
        try:
            block, live = execute(browser, '/api/v1/products')
            browser.script('document.querySelector(arguments[0]).scrollIntoView()', live)
        finally:
            browser.screenshot(os.path.join(os.environ['SOKO_STATE'], 'log', 'docs.png'))
        equal(browser.text(live + ' .response-col_status').split()[0], '200', 'status')
        shown = json.loads(browser.text(live + ' .response-col_description .highlight-code pre'))
        check(isinstance(shown['data'], list), 'data is a list')
        check(shown['meta']['request_id'], 'meta has an id')
        asked = browser.text(block + ' .request-url').strip()
        check(base + '/api/v1/products' in asked, f'asked {asked}')
        equal(browser.elsewhere(), [], 'loaded from elsewhere')
        equal(browser.complaints(), [], 'the console')


@suite.test
def test_the_console_sends_the_token_that_was_entered():
    with Browser() as browser:
        browser.open(base + '/docs/reference.html')
        browser.press('.auth-wrapper .authorize')
        field = until(lambda: browser.find('.auth-container input'), 'the field for the token')[0]
        browser.do('POST', f'/element/{field}/value', {'text': 'not-a-token'})
        browser.press('.auth-btn-wrapper .authorize')
        browser.press('.auth-btn-wrapper .btn-done')
        block, live = execute(browser, '/api/v1/cart')
        equal(browser.text(live + ' .response-col_status').split()[0], '401', 'status')
        curl = browser.text(block + ' .curl-command')
        check('Authorization: Bearer not-a-token' in curl, f'sent {curl}')


@suite.test
def test_the_pages_are_whole_and_need_nobody_else():
    with Browser() as browser:
        for page in ('', 'import.html', 'quickstart.html'):
            browser.open(f'{base}/docs/{page}')
            check(browser.text('h1'), f'{page}: no heading')
            links = browser.script('return [...document.links].map(a => a.href)')
            broken = [a for a in links if browser.script(
                'return fetch(arguments[0]).then(r => r.status)', a) != 200]
            equal(broken, [], f'{page}: broken links')
            equal(browser.elsewhere(), [], f'{page}: loaded from elsewhere')
            equal(browser.complaints(), [], f'{page}: the console')
        check(base in browser.text('main'), 'the quick start names another shop')


suite.main()
