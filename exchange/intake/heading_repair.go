package intake

import (
	"strings"
	"unicode"

	"congvan/mailcore/viettext"
)

// compounds are pairs of syllables that belong together in the trích yếu of official documents. Where OCR lost or changed
// a mark in one of them, the pair tells what it was.
const compounds = `ban hành, bổ sung, sửa đổi, bãi bỏ, thay thế, phê duyệt, công bố, quy định, quy chế, quy trình, quy hoạch, kế hoạch, chương trình, đề án, dự án, phương án, báo cáo,
tờ trình, thông báo, thông tư, nghị định, nghị quyết, quyết định, chỉ thị, công văn, công điện, hướng dẫn, triển khai, thực hiện, tổ chức, tăng cường, tiếp tục, đẩy mạnh, nâng cao, chất lượng,
hiệu quả, hiệu lực, công tác, quản lý, nhà nước, chỉ đạo, điều hành, điều chỉnh, kiểm tra, thanh tra, giám sát, kiểm soát, kiểm toán, kiểm kê, đánh giá, phân loại, xếp loại, phân cấp, phân công,
ủy quyền, uỷ quyền, thẩm quyền, trách nhiệm, nhiệm vụ, giải pháp, giải quyết, giải trình, xử lý, vi phạm, hành chính, thủ tục, cải cách, cơ chế, chính sách, chế độ, ưu đãi, hỗ trợ, trợ cấp, phụ cấp,
tiền lương, bảo hiểm, xã hội, y tế, giáo dục, đào tạo, khoa học, công nghệ, thông tin, truyền thông, điện tử, chữ ký, văn bản, văn thư, lưu trữ, hồ sơ, tài liệu, tài chính, ngân sách, kinh phí, dự toán,
quyết toán, thanh toán, tạm ứng, đầu tư, xây dựng, công trình, hạ tầng, giao thông, vận tải, đường bộ, đất đai, môi trường, tài nguyên, khoáng sản, nông nghiệp, nông thôn, lâm nghiệp, thủy sản, thủy lợi,
thuỷ lợi, chăn nuôi, trồng trọt, phòng chống, phòng cháy, chữa cháy, thiên tai, dịch bệnh, an toàn, an ninh, quốc phòng, quốc gia, quân sự, trật tự, tội phạm, tham nhũng, lãng phí, tiết kiệm, khiếu nại, tố cáo,
tiếp công, công dân, nhân dân, cán bộ, công chức, viên chức, người lao, lao động, việc làm, thương binh, liệt sĩ, gia đình, trẻ em, phụ nữ, thanh niên, cao tuổi, khuyết tật, dân tộc, tôn giáo, tín ngưỡng,
thiểu số, giảm nghèo, xóa đói, bền vững, phát triển, kinh tế, thị trường, thương mại, xuất khẩu, nhập khẩu, hải quan, thuế giá, giá trị, gia tăng, thu nhập, cá nhân, doanh nghiệp, kinh doanh, hộ kinh, đăng ký,
cấp phép, giấy phép, chứng nhận, giấy chứng, hoá đơn, hóa đơn, chứng từ, kế toán, ngân hàng, tín dụng, lãi suất, cho vay, đối với, đối tượng, đối ngoại, địa bàn, địa phương, trên địa, tỉnh ủy, ủy ban, uỷ ban,
hội đồng, hội nghị, hội thảo, cuộc họp, tham dự, mời họp, tập huấn, tuyên truyền, phổ biến, pháp luật, pháp lý, tư pháp, tư vấn, thẩm định, thẩm tra, nghiệm thu, bàn giao, tiếp nhận, chuyển giao, chuyển đổi,
khen thưởng, thi đua, kỷ luật, bổ nhiệm, miễn nhiệm, điều động, luân chuyển, tuyển dụng, thi tuyển, xét tuyển, nâng ngạch, nghỉ hưu, nghỉ lễ, tết nguyên, nguyên đán, kiện toàn, thành lập, giải thể, sáp nhập,
chức năng, quyền hạn, cơ cấu, cơ quan, đơn vị, trực thuộc, thành phần, thành viên, ban chỉ, tổ giúp, giúp việc, danh mục, danh sách, biểu mẫu, mẫu biểu, số liệu, thống kê, tổng hợp, tổng kết, sơ kết, rà soát,
vướng mắc, khó khăn, liên quan, trực tiếp, gián tiếp, nghĩa vụ, quyền lợi, lợi ích, chi phí, chi trả, chi tiết, mức chi, mức thu, mức hỗ, phí và, lệ phí, học phí, viện phí, khám bệnh, chữa bệnh, bệnh viện,
thuốc chữa, thực phẩm, vệ sinh, học sinh, sinh viên, giáo viên, nhà giáo, trường học, mầm non, tiểu học, trung học, phổ thông, đại học, cao đẳng, dạy nghề, giáo trình, năm học, kỳ thi, tốt nghiệp, tuyển sinh,
văn hóa, văn hoá, thể thao, du lịch, di tích, lễ hội, báo chí, xuất bản, bưu chính, viễn thông, internet và, chuyển số, đổi số, dữ liệu, cơ sở, hệ thống, phần mềm, ứng dụng, dịch vụ, trực tuyến, một cửa,
cung cấp, cung ứng, sử dụng, khai thác, bảo vệ, bảo đảm, đảm bảo, bảo trì, bảo dưỡng, sửa chữa, mua sắm, đấu thầu, đấu giá, tài sản, nhà ở, nhà đất, thu hồi, bồi thường, tái định, định cư, giải phóng, mặt bằng,
giao đất, thuê đất, quyền sử, sử đất, khu công, công nghiệp, khu kinh, cụm công, năng lượng, điện lực, xăng dầu, thoát nước, cấp nước, chống úng, úng ngập, mùa mưa, bão lụt, tìm kiếm, cứu nạn, cứu trợ,
giai đoạn, định kỳ, hằng năm, hàng năm, đến năm, theo quy, theo nghị, của chính, của bộ, của ủy, thủ tướng, chủ tịch, giám đốc, trung tâm, trung ương, văn phòng, nhà trường, đảng bộ, đảng ủy, tỉnh đoàn, tra thuế, quản thuế, cục thuế, thuế thu, thuế suất, nợ thuế, hoàn thuế,
miễn giảm, giảm thuế, gia hạn, thời hạn, kéo dài, tạm thời, khẩn cấp, cấp bách, trọng tâm, trọng điểm, cụ thể, chủ yếu, đồng bộ, thống nhất, phối hợp, trao đổi, góp ý, ý kiến, dự thảo, lấy ý, trả lời, đề nghị,
kiến nghị, cử tri, đại biểu, quốc hội, kỳ họp, bầu cử, mặt trận, đoàn thể, tổ quốc, việt nam, nước ngoài, hợp tác, quốc tế, hội nhập, viện trợ, vay vốn, nguồn vốn, vốn đầu, cổ phần, chứng khoán, công ty`

