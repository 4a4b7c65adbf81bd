package ring

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// run is one time that a ring was written, from Create to Close. Segments alone do not tell when
// a recorder stopped that had nothing to write in the end.
type run struct {
	Run     string    `json:"run"` // as the names of its segments have it
	Began   time.Time `json:"began"`
	Stopped time.Time `json:"stopped,omitzero"` // zero: it goes on, or was killed
}

// readRuns reads the runs of a ring, from the first to the last. What cannot be read is as if it
// were not there: how far the segments go is the best there is then.
func readRuns(dir string) (all []run) {
	data, err := os.ReadFile(filepath.Join(dir, runsName))
	if err != nil || json.Unmarshal(data, &all) != nil {
		return nil
	}
	return all
}

func writeRuns(dir string, all []run) error {
	data, err := json.Marshal(all)
	if err != nil {
		return err
	}
	temp := filepath.Join(dir, runsName+".new")
	if err := os.WriteFile(temp, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(dir, runsName))
}

// begin takes down that a run begins, and forgets those of which there is no segment.
func (p *pool) begin(now time.Time) error {
	all := slices.DeleteFunc(readRuns(p.dir), func(r run) bool {
		return !slices.ContainsFunc(p.segments, func(s segment) bool { return s.run == r.Run })
	})
	return writeRuns(p.dir, append(all, run{Run: p.run, Began: now.UTC()}))
}

// stop takes down when the run ended.
func (p *pool) stop(now time.Time) error {
	all := readRuns(p.dir)
	i := slices.IndexFunc(all, func(r run) bool { return r.Run == p.run })
	if i < 0 {
		return nil // it could not be taken down that it began
	}
	all[i].Stopped = now.UTC()
	return writeRuns(p.dir, all)
}

// ends sets of the last segment of each run until when the run recorded.
func ends(segments []segment, runs []run, live bool) {
	for i := range segments {
		s := &segments[i]
		s.until = s.last
		if i+1 < len(segments) && segments[i+1].run == s.run {
			continue
		}
		at := slices.IndexFunc(runs, func(r run) bool { return r.Run == s.run })
		if at < 0 {
			continue
		}
		stopped := runs[at].Stopped
		switch {
		case !stopped.IsZero() && (i+1 == len(segments) || stopped.UnixNano() <= segments[i+1].first): // else a clock was set
			s.until = max(s.last, stopped.UnixNano())
		case stopped.IsZero():
			s.killed = !live || at+1 < len(runs)
		}
	}
}

// silent returns the run that is under way, if it has no segment yet.
func silent(segments []segment, runs []run, live bool) (r run, is bool) {
	if !live || len(runs) == 0 || !runs[len(runs)-1].Stopped.IsZero() {
		return r, false
	}
	r = runs[len(runs)-1]
	return r, len(segments) > 0 && segments[len(segments)-1].run != r.Run
}
