package portal

import (
	"net/http"
	"strings"
)

// faultKinds are the choices of the form.
var faultKinds = map[string]bool{"fault": true, "leak": true, "spam": true}

// reportFault takes the form in which a user tells of a fault, a leak or spam (QĐ 22/2009 Điều 7, 14).
func (s *Server) reportFault(v *visit) error {
	if s.opt.Report == nil {
		return errNotFound
	}
	kind, words := v.r.PostForm.Get("kind"), strings.TrimSpace(v.r.PostForm.Get("words"))
	if words == "" || !faultKinds[kind] {
		return s.showHome(v, http.StatusUnprocessableEntity, "Hãy kể chuyện gì xảy ra, từ khi nào, với địa chỉ nào.")
	}
	number, err := s.opt.Report(v.r.Context(), v.session.Account, kind, words)
	if err != nil {
		return err
	}
	s.log.Info("fault told", "account", v.session.Account.Address, "kind", kind, "number", number)
	v.redirect("?done=told")
	return nil
}
