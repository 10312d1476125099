-- Taking back, replacing, undoing, and pick-up addresses: owned by package exchange.

-- When a sealed document goes out unless somebody takes it back before; 0 when nobody has asked for it.
ALTER TABLE document ADD COLUMN due_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX document_due ON document (due_at) WHERE due_at > 0;

-- Whether the recipient of a copy was asked to give it back, and what it answered (QĐ 28/2018: 13, 15, 16).
ALTER TABLE dispatch ADD COLUMN recall TEXT NOT NULL DEFAULT '' CHECK (recall IN ('', 'asked', 'agreed', 'refused'));

-- What waits in the outbox, by what it is to the room above: to take it back.
CREATE INDEX outbox_by_ref ON outbox (ref) WHERE state = 'queued' AND ref <> '';

-- A one-time address under which the recipient of a copy fetches it (QĐ 22/2009 Điều 10).
CREATE TABLE pickup (
    id          {{id}},
    dispatch_id BIGINT NOT NULL REFERENCES dispatch (id),
    secret      {{bytes}} NOT NULL,                 -- SHA-256 of what stands in the address; the address itself is told once
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    fetched_at  BIGINT NOT NULL DEFAULT 0,          -- first fetched; from then on by that browser alone
    browser     {{bytes}}                           -- SHA-256 of that browser's cookie
);
CREATE INDEX pickup_by_dispatch ON pickup (dispatch_id);
