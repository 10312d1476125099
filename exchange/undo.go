package exchange

// Events of a sealed document: when it is to go out, and that it was taken back before.
const (
	EventDue    = "due"
	EventUndone = "undone"
)
