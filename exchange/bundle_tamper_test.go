package exchange_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"congvan/exchange"
	"congvan/mailcore"
	"congvan/mailcore/sqldb"
	"congvan/signing"

	"golang.org/x/mod/sumdb/note"
)

// membersOf reads a bundle's members by name.
func membersOf(t testing.TB, bundle []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if out[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// resigned gives a bundle a manifest that fits its members, as only the holder of the log's key can: what is inside must
// give a forgery away.
func resigned(t testing.TB, bundle []byte) []byte {
	t.Helper()
	key, err := testLogKey()
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	members := membersOf(t, bundle)
	text := strings.Join(strings.SplitAfter(string(members["MANIFEST"]), "\n")[:3], "")
	for _, f := range z.File[1:] {
		text += fmt.Sprintf("%x  %d  %s\n", sha256.Sum256(members[f.Name]), len(members[f.Name]), f.Name)
	}
	manifest, err := note.Sign(&note.Note{Text: text}, key.Signer)
	if err != nil {
		t.Fatal(err)
	}
	return rezip(t, bundle, zip.Store, func(name string, b []byte) []byte {
		if name == "MANIFEST" {
			return manifest
		}
		return b
	})
}

// told are two documents with everything that a bundle can hold: outside copies with dialogues, replies, a refusal.
func (h *house) told(t testing.TB) (one, other []byte) {
	t.Helper()
	var out [][]byte
	for _, ref := range []string{"60/SNV-VP", "61/SNV-VP"} {
		st := h.issue(t, proposal(ref, "Sở Y tế, UBND=syt ubnd", "Sở Tài chính (để biết)=stc", "X>Trạm X <vt@x.test>"))
		d := copyTo(t, st, "Trạm X")
		h.try(t, mailcore.Outcome{State: mailcore.AttemptSent, Host: "mx.x.test", Phase: "done", Code: 250, Enhanced: "2.0.0",
			Dialogue: "> MAIL FROM:<tralai+" + d.Dispatch.Token() + "@tinh.test>\n< 250 2.0.0 Ok " + ref})
		h.move(t, "syt", "Đã tiếp nhận")
		h.reply(t, copyTo(t, st, "ubnd"), "ubnd", "Từ chối: gửi nhầm "+ref)
		h.log(t)
		bundle := h.export(t, st.Document.ID, exchange.ExportOptions{Confirm: true})
		if bytes.Contains(bundle, []byte(d.Dispatch.Secret)) {
			t.Errorf("%s tells the secret of a copy", ref)
		}
		out = append(out, bundle)
	}
	for _, b := range out {
		if r := exchange.VerifyBundle(context.Background(), b, bundleTrust(t)); r.Status != signing.Valid {
			t.Fatalf("%s %v", r.Status, checks(r))
		}
	}
	return out[0], out[1]
}

// forgery expects that a bundle is not valid and that the reason names something.
func forgery(t *testing.T, what string, bundle []byte, names ...string) {
	t.Helper()
	r := exchange.VerifyBundle(context.Background(), bundle, bundleTrust(t))
	said := strings.Join(checks(r), " ")
	if r.Status != signing.Invalid || !slices.ContainsFunc(names, func(n string) bool { return strings.Contains(said, n) }) {
		t.Errorf("%s: %s %q, want one of %q", what, r.Status, said, names)
	}
}

// edit writes a bundle with some members set, in place or at the end, and those set to nil left out.
func edit(t testing.TB, bundle []byte, set map[string][]byte) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	members, names := membersOf(t, bundle), []string{}
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	for name := range set {
		if _, there := members[name]; !there {
			names = append(names, name)
		}
	}
	maps.Copy(members, set)
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range names {
		if members[name] == nil {
			continue
		}
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: z.File[0].Modified})
		if err != nil {
			t.Fatal(err)
		}
		f.Write(members[name])
	}
	w.Close()
	return out.Bytes()
}

// Every member of a bundle: changed, cut, emptied, taken out, put in, exchanged with another bundle's.
func TestEveryForgedMemberIsNamed(t *testing.T) {
	h := newHouseAt(t, sqldb.SQLite)
	good, other := h.told(t)
	theirs := membersOf(t, other)
	for name, data := range membersOf(t, good) {
		changed := bytes.Clone(data)
		changed[len(changed)/3] ^= 1
		want := []string{name}
		if name == "MANIFEST" {
			want = []string{"MANIFEST", "danh mục", "Danh mục", "Tệp"}
		}
		forgery(t, name+" changed", edit(t, good, map[string][]byte{name: changed}), want...)
		forgery(t, name+" cut", edit(t, good, map[string][]byte{name: data[:len(data)-1]}), want...)
		forgery(t, name+" emptied", edit(t, good, map[string][]byte{name: {}}), want...)
		forgery(t, name+" taken out", edit(t, good, map[string][]byte{name: nil}), want...)
		forgery(t, name+" renamed", edit(t, good, map[string][]byte{name: nil, name + "x": data}), want...)
		if swap, ok := theirs[name]; ok && !bytes.Equal(swap, data) {
			forgery(t, name+" of another bundle", edit(t, good, map[string][]byte{name: swap}), want...)
		}
	}
	for name, data := range map[string][]byte{"them.txt": []byte("thêm"), "files/99-them.pdf": testPDF(), "eml/x.eml": []byte("x"), "MANIFEST2": membersOf(t, good)["MANIFEST"]} {
		forgery(t, name+" put in", edit(t, good, map[string][]byte{name: data}), name)
	}
}

