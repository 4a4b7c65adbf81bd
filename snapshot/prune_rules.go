package snapshot

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rules say which snapshots are kept, by the time of their creation. Each rule is for
// itself, and what one of them keeps is kept. Days, weeks and months are those of UTC,
// weeks those of ISO 8601.
type Rules struct {
	Last                   int           // as many of the newest
	Daily, Weekly, Monthly int           // the newest of each of as many days, weeks, months that have one
	Within                 time.Duration // what is not older than this
}

// None tells whether there is no rule.
func (r Rules) None() bool { return r == Rules{} }

// period is a rule that keeps the newest of each of some periods.
type period struct {
	name  string
	most  int
	of    func(time.Time) string
	count int
	last  string
}

func (r Rules) periods() []*period {
	return []*period{
		{name: "daily", most: r.Daily, of: func(t time.Time) string { return t.Format(time.DateOnly) }},
		{name: "weekly", most: r.Weekly, of: func(t time.Time) string {
			year, week := t.ISOWeek()
			return fmt.Sprintf("%d-W%02d", year, week)
		}},
		{name: "monthly", most: r.Monthly, of: func(t time.Time) string { return t.Format("2006-01") }},
	}
}

// keeps tells by id why snapshots are kept. Those that it does not name are not.
func (r Rules) keeps(list []*Manifest, now time.Time) map[string]string {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b *Manifest) int {
		if c := b.Created.Compare(a.Created); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	kept := make(map[string]string)
	periods := r.periods()
	for i, m := range list {
		var why []string
		if i < r.Last {
			why = append(why, fmt.Sprintf("last %d of %d", i+1, r.Last))
		}
		if r.Within > 0 && m.Created.After(now.Add(-r.Within)) {
			why = append(why, "within "+durationText(r.Within))
		}
		for _, p := range periods {
			// The oldest stays until there are enough younger ones.
			if at := p.of(m.Created.UTC()); p.count < p.most && (at != p.last || i == len(list)-1) {
				p.last = at
				p.count++
				why = append(why, fmt.Sprintf("%s %s, %d of %d", p.name, at, p.count, p.most))
			}
		}
		if len(why) > 0 {
			kept[m.ID] = strings.Join(why, "; ")
		}
	}
	return kept
}

// durationText says days where they are whole.
func durationText(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}
