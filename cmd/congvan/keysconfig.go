package main

import (
	"crypto"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"congvan/signing"
)

// A sealConfig is the part [seal] of congvan.toml: how agencies' seals are made and whom signatures are trusted from.
type sealConfig struct {
	Level         string          `toml:"level"`          // PAdES level of every seal
	OnUnavailable string          `toml:"on_unavailable"` // when a time stamp or revocation service is down: wait, or lower the level
	Revocation    string          `toml:"revocation"`     // online or offline
	OCSP          []string        `toml:"ocsp"`           // asked about certificates that name no such service
	CRL           []string        `toml:"crl"`            // likewise for revocation lists
	Trust         string          `toml:"trust"`          // folder of root certificates, beside the installation's own
	RenewBefore   int             `toml:"renew_before"`   // days before its end that an archive time stamp (B-LTA) is renewed
	Notify        string          `toml:"notify"`         // address here that is told of certificates which end, beside their units
	Timestamp     timestampConfig `toml:"timestamp"`
	Unattended    decisionConfig  `toml:"unattended"` // for agencies that give none of their own
	Agency        []agencyConfig  `toml:"agency"`
}

type timestampConfig struct {
	URL    []string `toml:"url"`    // tried in this order
	Roots  string   `toml:"roots"`  // PEM file; the trusted roots when empty
	Policy string   `toml:"policy"` // OID asked for
}

// A decisionConfig is the head's decision that a key may sign unattended on the server.
type decisionConfig struct {
	Decision string `toml:"decision"` // "12/QĐ-STTTT"
	Date     string `toml:"date"`     // "2026-01-05"
}

type agencyConfig struct {
	Unit        string          `toml:"unit"`
	Key         string          `toml:"key"`         // a PKCS#12 file, "pkcs11:…", or "token": the clerk's own at the clerk's computer
	Password    string          `toml:"password"`    // where that of the PKCS#12 file is: file:…, env:…, credential:…
	PIN         string          `toml:"pin"`         // where the PIN of the PKCS#11 token is; asked for when empty
	Certificate string          `toml:"certificate"` // PEM: the chain, where the token has none
	Level       string          `toml:"level"`
	Lower       string          `toml:"on_unavailable"`
	Copy        string          `toml:"copy"` // "sao y", "sao lục", "trích sao"
	Case        string          `toml:"case"` // A: electronic original, with pictures; C: electronic copy of paper. B is how annexes are marked
	Picture     pictureConfig   `toml:"picture"`
	Policy      policyConfig    `toml:"policy"`
	Digest      string          `toml:"digest"`  // "sha256", "sha384", "sha512"
	Padding     string          `toml:"padding"` // of RSA keys: "pkcs1" or "pss"
	Unattended  *decisionConfig `toml:"unattended"`
}

type pictureConfig struct {
	File string    `toml:"file"` // PNG
	Page int       `toml:"page"` // from 1; -1 is the last
	Box  []float64 `toml:"box"`  // left, bottom, width, height in points
	Over string    `toml:"over"` // name of the signature field whose left third it covers
}

type policyConfig struct {
	OID    string `toml:"oid"`
	SHA256 string `toml:"sha256"`
	URI    string `toml:"uri"`
}

// keyToken is the key of an agency whose clerk signs at the clerk's own computer.
const keyToken = "token"

// trialDecision is what an installation for trying out has instead of a head's decision. It can send to this machine alone.
var trialDecision = decisionConfig{"01/QĐ-THUNGHIEM", "2026-01-05"}

func sealDefaults() sealConfig {
	return sealConfig{Level: string(signing.LevelB), OnUnavailable: "wait", Revocation: "online", Trust: "trust", RenewBefore: 60, Notify: "postmaster"}
}

func (c *sealConfig) renewBefore() time.Duration {
	return time.Duration(c.RenewBefore) * 24 * time.Hour
}

// agency returns the settings of one agency, those that it does not give filled in.
func (c *sealConfig) agency(unit string) agencyConfig {
	a := agencyConfig{Unit: unit}
	if i := slices.IndexFunc(c.Agency, func(a agencyConfig) bool { return a.Unit == unit }); i >= 0 {
		a = c.Agency[i]
	}
	if a.Key == "" {
		a.Key = filepath.Join("keys", unit+".p12")
	}
	if a.Level == "" {
		a.Level = c.Level
	}
	if a.Lower == "" {
		a.Lower = c.OnUnavailable
	}
	if a.Password == "" {
		a.Password = "file:" + filepath.Join("keys", "password")
	}
	if a.Unattended == nil {
		a.Unattended = &c.Unattended
	}
	return a
}

