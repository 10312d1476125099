package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"congvan/recipients"

	"github.com/spf13/cobra"
)

// aliasCommand shows, adds and takes back the names that clerks taught the directory.
func aliasCommand(s *streams) *cobra.Command {
	var data, unit, as string
	var asJSON bool
	list := &cobra.Command{
		Use:   "list",
		Short: "Các tên gọi đã ghi nhớ từ quyết định của văn thư",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withInstallation(c.Context(), s, data, func(in *installation) error { return listAliases(c.Context(), s, in, asJSON) })
		},
	}
	learn := &cobra.Command{
		Use:     "learn TÊN --unit MÃ",
		Short:   "Ghi nhớ một tên gọi của đơn vị; áp dụng cho văn bản của mọi ngày",
		Example: `  congvan directory alias learn "Nhà đèn tỉnh" --unit dienluc`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if unit == "" {
				return &usageError{errors.New("chưa ghi đơn vị"), `congvan directory alias learn "TÊN" --unit MÃ`}
			}
			return withInstallation(c.Context(), s, data, func(in *installation) error {
				return learnAlias(c.Context(), s, in, recipients.UnitCode(unit), args[0], as, asJSON)
			})
		},
	}
	forget := &cobra.Command{
		Use:   "forget TÊN",
		Short: "Bỏ một tên gọi đã ghi nhớ",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return withInstallation(c.Context(), s, data, func(in *installation) error {
				return forgetAlias(c.Context(), s, in, recipients.UnitCode(unit), args[0], as, asJSON)
			})
		},
	}
	for _, c := range []*cobra.Command{list, learn, forget} {
		dataFlag(c, &data, ".")
		c.Flags().BoolVar(&asJSON, "json", false, "in JSON, mỗi tên gọi một dòng")
	}
	for _, c := range []*cobra.Command{learn, forget} {
		c.Flags().StringVar(&unit, "unit", "", "mã đơn vị")
		c.Flags().StringVar(&as, "as", "", "ai quyết định; không ghi thì là người dùng của máy này")
	}
	return parent("alias", "Tên gọi của đơn vị do văn thư quyết định", list, learn, forget)
}

// aliasRecord is an alias as --json writes it.
type aliasRecord struct {
	Alias  string `json:"alias"`
	Unit   string `json:"unit"`
	Name   string `json:"name,omitempty"`
	By     string `json:"by,omitempty"`
	At     string `json:"at,omitempty"`
	Action string `json:"action,omitempty"` // learned or forgotten
}

func listAliases(ctx context.Context, s *streams, in *installation, asJSON bool) error {
	learned, err := in.units.LearnedAliases(ctx)
	if err != nil {
		return err
	}
	dir, err := in.units.Directory(ctx, "")
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(s.out, 2, 2, 2, ' ', 0)
	if !asJSON && len(learned) > 0 {
		fmt.Fprintln(t, "Tên gọi\tMã\tĐơn vị\tNgười quyết định\tNgày")
	}
	for _, a := range learned {
		u, ok := dir.Unit(a.Code)
		if !ok {
			u.Name = "(đơn vị đã thôi hoạt động)"
		}
		if asJSON {
			if err := writeJSON(s.out, aliasRecord{Alias: a.Alias, Unit: string(a.Code), Name: u.Name, By: a.By, At: a.At.Format(time.RFC3339)}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", a.Alias, a.Code, u.Name, a.By, a.At.In(time.FixedZone("", 7*3600)).Format("02/01/2006 15:04"))
	}
	if !asJSON && len(learned) == 0 {
		fmt.Fprintln(t, "Chưa ghi nhớ tên gọi nào.")
	}
	return t.Flush()
}

func learnAlias(ctx context.Context, s *streams, in *installation, unit recipients.UnitCode, alias, as string, asJSON bool) error {
	by := (&desk{flags: issueFlags{as: as}}).actor("").String()
	if err := in.units.LearnAlias(ctx, unit, alias, by); err != nil {
		return err
	}
	if asJSON {
		return writeJSON(s.out, aliasRecord{Alias: alias, Unit: string(unit), By: by, Action: "learned"})
	}
	fmt.Fprintf(s.out, "Đã ghi nhớ: “%s” là %s. Bỏ bằng: congvan directory alias forget \"%s\".\n", alias, unit, alias)
	return nil
}

func forgetAlias(ctx context.Context, s *streams, in *installation, unit recipients.UnitCode, alias, as string, asJSON bool) error {
	by := (&desk{flags: issueFlags{as: as}}).actor("").String()
	if err := in.units.ForgetAlias(ctx, unit, alias, by); err != nil {
		return err
	}
	if asJSON {
		return writeJSON(s.out, aliasRecord{Alias: alias, Unit: string(unit), By: by, Action: "forgotten"})
	}
	fmt.Fprintf(s.out, "Đã bỏ tên gọi “%s”; dòng nơi nhận ghi tên này sẽ lại để văn thư chọn.\n", alias)
	return nil
}
