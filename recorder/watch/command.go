package watch

import (
	"bytes"
	"regexp"
	"strings"
)

// maxCommand is how long a command is kept, in bytes; of a longer one the beginning.
const maxCommand = 512

// hidden stands for what is not kept.
const hidden = "***"

var (
	// secretName is the name of an option or variable whose value is a secret.
	secretName = regexp.MustCompile(`(?i)(^|[-_.])(pass(word|wd|phrase|code)?|pwd|secrets?|tokens?|api[-_]?key|access[-_]?key|secret[-_]?key|private[-_]?key|auth|authorization|credentials?|cookie|bearer)$`)
	// userinfo is what stands before the host of a URL.
	userinfo = regexp.MustCompile(`(://[^/\s:@]*:)[^/\s@]*@`)
	// header is a line of HTTP that carries a secret, and parameter one of a URL or form.
	header    = regexp.MustCompile(`(?i)^((?:proxy-)?authorization|cookie|x-api-key|x-auth-token)\s*:.*`)
	parameter = regexp.MustCompile(`(?i)((?:^|[?&;,\s])[a-z0-9_.-]*(?:password|passwd|pwd|secret|token|api_?key)=)[^&;,\s]+`)
)

// secretFlags take a secret as their next argument, in the programs that have them.
var secretFlags = map[string][]string{
	"curl": {"-u", "--user", "-U", "--proxy-user"}, "wget": {"--password", "--http-password"}, "mysql": {"-p"}, "sshpass": {"-p"}, "redis-cli": {"-a"},
}

// command makes one line of the arguments of a process. They are quoted where a shell would
// have it so, and what looks like a secret, by the name of its option, as part of a URL or
// because its program takes one there, is hidden: a recording goes to others more easily than
// a look into a machine's processes. That is by the look of it: what is a secret without any
// sign of being one stays.
func command(line []byte, cut bool) string {
	line = bytes.TrimRight(line, "\x00")
	if len(line) == 0 {
		return ""
	}
	args := strings.Split(string(line), "\x00")
	var out strings.Builder
	hide := false
	program := args[0][strings.LastIndexByte(args[0], '/')+1:]
	for i, a := range args {
		shown := a
		if i > 0 {
			out.WriteByte(' ')
			shown, hide = redact(program, a, hide)
		}
		out.WriteString(quote(shown))
	}
	text := strings.ToValidUTF8(out.String(), "\uFFFD")
	if len(text) > maxCommand {
		text, cut = strings.ToValidUTF8(text[:maxCommand], ""), true
	}
	if cut {
		text += "..."
	}
	return text
}

// redact returns an argument without its secrets; hide says that it is one itself, and next
// that the one after it is.
func redact(program, a string, hide bool) (shown string, next bool) {
	if hide && !strings.HasPrefix(a, "--") {
		return hidden, false
	}
	name, _, pair := strings.Cut(a, "=")
	switch flag := strings.HasPrefix(a, "-"); {
	case pair && secretName.MatchString(name):
		return name + "=" + hidden, false
	case flag && !pair && secretName.MatchString(name):
		return a, true
	case flag && !pair:
		for _, f := range secretFlags[program] {
			if a == f {
				return a, true
			}
			if len(f) == 2 && strings.HasPrefix(a, f) && !strings.HasPrefix(a, "--") {
				return f + hidden, false
			}
		}
	}
	a = header.ReplaceAllString(a, "$1: "+hidden)
	a = parameter.ReplaceAllString(a, "${1}"+hidden)
	return userinfo.ReplaceAllString(a, "${1}"+hidden+"@"), false
}

// quote puts an argument into quotation marks if a shell would take it apart.
func quote(a string) string {
	if a != "" && !strings.ContainsAny(a, " \t\n\r\"'\\$`&|;<>()*?[]#~!{}") {
		return a
	}
	return "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
}
