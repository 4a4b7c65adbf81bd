//go:build !linux

package main

import "os"

// programs are what scripts start as programs of their own.
func programs() map[string]func() {
	return map[string]func(){"shark": func() { os.Exit(process()) }}
}
