package mailcore

import "github.com/emersion/go-sasl"

// NewLoginServer speaks the server's side of LOGIN, which has no RFC and which old Outlook asks for: two questions, two answers.
func NewLoginServer(check func(username, password string) error) sasl.Server {
	return &loginServer{check: check}
}

type loginServer struct {
	check    func(username, password string) error
	step     int
	username string
}

// Next takes an answer and returns the next question.
func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if l.step == 0 && response == nil { // no initial response
		return []byte("Username:"), false, nil
	}
	l.step++
	switch l.step {
	case 1:
		l.username = string(response)
		return []byte("Password:"), false, nil
	case 2:
		return nil, true, l.check(l.username, string(response))
	}
	return nil, false, sasl.ErrUnexpectedClientResponse
}
