-- Documents and what becomes of them: owned by package exchange.

CREATE TABLE register_series (
    id     {{id}},
    agency TEXT NOT NULL,                           -- unit code
    year   BIGINT NOT NULL,
    book   TEXT NOT NULL CHECK (book IN ('outgoing', 'incoming')),
    name   TEXT NOT NULL DEFAULT '',                -- kind of numbering; '' where an agency has one series
    mode   TEXT NOT NULL CHECK (mode IN ('issued', 'paper')),
    last   BIGINT NOT NULL DEFAULT 0,               -- issued: the counter, no gap; paper: the highest seen
    UNIQUE (agency, year, book, name)
);

CREATE TABLE register_number (
    series_id BIGINT NOT NULL REFERENCES register_series (id),
    number    BIGINT NOT NULL,                      -- 0 where the paper's number is no integer
    reference TEXT NOT NULL,                        -- số và ký hiệu, or số đến, as written
    owner     TEXT NOT NULL DEFAULT '',             -- 'document:12', 'incoming:7'
    state     TEXT NOT NULL CHECK (state IN ('taken', 'reserved', 'voided')),
    reason    TEXT NOT NULL DEFAULT '',
    taken_at  BIGINT NOT NULL,
    taken_by  TEXT NOT NULL,
    UNIQUE (series_id, reference)
);

CREATE TABLE document (
    id         {{id}},
    agency     TEXT NOT NULL,                       -- issuing unit
    reference  TEXT NOT NULL DEFAULT '',            -- số, ký hiệu: 22/2009/QĐ-UBND
    number     TEXT NOT NULL DEFAULT '',
    year       BIGINT NOT NULL,                     -- of issue, civil
    symbol     TEXT NOT NULL DEFAULT '',
    kind       TEXT NOT NULL DEFAULT '',            -- loại văn bản
    abstract   TEXT NOT NULL DEFAULT '',            -- trích yếu
    issued_on  TEXT NOT NULL DEFAULT '',            -- ngày văn bản, civil
    place      TEXT NOT NULL DEFAULT '',
    signer     TEXT NOT NULL DEFAULT '',
    urgency    TEXT NOT NULL DEFAULT '',            -- '', Khẩn, Thượng khẩn, Hỏa tốc
    pages      BIGINT NOT NULL DEFAULT 0,
    file_name  TEXT NOT NULL DEFAULT '',
    original   TEXT NOT NULL DEFAULT '',            -- digest of the PDF as it came
    sealed     TEXT NOT NULL DEFAULT '',            -- digest of the sealed PDF
    state      TEXT NOT NULL CHECK (state IN ('draft', 'registered', 'sealed', 'issued', 'withdrawn')),
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    issued_at  BIGINT
);
CREATE UNIQUE INDEX document_original ON document (agency, original) WHERE original <> '' AND state <> 'withdrawn';
CREATE INDEX document_by_reference ON document (agency, year, reference);

-- One line of Kính gửi or Nơi nhận and how it ended.
CREATE TABLE recipient_line (
    id          {{id}},
    document_id BIGINT NOT NULL REFERENCES document (id),
    ordinal     BIGINT NOT NULL,
    block       TEXT NOT NULL CHECK (block IN ('kinh_gui', 'noi_nhan')),
    text        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    purpose     TEXT NOT NULL DEFAULT '',
    outcome     TEXT NOT NULL CHECK (outcome IN ('resolved', 'off_system', 'excused', 'open')),
    why         TEXT NOT NULL DEFAULT '',
    confidence  DOUBLE PRECISION NOT NULL DEFAULT 0,
    units       TEXT NOT NULL DEFAULT '',           -- codes, one space between
    name        TEXT NOT NULL DEFAULT '',           -- off_system: the agency's name …
    address     TEXT NOT NULL DEFAULT '',           -- … and its mail address, '' for none
    decided_by  TEXT NOT NULL DEFAULT '',           -- '' when the reader decided
    decided_at  BIGINT,
    UNIQUE (document_id, ordinal)
);

-- One document on its way to one recipient. The id is the document's times 2^20 plus the copy's own number from 1, so it is
-- known before the row is, and a document's copies are a range of ids.
CREATE TABLE dispatch (
    id          BIGINT PRIMARY KEY,
    document_id BIGINT NOT NULL REFERENCES document (id),
    unit        TEXT NOT NULL DEFAULT '',           -- directory code, '' for an off-system one
    name        TEXT NOT NULL DEFAULT '',           -- off-system: as the clerk named it
    address     TEXT NOT NULL DEFAULT '',           -- where the copy goes; '' for paper or pick-up
    way         TEXT NOT NULL CHECK (way IN ('mailbox', 'mail', 'other')),
    line        BIGINT NOT NULL,                    -- ordinal of the line that named it first
    purpose     TEXT NOT NULL DEFAULT '',
    parent      BIGINT,                             -- forward or "gửi bổ sung"
    token       TEXT NOT NULL,                      -- secret that vouches for this copy in reply and bounce addresses
    transport   TEXT NOT NULL CHECK (transport IN ('queued', 'relayed', 'uncertain', 'exception', 'delivered', 'settled',
                                                   'undelivered', 'cancelled', 'recalled', 'superseded')),
    handling    TEXT NOT NULL DEFAULT '' CHECK (handling IN ('', 'received', 'accepted', 'assigned', 'in_progress', 'completed',
                                                             'noted', 'refused', 'forwarded')),
    arrival_number TEXT NOT NULL DEFAULT '',        -- số đến
    arrived_on  TEXT NOT NULL DEFAULT '',           -- ngày đến, civil
    opened_at   BIGINT,
    owner       TEXT NOT NULL DEFAULT '',           -- '' iff closed
    deadline    BIGINT NOT NULL DEFAULT 0,          -- 0 iff closed
    events      BIGINT NOT NULL DEFAULT 0,          -- how many it has: the ordinal of the next
    head        {{bytes}} NOT NULL,                 -- digest of its newest event
    changed_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX dispatch_unit_once ON dispatch (document_id, unit) WHERE unit <> '' AND parent IS NULL;
CREATE INDEX dispatch_due ON dispatch (deadline) WHERE deadline > 0;

-- Append-only. A chain is a document's own (its id times 2^20) or a dispatch's (its id); each digest covers the row and the
-- digest before it.
CREATE TABLE event (
    chain   BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    kind    TEXT NOT NULL,
    at      BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    detail  TEXT NOT NULL DEFAULT '',               -- JSON, by kind
    digest  {{bytes}} NOT NULL,
    PRIMARY KEY (chain, ordinal)
);

-- A unit's register of arrivals (sổ văn bản đến).
CREATE TABLE incoming (
    id             {{id}},
    unit           TEXT NOT NULL,
    dispatch_id    BIGINT NOT NULL UNIQUE,
    arrival_number TEXT NOT NULL DEFAULT '',        -- '' is "chờ số đến"
    arrived_on     TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('accepted', 'assigned', 'in_progress', 'completed', 'refused', 'forwarded')),
    accepted_by    TEXT NOT NULL,
    changed_at     BIGINT NOT NULL
);

-- What is kept of a secret document that somebody tried to issue: nothing but this (QĐ 22/2009 Điều 10).
CREATE TABLE refusal (
    id      {{id}},
    at      BIGINT NOT NULL,
    agency  TEXT NOT NULL,
    actor   TEXT NOT NULL,
    secrecy TEXT NOT NULL
);