// attended says that a person gives the key's PIN for what is signed.
func (a *agencyConfig) attended() bool {
	return a.Key == keyToken || strings.HasPrefix(a.Key, "pkcs11:") && a.PIN == ""
}

// A place is where a key of the configuration stands: its table, which of them for a list, and its name.
type place struct {
	table string
	nth   int
	key   string
}

// line finds the line of a place, else that of its table, 0 when neither is there.
func (p place) line(text string) int {
	at, seen, table := 0, -1, ""
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			table = strings.Trim(strings.TrimSpace(strings.SplitN(line, "#", 2)[0]), "[] ")
			if table == p.table || table == "seal.agency" {
				if table == "seal.agency" {
					seen++
				}
				if table == p.table && seen <= p.nth {
					at = i + 1
				}
			}
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		if ok && (table == p.table && (p.nth < 0 || seen == p.nth)) && strings.TrimSpace(name) == p.key {
			return i + 1
		}
	}
	return at
}

// A sealFault is one thing wrong in [seal].
type sealFault struct {
	at         place
	text, hint string
}

// faults lists what is wrong in [seal] by its own account; files are looked at by check.
func (c *sealConfig) faults() []sealFault {
	var out []sealFault
	say := func(table string, nth int, key, hint, format string, args ...any) {
		out = append(out, sealFault{place{table, nth, key}, fmt.Sprintf(format, args...), hint})
	}
	c.levelFaults(c.Level, func(hint, format string, args ...any) { say("seal", -1, "level", hint, "seal."+format, args...) })
	if !isWay(c.OnUnavailable) {
		say("seal", -1, "on_unavailable", `write "wait" or "lower"`, "seal.on_unavailable = %q", c.OnUnavailable)
	}
	if c.Revocation != "online" && c.Revocation != "offline" {
		say("seal", -1, "revocation", `write "online" or "offline"`, "seal.revocation = %q", c.Revocation)
	}
	if c.RenewBefore < 1 || c.RenewBefore > 3650 {
		say("seal", -1, "renew_before", "write a number of days from 1 to 3650", "seal.renew_before = %d", c.RenewBefore)
	}
	for key, list := range map[string][]string{"ocsp": c.OCSP, "crl": c.CRL} {
		if i := slices.IndexFunc(list, func(u string) bool { return !isWeb(u) }); i >= 0 {
			say("seal", -1, key, "write http://… or https://…", "seal.%s: %q is no address", key, list[i])
		}
	}
	if i := slices.IndexFunc(c.Timestamp.URL, func(u string) bool { return !isWeb(u) }); i >= 0 {
		say("seal.timestamp", -1, "url", "write http://… or https://…", "seal.timestamp.url: %q is no address", c.Timestamp.URL[i])
	}
	if _, err := parseOID(c.Timestamp.Policy); err != nil {
		say("seal.timestamp", -1, "policy", "write it as 1.2.3.4", "seal.timestamp.policy: %v", err)
	}
	if err := c.Unattended.check(); err != nil {
		say("seal.unattended", -1, "date", decisionHint, "seal.unattended: %v", err)
	}
	seen := map[string]bool{}
	for i := range c.Agency {
		a := &c.Agency[i]
		if a.Unit == "" || seen[a.Unit] {
			say("seal.agency", i, "unit", "every agency once, by its code in the directory", "seal.agency %d: unit %q is missing or there twice", i+1, a.Unit)
		}
		seen[a.Unit] = true
		c.agencyFaults(a, func(key, hint, format string, args ...any) {
			say("seal.agency", i, key, hint, "seal.agency %s: "+format, append([]any{a.Unit}, args...)...)
		})
	}
	return out
}

// levelFaults says what is wrong with a level, or missing for it.
func (c *sealConfig) levelFaults(level string, say func(hint, format string, args ...any)) {
	switch l := signing.Level(level); {
	case !isLevel(level):
		say(`write "B-B", "B-T", "B-LT" or "B-LTA"`, "level = %q is no level", level)
	case l.AtLeast(signing.LevelT) && len(c.Timestamp.URL) == 0:
		say("give seal.timestamp.url", "level = %q needs a time stamp authority", level)
	case l.AtLeast(signing.LevelLT) && c.Revocation == "offline":
		say(`write revocation = "online"`, "level = %q needs answers of revocation services", level)
	}
}

