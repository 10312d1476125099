package mailcore

import (
	"context"
	"errors"
)

// ErrNoRecipient says that an address of ours leads nowhere (550 5.1.1).
var ErrNoRecipient = errors.New("no such recipient here")

// A Router decides where an address leads.
type Router interface {
	Route(ctx context.Context, rcpt Address) (Route, error)
}

// A Route is where an address leads: to an account, or outside.
type Route struct {
	Account   AccountID // 0: none of ours
	Canonical Address   // the account's own address, or the address itself
	Relay     bool      // another domain's
	Ref       string    // what stood after the '+': the token of a reply or bounce address
}

// LocalRouter routes by the accounts of one domain: the exact address, then a name of system (such as "postmaster") to the
// address it stands for, then the part before a '+' likewise. Other domains are relayed.
func (s *Store) LocalRouter(domain string, system map[string]Address) Router {
	return &localRouter{s, domain, system}
}

type localRouter struct {
	store  *Store
	domain string
	system map[string]Address
}

func (r *localRouter) Route(ctx context.Context, rcpt Address) (Route, error) {
	return Route{}, errStub
}
