package watch

import (
	"regexp"
	"strings"
)

var (
	// containerForm is the id of a container, as Docker, containerd, CRI-O and Podman name
	// its cgroup after it, alone or as part of a unit of systemd:
	//
	//	/docker/<id>                                     /system.slice/docker-<id>.scope
	//	/kubepods/burstable/pod<uid>/<id>                .../cri-containerd-<id>.scope
	//	/machine.slice/libpod-<id>.scope/container       .../crio-<id>.scope
	//	/system.slice/kubepods-pod<uid>.slice:cri-containerd:<id>
	containerForm = regexp.MustCompile(`(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?:/|$)`)
	// podForm is the uid of a pod in the names of kubelet's cgroups: of systemd's slices,
	// where - stands for a level, it has _ instead. Pods of manifests have a digest as uid.
	podForm = regexp.MustCompile(`(?:^|[/-])pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?:[/:]|$)`)
)

// containerOf returns the ids of the container and of the pod that a cgroup is of, as its
// path tells; empty where it is of none. What watches over a container is not in it.
func containerOf(path string) (container, pod string) {
	if m := last(podForm, path); m != "" {
		pod = strings.ReplaceAll(m, "_", "-")
	}
	if strings.Contains(path, "conmon-") {
		return "", pod
	}
	return last(containerForm, path), pod
}

// last returns the innermost match: containers may run in others. Matches may share a slash.
func last(form *regexp.Regexp, path string) (found string) {
	for {
		m := form.FindStringSubmatchIndex(path)
		if m == nil {
			return found
		}
		found = path[m[2]:m[3]]
		path = path[m[3]:]
	}
}

// cgroupOf reads /proc/PID/cgroup: the path that tells of a container, in whichever of the
// hierarchies, else that of version 2, else that of systemd's own.
func cgroupOf(text string) string {
	unified, named := "", ""
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) < 3 {
			continue
		}
		path := f[2]
		if container, pod := containerOf(path); container != "" || pod != "" {
			return path
		}
		switch {
		case f[0] == "0" && f[1] == "":
			unified = path
		case f[1] == "name=systemd":
			named = path
		}
	}
	if unified == "" || unified == "/" && named != "" {
		return named
	}
	return unified
}
