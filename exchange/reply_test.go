package exchange_test

import (
	"testing"

	"congvan/exchange"
)

func TestReplyIsUnderstoodOrChangesNothing(t *testing.T) {
	for text, want := range map[string]exchange.Reply{
		"Đã tiếp nhận, số đến 123": {Act: exchange.ReplyAccept, Number: "123"},
		"da tiep nhan so den 45":   {Act: exchange.ReplyAccept, Number: "45"},
		"Đã tiếp nhận.":            {Act: exchange.ReplyAccept},
		"Đã nhận được văn bản":     {Act: exchange.ReplyAccept},
		"Tiếp nhận, số đến: 0078":  {Act: exchange.ReplyAccept, Number: "78"},
		"Số đến 12a":               {Act: exchange.ReplyAccept, Number: "12a"},
		"Số đến: 9":                {Act: exchange.ReplyAccept, Number: "9"},
		"Kính gửi văn thư,\n\nĐã tiếp nhận, số đến 5\n\n> cũ":                  {Act: exchange.ReplyAccept, Number: "5"},
		"Đã tiếp nhận văn bản số 74/UBND-TH, số đến: 0123/ĐU ngày 25/11/2026.": {Act: exchange.ReplyAccept, Number: "123"},
		"Đã tiếp nhận văn bản số 74/UBND-TH":                                   {Act: exchange.ReplyAccept},
		"Đã tiếp nhận công văn số 74/UBND-TH của UBND tỉnh, số đến 9":          {Act: exchange.ReplyAccept, Number: "9"},
		"Đã tiếp nhận nhưng chưa vào sổ, số đến 9 là của văn bản khác":         {Act: exchange.ReplyNone},
		"Đang xử lý":                         {Act: exchange.ReplyInProgress},
		"Hoàn thành":                         {Act: exchange.ReplyComplete},
		"Đã xử lý xong":                      {Act: exchange.ReplyComplete},
		"Từ chối: gửi nhầm đơn vị":           {Act: exchange.ReplyRefuse, Reason: "gửi nhầm đơn vị"},
		"Tu choi vi gui nham":                {Act: exchange.ReplyRefuse, Reason: "gui nham"},
		"Không tiếp nhận: tệp hỏng":          {Act: exchange.ReplyRefuse, Reason: "tệp hỏng"},
		"Từ chối":                            {Act: exchange.ReplyRefuse},
		"Chưa tiếp nhận được vì tệp hỏng":    {Act: exchange.ReplyNone},
		"Đã tiếp nhận chưa?":                 {Act: exchange.ReplyNone},
		"Đã tiếp nhận nhưng thiếu phụ lục 3": {Act: exchange.ReplyNone},
		"Chưa hoàn thành":                    {Act: exchange.ReplyNone},
		"Cảm ơn":                             {Act: exchange.ReplyNone},
		"> Đã tiếp nhận, số đến 4":           {Act: exchange.ReplyNone},
		"":                                   {Act: exchange.ReplyNone},
	} {
		if got := exchange.ParseReply(text); got != want {
			t.Errorf("%q\n got %+v\nwant %+v", text, got, want)
		}
	}
}

func FuzzParseReply(f *testing.F) {
	f.Add("Đã tiếp nhận, số đến 123")
	f.Add("Từ chối:x")
	f.Add("từ  chối\n>")
	f.Fuzz(func(t *testing.T, text string) {
		if r := exchange.ParseReply(text); r.Act == "" {
			t.Error("no act")
		}
	})
}
