-- Accounts: logging in, app passwords, sessions of web pages, delegations. Owned by package mailcore.

ALTER TABLE account ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;       -- grows when everything that is logged in must end
ALTER TABLE account ADD COLUMN password_at BIGINT NOT NULL DEFAULT 0; -- when the password was set; 0: before this column
ALTER TABLE account ADD COLUMN scram_salt TEXT NOT NULL DEFAULT '';   -- of all its app passwords, base64; made with the first

-- Random passwords for single programs and devices. Only keys that check one are kept (RFC 5802 §3).
CREATE TABLE app_password (
    id         {{id}},
    account_id BIGINT NOT NULL REFERENCES account (id),
    name       TEXT NOT NULL,                       -- what its owner calls the device
    stored_key TEXT NOT NULL,                       -- base64
    server_key TEXT NOT NULL,                       -- base64
    iterations BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX app_password_by_account ON app_password (account_id) WHERE revoked_at IS NULL;

-- Who is signed in to the web pages. The cookie's token is not kept, only its digest.
CREATE TABLE web_session (
    digest     TEXT PRIMARY KEY,                    -- SHA-256 of the token, hex
    account_id BIGINT NOT NULL REFERENCES account (id),
    epoch      BIGINT NOT NULL,                     -- the account's when it began
    issued     BOOLEAN NOT NULL,                    -- began with the issued password: may change it and nothing else
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    place      TEXT NOT NULL,
    agent      TEXT NOT NULL
);
CREATE INDEX web_session_by_account ON web_session (account_id);
CREATE INDEX web_session_by_seen ON web_session (seen_at);

-- From where an account logs in, and when last: shown to its owner, and what makes an address a known one.
CREATE TABLE login_place (
    account_id      BIGINT NOT NULL REFERENCES account (id),
    service         TEXT NOT NULL,                  -- imap, smtp, web
    place           TEXT NOT NULL,                  -- IP address, the /64 network for IPv6
    app_password_id BIGINT NOT NULL,                -- 0: the account's own password
    first_at        BIGINT NOT NULL,
    last_at         BIGINT NOT NULL,
    logins          BIGINT NOT NULL,
    PRIMARY KEY (account_id, service, place, app_password_id)
);

-- Places that may not try passwords for a while, seen by every node.
CREATE TABLE login_lock (
    place    TEXT PRIMARY KEY,                      -- an address, or an address and an account
    until_at BIGINT NOT NULL,
    times    BIGINT NOT NULL,                       -- each lock of a day lasts twice as long as the one before
    at       BIGINT NOT NULL
);

-- When a mailbox was connected to, and when a person looked into it and nothing was new (QĐ 22/2009 Điều 11). One row for
-- each hour; opening and acting are mail events.
CREATE TABLE mailbox_visit (
    account_id BIGINT NOT NULL REFERENCES account (id),
    kind       TEXT NOT NULL CHECK (kind IN ('connected', 'looked')),
    hour       BIGINT NOT NULL,                     -- hours since 1970 UTC
    actor      TEXT NOT NULL,                       -- address of the account that logged in
    first_at   BIGINT NOT NULL,
    last_at    BIGINT NOT NULL,
    PRIMARY KEY (account_id, kind, hour, actor)
);

-- Written delegations: an officer opens a unit's mailbox and acts for the unit.
CREATE TABLE delegation (
    id         {{id}},
    officer_id BIGINT NOT NULL REFERENCES account (id),
    unit_id    BIGINT NOT NULL REFERENCES account (id), -- the unit's account
    number     TEXT NOT NULL,                       -- of the written delegation, such as 12/GUQ-SNV
    valid_from TEXT NOT NULL,                       -- civil dates, both included
    valid_to   TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    CHECK (valid_from <= valid_to)
);
CREATE INDEX delegation_by_officer ON delegation (officer_id);

-- Under which delegation an act on a unit's mail was done; '' for the unit's own password.
ALTER TABLE mail_event ADD COLUMN delegation TEXT NOT NULL DEFAULT '';
