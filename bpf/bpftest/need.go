package bpftest

import (
	"os"
	"os/exec"
	"testing"
)

// Missing skips a test for want of something. In CI, where SHARK_CI is set, it fails then.
func Missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("SHARK_CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// Need is Missing if there is an error.
func Need(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		Missing(t, what+": "+err.Error())
	}
}

// Root makes sure that the test may load programs and make namespaces, and that it has the
// programs it names.
func Root(t testing.TB, programs ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "only root loads programs into the kernel, and sees what is others'")
	}
	for _, p := range programs {
		Program(t, p)
	}
}

// Program returns the path of a program that a test needs.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	Need(t, name, err)
	return path
}
