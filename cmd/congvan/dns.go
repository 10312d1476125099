package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"congvan/mailcore/mailauth"

	"github.com/spf13/cobra"
)

// dkimBits is a length that every receiver takes and that fits a TXT record of two strings (RFC 8301 §3.2).
const dkimBits = 2048

// resolver asks the DNS server of the configuration, or as the operating system does.
func (c *config) resolver() *net.Resolver {
	if c.DNS.Server == "" {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, c.DNS.Server)
	}}
}

// origin checks whose mail from outside is, nil when that is switched off.
func (c *config) origin() *mailauth.Checker {
	if !c.Mail.CheckOrigin {
		return nil
	}
	return &mailauth.Checker{Resolver: c.resolver(), Hostname: c.Hostname}
}

// dkim reads the key that signs outgoing mail, and makes it where there is none; nil when signing is switched off.
func (k *keyring) dkim(c *config) (*mailauth.Signer, error) {
	if c.DKIM.Selector == "" {
		return nil, nil
	}
	path := c.path(c.DKIM.Key)
	secret, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		if secret, err = k.makeDKIM(path); err != nil {
			return nil, fmt.Errorf("make the DKIM key: %w", err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("DKIM key: %w", err)
	}
	s, err := mailauth.NewSigner(c.Domain, c.DKIM.Selector, []byte(secret))
	if err != nil {
		return nil, &hintError{fmt.Errorf("%s: %w", path, err), `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 makes one; or dkim.selector = ""`}
	}
	return s, nil
}

func (k *keyring) makeDKIM(path string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if old, err := readSecret(path); err == nil {
		return old, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	key, err := rsa.GenerateKey(rand.Reader, dkimBits)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return string(text), writeFile(path, text, 0o600)
}

// A dnsRecord is one that the province should publish, and what was found of it.
type dnsRecord struct {
	Name   string   `json:"name"`
	Type   string   `json:"type"`
	Value  string   `json:"value"`
	Why    string   `json:"why"`
	Needed bool     `json:"needed"` // mail suffers without it
	State  string   `json:"state,omitempty"`
	Found  []string `json:"found,omitempty"`
}

// States of a record that was looked for.
const (
	dnsOK      = "ok"
	dnsMissing = "missing"
	dnsDiffers = "differs"
	dnsUnknown = "unknown" // the DNS did not answer
)

var dnsStates = map[string]string{dnsOK: "đúng", dnsMissing: "CHƯA CÓ", dnsDiffers: "KHÁC", dnsUnknown: "chưa hỏi được"}

func dnsCommand(s *streams) *cobra.Command {
	var data, address string
	var check, asJSON bool
	c := &cobra.Command{
		Use:   "dns",
		Short: "In các bản ghi DNS cần công bố cho tên miền thư, hoặc kiểm tra chúng",
		Long: `In đúng các bản ghi DNS mà tỉnh cần công bố để thư đi tới nơi và không ai giả mạo được tên miền.
Với --check: hỏi DNS và cho biết bản ghi nào đã đúng, còn thiếu, hay khác. Mã thoát 1 khi thư sẽ bị ảnh hưởng.`,
		Example: "  congvan dns --address 203.0.113.5\n  congvan dns --check",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := loadConfig(data)
			if err != nil {
				return err
			}
			records, err := cfg.dnsRecords(address)
			if err != nil {
				return err
			}
			if check {
				ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
				defer cancel()
				for i := range records {
					records[i].look(ctx, cfg.resolver())
				}
			}
			if asJSON {
				err = json.NewEncoder(s.out).Encode(records)
			} else {
				err = printRecords(s, records, check)
			}
			if err == nil && check && slices.ContainsFunc(records, func(r dnsRecord) bool { return r.Needed && r.State != dnsOK }) {
				return &exitError{1}
			}
			return err
		},
	}
	dataFlag(c, &data, ".")
	c.Flags().BoolVar(&check, "check", false, "hỏi DNS xem các bản ghi đã đúng chưa")
	c.Flags().StringVar(&address, "address", "", "địa chỉ IP công khai của máy chủ thư")
	c.Flags().BoolVar(&asJSON, "json", false, "in JSON")
	return c
}

// dnsRecords are what RFC 5321, RFC 7208, RFC 6376, RFC 7489, RFC 6186, RFC 8460 and RFC 8461 have a mail domain publish.
func (c *config) dnsRecords(address string) ([]dnsRecord, error) {
	host := c.Hostname + "."
	addressType := "A"
	if ip := net.ParseIP(address); address != "" && ip == nil {
		return nil, &hintError{fmt.Errorf("%q không phải địa chỉ IP", address), "ghi như 203.0.113.5"}
	} else if ip != nil && ip.To4() == nil {
		addressType = "AAAA"
	}
	out := []dnsRecord{
		{Name: c.Domain, Type: "MX", Value: "10 " + host, Why: "thư gửi tới tên miền vào máy chủ này", Needed: true},
		{Name: c.Hostname, Type: addressType, Value: address, Why: "địa chỉ của máy chủ; bản ghi PTR của địa chỉ phải chỉ về " + c.Hostname, Needed: true},
		{Name: c.Domain, Type: "TXT", Value: "v=spf1 mx -all", Why: "SPF: chỉ máy chủ này gửi thư của tên miền", Needed: true},
		{Name: c.Hostname, Type: "TXT", Value: "v=spf1 a -all", Why: "SPF của tên máy, cho thư báo"},
	}
	signer, err := (&keyring{dir: c.path("keys")}).dkim(c)
	if err != nil {
		return nil, err
	}
	if signer != nil {
		name, text, err := signer.Record()
		if err != nil {
			return nil, err
		}
		out = append(out, dnsRecord{Name: name, Type: "TXT", Value: text, Why: "DKIM: khóa công khai của chữ ký trên thư", Needed: true})
	}
	out = append(out,
		dnsRecord{Name: "_dmarc." + c.Domain, Type: "TXT", Value: "v=DMARC1; p=quarantine; rua=mailto:postmaster@" + c.Domain,
			Why: "DMARC: thư mạo danh tên miền bị coi là thư rác", Needed: true},
		dnsRecord{Name: "_smtp._tls." + c.Domain, Type: "TXT", Value: "v=TLSRPTv1; rua=mailto:postmaster@" + c.Domain, Why: "báo cáo lỗi mã hóa từ các máy chủ khác"},
	)
	if c.Mail.MTASTS != stsOff {
		out = append(out,
			dnsRecord{Name: c.stsHost(), Type: "CNAME", Value: host, Why: "MTA-STS: nơi đọc chính sách, https cổng 443 tới listen.web; chứng thư phải có tên này"},
			dnsRecord{Name: "_mta-sts." + c.Domain, Type: "TXT", Value: c.stsRecord(), Why: "MTA-STS: thư gửi tới tên miền phải mã hóa; id đổi khi chính sách đổi"})
	}
	out = append(out, c.clientRecords()...)
	return out, nil
}

// look asks the DNS for the record.
func (r *dnsRecord) look(ctx context.Context, dns *net.Resolver) {
	found, err := r.lookup(ctx, dns)
	var none *net.DNSError
	switch {
	case errors.As(err, &none) && none.IsNotFound, err == nil && len(found) == 0:
		r.State = dnsMissing
	case err != nil:
		r.State = dnsUnknown
	case slices.ContainsFunc(found, r.is):
		r.State = dnsOK
	default:
		r.State, r.Found = dnsDiffers, found
	}
}

func (r *dnsRecord) lookup(ctx context.Context, dns *net.Resolver) (out []string, err error) {
	switch r.Type {
	case "MX":
		list, err := dns.LookupMX(ctx, r.Name)
		for _, mx := range list {
			out = append(out, fmt.Sprintf("%d %s", mx.Pref, mx.Host))
		}
		return out, err
	case "SRV":
		_, list, err := dns.LookupSRV(ctx, "", "", r.Name)
		for _, s := range list {
			out = append(out, fmt.Sprintf("%d %d %d %s", s.Priority, s.Weight, s.Port, s.Target))
		}
		return out, err
	case "CNAME":
		return r.aliasOf(ctx, dns)
	case "TXT":
		list, err := dns.LookupTXT(ctx, r.Name)
		version, _, _ := strings.Cut(r.Value, "=")
		for _, text := range list {
			kind, _, _ := strings.Cut(r.Value[len(version)+1:], ";")
			kind, _, _ = strings.Cut(kind, " ")
			if strings.HasPrefix(text, version+"="+kind) {
				out = append(out, text) // other texts at this name are none of ours
			}
		}
		return out, err
	}
	list, err := dns.LookupIPAddr(ctx, r.Name)
	for _, a := range list {
		out = append(out, a.String())
	}
	return out, err
}

// aliasOf returns where a name leads; addresses of the wanted host's own are as good as an alias to it.
func (r *dnsRecord) aliasOf(ctx context.Context, dns *net.Resolver) ([]string, error) {
	name, err := dns.LookupCNAME(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(strings.TrimSuffix(name, "."), r.Name) {
		return []string{strings.ToLower(name)}, nil
	}
	found, err := dns.LookupHost(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	wanted, err := dns.LookupHost(ctx, r.Value)
	if err == nil && slices.ContainsFunc(found, func(a string) bool { return slices.Contains(wanted, a) }) {
		return []string{r.Value}, nil
	}
	return found, nil
}

// is says whether what was found serves: a policy of the province's own, another priority or address is as good.
func (r *dnsRecord) is(found string) bool {
	fields := func(s string) []string {
		return strings.FieldsFunc(strings.ToLower(s), func(c rune) bool { return c == ' ' || c == ';' })
	}
	switch {
	case r.Type == "MX":
		return strings.HasSuffix(found, strings.TrimPrefix(r.Value, "10"))
	case r.Type == "SRV":
		want, got := strings.Fields(r.Value), strings.Fields(found)
		return slices.Equal(want[2:], got[2:])
	case r.Type == "CNAME":
		return found == r.Value
	case r.Type == "A" || r.Type == "AAAA":
		return r.Value == "" || found == r.Value
	case strings.HasPrefix(r.Value, "v=spf1"):
		f := fields(found)
		return slices.Contains(f, fields(r.Value)[1]) && (slices.Contains(f, "-all") || slices.Contains(f, "~all"))
	case strings.HasPrefix(r.Value, "v=DMARC1"):
		f := fields(found)
		return slices.Contains(f, "p=quarantine") || slices.Contains(f, "p=reject")
	case strings.HasPrefix(r.Value, "v=DKIM1"):
		squeeze := strings.NewReplacer(" ", "", "\t", "")
		want, got := squeeze.Replace(r.Value), squeeze.Replace(found)
		return got[strings.LastIndex(got, "p=")+2:] == want[strings.LastIndex(want, "p=")+2:]
	}
	if strings.HasPrefix(r.Value, "v=STSv1") {
		return slices.Equal(fields(found), fields(r.Value))
	}
	return strings.HasPrefix(found, "v=TLSRPTv1")
}

// zoneText is the value as a zone file has it: texts in strings of at most 255 bytes.
func (r *dnsRecord) zoneText() string {
	if r.Type != "TXT" {
		return cmp.Or(r.Value, "(địa chỉ IP công khai: --address)")
	}
	var parts []string
	for rest := r.Value; rest != ""; {
		n := min(255, len(rest))
		parts = append(parts, `"`+rest[:n]+`"`)
		rest = rest[n:]
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "( " + strings.Join(parts, "\n\t") + " )"
}

func printRecords(s *streams, records []dnsRecord, check bool) error {
	if !check {
		for _, r := range records {
			fmt.Fprintf(s.out, "; %s\n%s.\t3600\tIN\t%s\t%s\n", r.Why, r.Name, r.Type, r.zoneText())
		}
		return nil
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TÊN\tLOẠI\tKẾT QUẢ\tĐỂ LÀM GÌ")
	for _, r := range records {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Name, r.Type, dnsStates[r.State], r.Why)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range records {
		if r.State == dnsDiffers {
			fmt.Fprintf(s.out, "\n%s %s\n  đang có:  %s\n  cần có:   %s\n", r.Name, r.Type, strings.Join(r.Found, "\n            "), r.Value)
		}
	}
	return nil
}
