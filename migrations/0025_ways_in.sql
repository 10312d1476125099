-- Other ways in: papers mailed to be issued, scans in a folder, official mail from outside. Owned by package exchange.

-- Letters that were told once, whatever is repeated after a crash.
CREATE TABLE posted (
    letter TEXT PRIMARY KEY,
    at     BIGINT NOT NULL
);

-- Mail from outside with a PDF for a unit: read, and proposed as an entry of its register of arrivals (sổ văn bản đến).
CREATE TABLE outside_mail (
    id         {{id}},
    unit       TEXT NOT NULL,
    account_id BIGINT NOT NULL,
    mailbox_id BIGINT NOT NULL,                     -- where it arrived
    uid        BIGINT NOT NULL,
    message_id BIGINT NOT NULL,
    sender     TEXT NOT NULL DEFAULT '',
    vouched    TEXT NOT NULL DEFAULT '',            -- the author, if the domain stands behind the mail
    secret     TEXT NOT NULL,                       -- of the address that answers go to
    state      TEXT NOT NULL CHECK (state IN ('waiting', 'ordinary', 'proposed', 'accepted', 'dismissed')),
    entry      TEXT NOT NULL DEFAULT '',            -- proposed: the Entry, JSON
    number     TEXT NOT NULL DEFAULT '',            -- accepted: số đến
    digest     TEXT NOT NULL DEFAULT '',            -- SHA-256 of the PDF
    decided_by TEXT NOT NULL DEFAULT '',
    lease_until BIGINT NOT NULL DEFAULT 0,
    tries      BIGINT NOT NULL DEFAULT 0,
    arrived_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    UNIQUE (account_id, message_id)
);
CREATE INDEX outside_mail_waiting ON outside_mail (lease_until) WHERE state = 'waiting';
