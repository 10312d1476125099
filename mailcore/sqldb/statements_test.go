package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jmoiron/sqlx"
)

// A slowDriver holds its first Prepare until it may go on, and counts what is prepared and closed.
type slowDriver struct {
	begun, goOn      chan struct{}
	prepared, closed atomic.Int32
	fail             atomic.Bool
	resets           atomic.Int32 // answers to BEGIN that are a broken connection
}

func (d *slowDriver) Connect(context.Context) (driver.Conn, error) { return slowConn{d}, nil }
func (d *slowDriver) Driver() driver.Driver                        { return nil }

type slowConn struct{ d *slowDriver }

func (c slowConn) Close() error { return nil }
func (c slowConn) Begin() (driver.Tx, error) {
	if c.d.resets.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	}
	return slowTx{}, nil
}
func (c slowConn) Prepare(string) (driver.Stmt, error) {
	if c.d.prepared.Add(1) == 1 {
		close(c.d.begun)
		<-c.d.goOn
	}
	if c.d.fail.Load() {
		return nil, errors.New("refused")
	}
	return slowStmt(c), nil
}

type slowTx struct{}

func (slowTx) Commit() error   { return nil }
func (slowTx) Rollback() error { return nil }

type slowStmt struct{ d *slowDriver }

func (s slowStmt) Close() error                               { s.d.closed.Add(1); return nil }
func (s slowStmt) NumInput() int                              { return -1 }
func (s slowStmt) Exec([]driver.Value) (driver.Result, error) { return driver.ResultNoRows, nil }
func (s slowStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, driver.ErrSkip }

// While one transaction prepares a statement others run the text as it is: it is not prepared twice, so none has to be closed, which
// would wait for a connection whose transaction may wait for ours.
func TestStatementIsPreparedOnceAndNeverClosed(t *testing.T) {
	d := &slowDriver{begun: make(chan struct{}), goOn: make(chan struct{})}
	p := newPool(sqlx.NewDb(sql.OpenDB(d), "postgres"), 4, 4)
	ctx := context.Background()
	first := make(chan *sqlx.Stmt)
	go func() {
		s, err := p.prepared(ctx, "SELECT 1")
		if err != nil {
			t.Error(err)
		}
		first <- s
	}()
	<-d.begun
	if s, err := p.prepared(ctx, "SELECT 1"); s != nil || err != nil {
		t.Errorf("while it is prepared: %v, %v", s, err)
	}
	if s, err := p.prepared(ctx, "SELECT 2"); s == nil || err != nil {
		t.Errorf("another text: %v, %v", s, err)
	}
	close(d.goOn)
	s := <-first
	if again, err := p.prepared(ctx, "SELECT 1"); again == nil || again != s || err != nil {
		t.Errorf("afterwards: %p and %p, %v", again, s, err)
	}
	d.fail.Store(true)
	if s, err := p.prepared(ctx, "SELECT 3"); s != nil || err == nil {
		t.Errorf("refused: %v, %v", s, err)
	}
	d.fail.Store(false)
	if s, err := p.prepared(ctx, "SELECT 3"); s == nil || err != nil {
		t.Errorf("after a refusal: %v, %v", s, err)
	}
	if n, closed := d.prepared.Load(), d.closed.Load(); n != 4 || closed != 0 {
		t.Errorf("%d prepared, %d closed", n, closed)
	}
}

// A transaction that could not begin because the server hung up begins on another connection; one that cannot at all says so.
func TestBeginTakesAnotherConnection(t *testing.T) {
	for _, c := range []struct {
		resets int32
		ok     bool
	}{{0, true}, {7, true}, {8, false}} {
		d := &slowDriver{}
		d.resets.Store(c.resets)
		p := newPool(sqlx.NewDb(sql.OpenDB(d), "postgres"), 4, 4)
		for range 2 * cap(p.slots) { // what fails gives its room back, too
			d.resets.Store(c.resets)
			_, end, err := p.begin(context.Background(), nil)
			if (err == nil) != c.ok {
				t.Fatalf("%d broken connections: %v", c.resets, err)
			}
			if err == nil {
				end()
			}
		}
	}
}
