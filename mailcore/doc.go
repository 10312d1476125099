// Package mailcore is the mail store: addresses, accounts, mailboxes, messages, the outbox and what happened to mail.
//
// It owns the tables blob, account, mailbox, message, mailbox_message, vanished, outbox, attempt and mail_event, and the
// folder of blobs. It knows nothing of documents: what a copy or an outgoing row means to the room above is an opaque Ref,
// and the room above learns of acts on it from mail_event rows, written in the transaction of the act.
//
// Terms. A body is the bytes of a message as received or composed; it is stored once, however many mailboxes show it. A
// copy is one row of a mailbox: a body, the prefix (header lines of this copy alone, shown before the body), flags and a
// UID. A summary is what IMAP needs to know of a body, computed once: envelope, structure, offsets of the parts.
//
// Promises. Nothing slow happens in a transaction: bytes are stored and parsed, passwords hashed, before it. Everything
// that changes a mailbox takes the next modification sequence under the mailbox's row, so that whoever asks for the changes
// since one of them misses none, whatever the order of commits (RFC 7162 §3.1). A mail past its final dot is never sent
// again blindly: what is not known is kept as uncertain. What nothing names is swept, a day untouched and a day doomed later;
// whoever stores or names the same bytes meanwhile gets them whole.
package mailcore
