package watch

import (
	"strings"
	"testing"
)

const (
	id1 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	id2 = "f123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	uid = "3f5a2c1e-7b7d-4c55-9d0a-0a1b2c3d4e5f"
)

// The paths are those that the runtimes' documentation and their installations have.
func TestContainerOf(t *testing.T) {
	under := strings.ReplaceAll(uid, "-", "_")
	for _, c := range []struct{ name, path, container, pod string }{
		{"none", "/user.slice/user-1000.slice/session-2.scope", "", ""},
		{"root", "/", "", ""},
		{"docker, cgroupfs", "/docker/" + id1, id1, ""},
		{"docker, systemd", "/system.slice/docker-" + id1 + ".scope", id1, ""},
		{"docker, with a cgroup of its own within", "/docker/" + id1 + "/init.scope", id1, ""},
		{"docker in docker", "/docker/" + id1 + "/docker/" + id2, id2, ""},
		{"containerd, systemd", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + under + ".slice/cri-containerd-" + id1 + ".scope", id1, uid},
		{"containerd, cgroupfs", "/kubepods/besteffort/pod" + uid + "/" + id1, id1, uid},
		{"containerd, guaranteed", "/kubepods/pod" + uid + "/" + id1, id1, uid},
		{"containerd, colons", "/system.slice/containerd.service/kubepods-burstable-pod" + under + ".slice:cri-containerd:" + id1, id1, uid},
		{"cri-o", "/kubepods.slice/kubepods-pod" + under + ".slice/crio-" + id1 + ".scope", id1, uid},
		{"cri-o, within", "/kubepods.slice/kubepods-pod" + under + ".slice/crio-" + id1 + ".scope/container", id1, uid},
		{"cri-o's monitor", "/kubepods.slice/kubepods-pod" + under + ".slice/crio-conmon-" + id1 + ".scope", "", uid},
		{"podman", "/machine.slice/libpod-" + id1 + ".scope/container", id1, ""},
		{"podman, of a user", "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id1 + ".scope", id1, ""},
		{"podman's monitor", "/machine.slice/libpod-conmon-" + id1 + ".scope", "", ""},
		{"kind", "/docker/" + id2 + "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" + under + ".slice/cri-containerd-" + id1 + ".scope", id1, uid},
		{"a pod of a manifest", "/kubepods/burstable/pod0123456789abcdef0123456789abcdef/" + id1, id1, "0123456789abcdef0123456789abcdef"},
		{"a pod without a container", "/kubepods.slice/kubepods-pod" + under + ".slice", "", uid},
		{"too short for an id", "/docker/" + id1[:63], "", ""},
		{"too long for an id", "/docker/" + id1 + "0", "", ""},
		{"a name with pod in it", "/system.slice/podman.service", "", ""},
	} {
		if container, pod := containerOf(c.path); container != c.container || pod != c.pod {
			t.Errorf("%s: container %q, pod %q", c.name, container, pod)
		}
	}
}

func TestCgroupOf(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"version 2", "0::/system.slice/x.service\n", "/system.slice/x.service"},
		{"version 1", "12:pids:/docker/" + id1 + "\n1:name=systemd:/docker/" + id1 + "\n", "/docker/" + id1},
		{"both, the container in version 1", "3:memory:/docker/" + id1 + "\n1:name=systemd:/init\n0::/\n", "/docker/" + id1},
		{"both, no container", "3:memory:/\n1:name=systemd:/user.slice\n0::/\n", "/user.slice"},
		{"a colon in the path", "0::/a:b\n", "/a:b"},
		{"nothing", "", ""},
		{"damaged", "0:\n:::\nx", ""},
	} {
		if got := cgroupOf(c.text); got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

func TestCommand(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"nginx: worker process"}, "'nginx: worker process'"},
		{[]string{"/usr/bin/curl", "-s", "http://10.0.0.1/a?b=c"}, "/usr/bin/curl -s 'http://10.0.0.1/a?b=c'"},
		{[]string{"curl", "-u", "me:hunter2", "http://x/"}, "curl -u *** http://x/"},
		{[]string{"curl", "-ume:hunter2", "http://x/"}, "curl '-u***' http://x/"},
		{[]string{"curl", "http://me:hunter2@x/"}, "curl 'http://me:***@x/'"},
		{[]string{"curl", "-H", "Authorization: Bearer abc", "x"}, "curl -H 'Authorization: ***' x"},
		{[]string{"curl", "http://x/?user=a&access_token=abc&n=1"}, "curl 'http://x/?user=a&access_token=***&n=1'"},
		{[]string{"mysql", "-phunter2", "-h", "db"}, "mysql '-p***' -h db"},
		{[]string{"app", "--db-password", "hunter2", "--port", "80"}, "app --db-password '***' --port 80"},
		{[]string{"app", "--db-password=hunter2", "--port=80"}, "app '--db-password=***' --port=80"},
		{[]string{"app", "--token", "--verbose"}, "app --token --verbose"},
		{[]string{"env", "API_KEY=abc", "PATH=/bin", "app"}, "env 'API_KEY=***' PATH=/bin app"},
		{[]string{"sh", "-c", "echo 'it'"}, `sh -c 'echo '\''it'\'''`},
		{[]string{"grep", "password", "tokens.txt"}, "grep password tokens.txt"},
		{[]string{"a", "", "b"}, "a '' b"},
		{[]string{"nginx: master process", "", ""}, "'nginx: master process'"},
		{nil, ""},
	} {
		line := strings.Join(c.args, "\x00")
		if len(c.args) > 0 {
			line += "\x00"
		}
		want := strings.ReplaceAll(c.want, " *** ", " '***' ")
		if got := command([]byte(line), false); got != want {
			t.Errorf("%q: %s, want %s", c.args, got, want)
		}
	}
	if got := command([]byte("a\x00b"), true); got != "a b..." {
		t.Errorf("cut off: %s", got)
	}
	if got := command([]byte(strings.Repeat("é\x00", 1000)), false); len(got) > maxCommand+3 || !strings.HasSuffix(got, "...") || strings.Contains(got, "\uFFFD") {
		t.Errorf("long: %d bytes", len(got))
	}
}

func FuzzCommand(f *testing.F) {
	f.Add([]byte("curl\x00-u\x00me:secret\x00http://a:b@c/"))
	f.Add([]byte("\x00\x00\xff=\x00-p"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if got := command(line, false); len(got) > maxCommand+3 || strings.Contains(got, "\x00") {
			t.Fatalf("%q", got)
		}
		containerOf(string(line))
		cgroupOf(string(line))
	})
}
