package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jmoiron/sqlx"
)

// A pool keeps at most maxPrepared statements, none longer than maxPreparedText bytes: multi-row statements come in too many
// lengths to meet again.
const (
	maxPrepared     = 500
	maxPreparedText = 2000
)

// A pool is a set of connections, the statements that are prepared on them, and a bound on transactions at the same time.
// Parsing a statement costs SQLite as much as running it, and PostgreSQL another round trip. The bound leaves a connection
// for preparing: without it, as many transactions as there are connections could all wait for one more.
type pool struct {
	*sqlx.DB
	connections int
	slots       chan struct{}
	ran         atomic.Int64 // statements of transactions
	mu          sync.RWMutex
	stmts       map[string]*sqlx.Stmt
}

func newPool(db *sqlx.DB, transactions, others int) *pool {
	db.SetMaxOpenConns(transactions + others)
	db.SetMaxIdleConns(transactions + others)
	return &pool{DB: db, slots: make(chan struct{}, transactions), connections: transactions + others, stmts: map[string]*sqlx.Stmt{}}
}

// begin starts a transaction as soon as there is room, and returns what gives the room back.
func (p *pool) begin(ctx context.Context, opt *sql.TxOptions) (*sqlx.Tx, func(), error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	t, err := p.BeginTxx(ctx, opt)
	for try := 1; err != nil && hungUp(err) && try < p.connections; try++ {
		t, err = p.BeginTxx(ctx, opt) // nothing has begun, and the broken connection is out of the pool
	}
	if err != nil {
		<-p.slots
		return nil, nil, err
	}
	return t, func() { t.Rollback(); <-p.slots }, nil
}

// prepared returns the statement, or nil when it is not worth keeping, or while somebody else prepares it. So a statement is
// prepared once and none is closed while transactions run: closing waits for the connection that it was prepared on, whose
// transaction may wait for a row of ours.
func (p *pool) prepared(ctx context.Context, query string) (*sqlx.Stmt, error) {
	p.ran.Add(1)
	p.mu.RLock()
	s, known := p.stmts[query]
	p.mu.RUnlock()
	if known || len(query) > maxPreparedText || !p.claim(query) {
		return s, nil
	}
	s, err := p.PreparexContext(ctx, query)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		delete(p.stmts, query)
		return nil, fmt.Errorf("prepare: %w", err)
	}
	p.stmts[query] = s
	return s, nil
}

// claim says who prepares a statement: until then it stands there as nil.
func (p *pool) claim(query string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.stmts[query]; known || len(p.stmts) >= maxPrepared {
		return false
	}
	p.stmts[query] = nil
	return true
}
