package recipients

import (
	"maps"
	"slices"

	"congvan/mailcore/viettext"
)

// Kinds of units that have a meaning for reading; a directory may hold others.
const (
	KindProvince = "uy-ban-tinh" // Ủy ban nhân dân of the province itself
	KindOffice   = "van-phong"   // its office
	KindDistrict = "huyen"       // Ủy ban nhân dân of a district or town
	KindCentral  = "trung-uong"  // ministries and other central bodies: outside
	KindPress    = "bao-chi"     // newspaper and broadcaster of the province
	KindGroup    = "nhom"        // a group phrase (nhóm nơi nhận), no mailbox
)

// A DatedName is a name or an alias and the days on which it is valid; an empty date is open.
type DatedName struct {
	Text string
	From string // civil date, first day
	To   string // civil date, last day
}

// A Unit is one entry of the directory (đơn vị), or a group phrase when its kind is KindGroup.
type Unit struct {
	Code      UnitCode
	Name      string      // the name of today
	Kind      string      // so, huyen, trung-uong, …
	Parent    UnitCode    // "" for none
	Names     []DatedName // other official names, of other days
	Aliases   []DatedName // abbreviations and spellings in use
	Address   string      // mailbox outside this installation; "" for none
	Mailbox   bool        // it has a mailbox of this installation, code@domain
	From, To  string      // civil dates between which it exists; "" is open
	Successor UnitCode    // who takes its mail after To

	learned []LearnedAlias // those of Aliases that clerks decided
}

// A Group says what a group phrase stands for.
type Group struct {
	Code    UnitCode
	Members []Member
}

// A Member is every unit of a kind, or one unit by its code, and the days on which it belongs to the group.
type Member struct {
	Kind     string
	Code     UnitCode
	From, To string // civil dates, first and last day; "" is open
}

// A Directory is the province's list of units (danh bạ). It never changes after it was read, so that any number of
// goroutines may resolve with it.
type Directory struct {
	Warnings []string // Vietnamese: what the IT department should look at, such as an alias of two units

	units  []Unit
	groups []Group
	byCode map[UnitCode]int
	names  *nameIndex
}

// Units lists the units and group phrases in the order of the file.
func (d *Directory) Units() []Unit { return slices.Clone(d.units) }

// Groups lists what the group phrases stand for.
func (d *Directory) Groups() []Group { return slices.Clone(d.groups) }

// Unit returns the unit with this code.
func (d *Directory) Unit(code UnitCode) (Unit, bool) {
	if i, ok := d.byCode[code]; ok {
		return d.units[i], true
	}
	return Unit{}, false
}

// unit is Unit without the copy; nil when there is none.
func (d *Directory) unit(code UnitCode) *Unit {
	if i, ok := d.byCode[code]; ok {
		return &d.units[i]
	}
	return nil
}

// Members returns the codes that a group stands for, sorted, and false when the group has no list of members.
func (d *Directory) Members(group UnitCode) ([]UnitCode, bool) {
	for _, g := range d.groups {
		if g.Code != group {
			continue
		}
		set := map[UnitCode]bool{}
		for _, m := range g.Members {
			for _, u := range d.units {
				if u.Kind != KindGroup && (u.Code == m.Code || u.Kind == m.Kind) {
					set[u.Code] = true
				}
			}
		}
		return slices.Sorted(maps.Keys(set)), true
	}
	return nil, false
}

// At returns the directory as it stands on a civil date: units that exist then, with the names and aliases of that day, and the
// members of groups. The empty date leaves out nothing.
func (d *Directory) At(date string) *Directory {
	if date == "" {
		return d
	}
	var units []Unit
	changed := false
	for _, u := range d.units {
		if !validOn(u.From, u.To, date) {
			changed = true
			continue
		}
		n := len(u.Names) + len(u.Aliases)
		u.Names = namesOn(u.Names, date)
		u.Aliases = namesOn(u.Aliases, date)
		if len(u.Names) > 0 { // the name of that day, and not the one of today
			u.Name, u.Names = u.Names[0].Text, nil
		}
		changed = changed || n != len(u.Names)+len(u.Aliases)
		units = append(units, u)
	}
	groups := make([]Group, len(d.groups))
	for i, g := range d.groups {
		groups[i] = Group{g.Code, slices.DeleteFunc(slices.Clone(g.Members), func(m Member) bool { return !validOn(m.From, m.To, date) })}
		changed = changed || len(groups[i].Members) != len(g.Members)
	}
	if !changed {
		return d
	}
	return newDirectory(units, groups)
}

