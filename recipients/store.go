package recipients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"congvan/mailcore/sqldb"
)

// ErrNoUnit says that the directory has no such unit.
var ErrNoUnit = errors.New("no such unit in the directory")

// A Store keeps the directory in the database: the tables unit, unit_name, unit_alias, group_member and directory_change.
type Store struct {
	db     *sqldb.DB
	domain string

	mu      sync.Mutex
	version int64 // of what is cached
	whole   *Directory
	dated   map[string]*Directory
}

// NewStore returns the store of the directory whose mailboxes are at domain.
func NewStore(db *sqldb.DB, domain string) *Store {
	return &Store{db: db, domain: strings.ToLower(domain), version: -1}
}

// maxDated bounds the directories of single days that are kept: documents of one day come together.
const maxDated = 8

// Directory returns the directory as it stands on a civil date, today's when date is "". It is read from the database again
// only after a change.
func (s *Store) Directory(ctx context.Context, date string) (*Directory, error) {
	if !validDate(date) {
		return nil, fmt.Errorf("read directory: %q is no civil date", date)
	}
	if date == "" {
		date = civilDate(s.db.Now())
	}
	version, whole, err := s.all(ctx)
	if err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	return s.on(version, whole, date), nil
}

// all returns the directory with everything that has ended, from the cache when nothing has changed.
func (s *Store) all(ctx context.Context) (version int64, whole *Directory, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		var err error
		if version, err = changes(ctx, tx); err != nil {
			return err
		}
		if whole = s.cached(version); whole != nil {
			return nil
		}
		whole, err = load(ctx, tx)
		return err
	})
	return version, whole, err
}

// changes counts the committed changes. A count, and not the highest id, because ids may be committed out of order.
func changes(ctx context.Context, tx *sqldb.Tx) (int64, error) {
	var n int64
	err := tx.GetContext(ctx, &n, `SELECT COUNT(*) FROM directory_change`)
	return n, err
}

func (s *Store) cached(version int64) *Directory {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version == version {
		return s.whole
	}
	return nil
}

// on returns the directory of a day and keeps it.
func (s *Store) on(version int64, whole *Directory, date string) *Directory {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version != version || s.whole != whole {
		if version < s.version {
			return whole.At(date) // read before a newer one came
		}
		s.version, s.whole, s.dated = version, whole, map[string]*Directory{}
	}
	d, ok := s.dated[date]
	if !ok {
		if len(s.dated) >= maxDated {
			clear(s.dated)
		}
		d = whole.At(date)
		s.dated[date] = d
	}
	return d
}

// civilDate is the day in Việt Nam, which is seven hours ahead of UTC all year.
func civilDate(t time.Time) string {
	return t.In(vietnam).Format(time.DateOnly)
}

var vietnam = time.FixedZone("Asia/Ho_Chi_Minh", 7*3600)

// UnitByAddress returns the unit that an address leads to today: its mailbox here or its outside address. Mail for a unit
// that has ended goes to its successor. An address of nobody is ErrNoUnit.
func (s *Store) UnitByAddress(ctx context.Context, address string) (Unit, error) {
	address = strings.ToLower(address)
	version, d, err := s.all(ctx)
	if err != nil {
		return Unit{}, fmt.Errorf("find unit of %q: %w", address, err)
	}
	today := civilDate(s.db.Now())
	s.on(version, d, today)
	i := slices.IndexFunc(d.units, func(u Unit) bool { return strings.ToLower(u.MailAddress(s.domain)) == address })
	for range d.units {
		if i < 0 || address == "" {
			break
		}
		if u := d.units[i]; validOn(u.From, u.To, today) {
			return u, nil
		}
		next, ok := d.byCode[d.units[i].Successor]
		if !ok {
			break
		}
		i = next
	}
	return Unit{}, fmt.Errorf("find unit of %q: %w", address, ErrNoUnit)
}

