package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/recipients"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// An accountTask is a subcommand of account, run with the installation open.
type accountTask func(ctx context.Context, in *installation, args []string) error

func accountCommand(s *streams) *cobra.Command {
	var data string
	command := func(use, short string, args cobra.PositionalArgs, task accountTask) *cobra.Command {
		c := &cobra.Command{Use: use, Short: short, Args: args, RunE: func(c *cobra.Command, args []string) error {
			return withInstallation(c.Context(), s, data, func(in *installation) error { return task(c.Context(), in, args) })
		}}
		dataFlag(c, &data, ".")
		return c
	}
	return parent("account", "Hộp thư của đơn vị và CBCC: mở, mật khẩu, ủy quyền, ngắt khi lộ mật khẩu",
		addCommand(s, command), passwdCommand(s, command), cutCommand(s, command), unlockCommand(s, command), leaveCommand(s, command),
		command("list", "Liệt kê hộp thư", cobra.NoArgs, func(ctx context.Context, in *installation, _ []string) error { return listAccounts(ctx, s, in) }),
		command("show ĐỊACHỈ", "Xem một tài khoản: mật khẩu ứng dụng, ủy quyền, nơi đã đăng nhập", cobra.ExactArgs(1),
			func(ctx context.Context, in *installation, args []string) error {
				return showAccount(ctx, s, in, args[0])
			}),
		command("close ĐỊACHỈ", "Đóng hộp thư của người không còn việc gì (thôi việc, giải thể: account leave): không ai vào được nữa, không nhận thư nữa; thư cũ còn nguyên, địa chỉ không cấp lại", cobra.ExactArgs(1),
			func(ctx context.Context, in *installation, args []string) error {
				return closeAccount(ctx, s, in, args[0])
			}),
		command("quota ĐỊACHỈ [DUNGLƯỢNG]", "Xem hoặc đặt dung lượng của một hộp thư: 500M, 2G, 0 (không giới hạn), macdinh (theo cấu hình)", cobra.RangeArgs(1, 2),
			func(ctx context.Context, in *installation, args []string) error {
				return accountQuota(ctx, s, in, args)
			}),
		delegateCommand(s, command),
		command("delegations", "Liệt kê ủy quyền, cả đã hết hạn", cobra.NoArgs, func(ctx context.Context, in *installation, _ []string) error { return listDelegations(ctx, s, in) }),
		command("undelegate SỐ", "Chấm dứt một ủy quyền ngay (số thứ tự lấy ở account delegations)", cobra.ExactArgs(1),
			func(ctx context.Context, in *installation, args []string) error {
				return undelegate(ctx, s, in, args[0])
			}))
}

type commandMaker func(use, short string, args cobra.PositionalArgs, task accountTask) *cobra.Command

func addCommand(s *streams, command commandMaker) *cobra.Command {
	var unit, name, password string
	var all bool
	c := command("add [ĐỊACHỈ]", "Mở hộp thư: của đơn vị (--unit MÃ), của CBCC (ĐỊACHỈ --unit MÃ --name TÊN), hoặc của mọi đơn vị (--all)", cobra.MaximumNArgs(1),
		func(ctx context.Context, in *installation, args []string) error {
			return addAccounts(ctx, s, in, args, recipients.UnitCode(unit), name, password, all)
		})
	c.Flags().StringVar(&unit, "unit", "", "mã đơn vị trong danh bạ")
	c.Flags().StringVar(&name, "name", "", "họ và tên CBCC")
	c.Flags().StringVar(&password, "password", "", "mật khẩu dùng được ngay, không bắt đổi (thử nghiệm, phần mềm); bỏ trống: máy cấp, phải đổi mới dùng được (Điều 7)")
	c.Flags().BoolVar(&all, "all", false, "mọi đơn vị trong danh bạ phải có hộp thư mà chưa có")
	return c
}

func passwdCommand(s *streams, command commandMaker) *cobra.Command {
	var issue bool
	c := command("passwd ĐỊACHỈ", "Đặt mật khẩu, đọc từ bàn phím hoặc đầu vào chuẩn; --issue: cấp mật khẩu mới phải đổi ngay", cobra.ExactArgs(1),
		func(ctx context.Context, in *installation, args []string) error {
			if issue {
				return issuePassword(ctx, s, in, args[0])
			}
			return setPassword(ctx, s, in, args[0])
		})
	c.Flags().BoolVar(&issue, "issue", false, "máy cấp mật khẩu, in ra một lần, phải đổi mới dùng được (Điều 7)")
	return c
}

