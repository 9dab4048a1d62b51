-- MPP sessions: a row is written before anything is signed for its channel, and is never deleted.
-- The chain does not keep what a channel was opened as, so the document is what gets a deposit back.
CREATE TABLE session (
    channel    TEXT PRIMARY KEY,              -- 64 hexadecimal digits
    wallet     TEXT NOT NULL,
    service    TEXT NOT NULL,
    state      TEXT NOT NULL,
    version    INTEGER NOT NULL,              -- rises with every change: whoever read another one is too late
    document   TEXT NOT NULL,                 -- JSON
    opened_at  INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX session_by_service ON session (wallet, service, state);
CREATE INDEX session_by_time ON session (opened_at);
