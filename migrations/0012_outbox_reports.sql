-- What the sender of outgoing mail asked to be told (RFC 3461), and when it was told of a delay. Owned by package mailcore.

ALTER TABLE outbox ADD COLUMN notify TEXT NOT NULL DEFAULT '';      -- NOTIFY as it came: NEVER or some of SUCCESS,FAILURE,DELAY; '' not given
ALTER TABLE outbox ADD COLUMN ret TEXT NOT NULL DEFAULT '';         -- RET: FULL, HDRS, '' not given
ALTER TABLE outbox ADD COLUMN orcpt TEXT NOT NULL DEFAULT '';       -- ORCPT, decoded: rfc822;a@b
ALTER TABLE outbox ADD COLUMN warned_at BIGINT NOT NULL DEFAULT 0;  -- when the sender was told of the delay
