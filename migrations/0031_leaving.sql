-- Leaving (QĐ 22/2009 Điều 6) and invitations.

-- Whom senders are told about when they write to a closed account (RFC 5321 §3.4); '' tells them of nobody.
ALTER TABLE account ADD COLUMN moved_to TEXT NOT NULL DEFAULT '';
