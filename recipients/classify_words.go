package recipients

import (
	"regexp"
	"strings"
)

// The tables of this file are the vocabulary of Vietnamese administration as it stands in recipient lists, in the ASCII
// spelling of a shadow. They name kinds of bodies and offices, never a body.

// alternatives makes a pattern of alternatives.
func alternatives(lists ...string) string {
	return "(?:" + strings.Join(strings.Fields(strings.Join(lists, " ")), "|") + ")"
}

// Words are separated by blanks and "_" stands for a space inside a word.
func phrases(list string) string { return strings.ReplaceAll(alternatives(list), "_", " ") }

const (
	// bodyList begins the name of a body.
	bodyList = `bo so s\._? viettel\w* mobifone vinaphone agribank bidv vietcombank vietinbank petrovietnam ban_ban tong_cuc cuc vu vien vp\w* vpub van_phong phong p\. tt\.?_ chi_cuc thanh_tra ttr uy_ban ubnd\w* ubkt\w* ubmt\w* ubtw ubqg ub
		hdnd\w* hddt hdqt hoi_dong hoi doan tinh_doan thanh_doan huyen_doan thi_doan quan_doan tinh_uy thanh_uy huyen_uy thi_uy quan_uy
		dang_uy dang_bo dang_doan dang_bo dang_ban bcs chi_bo thuong_truc tt tttu tthdnd trung_tam tttt\w* truong_(?:dai|cao|trung|tieu|mam|pho|chinh|day|thpt|thcs|th|mn|cd\w*|dh\w*|tc\w*|boi|nghiep|ptdt\w*|quan|si|giao|chuyen|quoc|nang|su|can|tu)
		dai_hoc cao_dang hoc_vien benh_vien bv\w* bvdk tram kho_bac kbnn ngan_hang nhnn\w* nhcs\w* nhtm\w* nhpt\w* toa_an tand\w* tandtc vien_kiem_sat vks\w* cong_an ca_(?:tinh|huyen|xa|tp|quan|phuong|tx)
		bo_chi_huy bch\w* bo_tu_lenh btl\w* bo_cong_an quan_khu quan_doan quan_chung bao_hiem bhxh bhyt cong_ty cty tap_doan tong_cong_ty tct tcty lien_doan ldld\w* lien_minh
		lien_hiep lien_hiep_hoi mat_tran mttq\w* hiep_hoi quy bql\w* ban to quan_su hat don_(?:bien|cong) doi_(?:tn\w*|thieu|quan|thue|thi|cs|tru|canh|tuyen) cang thong_ke thi_hanh_an tha_\w* thads\w* kiem_toan
		hai_quan thue buu_dien buu_chinh vien_thong vnpt dien_luc evn pc chinh_phu quoc_hoi ubtvqh uybtvqh chu_tich_doan bbt\b btv\w* btt\w* bcd\w* bch\w* bqp bca
		trung_uong tw tu_phap khoi uy_hoi tong_hoi tong_lien_doan nha_(?:van|thieu|xuat|khach|may|truong) thu_vien bao_tang nha_hat htx hop_tac_xa doanh_nghiep_(?:tu|nn) dn chi_nhanh vqg vuon_quoc_gia
		khu_(?:bao|di|cong|kinh|quan) nong_truong lam_truong xi_nghiep cau_lac_bo clb mtqg ttyt ttgd\w* ttvh\w* ttpv\w* ttdv\w* ttpt\w* ttcn\w* ttdk\w* phan_vien dai_dien dai_su lanh_su tham_muu hddtc hdgd gia_dinh
		ttvhtt\w* tinh(?:_[a-z]) thanh_tra_\w+ bdv bdt btg btc bkt\w* bpc dtn doan_tncs cdcs cong_doan vpdp vpbcd chi_hoi chi_doan lhh\w* lhpn hpn hccb hnd ubbc uy_hoi hdtd khoa_(?:[a-fi-z]\w*|g(?:[a-hj-z]|i[b-z])\w*|h(?:[a-np-z]|o[abd-z])\w*)`

	// pressList begins a publication: a gazette, portal, newspaper, broadcaster or database of law.
	pressList = `cong_bao trung_tam_(?:tin_hoc_va_|tin_hoc_-_|tin_hoc_)?cong_bao tt_(?:tin_hoc_-_|tin_hoc_)?cong_bao ttcb
		cong_thong_tin cong_ttdt\w* cong_tt cong_tin cong_phap_luat cong_plqg cong_dich_vu cong_giao_tiep cong_dien_tu cong_gttdt cong_:? cong_web
		trang_thong_tin trang_tin trang_ttdt\w* trang_tt trang_web\w* trang_dien_tu website\w* web fanpage
		dai_pt\w* dai_phat dai_truyen dai_th\w* dai_tn\w* dai_tieng dai_khu_vuc dai vtv\d* vov\d* phan_xa ttxvn ttxvn\w* thong_tan_xa thong_tan tap_chi ban_tin csdl\w* co_so_d[a-z]_lieu
		thu_vien_phap_luat luat_viet_nam chuyen_trang chuyen_muc to_tin he_thong_thong_tin_phap_luat`
)

