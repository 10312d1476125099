package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/recipients"
)

// A killStep is one thing that people or the gateway do. Done a second time, because its doer died before hearing that it was done, it
// changes nothing.
type killStep struct {
	name string
	do   func(k *script, ctx context.Context) error
}

// killDocs go all the way in the script. Of the others, which are prepared, each is for the steps that name it.
const killDocs = 3

var killSteps = []killStep{
	{"number", (*script).numbers},
	{"register", (*script).registers},
	{"seal", (*script).seals},
	{"issue", (*script).issues},
	{"schedule", func(k *script, ctx context.Context) error { return only(k.Schedule(ctx, clerk, k.doc("due"))) }},
	{"undo", func(k *script, ctx context.Context) error { return said(k.Undo(ctx, clerk, k.doc("due"))) }},
	{"schedule again", func(k *script, ctx context.Context) error { return only(k.Schedule(ctx, clerk, k.doc("due"))) }},
	{"issue what is due", func(k *script, ctx context.Context) error { return only(k.IssueDue(ctx)) }},
	{"smtp", (*script).sends},
	{"dsn", (*script).report},
	{"accept", func(k *script, ctx context.Context) error { return k.accepts(ctx, "0") }},
	{"recall after accept", func(k *script, ctx context.Context) error { return k.recalls(ctx, "0") }},
	{"agree to the recall", func(k *script, ctx context.Context) error {
		return only(k.AnswerRecall(ctx, unitActor("syt"), k.copyOf("0", 1), true, ""))
	}},
	{"recall", func(k *script, ctx context.Context) error { return k.recalls(ctx, "1") }},
	{"accept after recall", func(k *script, ctx context.Context) error { return k.accepts(ctx, "1") }},
	{"forward", func(k *script, ctx context.Context) error {
		return only(k.Forward(ctx, unitActor("syt"), k.copyOf("2", 1), "ubnd", "đúng việc của UBND"))
	}},
	{"assign", func(k *script, ctx context.Context) error { return k.assigns(ctx, "an", "binh") }},
	{"assign to others", func(k *script, ctx context.Context) error { return k.assigns(ctx, "binh") }},
	{"task", func(k *script, ctx context.Context) error {
		by := exchange.Actor{Address: "binh.syt@" + domain, Name: "binh", Unit: "syt"}
		return only(k.AdvanceTask(ctx, by, k.copyOf("tasks", 1), exchange.InProgress))
	}},
	{"answer", func(k *script, ctx context.Context) error {
		return only(k.Answer(ctx, unitActor("syt"), k.copyOf("tasks", 1), k.doc("answer")))
	}},
	{"issue the answer", func(k *script, ctx context.Context) error {
		return only(k.Issue(ctx, unitActor("syt"), k.doc("answer")))
	}},
	{"refuse", func(k *script, ctx context.Context) error {
		return only(k.Refuse(ctx, unitActor("stc"), k.copyOf("tasks", 2), "không thuộc thẩm quyền"))
	}},
	{"damage", func(k *script, ctx context.Context) error {
		return only(k.ReportDamage(ctx, unitActor("syt"), k.copyOf("new", 1), "tệp hỏng"))
	}},
	{"supplement", func(k *script, ctx context.Context) error {
		return only(k.Supplement(ctx, clerk, k.doc("new"), exchange.Forgotten{Unit: "vphd"}, "sót nơi nhận"))
	}},
	{"correct", func(k *script, ctx context.Context) error {
		return k.Correct(ctx, clerk, k.doc("2"), k.doc("new"), "sửa ngày họp")
	}},
	{"replace", func(k *script, ctx context.Context) error {
		return only(k.Replace(ctx, clerk, k.doc("old"), k.doc("new"), "bổ sung phụ lục"))
	}},
	{"accept meets recall", func(k *script, ctx context.Context) error {
		return k.meet(ctx, func(ctx context.Context, a *script) error { return a.accepts(ctx, "race 1") },
			func(ctx context.Context, b *script) error { return b.recalls(ctx, "race 1") })
	}},
	{"recall meets accept", func(k *script, ctx context.Context) error {
		return k.meet(ctx, func(ctx context.Context, a *script) error { return a.recalls(ctx, "race 2") },
			func(ctx context.Context, b *script) error { return b.accepts(ctx, "race 2") })
	}},
}

