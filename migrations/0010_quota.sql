-- How much an account may keep. Owned by package mailcore.

-- Bytes of the bodies of the messages in it: kept by every transaction that adds or removes one, so that nobody has to count.
ALTER TABLE mailbox ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;
UPDATE mailbox SET bytes = COALESCE((SELECT SUM(m.size) FROM mailbox_message c JOIN message m ON m.id = c.message_id
    WHERE c.mailbox_id = mailbox.id), 0);

ALTER TABLE account ADD COLUMN quota BIGINT NOT NULL DEFAULT -1;       -- bytes; 0: no limit; -1: as configured
ALTER TABLE account ADD COLUMN quota_warned BIGINT NOT NULL DEFAULT 0; -- percent that its owner was last warned at
