-- What the sweep of the mail store needs: to know how old a row is, and to see without a long search that no row needs it.

-- Word of an expunge is kept for sessions that are open meanwhile; one from before this column serves nobody any more.
ALTER TABLE vanished ADD COLUMN at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX vanished_by_at ON vanished (at);

CREATE INDEX blob_doomed ON blob (doomed_at) WHERE doomed_at IS NOT NULL;

-- Who shows or sends a body. The databases ask so themselves, too, when a message row is deleted.
CREATE INDEX mailbox_message_by_message ON mailbox_message (message_id);
CREATE INDEX outbox_by_message ON outbox (message_id);

-- Opened and downloaded are told once a copy, so their rows stay.
CREATE INDEX mail_event_done ON mail_event (handled_at) WHERE handled_at IS NOT NULL AND kind NOT IN ('opened', 'downloaded');
