package index

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"

	"shark/dissector"
)

// A share is the entries of some partitions on their way to another Writer, which makes one
// database of several: the rows as they are merged, and the words of their partitions. It is
// one zstd frame; numbers are unsigned LEB128, texts and rows have their length before them.
//
//	shareMark
//	head          whatever its maker has to say
//	words         for each partition that has some: its number from 1 on, how many, texts; then 0
//	rows          in order, none of them empty; then 0
//	how many rows
const shareMark = "sharkrow\x01"

// Limits of what is read of a share.
const (
	// maxShareHead is how long its head may be, in bytes: it may name all sessions that a table
	// of TLS secrets holds.
	maxShareHead = 16 << 20
	// maxShareRow is how long a row may be, in bytes.
	maxShareRow = 64 << 20
	// maxShareRatio is to how many times its size it may unpack, and shareSlack how much more.
	maxShareRatio = 256
	shareSlack    = 1 << 20
	// shareWindow is of how many bytes an unpacker needs memory.
	shareWindow = 8 << 20
)

// ErrShare says that what was read is no share, or a damaged one.
var ErrShare = errors.New("not a share of a dissection")

// Pack writes all entries as a share instead of a database, in the place of Finish: nothing of
// the Writer is left.
func (w *Writer) Pack(ctx context.Context, out io.Writer, head []byte) (entries int64, err error) {
	entries, err = w.pack(ctx, out, head)
	if err = errors.Join(err, w.Abort()); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return 0, fmt.Errorf("share of a dissection: %w", err)
	}
	return entries, nil
}

func (w *Writer) pack(ctx context.Context, out io.Writer, head []byte) (entries int64, err error) {
	for _, s := range w.shards {
		s.sort()
	}
	sources, err := w.sources(ctx)
	if err != nil {
		return 0, err
	}
	z, err := zstd.NewWriter(out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(shareWindow))
	if err != nil {
		return 0, err
	}
	b := bufio.NewWriterSize(z, runBuffer)
	_, _ = b.Write(w.shareFront(head)) // a bufio.Writer keeps its error for Flush
	var size [binary.MaxVarintLen64]byte
	err = merge(ctx, sources, func(row []byte) error {
		entries++
		_, _ = b.Write(size[:binary.PutUvarint(size[:], uint64(len(row)))])
		_, err := b.Write(row)
		return err
	})
	_, _ = b.Write(binary.AppendUvarint([]byte{0}, uint64(entries)))
	return entries, errors.Join(err, b.Flush(), z.Close())
}

// shareFront is what a share begins with, up to its rows.
func (w *Writer) shareFront(head []byte) []byte {
	b := appendBytes([]byte(shareMark), head)
	for p, v := range w.words {
		if v == nil || len(v.texts) == 0 {
			continue
		}
		b = binary.AppendUvarint(b, uint64(p)+1)
		b = binary.AppendUvarint(b, uint64(len(v.texts)))
		for _, text := range v.texts {
			b = appendBytes(b, []byte(text))
		}
	}
	return append(b, 0)
}

// Unpack takes the entries of a share of a size in bytes, which accept has to agree to by its
// head. No shard may have or get any of their partitions. A share may come from a stranger: it is
// taken as a whole or not at all.
func (w *Writer) Unpack(ctx context.Context, in io.Reader, size int64, accept func(head []byte) error) error {
	if err := w.unpack(ctx, in, size, accept); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, ErrShare) {
			return err // which says of what it is
		}
		return fmt.Errorf("share of a dissection: %w", err)
	}
	return nil
}

