package main

import (
	"errors"
	"fmt"

	"congvan/exchange"
	"congvan/recipients"

	"github.com/BurntSushi/toml"
)

// decisions are what a clerk has written down about documents to be issued. The file is TOML:
//
//	[[document]]
//	reference  = "145/STTTT-CNTT"
//	not_secret = true                       # độ mật: không
//	seen_pages = true                       # đã xem các trang máy không đọc được: không có dấu mật
//	[[document.line]]
//	text       = "Trung tâm CNTT&TT (để th/h)"
//	off_system = "Trung tâm Công nghệ thông tin và Truyền thông"
//	address    = "vanthu@ttcntt.test"       # bỏ trống: gửi giấy hoặc cho địa chỉ lấy văn bản
//	[[document.line]]
//	text       = "Các phòng, ban thuộc huyện"
//	excused    = "huyện gửi qua mạng nội bộ"
//	[[document.line]]
//	text       = "TT HĐND"
//	units      = ["tthdnd"]
type decisions struct {
	Document []struct {
		Reference string `toml:"reference"`
		NotSecret bool   `toml:"not_secret"`
		SeenPages bool   `toml:"seen_pages"`
		Line      []struct {
			Text      string                `toml:"text"`
			Units     []recipients.UnitCode `toml:"units"`
			OffSystem string                `toml:"off_system"`
			Address   string                `toml:"address"`
			Excused   string                `toml:"excused"`
		} `toml:"line"`
	} `toml:"document"`
}

func loadDecisions(path string) (*decisions, error) {
	d := &decisions{}
	if path == "" {
		return d, nil
	}
	md, err := toml.DecodeFile(path, d)
	return d, checkDecisions(path, md, err)
}

func parseDecisions(name, text string) (*decisions, error) {
	d := &decisions{}
	md, err := toml.Decode(text, d)
	return d, checkDecisions(name, md, err)
}

func checkDecisions(path string, md toml.MetaData, err error) error {
	var pe toml.ParseError
	if errors.As(err, &pe) {
		return &hintError{fmt.Errorf("tệp quyết định %s, dòng %d: %s", path, pe.Position.Line, pe.Message), "sửa dòng đó"}
	}
	if err != nil {
		return &hintError{fmt.Errorf("tệp quyết định %s: %w", path, err), "kiểm tra tên tệp"}
	}
	if unknown := md.Undecoded(); len(unknown) > 0 {
		return &hintError{fmt.Errorf("tệp quyết định %s: không hiểu khóa %q", path, unknown[0]), "các khóa: reference, not_secret, seen_pages, text, units, off_system, address, excused"}
	}
	return nil
}

// names reports whether the decisions speak of the document.
func (d *decisions) names(reference string) bool {
	for _, doc := range d.Document {
		if doc.Reference == reference {
			return true
		}
	}
	return false
}

// apply settles the lines of the document that the file speaks of.
func (d *decisions) apply(dir *recipients.Directory, by exchange.Actor, p *exchange.Proposal) error {
	for _, doc := range d.Document {
		if doc.Reference != p.Reference {
			continue
		}
		p.NotSecret, p.Seen = p.NotSecret || doc.NotSecret, doc.SeenPages
		for _, l := range doc.Line {
			err := p.Decide(dir, by, []exchange.Decision{{Text: l.Text, Units: l.Units, OffSystem: l.OffSystem, Address: l.Address, Excused: l.Excused}})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
