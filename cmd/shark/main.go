// Command shark records and questions the traffic of Kubernetes clusters. This
// package turns flags into calls of the workbench and its answers into tables and
// JSON; it holds no logic of its own.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker, unless nobody tells it to.
var version = unversioned

const unversioned = "dev"

func main() { os.Exit(process()) }

// process is the whole program: a command line in, an exit code out.
func process() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // whoever presses Ctrl-C twice does not want to wait
	ignoreSignals()
	return run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
}