func (c *sealConfig) agencyFaults(a *agencyConfig, say func(key, hint, format string, args ...any)) {
	if a.Level != "" {
		c.levelFaults(a.Level, func(hint, format string, args ...any) { say("level", hint, format, args...) })
	}
	if a.Lower != "" && !isWay(a.Lower) {
		say("on_unavailable", `write "wait" or "lower"`, "on_unavailable = %q", a.Lower)
	}
	for key, source := range map[string]string{"password": a.Password, "pin": a.PIN} {
		if source != "" && !isSecretSource(source) {
			say(key, `write "file:PATH", "env:NAME" or "credential:NAME"`, "%s: a secret has no place in this file; say where it is", key)
		}
	}
	if strings.HasPrefix(a.Key, "pkcs11:") {
		if _, err := signing.ParseTokenURI(a.Key); err != nil {
			say("key", `write "pkcs11:token=…;object=…?module-path=/usr/lib/….so"`, "%v", err)
		}
	}
	if _, ok := copyKinds[strings.ToLower(a.Copy)]; !ok {
		say("copy", `write "sao y", "sao lục" or "trích sao"`, "copy = %q", a.Copy)
	}
	switch strings.ToUpper(a.Case) {
	case "", "C":
	case "A":
		if a.Picture.File == "" || len(a.Picture.Box) != 4 || a.Picture.Page == 0 && a.Picture.Over == "" {
			say("case", "give picture = { file, page, box = [left, bottom, width, height] }", "case A needs a picture with its place")
		}
	default:
		say("case", `write "A" for electronic originals or "C" for copies of paper; annexes are marked as case B by themselves`, "case = %q", a.Case)
	}
	if _, err := a.scheme(); err != nil {
		say("digest", `write digest = "sha256", "sha384" or "sha512", and padding = "pkcs1" or, for RSA keys, "pss"`, "%v", err)
	}
	if _, err := a.Policy.parse(); err != nil {
		say("policy", `write policy = { oid = "1.2.3", sha256 = "64 hex digits", uri = "https://…" }`, "policy: %v", err)
	}
	if a.Unattended != nil {
		if err := a.Unattended.check(); err != nil {
			say("unattended", decisionHint, "%v", err)
		}
	}
}

// validateSeal returns the first fault of [seal] with its line.
func (c *config) validateSeal(path string) error {
	faults := c.Seal.faults()
	if len(faults) == 0 {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		text = nil // the line cannot be told; the fault can
	}
	f := faults[0]
	return &hintError{fmt.Errorf("%s line %d: %s", path, f.at.line(string(text)), f.text), f.hint}
}

const decisionHint = `write decision = "12/QĐ-STTTT" and date = "2026-01-05"`

func isWay(s string) bool { return s == "wait" || s == "lower" }

func isSecretSource(s string) bool {
	kind, name, _ := strings.Cut(s, ":")
	return name != "" && (kind == "file" || kind == "env" || kind == "credential")
}

func isLevel(s string) bool {
	return slices.Contains([]signing.Level{signing.LevelB, signing.LevelT, signing.LevelLT, signing.LevelLTA}, signing.Level(s))
}