func only[T any](_ T, err error) error { return err }

// said takes an answer that a person gets for an error that needs nothing: there is nothing to do, or not any more.
func said[T any](_ T, err error) error {
	var e *exchange.Error
	var m *exchange.MoveError
	if errors.As(err, &e) || errors.As(err, &m) {
		return nil
	}
	return err
}

func unitActor(unit string) exchange.Actor {
	return exchange.Actor{Unit: recipients.UnitCode(unit), Address: mailcore.Address(unit + "@" + domain)}
}

// doc is a document by the name that it has in the script.
func (k *script) doc(name string) exchange.DocumentID {
	id, _ := strconv.ParseInt(k.kept("document "+name), 10, 64)
	return exchange.DocumentID(id)
}

func (k *script) copyOf(name string, n int64) exchange.DispatchID {
	return exchange.DispatchID(int64(k.doc(name))<<20 + n)
}

// prepare makes an installation and what the steps begin with.
func (k *script) prepare(ctx context.Context) error {
	var accounts []mailcore.NewAccount
	for _, code := range []string{"ubnd", "snv", "stc", "syt", "vphd"} {
		accounts = append(accounts, mailcore.NewAccount{Address: mailcore.Address(code + "@" + domain), Kind: mailcore.Unit, Name: code, Unit: code})
	}
	for _, name := range []string{"an", "binh"} {
		accounts = append(accounts, mailcore.NewAccount{Address: mailcore.Address(name + ".syt@" + domain), Kind: mailcore.Officer, Name: name, Unit: "syt"})
	}
	for _, local := range []string{exchange.ReplyMailbox, exchange.BounceMailbox} {
		accounts = append(accounts, mailcore.NewAccount{Address: mailcore.Address(local + "@" + domain), Kind: mailcore.System, Name: local})
	}
	if _, err := k.mail.CreateAccounts(ctx, accounts); err != nil {
		return err
	}
	for _, agency := range []recipients.UnitCode{"snv", "syt"} {
		if err := k.SetMode(ctx, agency, 2009, exchange.OutgoingBook, "", exchange.IssuedHere); err != nil {
			return err
		}
	}
	for _, d := range []struct {
		name, agency string
		issue        bool
	}{{"due", "snv", false}, {"answer", "syt", false}, {"old", "snv", true}, {"new", "snv", true}, {"tasks", "snv", true}, {"race 1", "snv", true}, {"race 2", "snv", true}} {
		if err := k.ready(ctx, d.name, d.agency, d.issue); err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
	}
	_, err := k.HandleMail(ctx)
	return err
}

func (k *script) ready(ctx context.Context, name, agency string, issue bool) error {
	by := exchange.Actor{Name: "văn thư", Unit: recipients.UnitCode(agency)}
	reference, err := k.TakeNumber(ctx, by, by.Unit, 2009, "", strings.ToUpper(agency)+"-VP")
	if err != nil {
		return err
	}
	p := proposal(reference, "Sở Y tế=syt", "Sở Tài chính=stc")
	if agency == "syt" {
		p = proposal(reference, "Sở Nội vụ=snv")
	}
	p.Agency = by.Unit
	doc, err := k.Register(ctx, by, p, pdfOf("prepared "+name))
	if err != nil {
		return err
	}
	if doc, err = k.Seal(ctx, by, doc.ID); err != nil {
		return err
	}
	if issue {
		if doc, err = k.Issue(ctx, by, doc.ID); err != nil {
			return err
		}
	}
	return k.keep("document "+name, fmt.Sprint(int64(doc.ID)))
}

