#!/usr/bin/python3
"""What the time of a sign-in tells about an account: `./dev bench signin`.

Four names in turns: one that nobody has, and accounts whose hashes are yescrypt of PASSWORD_COST, bcrypt of cost
10 and bcrypt of cost 12, each with a wrong password. All of them pay for one hash of each scheme. The figures are
medians, and their ratio to that of the unknown name, which is to be within 0.95 and 1.05.
"""
import crypt
import http.client
import json
import os
import secrets
import statistics
import sys
import time

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e')]
from owner import ctl, sql  # noqa: E402
from soko import Shop  # noqa: E402

ROUNDS = 200
LOW, HIGH = 0.95, 1.05

shop = Shop()


def account(cost=None):
    """The address of a new account, whose hash is bcrypt's if it has a cost."""
    who = shop.sign_up()
    if cost is not None:
        sql("UPDATE accounts SET password_hash = :'hash' WHERE email = :'email'", email=who['email'],
            hash=crypt.crypt(who['password'], f'$2b${cost}$abcdefghijklmnopqrstu.'))
    return who['email']


def measure(email, password):
    """Seconds of one sign-in, over a connection that is open."""
    body = json.dumps({'email': email, 'password': password}).encode()
    c = shop._connection()
    began = time.perf_counter()
    c.request('POST', '/api/v1/auth/login', body, {'Content-Type': 'application/json'})
    r = c.getresponse()
    r.read()
    taken = time.perf_counter() - began
    if r.status != 401:
        raise SystemExit(f'a wrong password was answered by {r.status}')
    return taken


def main():
    names = {
        'unknown name': lambda: f'{secrets.token_hex(12)}@example.com',
        'yescrypt, wrong password': (lambda email: lambda: email)(account()),
        'bcrypt 10, wrong password': (lambda email: lambda: email)(account(10)),
        'bcrypt 12, wrong password': (lambda email: lambda: email)(account(12)),
    }
    times = {name: [] for name in names}
    order = list(names)
    for i in range(ROUNDS + 3):  # the first three warm up
        for k in range(len(order)):
            name = order[(i + k) % len(order)]
            try:
                taken = measure(names[name](), secrets.token_urlsafe(12))
            except (http.client.HTTPException, ConnectionError):  # nginx ends a connection now and then
                shop._connection(fresh=True)
                taken = measure(names[name](), secrets.token_urlsafe(12))
            if i >= 3:
                times[name].append(taken)
    unknown = statistics.median(times['unknown name'])
    good = True
    schemes = ' '.join(r[0] for r in sql('SELECT DISTINCT password_scheme FROM accounts ORDER BY 1'))
    print(f'{ROUNDS} sign-ins each, PASSWORD_COST={ctl("config", "PASSWORD_COST").strip()}, schemes in use: {schemes}')
    print(f'{"":28} {"median ms":>10} {"lower q.":>10} {"upper q.":>10} {"ratio":>7}')
    for name, seconds in times.items():
        low, median, high = statistics.quantiles(seconds, n=4)
        ratio = median / unknown
        good = good and LOW <= ratio <= HIGH
        print(f'{name:28} {median * 1000:10.2f} {low * 1000:10.2f} {high * 1000:10.2f} {ratio:7.3f}')
    print(f'target: {LOW} to {HIGH}: {"met" if good else "MISSED"}')
    sys.exit(0 if good else 1)


main()
