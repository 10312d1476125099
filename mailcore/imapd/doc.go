// Package imapd is the IMAP server of the house: IMAP4rev1 and IMAP4rev2 over the mailboxes of package mailcore. It owns no
// tables and no files; whatever a client changes, mailcore changes in a transaction of its own.
//
// The protocol is spoken by go-imap's imapserver. In front of it stands a thin reader (front): it knows where commands
// and literals end, bounds lines and literals, answers ID, and throws away what a refused literal would otherwise leave
// behind as commands. TLS ends in front of it too: the plain phase before STARTTLS is a handful of commands of our own,
// so the library never sees a line that was not encrypted.
//
// A session keeps a view of its selected mailbox: the messages that the client has been told of, by sequence number. The
// database is the truth; the view follows it by mailcore's MODSEQ log, whoever made the change: this session, another
// one, another node, a delivery. EXPUNGE is told only where RFC 9051 §7.5.1 allows it.
//
// Promises. A mailbox opened with EXAMINE is never changed. A message is streamed in both directions, never held as a
// whole. What a fetch means to the house is recorded after the bytes were written: a fetch without PEEK is "opened", a
// PEEK that reaches the end of the whole body or of an attachment is "downloaded". A malformed message is shown as what it
// is and blocks nothing. SEARCH finds Vietnamese with or without its marks.
//
// Standards: RFC 9051 and RFC 3501 (IMAP), RFC 2177 (IDLE), RFC 2342 (NAMESPACE), RFC 2971 (ID), RFC 3348 and RFC 5258
// (LIST), RFC 3691 (UNSELECT), RFC 4315 (UIDPLUS), RFC 4731 (ESEARCH), RFC 4959 (SASL-IR), RFC 5161 (ENABLE), RFC 5182
// (SEARCHRES), RFC 5819 (LIST-STATUS), RFC 6154 (SPECIAL-USE), RFC 6851 (MOVE), RFC 6855 (UTF8=ACCEPT), RFC 7888
// (LITERAL-), RFC 7889 (APPENDLIMIT), RFC 8438 (STATUS=SIZE), RFC 9208 (QUOTA). Not here, because the library cannot speak
// them and its commands cannot be added to from outside: CONDSTORE and QRESYNC (RFC 7162), SORT and THREAD (RFC 5256), NOTIFY
// (RFC 5465), OBJECTID (RFC 8474), MULTIAPPEND (RFC 3502). Not wanted: COMPRESS (RFC 4978), METADATA (RFC 5464), and ACL
// (RFC 4314), since who acts for a unit is decided by delegations.
package imapd