func (w *Writer) unpack(ctx context.Context, in io.Reader, size int64, accept func(head []byte) error) error {
	z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(shareWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return err
	}
	defer z.Close()
	r := shareReader{bufio.NewReaderSize(io.LimitReader(z, size*maxShareRatio+shareSlack), runBuffer)}
	mark := make([]byte, len(shareMark))
	switch _, err := io.ReadFull(r, mark); {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrShare, err)
	case string(mark) != shareMark:
		return fmt.Errorf("%w: it does not begin as one", ErrShare)
	}
	head, err := r.bytes(nil, maxShareHead)
	if err != nil {
		return err
	}
	if err := accept(head); err != nil {
		return err
	}
	words, err := r.words(w)
	if err != nil {
		return err
	}
	path, err := w.newRun(func(add func([]byte) error) error {
		if err := r.rows(ctx, w.opts.Schema, add); err != nil {
			return err
		}
		switch n, err := z.Read(mark); { // only at its end in says that it is whole
		case n > 0 || err == nil:
			return fmt.Errorf("%w: there is more behind its end", ErrShare)
		case err != io.EOF:
			return fmt.Errorf("%w: %w", ErrShare, err)
		}
		return nil
	})
	if err != nil {
		if path != "" {
			err = errors.Join(err, os.Remove(path))
		}
		return err
	}
	for p, v := range words {
		w.words[p] = v
	}
	w.runs = append(w.runs, path)
	return nil
}

// shareReader reads what a share is made of.
type shareReader struct{ *bufio.Reader }

func (r shareReader) number() (uint64, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrShare, err)
	}
	return n, nil
}

// bytes reads what has its length before it, into memory that may be used again; nil: it has
// none.
func (r shareReader) bytes(b []byte, most uint64) ([]byte, error) {
	n, err := r.number()
	if err != nil {
		return nil, err
	}
	return r.take(b, n, most)
}

func (r shareReader) take(b []byte, n, most uint64) ([]byte, error) {
	if n > most {
		return nil, fmt.Errorf("%w: %d bytes where at most %d can be", ErrShare, n, most)
	}
	for b = b[:0]; uint64(len(b)) < n; { // no more memory than there are bytes
		from := len(b)
		b = append(b, make([]byte, min(n-uint64(from), runBuffer))...)
		if _, err := io.ReadFull(r, b[from:]); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrShare, err)
		}
	}
	return b, nil
}

// words reads the words of partitions, none of which w may have yet.
func (r shareReader) words(w *Writer) (map[int]*vocabulary, error) {
	all := make(map[int]*vocabulary)
	for {
		p, err := r.number()
		if p == 0 || err != nil {
			return all, err
		}
		at := int(p - 1)
		if p > dissector.Partitions || w.words[at] != nil || all[at] != nil {
			return nil, fmt.Errorf("%w: the words of partition %d come twice, or cannot be", ErrShare, p-1)
		}
		n, err := r.number()
		if err != nil {
			return nil, err
		}
		if n > maxWords {
			return nil, fmt.Errorf("%w: %d words of a partition", ErrShare, n)
		}
		v := &vocabulary{first: firstWord + int64(at)*maxWords}
		for range n {
			text, err := r.bytes(nil, maxWord)
			if err != nil {
				return nil, err
			}
			v.texts = append(v.texts, string(text))
		}
		all[at] = v
	}
}

// rows reads the rows, which must be in order, each as Finish takes it.
func (r shareReader) rows(ctx context.Context, s *Schema, add func([]byte) error) error {
	var row, before []byte
	for n := uint64(0); ; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		size, err := r.number()
		if err != nil {
			return err
		}
		if size == 0 {
			return r.end(n)
		}
		if row, err = r.take(row, size, maxShareRow); err != nil {
			return err
		}
		if bytes.Compare(before, row) > 0 {
			return fmt.Errorf("%w: its rows are not in order", ErrShare)
		}
		if err := s.checkRow(row); err != nil {
			return err
		}
		if err := add(row); err != nil {
			return err
		}
		row, before = before, row
	}
}

// end reads what comes behind the rows.
func (r shareReader) end(rows uint64) error {
	n, err := r.number()
	if err != nil {
		return err
	}
	if n != rows {
		return fmt.Errorf("%w: it has %d rows and says %d", ErrShare, rows, n)
	}
	if _, err := r.ReadByte(); err == nil {
		return fmt.Errorf("%w: there is more behind its end", ErrShare)
	}
	return nil
}
