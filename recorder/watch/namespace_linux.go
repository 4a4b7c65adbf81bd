package watch

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shark/recorder/procfs"
	"shark/snapshot/identity"
)

// namespace is a network namespace in which sockets are.
type namespace struct {
	pid   uint32 // a process that is in it
	addrs []netip.Addr
	pod   string // uid of the pod that it is of
}

// pod is one that processes are in.
type pod struct {
	rec    identity.Record
	folder string
	netns  uint32
}

// podFolder is what the name of a folder of kubelet's says.
type podFolder struct{ namespace, name, folder string }

// namespace returns a network namespace, whose addresses are read when it is first asked for.
func (w *Watcher) namespace(inode, pid uint32) *namespace {
	n := w.namespaces[inode]
	if n == nil {
		n = &namespace{pid: pid}
		if len(w.namespaces) < maxNamespaces {
			w.namespaces[inode] = n
		}
	}
	if len(n.addrs) == 0 {
		n.pid = pid
		w.read(inode, n, false)
	}
	return n
}

// read reads the addresses of a network namespace, by a process that is in it: the one that is
// known, else any if search is set. It tells whether they are new.
func (w *Watcher) read(inode uint32, n *namespace, search bool) bool {
	if procfs.NetNS(n.pid) != inode {
		if n.pid = 0; !search {
			return false
		}
		pids, _ := procfs.PIDs(procfs.Root) // there are none, then
		for _, pid := range pids {
			if procfs.NetNS(pid) == inode {
				n.pid = pid
				break
			}
		}
		if n.pid == 0 {
			return false
		}
	}
	addrs := addressesOf(n.pid)
	if slices.Equal(addrs, n.addrs) {
		return false
	}
	n.addrs = addrs
	w.newcomer = true
	return true
}

// refresh looks for addresses that have changed and for pods that are gone.
func (w *Watcher) refresh(now int64) {
	changed := make(map[uint32]bool)
	inUse := map[uint32]bool{w.host: true}
	for _, s := range w.sockets {
		inUse[s.e.Netns] = true
	}
	for inode, n := range w.namespaces {
		if !inUse[inode] {
			delete(w.namespaces, inode)
		} else if w.read(inode, n, true) {
			changed[inode] = true
		}
	}
	for _, cookie := range sorted(w.sockets) {
		s := w.sockets[cookie]
		if !s.e.Local.Addr().IsUnspecified() || s.shared || s.told && !changed[s.e.Netns] {
			continue
		}
		if s.told {
			w.untell(s, now)
		}
		if n := w.namespaces[s.e.Netns]; n != nil && len(n.addrs) > 0 {
			w.describe(s, now)
		}
	}
	w.tellNode(now)
	for uid, p := range w.pods {
		if _, err := os.Stat(p.folder); os.IsNotExist(err) {
			w.tell(&p.rec, identity.Delete, now)
			delete(w.pods, uid)
		} else if changed[p.netns] {
			w.tellPod(p, now)
		}
	}
}

// texts are addresses as records have them, without those that every host has.
func texts(addrs []netip.Addr) (out []string) {
	for _, a := range addrs {
		if !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			out = append(out, a.String())
		}
	}
	return out
}

// tellNode tells of this machine, if anything of it is new: its own addresses, and those of
// network namespaces that are not of pods.
func (w *Watcher) tellNode(at int64) {
	w.newcomer = false
	r := identity.Record{Source: Source, Kind: identity.Node, Name: w.o.Node}
	if w.o.Netns == 0 || w.o.Netns == w.host {
		r.Addresses = texts(w.namespace(w.host, uint32(os.Getpid())).addrs)
	}
	var inodes []uint32
	for i, n := range w.namespaces {
		if i != w.host && n.pod == "" {
			inodes = append(inodes, i)
		}
	}
	slices.Sort(inodes)
	for _, i := range inodes {
		for _, a := range texts(w.namespaces[i].addrs) {
			if !slices.Contains(r.Addresses, a) {
				r.Addresses = append(r.Addresses, a)
			}
		}
	}
	if w.node.Name != "" && slices.Equal(w.node.Addresses, r.Addresses) {
		return
	}
	w.node = r
	w.tell(&r, identity.Upsert, at)
}

// podOf tells of the pod that a process is in, if kubelet has a folder of it.
func (w *Watcher) podOf(p *process) {
	uid := p.rec.Pod
	if uid == "" || w.o.Pods == NoPods {
		return
	}
	if netns := uint32(p.rec.Netns); netns != 0 && netns != w.host {
		if n := w.namespaces[netns]; n != nil {
			n.pod = uid
		} else if len(w.namespaces) < maxNamespaces {
			n = &namespace{pid: uint32(p.rec.PID), pod: uid}
			w.namespaces[netns] = n
			w.read(netns, n, false)
		}
	}
	if w.pods[uid] != nil {
		return
	}
	f, known := w.podFolders[uid]
	if !known {
		w.readPods()
		if f, known = w.podFolders[uid]; !known {
			return
		}
	}
	x := &pod{folder: f.folder, netns: uint32(p.rec.Netns), rec: identity.Record{
		Source: "kubelet", Kind: identity.Pod, UID: uid, Namespace: f.namespace, Name: f.name, Node: w.o.Node,
	}}
	x.rec.HostNetwork = x.netns == w.host
	w.pods[uid] = x
	w.tellPod(x, w.began)
}

func (w *Watcher) tellPod(p *pod, at int64) {
	p.rec.Addresses = nil
	if n := w.namespaces[p.netns]; n != nil {
		p.rec.Addresses = texts(n.addrs)
	}
	w.tell(&p.rec, identity.Upsert, at)
}

// maxPods is how many of kubelet's folders are read.
const maxPods = 1 << 12

// readPods reads the names of kubelet's folders: namespace, name and uid of a pod, of which
// none has the letter between them.
func (w *Watcher) readPods() {
	w.podFolders = make(map[string]podFolder)
	d, err := os.Open(w.o.Pods)
	if err != nil {
		return // there is no kubelet here
	}
	defer d.Close()
	names, _ := d.Readdirnames(maxPods)
	for _, name := range names {
		if f := strings.Split(name, "_"); len(f) == 3 {
			w.podFolders[f[2]] = podFolder{f[0], f[1], filepath.Join(w.o.Pods, name)}
		}
	}
}
