package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"congvan/exchange"
	"congvan/recipients"

	"github.com/spf13/cobra"
)

// openJournal opens the journal of the configuration, nil where there is none.
func (c *config) openJournal() (*exchange.Journal, error) {
	if c.Journal == "" {
		return nil, nil
	}
	return exchange.OpenJournal(c.path(c.Journal))
}

// resume compares the database with the journal: a backup that was restored goes on under a new epoch.
func (in *installation) resume(ctx context.Context) error {
	if in.journal == nil {
		return nil
	}
	in.mail.SetPastData(in.exchange.PastData)
	entries, damaged, err := exchange.ReadJournal(in.cfg.path(in.cfg.Journal))
	if err != nil {
		return err
	}
	if damaged > 0 {
		in.log.Warn("journal: damaged lines", "lines", damaged)
	}
	_, err = in.exchange.Resume(ctx, entries, false)
	return err
}

// sequenceCommand shows whether a unit holds every copy that was addressed to it.
func sequenceCommand(s *streams) *cobra.Command {
	var data, unit, from string
	var heal, asJSON bool
	c := &cobra.Command{Use: "sequence --unit CODE", Args: cobra.NoArgs,
		Short:   "Đơn vị có giữ đủ mọi bản gửi cho mình không: thứ tự bản gửi của từng cơ quan phát hành",
		Example: "  congvan sequence --unit syt\n  congvan sequence --unit syt --from ubnd --heal",
		RunE: func(c *cobra.Command, _ []string) error {
			if unit == "" {
				return &usageError{errors.New("--unit is missing"), "whose copies? --unit CODE"}
			}
			return withInstallation(c.Context(), s, data, func(in *installation) error {
				code, agency := recipients.UnitCode(unit), recipients.UnitCode(from)
				healed := []exchange.MissingCopy{}
				if heal {
					again, err := in.exchange.Heal(c.Context(), (&desk{}).actor(code), code, agency)
					if err != nil {
						return err
					}
					healed = append(healed, again...)
				}
				rows, err := in.exchange.Sequences(c.Context(), code, agency)
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(s.out, map[string]any{"unit": unit, "sequences": append([]exchange.Sequence{}, rows...), "healed": healed})
				}
				showSequences(s, unit, rows, healed)
				return nil
			})
		}}
	dataFlag(c, &data, ".")
	c.Flags().StringVar(&unit, "unit", "", "mã đơn vị nhận (bắt buộc)")
	c.Flags().StringVar(&from, "from", "", "chỉ của cơ quan phát hành này")
	c.Flags().BoolVar(&heal, "heal", false, "gửi lại vào hộp thư những bản còn thiếu, giữ nguyên mã bản gửi")
	c.Flags().BoolVar(&asJSON, "json", false, "in JSON cho chương trình")
	return c
}

func showSequences(s *streams, unit string, rows []exchange.Sequence, healed []exchange.MissingCopy) {
	for _, m := range healed {
		fmt.Fprintf(s.out, "Đã gửi lại: bản thứ %d, văn bản %s\n", m.Place, m.Reference)
	}
	if len(rows) == 0 {
		fmt.Fprintf(s.out, "Chưa có bản nào gửi cho %s.\n", unit)
	}
	for _, q := range rows {
		if len(q.Missing) == 0 {
			fmt.Fprintf(s.out, "%s: đủ %d bản.\n", q.Agency, q.Last)
			continue
		}
		var places []string
		for _, m := range q.Missing {
			text := fmt.Sprint("thứ ", m.Place)
			if m.Reference != "" {
				text += " (" + m.Reference + ")"
			}
			places = append(places, text)
		}
		fmt.Fprintf(s.out, "%s: có %d trên %d bản; thiếu bản %s. Thêm --heal để gửi lại.\n", q.Agency, q.Held, q.Last, strings.Join(places, ", "))
	}
}
