package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"congvan/mailcore"

	"github.com/BurntSushi/toml"
)

// configFile is the name of the one configuration file in the data folder.
const configFile = "congvan.toml"

// A config is what congvan.toml says. Every key has a default that works on one machine.
type config struct {
	Domain   string `toml:"domain"`   // of the province's mail: kontum.gov.vn
	Hostname string `toml:"hostname"` // in greetings; mail.DOMAIN
	Database string `toml:"database"` // sqlite:FILE in the data folder, or a PostgreSQL address
	Journal  string `toml:"journal"`  // a file on another disk than the database's, for the day that a backup is restored; "" for none
	Listen   struct {
		SMTP        string `toml:"smtp"`
		Submission  string `toml:"submission"`
		Submissions string `toml:"submissions"`
		IMAP        string `toml:"imap"`
		IMAPS       string `toml:"imaps"`
		Web         string `toml:"web"`
		Token       string `toml:"token"`
		LDAP        string `toml:"ldap"`
		LDAPS       string `toml:"ldaps"`

		PlainFromLoopback bool `toml:"plain_from_loopback"` // programs on this machine may log in without TLS
	} `toml:"listen"`
	LDAP struct {
		Anonymous bool `toml:"anonymous"` // the directory may be read without a login
	} `toml:"ldap"`
	Public map[string]string `toml:"public"` // service to host and port as people reach it; see publicServices
	TLS    struct {
		Certificate string `toml:"certificate"`
		Key         string `toml:"key"`
	} `toml:"tls"`
	Mail struct {
		MaxMessage   int64             `toml:"max_message"`
		SmartHost    string            `toml:"smart_host"`
		Routes       map[string]string `toml:"routes"`
		LoopbackOnly bool              `toml:"loopback_only"`
		CheckOrigin  bool              `toml:"check_origin"`
		MTASTS       string            `toml:"mta_sts"` // our own policy: enforce, testing, or "" for none
		Trusted      []netip.Prefix    `toml:"trusted_networks"`
	} `toml:"mail"`
	Hotfolder map[string]string `toml:"hotfolder"` // code of a unit to the folder that its scanner writes to
	Accounts  struct {
		URL        string `toml:"url"`         // of the account pages, as people reach them
		HashTime   uint32 `toml:"hash_time"`   // passes of argon2id
		HashMemory uint32 `toml:"hash_memory"` // KiB
		FaultUnit  string `toml:"fault_unit"`  // code of the unit that answers faults, leaks and spam
		Quota      int64  `toml:"quota"`       // bytes of an account without a quota of its own, 0 for no limit
	} `toml:"accounts"`
	Evidence struct {
		TSA      string `toml:"tsa"`       // address of a time stamp authority (RFC 3161) for the checkpoints of the log
		TSARoots string `toml:"tsa_roots"` // PEM file of its roots
		SealAs   string `toml:"seal_as"`   // code of the unit that seals confirmations; the issuing agency where empty
	} `toml:"evidence"`
	Blobs struct {
		Endpoint   string `toml:"s3_endpoint"`
		Bucket     string `toml:"s3_bucket"`
		Region     string `toml:"s3_region"`
		Prefix     string `toml:"s3_prefix"`
		AccessKey  string `toml:"s3_access_key"`
		SecretFile string `toml:"s3_secret_file"`
		CA         string `toml:"s3_ca"`
		Insecure   bool   `toml:"s3_insecure"`
		CacheSize  int64  `toml:"cache_size"`
	} `toml:"blobs"`
	Filter struct {
		Clamd              string `toml:"clamd"`
		Rspamd             string `toml:"rspamd"`
		RspamdController   string `toml:"rspamd_controller"`
		ControllerPassword string `toml:"rspamd_password"`
		WhenDown           string `toml:"when_down"`
	} `toml:"filter"`
	DKIM struct {
		Selector string `toml:"selector"`
		Key      string `toml:"key"`
	} `toml:"dkim"`
	DNS struct {
		Server string `toml:"server"`
	} `toml:"dns"`
	OCR struct {
		Parallel int `toml:"parallel"`
	} `toml:"ocr"`
	Seal sealConfig `toml:"seal"`

	dir   string        // the data folder
	lease time.Duration // of work that a dead process held, and
	doubt time.Duration // of copies that may have arrived; zero for the usual times, short in the demonstration
}

