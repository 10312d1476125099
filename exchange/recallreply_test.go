package exchange

import "testing"

func TestAnswersToARecallAreUnderstood(t *testing.T) {
	for text, want := range map[string]Reply{
		"Đồng ý":                      {Act: ReplyRecallAgree},
		"dong y thu hoi van ban nay.": {Act: ReplyRecallAgree},
		"Sở đồng ý cho thu hồi văn bản số 12/SNV-VP.":                       {Act: ReplyRecallAgree},
		"Kính gửi Sở Nội vụ\n\nĐơn vị nhất trí trả lại văn bản.\n\n> trích": {Act: ReplyRecallAgree},
		"Không đồng ý: đã thi hành xong":                                    {Act: ReplyRecallRefuse, Reason: "đã thi hành xong"},
		"Không đồng ý, lý do: văn bản đã gửi cho xã":                        {Act: ReplyRecallRefuse, Reason: "văn bản đã gửi cho xã"},
		"khong dong y vi da cong bo":                                        {Act: ReplyRecallRefuse, Reason: "da cong bo"},
		"Đơn vị không nhất trí thu hồi văn bản này do đã trả lời công dân.": {Act: ReplyRecallRefuse, Reason: "đã trả lời công dân"},
		"Không đồng ý":                     {Act: ReplyRecallRefuse},
		"Không đồng ý:đã xử lý":            {Act: ReplyRecallRefuse, Reason: "đã xử lý"},
		"Đồng ý nếu gửi bản thay thế":      {Act: ReplyNone},
		"Đồng ý không?":                    {Act: ReplyNone},
		"Đồng ý nhưng chờ lãnh đạo":        {Act: ReplyNone},
		"Đã nhận được đề nghị":             {Act: ReplyNone},
		"> Đồng ý":                         {Act: ReplyNone},
		"Chúng tôi sẽ đồng ý sau":          {Act: ReplyNone},
		"Có đồng ý hay không thì chưa":     {Act: ReplyNone},
		"Đồng ý\nNhưng chờ lãnh đạo sở ký": {Act: ReplyNone},
		"Đồng ý.\n\nTrân trọng,\nVăn thư":  {Act: ReplyRecallAgree},
		"": {Act: ReplyNone},
	} {
		if got := parseRecallAnswer(text); got.Act != want.Act || got.Reason != want.Reason {
			t.Errorf("%q: %s %q, want %s %q", text, got.Act, got.Reason, want.Act, want.Reason)
		}
	}
}
