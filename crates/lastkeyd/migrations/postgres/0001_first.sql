-- Times are seconds since 1970, UTC. Identifiers are UUIDs in lower case, key IDs and volume IDs in upper
-- case without braces. What is sealed opens only with keys that are not in here.

CREATE TABLE server (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- A person's place. The account's key is an age identity; here is only its public half.
CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    folded_name TEXT NOT NULL UNIQUE,
    recipient TEXT NOT NULL UNIQUE,
    mail TEXT,
    webhook TEXT,
    created BIGINT NOT NULL
);

-- What opens an account's key: a password, a passkey, the account code. `wrapped` is the identity, sealed
-- under what only the person has; a passkey that derives no key has none and only signs in.
CREATE TABLE openers (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('password', 'passkey', 'code')),
    name TEXT NOT NULL,
    salt BYTEA NOT NULL,
    wrapped BYTEA,
    -- Of a password: the secret of the one-time codes, sealed under it, and the last step that was used.
    totp BYTEA,
    totp_step BIGINT NOT NULL DEFAULT 0,
    -- Of a passkey.
    credential_id BYTEA UNIQUE,
    passkey TEXT,
    created BIGINT NOT NULL,
    used BIGINT
);
CREATE INDEX openers_by_account ON openers (account_id);

-- Of what a person carries only the SHA-256 is here.
CREATE TABLE sessions (
    id_hash BYTEA PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    opener_id TEXT NOT NULL,
    agent TEXT NOT NULL,
    created BIGINT NOT NULL,
    used BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX sessions_by_account ON sessions (account_id);

CREATE TABLE invitations (
    code_hash BYTEA PRIMARY KEY,
    expires BIGINT NOT NULL
);

-- What was asked of a passkey and is not answered yet.
CREATE TABLE ceremonies (
    id_hash BYTEA PRIMARY KEY,
    account_id TEXT,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    -- The address that asked; of IPv6 its /64.
    network TEXT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX ceremonies_by_network ON ceremonies (network);
CREATE INDEX ceremonies_by_end ON ceremonies (expires);

CREATE TABLE devices (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    public_key BYTEA NOT NULL UNIQUE,
    created BIGINT NOT NULL,
    seen BIGINT,
    revoked BIGINT
);
CREATE INDEX devices_by_account ON devices (account_id);

-- A device that waits for a person to confirm its short code.
CREATE TABLE device_logins (
    id TEXT PRIMARY KEY,
    code_hash BYTEA NOT NULL UNIQUE,
    name TEXT NOT NULL,
    public_key BYTEA NOT NULL,
    address TEXT NOT NULL,
    -- What those that wait are counted by: the address; of IPv6 its /64.
    network TEXT NOT NULL,
    device_id TEXT,
    refused BIGINT,
    -- How often it has asked how it stands.
    asked BIGINT NOT NULL DEFAULT 0,
    expires BIGINT NOT NULL
);

-- What devices have said once they cannot say again. A request that is said again has the same time: so the time can
-- come first, and what comes in goes in side by side.
CREATE TABLE nonces (
    expires BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    nonce BYTEA NOT NULL,
    PRIMARY KEY (expires, device_id, nonce)
);

-- To whom the account's records are sealed besides its own key: another account, or an age recipient.
CREATE TABLE recipients (
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    recipient TEXT NOT NULL,
    name TEXT NOT NULL,
    other_account_id TEXT,
    created BIGINT NOT NULL,
    -- What the owner's key says of the row (HMAC-SHA-256): who can write to the database cannot add one.
    vouched BYTEA,
    PRIMARY KEY (account_id, recipient)
);

-- `leaf` is the entry of the audit log by which the record came, `id` the SHA-256 of `sealed`. Nothing replaces a
-- record: a newer one of the same key stands beside it.
CREATE TABLE records (
    leaf BIGINT PRIMARY KEY,
    id BYTEA NOT NULL UNIQUE,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    device_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('recovery-key', 'external-key', 'snapshot')),
    volume_id TEXT NOT NULL,
    -- Null for a snapshot.
    key_id TEXT COLLATE "C",
    drive TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    proven BIGINT NOT NULL,
    uploaded BIGINT NOT NULL
);
-- What is sealed cannot be made smaller: do not try.
ALTER TABLE records ALTER COLUMN sealed SET STORAGE EXTERNAL;
CREATE INDEX records_by_volume ON records (account_id, volume_id);

-- Who can open a record. `account_id` is null for a recipient that has no account here. `key_id` is the record's: the
-- newest of each key is found without looking at the records.
CREATE TABLE record_recipients (
    leaf BIGINT NOT NULL REFERENCES records (leaf) ON DELETE CASCADE,
    recipient TEXT NOT NULL,
    account_id TEXT,
    key_id TEXT COLLATE "C",
    PRIMARY KEY (leaf, recipient)
);
CREATE INDEX record_recipients_by_key ON record_recipients (account_id, key_id, leaf);

-- What a device last said of each of its drives.
CREATE TABLE check_ins (
    device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    volume_id TEXT NOT NULL,
    drive TEXT NOT NULL,
    protection TEXT NOT NULL,
    key_ids TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (device_id, volume_id)
);
CREATE INDEX check_ins_by_volume ON check_ins (volume_id);

-- Failed tries, by what they were tried on: `account:HASH` of a name, which need not be anybody's (SHA-256 of its folded
-- form), `person:ID` of an account whose owner is signed in, `address:IP` (of IPv6 its /64). `since` is the last try.
CREATE TABLE attempts (
    bucket TEXT PRIMARY KEY,
    failures BIGINT NOT NULL,
    since BIGINT NOT NULL
);
CREATE INDEX attempts_by_age ON attempts (since);

-- What is to be told to owners, by mail or webhook. It outlives the account: that it was deleted is told too.
CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    target TEXT NOT NULL,
    body TEXT NOT NULL,
    created BIGINT NOT NULL,
    tries BIGINT NOT NULL DEFAULT 0,
    due BIGINT NOT NULL
);
CREATE INDEX outbox_by_due ON outbox (due);
CREATE INDEX outbox_by_account ON outbox (account_id, due, id);

-- The audit log: the leaves of a Merkle tree. `body` is what is hashed, the other columns are copies out of it to
-- search by. An erased entry keeps its hash in `audit_nodes`.
CREATE TABLE audit_entries (
    leaf BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    act TEXT NOT NULL,
    account_id TEXT,
    device_id TEXT,
    record_id BYTEA,
    body TEXT
);
CREATE INDEX audit_by_account ON audit_entries (account_id, leaf);
-- The entry by which a record came is found by the record's leaf.
CREATE INDEX audit_by_record ON audit_entries (record_id, leaf) WHERE act NOT IN ('record.add', 'record.reseal');

-- Hashes of complete subtrees: level 0 are the leaves.
CREATE TABLE audit_nodes (
    level BIGINT NOT NULL,
    place BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (level, place)
);

-- `checkpoint` is signed: who has the database but not the key cannot write another history.
CREATE TABLE audit_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    size BIGINT NOT NULL,
    checkpoint TEXT
);
INSERT INTO audit_head (id, size) VALUES (1, 0);