func defaults(dir string) *config {
	c := &config{Database: "sqlite:congvan.db", dir: dir}
	c.Listen.SMTP, c.Listen.Submission, c.Listen.IMAP = "127.0.0.1:2525", "127.0.0.1:2587", "127.0.0.1:2143"
	c.Listen.Web = "127.0.0.1:2443"
	c.Accounts.HashTime, c.Accounts.HashMemory = mailcore.DefaultHashCost.Time, mailcore.DefaultHashCost.Memory
	c.Mail.MaxMessage = 50 << 20
	c.Mail.CheckOrigin = true
	c.Mail.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	c.Filter.WhenDown = "wait"
	c.Blobs.Bucket, c.Blobs.SecretFile, c.Blobs.CacheSize = "congvan", "keys/s3-secret", 1<<30
	c.DKIM.Selector, c.DKIM.Key = "congvan", "keys/dkim.pem"
	c.OCR.Parallel = 2
	c.Evidence.TSARoots = filepath.Join("keys", "tsa-root.pem")
	c.Seal = sealDefaults()
	return c
}

// loadConfig reads the data folder's configuration. What is wrong is told by line.
func loadConfig(dir string) (*config, error) {
	path := filepath.Join(dir, configFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &hintError{fmt.Errorf("no installation in %s: %s is missing", dir, configFile), "make one with: congvan init --data " + dir + " --domain DOMAIN"}
	}
	if err != nil {
		return nil, err
	}
	return decodeConfig(dir, path, text)
}

// decodeConfig reads the text of a configuration for a data folder; path is the file that errors name.
func decodeConfig(dir, path string, text []byte) (*config, error) {
	c := defaults(dir)
	md, err := toml.Decode(string(text), c)
	if pe := (toml.ParseError{}); errors.As(err, &pe) {
		return nil, &hintError{fmt.Errorf("%s line %d: %s", path, pe.Position.Line, pe.Message), "mend that line"}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if unknown := md.Undecoded(); len(unknown) > 0 {
		return nil, &hintError{fmt.Errorf("%s line %d: unknown key %q", path, keyLine(path, unknown[0]), unknown[0]), "remove it or mend its spelling"}
	}
	return c, c.validate(path)
}

// keyLine finds the line that a key stands on, 0 when it cannot be told.
func keyLine(path string, key toml.Key) int {
	text, err := os.ReadFile(path)
	if err != nil || len(key) == 0 {
		return 0
	}
	for i, line := range strings.Split(string(text), "\n") {
		name, _, ok := strings.Cut(line, "=")
		if ok && strings.Trim(strings.TrimSpace(name), `"`) == key[len(key)-1] {
			return i + 1
		}
	}
	return 0
}

func (c *config) validate(path string) error {
	if c.Domain == "" {
		return &hintError{fmt.Errorf("%s: domain is missing", path), `add: domain = "tinh.gov.vn"`}
	}
	c.Domain = strings.ToLower(c.Domain)
	if c.Hostname == "" {
		c.Hostname = "mail." + c.Domain
	}
	for name, address := range map[string]string{"smtp": c.Listen.SMTP, "submission": c.Listen.Submission, "submissions": c.Listen.Submissions,
		"imap": c.Listen.IMAP, "imaps": c.Listen.IMAPS, "web": c.Listen.Web, "token": c.Listen.Token, "ldap": c.Listen.LDAP, "ldaps": c.Listen.LDAPS} {
		if address == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(address); err != nil {
			return &hintError{fmt.Errorf("%s: listen.%s = %q is no address", path, name, address), `write it as "127.0.0.1:2525" or ":25"`}
		}
	}
	if err := c.validatePublic(path); err != nil {
		return err
	}
	if !c.hashCost().Valid() {
		return &hintError{fmt.Errorf("%s: accounts.hash_time = %d, hash_memory = %d", path, c.Accounts.HashTime, c.Accounts.HashMemory), "time 1 to 10, memory 8 to 1048576 KiB"}
	}
	if c.Accounts.Quota < 0 {
		return &hintError{fmt.Errorf("%s line %d: accounts.quota = %d", path, keyLine(path, toml.Key{"quota"}), c.Accounts.Quota), "bytes, or 0 for no limit"}
	}
	if u, err := url.Parse(c.Evidence.TSA); c.Evidence.TSA != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return &hintError{fmt.Errorf("%s line %d: evidence.tsa = %q is no address", path, keyLine(path, toml.Key{"tsa"}), c.Evidence.TSA), `write it as "http://tsa.example.vn/"`}
	}
	if m := c.Mail.MTASTS; m != stsOff && m != stsTesting && m != stsEnforce {
		return &hintError{fmt.Errorf("%s line %d: mail.mta_sts = %q", path, keyLine(path, toml.Key{"mta_sts"}), m), `write "testing", "enforce" or ""`}
	}
	if w := c.Filter.WhenDown; w != "wait" && w != "mark" {
		return &hintError{fmt.Errorf("%s: filter.when_down = %q", path, w), `write "wait" or "mark"`}
	}
	if (c.TLS.Certificate == "") != (c.TLS.Key == "") {
		return &hintError{fmt.Errorf("%s: tls.certificate and tls.key go together", path), "give both, or neither for a certificate that congvan makes"}
	}
	return c.validateSeal(path)
}

