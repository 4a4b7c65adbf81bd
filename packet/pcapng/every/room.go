package every

import (
	"encoding/binary"
	"errors"
	"os"
)

// filler is the type of block, of those for local use, that covers what is not written yet of a file
// with room.
const filler = 0x8073686b

// Room writes a capture of so many megabytes without packets: blocks that readers pass over, which
// take no room on the disk. With it a snapshot of little else is as large as one of several parts.
func Room(path string, megabytes int64) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	c := file{order: binary.LittleEndian}
	c.block(0x0a0d0d0a, c.u32(0x1a2b3c4d), []byte{1, 0, 0, 0}, c.u64(^uint64(0)))
	if _, err := f.Write(c.b); err != nil {
		return err
	}
	const each = 1 << 20
	for i := range megabytes {
		at := int64(len(c.b)) + i*each
		if _, err := f.WriteAt(c.u32(filler, each), at); err != nil {
			return err
		}
		if _, err := f.WriteAt(c.u32(each), at+each-4); err != nil {
			return err
		}
	}
	return nil
}
