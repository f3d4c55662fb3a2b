//go:build !unix

package main

import "lockgate/go/harness"

// sparse needs a clock of the process's CPU time.
func sparse() []harness.Entry { return nil }
