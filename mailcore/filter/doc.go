// Package filter asks services beside the gateway about a mail: clamd whether it carries malware, rspamd whether it is junk.
//
// Promises. A service that does not answer, answers nonsense or does not look at the whole mail never makes a mail clean: the
// caller learns that it was not judged (ErrNotJudged) and decides by its setting whether the mail waits or is marked. Time and
// memory are bounded; a mail is streamed.
package filter

import "errors"

// ErrNotJudged says that a service could not say anything about a mail. Asking again later may help.
var ErrNotJudged = errors.New("not judged")

// ErrTooLarge says that a mail is larger than a service looks at; asking again does not help.
var ErrTooLarge = errors.New("larger than the scanner looks at")
