package workbench

import (
	"os"

	"shark/snapshot/cache"
)

// CacheState is what the cache holds, and where.
type CacheState struct {
	Folder string `json:"folder"`
	Size   int64  `json:"size"` // bytes that it may have
	cache.Usage
}

// CacheState looks what the cache holds: index databases, and what was read of buckets.
func (w *Workbench) CacheState() (CacheState, error) {
	if w.cache == nil {
		return CacheState{}, usage("there is no cache: name a folder for it with --cache")
	}
	return CacheState{w.cfg.Cache, w.cache.Size(), w.cache.Usage()}, nil
}

// ClearCache removes all that the cache holds, and returns what that was.
func (w *Workbench) ClearCache() (CacheState, error) {
	s, err := w.CacheState()
	if err == nil {
		s.Usage, err = w.cache.Clear()
	}
	return s, err
}

// grown has the cache make room for an index that was made in it.
func (w *Workbench) grown(o DissectOptions, path string) {
	if o.Output != "" {
		return
	}
	if info, err := os.Stat(path); err == nil {
		w.cache.Grown(info.Size())
	}
}
