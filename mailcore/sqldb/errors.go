package sqldb

import (
	"errors"
	"net"

	"github.com/lib/pq"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// IsUnique reports whether err says that a unique or primary key is taken. After it a PostgreSQL transaction is dead:
// return, do not go on (or write ON CONFLICT).
func IsUnique(err error) bool {
	if e := (*pq.Error)(nil); errors.As(err, &e) {
		return e.Code == "23505"
	}
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		return e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return false
}

// isTransient reports whether the same transaction may succeed when run again.
func isTransient(err error) bool {
	if e := (*pq.Error)(nil); errors.As(err, &e) {
		return e.Code == "40001" || e.Code == "40P01"
	}
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		code := e.Code() & 0xff
		return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED
	}
	return false
}

// hungUp reports whether the connection to the server broke. lib/pq tells database/sql of most such connections, which then
// takes another one by itself, but not of a reset that comes instead of an answer.
func hungUp(err error) bool {
	e := (*net.OpError)(nil)
	return errors.As(err, &e) && e.Op != "dial"
}
