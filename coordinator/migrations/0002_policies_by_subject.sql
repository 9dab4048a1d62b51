-- Policies of organisations, agents and wallets, by whom they judge: 'organisation', 'agent/NAME'
-- or 'wallet/0x…'. `agent` is whose nodes hold it; none for an organisation's.
CREATE TABLE policies_by_subject (
    subject TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    name TEXT NOT NULL,
    agent TEXT,
    document TEXT NOT NULL,
    installed_at INTEGER NOT NULL,
    serial INTEGER NOT NULL UNIQUE,
    PRIMARY KEY (subject, epoch)
) STRICT;
INSERT INTO policies_by_subject (subject, epoch, name, agent, document, installed_at, serial)
SELECT 'agent/' || agent, epoch, name, agent, document, installed_at, rowid FROM policies;
DROP TABLE policies;
ALTER TABLE policies_by_subject RENAME TO policies;
CREATE INDEX policies_by_name ON policies (name, serial);
CREATE INDEX policies_by_agent ON policies (agent);

-- Claims name the epochs of all policies; until now there was the agent's alone.
UPDATE payments SET row = json_remove(
    json_set(
        row,
        '$.facts.claim.policies',
        json_object('agent', json_extract(row, '$.facts.claim.policy_epoch'))
    ),
    '$.facts.claim.policy_epoch'
)
WHERE json_extract(row, '$.facts.claim.policy_epoch') IS NOT NULL;

-- Decisions hold an opinion for each policy; until now they were one policy's.
UPDATE payments SET row = json_set(
    row,
    '$.facts.refusals',
    (
        SELECT json_group_array(json(CASE
            WHEN json_extract(r.value, '$.refusal.code') = 'policy' THEN json_object(
                'by', json_extract(r.value, '$.by'),
                'refusal', json_object(
                    'code', 'policy',
                    'verdict', json_extract(r.value, '$.refusal.verdict'),
                    'tzdb', 'unknown',
                    'policies', json_array(json_object(
                        'policy', json_extract(r.value, '$.refusal.policy'),
                        'epoch', json_extract(r.value, '$.refusal.epoch'),
                        'subject', json_object('agent', payments.agent),
                        'mode', 'enforce',
                        'findings', (
                            SELECT json_group_array(json(json_set(
                                json_remove(f.value, '$.kept'),
                                '$.outcome',
                                CASE WHEN json_extract(f.value, '$.kept') THEN 'kept' ELSE 'refuses' END
                            )))
                            FROM json_each(r.value, '$.refusal.findings') AS f
                        )
                    ))
                )
            )
            ELSE r.value
        END))
        FROM json_each(payments.row, '$.facts.refusals') AS r
    )
)
WHERE json_extract(row, '$.facts.refusals[0]') IS NOT NULL;

-- The counterparty registry, all epochs of it.
CREATE TABLE registries (
    epoch INTEGER PRIMARY KEY NOT NULL,
    document TEXT NOT NULL,
    installed_at INTEGER NOT NULL
) STRICT;

-- Agents that a rule of their own policy stopped: the last time for each.
CREATE TABLE trips (
    agent TEXT PRIMARY KEY NOT NULL,
    row TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

-- What agents report of their payments: each kind once for a payment. `taken` once the
-- operator's node has answered it.
CREATE TABLE reports (
    payment TEXT NOT NULL REFERENCES payments (id),
    kind TEXT NOT NULL,
    document TEXT NOT NULL,
    row TEXT NOT NULL,
    at INTEGER NOT NULL,
    taken INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (payment, kind)
) STRICT;
CREATE INDEX reports_not_taken ON reports (at) WHERE taken = 0;

-- Approvals given beforehand to agents that pay with wallets of their own. Each is a hold.
CREATE TABLE pre_authorizations (
    id TEXT PRIMARY KEY NOT NULL,
    serial INTEGER NOT NULL UNIQUE,
    agent TEXT NOT NULL REFERENCES agents (id),
    content_hash TEXT NOT NULL,
    envelope TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    facts TEXT NOT NULL,
    held_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX pre_authorizations_open ON pre_authorizations (agent, state)
    WHERE state IN ('open', 'claimed');

-- Transfers that were recorded for one: each is one approval's. A place of -1 stands for the whole
-- transaction, where nobody looked at the chain.
CREATE TABLE recorded_transfers (
    chain TEXT NOT NULL,
    transaction_hash TEXT NOT NULL,
    log_index INTEGER NOT NULL,
    pre_authorization TEXT NOT NULL UNIQUE REFERENCES pre_authorizations (id),
    PRIMARY KEY (chain, transaction_hash, log_index)
) STRICT;
