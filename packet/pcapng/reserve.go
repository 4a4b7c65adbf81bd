package pcapng

import (
	"fmt"
	"io"
	"os"
)

// How much room is asked for at a time: as much as was written, within these bounds.
const (
	leastReserve = 8 << 20
	mostReserve  = 64 << 20
)

// reserver asks the file system for room before it is written to. A large file is
// written at two thirds of the CPU time then, since no page of it has to look for its
// place on the disk, and lies there in fewer pieces. Whoever says no is not asked again.
type reserver struct {
	file    *os.File // nil when nothing is to be reserved
	start   int64    // offset in the file of the first byte written
	upto    int64    // bytes that there is room for
	refused bool
}

// newReserver reserves nothing where out is no regular file.
func newReserver(out io.Writer) (r reserver) {
	f, ok := out.(*os.File)
	if !ok {
		return r
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return r
	}
	if r.start, err = f.Seek(0, io.SeekCurrent); err == nil {
		r.file = f
	}
	return r
}

// ahead is told that size bytes are written and n more will be.
func (r *reserver) ahead(size int64, n int) {
	if r.file == nil || r.refused || size < leastReserve/2 || size+int64(n) <= r.upto {
		return
	}
	from := max(size, r.upto)
	step := min(max(size, leastReserve), mostReserve)
	if err := reserve(r.file, r.start+from, step); err != nil {
		r.refused = true // whether there is room shows when it is written to
		return
	}
	r.upto = from + step
}

// release gives back what was not needed once size bytes are written.
func (r *reserver) release(size int64) error {
	if r.file == nil || r.upto <= size {
		return nil
	}
	info, err := r.file.Stat()
	if err == nil {
		err = r.file.Truncate(info.Size())
	}
	if err != nil {
		return fmt.Errorf("write capture: %w", err)
	}
	return nil
}
