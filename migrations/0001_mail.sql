-- Mail: owned by package mailcore.

-- Bytes by digest; the bytes lie in the blob store. touched_at keeps the sweep away from what somebody is about to name.
CREATE TABLE blob (
    digest     TEXT PRIMARY KEY,                    -- SHA-256, lower-case hex
    size       BIGINT NOT NULL,
    touched_at BIGINT NOT NULL,
    pinned     BOOLEAN NOT NULL DEFAULT FALSE,      -- documents and evidence: never swept
    doomed_at  BIGINT                               -- set by the sweep; the bytes go a day later
);

CREATE TABLE account (
    id            {{id}},
    address       TEXT NOT NULL UNIQUE,             -- lower case, local@domain
    kind          TEXT NOT NULL CHECK (kind IN ('unit', 'officer', 'system')),
    name          TEXT NOT NULL,
    unit          TEXT NOT NULL DEFAULT '',         -- directory code of the unit it belongs to
    password_hash TEXT NOT NULL DEFAULT '',         -- argon2id; '' lets nobody in
    must_change   BOOLEAN NOT NULL DEFAULT FALSE,   -- the issued password must be changed first (QĐ 22/2009 Điều 7)
    uid_validity  BIGINT NOT NULL,                  -- the last given to a mailbox of it: only ever grows
    created_at    BIGINT NOT NULL,
    closed_at     BIGINT                            -- closed addresses are never given out again
);

CREATE TABLE mailbox (
    id           {{id}},
    account_id   BIGINT NOT NULL REFERENCES account (id),
    name         TEXT NOT NULL,                     -- 'INBOX', 'Đã tiếp nhận'; '/' parts levels
    special_use  TEXT NOT NULL DEFAULT '',          -- '\Sent' … (RFC 6154)
    uid_validity BIGINT NOT NULL,
    uid_next     BIGINT NOT NULL DEFAULT 1,
    modseq       BIGINT NOT NULL DEFAULT 1,         -- of the last change in it; taken under this row
    subscribed   BOOLEAN NOT NULL DEFAULT TRUE,
    UNIQUE (account_id, name)
);

-- One row for each distinct body, however many mailboxes show it.
CREATE TABLE message (
    id         {{id}},
    digest     TEXT NOT NULL UNIQUE REFERENCES blob (digest),
    size       BIGINT NOT NULL,
    message_id TEXT NOT NULL DEFAULT '',            -- the header's, without <>
    subject    TEXT NOT NULL DEFAULT '',            -- decoded, NFC
    sent_at    BIGINT NOT NULL DEFAULT 0,           -- the Date header's instant
    summary    {{bytes}} NOT NULL                   -- ENVELOPE, BODYSTRUCTURE and part offsets, computed once
);
CREATE INDEX message_by_message_id ON message (message_id) WHERE message_id <> '';

CREATE TABLE mailbox_message (
    mailbox_id  BIGINT NOT NULL REFERENCES mailbox (id),
    uid         BIGINT NOT NULL,
    message_id  BIGINT NOT NULL REFERENCES message (id),
    modseq      BIGINT NOT NULL,
    received_at BIGINT NOT NULL,                    -- INTERNALDATE
    flags       TEXT NOT NULL DEFAULT '',           -- sorted, one space between; '\Recent' never stands here
    prefix      {{bytes}} NOT NULL,                 -- header lines of this copy alone, before the body
    ref         TEXT NOT NULL DEFAULT '',           -- what this copy is to the room above, e.g. 'dispatch:12'
    PRIMARY KEY (mailbox_id, uid)
);
CREATE INDEX mailbox_message_by_modseq ON mailbox_message (mailbox_id, modseq);
CREATE INDEX mailbox_message_by_ref ON mailbox_message (ref) WHERE ref <> '';

-- What left a mailbox, so that other sessions and nodes can say EXPUNGE.
CREATE TABLE vanished (
    mailbox_id BIGINT NOT NULL REFERENCES mailbox (id),
    modseq     BIGINT NOT NULL,
    uid        BIGINT NOT NULL,
    PRIMARY KEY (mailbox_id, modseq, uid)
);

-- One row for each (message, outside recipient).
CREATE TABLE outbox (
    id          {{id}},
    message_id  BIGINT NOT NULL REFERENCES message (id),
    prefix      {{bytes}} NOT NULL,
    sender      TEXT NOT NULL,                      -- envelope sender, '' for a bounce
    rcpt        TEXT NOT NULL,
    domain      TEXT NOT NULL,                      -- of rcpt, lower case
    envid       TEXT NOT NULL,                      -- the same at every try (RFC 3461 §4.4)
    urgency     BIGINT NOT NULL DEFAULT 0,          -- 0 thường, 1 Khẩn, 2 Thượng khẩn, 3 Hỏa tốc
    ref         TEXT NOT NULL DEFAULT '',
    state       TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'uncertain', 'cancelled')),
    tries       BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    next_at     BIGINT NOT NULL,                    -- when it may be tried, or looked at again
    expires_at  BIGINT NOT NULL,
    lease_until BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX outbox_due ON outbox (next_at) WHERE state IN ('queued', 'sending', 'uncertain');

CREATE TABLE attempt (
    id        {{id}},
    outbox_id BIGINT NOT NULL REFERENCES outbox (id),
    at        BIGINT NOT NULL,
    ended_at  BIGINT NOT NULL DEFAULT 0,
    host      TEXT NOT NULL DEFAULT '',
    phase     TEXT NOT NULL DEFAULT '',             -- connect, starttls, mail, rcpt, data, dot, done
    outcome   TEXT NOT NULL DEFAULT '',             -- sent, later, failed, uncertain; '' while it runs
    code      BIGINT NOT NULL DEFAULT 0,
    enhanced  TEXT NOT NULL DEFAULT '',
    dialogue  TEXT NOT NULL DEFAULT ''
);
CREATE INDEX attempt_by_outbox ON attempt (outbox_id);

-- What happened to mail, told to the room above: written in the transaction of the act, claimed like work.
CREATE TABLE mail_event (
    id         {{id}},
    at         BIGINT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('arrived', 'downloaded', 'opened', 'moved', 'deleted', 'relayed', 'later',
                                             'failed', 'uncertain')),
    ref        TEXT NOT NULL DEFAULT '',            -- of the copy or the outbox row
    account_id BIGINT NOT NULL DEFAULT 0,           -- whose mailbox
    mailbox_id BIGINT NOT NULL DEFAULT 0,           -- where it is now
    uid        BIGINT NOT NULL DEFAULT 0,
    message_id BIGINT NOT NULL DEFAULT 0,
    actor      TEXT NOT NULL DEFAULT '',            -- address of the account that acted, '' for a server
    detail     TEXT NOT NULL DEFAULT '',            -- JSON, by kind
    handled_at BIGINT
);
CREATE INDEX mail_event_open ON mail_event (id) WHERE handled_at IS NULL;
-- Opened and downloaded are told once a copy.
CREATE UNIQUE INDEX mail_event_opened_once ON mail_event (ref, account_id) WHERE kind = 'opened' AND ref <> '';
CREATE UNIQUE INDEX mail_event_downloaded_once ON mail_event (ref, account_id) WHERE kind = 'downloaded' AND ref <> '';
