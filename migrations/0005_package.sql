-- A document is an ordered package: the main PDF and its annexes. Owned by package exchange.

CREATE TABLE package_item (
    document_id BIGINT NOT NULL REFERENCES document (id),
    ordinal     BIGINT NOT NULL,                    -- 0 the main file, then the annexes, the list last
    kind        TEXT NOT NULL CHECK (kind IN ('main', 'annex', 'list')),
    file_name   TEXT NOT NULL,                      -- as the recipient gets it
    media_type  TEXT NOT NULL,                      -- by content, whatever the name says
    size        BIGINT NOT NULL,                    -- of the bytes as they came
    pages       BIGINT NOT NULL DEFAULT 0,          -- of a PDF, where they were counted
    original    TEXT NOT NULL,                      -- digest of the bytes as they came
    sealed      TEXT NOT NULL DEFAULT '',           -- digest with the agency's seal; '' before, and for what cannot bear one
    flags       TEXT NOT NULL DEFAULT '',           -- what a clerk had to know (macros, encryption …), one space between
    accepted_by TEXT NOT NULL DEFAULT '',           -- who let a flagged file go …
    accepted_at BIGINT,                             -- … and when
    PRIMARY KEY (document_id, ordinal)
);
CREATE INDEX package_item_original ON package_item (original);

INSERT INTO package_item (document_id, ordinal, kind, file_name, media_type, size, pages, original, sealed)
    SELECT d.id, 0, 'main', d.file_name, 'application/pdf', b.size, d.pages, d.original, d.sealed
    FROM document d JOIN blob b ON b.digest = d.original;

-- What was typed when a number was taken before its paper was stamped; compared with the page when it is issued.
ALTER TABLE register_number ADD COLUMN abstract TEXT NOT NULL DEFAULT '';