func cutCommand(s *streams, command commandMaker) *cobra.Command {
	var lock bool
	c := command("cut ĐỊACHỈ", "Mật khẩu bị lộ: ngắt ngay mọi phiên, mật khẩu ứng dụng và kết nối trên mọi máy chủ, rồi cấp mật khẩu mới", cobra.ExactArgs(1),
		func(ctx context.Context, in *installation, args []string) error {
			a, err := mailcore.ParseAddress(args[0])
			if err != nil {
				return err
			}
			if err := in.mail.CutAccount(ctx, a); err != nil {
				return err
			}
			fmt.Fprintf(s.out, "Đã ngắt mọi phiên, mật khẩu ứng dụng và kết nối của %s.\n", a)
			if lock {
				fmt.Fprintf(s.out, "Không ai vào được cho đến khi cấp lại: congvan account passwd --issue %s\n", a)
				return nil
			}
			return issuePassword(ctx, s, in, args[0])
		})
	c.Flags().BoolVar(&lock, "lock", false, "không cấp mật khẩu mới: không ai vào được cho đến khi có lệnh passwd")
	return c
}

func addAccounts(ctx context.Context, s *streams, in *installation, args []string, unit recipients.UnitCode, name, password string, all bool) error {
	dir, err := in.units.Directory(ctx, "")
	if err != nil {
		return err
	}
	var wanted []mailcore.NewAccount
	switch {
	case all:
		wanted, err = missingAccounts(ctx, in, dir)
	case len(args) == 1:
		wanted, err = officerAccount(dir, args[0], unit, name)
	case unit != "":
		u, ok := dir.Unit(unit)
		if !ok {
			return &exchange.Error{Class: exchange.Missing, Code: exchange.CodeUnknownUnit, Detail: string(unit)}
		}
		wanted = []mailcore.NewAccount{unitAccount(in.cfg, u)}
	default:
		return &usageError{errors.New("whose mailbox?"), "give --unit CODE, or ADDRESS --unit CODE --name NAME, or --all"}
	}
	if err != nil {
		return err
	}
	for i := range wanted {
		wanted[i].Password = password
		if password == "" {
			wanted[i].Password, wanted[i].MustChange = newPassword(), true // Điều 7
		}
	}
	made, err := in.mail.CreateAccounts(ctx, wanted)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(s.out, 2, 2, 2, ' ', 0)
	for i, a := range made {
		fmt.Fprintf(t, "%s\t%s\t%s\n", a.Address, wanted[i].Password, a.Name)
	}
	t.Flush()
	if password == "" && len(made) > 0 {
		fmt.Fprintln(s.out, changeText(in.cfg))
	}
	return nil
}

func unitAccount(cfg *config, u recipients.Unit) mailcore.NewAccount {
	return mailcore.NewAccount{Address: mailcore.Address(string(u.Code) + "@" + cfg.Domain), Kind: mailcore.Unit, Name: u.Name, Unit: string(u.Code)}
}

// missingAccounts lists the units that are to have a mailbox here and have none.
func missingAccounts(ctx context.Context, in *installation, dir *recipients.Directory) ([]mailcore.NewAccount, error) {
	have, err := in.mail.ListAccounts(ctx)
	if err != nil {
		return nil, err
	}
	known := map[mailcore.Address]bool{}
	for _, a := range have {
		known[a.Address] = true
	}
	var out []mailcore.NewAccount
	for _, u := range dir.Units() {
		if a := unitAccount(in.cfg, u); u.Mailbox && !known[a.Address] {
			out = append(out, a)
		}
	}
	return out, nil
}

func officerAccount(dir *recipients.Directory, address string, unit recipients.UnitCode, name string) ([]mailcore.NewAccount, error) {
	a, err := mailcore.ParseAddress(address)
	if err != nil {
		return nil, &hintError{err, "hovaten.tendonvi@tên-miền (Điều 4)"}
	}
	if _, ok := dir.Unit(unit); !ok {
		return nil, &exchange.Error{Class: exchange.Missing, Code: exchange.CodeUnknownUnit, Detail: string(unit)}
	}
	if name == "" {
		return nil, &usageError{errors.New("--name is missing"), "congvan account add ADDRESS --unit CODE --name \"Họ và tên\""}
	}
	return []mailcore.NewAccount{{Address: a, Kind: mailcore.Officer, Name: name, Unit: string(unit)}}, nil
}

