package main

import (
	"fmt"
	"time"

	"congvan/exchange/reply"

	"github.com/spf13/cobra"
)

// A replyRow is one reply as a program hands it over.
type replyRow struct {
	ID   any    `json:"id"`
	Text string `json:"text"`
	Sent string `json:"sent"`
}

func replyCommand(s *streams) *cobra.Command {
	parse := &cobra.Command{
		Use:   "parse",
		Short: `Đọc thư trả lời: {"id","text","sent"} vào, {"id","act","number","to","deadline","reason"} ra`,
		Long: `Đọc từng dòng JSON {"id","text","sent"} ở đầu vào chuẩn: nội dung thư trả lời và ngày gửi. In ra việc mà hệ thống hiểu:
accept (tiếp nhận, số đến), refuse (từ chối, lý do), forward (chuyển đơn vị khác), assign (giao người xử lý), in_progress (đang
xử lý), complete (hoàn thành), hoặc none: không hiểu chắc, không ghi nhận gì. Hạn tính từ ngày gửi.`,
		Example: `  echo '{"id":1,"text":"Giao nvan.stttt, hạn thứ sáu tuần này","sent":"2026-11-23"}' | congvan reply parse --jsonl`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return eachJSONLine(s, func(v replyRow) (any, error) { return v.read() })
		},
	}
	jsonlFlag(parse)
	return parent("reply", "Đọc thư trả lời của đơn vị nhận", parse)
}

func (v replyRow) read() (any, error) {
	sent := time.Now()
	if v.Sent != "" {
		var err error
		if sent, err = sentDay(v.Sent); err != nil {
			return nil, err
		}
	}
	r := reply.Parse(v.Text, sent)
	return map[string]any{"id": v.ID, "act": r.Act, "number": orNil(r.Number), "to": orNil(r.To), "deadline": orNil(r.Deadline), "reason": orNil(r.Reason)}, nil
}

// sentDay takes a civil date, or an instant with its zone.
func sentDay(s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return t, &hintError{fmt.Errorf("%q is no date of sending", s), `write "sent" as 2026-11-25 or 2026-11-25T08:00:00+07:00`}
	}
	return t, nil // midnight UTC is 7 o'clock of the same day in Vietnam
}
