-- The transparency log of events, and its signed heads: owned by package exchange.

-- Events that wait to be taken into the log, written in the transaction of the events: those of the chains chain to
-- chain + chains - 1 that have the ordinals ordinal to ordinal + ordinals - 1. One row an act, whatever the number of copies.
CREATE TABLE log_queue (
    id       {{id}},
    chain    BIGINT NOT NULL,
    chains   BIGINT NOT NULL,
    ordinal  BIGINT NOT NULL,
    ordinals BIGINT NOT NULL
);

-- Which event each leaf is: the queue's rows as they were taken, in varints.
CREATE TABLE log_batch (
    first  BIGINT PRIMARY KEY,                      -- leaf
    leaves BIGINT NOT NULL,
    epoch  BIGINT NOT NULL,
    runs   {{bytes}} NOT NULL
);

-- Hashes of the Merkle tree, 256 in a row: tile n of level l holds the hashes of height 8l from 256n on.
CREATE TABLE log_tile (
    level  BIGINT NOT NULL,
    n      BIGINT NOT NULL,
    hashes {{bytes}} NOT NULL,
    PRIMARY KEY (level, n)
);

-- Heads of the log, signed.
CREATE TABLE checkpoint (
    epoch BIGINT NOT NULL,
    size  BIGINT NOT NULL,                          -- leaves
    at    BIGINT NOT NULL,
    note  TEXT NOT NULL,                            -- as signed
    stamp {{bytes}},                                -- RFC 3161 token over the note
    PRIMARY KEY (epoch, size)
);

-- The one row of the log: whoever appends or signs takes it first.
CREATE TABLE log_head (
    id          BIGINT PRIMARY KEY CHECK (id = 1),
    epoch       BIGINT NOT NULL,                    -- grows at every restore
    size        BIGINT NOT NULL,
    checkpoint  TEXT NOT NULL DEFAULT '',           -- digest of the newest checkpoint with its stamp; '' before the first
    old_series  BIGINT NOT NULL,                    -- series up to this id are older than their events
    holder      TEXT NOT NULL DEFAULT '',           -- who runs the log, and until when unless renewed
    lease_until BIGINT NOT NULL DEFAULT 0
);

INSERT INTO log_head (id, epoch, size, old_series) SELECT 1, 1, 0, coalesce(max(id), 0) FROM register_series;
INSERT INTO log_queue (chain, chains, ordinal, ordinals) SELECT chain, 1, min(ordinal), count(*) FROM event GROUP BY chain ORDER BY chain;
