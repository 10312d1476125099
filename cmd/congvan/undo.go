package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"congvan/exchange"

	"github.com/spf13/cobra"
)

// errUndone says that a document was taken back while it waited.
var errUndone = errors.New("đã hoàn tác: văn bản chưa gửi cho ai")

// letGo issues a sealed document: a person who watches can take it back for a while, a program cannot.
func (d *desk) letGo(ctx context.Context, by exchange.Actor, id exchange.DocumentID) (*exchange.Document, error) {
	store := d.in.exchange
	if d.flags.json || d.flags.now {
		return store.Issue(ctx, by, id)
	}
	doc, err := store.Schedule(ctx, by, id)
	if err != nil || doc.State == exchange.Issued {
		return doc, err
	}
	for {
		d.countdown(ctx, doc)
		doc, err = store.Document(context.WithoutCancel(ctx), id)
		switch {
		case err != nil || doc.State == exchange.Issued: // serve may have been the quicker one
			return doc, err
		case doc.DueAt == 0:
			return nil, undone(doc)
		case ctx.Err() != nil:
			if doc, err = store.Undo(context.WithoutCancel(ctx), by, id); exchange.IsCode(err, exchange.CodeNotDue) {
				return store.Document(context.WithoutCancel(ctx), id) // it went out at that moment
			}
			return nil, errors.Join(err, undone(doc))
		case doc.DueAt > time.Now().UnixMicro(): // taken back and issued anew elsewhere
			continue
		}
		if _, err := store.IssueDue(ctx); err != nil {
			return nil, err
		}
		return store.Issue(ctx, by, id)
	}
}

func undone(doc *exchange.Document) error {
	if doc == nil {
		return errUndone
	}
	return &hintError{fmt.Errorf("%s %w", doc.Reference, errUndone), "văn bản vẫn ở trong sổ, đã ký số; phát hành lại bằng đúng lệnh vừa rồi"}
}

// countdown waits until the document is due, and shows how long that is. It ends early with ctx, or when somebody else acted.
func (d *desk) countdown(ctx context.Context, doc *exchange.Document) {
	due := time.UnixMicro(doc.DueAt)
	terminal := isTerminal(d.s.err)
	how := fmt.Sprintf("Hoàn tác: Ctrl-C, hoặc ở cửa sổ khác: congvan undo%s %s", d.dataArg(), doc.Reference)
	if !terminal {
		fmt.Fprintf(d.s.err, "%s được phát hành sau %d giây. %s\n", doc.Reference, seconds(time.Until(due)), how)
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		left := time.Until(due)
		if left <= 0 {
			break
		}
		if terminal {
			fmt.Fprintf(d.s.err, "\r\x1b[K%s được phát hành sau %d giây. %s", doc.Reference, seconds(left), how)
		}
		select {
		case <-ctx.Done():
			left = 0
		case <-tick.C:
		case <-time.After(left):
		}
		if now, err := d.in.exchange.Document(context.WithoutCancel(ctx), doc.ID); left == 0 || err == nil && now.DueAt != doc.DueAt {
			break
		}
	}
	if terminal {
		fmt.Fprint(d.s.err, "\r\x1b[K")
	}
}

// seconds counts up, so that what is shown never ends before the wait does.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

func undoCommand(s *streams) *cobra.Command {
	o := &recallOrder{s: s}
	c := &cobra.Command{
		Use:   "undo SỐ-KÝ-HIỆU",
		Short: "Hoàn tác: lấy lại văn bản vừa cho phát hành, trong 30 giây trước khi nó được gửi đi",
		Long: `Hoàn tác việc phát hành. Văn bản thường chờ 30 giây trước khi gửi; trong lúc đó lấy lại được mà không ai biết. Văn bản đã lấy lại
vẫn ở trong sổ, đã ký số; phát hành lại bằng congvan issue với đúng tệp đó. Hỏa tốc gửi ngay, không chờ. Văn bản đã gửi đi thì
thu hồi bằng congvan recall.`,
		Args: cobra.ExactArgs(1),
		RunE: o.run(func(ctx context.Context, in *installation, doc *exchange.Document, by exchange.Actor) error {
			doc, err := in.exchange.Undo(ctx, by, doc.ID)
			if err != nil {
				return err
			}
			fmt.Fprintf(s.out, "Đã hoàn tác %s: chưa gửi cho ai.\n", doc.Reference)
			return nil
		}),
	}
	o.flags(c)
	return c
}