var (
	pressHead = regexp.MustCompile(`^(?:(?:` + phrases(pressList) + `|bao)(?:\b|$)|cong ?:)`)
	notPress  = regexp.MustCompile(`^(?:bao (?:hiem|cao|tang|viet|ve|tro|dam|mat|tin)\b|dai (?:hoc|dien|bieu|su|ly|doi|tuong|khi tuong)|trang trai|cong (?:ty|an|doan|chuc|thuong|nghiep|nghe|dong|tac|dan|trinh|vien)\b)`)
	bodyHead  = regexp.MustCompile(`^(?:` + phrases(bodyList) + `)(?:\b|$)`)
	notBody   = regexp.MustCompile(`^(?:to chuc|ban (?:hanh|chinh|sao|do|quyen|bo|ghi)\b|vien chuc|bo (?:mon|phan)\b|don vi|phong (?:chong|ngua|thu|vien)\b|thue (?:dat|nha)|quy (?:hoach|dinh|che)\b|hoi (?:nhap|nghi)\b|khoi luong|thanh vien|bao ve|doan (?:the|vien)\b)`)
	// placeWord is a class of territory; bare it says "our own one", in a row of two or after "các" it is a class.
	placeWord = phrases(`tinh thanh_pho thanh_ph tp t\.p huyen quan thi_xa tx xa phuong thi_tran tt dac_khu`)
	classWord = placeWord[:len(placeWord)-1] + `|` + phrases(`don_vi co_quan dia_phuong khu_vuc so bo nganh ban_nganh doan_the to_chuc truong lop
		khoa phong chi_nhanh vung mien dia_ban cum quan_khu cap hoi thon ap to_dan_pho khu_pho doanh_nghiep co_so nuoc xom ban dang_bo chi_bo benh_vien`)[3:]

	memberLead = regexp.MustCompile(`^(?:(?:cac|nhung|toan (?:the|bo)|tat ca|mot so)\b|ca[a-z] ?-? ?(?:uy ban|ub|doan the|so|hoi|ban)\b)`)
	comrade    = regexp.MustCompile(`^(?:(?:cac |nhung )?(?:dong chi|d/ ?c|d\.c|dc|dic|ong ?[/(,]? ?ba\)?|ong|ba|ngai|vi|quy)\b[. :]*)+`)

	titleHead = regexp.MustCompile(`^(?:` + phrases(`tong_bi_thu pho_bi_thu bi_thu chu_tich pho_chu_tich thu_tuong pho_thu_tuong bo_truong thu_truong
		tong_giam_doc pho_tong_giam_doc giam_doc pho_giam_doc cuc_truong pho_cuc_truong vu_truong pho_vu_truong tong_cuc_truong
		pho_tong_cuc_truong pho_t\w+ ptct\w* tctr truong_(?:phong|ban|khoa|bo_mon|doan|cong_an|thon|to|ap|khu|dai|tram|chi|doi|van|vp|phan|p\.|bqp|bql|dai_dien)
		pho_truong_\w+ pho_phong pho_ban pho_truong pho_chanh pho_hieu_truong pho_vien_truong pho_cvp pho_chu_nhiem pho_\w+
		chanh,_pho chanh_van_phong chanh_vp chanh_thanh_tra chanh_an pho_chanh_an hieu_truong vien_truong chu_nhiem thong_doc pho_thong_doc tro_ly thu_ky
		ke_toan_truong ke_toan doi_truong to_truong ct pct cvp\d* pcvp\d* pvp\d* cpvp\d* gd pgd tgd ptgd ht pht btct btcn pcn ttcp ttg ttgcp tbt btth
		tong_bien_tap tong_kiem_toan tong_tham_muu chinh_uy tu_lenh chi_huy_truong uy_vien_thuong_truc kiem_toan_truong chi_cuc_truong hat_truong
		tong_thu_ky quyen_\w+ nguyen_(?:chu|bi|pho) chuyen_vien cong_chuc_\w+ can_bo_(?:phu|theo|tong|dau) vien_truong_vks\w* ks[vt] bi_cao bi_hai bi_don nguyen_don phu_trach bt ptt pttg pttgcp`) + `)(?:\b|$)`)
	deputies = regexp.MustCompile(`(?:[,;] ?|\bva |& ?)ca[ct] (?:d/c |dong chi )?(?:pho\b|pct\w*|pgd\b|pvp\b|pcvp\b|pcn\b|ptb\b|ptt\w*|pht\b|pb\b|thu truong\b|pvt\b|pcnh?\b|uy vien|tptt|pho)`)

	groupHead = regexp.MustCompile(`^(?:` + phrases(`lanh_dao ban_lanh_dao ld ldvp ban_giam_doc b\._?giam_doc bgd ban_giam_hieu bgh thanh_vien can_bo cb cbcc\w* cbvc\w* cong_chuc vien_chuc
		giao_vien giang_vien hoc_sinh sinh_vien phu_huynh nguoi_lao_dong uy_vien dai_bieu dang_vien ho_gia_dinh ho_dan nhan_dan to_chuc_va ca_nhan doanh_nghiep
		doi_ngu cap_uy tinh_uy_vien tv thu_truong_cac thu_truong_co_quan thu_truong_don_vi truong_cac so,_ so_-_ so_ban so_nganh ban,_ ban_nganh
		nganh doan_the cac_ tap_the toan_the don_vi ldtt lanh_dao cha_me chu_dau_tu thuong_vu_cac nhan_vien duong_su nguoi_(?:khoi|bi|co|dan|su) vien_chuc to_chuc_(?:chinh|ct|xa)
		tap_doan,_ phong,_ khoa,_ cuc,_ vu,_ xa,_ huyen,_`) + `)(?:\b|$)`)
	countHead  = regexp.MustCompile(`^\d{1,3} (?:` + classWord + `)`)
	bodyOffice = regexp.MustCompile(`^co quan\b`)
	agency     = regexp.MustCompile(`^co quan,? ?(?:trung uong|tw|t\.?u\b|ngang|thuoc|chuyen mon|lien quan|don vi|quan ly|hanh chinh|bao chi|thong tan|tham muu|nganh doc|,|va|dang|doan the|to chuc)`)

	// regionName begins the name of a region: "các tỉnh Tây Nguyên" names no member.
	regionName = regexp.MustCompile(`^(?:tay nguyen|tay bac|dong bac|tay nam bo|dong nam bo|nam bo|bac bo|trung bo|nam trung bo|bac trung bo|duyen hai|dong bang|mien|phia|vung|ven bien|bien gioi|khu vuc|` +
		`trung du|truc thuoc|thuoc|trong|tren|co|lien quan|khac|toan|cua|o|viet nam|phu trach|duoc|noi|theo|tai|ca nuoc|ngoai|giap|con lai)\b`)
	tailClass  = regexp.MustCompile(`(?:^|[^,;.a-z] ?|[a-z&] )\b(?:cac|nhung|\b\d{1,3}(?:/\d{1,3})?) (` + classWord + `(?:(?: ?, ?| ?/ ?| va | - |-| )` + classWord + `)*)\b`)
	twoPlaces  = regexp.MustCompile(`\b` + placeWord + `(?: ?, ?| ?/ ?| va | hoac | - )` + placeWord + `\b(?: truc thuoc(?: t[a-z]*(?: [a-z]{4,6})?)?)?`)
	twoParties = regexp.MustCompile(`\b(?:tinh|thanh|huyen|thi|quan) uy(?: ?, ?| va )(?:tinh|thanh|huyen|thi|quan) uy\b`)
	areaTail   = regexp.MustCompile(` (?:khu vuc|truc thuoc|cap (?:huyen|xa|tinh|co so))$`)
	// weakClass is a class word that more often belongs to the name of a field: "Vụ Tín dụng các ngành kinh tế".
	weakClass = regexp.MustCompile(`(?:cac|nhung) (?:nganh|hoi|to chuc|doanh nghiep|chi nhanh|vung|nuoc)$`)
	fieldWord = regexp.MustCompile(`^ (?:kinh te|ky thuat|nghe|cong nghiep|quoc te|tin dung|phi chinh phu|lang gieng|nho|vua|asean)`)
	// notClass stands before a "các" that is part of a name: "Khối các cơ quan", "Ban Quản lý các khu công nghiệp".
	notClass = regexp.MustCompile(`\b(?:khoi|bql|ban quan ly|ban ql|lien hiep|lien minh|hiep hoi|van de|ve|tai|o|doi voi|cho|vi|giua|cua)$`)

	listClass = regexp.MustCompile(`^(?:cac |nhung )?((?:` + phrases(`bo so ban vu cuc tong_cuc chi_cuc phong p\. vien huyen xa phuong tinh thanh_pho thi_xa thi_tran quan van_phong vp thuong_truc ban_thuong_vu truong truong_(?:thpt|thcs|tieu_hoc|dai_hoc|cao_dang|mam_non) trung_tam
		benh_vien hoi doan quan_khu quan_chung don_vi co_quan doanh_nghiep cong_ty tap_doan tong_cong_ty ban_quan_ly ngan_hang khoa to doi hat kho_bac doan_the ban_dang
		cong_ttdt\w* cong_thong_tin_dien_tu cong bao dai website trang_ttdt dang_uy so,_ban,_nganh so,_nganh thon ap`) + `)(?:[,/]? ?(?:don vi|tp|thanh pho|thi xa|tx|thi tran|tt|phuong|xa|nganh|ban nganh|don vi))*)$`)
	archiveHead = regexp.MustCompile(`^(?:l ?u ?u|lun|luu|ltru|luu tru)(?:$|[ :;.,-]|vt|vp|hs)|^(?:ho so|hs)$`)
	refHead     = regexp.MustCompile(`^(?:n ?h ?u|nhir|nhi) ?(?:t ?r ?e ?n|d ?i ?e ?u|kinh|muc|phan|noi|danh|thanh|khoan|diem|chuong|tr[a-z]n\b|d[a-z]{2,3}u\b)`)
)

