"""One load by wrk, and its figures."""
import json
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def load(base, method, path, body=None, token=None, clients=8, seconds=3):
    """Sends one request again and again. Gives requests a second, and what was refused or broken."""
    words = {'BENCH_METHOD': method, 'BENCH_PATH': path, 'BENCH_TOKEN': token or '',
             'BENCH_BODY': json.dumps(body) if body is not None else ''}
    done = subprocess.run(['wrk', '-t', '1', '-c', str(clients), '-d', f'{seconds}s', '-s',
                           os.path.join(HERE, 'wrk.lua'), base], env={**os.environ, **words},
                          stdout=subprocess.PIPE, timeout=seconds + 60, check=True, text=True)
    line = next(l for l in done.stdout.splitlines() if l.startswith('BENCH '))
    figures = json.loads(line.removeprefix('BENCH '))
    figures['rate'] = figures['requests'] * 1e6 / figures['microseconds']
    return figures