// record writes a change of the directory; every change has its row, which also tells the caches.
func record(ctx context.Context, tx *sqldb.Tx, by, request string, what any) error {
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO directory_change (at, by_whom, request, what) VALUES ($1, $2, $3, $4)`,
		tx.Now.UnixMicro(), by, request, string(text))
	return err
}

// Rows as they stand in the tables.
type (
	unitRecord struct {
		Code       string `db:"code"`
		Kind       string `db:"kind"`
		Parent     string `db:"parent"`
		Address    string `db:"address"`
		HasMailbox bool   `db:"has_mailbox"`
		ValidFrom  string `db:"valid_from"`
		ValidTo    string `db:"valid_to"`
		Successor  string `db:"successor"`
		Position   int64  `db:"position"`
	}
	nameRow struct {
		Code      string `db:"code"`
		Name      string `db:"name"`
		ValidFrom string `db:"valid_from"`
		ValidTo   string `db:"valid_to"`
	}
	aliasRow struct {
		Code      string `db:"code"`
		Alias     string `db:"alias"`
		ValidFrom string `db:"valid_from"`
		ValidTo   string `db:"valid_to"`
		LearnedAt int64  `db:"learned_at"`
		LearnedBy string `db:"learned_by"`
	}
	memberRow struct {
		Group     string `db:"group_code"`
		Member    string `db:"member"`
		ValidFrom string `db:"valid_from"`
		ValidTo   string `db:"valid_to"`
	}
)

// load reads the whole directory, ended units and forgotten names of other days included.
func load(ctx context.Context, tx *sqldb.Tx) (*Directory, error) {
	var rows []unitRecord
	if err := tx.SelectContext(ctx, &rows, `SELECT code, kind, parent, address, has_mailbox, valid_from, valid_to, successor, position
		FROM unit ORDER BY position, code`); err != nil {
		return nil, err
	}
	units := make([]Unit, len(rows))
	at := make(map[string]int, len(rows))
	for i, r := range rows {
		at[r.Code] = i
		units[i] = Unit{Code: UnitCode(r.Code), Kind: r.Kind, Parent: UnitCode(r.Parent), Address: r.Address, Mailbox: r.HasMailbox,
			From: r.ValidFrom, To: r.ValidTo, Successor: UnitCode(r.Successor)}
	}
	if err := loadNames(ctx, tx, units, at); err != nil {
		return nil, err
	}
	groups, err := loadGroups(ctx, tx)
	if err != nil {
		return nil, err
	}
	return newDirectory(units, groups), nil
}

func loadNames(ctx context.Context, tx *sqldb.Tx, units []Unit, at map[string]int) error {
	var names []nameRow
	if err := tx.SelectContext(ctx, &names, `SELECT code, name, valid_from, valid_to FROM unit_name ORDER BY code, name`); err != nil {
		return err
	}
	for _, n := range names {
		u := &units[at[n.Code]]
		if n.ValidFrom == "" && n.ValidTo == "" {
			u.Name = n.Name
		} else {
			u.Names = append(u.Names, DatedName{n.Name, n.ValidFrom, n.ValidTo})
		}
	}
	var aliases []aliasRow
	if err := tx.SelectContext(ctx, &aliases, `SELECT code, alias, valid_from, valid_to, learned_at, learned_by FROM unit_alias
		WHERE forgotten_at IS NULL ORDER BY code, alias`); err != nil {
		return err
	}
	for _, a := range aliases {
		u := &units[at[a.Code]]
		u.Aliases = append(u.Aliases, DatedName{a.Alias, a.ValidFrom, a.ValidTo})
		if a.LearnedAt > 0 {
			u.learned = append(u.learned, a.decision())
		}
	}
	return nil
}

func loadGroups(ctx context.Context, tx *sqldb.Tx) ([]Group, error) {
	var members []memberRow
	if err := tx.SelectContext(ctx, &members, `SELECT group_code, member, valid_from, valid_to FROM group_member ORDER BY group_code, member`); err != nil {
		return nil, err
	}
	var groups []Group
	for _, m := range members {
		if len(groups) == 0 || string(groups[len(groups)-1].Code) != m.Group {
			groups = append(groups, Group{Code: UnitCode(m.Group)})
		}
		g := &groups[len(groups)-1]
		member := Member{From: m.ValidFrom, To: m.ValidTo}
		if kind, ok := strings.CutPrefix(m.Member, "kind:"); ok {
			member.Kind = kind
		} else {
			member.Code = UnitCode(strings.TrimPrefix(m.Member, "code:"))
		}
		g.Members = append(g.Members, member)
	}
	return groups, nil
}
