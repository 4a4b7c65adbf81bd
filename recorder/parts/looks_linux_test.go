package parts

import (
	"errors"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"shark/bpf/bpftest"
	"shark/bpf/plaintext"
	"shark/recorder/plaintext/content"
	"shark/recorder/plaintext/libraries"
)

// said is a policy that has room for so many processes.
type said struct {
	room      int
	everybody bool
	look      map[uint32]bool
}

func (s *said) Default(look bool) error { s.everybody = look; return nil }

func (s *said) Process(tgid uint32, look bool) error {
	if _, known := s.look[tgid]; !known && len(s.look) == s.room {
		return plaintext.ErrCrowded
	}
	s.look[tgid] = look
	return nil
}

func (s *said) ForgetProcess(tgid uint32) error { delete(s.look, tgid); return nil }

// node is a machine of a test.
type node struct {
	files    []libraries.File
	refusing error // why no file can be attached to
	tries    int
	closed   int
}

func (n *node) Close() error { n.closed++; return nil }

// looks returns looks at the machine; room is for how many processes there is.
func (n *node) looks(open bool, room int) (*looks, *said) {
	policy := &said{room: room, look: make(map[uint32]bool)}
	l := newLooks(library{
		files: func() []libraries.File { return n.files },
		deaf:  func() map[string]bool { return nil },
		mode:  func(libraries.Process) Mode { return Plaintext },
		attach: func(*libraries.File) (io.Closer, error) {
			if n.tries++; n.refusing != nil {
				return nil, n.refusing
			}
			return n, nil
		},
		policy: policy,
	}, false, open)
	return l, policy
}

// file is one with TLS that processes map.
func file(inode uint64, path string, tgids ...uint32) libraries.File {
	f := libraries.File{ID: libraries.ID{Inode: inode}, Path: path}
	for _, tgid := range tgids {
		f.Processes = append(f.Processes, libraries.Process{TGID: tgid, NetNS: 1})
	}
	return f
}

func numbers(n int) (all []uint32) {
	for i := range n {
		all = append(all, uint32(i+1))
	}
	return all
}

// A file that cannot be attached to is tried less and less often, and forgotten when it is gone.
func TestTriesAgain(t *testing.T) {
	n := &node{files: []libraries.File{file(1, "/lib/libssl.so", 1)}, refusing: errors.New("no such function")}
	l, _ := n.looks(false, 10)
	now := time.Now()
	at := func(after time.Duration, tries int) {
		t.Helper()
		if err := l.look(now.Add(after)); err != nil {
			t.Fatal(err)
		}
		if n.tries != tries {
			t.Errorf("tried %d times after %v, want %d", n.tries, after, tries)
		}
	}
	at(0, 1)
	at(0, 1)
	at(lookAgain-1, 1)
	at(lookAgain, 2)
	at(3*lookAgain-1, 2)
	at(3*lookAgain, 3)
	for i := range 20 {
		at(time.Duration(i+1)*time.Hour, 4+i)
		if i > 10 { // by then as seldom as can be
			at(time.Duration(i+1)*time.Hour+lastTry-1, 4+i)
		}
	}
	if why, _ := l.reasons(); !maps.Equal(why, map[string]string{"/lib/libssl.so": "no such function"}) {
		t.Errorf("%v", why)
	}
	n.files = nil
	for i := range uint64(1000) { // files come and go: none is remembered for good
		n.files = []libraries.File{file(i, "/gone", 1)}
		if err := l.look(now); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.failed) != 1 {
		t.Errorf("%d files are remembered, 1 is there", len(l.failed))
	}
	n.refusing = nil
	if err := l.look(now.Add(200 * time.Hour)); err != nil || len(l.failed) != 0 || len(l.attached) != 1 {
		t.Errorf("%v, failed %v, attached %v", err, l.failed, l.attached)
	}
}

