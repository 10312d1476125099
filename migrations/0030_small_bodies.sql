-- Bytes of small bodies, which one commit makes durable together with the rows that name them; larger ones and documents lie in the
-- blob store. Owned by package mailcore. They go with the row of their blob.
CREATE TABLE blob_bytes (
    digest TEXT PRIMARY KEY REFERENCES blob (digest) ON DELETE CASCADE,
    bytes  {{bytes}} NOT NULL
);