// newPassword returns twenty random letters and digits: over 100 bits.
func newPassword() string { return strings.ToLower(rand.Text()[:20]) }

// changeText says what the owner of an issued password has to do.
func changeText(cfg *config) string {
	text := "Mật khẩu chỉ in ra lần này. Người dùng phải đổi mới gửi, nhận thư được (Điều 7): "
	if url := cfg.accountURL(); url != "" {
		return text + "mở " + url
	}
	return text + "congvan account passwd ĐỊACHỈ"
}

func issuePassword(ctx context.Context, s *streams, in *installation, address string) error {
	a, err := mailcore.ParseAddress(address)
	if err != nil {
		return err
	}
	password := newPassword()
	if err := in.mail.SetPassword(ctx, a, password, true); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s  %s\n%s\n", a, password, changeText(in.cfg))
	return nil
}

func setPassword(ctx context.Context, s *streams, in *installation, address string) error {
	a, err := mailcore.ParseAddress(address)
	if err != nil {
		return err
	}
	var password string
	if f, ok := s.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(s.err, "Mật khẩu mới: ")
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(s.err)
		if err != nil {
			return err
		}
		password = string(b)
	} else {
		line, err := bufio.NewReader(s.in).ReadString('\n')
		if err != nil && line == "" {
			return &hintError{errors.New("không có mật khẩu"), "gõ mật khẩu, hoặc đưa vào qua đầu vào chuẩn"}
		}
		password = strings.TrimRight(line, "\r\n")
	}
	account, err := in.mail.Account(ctx, a)
	if err != nil {
		return err
	}
	if _, err := mailcore.JudgePassword(account, password); err != nil {
		return &hintError{fmt.Errorf("mật khẩu ngắn hơn %d ký tự, hoặc dễ đoán: %w", mailcore.MinPassword, err), "dùng một câu dài dễ nhớ, không phải tên hay địa chỉ"}
	}
	if err := in.mail.SetPassword(ctx, a, password, false); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "Đã đổi mật khẩu của %s.\n", a)
	return nil
}

func listAccounts(ctx context.Context, s *streams, in *installation) error {
	all, err := in.mail.ListAccounts(ctx)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(s.out, 2, 2, 2, ' ', 0)
	fmt.Fprintln(t, "Địa chỉ\tLoại\tĐơn vị\tTình trạng\tTên")
	for _, a := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", a.Address, a.Kind, a.Unit, accountState(a), a.Name)
	}
	return t.Flush()
}

func accountState(a mailcore.Account) string {
	switch {
	case !a.ClosedAt.IsZero():
		return "đã đóng"
	case a.MustChange:
		return "chờ đổi mật khẩu"
	case a.Kind == mailcore.System:
		return "của hệ thống"
	}
	return "đang dùng"
}

func closeAccount(ctx context.Context, s *streams, in *installation, address string) error {
	a, err := mailcore.ParseAddress(address)
	if err != nil {
		return err
	}
	if err := in.mail.CloseAccount(ctx, a); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "Đã đóng %s và ngắt mọi kết nối. Thư cũ còn nguyên; địa chỉ không cấp lại.\n", a)
	return nil
}

func showAccount(ctx context.Context, s *streams, in *installation, address string) error {
	parsed, err := mailcore.ParseAddress(address)
	if err != nil {
		return err
	}
	a, err := in.mail.Account(ctx, parsed)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s  %s  (%s, %s)\n", a.Address, a.Name, a.Kind, accountState(a))
	apps, err := in.mail.AppPasswords(ctx, a.ID)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(s.out, 2, 2, 2, ' ', 0)
	for _, p := range apps {
		fmt.Fprintf(t, "  mật khẩu ứng dụng\t%s\ttạo %s\tdùng %s\t%s\n", p.Name, localTime(p.CreatedAt), localTime(p.LastAt), p.LastPlace)
	}
	delegations, err := in.mail.ActsFor(ctx, a.ID, time.Now())
	if err != nil {
		return err
	}
	for _, d := range delegations {
		fmt.Fprintf(t, "  được ủy quyền\t%s\t%s\tđến hết %s\n", d.UnitName, d.Number, d.To)
	}
	places, err := in.mail.LoginPlaces(ctx, a.ID)
	if err != nil {
		return err
	}
	for _, p := range places {
		fmt.Fprintf(t, "  đăng nhập %s\ttừ %s\tlần cuối %s\t%d lần\t%s\n", p.Service, p.Place, localTime(p.LastAt), p.Logins, p.App)
	}
	return t.Flush()
}