// A compound is one such pair and its fold.
type compound struct{ first, second string }

var knownPairs, pairsByFold = func() (map[string]bool, map[string][]compound) {
	known, byFold := make(map[string]bool), make(map[string][]compound)
	for c := range strings.SplitSeq(compounds+","+namePairs, ",") {
		w := strings.Fields(c)
		if len(w) != 2 {
			continue
		}
		known[viettext.Key(w[0]+" "+w[1])] = true
		byFold[viettext.Fold(w[0])] = append(byFold[viettext.Fold(w[0])], compound{w[0], w[1]})
		second := "/" + viettext.Fold(w[1])
		byFold[second] = append(byFold[second], compound{w[0], w[1]})
	}
	return known, byFold
}()

// repairMarks corrects a trích yếu that came from OCR, where a pair of words is no known compound but has one look-alike:
// the same letters under other marks, or one letter besides. Words that are in a known pair already stay.
func repairMarks(s string) string {
	words := strings.Split(s, " ")
	core := make([]string, len(words))
	for i, w := range words {
		core[i] = strings.TrimFunc(w, func(r rune) bool { return !unicode.IsLetter(r) })
	}
	sound := make([]bool, len(words)) // in a known pair
	for i := 0; i+1 < len(words); i++ {
		if joined(words, core, i) && knownPairs[viettext.Key(core[i]+" "+core[i+1])] {
			sound[i], sound[i+1] = true, true
		}
	}
	for i := 0; i+1 < len(words); i++ {
		if !joined(words, core, i) || sound[i] && sound[i+1] {
			continue
		}
		c, ok := lookAlike(core[i], core[i+1], sound[i], sound[i+1])
		if !ok {
			continue
		}
		for k, w := range []string{c.first, c.second} {
			if !sound[i+k] {
				words[i+k] = strings.Replace(words[i+k], core[i+k], inCaseOf(w, core[i+k]), 1)
				core[i+k], sound[i+k] = w, true
			}
		}
	}
	return strings.Join(words, " ")
}

// joined reports whether words i and i+1 are two words with nothing between them.
func joined(words, core []string, i int) bool {
	return core[i] != "" && core[i+1] != "" && strings.HasSuffix(words[i], core[i]) && strings.HasPrefix(words[i+1], core[i+1])
}

// lookAlike finds the one compound that a and b are a misreading of; a word that is sound must stay as it is.
func lookAlike(a, b string, aSound, bSound bool) (compound, bool) {
	fa, fb := viettext.Fold(a), viettext.Fold(b)
	var best compound
	found, exact := 0, false
	for _, c := range append(append([]compound{}, pairsByFold[fa]...), pairsByFold["/"+fb]...) {
		ca, cb := viettext.Fold(c.first), viettext.Fold(c.second)
		if aSound && viettext.Key(a) != viettext.Key(c.first) || bSound && viettext.Key(b) != viettext.Key(c.second) {
			continue
		}
		keepA, keepB := viettext.Key(a) == viettext.Key(c.first), viettext.Key(b) == viettext.Key(c.second)
		if !keepA && !keepB && (goodWord(a) || goodWord(b)) {
			continue // "mới hộp" is no misreading of "mời họp"
		}
		same := ca == fa && cb == fb
		near := keepA && len(fb) >= 4 && withinOne(cb, fb) && !viettext.IsSyllable(b) || keepB && len(fa) >= 4 && withinOne(ca, fa) && !viettext.IsSyllable(a)
		if !same && (exact || !near) {
			continue
		}
		if same && !exact {
			found, exact = 0, true
		}
		if found == 0 || best != c {
			best = c
			found++
		}
	}
	return best, found == 1
}

// goodWord reports whether w is a syllable with marks of its own, so that nothing but its neighbour speaks against it.
func goodWord(w string) bool {
	return viettext.IsSyllable(w) && viettext.Fold(w) != strings.ToLower(w)
}

// inCaseOf writes w in capitals, or with one in front, as shown is.
func inCaseOf(w, shown string) string {
	rs := []rune(shown)
	switch {
	case len(rs) > 1 && shown == strings.ToUpper(shown):
		return strings.ToUpper(w)
	case unicode.IsUpper(rs[0]):
		return capital(w)
	}
	return w
}
