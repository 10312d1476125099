// Package smtpd takes mail in: from other servers for our domain (MX, port 25), and from our own accounts (submission, port
// 587 with STARTTLS, 465 with TLS from the first byte).
//
// Path of a message: the envelope is checked line by line; the body streams through a check of its lines into the blob
// store and is synced; then ONE transaction writes every mailbox row, every outbox row and the events, whatever the number
// of recipients. The answer "250" leaves after that commit. A crash before it leaves at most bytes without a row, which the
// sweep takes, and the sender tries again.
//
// What is kept: the body exactly as it came (MX), or with its line ends made CRLF and a missing Date and Message-ID added
// (submission, RFC 6409 §8). Return-Path and Received are the prefix of each copy and never touch the body.
//
// MX takes nothing for other domains. It refuses bodies with a bare CR, a bare LF or a NUL (RFC 5321 §2.3.8, SMTP
// smuggling). Submission lets an account speak only as itself: envelope sender, From and Sender are its own address; a null
// sender is allowed for receipts (RFC 8098 §3).
//
// Addresses that are not ASCII need SMTPUTF8 on MAIL (RFC 6531 §3.4); they are compared composed (NFC). NOTIFY=SUCCESS for
// a mailbox of ours is answered with a delivery report (RFC 3461 §5.2.3); for a recipient elsewhere it stands in the outbox row.
//
// Standards: RFC 5321, RFC 6409, RFC 3207, RFC 4954, RFC 1870, RFC 6152, RFC 6531, RFC 2920, RFC 3030 (without BINARYMIME),
// RFC 3461, RFC 2034, RFC 9422 (RCPTMAX). Not done: RCPT TO:<postmaster> without a domain (RFC 5321 §4.5.1), which the
// library refuses; REQUIRETLS (RFC 8689); DELIVERBY (RFC 2852); FUTURERELEASE (RFC 4865); MT-PRIORITY (RFC 6710).
package smtpd
