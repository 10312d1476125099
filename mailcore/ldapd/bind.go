package ldapd

import (
	"context"
	"errors"
	"strings"
	"time"

	"congvan/mailcore"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// maxFailed is how many wrong passwords one connection may give.
const maxFailed = 3

// bind logs in (RFC 4511 §4.2, RFC 4513 §5.1). Whatever it ends with, what was logged in before is so no longer.
func (x *session) bind(ctx context.Context, m *message) error {
	if len(m.op.Children) != 3 {
		return malformed("a bind of %d parts", len(m.op.Children))
	}
	version, ok1 := number(m.op.Children[0], ber.TagInteger)
	name, ok2 := octets(m.op.Children[1])
	how := m.op.Children[2]
	if !ok1 || !ok2 || how.ClassType != ber.ClassContext {
		return malformed("no bind")
	}
	x.logOut()
	var r result
	switch password := how.Data.String(); {
	case version != 3:
		r = result{code: protocolError, text: "only LDAP version 3 is spoken"}
	case how.Tag != 0 || how.TagType != ber.TypePrimitive:
		r = result{code: authNotSupported, text: "bind with an address and its password"}
	case len(name) == 0 && password == "":
	case password == "":
		r = result{code: unwillingToPerform, text: "the password is empty"} // else it would pass for a login (RFC 4513 §5.1.2)
	case !x.secure:
		r = result{code: confidentiality, text: "use STARTTLS or ldaps before sending a password"}
	default:
		return x.logIn(ctx, m, string(name), password)
	}
	return x.reply(m, opBindResponse, r)
}

func (x *session) logIn(ctx context.Context, m *message, name, password string) error {
	l, err := x.s.opt.Store.LogIn(ctx, mailcore.Attempt{Address: x.s.bindAddress(name), Domain: x.s.opt.Domain, Password: password,
		Service: mailcore.ServiceLDAP, Remote: x.remote})
	if err == nil {
		x.login = &l
		x.log.Info("login", "account", l.Address, "app_password", l.App)
		x.watch = x.s.opt.Store.Watch(l, func(why error) {
			x.log.Info("login ended", "account", l.Address, "why", why)
			x.end()
		})
		return x.reply(m, opBindResponse, result{})
	}
	if err := x.reply(m, opBindResponse, x.refusedLogin(ctx, name, err)); err != nil {
		return err
	}
	if x.failed++; x.failed >= maxFailed {
		x.w.Flush()
		return errEnd
	}
	return nil
}

// refusedLogin words a refused login; wrong passwords are answered late.
func (x *session) refusedLogin(ctx context.Context, name string, err error) result {
	log := x.log.With("account", name)
	var refused *mailcore.LoginError
	switch {
	case errors.Is(err, mailcore.ErrThrottled):
		log.Warn("login refused unchecked")
		return result{code: invalidCredentials, text: "too many failed logins, try again later"}
	case errors.Is(err, mailcore.ErrMustChange):
		log.Info("login refused", "why", err)
		return result{code: invalidCredentials, text: strings.TrimSpace("Hãy đổi mật khẩu được cấp trước đã. Change the issued password first: " + x.s.opt.AccountURL)}
	case errors.As(err, &refused):
		log.Warn("login failed", "why", err, "lately", refused.Lately)
		wait(ctx, time.Duration(min(max(refused.Lately, 1), 5))*x.s.opt.FailDelay)
		return result{code: invalidCredentials, text: "wrong address or password"}
	case errors.Is(err, mailcore.ErrBusy):
		return result{code: busy, text: "try again later"}
	}
	log.Error("login", "err", err)
	return result{code: unavailable, text: "try again later"}
}

// bindAddress is the address that a name to log in with stands for: the address itself, with or without domain; DOMAIN\name as
// Outlook writes it; or the name of an entry.
func (s *Server) bindAddress(name string) string {
	if steps, ok := parseDN(name); ok && len(steps) > 0 && strings.Contains(name, "=") {
		switch steps[0].kind {
		case "mail", "uid", "cn":
			return steps[0].value
		}
	}
	if _, local, ok := strings.Cut(name, `\`); ok {
		return local
	}
	return name
}
