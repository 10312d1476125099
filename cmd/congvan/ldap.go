package main

import (
	"context"

	"congvan/mailcore"
	"congvan/mailcore/ldapd"
	"congvan/recipients"
)

// newDirectoryServer shows the directory to mail programs.
func (g *gateway) newDirectoryServer() *ldapd.Server {
	in, cfg := g.in, g.in.cfg
	return ldapd.New(ldapd.Options{Store: in.mail, TLS: g.tls, Logger: in.log, Domain: cfg.Domain, People: in.directoryPeople, Anonymous: cfg.LDAP.Anonymous,
		AccountURL: cfg.accountURL()})
}

// directoryPeople lists whom one may write to: the units of today that have an address, by all their names, and the officers
// who have an account.
func (in *installation) directoryPeople(ctx context.Context) ([]ldapd.Person, error) {
	dir, err := in.units.Directory(ctx, "")
	if err != nil {
		return nil, err
	}
	accounts, err := in.mail.ListAccounts(ctx)
	if err != nil {
		return nil, err
	}
	var out []ldapd.Person
	closed := map[mailcore.Address]bool{}
	for _, a := range accounts {
		if closed[a.Address] = !a.ClosedAt.IsZero(); closed[a.Address] || a.Kind != mailcore.Officer {
			continue
		}
		p := ldapd.Person{Address: a.Address, Name: a.Name, Officer: true}
		if u, ok := dir.Unit(recipients.UnitCode(a.Unit)); ok {
			p.Unit, p.Organization = u.Name, unitName(dir, u.Parent)
		}
		out = append(out, p)
	}
	for _, u := range dir.Units() {
		address, err := mailcore.ParseAddress(u.MailAddress(in.cfg.Domain))
		if err != nil || closed[address] || u.Kind == recipients.KindGroup {
			continue // no address: not to be written to
		}
		p := ldapd.Person{Address: address, Name: u.Name, Unit: u.Name, Organization: unitName(dir, u.Parent)}
		for _, n := range append(u.Names, u.Aliases...) {
			p.Found = append(p.Found, n.Text)
		}
		out = append(out, p)
	}
	return out, nil
}

func unitName(dir *recipients.Directory, code recipients.UnitCode) string {
	u, _ := dir.Unit(code)
	return u.Name
}
