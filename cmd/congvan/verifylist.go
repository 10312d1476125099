package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"congvan/exchange"
	"congvan/signing"
)

// isPDF says whether a file is to be judged by signatures inside it.
func isPDF(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return true // let the one who reads it say so
	}
	defer f.Close()
	head := make([]byte, 1024)
	n, _ := f.Read(head)
	return bytes.Contains(head[:n], []byte("%PDF-"))
}

// maxLists bounds how many files of a folder are looked through for a package's list.
const maxLists = 200

// packageLists finds the lists of packages among the files named and beside the file to be judged.
func packageLists(file string, named []string) []string {
	beside, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*.pdf"))
	var out []string
	for _, path := range slices.Concat(named, beside[:min(len(beside), maxLists)]) {
		if slices.Contains(out, path) {
			continue
		}
		if data, err := readFile(path); err == nil && exchange.FindPackageList(data) != nil {
			out = append(out, path)
		}
	}
	return out
}

// verifyListed judges a file that bears no signature of its own by a package's sealed list that names its digest.
func verifyListed(ctx context.Context, s *streams, file string, named []string, opt signing.VerifyOptions, asJSON bool) bool {
	status, reason, listFile := signing.Indeterminate, "Tệp không ký số được; không thấy danh mục đã ký số nào nói về tệp này. Hãy lưu cả tệp danh mục vào cùng thư mục.", ""
	data, err := readFile(file)
	if err != nil {
		text, _ := explain(err)
		reason = text
	} else {
		sum := sha256.Sum256(data)
		status, reason, listFile = judgeListed(ctx, hex.EncodeToString(sum[:]), packageLists(file, named), opt, reason)
	}
	if asJSON {
		writeJSON(s.out, map[string]any{"file": filepath.Base(file), "status": status, "reason": reason, "list": filepath.Base(listFile)})
	} else {
		fmt.Fprintf(s.out, "%s: %s. %s\n", file, status.Text(), reason)
	}
	return status == signing.Valid
}

func judgeListed(ctx context.Context, digest string, lists []string, opt signing.VerifyOptions, unknown string) (signing.Status, string, string) {
	for _, path := range lists {
		data, err := readFile(path)
		if err != nil {
			continue
		}
		l := exchange.FindPackageList(data)
		if l == nil || !slices.ContainsFunc(l.Files, func(e exchange.ListEntry) bool { return e.SHA256 == digest }) {
			continue
		}
		report, err := signing.Verify(ctx, data, opt)
		if err != nil {
			return signing.Indeterminate, fmt.Sprintf("Danh mục %s không kiểm tra được.", filepath.Base(path)), path
		}
		if report.Overall() != signing.Valid {
			return report.Overall(), fmt.Sprintf("Danh mục %s: %s", filepath.Base(path), report.Reason), path
		}
		return signing.Valid, fmt.Sprintf("Đúng tệp có trong danh mục đã ký số của %s, văn bản số %s (%s).", l.Issuer, l.Reference, filepath.Base(path)), path
	}
	return signing.Indeterminate, unknown, ""
}
