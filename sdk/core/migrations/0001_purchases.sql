-- What this wallet began to pay for. A row is written before anything is signed and is never
-- deleted. It holds no signature and no header: those are bearer instruments.
CREATE TABLE purchase (
    intent        TEXT PRIMARY KEY,              -- 64 hexadecimal digits
    request_key   TEXT NOT NULL,                 -- SHA-256 over method, URL and body
    method        TEXT NOT NULL,
    url           TEXT NOT NULL,
    body_sha256   TEXT NOT NULL,
    service       TEXT NOT NULL,
    chain         TEXT NOT NULL,                 -- CAIP-2
    payee         TEXT NOT NULL,
    document      TEXT NOT NULL,                 -- the intent, JSON
    requirement   TEXT NOT NULL,                 -- what the merchant wrote, to the byte
    resource      TEXT,                          -- likewise
    nonce         TEXT NOT NULL,                 -- EIP-3009
    state         TEXT NOT NULL,
    header_sha256 TEXT,                          -- of the last header sent
    status        INTEGER,                       -- of the last HTTP answer to a payment
    receipt       TEXT,                          -- JSON
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX purchase_by_request ON purchase (request_key, created_at);
CREATE INDEX purchase_by_service ON purchase (service, chain, created_at);
CREATE INDEX purchase_by_time ON purchase (created_at);

-- Whom somebody named as a service's payee. Without that it is whom the service was first paid at,
-- and another one is refused.
CREATE TABLE payee_pin (
    service   TEXT NOT NULL,
    chain     TEXT NOT NULL,
    payee     TEXT NOT NULL,
    pinned_at INTEGER NOT NULL,
    PRIMARY KEY (service, chain)
) STRICT;
