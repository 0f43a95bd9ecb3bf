"""A real browser for tests of pages. Chromium is driven by the W3C WebDriver protocol, which is JSON over
HTTP; chromedriver is its server.
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

from soko import Failed, until

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
