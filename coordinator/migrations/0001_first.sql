-- Numbers that may pass 2^63 are TEXT. Times are Unix seconds. Documents are the JSON that was signed.
CREATE TABLE agents (
    id TEXT PRIMARY KEY NOT NULL,
    epoch INTEGER NOT NULL,
    enrolment TEXT NOT NULL,
    aux TEXT,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE freezes (
    agent TEXT PRIMARY KEY NOT NULL REFERENCES agents (id),
    epoch INTEGER NOT NULL,
    document TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE policies (
    agent TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    installed_at INTEGER NOT NULL,
    PRIMARY KEY (agent, epoch)
) STRICT;

CREATE TABLE wallets (
    address TEXT PRIMARY KEY NOT NULL,
    agent TEXT NOT NULL REFERENCES agents (id),
    label TEXT NOT NULL,
    request TEXT NOT NULL UNIQUE,
    transcript TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX wallets_by_agent ON wallets (agent);

CREATE TABLE ceremonies (
    request TEXT PRIMARY KEY NOT NULL,
    agent TEXT NOT NULL REFERENCES agents (id),
    content_hash TEXT NOT NULL,
    document TEXT NOT NULL,
    status TEXT NOT NULL,
    wallet TEXT,
    detail TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE payments (
    id TEXT PRIMARY KEY NOT NULL,
    serial INTEGER NOT NULL UNIQUE,
    agent TEXT NOT NULL REFERENCES agents (id),
    wallet TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    envelope TEXT NOT NULL,
    status TEXT NOT NULL,
    version INTEGER NOT NULL,
    row TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX payments_by_agent ON payments (agent, serial);
CREATE INDEX payments_by_wallet ON payments (wallet, serial);
CREATE INDEX payments_open ON payments (status) WHERE status NOT IN ('refused', 'failed', 'settled', 'void');

CREATE TABLE payment_events (
    serial INTEGER PRIMARY KEY NOT NULL,
    payment TEXT NOT NULL REFERENCES payments (id),
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX payment_events_by_payment ON payment_events (payment, serial);
CREATE TRIGGER payment_events_stay BEFORE UPDATE ON payment_events
BEGIN SELECT RAISE(ABORT, 'payment events are append-only'); END;
CREATE TRIGGER payment_events_remain BEFORE DELETE ON payment_events
BEGIN SELECT RAISE(ABORT, 'payment events are append-only'); END;

CREATE TABLE account_nonces (
    wallet TEXT NOT NULL,
    chain TEXT NOT NULL,
    nonce TEXT NOT NULL,
    payment TEXT NOT NULL UNIQUE REFERENCES payments (id),
    UNIQUE (wallet, chain, nonce)
) STRICT;

CREATE TABLE nodes (
    id TEXT PRIMARY KEY NOT NULL,
    journal_rows TEXT,
    journal_head TEXT,
    last_heard_at INTEGER NOT NULL
) STRICT;
