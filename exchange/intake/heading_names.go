package intake

import (
	"strings"

	"congvan/mailcore/viettext"
)

// provinces are the provinces and cities of the years the documents come from: before the mergers of 1997 to 2008, after
// them, and after those of 2025. The towns below them are where provincial agencies sit.
const provinces = `An Giang,Bà Rịa - Vũng Tàu,Bạc Liêu,Bắc Giang,Bắc Kạn,Bắc Ninh,Bến Tre,Bình Dương,Bình Định,Bình Phước,Bình Thuận,Cà Mau,
Cao Bằng,Cần Thơ,Đà Nẵng,Đắk Lắk,Đắk Nông,Đăk Lăk,Đăk Nông,Điện Biên,Đồng Nai,Đồng Tháp,Gia Lai,Hà Giang,Hà Nam,Hà Nội,Hà Tây,Hà Tĩnh,Hải Dương,
Hải Phòng,Hậu Giang,Hòa Bình,Hồ Chí Minh,Huế,Hưng Yên,Khánh Hòa,Kiên Giang,Kon Tum,Lai Châu,Lạng Sơn,Lào Cai,Lâm Đồng,Long An,Nam Định,Nghệ An,
Ninh Bình,Ninh Thuận,Phú Thọ,Phú Yên,Quảng Bình,Quảng Nam,Quảng Ngãi,Quảng Ninh,Quảng Trị,Sóc Trăng,Sơn La,Tây Ninh,Thái Bình,Thái Nguyên,Thanh Hóa,
Thừa Thiên Huế,Tiền Giang,Trà Vinh,Tuyên Quang,Vĩnh Long,Vĩnh Phúc,Yên Bái`

const towns = `Biên Hòa,Buôn Ma Thuột,Cam Ranh,Cao Lãnh,Đà Lạt,Đông Hà,Đồng Hới,Đồng Xoài,Gia Nghĩa,Hạ Long,Hội An,Long Xuyên,Mỹ Tho,Nha Trang,
Phan Thiết,Phan Rang - Tháp Chàm,Phủ Lý,Pleiku,Pleicu,Quy Nhơn,Rạch Giá,Sa Đéc,Tam Kỳ,Tân An,Thủ Dầu Một,Tuy Hòa,Tuy Phước,Uông Bí,Vinh,Việt Trì,Vị Thanh,
Vũng Tàu,Vĩnh Yên,Đăk Glei,Ngọc Hồi,Đăk Tô,Đăk Hà,Sa Thầy,Kon Rẫy,Kon Plông,Tu Mơ Rông`

// placeBySound finds a place by its letters without marks, spaces and hyphens.
var placeBySound = func() map[string]string {
	m := make(map[string]string)
	for p := range strings.SplitSeq(provinces+","+towns, ",") {
		p = strings.TrimSpace(p)
		if key := sound(p); m[key] == "" {
			m[key] = p
		}
	}
	for _, p := range []string{"Hồ Chí Minh", "Hà Nội", "Đà Nẵng", "Hải Phòng", "Cần Thơ", "Huế"} {
		for _, head := range []string{"Thành phố ", "TP. ", "TP "} {
			m[sound(head+p)] = head + p
		}
	}
	m[sound("TP HCM")], m[sound("Tp HCM")] = "TP. HCM", "TP. HCM"
	return m
}()

