-- One purchase of a request at a time, whoever began it: until the first is over, or written off, a
-- second would be paid beside it.
CREATE UNIQUE INDEX purchase_open_by_request ON purchase (request_key)
    WHERE state IN ('chosen', 'sent', 'unknown', 'paid_not_delivered');
