-- Copies that were forwarded or added after the backup that the database was restored from: they get their ids, tokens and places
-- again. Owned by package exchange.
CREATE TABLE restored_copy (
    dispatch_id BIGINT PRIMARY KEY,
    parent      BIGINT NOT NULL,                    -- 0 for none
    agency      TEXT NOT NULL,                      -- issuer of the document
    recipient   TEXT NOT NULL,
    token       TEXT NOT NULL,
    sequence    BIGINT NOT NULL,
    actor       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    dots        BIGINT NOT NULL DEFAULT 0,          -- how often it had gone past DATA
    again_at    BIGINT                              -- when it was sent again
);
