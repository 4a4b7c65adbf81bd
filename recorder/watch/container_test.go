package watch

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A container is found by its own processes: not by what watches over it, which runtimes start
// before it and name after it, too, and not by a container inside of it.
func TestFindContainer(t *testing.T) {
	id := func(c string) string { return strings.Repeat(c, 64) }
	proc := t.TempDir()
	for pid, groups := range map[int]string{
		1:   "0::/init.scope\n",
		101: "0::/machine.slice/libpod-conmon-" + id("a") + ".scope\n",
		102: "0::/machine.slice/libpod-" + id("a") + ".scope/container\n",
		103: "0::/machine.slice/libpod-" + id("a") + ".scope/container\n",
		201: "0::/kubepods.slice/kubepods-pod12345678_1234_1234_1234_123456789abc.slice/crio-conmon-" + id("b") + ".scope\n",
		202: "0::/kubepods.slice/kubepods-pod12345678_1234_1234_1234_123456789abc.slice/crio-" + id("b") + ".scope\n",
		301: "12:pids:/docker/" + id("c") + "/docker/" + id("d") + "\n0::/\n", // started before the outer one's second process
		302: "12:pids:/docker/" + id("c") + "\n0::/\n",
		401: "0::/system.slice/docker-" + id("e") + ".scope\n",
		402: "0::/system.slice/docker-eeee" + strings.Repeat("1", 60) + ".scope\n",
	} {
		dir := filepath.Join(proc, strconv.Itoa(pid))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup"), []byte(groups), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		id   string
		pid  int
		fail string
	}{
		{"aaaa", 102, ""},
		{id("a"), 102, ""},
		{"bbbbbb", 202, ""},
		{"cccc", 302, ""},
		{"dddd", 301, ""},
		{"eeee", 0, "any of eeee11111111, eeeeeeeeeeee"},
		{"eeeee", 401, ""},
		{"ffff", 0, "no process is in a container"},
		{"aaa", 0, "is not the beginning"},
		{"AAAA", 0, "is not the beginning"},
		{"../1", 0, "is not the beginning"},
	} {
		pid, err := findContainer(proc, c.id)
		if pid != c.pid || (err == nil) != (c.fail == "") || err != nil && !strings.Contains(err.Error(), c.fail) {
			t.Errorf("%s: process %d, %v; want %d, %q", c.id, pid, err, c.pid, c.fail)
		}
	}
}
