package index

import (
	"io"
	"testing"

	"shark/packet"
	"shark/snapshot/identity"
)

// memoryTables are tables whose pages go nowhere.
func memoryTables(t testing.TB) *tables {
	rows := &tables{pages: newPages(io.Discard, 0)}
	for range testSchema(t).tables {
		rows.trees = append(rows.trees, newTableTree(rows.pages, 0))
	}
	t.Cleanup(func() { rows.pages.flush() })
	return rows
}

// wayOf makes the part of a row that says which way an entry went.
func wayOf(src, dst byte, group uint64) *[routeSize]byte {
	var b [routeSize]byte
	a, z := packet.Addr{15: src}, packet.Addr{15: dst}
	copy(b[:], a[:])
	copy(b[len(a):], z[:])
	l := link{group: group}
	l.put(b[2*len(a):])
	return &b
}

// Every link has one row, in whatever order entries of connections and their links
// come, and another one once an end has another name or owner.
func TestRoutesAreFoundAgain(t *testing.T) {
	rows := memoryTables(t)
	owners := &changing{}
	f := newFiller(testSchema(t), owners, rows)
	id := func(b *[routeSize]byte, conn uint64) int64 {
		t.Helper()
		id, err := f.routes.id(b, conn, 0)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	const conns = 3 * recentRoutes // so that many are not at hand
	for range 2 {
		for c := range uint64(conns) {
			for group := range uint64(2) {
				if got, want := id(wayOf(1, 2, 7+group), c), int64(2*c+group)+1; got != want {
					t.Fatalf("connection %d: link %d, want %d", c, got, want)
				}
			}
		}
	}
	first := id(wayOf(1, 2, 7), 0)
	f.ends.names.expect(answer{from: 5, name: "x", addr: packet.Addr{15: 2}})
	f.ends.until(4)
	if got := id(wayOf(1, 2, 7), 0); got != first {
		t.Errorf("link %d before there is a name, want %d", got, first)
	}
	f.ends.until(5)
	named := id(wayOf(1, 2, 7), 0)
	if named != 2*conns+1 || id(wayOf(1, 2, 7), 0) != named {
		t.Errorf("link %d with a name", named)
	}
	owners.pod = "web-1"
	owned := id(wayOf(1, 2, 7), 0)
	if owned != 2*conns+2 {
		t.Errorf("link %d with another owner", owned)
	}
	if owners.pod = ""; id(wayOf(1, 2, 7), 0) != named {
		t.Error("the link of before is not found")
	}
}

// Links that are more than are remembered may stand there twice, and no more are held.
func TestRoutesAreBounded(t *testing.T) {
	f := newFiller(testSchema(t), nil, memoryTables(t))
	for i := range uint64(3 * maxRoutes) {
		if _, err := f.routes.id(wayOf(1, 2, i), i/2, 0); err != nil {
			t.Fatal(err)
		}
		if n := len(f.routes.known) + len(f.routes.others); n > maxRoutes {
			t.Fatalf("%d are held", n)
		}
	}
	if f.routes.next != 3*maxRoutes {
		t.Errorf("%d links", f.routes.next)
	}
}

// changing is a Resolver that tells another pod when asked to.
type changing struct{ pod string }

func (c *changing) Owner(*identity.End, int64) identity.Owner { return identity.Owner{Pod: c.pod} }
