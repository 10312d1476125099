-- Each copy's place in the row of copies from one issuer to one recipient, and what a restored backup must be told. Owned by
-- package exchange.

ALTER TABLE dispatch ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0;    -- from 1

-- The last place given: recipient is the unit's code, else the address, else the name.
CREATE TABLE copy_sequence (
    agency    TEXT NOT NULL,
    recipient TEXT NOT NULL,
    last      BIGINT NOT NULL,
    PRIMARY KEY (agency, recipient)
);

UPDATE dispatch SET sequence = n.n FROM (SELECT d.id, row_number() OVER (PARTITION BY o.agency,
    CASE WHEN d.unit <> '' THEN d.unit WHEN d.address <> '' THEN d.address ELSE d.name END ORDER BY d.id) AS n
    FROM dispatch d JOIN document o ON o.id = d.document_id) AS n WHERE n.id = dispatch.id;
INSERT INTO copy_sequence (agency, recipient, last) SELECT o.agency,
    CASE WHEN d.unit <> '' THEN d.unit WHEN d.address <> '' THEN d.address ELSE d.name END, max(d.sequence)
    FROM dispatch d JOIN document o ON o.id = d.document_id GROUP BY 1, 2;

-- What the journal knows and a restored backup does not. A document that was issued after the backup is registered again
-- from its file under its old id, and its copies keep their numbers, tokens and places.
CREATE TABLE restored_document (
    id        BIGINT PRIMARY KEY,                   -- the document's id
    agency    TEXT NOT NULL,
    reference TEXT NOT NULL,
    original  TEXT NOT NULL,                        -- digest of its file
    copies    TEXT NOT NULL DEFAULT '',             -- JSON; '' when it had not been issued
    again_at  BIGINT                                -- when it was registered again
);

-- Arrivals that were accepted after the backup: the copy keeps its số đến.
CREATE TABLE restored_arrival (
    dispatch_id BIGINT PRIMARY KEY,
    number      TEXT NOT NULL,
    arrived_on  TEXT NOT NULL,
    actor       TEXT NOT NULL
);

-- Registers whose last number nobody knows: they take none until a clerk tells it.
CREATE TABLE series_blocked (
    series_id BIGINT PRIMARY KEY REFERENCES register_series (id),
    since     BIGINT NOT NULL
);
