package sqldb

// Waiting is how many closures wait in the lines of a database.
func (db *DB) Waiting() (n int) {
	db.lines.mu.Lock()
	defer db.lines.mu.Unlock()
	for _, all := range db.lines.waiting {
		n += len(all)
	}
	return n
}
