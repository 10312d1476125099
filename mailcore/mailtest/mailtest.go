// Package mailtest is for tests: both databases, migrated and thrown away.
package mailtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"congvan/mailcore/sqldb"
	"congvan/migrations"

	"github.com/jmoiron/sqlx"
)

// Quiet is a logger for tests that say what they check by themselves.
var Quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// ForEachDB runs fn as sub-tests "sqlite" and "postgres", each with a new migrated database. Where no PostgreSQL server is
// installed that half skips; where CI is set it fails.
func ForEachDB(t *testing.T, fn func(t *testing.T, db *sqldb.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { fn(t, Open(t, "sqlite:"+filepath.Join(t.TempDir(), "congvan.db"))) })
	t.Run("postgres", func(t *testing.T) { fn(t, Open(t, NewPostgres(t))) })
}

// Open opens and migrates the database at dsn and closes it when the test ends.
func Open(t testing.TB, dsn string) *sqldb.DB {
	t.Helper()
	StayInOneDay(t)
	ctx := context.Background()
	db, err := sqldb.Open(ctx, dsn, sqldb.Options{Logger: Quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close database: %v", err)
		}
	})
	if err := db.Migrate(ctx, migrations.Files); err != nil {
		t.Fatal(err)
	}
	return db
}

// StayInOneDay waits until midnight in Viet Nam is over when it is near: a test that registers a document today and looks for it
// under today's date would see two days, and at New Year two registers.
func StayInOneDay(t testing.TB) {
	t.Helper()
	const margin = 2 * time.Minute // longer than a test takes
	now := time.Now().UTC()
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 17, 0, 0, 0, time.UTC)
	if left := midnight.Sub(now); left > 0 && left < margin {
		t.Logf("midnight in Viet Nam is near: waiting %v", left)
		time.Sleep(left + time.Second)
	}
}

// NewPostgres makes a new migrated database in this process's throwaway cluster and returns its address; a test that ends
// drops it. CONGVAN_TEST_POSTGRES names a running server instead.
func NewPostgres(t testing.TB) string {
	t.Helper()
	base := os.Getenv("CONGVAN_TEST_POSTGRES")
	if base == "" {
		dir, err := cluster()
		if err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("PostgreSQL for tests: %v", err)
			}
			t.Skipf("PostgreSQL for tests: %v", err)
		}
		base = "host=" + dir + " user=postgres sslmode=disable"
	}
	name := "t_" + strings.ToLower(rand.Text()[:16])
	admin, err := sqlx.Open("postgres", base+" dbname=postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	template, err := migrated(base)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec("CREATE DATABASE " + name + " TEMPLATE " + template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { drop(t, base, name) })
	return fmt.Sprintf("%s dbname=%s", base, name)
}

// migrated makes a migrated database once, to be copied: that is ten times quicker than migrating each.
var migrated = func() func(base string) (string, error) {
	var once sync.Once
	var name string
	var err error
	return func(base string) (string, error) {
		once.Do(func() { name, err = makeTemplate(base) })
		return name, err
	}
}()

func makeTemplate(base string) (string, error) {
	name := "template_" + strings.ToLower(rand.Text()[:12])
	admin, err := sqlx.Open("postgres", base+" dbname=postgres")
	if err != nil {
		return "", err
	}
	defer admin.Close()
	if _, err := admin.Exec("CREATE DATABASE " + name); err != nil {
		return "", err
	}
	ctx := context.Background()
	db, err := sqldb.Open(ctx, base+" dbname="+name, sqldb.Options{Logger: Quiet})
	if err != nil {
		return "", err
	}
	defer db.Close()
	return name, db.Migrate(ctx, migrations.Files)
}

func drop(t testing.TB, base, name string) {
	admin, err := sqlx.Open("postgres", base+" dbname=postgres")
	if err != nil {
		t.Error(err)
		return
	}
	defer admin.Close()
	if _, err := admin.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
		t.Error(err)
	}
}

// QuotedPrintable decodes a body.
func QuotedPrintable(t testing.TB, body string) string {
	t.Helper()
	text, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
