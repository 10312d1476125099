package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"congvan/exchange"
	"congvan/recipients"
	"congvan/signing"

	"github.com/spf13/cobra"
)

func tokenCommand(s *streams) *cobra.Command {
	var home string
	c := &cobra.Command{
		Use:   "token",
		Short: "Máy của văn thư: ký số bằng thiết bị riêng",
		Long: `Chạy ở máy của văn thư: nhận văn bản chờ đóng dấu từ máy chủ đã ghép đôi, cho xem số, ký hiệu, trích yếu và tệp,
hỏi mã PIN cho từng tệp, rồi gửi chữ ký về. Khóa và mã PIN không rời máy này.

  ở máy chủ:         congvan token pair --data TỈNH --unit MÃ      in mã ghép đôi, dùng một lần
  ở máy của văn thư: congvan token join MÁYCHỦ:CỔNG --key "pkcs11:token=…;id=%01?module-path=…"
                     congvan token`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := openSigningDesk(home, s)
			if err != nil {
				return err
			}
			if err := d.load(); err != nil {
				return err
			}
			return d.run(c.Context())
		},
	}
	c.PersistentFlags().StringVar(&home, "home", deskHome(), "thư mục của máy này")
	c.AddCommand(tokenJoinCommand(s, &home), tokenPairCommand(s), tokenListCommand(s), tokenUnpairCommand(s))
	return c
}

func deskHome() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		dir = "."
	}
	return filepath.Join(dir, "congvan-token")
}

func tokenJoinCommand(s *streams, home *string) *cobra.Command {
	var key, code, certificate string
	c := &cobra.Command{
		Use:   "join HOST:PORT --key KEY",
		Short: "Ghép đôi máy này với máy chủ, bằng mã mà quản trị đã in",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if key == "" {
				return &usageError{errors.New("--key is missing"), `"pkcs11:token=…;id=%01?module-path=…", or a PKCS#12 file`}
			}
			d, err := openSigningDesk(*home, s)
			if err != nil {
				return err
			}
			if !strings.HasPrefix(key, "pkcs11:") {
				if key, err = filepath.Abs(key); err != nil {
					return err
				}
			}
			d.set = deskSettings{Gateway: args[0], Key: key}
			if certificate != "" {
				chain, err := signing.LoadChain(certificate)
				if err != nil {
					return err
				}
				for _, c := range chain {
					d.set.Chain = append(d.set.Chain, c.Raw)
				}
			}
			parsed, err := parsePairingCode(code)
			if err != nil {
				return err
			}
			if err := d.join(parsed); err != nil {
				return err
			}
			fmt.Fprintf(s.out, "Đã ghép đôi với %s cho %s.\nKhóa của máy chủ: %s\nTừ nay chạy: congvan token\n", d.set.Gateway, d.set.Agency, d.set.Pin)
			return nil
		},
	}
	c.Flags().StringVar(&key, "key", "", "khóa ký: địa chỉ pkcs11:…, hoặc tệp PKCS#12")
	c.Flags().StringVar(&code, "code", "", "mã mà congvan token pair đã in")
	c.Flags().StringVar(&certificate, "certificate", "", "chuỗi chứng thư (PEM), khi thiết bị không có")
	return c
}

func tokenPairCommand(s *streams) *cobra.Command {
	var data, unit string
	c := &cobra.Command{
		Use:   "pair --unit CODE",
		Short: "Ở máy chủ: in mã ghép đôi một máy của văn thư, dùng một lần trong 15 phút",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withInstallation(c.Context(), s, data, func(in *installation) error {
				dir, err := in.units.Directory(c.Context(), "")
				if err != nil {
					return err
				}
				u, ok := dir.Unit(recipients.UnitCode(unit))
				if !ok {
					return &exchange.Error{Class: exchange.Missing, Code: exchange.CodeUnknownUnit, Detail: unit}
				}
				if in.cfg.Listen.Token == "" {
					return &hintError{errors.New("máy chủ chưa mở cổng cho máy của văn thư"), `ghi token = "ĐỊACHỈ:CỔNG" vào [listen] của congvan.toml, rồi chạy lại congvan serve`}
				}
				forgetPairings(filepath.Join(in.keys.dir, deskDir), time.Now())
				code := newPairingCode()
				b, err := json.Marshal(pairing{Unit: u.Code, Key: code.derive("pairing"), Until: time.Now().Add(pairingLife)})
				if err != nil {
					return err
				}
				desks := filepath.Join(in.keys.dir, deskDir)
				if err := os.MkdirAll(desks, 0o700); err != nil {
					return err
				}
				if err := writeFile(filepath.Join(desks, "pairing-"+code.id()+".json"), b, 0o600); err != nil {
					return err
				}
				fmt.Fprintf(s.out, "Mã ghép đôi: %s\nDùng một lần, trong 15 phút, ở máy của văn thư %s:\n\n  congvan token join %s --code %s --key KHÓA\n", code, u.Name, in.cfg.Listen.Token, code)
				if in.cfg.Seal.agency(unit).Key != keyToken {
					fmt.Fprintf(s.out, "\nLưu ý: congvan.toml chưa ghi key = \"token\" cho %s trong [[seal.agency]].\n", unit)
				}
				return nil
			})
		},
	}
	dataFlag(c, &data, ".")
	c.Flags().StringVar(&unit, "unit", "", "mã của cơ quan")
	return c
}

// forgetPairings removes codes that nobody used in time.
func forgetPairings(dir string, now time.Time) {
	files, _ := filepath.Glob(filepath.Join(dir, "pairing-*.json")) // the pattern is a good one
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && now.Sub(info.ModTime()) > pairingLife {
			os.Remove(f) // what stays is refused by its own time
		}
	}
}

func tokenListCommand(s *streams) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "list",
		Short: "Ở máy chủ: các máy đã ghép đôi",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := loadConfig(data)
			if err != nil {
				return err
			}
			all, err := listDesks(cfg.path("keys", deskDir))
			if err != nil {
				return err
			}
			t := tabwriter.NewWriter(s.out, 2, 2, 2, ' ', 0)
			fmt.Fprintln(t, "Đơn vị\tMáy\tGhép đôi\tChứng thư số\tHết hạn\tKhóa kết nối")
			for _, d := range all {
				chain, err := d.chain()
				if err != nil {
					return err
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", d.Unit, d.Name, d.At.Format("02/01/2006 15:04"), chain[0].Subject.CommonName, chain[0].NotAfter.Format("02/01/2006"), d.Fingerprint[:16])
			}
			return t.Flush()
		},
	}
	dataFlag(c, &data, ".")
	return c
}

func tokenUnpairCommand(s *streams) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "unpair KEY",
		Short: "Ở máy chủ: bỏ ghép đôi một máy (KEY như congvan token list in ra)",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := loadConfig(data)
			if err != nil {
				return err
			}
			all, err := listDesks(cfg.path("keys", deskDir))
			if err != nil {
				return err
			}
			for _, d := range all {
				if len(args[0]) >= 8 && strings.HasPrefix(d.Fingerprint, args[0]) {
					fmt.Fprintf(s.out, "Đã bỏ ghép đôi máy %s của %s.\n", d.Name, d.Unit)
					return os.Remove((&deskGate{dir: cfg.path("keys", deskDir)}).deskFile(d.Fingerprint))
				}
			}
			return &hintError{fmt.Errorf("không có máy nào có khóa %q", args[0]), "xem: congvan token list"}
		},
	}
	dataFlag(c, &data, ".")
	return c
}
