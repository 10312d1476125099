-- Owned by package mailcore. Attempts that came to the final dot: after a restore they are compared with the journal.
ALTER TABLE attempt ADD COLUMN dotted BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE attempt SET dotted = TRUE WHERE phase IN ('dot', 'done');

-- Owned by package exchange: a copy that was forwarded after the backup may have its number given to another unit's copy.
ALTER TABLE restored_arrival ADD COLUMN unit TEXT NOT NULL DEFAULT '';