// Whoever has the key of the log can write a manifest, but no history: each field of each event, proof, checkpoint and row is
// held by the chains, the tree or what people signed.
func TestWhoHoldsTheLogKeyCannotRewriteABundle(t *testing.T) {
	h := newHouseAt(t, sqldb.SQLite)
	good, other := h.told(t)
	members := membersOf(t, good)
	if r := exchange.VerifyBundle(context.Background(), resigned(t, good), bundleTrust(t)); r.Status != signing.Valid {
		t.Fatalf("signed anew and unchanged: %v", checks(r))
	}
	forged := func(what, name string, data []byte, names ...string) {
		t.Helper()
		forgery(t, what, resigned(t, edit(t, good, map[string][]byte{name: data})), names...)
	}
	for _, name := range []string{"events.jsonl", "checkpoints.jsonl"} {
		lines := bytes.SplitAfter(bytes.TrimSuffix(members[name], []byte("\n")), []byte("\n"))
		joined := func(lines ...[]byte) []byte { return bytes.Join(lines, nil) }
		for i, line := range lines {
			for path, mutant := range mutants(t, line) {
				if path == "/stamp" {
					continue
				}
				forged(fmt.Sprintf("%s %d %s", name, i, path), name, joined(slices.Concat(lines[:i], [][]byte{mutant}, lines[i+1:])...), "Sự kiện", "Điểm chốt", "Giấy")
			}
			forged(fmt.Sprintf("%s %d removed", name, i), name, joined(slices.Concat(lines[:i], lines[i+1:])...), "Sự kiện", "Điểm chốt", "Giấy", "Văn bản")
			forged(fmt.Sprintf("%s %d doubled", name, i), name, joined(slices.Concat(lines[:i+1], [][]byte{[]byte("\n"), line, []byte("\n")}, lines[i+1:])...), "Sự kiện", "Điểm chốt", "Giấy")
			if i > 0 {
				swapped := slices.Clone(lines)
				swapped[i-1], swapped[i] = append(bytes.TrimSpace(lines[i]), '\n'), append(bytes.TrimSpace(lines[i-1]), '\n')
				forged(fmt.Sprintf("%s %d exchanged", name, i), name, joined(swapped...), "Sự kiện", "Điểm chốt", "Giấy")
			}
		}
	}
	for path, mutant := range mutants(t, members["record.json"]) {
		forged("record.json "+path, "record.json", mutant, "record.json", "Sự kiện", "Văn bản", "Tệp", "Giấy", "Danh sách")
	}
	for path, mutant := range mutants(t, members["confirmation.json"]) {
		forged("confirmation.json "+path, "confirmation.json", mutant, "Giấy xác nhận")
	}
	for path, mutant := range mutants(t, members["mail.json"]) {
		if strings.HasSuffix(path, "/at") || strings.HasSuffix(path, "/ended_at") || strings.HasSuffix(path, "/phase") || strings.HasSuffix(path, "/ref") {
			continue // the queue's own notes: no event holds them
		}
		forged("mail.json "+path, "mail.json", mutant, "Thư trả lời và lời máy chủ")
	}
	for name, data := range membersOf(t, other) {
		ours, ok := members[name]
		if !ok || bytes.Equal(ours, data) || name == "MANIFEST" || name == "seal.json" || name == "log.pub" {
			continue
		}
		forged(name+" of another bundle", name, data, "Sự kiện", "Điểm chốt", "Tệp", "Giấy", "Thư", "record.json")
	}
	for name, data := range members {
		if strings.HasPrefix(name, "files/") || strings.HasPrefix(name, "eml/") || name == "GIAY-XAC-NHAN.pdf" {
			changed := bytes.Clone(data)
			changed[len(changed)/2] ^= 1
			forged(name+" changed", name, changed, "Tệp văn bản", "Thư", "Giấy")
			forged(name+" taken out", name, nil, "Tệp văn bản", "Thư", "Giấy")
		}
	}
}

// mutants changes each value of a JSON text, one at a time, by its path.
func mutants(t testing.TB, text []byte) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	var walk func(path string, v any, set func(any) []byte)
	walk = func(path string, v any, set func(any) []byte) {
		switch v := v.(type) {
		case map[string]any:
			for k, inner := range v {
				walk(path+"/"+k, inner, func(x any) []byte {
					c := maps.Clone(v)
					c[k] = x
					return set(c)
				})
			}
		case []any:
			for i, inner := range v {
				walk(fmt.Sprintf("%s/%d", path, i), inner, func(x any) []byte {
					c := slices.Clone(v)
					c[i] = x
					return set(c)
				})
			}
			if len(v) > 0 {
				out[path+"/-"] = set(v[1:])
			}
		case json.Number:
			n, _ := v.Int64()
			out[path] = set(n + 1)
		case string:
			out[path] = set(mutant(v))
		case bool:
			out[path] = set(!v)
		}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	walk("", v, func(x any) []byte {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(x); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	})
	return out
}

// mutant is another text of the same kind: base64 stays base64.
func mutant(s string) string {
	r := []rune(s)
	if len(r) == 0 {
		return "x"
	}
	i := len(r) / 2
	if r[i] != 'a' {
		r[i] = 'a'
	} else {
		r[i] = 'b'
	}
	return string(r)
}
