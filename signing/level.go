package signing

// A Level is one of the baseline levels of PAdES (ETSI EN 319 142-1 §6): how long a signature can be judged without
// anybody's help.
type Level string

// The levels. Each contains the one before.
const (
	LevelB   Level = "B-B"   // the signature alone: until its certificate ends
	LevelT   Level = "B-T"   // a time stamp proves when it existed
	LevelLT  Level = "B-LT"  // certificates and revocation answers are in the file: no network is needed
	LevelLTA Level = "B-LTA" // a document time stamp protects these: for as long as it is renewed in time
)

// rank orders levels; 0 is no level.
func (l Level) rank() int {
	switch l {
	case LevelB:
		return 1
	case LevelT:
		return 2
	case LevelLT:
		return 3
	case LevelLTA:
		return 4
	}
	return 0
}

// AtLeast says whether the level is the other one or contains it.
func (l Level) AtLeast(other Level) bool { return l.rank() >= other.rank() }

// Below is the next lower level; B-B is below itself.
func (l Level) Below() Level {
	switch l {
	case LevelLTA:
		return LevelLT
	case LevelLT:
		return LevelT
	}
	return LevelB
}
