"""ASVS.md names what there is: each requirement of level 2 once, each file and each test that it points to. TAP."""
import os
import re
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
LEVEL_2 = 259  # requirements of ASVS 4.0.3 that are of level 1 or 2
STATES = ('met', 'n/a', 'site', 'open')


def rows(text):
    for line in text.splitlines():
        cells = [c.strip() for c in line.strip('|').split('|')]
        if re.fullmatch(r'V\d+\.\d+\.\d+', cells[0]):
            yield cells


def faults_of_rows(found):
    numbers = [cells[0] for cells in found]
    if len(set(numbers)) != LEVEL_2 or len(numbers) != LEVEL_2:
        yield f'{len(numbers)} rows, {len(set(numbers))} numbers, not {LEVEL_2}'
    for cells in found:
        if len(cells) != 4 or cells[2] not in STATES or not cells[3]:
            yield f'{cells[0]}: a row is number, matter, one of {STATES}, and a reason'


def is_path(word):
    return re.fullmatch(r'[\w.@-]+(/[\w.@-]+)+', word) is not None


def names_test(path, word):
    with open(os.path.join(TOP, path), encoding='utf-8') as f:
        return re.search(rf'\b(test_)?{word}\b', f.read()) is not None


def faults_of_names(found):
    for cells in found:
        path = None
        for word in re.findall(r'`([^`]+)`', cells[3]):
            if is_path(word):
                path = word
                if not os.path.exists(os.path.join(TOP, path)):
                    yield f'{cells[0]}: there is no {path}'
                    path = None
            elif re.fullmatch(r'[a-z0-9_]+', word) and '_' in word:
                if path is not None and path.endswith('.py') and not names_test(path, word):
                    yield f'{cells[0]}: {path} has no {word}'


def main():
    with open(os.path.join(HERE, 'ASVS.md'), encoding='utf-8') as f:
        found = list(rows(f.read()))
    failed = False
    print('1..2')
    for n, (name, faults) in enumerate((('every requirement has its row', list(faults_of_rows(found))),
                                        ('every file and test exists', list(faults_of_names(found)))), 1):
        for fault in faults:
            print('#', fault)
        failed = failed or bool(faults)
        print(f'{"not ok" if faults else "ok"} {n} - asvs: {name}')
    states = [cells[2] for cells in found]
    print('#', ', '.join(f'{states.count(s)} {s}' for s in STATES))
    sys.exit(failed)


if __name__ == '__main__':
    main()
