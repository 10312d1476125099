package intake

import (
	"fmt"
	"time"
)

// A Call says how one document is read and who is told on the way. The zero value reads with the Reader's own limits and
// tells nobody. The functions are called one after the other, never at once, and must return soon: reading waits for them.
type Call struct {
	// Timeout is the time limit of this document; 0 means the Reader's. When it ends, what was read is the draft, the other
	// pages stand in Draft.Unread with a Problem of code TooSlow.
	Timeout time.Duration

	// Progress is told how far the reading is, at most once for each page and phase.
	Progress func(Progress)

	// Early is called at most once, with a draft of its own that has the heading and the recipients, as soon as the pages
	// that bear them are recognised, while the others are still to be read. It is for showing only: its guard has not seen
	// every page (Unread lists the others), so nothing of it may be stored or sent. A document that needs no recognition
	// is read at once, and Early is not called for it.
	Early func(*Draft)
}

// A Phase is what a reading is busy with.
type Phase string

// The phases, in their order. Recognition is the slow one and missing where every page has a text layer.
const (
	PhaseOpen      Phase = "open"      // opening the file
	PhaseText      Phase = "text"      // reading text layers
	PhaseMarks     Phase = "marks"     // looking for marks of secrecy in pictures and drawings
	PhaseRecognise Phase = "recognise" // recognising scanned pages
	PhaseDone      Phase = "done"
)

// A Progress tells how far a reading is: Done pages of Total in this phase.
type Progress struct {
	Phase Phase `json:"phase"`
	Done  int   `json:"done"`
	Total int   `json:"total"`
}

// String words the progress for the clerk.
func (p Progress) String() string {
	switch p.Phase {
	case PhaseOpen:
		return "Đang mở tệp"
	case PhaseText:
		return fmt.Sprintf("Đang đọc chữ: %d/%d trang", p.Done, p.Total)
	case PhaseMarks:
		return fmt.Sprintf("Đang tìm dấu mật: %d/%d trang", p.Done, p.Total)
	case PhaseRecognise:
		return fmt.Sprintf("Đang nhận dạng bản quét: %d/%d trang", p.Done, p.Total)
	}
	return "Đã đọc xong"
}
