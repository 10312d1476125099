package portal

import (
	"errors"
	"fmt"
	"net/http"

	"congvan/mailcore"
)

// An absence is the form of an officer's notice of absence, and the notice that holds.
type absence struct {
	mailcore.Vacation
	Set         bool
	First, Last string // as people write them
	Most        int
}

// absence is what the home page shows of it, nil for a unit.
func (s *Server) absence(v *visit) (*absence, error) {
	if v.session.Account.Kind != mailcore.Officer {
		return nil, nil
	}
	x := &absence{Most: mailcore.MaxVacation}
	var err error
	x.Vacation, x.Set, err = s.opt.Store.Vacation(v.r.Context(), v.session.Account.ID)
	x.First, x.Last = day(x.From), day(x.To)
	if form := v.r.PostForm; form.Has("text") { // what was typed and not taken
		x.Vacation = mailcore.Vacation{Text: form.Get("text"), From: form.Get("from"), To: form.Get("to")}
	}
	return x, err
}

// vacationProblems says why a notice was not taken, and what to do.
var vacationProblems = map[error]string{
	mailcore.ErrVacationDays: "Ngày vắng mặt chưa đúng: ngày đầu phải trước ngày cuối, và ngày cuối chưa qua.",
	mailcore.ErrVacationText: fmt.Sprintf("Hãy ghi lời báo vắng mặt, dài không quá %d ký tự.", mailcore.MaxVacation),
	mailcore.ErrVacationWho:  "Chỉ CBCC báo vắng mặt được: hộp thư đơn vị phải có người mở mỗi buổi (Quyết định 22/2009/QĐ-UBND, Điều 11).",
}

func (s *Server) setVacation(v *visit) error {
	form := v.r.PostForm
	err := s.opt.Store.SetVacation(v.r.Context(), v.session.Account, mailcore.Vacation{Text: form.Get("text"), From: form.Get("from"), To: form.Get("to")})
	for known, text := range vacationProblems {
		if errors.Is(err, known) {
			return s.showHome(v, http.StatusUnprocessableEntity, text)
		}
	}
	if err != nil {
		return err
	}
	s.log.Info("notice of absence set", "account", v.session.Account.Address, "from", form.Get("from"), "to", form.Get("to"))
	v.redirect("?done=away")
	return nil
}

func (s *Server) endVacation(v *visit) error {
	if err := s.opt.Store.EndVacation(v.r.Context(), v.session.Account.ID); err != nil {
		return err
	}
	s.log.Info("notice of absence ended", "account", v.session.Account.Address)
	v.redirect("?done=back")
	return nil
}
