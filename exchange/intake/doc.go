// Package intake turns the file of an official document into a draft of what a clerk would have typed: heading fields,
// the blocks Kính gửi and Nơi nhận, the signer, the text of each Điều, độ mật and độ khẩn, each with its place on the page.
//
// It stores nothing, knows no database and no document of the exchange: bytes in, a Draft out. A file that cannot be read
// is a *Problem with a message for the clerk; whatever is doubtful in a file that can be read is said in the Draft.
//
// Text comes from the PDF's own text layer, character by character with positions, by PDFium compiled to WebAssembly: a
// hostile file runs in a sandbox without the machine's files, with bounded memory and a deadline, and in a process of its own
// that can be killed (Child). Words, lines and columns are built here, because producers disagree about them. Fonts from before Unicode (TCVN3, VNI) are decoded; the text as
// it stood is kept beside. A page without a usable text layer is rendered and read by tesseract with its Vietnamese model,
// run as a process; without it the draft says "cần nhập tay" and what to install.
//
// Places are in points from the top left corner of the page as it is shown, with rotation applied.
//
// Words: ô 1 to ô 14 are the cells of the layout sheet in NĐ 30/2020 Phụ lục I; Quốc hiệu is its ô 1, the issuer ô 2, the
// number ô 3, place and date ô 4, type and trích yếu ô 5, the signer ô 7, Kính gửi ô 9a, Nơi nhận ô 9b, the marks ô 10.
package intake
