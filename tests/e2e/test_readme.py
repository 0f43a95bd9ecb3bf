"""The README's first purchase, pasted as it stands (hole 45: documented commands that never worked)."""
import json
import os
import subprocess
import tempfile

from soko import Suite, check, equal

suite = Suite()
README = os.path.join(os.path.dirname(__file__), '..', '..', 'README.md')


def pasted(heading):
    """The indented lines below a heading."""
    with open(README, encoding='utf-8') as f:
        text = f.read().split(f'## {heading}\n', 1)[1].split('\n## ', 1)[0]
    return '\n'.join(line[4:] for line in text.splitlines() if line.startswith('    '))


@suite.test
def hole_45_the_documented_purchase_works_as_written():
    with tempfile.TemporaryDirectory() as clone:
        os.mkdir(os.path.join(clone, 'var'))
        os.symlink(os.environ['SOKO_STATE'], os.path.join(clone, 'var', 'up'))
        done = subprocess.run(['bash', '-euo', 'pipefail', '-c', pasted('A first purchase, by curl')],
                              cwd=clone, capture_output=True, text=True, timeout=60, check=False)
    equal((done.returncode, done.stderr), (0, ''), f'what the shell said; it printed {done.stdout}')
    decoder, text, answers = json.JSONDecoder(), done.stdout.strip(), []
    while text:
        answer, end = decoder.raw_decode(text)
        answers.append(answer)
        text = text[end:].lstrip()
    order = answers[-1]
    equal(order['total_amount'], '2240', 'two of the coffee')
    check(order['status'] in ('pending', 'paid'), 'it is on its way')


suite.main()
