-- The directory of the province (danh bạ): owned by package recipients. Codes are kept as text everywhere: they are short,
-- stable, never given to another unit, and stand in addresses.

CREATE TABLE unit (
    code       TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,                       -- so, huyen, trung-uong, … ; 'nhom' is a group phrase
    parent     TEXT NOT NULL DEFAULT '',
    address    TEXT NOT NULL DEFAULT '',            -- outside address; '' with has_mailbox means code@domain
    has_mailbox BOOLEAN NOT NULL DEFAULT FALSE,     -- a mailbox of this installation
    valid_from TEXT NOT NULL DEFAULT '',            -- civil dates; '' is open
    valid_to   TEXT NOT NULL DEFAULT '',
    successor  TEXT NOT NULL DEFAULT '',
    position   BIGINT NOT NULL DEFAULT 0            -- order in the imported file
);

CREATE TABLE unit_name (
    code       TEXT NOT NULL REFERENCES unit (code),
    name       TEXT NOT NULL,
    valid_from TEXT NOT NULL DEFAULT '',
    valid_to   TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (code, name)
);

CREATE TABLE unit_alias (
    code       TEXT NOT NULL REFERENCES unit (code),
    alias      TEXT NOT NULL,
    valid_from TEXT NOT NULL DEFAULT '',
    valid_to   TEXT NOT NULL DEFAULT '',
    learned_at BIGINT NOT NULL DEFAULT 0,           -- 0: from an import; else a clerk's decision
    learned_by TEXT NOT NULL DEFAULT '',
    forgotten_at BIGINT,
    PRIMARY KEY (code, alias)
);

CREATE TABLE group_member (
    group_code TEXT NOT NULL REFERENCES unit (code),
    member     TEXT NOT NULL,                       -- 'kind:so' or 'code:stttt'
    valid_from TEXT NOT NULL DEFAULT '',
    valid_to   TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (group_code, member)
);

CREATE TABLE directory_change (
    id      {{id}},
    at      BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    request TEXT NOT NULL,                          -- number and date of the written request (QĐ 22/2009 Điều 6)
    what    TEXT NOT NULL                           -- JSON
);
