package mailcore

import "errors"

var errStub = errors.New("mailcore: not written yet")

type logins struct{}

func newLogins() *logins { return nil }
