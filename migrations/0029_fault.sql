-- Faults, leaks and spam that users told the province's IT department (QĐ 22/2009 Điều 7, 14): owned by package exchange.
CREATE TABLE fault (
    id         {{id}},
    at         BIGINT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('fault', 'leak', 'spam')),
    reporter   TEXT NOT NULL,                       -- address of the account
    unit       TEXT NOT NULL DEFAULT '',            -- its unit
    subject    TEXT NOT NULL,
    words      TEXT NOT NULL,
    token      TEXT NOT NULL,                       -- secret of the address that its answers are mailed to
    mail_event BIGINT,                              -- that told of it; NULL for the form
    state      TEXT NOT NULL CHECK (state IN ('new', 'in_progress', 'answered')),
    answer     TEXT NOT NULL DEFAULT '',
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL
);
CREATE UNIQUE INDEX fault_mail ON fault (mail_event) WHERE mail_event IS NOT NULL;
CREATE INDEX fault_open ON fault (state, at);
