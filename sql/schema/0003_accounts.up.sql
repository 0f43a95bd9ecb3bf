-- Who there is. E-mail and username are kept in lower case, phones in E.164: each is unique as it
-- stands.
CREATE TABLE accounts (
    id            uuid PRIMARY KEY,
    name          text NOT NULL CHECK (name <> ''),
    email         text CONSTRAINT accounts_email_key UNIQUE CHECK (email = lower(email)),
    phone         text CONSTRAINT accounts_phone_key UNIQUE CHECK (phone ~ '^\+[1-9][0-9]{7,14}$'),
    username      text CONSTRAINT accounts_username_key UNIQUE CHECK (username = lower(username)),
    password_hash text NOT NULL,
    is_active     boolean NOT NULL DEFAULT true,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_reachable CHECK (coalesce(email, phone, username) IS NOT NULL)
);

CREATE TABLE account_roles (
    account_id uuid NOT NULL REFERENCES accounts,
    role       text NOT NULL CHECK (role IN ('buyer', 'seller', 'admin')),
    granted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, role)
);

-- A session is this row; Redis holds a copy. It acts in one of the account's roles.
CREATE TABLE sessions (
    id           uuid PRIMARY KEY,
    account_id   uuid NOT NULL REFERENCES accounts,
    role         text NOT NULL CHECK (role IN ('buyer', 'seller', 'admin')),
    user_agent   text NOT NULL,
    address      text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    end_reason   text,
    CONSTRAINT sessions_end_has_reason CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE INDEX sessions_of_account ON sessions (account_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_age ON sessions (expires_at);

-- Refresh tokens by their SHA-256. All tokens of a session are a family: using one that was rotated
-- away ends it.
CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    issued_at  timestamptz NOT NULL DEFAULT now(),
    rotated_at timestamptz
);
CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session_id);
