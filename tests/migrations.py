#!/usr/bin/env python3
"""Migrations that are safe beside the old version: the rules of sql/schema/README, as far as a program can
read them off a file. TAP on standard output. Files up to 0023 are of a time before there was an old version.

First the reader is tried: each of a list of migrations that would stop a shop must be found, and none of a
list of harmless ones.
"""
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
SCHEMA = os.path.join(ROOT, 'sql', 'schema')
FIRST = 24
BARE = '-- no transaction'
CONTRACT = re.compile(r'^-- contract: \S+ \S+', re.M)
VOLATILE = r'(gen_random_uuid|uuid_generate_v\d|random|clock_timestamp|timeofday|nextval)\s*\('


def bare(text):
    """Without comments, and with strings and quoted bodies emptied."""
    return re.sub(r"\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/",
                  lambda m: ' ' if m[0][0] in '-/' else "''", text, flags=re.S)


def statements(text):
    """One by one, in small letters; the body of a BEGIN ATOMIC is part of its function."""
    flat = re.sub(r'\s+', ' ', bare(text).lower())
    flat = re.sub(r'begin atomic .*? end(?= ?;)', '', flat)
    return [s.strip() for s in flat.split(';') if s.strip()]


def parts(actions):
    """The actions of an ALTER TABLE: split at commas that stand in no brackets."""
    depth, start, found = 0, 0, []
    for i, c in enumerate(actions):
        depth += (c == '(') - (c == ')')
        if c == ',' and depth == 0:
            found.append(actions[start:i].strip())
            start = i + 1
    return found + [actions[start:].strip()]


def faults_of_action(action):
    """What is wrong with one action on a table that is not new."""
    if re.match(r'drop (?!constraint\b)', action):
        yield 'drops what the old version may use'
    if re.match(r'alter (column )?\S+ drop (default|expression|identity)', action):
        yield 'takes a default away that the old version may count on'
    if action.startswith('rename'):
        yield 'renames what the old version may use'
    if re.match(r'alter (column )?\S+ (set data )?type\b', action):
        yield 'changes a type'
    if re.match(r'alter (column )?\S+ set not null', action):
        yield 'reads the whole table for SET NOT NULL, and refuses what the old version writes'
    if re.match(r'add (constraint \S+ )?(check|foreign key)\b', action) and not action.endswith('not valid'):
        yield 'adds a constraint that is not NOT VALID'
    if re.match(r'add (constraint \S+ )?(unique|primary key|exclude)\b', action) and 'using index' not in action:
        yield 'builds an index under a lock'
    column = re.match(r'add (column )?(if not exists )?(?!constraint|check|foreign|unique|primary|exclude)', action)
    if column:
        yield from faults_of_column(action)
    if re.match(r'(set (logged|unlogged|tablespace|access method)|inherit|attach|detach|disable|cluster)\b', action):
        yield 'rewrites the table, or changes what it is'


def faults_of_column(action):
    default = ' default ' in action
    if ' not null' in action and not default:
        yield 'adds a column that the old version leaves null, and may not'
    if re.search(VOLATILE, action) or re.search(r'generated .* (stored|as identity)', action):
        yield 'rewrites the table for a new column'
    if re.search(r' (unique|primary key)\b', action):
        yield 'builds an index under a lock'
    if ' references ' in action:
        yield 'adds a foreign key that is not NOT VALID'
    if ' check ' in action or ' check(' in action:
        yield 'adds a check that is not NOT VALID'


def faults_of(statement, new, in_transaction):
    """What is wrong with a statement; `new` are the tables that its file makes."""
    table = re.match(r'alter table (?:if exists )?(?:only )?(\S+) (.*)', statement)
    index = re.match(r'create (?:unique )?index (concurrently )?.*?\bon (?:only )?([a-z_0-9.]+)', statement)
    if table and table[1] not in new:
        for action in parts(table[2]):
            yield from faults_of_action(action)
    if index and index[2] not in new and not index[1]:
        yield 'builds an index under a lock: CONCURRENTLY, in a file that begins with ' + BARE
    if re.match(r'drop (table|view|materialized|function|procedure|type|domain|schema|sequence|trigger|rule|policy|extension)\b',
                statement) or (statement.startswith('drop index') and in_transaction):
        yield 'drops what the old version may use'
    if re.match(r'alter (view|function|sequence|type|index|schema|domain) .* rename|alter .* rename to', statement):
        yield 'renames what the old version may use'
    if re.match(r'(truncate|lock|cluster|vacuum full|reindex(?!.*concurrently))\b', statement):
        yield 'locks a table against all others'
    write = re.match(r'(?:update(?: only)?|delete from(?: only)?) ([a-z_0-9.]+)', statement)
    if write and write[1] not in new:
        yield 'moves rows of a table that is in use'
    revoke = re.match(r'revoke .* from .*soko_app', statement)
    if revoke and not any(re.search(rf'\b{re.escape(t)}\b', statement) for t in new):
        yield 'takes a right that the old version may need'
    if not in_transaction and not re.match(r'(create (unique )?index concurrently|drop index concurrently if exists'
                                           r'|reindex .*concurrently|alter table .* validate constraint)', statement):
        yield f'does not belong into a file that begins with {BARE}'
    if in_transaction and 'concurrently' in statement:
        yield f'needs a file that begins with {BARE}'


def read(text):
    """The faults of a file's text."""
    if CONTRACT.search(text):
        return []
    in_transaction = not text.startswith(BARE + '\n')
    all_of_it = statements(text)
    new = {m[1] for s in all_of_it
           for m in [re.match(r'create (?:unlogged )?table (?:if not exists )?([a-z_0-9.]+)', s)] if m}
    return [f'{why}: {s[:90]}' for s in all_of_it for why in faults_of(s, new, in_transaction)]