// signerSyllables are the syllables of a signer's title in capitals, which OCR or a merged column leaves beside an entry.
var signerSyllables = wordSet(`truong giam doc chanh thuong thanh phong nhan quoc tong hien quyen chinh hieu vien kiem chu tich pho thua lenh uy quyen
	thong tham tong thu bi nghi trieu`)

// selfStanding begins abbreviations that are a body without a class word before them.
var selfStanding = regexp.MustCompile(`^(?:vp|ub|hdnd|kbnn|ttx|vks|tand|mttq|bhxh|nhnn|nhcs|ldld|csdl|bch|btl|btv|tttu|tthd|vnpt|evn|tncs|lhpn|tw|bql|htx|vqg|[a-z]\d|cty|tct|bcd)`)

// surnames are the family names by which a signer or a named person is known.
var surnames = wordSet(`nguyen tran le pham hoang huynh phan vu vo dang bui do ho ngo duong ly dinh trinh mai dao truong lam ha luong cao trieu chau
	luu to la quach ta thai tang nghiem vuong doan kieu ung tong khong mac bach chu han giap lo quang a y sung giang vang thao ma be nong hau hua
	khuc ninh phung tieu au cu chau diep phi thach son khuat quach hua siu rcom rmah kpa ksor`)

func wordSet(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

// sectors are the fields that ministries, departments and their divisions are named after, letters only, so that names
// that contain a comma or "và" are known to be one name.
var sectors = sectorTable(`van hoa the thao va du lich|van hoa the thao du lich|van hoa thong tin va du lich|van hoa thong tin va the thao|van hoa va the thao|van hoa the thao|
	van hoa thong tin|van hoa va thong tin|van hoa xa hoi|van hoa va xa hoi|van hoa khoa hoc va thong tin|van hoa thong tin the thao va du lich|lao dong thuong binh va xa hoi|
	lao dong thuong binh xa hoi|lao dong tb va xh|lao dong tbxh|lao dong viec lam|giao duc va dao tao|giao duc dao tao|giao duc|khoa hoc va cong nghe|khoa hoc cong nghe|khoa hoc cong nghe va moi truong|khoa hoc|
	thong tin va truyen thong|thong tin truyen thong|buu chinh vien thong|buu chinh va vien thong|ke hoach va dau tu|ke hoach dau tu|ke hoach tai chinh|tai chinh ke hoach|
	nong nghiep va phat trien nong thon|nong nghiep va ptnt|nong nghiep ptnt|nong nghiep|nong nghiep va moi truong|nong nghiep moi truong|tai nguyen va moi truong|tai nguyen moi truong|
	cong thuong|cong nghiep|cong nghiep va thuong mai|thuong mai|thuong mai va du lich|thuong mai du lich|du lich|du lich thuong mai|giao thong van tai|giao thong|xay dung|xay dung va giao thong van tai|
	quy hoach kien truc|noi vu|tu phap|tai chinh|y te|dan toc|ton giao|dan toc va ton giao|dan toc ton giao|ngoai vu|ngoai giao|quoc phong|cong an|thanh tra|thuy san|
	kinh te|kinh te ha tang|kinh te va ha tang|kinh te ha tang va do thi|kinh te va ngan sach|kinh te ngan sach|phap che|do thi|quan ly do thi|dan so gia dinh va tre em|the duc the thao|
	to chuc|to chuc can bo|tuyen giao|tuyen giao va dan van|dan van|noi chinh|kiem tra|van phong|tong hop|hanh chinh|ke toan|dao tao|chinh tri|tham muu|hau can|ky thuat|
	ngan hang|bao hiem|thue|hai quan|dia phuong|co yeu|quan luc|can bo|chinh sach|chinh sach xa hoi|kinh te doi ngoai|thi dua khen thuong|ton giao chinh phu|xa hoi|van hoa|
	cong chung|ho tich|dang ky kinh doanh|nghiep vu|tong hop hanh chinh|khoa giao|khoa giao van xa|nghien cuu|kinh te nganh|do luong|vat gia|thong ke|phap luat|
	khoa hoc va dao tao|to chuc hanh chinh|to chuc va hanh chinh|hanh chinh tong hop|hanh chinh to chuc|quan ly dat dai|ke hoach va tai chinh|ke hoach|gia va cong san|an toan giao thong|
	nguoi co cong|bao tro xa hoi|tre em|viec lam|an toan lao dong|bao ve moi truong|bao ve thuc vat|kiem lam|thuy loi|chan nuoi va thu y|
	kh va dt|gd va dt|gd&dt|tn va mt|tt va tt|vhtt va dl|vh tt va dl|vhtt&dl|ld tb va xh|ldtb va xh|nn va ptnt|nn va mt|kh va cn|tn mt|lao dong tb&xh|kh va dau tu|ke hoach va dt`)

func sectorTable(list string) map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Split(list, "|") {
		m[lettersOnly(name)] = true
	}
	return m
}

// cities are the centrally run cities (thành phố trực thuộc trung ương), which "các tỉnh, thành phố: …" mixes with provinces.
var cities = wordSet("hanoi hochiminh hcm haiphong danang cantho hue")