func (k *script) numbers(ctx context.Context) error {
	for i := range killDocs {
		name := fmt.Sprint("reference ", i)
		if k.kept(name) != "" {
			continue
		}
		text, err := k.TakeNumber(ctx, clerk, "snv", 2009, "", "SNV-VP")
		if err == nil {
			err = k.keep(name, text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *script) registers(ctx context.Context) error {
	for i := range killDocs {
		reference := k.kept(fmt.Sprint("reference ", i))
		doc, err := k.Register(ctx, clerk, proposal(reference, "Sở Y tế=syt", "Sở Tài chính=stc", "Bộ Thử=bo"), pdfOf(fmt.Sprint("kill ", i)))
		if err != nil {
			return err
		}
		if err := k.keep(fmt.Sprint("document ", i), fmt.Sprint(int64(doc.ID))); err != nil {
			return err
		}
	}
	return nil
}

func (k *script) seals(ctx context.Context) error {
	for i := range killDocs {
		if _, err := k.Seal(ctx, clerk, k.doc(fmt.Sprint(i))); err != nil {
			return err
		}
	}
	return nil
}

func (k *script) issues(ctx context.Context) error {
	for i := range killDocs {
		if _, err := k.Issue(ctx, clerk, k.doc(fmt.Sprint(i))); err != nil {
			return err
		}
	}
	return nil
}

func (k *script) sends(ctx context.Context) error {
	if _, err := k.queue.Drain(ctx); err != nil {
		return err
	}
	_, err := k.HandleMail(ctx)
	return err
}

// report is a delivery report of a server outside, and how it is read.
func (k *script) report(ctx context.Context) error {
	st, err := k.Status(ctx, k.doc("2"))
	if err != nil {
		return err
	}
	i := slices.IndexFunc(st.Dispatches, func(d exchange.StatusDispatch) bool { return d.Unit == "bo" })
	token := st.Dispatches[i].Dispatch.Token()
	b, err := k.mail.SaveBody(ctx, strings.NewReader(strings.ReplaceAll(dsnMail("delivered", "vanthu@bo.test"), "\n", "\r\n")), 0)
	if err != nil {
		return err
	}
	a, err := k.mail.Account(ctx, exchange.BounceMailbox+"@"+domain)
	if err != nil {
		return err
	}
	arrival := mailcore.Arrival{Rcpt: mailcore.Address(exchange.BounceMailbox + "+" + token + "@" + domain)}
	if _, err := k.mail.Deliver(ctx, b, []mailcore.Copy{{Account: a.ID, Arrived: &arrival}}); err != nil {
		return err
	}
	_, err = k.HandleMail(ctx)
	return err
}

// accepts by both units. After a recall there may be nothing left to accept, which is said.
func (k *script) accepts(ctx context.Context, doc string) error {
	for n, unit := range []string{"syt", "stc"} {
		if err := said(k.Accept(ctx, unitActor(unit), k.copyOf(doc, int64(n+1)), "")); err != nil {
			return err
		}
	}
	return nil
}

func (k *script) recalls(ctx context.Context, doc string) error {
	if _, err := k.Recall(ctx, clerk, k.doc(doc), "ban hành nhầm", false); err != nil {
		return err
	}
	_, err := k.HandleMail(ctx)
	return err
}

// assigns gives a copy to officers, the first of whom leads.
func (k *script) assigns(ctx context.Context, officers ...string) error {
	var all []mailcore.Address
	for _, o := range officers {
		all = append(all, mailcore.Address(o+".syt@"+domain))
	}
	return only(k.Assign(ctx, unitActor("syt"), k.copyOf("tasks", 1), exchange.Assignment{Lead: all[0], Support: all[1:], Note: "giải quyết"}))
}

// meet has two nodes act at the same time: the second begins when the first is at the moment that the order names.
func (k *script) meet(ctx context.Context, first, second func(context.Context, *script) error) error {
	other := &script{order: k.order, since: k.since, index: k.index}
	if err := other.open(func(kind string) error { k.tick("second's " + kind); return nil }); err != nil {
		return err
	}
	defer other.close()
	m := &meeting{at: max(1, k.order.meet), done: make(chan struct{})}
	var err error
	m.begin = func() { defer close(m.done); err = second(ctx, other) }
	k.mu.Lock()
	k.second = m
	k.mu.Unlock()
	if err := first(ctx, k); err != nil {
		return err
	}
	k.mu.Lock()
	k.second = nil
	begun := m.n >= m.at
	k.mu.Unlock()
	if !begun {
		go m.begin()
	}
	<-m.done
	return err
}
