package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"shark/packet/filter"
	"shark/recorder/session"
	"shark/snapshot"
	"shark/workbench"
	"shark/workbench/index"
)

// exitCode is one of the codes that scripts may rely on.
type exitCode struct {
	code int
	doc  string
}

// The exit codes, the one list of them.
var (
	exitOK          = exitCode{0, "done"}
	exitFailed      = exitCode{1, "failed"}
	exitUsage       = exitCode{2, "wrong usage: flags, arguments or query"}
	exitPartial     = exitCode{3, "partial answer: something that was recorded is not in it"}
	exitIntegrity   = exitCode{4, "integrity failure: what was stored is not what was written; an answer has the rest"}
	exitOutside     = exitCode{6, "the time asked for is outside the recorded window"}
	exitNotFound    = exitCode{10, "no such snapshot, file or entry"}
	exitInterrupted = exitCode{130, "interrupted"}
	exitCodes       = []exitCode{exitOK, exitFailed, exitUsage, exitPartial, exitIntegrity, exitOutside, exitNotFound, exitInterrupted}
)

// errPartial makes a command that has given its answer exit with exitPartial. The
// coverage in its footer has said why.
var errPartial = errors.New("partial answer")

// errUnsound does the same with exitIntegrity: what is not in the answer was stored in a
// snapshot, and is no longer what was written.
var errUnsound = errors.New("answer of an unsound snapshot")

// codeOf maps an error to an exit code: one of exitCodes, or that of a command which was
// recorded.
func codeOf(ctx context.Context, err error) exitCode {
	if ran := (*session.CommandError)(nil); errors.As(err, &ran) {
		return exitCode{code: ran.Code}
	}
	var usage usageError
	var missing missingError
	switch {
	case err == nil, errors.Is(err, errEnded), errors.Is(err, syscall.EPIPE):
		return exitOK // whoever reads our output has seen enough
	case errors.Is(err, context.Canceled) || ctx.Err() != nil:
		return exitInterrupted
	case errors.Is(err, errPartial):
		return exitPartial
	case errors.Is(err, workbench.ErrNotFound), errors.Is(err, snapshot.ErrNotFound), errors.As(err, &missing):
		return exitNotFound
	case errors.Is(err, errUnsound), errors.Is(err, snapshot.ErrIntegrity), errors.Is(err, index.ErrDamaged):
		return exitIntegrity
	case errors.Is(err, workbench.ErrOutside):
		return exitOutside
	case errors.As(err, &usage), errors.Is(err, workbench.ErrUsage), errors.Is(err, snapshot.ErrAmbiguous), errors.Is(err, snapshot.ErrLocation):
		return exitUsage
	}
	return exitFailed
}

// message is what the user is told of an error: in one line, or with the lines of
// a query or a filter and the marks under it.
func message(err error) string {
	if errors.Is(err, workbench.ErrUsage) {
		return strings.TrimPrefix(err.Error(), workbench.ErrUsage.Error()+": ")
	}
	said := err
	if usage := (usageError{}); errors.As(err, &usage) {
		said = usage.error
	}
	if bad := new(filter.Error); errors.As(said, &bad) { // with a mark under its place
		return err.Error()
	}
	return oneLine(err.Error())
}

// exitHelp lists the exit codes for the help text.
func exitHelp() string {
	var b strings.Builder
	for _, c := range exitCodes {
		fmt.Fprintf(&b, "  %3d  %s\n", c.code, c.doc)
	}
	return b.String()
}