func localTime(t time.Time) string {
	if t.IsZero() {
		return "chưa lần nào"
	}
	return t.In(time.FixedZone("+07", 7*3600)).Format("2006-01-02 15:04")
}

func delegateCommand(s *streams, command commandMaker) *cobra.Command {
	var unit, number, from, to string
	c := command("delegate ĐỊACHỈ", "Ủy quyền cho CBCC mở hộp thư đơn vị và thao tác thay đơn vị (--unit MÃ --number SỐ --to NGÀY)", cobra.ExactArgs(1),
		func(ctx context.Context, in *installation, args []string) error {
			if unit == "" || number == "" || to == "" {
				return &usageError{errors.New("--unit, --number and --to are needed"),
					`congvan account delegate an.snv@tinh.gov.vn --unit snv --number "12/GUQ-SNV" --from 2026-11-25 --to 2026-12-31`}
			}
			if from == "" {
				from = mailcore.CivilDate(time.Now())
			}
			return delegate(ctx, s, in, args[0], unit, number, from, to)
		})
	f := c.Flags()
	f.StringVar(&unit, "unit", "", "mã đơn vị")
	f.StringVar(&number, "number", "", "số giấy ủy quyền, ghi vào mọi thao tác")
	f.StringVar(&from, "from", "", "từ ngày, dạng 2026-11-25 (mặc định hôm nay)")
	f.StringVar(&to, "to", "", "đến hết ngày, dạng 2026-12-31")
	return c
}

func delegate(ctx context.Context, s *streams, in *installation, address, unit, number, from, to string) error {
	officer, err := mailcore.ParseAddress(address)
	if err != nil {
		return err
	}
	d, err := in.mail.Delegate(ctx, officer, mailcore.Address(unit+"@"+in.cfg.Domain), number, from, to)
	if errors.Is(err, mailcore.ErrBadDelegation) {
		return &hintError{err, "ĐỊACHỈ là của một CBCC, --unit là đơn vị có hộp thư, ngày viết 2026-12-31 và --to không trước --from"}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s được thao tác thay %s theo %s, từ %s đến hết %s (số %d).\nHộp thư hiện trong ứng dụng thư ở \"Hộp thư đơn vị/%s\".\n",
		d.Officer, d.UnitName, d.Number, d.From, d.To, d.ID, d.UnitName)
	return nil
}

func listDelegations(ctx context.Context, s *streams, in *installation) error {
	all, err := in.mail.ListDelegations(ctx)
	if err != nil {
		return err
	}
	today := mailcore.CivilDate(time.Now())
	t := tabwriter.NewWriter(s.out, 2, 2, 2, ' ', 0)
	fmt.Fprintln(t, "Số\tCBCC\tĐơn vị\tGiấy ủy quyền\tTừ\tĐến hết\tTình trạng")
	for _, d := range all {
		state := "đang có hiệu lực"
		switch {
		case !d.RevokedAt.IsZero():
			state = "đã chấm dứt " + localTime(d.RevokedAt)
		case d.To < today:
			state = "hết hạn"
		case d.From > today:
			state = "chưa đến ngày"
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", d.ID, d.Officer, d.UnitName, d.Number, d.From, d.To, state)
	}
	return t.Flush()
}

func undelegate(ctx context.Context, s *streams, in *installation, number string) error {
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return &usageError{fmt.Errorf("%q is no number of a delegation", number), "see: congvan account delegations"}
	}
	err = in.mail.RevokeDelegation(ctx, mailcore.DelegationID(id))
	if errors.Is(err, mailcore.ErrNoDelegation) {
		return &hintError{fmt.Errorf("không có ủy quyền số %d đang có hiệu lực", id), "xem: congvan account delegations"}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "Đã chấm dứt ủy quyền số %d; ai đang mở hộp thư đơn vị bằng ủy quyền này bị ngắt ngay.\n", id)
	return nil
}
