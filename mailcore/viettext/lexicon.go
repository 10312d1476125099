package viettext

import "strings"

// Well-formed is not enough where a word is a syllable in both readings: "sè" and "số", "chó" and "chú". The lists below
// say which one official and business papers use. They were counted in such papers and completed by hand; ASCII
// syllables are left out because no encoding changes them.

// commonWords are the syllables that fill such papers.
const commonWords = `bàn báo bí bản bảo bộ chiến chính chương chế chỉ chống chủ chức cá các cách cáo có công căn cũng cơ cấp cổng cộng cục
của cứ duyệt dân dẫn dục dụng dựng giám giáo giải giấy gửi hiện hoà hoạch huyện hà hàng hành hòa hóa hướng hạn hạnh hệ
họ học họp hồ hội hợp khoản không kiểm kính ký kế liệu luật là lý lưu lập lệnh lịch môi mạng mật mặt mọi một mời mục
nghiệp nghĩa nghệ nghị ngành ngày ngân người nhiệm nhà nhân nhũng như nhận những này nông năm nơi nước nội pháp phát
phê phòng phó phúc phường phải phần phố phủ quyết quyền quản quận quốc sách sát sơ số sở sử sự thuế thuộc thành tháng
thôn thông thư thương thường thể thị thống thủ thứ thực toàn toán triển truyền trách trên trình trước trường trưởng
trấn trận trị trợ trực tuyên tài tác tâm tên tòa tư tướng tại tạo tải tế tỉnh tịch tối tổ tổng tộc tờ tục từ tử tự uỷ
việc viện việt và vào văn vận về vị với vụ xây xã xử án đai điều điểm điện đoàn đào đã đó đơn đường được đạo đảng đất
đến đề để địa định đốc đối đồng đổi độ độc động ương ủy`

// knownWords are syllables that are in everyday use.
const knownWords = `đăk đắk lắk pắk biên biển biểu buồn buổi bà bác bãi bão bè bên bình bích bùi bạ bạc bạn bảng bảy bắc bến bệnh bị bỏ bố bốn bổ bờ bởi
chiều chuyên chuyển chuẩn chào chánh cháu châu chí chín chú chưa chấp chất chẳng chỉnh chị chịu chồng chợ chữ cuối cán
cân còn cô cùng cúm căm cũ cư cười cường cạnh cải cảng cấm cần cầu cập cụ cửa cự cựu diện dài dành dì dõi dũng dương
dưới dưỡng dạng dịch dữ dự ghét giá gió giúp giận giới giờ giữa gà gần gặp hiểm hiệp hiệu hoàng hoá hoạt hoặc huyền
huỳnh hãy hình hí hòm hôm hùng hơn hưng hưu hương hạ hải hậu hằng hẹp hồi hồng hỗ hộ hộp hụ hữu khoá khuyến khác khách
kháng khóa khóc khẩu khắc kiếm kiến kiện kèm kết kể kịp kỳ kỹ liên liệt loại luyện làm lào lâm lãi lãnh lê lên lĩnh lũ
lương lượng lần lắm lệ lỗ lộ lớn lớp lụt lực muốn mà máu máy mã mình môn mùa mưa mưu mười mại mạnh mầm mẫu mắc mẹ mới
mức mỹ nghiêm nghiệm nghìn nghề nghỉ ngoài ngoại nguyên nguyễn nguyện ngàn ngãi ngô ngũ ngắn ngọc ngủ ngữ nhiều nhiễm
nhưng nhất nhập nhật nhỏ niên nâng nên nói núi năng nạn nắng nặng nếu nợ nữ phán phân phép phí phía phương phượng phạm
phẩm phối phổ phụ phục quá quái quán quân quê quý quả quảng quỹ riêng rác rất rộng rừng soát suất sáng sáu sân sông sĩ
sơn sư sản sắp sẽ sức sửa thiện thoát thuyết thuyền thuận thuật thuỷ thác tháp thì thôi thơ thưởng thảo thấp thất thầy
thẩm thẻ thời thủy tiếp tiết tiền toà triệu trái trân trì trí trăm trưa trần trọng trời trừ trừng trữ tuyển tuấn tuần
tuổi tàu tám tây tình tích tính tô tôn tăng tĩnh tương tượng tạp tấn tầng tận tập tắt tỉ tố tốt từng tỷ uống viên viết
vì võ vũ vướng vấn vẫn vệ vốn vợ vừa vực xuyên xuân xuất xác xét xóm xấu yên yêu yếu áp ít ông ý ăn đang đi đoạn đài
đánh đây đãi đêm đình đích đô đông đúng đăng đưa đại đảm đảo đầu đẳng đặng đặt đẹp đệ đỗ đội đức đứng đừng đữ ưu ại ận
ốm ổng ứng`