// validOn reports whether a civil date lies between from and to, both included; empty bounds are open. ISO dates compare as
// text.
func validOn(from, to, date string) bool {
	return (from == "" || from <= date) && (to == "" || date <= to)
}

func namesOn(names []DatedName, date string) []DatedName {
	var on []DatedName
	for _, n := range names {
		if validOn(n.From, n.To, date) {
			on = append(on, n)
		}
	}
	return on
}

// newDirectory builds the indexes over checked units.
func newDirectory(units []Unit, groups []Group) *Directory {
	d := &Directory{units: units, byCode: make(map[UnitCode]int, len(units))}
	for i, u := range units {
		d.byCode[u.Code] = i
	}
	for _, g := range groups {
		if _, ok := d.byCode[g.Code]; !ok {
			continue
		}
		g.Members = slices.DeleteFunc(slices.Clone(g.Members), func(m Member) bool { return m.Code != "" && d.unit(m.Code) == nil })
		d.groups = append(d.groups, g)
	}
	d.names = newNameIndex(d)
	d.Warnings = d.ambiguous()
	return d
}

// allNames lists the name, the other names and the aliases of a unit.
func (u *Unit) allNames() []string {
	all := []string{u.Name}
	for _, n := range u.Names {
		all = append(all, n.Text)
	}
	for _, n := range u.Aliases {
		all = append(all, n.Text)
	}
	return all
}

// learnedAs returns the decision that made a name an alias of the unit, nil when none did.
func (u *Unit) learnedAs(name string) *LearnedAlias {
	for i := range u.learned {
		if u.learned[i].Alias == name {
			return &u.learned[i]
		}
	}
	return nil
}

// ambiguous words a warning for every name that stands for two units at the same time: such a name resolves to nobody.
func (d *Directory) ambiguous() []string {
	type owned struct {
		code UnitCode
		days DatedName
	}
	owners := map[string][]owned{}
	var warnings []string
	for i := range d.units {
		u := &d.units[i]
		for _, n := range u.datedNames() {
			key, days := viettext.Key(n.Text), n.within(u)
			k := slices.IndexFunc(owners[key], func(o owned) bool { return o.code != u.Code && o.days.meets(days) })
			if k >= 0 {
				warnings = append(warnings, "tên “"+n.Text+"” dùng cho cả “"+string(owners[key][k].code)+"” và “"+string(u.Code)+
					"”: dòng nơi nhận ghi tên này sẽ để văn thư chọn")
			}
			owners[key] = append(owners[key], owned{u.Code, days})
		}
	}
	return warnings
}

// within is a name on those of its days on which the unit exists.
func (n DatedName) within(u *Unit) DatedName {
	n.From = max(n.From, u.From)
	if n.To == "" || u.To != "" && u.To < n.To {
		n.To = u.To
	}
	return n
}

// meets reports whether two names are valid on a day in common.
func (n DatedName) meets(o DatedName) bool {
	return (n.To == "" || o.From <= n.To) && (o.To == "" || n.From <= o.To)
}

// province returns the words that name the level of the province and the province itself: "tinh", "kon tum".
func (d *Directory) province() (level, name []string) {
	for i := range d.units {
		if d.units[i].Kind != KindProvince {
			continue
		}
		words := foldWords(d.units[i].Name)
		for j, w := range words {
			if w == "tinh" && j+1 < len(words) {
				return words[j : j+1], words[j+1:]
			}
			if w == "thanh" && j+2 < len(words) && words[j+1] == "pho" {
				return words[j : j+2], words[j+2:]
			}
		}
	}
	return []string{"tinh"}, nil
}

// foldWords splits a text into folded words, with everything else dropped.
func foldWords(s string) []string {
	var words []string
	for _, t := range scan(s) {
		if t.word != "" {
			words = append(words, t.word)
		}
	}
	return words
}