func (c *config) hashCost() mailcore.HashCost {
	return mailcore.HashCost{Time: c.Accounts.HashTime, Memory: c.Accounts.HashMemory}
}

// path returns a path in the data folder; an absolute one stays.
func (c *config) path(parts ...string) string {
	p := filepath.Join(parts...)
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.dir, p)
}

func (c *config) dsn() string {
	if file, ok := strings.CutPrefix(c.Database, "sqlite:"); ok {
		return "sqlite:" + c.path(file)
	}
	return c.Database
}

// configText is what init writes: every key with its default, so that nobody has to look one up.
const configText = `# Cấu hình Công Văn. Khóa nào bỏ đi thì dùng giá trị mặc định ghi ở đây.

domain   = %q      # tên miền thư điện tử của tỉnh
hostname = %q
database = %q      # hoặc "postgres://user:password@host/congvan?sslmode=verify-full"

[listen]                     # địa chỉ rỗng: không mở. Cổng chuẩn: ":25", ":587", ":465", ":143", ":993"
smtp        = %q             # thư đến từ bên ngoài
submission  = %q             # thư của đơn vị và CBCC gửi đi, STARTTLS
submissions = %q             # như trên, TLS ngay từ đầu
imap        = %q             # đọc thư, STARTTLS
imaps       = %q
web         = %q             # trang tài khoản (https): đổi mật khẩu, mật khẩu ứng dụng
token       = ""             # máy của văn thư ký bằng thiết bị riêng (congvan token), TLS với khóa đã ghép đôi
ldap        = ""             # danh bạ cho ứng dụng thư, STARTTLS; cổng chuẩn ":389"
ldaps       = ""             # như trên, TLS ngay từ đầu; cổng chuẩn ":636"
plain_from_loopback = %t     # chương trình trên chính máy này được đăng nhập không TLS (IMAP, gửi thư): máy chủ TLS đứng trước, đo tốc độ

[public]                     # máy và cổng mà người dùng nối tới, khi khác hostname và [listen]: sau tường lửa, bộ cân bằng tải
# imaps       = "mail.tinh.gov.vn:993"      # cũng vậy: imap, submission, submissions, ldap, ldaps

[ldap]
anonymous = false            # true: ai cũng xem được danh bạ, không cần đăng nhập

[tls]                        # rỗng: chứng thư do congvan tự tạo trong thư mục tls
certificate = ""
key         = ""

[mail]
max_message   = 52428800     # byte
smart_host    = %q           # gửi mọi thư ra ngoài qua máy chủ này; rỗng: theo bản ghi MX
loopback_only = %t           # chỉ gửi tới máy này (thử nghiệm)
check_origin  = true         # hỏi SPF, DKIM, DMARC của thư từ bên ngoài; thư giả mạo vào "Thư rác", không mất
mta_sts       = ""           # "testing" rồi "enforce": công bố rằng thư gửi tới đây phải mã hóa (MTA-STS); xem congvan dns
trusted_networks = ["127.0.0.0/8", "::1/128"]   # thư từ các mạng này không hỏi: máy chuyển tiếp, bộ lọc của tỉnh

[mail.routes]                # "tên miền" = "máy chủ:cổng"

[hotfolder]                  # mã đơn vị = "thư mục mà máy quét của đơn vị ghi PDF vào"; xem congvan hotfolder --help

[accounts]
url         = ""             # địa chỉ trang tài khoản mà mọi người mở; rỗng: theo hostname và listen.web
hash_time   = 2              # argon2id: số lượt, và bộ nhớ (KiB) cho mỗi lần kiểm mật khẩu
hash_memory = 19456
fault_unit  = "stttt"        # mã đơn vị trả lời báo sự cố, lộ mật khẩu, thư rác (baosuco@); rỗng: quản trị viên, bằng congvan fault
quota       = 0              # byte mỗi hộp thư được giữ, 0: không giới hạn; riêng từng hộp thư: congvan account quota

[evidence]                   # chứng cứ
tsa       = ""               # địa chỉ nơi cấp dấu thời gian (RFC 3161) cho điểm chốt của nhật ký; rỗng: không xin
tsa_roots = "keys/tsa-root.pem"   # chứng thư gốc của nơi cấp dấu thời gian
seal_as   = ""               # mã đơn vị ký số giấy xác nhận; rỗng: cơ quan ban hành văn bản

[blobs]                      # nội dung thư và văn bản; rỗng: trong thư mục blobs. Nhiều máy: một kho S3 chung
s3_endpoint    = ""          # "s3.tinh.vn:9000"
s3_bucket      = "congvan"
s3_region      = ""
s3_prefix      = ""
s3_access_key  = ""
s3_secret_file = "keys/s3-secret"   # tệp chỉ người chạy congvan đọc được
s3_ca          = ""          # chứng thư gốc riêng của kho (PEM)
s3_insecure    = false       # true: HTTP không mã hóa, chỉ trong mạng tin cậy
cache_size     = 1073741824  # byte giữ lại ở máy này

[filter]                     # chống mã độc và thư rác; rỗng: không dùng
clamd     = ""               # "127.0.0.1:3310" hoặc "/run/clamav/clamd.ctl"; thư có mã độc bị từ chối
when_down = "wait"           # clamd không trả lời: "wait" thì thư chờ ở máy gửi, "mark" thì nhận và đánh dấu chưa quét
rspamd    = ""               # "http://127.0.0.1:11333"; thư rác vào "Thư rác"
rspamd_controller = ""       # "http://127.0.0.1:11334"; học từ việc chuyển thư vào, ra khỏi "Thư rác"
rspamd_password   = ""

[dkim]                       # chữ ký của tên miền trên thư gửi ra ngoài; xem bản ghi cần công bố: congvan dns
selector = "congvan"         # rỗng: không ký
key      = "keys/dkim.pem"   # tự tạo khi chưa có; nhiều máy dùng chung một khóa

[dns]
server = ""                  # "10.0.0.2:53"; rỗng: như hệ điều hành

[ocr]
parallel = 2                 # số trang nhận dạng cùng lúc
`

func (c *config) write() error {
	text := fmt.Sprintf(configText, c.Domain, c.Hostname, c.Database, c.Listen.SMTP, c.Listen.Submission, c.Listen.Submissions, c.Listen.IMAP,
		c.Listen.IMAPS, c.Listen.Web, c.Listen.PlainFromLoopback, c.Mail.SmartHost, c.Mail.LoopbackOnly) + fmt.Sprintf(sealText, c.Seal.Unattended.Decision, c.Seal.Unattended.Date)
	return writeFile(c.path(configFile), []byte(text), 0o600)
}

// writeFile writes a whole file or nothing of it.
func writeFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := errors.Join(f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
