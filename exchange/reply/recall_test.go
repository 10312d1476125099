package reply_test

import (
	"testing"

	"congvan/exchange/reply"
)

func TestAnswersToARecallAreUnderstood(t *testing.T) {
	for text, want := range map[string]reply.Reply{
		"Đồng ý":                      {Act: reply.RecallAgree},
		"dong y thu hoi van ban nay.": {Act: reply.RecallAgree},
		"Sở đồng ý cho thu hồi văn bản số 12/SNV-VP.":                       {Act: reply.RecallAgree},
		"Kính gửi Sở Nội vụ\n\nĐơn vị nhất trí trả lại văn bản.\n\n> trích": {Act: reply.RecallAgree},
		"Không đồng ý: đã thi hành xong":                                    {Act: reply.RecallRefuse, Reason: "đã thi hành xong"},
		"Không đồng ý, lý do: văn bản đã gửi cho xã":                        {Act: reply.RecallRefuse, Reason: "văn bản đã gửi cho xã"},
		"khong dong y vi da cong bo":                                        {Act: reply.RecallRefuse, Reason: "da cong bo"},
		"Đơn vị không nhất trí thu hồi văn bản này do đã trả lời công dân.": {Act: reply.RecallRefuse, Reason: "đã trả lời công dân"},
		"Không đồng ý":                     {Act: reply.RecallRefuse},
		"Không đồng ý:đã xử lý":            {Act: reply.RecallRefuse, Reason: "đã xử lý"},
		"Đồng ý nếu gửi bản thay thế":      {Act: reply.None},
		"Đồng ý không?":                    {Act: reply.None},
		"Đồng ý nhưng chờ lãnh đạo":        {Act: reply.None},
		"Đã nhận được đề nghị":             {Act: reply.None},
		"> Đồng ý":                         {Act: reply.None},
		"Chúng tôi sẽ đồng ý sau":          {Act: reply.None},
		"Có đồng ý hay không thì chưa":     {Act: reply.None},
		"Đồng ý\nNhưng chờ lãnh đạo sở ký": {Act: reply.None},
		"Đồng ý.\n\nTrân trọng,\nVăn thư":  {Act: reply.RecallAgree},
		"": {Act: reply.None},
	} {
		if got := reply.ParseRecall(text); got.Act != want.Act || got.Reason != want.Reason {
			t.Errorf("%q: %s %q, want %s %q", text, got.Act, got.Reason, want.Act, want.Reason)
		}
	}
}
