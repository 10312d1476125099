// Package queue sends mail out: it claims rows of the outbox, finds the server that takes mail for the recipient, speaks
// SMTP with it, and notes how it went.
//
// It keeps nothing: every row is claimed under a lease, and what a dead worker held is claimed again. What becomes of a try:
//
//   - the server said 250 to the final dot: sent;
//   - 4xx, or the line broke before the final dot: later, with a growing pause, until the row's life is over;
//   - 5xx, or nobody can take mail for the domain: failed;
//   - the line broke after the final dot, or we died there: uncertain, and not sent again before its timer ends. The store
//     is told, durably, before the dot leaves.
//
// Every try carries the same body, prefix, Message-ID and ENVID. A greeting of 5xx is said by a server about itself and not
// about the mail: the next server is asked, and if all say so it is later, not failed; 521 and a null MX say "no mail here,
// ever" and fail at once.
//
// Delivery reports are asked for where DSN is offered: with SUCCESS for rows that mean something to the room above (Ref), as
// proof of arrival; for ordinary mail as its sender wished, and without it when the sender said nothing. A row without Ref
// that fails is reported to its sender's mailbox, before the row is closed: a crash between the two reports twice rather than
// never. One that still waits after Options.Delay (Hỏa tốc: FlashDelay) is reported once, in one transaction with the mark
// that it was. A row with Ref gets its events only.
//
// Urgent mail (Hỏa tốc) goes first, has slots of its own, and is tried even while a server that failed is left alone.
//
// LoopbackOnly is for demonstrations: a destination that is not loopback fails for good (5.7.1), before any DNS and before
// any connection. Failing at once is chosen over trying later because no later try could ever go out, and because the
// sender, or the clerk who owns the dispatch, must see it now. Only a route or smart host that is a loopback address or
// "localhost" passes.
//
// Standards: RFC 5321, RFC 1870, RFC 2034, RFC 3207 (opportunistic unless told otherwise), RFC 3461, RFC 3462, RFC 3463,
// RFC 3464, RFC 6152, RFC 6531, RFC 6533, RFC 7504, RFC 7505, RFC 8461. Not done: DANE (RFC 7672), logging in to a smart host, several
// recipients in one transaction (each row has its own envelope id and prefix).
package queue