func isWeb(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

var copyKinds = map[string]signing.CopyKind{"": signing.FullCopy, "sao y": signing.FullCopy, "sao lục": signing.CopyOfCopy, "trích sao": signing.Extract}

// copyKind is what the mark calls the copy.
func (a agencyConfig) copyKind() signing.CopyKind { return copyKinds[strings.ToLower(a.Copy)] }

// scheme is how the values of signatures are made.
func (a agencyConfig) scheme() (c signing.Scheme, err error) {
	digests := map[string]crypto.Hash{"": crypto.SHA256, "sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}
	c = signing.Scheme{Hash: digests[strings.ToLower(a.Digest)], PSS: strings.EqualFold(a.Padding, "pss")}
	switch {
	case c.Hash == 0:
		return c, fmt.Errorf("digest = %q", a.Digest)
	case a.Padding != "" && !c.PSS && !strings.EqualFold(a.Padding, "pkcs1"):
		return c, fmt.Errorf("padding = %q", a.Padding)
	case (c.PSS || c.Hash != crypto.SHA256) && (a.Key == keyToken || strings.HasPrefix(a.Key, "pkcs11:")):
		return c, errors.New("keys in tokens sign by sha256 and pkcs1 alone")
	}
	return c, nil
}

// check wants both or neither, and a real date.
func (d decisionConfig) check() error {
	if (d.Decision == "") != (d.Date == "") {
		return fmt.Errorf("a decision has a number and a date")
	}
	if _, err := time.Parse(time.DateOnly, d.Date); err != nil && d.Date != "" {
		return fmt.Errorf("date %q of the decision is none", d.Date)
	}
	return nil
}

func parseOID(s string) (asn1.ObjectIdentifier, error) {
	if s == "" {
		return nil, nil
	}
	var out asn1.ObjectIdentifier
	for _, part := range strings.Split(s, ".") {
		n, err := strconv.ParseInt(part, 10, 32)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q is no object identifier", s)
		}
		out = append(out, int(n))
	}
	if len(out) < 2 || out[0] > 2 || out[0] < 2 && out[1] > 39 {
		return nil, fmt.Errorf("%q is no object identifier", s)
	}
	return out, nil
}

func (p policyConfig) parse() (*signing.SignaturePolicy, error) {
	if p == (policyConfig{}) {
		return nil, nil
	}
	id, err := parseOID(p.OID)
	if err != nil {
		return nil, err
	}
	sum, err := hex.DecodeString(p.SHA256)
	if err != nil || len(sum) != 32 || id == nil {
		return nil, fmt.Errorf("oid and sha256 (64 hex digits) go together")
	}
	if p.URI != "" && !isWeb(p.URI) {
		return nil, fmt.Errorf("uri %q is no address", p.URI)
	}
	return &signing.SignaturePolicy{ID: id, SHA256: [32]byte(sum), URI: p.URI}, nil
}

// sealText is the part of congvan.toml that init writes for seals.
const sealText = `
[seal]
level          = "B-B"       # B-B, B-T, B-LT, B-LTA (PAdES); từ B-T trở lên cần seal.timestamp
on_unavailable = "wait"      # dịch vụ dấu thời gian, OCSP không trả lời: "wait" văn bản chờ rồi tự đi tiếp; "lower" ký ở mức thấp hơn, sau đó máy tự nâng
revocation     = "online"    # hỏi tình trạng thu hồi khi ký: "online", hoặc "offline" (chỉ với B-B, B-T)
ocsp           = []          # hỏi thêm các địa chỉ này khi chứng thư không ghi địa chỉ nào
crl            = []
trust          = "trust"     # thư mục chứng thư gốc được tin cậy (PEM): Ban Cơ yếu Chính phủ, CA công cộng
renew_before   = 60          # số ngày trước khi dấu thời gian lưu trữ (B-LTA) hết hiệu lực thì máy tự gia hạn
notify         = "postmaster" # hộp thư ở đây nhận báo chứng thư sắp hết hạn (trước 60, 30, 7 ngày), cùng với đơn vị

[seal.timestamp]
url    = []                  # dịch vụ dấu thời gian (RFC 3161), hỏi lần lượt
roots  = ""                  # tệp PEM; rỗng: như chứng thư gốc được tin cậy
policy = ""

[seal.unattended]            # quyết định của người đứng đầu cho phép khóa trên máy chủ tự ký; không có thì máy chủ không tự ký
decision = %q
date     = %q

# [[seal.agency]]            # mỗi cơ quan một mục; không ghi thì dùng keys/MÃ.p12
# unit        = "MÃ"
# key         = "keys/MÃ.p12" # hoặc "pkcs11:token=…;object=…?module-path=/usr/lib/….so", hoặc "token" (máy của văn thư)
# password    = "file:keys/password" # của tệp PKCS#12: "file:ĐƯỜNGDẪN" (0600), "env:TÊN", "credential:TÊN" (systemd)
# pin         = ""           # của PKCS#11, như trên; rỗng: hỏi ở màn hình khi congvan issue
# level       = "B-LT"       # và on_unavailable: như ở [seal]
# copy        = "sao y"      # "sao lục", "trích sao"
# case        = "C"          # "A": văn bản điện tử gốc, kèm picture = { file = "dau.png", page = -1, box = [300, 150, 110, 110] }
# digest      = "sha256"     # "sha384", "sha512"; padding = "pkcs1" hoặc "pss" (khóa RSA); khóa trong thiết bị chỉ ký sha256, pkcs1
# policy      = { oid = "", sha256 = "", uri = "" }
# unattended  = { decision = "12/QĐ-STTTT", date = "2026-01-05" }
`
