-- Seals that have to be looked after: below the level that was asked for when they were made, or with an archive time stamp that
-- is to be renewed before it ends. Work in hand, owned by package exchange: what was done is told by the documents' events.
CREATE TABLE seal_care (
    document_id BIGINT PRIMARY KEY REFERENCES document (id),
    next_at     BIGINT NOT NULL,                    -- when to look at it, microseconds
    lease_until BIGINT NOT NULL DEFAULT 0,
    tries       BIGINT NOT NULL DEFAULT 0,          -- one after the other that came to nothing
    problem     TEXT NOT NULL DEFAULT ''            -- code of what stood in the way last
);
CREATE INDEX seal_care_next ON seal_care (next_at);

-- Each document of before is looked at once.
INSERT INTO seal_care (document_id, next_at) SELECT id, 0 FROM document WHERE state IN ('sealed', 'issued');