BAD = [
    'DROP TABLE orders;',
    'ALTER TABLE orders DROP COLUMN notes;',
    'ALTER TABLE orders DROP notes;',
    'ALTER TABLE orders RENAME COLUMN notes TO remarks;',
    'ALTER TABLE orders RENAME TO sales;',
    'ALTER TABLE orders ALTER COLUMN total_amount TYPE numeric;',
    'ALTER TABLE orders ALTER total_amount SET DATA TYPE numeric;',
    'ALTER TABLE orders ALTER COLUMN notes SET NOT NULL;',
    'ALTER TABLE orders ALTER COLUMN notes DROP DEFAULT;',
    'ALTER TABLE orders ADD COLUMN channel text NOT NULL;',
    'ALTER TABLE orders ADD channel text NOT NULL;',
    'ALTER TABLE orders ADD COLUMN a int, ADD COLUMN b numeric(10, 2) NOT NULL;',
    'ALTER TABLE orders ADD COLUMN n uuid DEFAULT gen_random_uuid();',
    'ALTER TABLE orders ADD COLUMN n text GENERATED ALWAYS AS (upper(notes)) STORED;',
    'ALTER TABLE orders ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY;',
    'ALTER TABLE orders ADD COLUMN n int UNIQUE;',
    'ALTER TABLE orders ADD COLUMN n int CHECK (n > 0);',
    'ALTER TABLE orders ADD COLUMN store uuid REFERENCES stores;',
    'ALTER TABLE orders ADD CONSTRAINT c CHECK (total_amount > 0);',
    'ALTER TABLE orders ADD FOREIGN KEY (account_id) REFERENCES accounts;',
    'ALTER TABLE orders ADD CONSTRAINT u UNIQUE (order_number);',
    'ALTER TABLE orders SET UNLOGGED;',
    'CREATE INDEX i ON orders (notes);',
    'CREATE UNIQUE INDEX ON ONLY orders (notes);',
    'CREATE INDEX CONCURRENTLY i ON orders (notes);',
    'DROP INDEX orders_due;',
    'DROP VIEW product_view;',
    'DROP FUNCTION money_text(bigint, text);',
    'DROP TRIGGER audit_log_stays ON audit_log;',
    'UPDATE orders SET notes = \'\';',
    'DELETE FROM orders;',
    'TRUNCATE outbox;',
    'LOCK TABLE orders;',
    'REVOKE UPDATE ON orders FROM soko_app;',
    'CREATE TABLE a (n int);\nALTER TABLE orders DROP COLUMN notes;',
    BARE + '\nALTER TABLE orders ADD COLUMN n int;',
    BARE + '\nCREATE INDEX i ON orders (notes);',
    '-- contract:\nDROP TABLE orders;',
    '/* -- contract: hidden away */ DROP TABLE orders;',
]
GOOD = [
    'CREATE TABLE a (n int PRIMARY KEY, o uuid NOT NULL REFERENCES orders);\nCREATE INDEX i ON a (o);\n'
    'ALTER TABLE a ADD CHECK (n > 0);\nREVOKE DELETE ON a FROM soko_app;\nINSERT INTO a VALUES (1);\nUPDATE a SET n = 2;',
    'ALTER TABLE orders ADD COLUMN n int;',
    "ALTER TABLE orders ADD COLUMN n text NOT NULL DEFAULT 'x', ADD COLUMN m timestamptz DEFAULT now();",
    'ALTER TABLE orders ADD CONSTRAINT c CHECK (n > 0) NOT VALID;',
    'ALTER TABLE orders VALIDATE CONSTRAINT c;',
    'ALTER TABLE orders DROP CONSTRAINT c;',
    'ALTER TABLE orders ALTER COLUMN notes DROP NOT NULL;',
    'ALTER TABLE orders ADD CONSTRAINT u UNIQUE USING INDEX i;',
    BARE + '\nDROP INDEX CONCURRENTLY IF EXISTS i;\nCREATE INDEX CONCURRENTLY i ON orders (notes);',
    '-- contract: no program since 0024 reads it\nALTER TABLE orders DROP COLUMN notes;',
    "-- we do not DROP TABLE orders\nCOMMENT ON TABLE orders IS 'never DROP TABLE orders; please';",
    'CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC\n    UPDATE orders SET notes = notes; SELECT 1;\nEND;',
    'CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM orders; RETURN NULL; END $$;',
]


def main():
    """A line a sample, then a line a file."""
    lines, failed = 0, False

    def tell(good, name, found=()):
        nonlocal lines, failed
        lines += 1
        failed = failed or not good
        for f in found:
            print(f'# {f}')
        print(f'{"ok" if good else "not ok"} {lines} - {name}')

    for text in BAD:
        tell(bool(read(text)), 'found: ' + ' '.join(text.split()))
    for text in GOOD:
        tell(not read(text), 'harmless: ' + ' '.join(text.split()), read(text))
    names = sorted(n for n in os.listdir(SCHEMA) if n.endswith('.up.sql'))
    tell([int(n[:4]) for n in names] == list(range(len(names))), 'no number is missing, none is there twice')
    for name in names:
        tell(os.path.exists(os.path.join(SCHEMA, name.replace('.up.', '.down.'))), f'{name} has its way back')
        if int(name[:4]) < FIRST:
            continue
        with open(os.path.join(SCHEMA, name), encoding='utf-8') as f:
            found = read(f.read())
        tell(not found, f'{name} is safe beside the old version', found)
    print(f'1..{lines}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
