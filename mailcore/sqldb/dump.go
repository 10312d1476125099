package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// ErrNotEmpty says that a database to be filled from a dump holds tables already.
var ErrNotEmpty = errors.New("the database is not empty")

// Dump writes what the database holds at one moment into a new file, synced, while others go on: a SQLite database without free
// pages, so that nothing deleted goes along, or what pg_dump writes in its own format.
func (db *DB) Dump(ctx context.Context, path string) error {
	dump := db.dumpPostgres
	if db.dialect == SQLite {
		dump = db.dumpSQLite
	}
	if err := dump(ctx, path); err != nil {
		os.Remove(path)
		return fmt.Errorf("dump database: %w", err)
	}
	return syncFile(path)
}

func (db *DB) dumpSQLite(ctx context.Context, path string) error {
	one, err := sqlx.ConnectContext(ctx, "sqlite", sqliteURI(strings.TrimPrefix(db.dsn, "sqlite:")))
	if err != nil {
		return err
	}
	defer one.Close()
	_, err = one.ExecContext(ctx, `VACUUM INTO $1`, path)
	return err
}

func (db *DB) dumpPostgres(ctx context.Context, path string) error {
	return runProgram(ctx, db.dsn, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--file="+path)
}

// Load fills a database from the file of a Dump of the same kind. It is there whole afterwards, or as empty as it was; one that
// holds tables gives ErrNotEmpty.
func Load(ctx context.Context, dsn, path string) error {
	load := loadPostgres
	if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		load = func(ctx context.Context, _, path string) error { return loadSQLite(file, path) }
	}
	if err := load(ctx, dsn, path); err != nil {
		return fmt.Errorf("load database: %w", err)
	}
	return nil
}

func loadSQLite(file, path string) error {
	if info, err := os.Stat(file); err == nil && info.Size() > 0 {
		return fmt.Errorf("%s: %w", file, ErrNotEmpty)
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	whole := file + ".new"
	out, err := os.OpenFile(whole, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(whole)
	_, err = out.ReadFrom(in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	return os.Rename(whole, file)
}

func loadPostgres(ctx context.Context, dsn, path string) error {
	one, err := sqlx.ConnectContext(ctx, "postgres", dsn)
	if err != nil {
		return err
	}
	defer one.Close()
	var tables int
	if err := one.GetContext(ctx, &tables, `SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()`); err != nil {
		return err
	}
	if tables > 0 {
		return fmt.Errorf("%d tables: %w", tables, ErrNotEmpty)
	}
	conf, err := pq.NewConfig(dsn)
	if err != nil {
		return err
	}
	return runProgram(ctx, dsn, "pg_restore", "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--dbname="+conf.Database, path)
}

// runProgram runs one of PostgreSQL's programs over the database. It learns the address from its environment: arguments are seen by
// everybody on the machine, and an address may hold a password.
func runProgram(ctx context.Context, dsn, program string, args ...string) error {
	env, err := postgresEnv(dsn)
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, program, args...)
	c.Env = append(os.Environ(), env...)
	said := &strings.Builder{}
	c.Stderr = said
	err = c.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%s is not installed (package postgresql-client of the server's version): %w", program, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(said.String()))
	}
	return nil
}

// postgresEnv is a PostgreSQL address as libpq's environment variables. What it does not name stays as the environment says.
func postgresEnv(dsn string) ([]string, error) {
	conf, err := pq.NewConfig(dsn)
	if err != nil {
		return nil, err
	}
	env := []string{"PGAPPNAME=congvan", "PGHOST=" + conf.Host, "PGPORT=" + strconv.Itoa(int(conf.Port)), "PGUSER=" + conf.User, "PGPASSWORD=" + conf.Password,
		"PGDATABASE=" + conf.Database, "PGSSLMODE=" + string(conf.SSLMode)}
	for name, value := range map[string]string{"PGSSLROOTCERT": conf.SSLRootCert, "PGSSLCERT": conf.SSLCert, "PGSSLKEY": conf.SSLKey} {
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env, nil
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