// On a machine with more processes than there is room for, those for which there is are looked
// at, and the others as soon as there is.
func TestCrowded(t *testing.T) {
	const room = 100
	n := &node{files: []libraries.File{file(1, "/lib/libssl.so", numbers(room+50)...)}}
	l, policy := n.looks(false, room)
	if err := l.look(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, left := l.reasons(); left.processes != 50 || len(policy.look) != room {
		t.Errorf("%+v are left, %d are looked at", left, len(policy.look))
	}
	n.files = []libraries.File{file(1, "/lib/libssl.so", numbers(room + 50)[40:]...)}
	if err := l.look(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, left := l.reasons(); left.processes != 10 || len(policy.look) != room {
		t.Errorf("%+v are left, %d are looked at", left, len(policy.look))
	}
	n.files = nil
	if err := l.look(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, left := l.reasons(); left.processes != 0 || len(policy.look) != 0 || n.closed != 1 {
		t.Errorf("%+v are left, %d are looked at, %d closed", left, len(policy.look), n.closed)
	}
}

// Where everybody is looked at, there is no list of processes, but for the recorder itself.
func TestEverybody(t *testing.T) {
	n := &node{files: []libraries.File{file(1, "/lib/libssl.so", numbers(1000)...)}}
	l, policy := n.looks(true, 10)
	if err := l.begin(); err != nil {
		t.Fatal(err)
	}
	self, known := policy.look[uint32(os.Getpid())]
	if !policy.everybody || len(policy.look) != 1 || !known || self || len(l.attached) != 1 {
		t.Errorf("%+v, %d attached", policy, len(l.attached))
	}
}

// The kernel's own table is full at the number that it is said to have.
func TestKernelCrowded(t *testing.T) {
	bpftest.Root(t)
	c, err := content.Open(content.Options{})
	if errors.Is(err, errors.ErrUnsupported) {
		bpftest.Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n := &node{files: []libraries.File{file(1, "/lib/libssl.so", numbers(plaintext.MaxProcesses+7)...)}}
	l, _ := n.looks(false, 0)
	l.policy = c.Policy()
	if err := l.look(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, left := l.reasons(); left.processes != 7 {
		t.Errorf("%d processes are left, want 7", left.processes)
	}
}

// proc is /proc of a test: the sockets of processes, and those that are established.
type proc struct {
	sockets map[uint32][]uint64
	all     map[uint64]bool
	part    bool // the table is longer than is read
	reads   int
}

func (p *proc) connections() *oldConnections {
	o := newOldConnections()
	o.sockets = func(tgid uint32) ([]uint64, bool) { p.reads++; return p.sockets[tgid], true }
	o.table = func(uint32) (map[uint64]bool, bool) { p.reads++; return maps.Clone(p.all), !p.part }
	return o
}

// Old connections are followed until they end, and /proc is read for that once in a turn for a
// namespace, and less and less often.
func TestOldConnections(t *testing.T) {
	p := &proc{sockets: map[uint32][]uint64{1: {10, 11}, 2: {12}, 3: nil, 4: {13}}, all: map[uint64]bool{10: true, 11: true, 12: true}}
	o := p.connections()
	now := time.Now()
	ask := func(after time.Duration, want ...bool) {
		t.Helper()
		o.turn(now.Add(after))
		var got []bool
		for tgid := range uint32(4) {
			got = append(got, o.has(libraries.Process{TGID: tgid + 1, NetNS: 1}))
		}
		if !slices.Equal(got, want) {
			t.Errorf("after %v: %v, want %v", after, got, want)
		}
	}
	ask(0, true, true, false, false)
	if p.reads != 5 { // four processes and a table
		t.Errorf("/proc was read %d times, want 5", p.reads)
	}
	p.reads = 0
	for range 100 {
		ask(lookAgain-1, true, true, false, false)
	}
	if p.reads != 0 {
		t.Errorf("/proc was read %d times though it was too early", p.reads)
	}
	delete(p.all, 12)
	delete(p.all, 11)
	p.all[13] = true // is not from before
	ask(lookAgain, true, false, false, false)
	p.part = true
	delete(p.all, 10)
	ask(time.Hour, true, false, false, false) // it may be in the part that was not read
	p.part = false
	ask(2*time.Hour, false, false, false, false)
	p.reads = 0
	ask(24*time.Hour, false, false, false, false)
	if p.reads != 0 {
		t.Errorf("/proc was read %d times though no connection is left", p.reads)
	}
	o.keep(map[process]bool{{1, 0}: true})
	if len(o.known) != 1 || o.number != 0 {
		t.Errorf("%d processes, %d sockets are known", len(o.known), o.number)
	}
}

// For a day, with a look every ten seconds, a process with a connection that lasts costs a few
// readings an hour.
func TestOldConnectionsCost(t *testing.T) {
	p := &proc{sockets: map[uint32][]uint64{1: {10}}, all: map[uint64]bool{10: true}}
	o := p.connections()
	for at, end := time.Now(), time.Now().Add(24*time.Hour); at.Before(end); at = at.Add(lookAgain) {
		o.turn(at)
		if !o.has(libraries.Process{TGID: 1}) {
			t.Fatal("its connection is lost")
		}
	}
	if most := int(24*time.Hour/lastAsk) + 10; p.reads > most {
		t.Errorf("/proc was read %d times, more than %d", p.reads, most)
	}
}

// What is remembered of old connections is bounded, and what is not is counted.
func TestOldConnectionsBounded(t *testing.T) {
	p := &proc{sockets: make(map[uint32][]uint64), all: make(map[uint64]bool)}
	const processes, each = 40, 2000
	for i := range uint64(processes * each) {
		p.all[i+1] = true
		p.sockets[uint32(i/each)+1] = append(p.sockets[uint32(i/each)+1], i+1)
	}
	o := p.connections()
	o.turn(time.Now())
	for tgid := range uint32(processes) {
		o.has(libraries.Process{TGID: tgid + 1})
	}
	if o.number != maxOld || o.left != processes*each-maxOld {
		t.Errorf("%d are remembered, %d are left", o.number, o.left)
	}
	o = p.connections()
	o.turn(time.Now())
	for netns := range uint32(maxTables + 5) {
		o.has(libraries.Process{TGID: netns%processes + 1, NetNS: netns, Started: time.Duration(netns)})
	}
	if len(o.tables) != maxTables {
		t.Errorf("%d tables were read in a turn", len(o.tables))
	}
}

// The test's own connection is among those that /proc shows, and a listener is not.
func TestEstablished(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	self := uint32(os.Getpid())
	own, whole := socketsOf(self)
	all, wholeTable := established(self)
	if !whole || !wholeTable {
		bpftest.Missing(t, "this machine has more sockets than are read")
	}
	is := func(f interface{ File() (*os.File, error) }) (open, connected bool) {
		file, err := f.File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		var st unix.Stat_t
		if err := unix.Fstat(int(file.Fd()), &st); err != nil {
			t.Fatal(err)
		}
		return slices.Contains(own, st.Ino), all[st.Ino]
	}
	if open, connected := is(c.(*net.TCPConn)); !open || !connected {
		t.Errorf("its connection: open %v, established %v", open, connected)
	}
	if open, connected := is(l.(*net.TCPListener)); !open || connected {
		t.Errorf("its listener: open %v, established %v", open, connected)
	}
	if inodes, _ := established(1<<32 - 1); inodes != nil {
		t.Error("there are sockets of nobody")
	}
}
