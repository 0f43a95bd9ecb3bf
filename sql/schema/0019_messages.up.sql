-- What is told to people. Written with its cause, sent later by soko-jobs; a message that cannot be sent
-- is a row here, and nothing else.
CREATE TABLE messages (
    id           uuid PRIMARY KEY,
    account_id   uuid NOT NULL REFERENCES accounts,
    channel      text NOT NULL CHECK (channel IN ('sms', 'email')),
    template     text NOT NULL,  -- a file's stem in MESSAGES_DIR
    recipient    text NOT NULL,  -- E.164, or an e-mail address: as it was when the message was written
    params       json NOT NULL,  -- what the template's @NAME@s stand for
    status       text NOT NULL DEFAULT 'queued' CHECK (status IN
                     ('queued', 'sending', 'sent', 'delivered', 'failed', 'off')), -- off: this channel is not configured
    unsure       integer NOT NULL DEFAULT 0 CHECK (unsure >= 0), -- how often it may have been sent without our knowing
    provider_ref text,           -- Africa's Talking's messageId
    failure      text,           -- the provider's code, or "unknown": nobody knows whether it was sent
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX messages_of_account ON messages (account_id, created_at DESC);
CREATE INDEX messages_by_ref ON messages (provider_ref) WHERE provider_ref IS NOT NULL;
