// Command congvan is a document exchange gateway for official correspondence: it issues a province's paper documents as
// sealed electronic copies to every unit in their "Nơi nhận", and follows each copy until somebody has dealt with it.
//
// This package is the wiring: flags, configuration, files, signals, subcommands, the demonstration. It holds no rule of the
// trade and no SQL.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"congvan/exchange/intake"

	"github.com/spf13/cobra"
)

func main() {
	keepPrivate()
	intake.Child() // never returns where this program was started by itself to hold PDFium
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run executes one command line and returns the exit code: 0, 1 for an error, 2 for wrong usage.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	io := &streams{in, out, errOut}
	root := newRoot(io)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var u *usageError
	if errors.As(err, &u) {
		fmt.Fprintf(errOut, "error: %v\nhint: %s\n", err, u.hint)
		return 2
	}
	var quiet *exitError
	if errors.As(err, &quiet) {
		return quiet.code
	}
	text, hint := explain(err)
	fmt.Fprintf(errOut, "error: %s\n", text)
	if hint != "" {
		fmt.Fprintf(errOut, "hint: %s\n", hint)
	}
	return 1
}

// A usageError is a command line that cannot be meant.
type usageError struct {
	err  error
	hint string
}

func (e *usageError) Error() string { return e.err.Error() }

// An exitError ends the program after everything was said.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit %d", e.code) }

func newRoot(s *streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "congvan",
		Short:         "Document exchange gateway for official correspondence (cổng trao đổi văn bản điện tử)",
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &usageError{err, "see: " + c.CommandPath() + " --help"}
	})
	root.AddCommand(demoCommand(s), initCommand(s), serveCommand(s), checkCommand(s), directoryCommand(s), accountCommand(s),
		issueCommand(s), spoolCommand(s), registerCommand(s), sequenceCommand(s), backupCommand(s), restoreCommand(s), restoredCommand(s), actCommand(s), statusCommand(s), reportCommand(s), readCommand(s), headingCommand(s), recipientsCommand(s), recodeCommand(s), replyCommand(s), verifyCommand(s),
		evidenceCommand(s), hotfolderCommand(s), handoverCommand(s), faultCommand(s), dnsCommand(s), tokenCommand(s),
		calendarCommand(s), callCommand(s),
		recallCommand(s), replaceCommand(s), correctCommand(s), supplementCommand(s), undoCommand(s), pickupCommand(s))
	asUsage(root)
	root.SetUsageTemplate(usageTemplate)
	helpFlags(root)
	return root
}

// usageTemplate is cobra's, in the words of the people who read it.
const usageTemplate = `Cách dùng:{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} [lệnh]{{end}}{{if .HasExample}}

Ví dụ:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Các lệnh:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Tùy chọn:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableSubCommands}}

Xem từng lệnh: {{.CommandPath}} [lệnh] --help{{end}}
`

// helpFlags words the flag --help of c and of everything below it.
func helpFlags(c *cobra.Command) {
	c.Flags().BoolP("help", "h", false, "in phần trợ giúp này")
	for _, sub := range c.Commands() {
		helpFlags(sub)
	}
}

// asUsage makes a wrong number of arguments a usageError, in c and below it.
func asUsage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return &usageError{err, "see: " + c.CommandPath() + " --help"}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		asUsage(sub)
	}
}

// dataFlag adds --data, the folder of an installation.
func dataFlag(c *cobra.Command, value *string, usual string) {
	c.Flags().StringVar(value, "data", usual, "thư mục của hệ thống")
}
