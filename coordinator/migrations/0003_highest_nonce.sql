-- Decimal text without leading zeros: the longer number is the higher one.
CREATE INDEX account_nonces_by_height ON account_nonces (wallet, chain, length(nonce), nonce);
