package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError is a mistake in flags or arguments.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func noArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasSubCommands():
		return unknownCommand(cmd, args[0])
	}
	return usagef("%s takes no arguments, and %q is one", cmd.CommandPath(), args[0])
}

// unknownCommand names the commands that may be meant.
func unknownCommand(cmd *cobra.Command, name string) error {
	cmd.SuggestionsMinimumDistance = 2
	hint := cmd.CommandPath() + " --help lists them"
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usagef("unknown command %q; %s", strings.TrimPrefix(cmd.CommandPath()+" "+name, cmd.Root().Name()+" "), hint)
}

func argsBetween(low, high int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > high {
			return usagef("%q is too much; usage: %s", args[high], cmd.UseLine())
		}
		return argsAtLeast(low)(cmd, args)
	}
}

func argsAtLeast(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return usagef("arguments are missing; usage: %s", cmd.UseLine())
		}
		return nil
	}
}

// flagError says what is wrong with a flag, without the names of Go functions.
func flagError(cmd *cobra.Command, err error) error {
	var bad *pflag.InvalidValueError
	var number *strconv.NumError
	switch {
	case errors.As(err, &bad) && errors.As(err, &number):
		err = fmt.Errorf("--%s %q: not a whole number", bad.GetFlag().Name, bad.GetValue())
		if bad.GetFlag().Value.Type() == "bool" {
			err = fmt.Errorf("--%s %q: true or false", bad.GetFlag().Name, bad.GetValue())
		}
	case errors.As(err, &bad):
		err = fmt.Errorf("--%s: %w", bad.GetFlag().Name, errors.Unwrap(bad))
	}
	return usagef("%w; %s --help lists the flags", err, cmd.CommandPath())
}