// sound reduces a name to its ASCII letters.
func sound(s string) string {
	var b strings.Builder
	for _, r := range s {
		if c := foldRune(r); c >= 'a' && c <= 'z' {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// knownPlace returns s as it is written when s is the name of a known place, perhaps with its letters set apart, without
// marks, or with one letter wrong; else "". A name that differs in marks only and has its own stays as printed: there are
// Đắk Tô and Đăk Tô.
func knownPlace(s string) string {
	s = strings.Trim(s, " .,;:'\"-")
	key := sound(s)
	if len(key) < 3 {
		return ""
	}
	if p := placeBySound[key]; p != "" {
		if wellSpelt(s, p) && strings.Count(s, " ") == strings.Count(p, " ") {
			return s
		}
		return p
	}
	if len(key) < 5 || len(strings.Fields(s)) > 4 {
		return ""
	}
	found := ""
	for k, p := range placeBySound {
		if len(k) >= 5 && withinOne(k, key) {
			if found != "" && found != p {
				return ""
			}
			found = p
		}
	}
	return found
}

// wellSpelt reports whether the printed s is a good spelling of the known name p: the same but for the place of a tone
// mark, or one of the spellings of Đăk that go side by side.
func wellSpelt(s, p string) bool {
	for _, w := range strings.Fields(s) {
		if !placeWord(w) || isCode(w) {
			return false
		}
	}
	if s == strings.ToUpper(s) && len(s) > 4 {
		return false
	}
	return viettext.Key(s) == viettext.Key(p) || strings.HasPrefix(s, "Đắk ") || strings.HasPrefix(s, "Đăk ") || strings.HasPrefix(s, "Đak ") || strings.HasPrefix(s, "Đắc ")
}

// centralBodies gives bodies by the abbreviation that their symbols bear. Where công văn drop the B of a ministry, both
// forms stand here.
const centralBodies = `CP=Chính phủ|TTg=Thủ tướng Chính phủ|VPCP=Văn phòng Chính phủ|CTN=Chủ tịch nước|QH=Quốc hội|UBTVQH=Ủy ban Thường vụ Quốc hội
BTC=Bộ Tài chính|BNV=Bộ Nội vụ|BCA=Bộ Công an|BQP=Bộ Quốc phòng|BNG=Bộ Ngoại giao|BTP=Bộ Tư pháp|BCT=Bộ Công Thương|BYT=Bộ Y tế
BGTVT=Bộ Giao thông vận tải|BGDĐT=Bộ Giáo dục và Đào tạo|BGDDT=Bộ Giáo dục và Đào tạo|BKHCN=Bộ Khoa học và Công nghệ|BKHĐT=Bộ Kế hoạch và Đầu tư
BTTTT=Bộ Thông tin và Truyền thông|BTNMT=Bộ Tài nguyên và Môi trường|BNNPTNT=Bộ Nông nghiệp và Phát triển nông thôn|BVHTTDL=Bộ Văn hóa, Thể thao và Du lịch
BLĐTBXH=Bộ Lao động - Thương binh và Xã hội|LĐTBXH=Bộ Lao động - Thương binh và Xã hội|BXD=Bộ Xây dựng|BNNMT=Bộ Nông nghiệp và Môi trường|BDTTG=Bộ Dân tộc và Tôn giáo
NHNN=Ngân hàng Nhà nước Việt Nam|TTCP=Thanh tra Chính phủ|UBDT=Ủy ban Dân tộc|TCT=Tổng cục Thuế|TCHQ=Tổng cục Hải quan|KBNN=Kho bạc Nhà nước|BHXH=Bảo hiểm xã hội Việt Nam
TANDTC=Tòa án nhân dân tối cao|VKSNDTC=Viện kiểm sát nhân dân tối cao|VKSTC=Viện kiểm sát nhân dân tối cao|KTNN=Kiểm toán nhà nước|HĐTP=Hội đồng Thẩm phán Tòa án nhân dân tối cao
BTTTU=Ban Thường trực|TLĐ=Tổng Liên đoàn Lao động Việt Nam|MTTW=Ủy ban Trung ương Mặt trận Tổ quốc Việt Nam|BTTTW=Ban Bí thư|VPTW=Văn phòng Trung ương Đảng|BTCTW=Ban Tổ chức Trung ương`

var bodyBySymbol = func() map[string]string {
	m := make(map[string]string)
	for row := range strings.Lines(centralBodies) {
		for entry := range strings.SplitSeq(strings.TrimSpace(row), "|") {
			if abbr, name, ok := strings.Cut(entry, "="); ok {
				m[abbr] = name
			}
		}
	}
	return m
}()

// agencyNames are bodies whose names are not written by the plain rules of capitals, or that appear without marks.
const agencyNames = `Bộ Thương mại|Bộ Bưu chính, Viễn thông|Bộ Thủy sản|Bộ Công nghiệp|Bộ Văn hóa - Thông tin|Bộ Giáo dục|Bộ Kinh tế và Tài chính|Cục Thuế|Cục Hải quan|Chi cục Thuế|Chi cục Hải quan
Tổng cục Thống kê|Tổng cục Đường bộ Việt Nam|Tổng cục Dạy nghề|Cục Quản lý dược|Cục Kiểm tra văn bản quy phạm pháp luật|Cục Hàng không Việt Nam|Cục Viễn thông|Cục Xuất nhập khẩu
Sở Tài chính|Sở Nội vụ|Sở Tư pháp|Sở Y tế|Sở Xây dựng|Sở Công Thương|Sở Ngoại vụ|Sở Du lịch|Sở Giao thông vận tải|Sở Giáo dục và Đào tạo|Sở Khoa học và Công nghệ|Sở Kế hoạch và Đầu tư
Sở Thông tin và Truyền thông|Sở Tài nguyên và Môi trường|Sở Nông nghiệp và Phát triển nông thôn|Sở Nông nghiệp và Môi trường|Sở Văn hóa, Thể thao và Du lịch|Sở Văn hóa và Thể thao
Sở Lao động - Thương binh và Xã hội|Sở Dân tộc và Tôn giáo|Sở Quy hoạch - Kiến trúc|Sở Văn hóa - Thông tin|Ban Dân tộc|Thanh tra tỉnh|Công an tỉnh|Bộ Chỉ huy Quân sự tỉnh|Ban Quản lý Khu kinh tế tỉnh
Văn phòng Quốc hội|Văn phòng Chủ tịch nước|Bộ Chính trị|Ban Bí thư|Ban Chấp hành Trung ương|Ban Thường vụ Tỉnh ủy|Tỉnh ủy|Thành ủy|Huyện ủy|Ủy ban Chứng khoán Nhà nước|Kho bạc Nhà nước
Tổng Liên đoàn Lao động Việt Nam|Trung ương Đoàn TNCS Hồ Chí Minh|Ngân hàng Chính sách xã hội|Bảo hiểm xã hội Việt Nam|Đài Truyền hình Việt Nam|Thông tấn xã Việt Nam|Viện Hàn lâm Khoa học xã hội Việt Nam`

// agencyBySound has all known names by their sound.
var agencyBySound = func() map[string]string {
	m := make(map[string]string)
	for row := range strings.Lines(agencyNames) {
		for name := range strings.SplitSeq(strings.TrimSpace(row), "|") {
			m[sound(name)] = name
		}
	}
	for _, name := range bodyBySymbol {
		m[sound(name)] = name
	}
	return m
}()
