package mailcore

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	Limit     int64     // bytes that the account may keep, 0 for no limit, see Store.Quota
	Ref       string    // what stood after the '+': the token of a reply or bounce address
}

// LocalRouter routes by the accounts of one domain: the exact address, then a name of system (such as "postmaster") to the
// address it stands for, then the part before a '+' likewise. Other domains are relayed; a closed account gives a MovedError.
func (s *Store) LocalRouter(domain string, system map[string]Address) Router {
	return &localRouter{s, strings.ToLower(domain), system}
}

type localRouter struct {
	store  *Store
	domain string
	system map[string]Address
}

// A candidate is an address that may be an account's, and the token that came with it.
type candidate struct {
	address Address
	ref     string
}

func (r *localRouter) Route(ctx context.Context, rcpt Address) (Route, error) {
	if rcpt.Domain() != r.domain {
		return Route{Canonical: rcpt, Relay: true}, nil
	}
	local := rcpt.Local()
	base, token, tagged := strings.Cut(local, "+")
	candidates := []candidate{{rcpt, ""}, {r.system[local], ""}}
	if tagged && base != "" {
		candidates = append(candidates, candidate{Address(base + "@" + r.domain), token}, candidate{r.system[base], token})
	}
	for _, c := range candidates {
		if c.address == "" {
			continue
		}
		a, err := r.store.Account(ctx, c.address)
		if err == nil && !a.ClosedAt.IsZero() { // and no other name stands for it: an address is never anybody else's
			return Route{}, fmt.Errorf("route %s: %w", rcpt, &MovedError{a.Address, a.MovedTo})
		}
		if err == nil {
			return Route{Account: a.ID, Canonical: a.Address, Limit: r.store.limit(a.Kind, a.Quota), Ref: c.ref}, nil
		}
		if err != nil && !errors.Is(err, ErrNoAccount) {
			return Route{}, fmt.Errorf("route %s: %w", rcpt, err)
		}
	}
	return Route{}, fmt.Errorf("route %s: %w", rcpt, ErrNoRecipient)
}