// commonPairs are pairs of syllables that make a word or a set phrase on forms and in headings; @ is any abbreviation.
const commonPairs = `bộ @, sở @, vụ @, cục @, phòng @, viện @, lưu @, như trên, như điều, như kính, tư pháp, đầu tư, ưu đãi, ưu tiên,
bưu điện, văn thư, bí thư, thư ký, thư điện, trung ương, địa phương, mùa mưa, chưa có, như sau, cư trú, dân cư, vật tư, thứ tư, ghi chú, chú ý, nơi nhận, đơn vị, số lượng, thành tiền, đơn giá, địa chỉ, số tiền, tổng số, tổng cộng, số đơn, ngày
đặt, đặt hàng, mã số, mã hàng, tên hàng, họ tên, ký tên, chữ ký, chức vụ, người nhận, người gửi, người lập, người mua,
người bán, kế toán, thủ quỹ, giám đốc, thủ trưởng, kính gửi, đồng kính, công văn, quyết định, nghị quyết, nghị định,
thông tư, thông báo, báo cáo, tờ trình, kế hoạch, chỉ thị, biên bản, hợp đồng, giấy mời, lịch công, công tác, ủy ban,
uỷ ban, nhân dân, hội đồng, tỉnh ủy, tỉnh uỷ, thành ủy, thành uỷ, huyện ủy, huyện uỷ, văn phòng, bí thư, chủ tịch, phó
chủ, sở tài, tài chính, bộ tài, việt nam, cộng hòa, cộng hoà, xã hội, chủ nghĩa, độc lập, tự do, hạnh phúc, về việc,
căn cứ, đề nghị, thực hiện, quản lý, sử dụng, ban hành, phê duyệt, sửa đổi, bổ sung, điện thoại, ngày tháng, năm sinh,
trình độ, lý do, nội dung, kết quả, hồ sơ, thủ tục, cơ quan, tổ chức, cá nhân, tiếp nhận, xử lý, giải quyết, danh
sách, thứ tự, tỷ lệ, đơn hàng, khách hàng, thanh toán, hóa đơn, phiếu thu, phiếu chi, phiếu xuất, phiếu nhập, nhập
kho, xuất kho, số dư, số phát, số hiệu, số hóa, ngày ký, ngày nhận, ngày giao, giao hàng, nhiệm vụ, đại diện, bên mua,
bên bán, công ty, trách nhiệm, hữu hạn, cổ phần, chi nhánh, ngân hàng, tài khoản, mã thuế, thuế suất, tiền thuế, tiền
hàng, bằng chữ, viết bằng, xác nhận, lưu trữ, lưu văn`

// The weights that a reading gains from the lists, on top of 1 for being well-formed.
const (
	commonWeight = 1.5
	knownWeight  = 0.7
	pairWeight   = 2.0

	anyAbbreviation = "@"
)

var wordWeight, pairs = func() (map[string]float64, map[string]bool) {
	weights, pairs := make(map[string]float64), make(map[string]bool)
	for _, w := range strings.Fields(knownWords) {
		weights[w] = knownWeight
	}
	for _, w := range strings.Fields(commonWords) {
		weights[w] = commonWeight
	}
	for p := range strings.SplitSeq(commonPairs, ",") {
		pairs[strings.Join(strings.Fields(p), " ")] = true
	}
	return weights, pairs
}()
