// Package mailauth says whose mail a mail is: it checks SPF (RFC 7208), DKIM (RFC 6376) and DMARC (RFC 7489) of what comes from
// outside, and signs by DKIM what leaves.
//
// Terms. A domain is aligned when DMARC finds it behind the address in From: the mail came from a host that the domain names, or
// bears a signature of it. A verdict is a word of RFC 8601 §2.7: pass, fail, softfail, neutral, none, policy, temperror, permerror.
//
// Promises. Nothing is refused here: the caller decides by the result. A DNS that does not answer gives temperror, never pass. What
// a signature does not cover whole (an l= tag, a short key) is no signature. Only one From with one address can be aligned.
//
// Not here: ARC (RFC 8617).
package mailauth
