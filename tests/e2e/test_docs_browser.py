# flavours: check
"""The documentation in a real browser: the reference's console calls this very shop."""
import json
import os

from browser import Browser, base
from soko import Suite, check, equal, until

suite = Suite()
PAGES = os.path.join(os.path.dirname(__file__), '..', '..', 'nginx', 'docs')


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
        for page in sorted(p for p in os.listdir(PAGES) if p.endswith('.html') and p != 'reference.html'):
            browser.open(f'{base}/docs/{page}')
            check(browser.text('h1'), f'{page}: no heading')
            links = browser.script('return [...document.links].map(a => a.href)')
            broken = [a for a in links if browser.script(
                'return fetch(arguments[0]).then(r => r.status)', a) != 200]
            equal(broken, [], f'{page}: broken links')
            equal(browser.elsewhere(), [], f'{page}: loaded from elsewhere')
            equal(browser.complaints(), [], f'{page}: the console')
        browser.open(f'{base}/docs/quickstart.html')
        check(base in browser.text('main'), 'the quick start names another shop')


suite.main()
