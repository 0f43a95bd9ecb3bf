-- Which address and which number have answered a code. A change of either begins anew.
ALTER TABLE accounts
    ADD COLUMN email_verified_at timestamptz,
    ADD COLUMN phone_verified_at timestamptz,
    -- Since when it is his; null: since the account was made.
    ADD COLUMN email_set_at timestamptz,
    ADD COLUMN phone_set_at timestamptz,
    -- A hash that libcrypt cannot read would never match, and be refused faster than others.
    ADD CONSTRAINT accounts_password_hash_readable CHECK (password_hash ~
        '^\$(y\$[./A-Za-z0-9]+\$[./A-Za-z0-9]{1,86}\$[./A-Za-z0-9]{43}|2[aby]\$[0-3][0-9]\$[./A-Za-z0-9]{53})$'),
    -- How a password is hashed: "$y$j9T$" (yescrypt and its cost), "$2b$10$" (bcrypt and its cost; $2a$ and
    -- $2y$ are the same work). Every sign-in does the same work, one hash of each scheme in use
    -- (shop/accounts/signin.c).
    ADD COLUMN password_scheme text NOT NULL GENERATED ALWAYS AS
        (regexp_replace(substring(password_hash from '^\$(?:y\$[^$]+|2[aby]\$[0-9][0-9])\$'), '^\$2[ay]', '$2b')) STORED,
    -- The line of a file that it came from, by its SHA-256 (sokoctl user import): a line makes one account.
    ADD COLUMN imported_line bytea CONSTRAINT accounts_imported_line_key UNIQUE CHECK (length(imported_line) = 32);
CREATE INDEX accounts_by_scheme ON accounts (password_scheme);

-- Whether it was opened with a second factor.
ALTER TABLE sessions ADD COLUMN second_factor boolean NOT NULL DEFAULT false;
CREATE INDEX refresh_tokens_age ON refresh_tokens (issued_at);

-- Tries at a name (sign-in, reset), known or not: when each of the last hour was made. By a MAC of what
-- and whose, so that a list of names cannot be read off it.
CREATE TABLE tries (
    bucket  bytea PRIMARY KEY CHECK (length(bucket) = 32),
    made_at timestamptz[] NOT NULL,
    over_at timestamptz NOT NULL  -- when the last of them counts no more
);
CREATE INDEX tries_age ON tries (over_at);

-- From where an account was signed in. IPv6 by its network (/64).
CREATE TABLE known_addresses (
    account_id   uuid NOT NULL REFERENCES accounts,
    network      text NOT NULL,
    last_used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, network)
);
CREATE INDEX known_addresses_age ON known_addresses (last_used_at);

-- One-time codes, by their MAC: six digits have no other secret. One of a purpose an account; a new one
-- takes the place of the old. `sent` and `sent_since` count for the limit.
CREATE TABLE one_time_codes (
    account_id uuid NOT NULL REFERENCES accounts,
    purpose    text NOT NULL CHECK (purpose IN ('verify_phone', 'verify_email', 'reset_password')),
    target     text NOT NULL,  -- the number or address that it was sent to
    code_mac   bytea NOT NULL CHECK (length(code_mac) = 32),
    tries      integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    sent       integer NOT NULL DEFAULT 1,
    sent_since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, purpose)
);

-- Who forgot a password: written for every name alike, so that an answer's time tells nothing; soko-jobs
-- looks whether there is such an account, and deletes the row.
CREATE TABLE forgotten_passwords (
    id         uuid PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('email', 'phone', 'username')),
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Second factors: TOTP (RFC 6238). The secret is sealed by DATA_KEY. last_step: the time step of the last code
-- that was taken; no code is taken twice.
CREATE TABLE second_factors (
    account_id   uuid PRIMARY KEY REFERENCES accounts,
    secret       bytea NOT NULL,
    last_step    bigint NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now(),
    confirmed_at timestamptz    -- null: shown, but not yet proved
);
CREATE TABLE recovery_codes (
    account_id uuid NOT NULL REFERENCES second_factors ON DELETE CASCADE,
    code_mac   bytea NOT NULL CHECK (length(code_mac) = 32),
    used_at    timestamptz,
    PRIMARY KEY (account_id, code_mac)
);

-- Keys of machine clients, by their SHA-256 (they are 256 random bits). `hint`: the last characters.
CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    account_id   uuid NOT NULL REFERENCES accounts,
    name         text NOT NULL CHECK (name <> ''),
    role         text NOT NULL CHECK (role IN ('buyer', 'seller', 'admin')),
    scope        text NOT NULL CHECK (scope IN ('read', 'write')),
    key_hash     bytea NOT NULL UNIQUE CHECK (length(key_hash) = 32),
    hint         text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    expires_at   timestamptz,
    revoked_at   timestamptz
);
CREATE INDEX api_keys_of_account ON api_keys (account_id, created_at DESC) WHERE revoked_at IS NULL;
CREATE INDEX api_keys_age ON api_keys (least(revoked_at, expires_at));

-- TOKEN_ISSUER=oauth2: the tokens of the OAuth2 server that sessions were given, by their SHA-256. The token
-- itself is sealed by DATA_KEY, since revoking it takes it. A session has one that has not ended.
CREATE TABLE external_tokens (
    id         uuid PRIMARY KEY,
    session_id uuid REFERENCES sessions ON DELETE CASCADE, -- null: it was obtained, and then not needed
    token_hash bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    sealed     bytea NOT NULL,
    issued_at  timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz,  -- for us; from then on it opens nothing
    revoked_at timestamptz,  -- at the server
    CHECK (session_id IS NOT NULL OR ended_at IS NOT NULL)
);
CREATE INDEX external_tokens_age ON external_tokens (expires_at);
CREATE INDEX external_tokens_to_remove ON external_tokens (session_id); -- with their session
CREATE UNIQUE INDEX external_tokens_of_session ON external_tokens (session_id) WHERE ended_at IS NULL;
