package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"congvan/exchange"
	"congvan/recipients"

	"github.com/spf13/cobra"
)

// registerCommand is the clerk's hand on an agency's register of outgoing documents.
func registerCommand(s *streams) *cobra.Command {
	var data, unit, reason string
	var year int
	run := func(fn func(c *cobra.Command, in *installation, args []string) error) func(*cobra.Command, []string) error {
		return func(c *cobra.Command, args []string) error {
			if unit == "" {
				return &usageError{errors.New("--unit is missing"), "whose register? --unit CODE"}
			}
			return withInstallation(c.Context(), s, data, func(in *installation) error {
				dir, err := in.units.Directory(c.Context(), "")
				if err != nil {
					return err
				}
				if _, ok := dir.Unit(recipients.UnitCode(unit)); !ok {
					return &exchange.Error{Class: exchange.Missing, Code: exchange.CodeUnknownUnit, Detail: unit}
				}
				return fn(c, in, args)
			})
		}
	}
	by := func() exchange.Actor { return (&desk{}).actor(recipients.UnitCode(unit)) }
	mode := &cobra.Command{
		Use: "mode here|paper", Args: cobra.ExactArgs(1),
		Short: "Say who numbers: the gateway (here), or the agency's own book (paper, the usual one)",
		RunE: run(func(c *cobra.Command, in *installation, args []string) error {
			m, ok := map[string]exchange.Mode{"here": exchange.IssuedHere, "paper": exchange.TakenFromPaper}[args[0]]
			if !ok {
				return &usageError{fmt.Errorf("no mode %q", args[0]), "here or paper"}
			}
			return in.exchange.SetMode(c.Context(), recipients.UnitCode(unit), year, exchange.OutgoingBook, "", m)
		}),
	}
	take := &cobra.Command{
		Use: "take SYMBOL", Args: cobra.ExactArgs(1),
		Short: "Take the next number of a register that is numbered here, before the paper is stamped (SYMBOL: QĐ-UBND)",
		RunE: run(func(c *cobra.Command, in *installation, args []string) error {
			reference, err := in.exchange.TakeNumber(c.Context(), by(), recipients.UnitCode(unit), year, "", args[0])
			if err == nil {
				fmt.Fprintln(s.out, reference)
			}
			return err
		}),
	}
	void := &cobra.Command{
		Use: "void REFERENCE", Args: cobra.ExactArgs(1),
		Short: "Give up a reserved or missing number; the reason stays in the register",
		RunE: run(func(c *cobra.Command, in *installation, args []string) error {
			return in.exchange.VoidNumber(c.Context(), by(), recipients.UnitCode(unit), year, "", args[0], reason)
		}),
	}
	void.Flags().StringVar(&reason, "reason", "", "why the number is given up (required)")
	gaps := &cobra.Command{
		Use: "gaps", Args: cobra.NoArgs,
		Short: "List the numbers below the highest that nobody has registered (chưa vào sổ)",
		RunE: run(func(c *cobra.Command, in *installation, _ []string) error {
			missing, err := in.exchange.Gaps(c.Context(), recipients.UnitCode(unit), year, exchange.OutgoingBook, "")
			if err != nil {
				return err
			}
			if len(missing) == 0 {
				fmt.Fprintln(s.out, "Không thiếu số nào.")
				return nil
			}
			fmt.Fprintf(s.out, "Chưa vào sổ năm %d: %s\n", year, ranges(missing))
			return nil
		}),
	}
	subs := []*cobra.Command{mode, take, void, gaps}
	for _, c := range subs {
		dataFlag(c, &data, ".")
		c.Flags().StringVar(&unit, "unit", "", "code of the agency (required)")
		c.Flags().IntVar(&year, "year", time.Now().Year(), "year of the register")
	}
	return parent("register", "An agency's register of outgoing documents (sổ đăng ký văn bản đi)", subs...)
}

// ranges writes ascending numbers as 1-9, 12, 15-16.
func ranges(numbers []int64) string {
	var out []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		text := strconv.FormatInt(numbers[i], 10)
		if j > i {
			text += "-" + strconv.FormatInt(numbers[j], 10)
		}
		out, i = append(out, text), j+1
	}
	return strings.Join(out, ", ")
}
