// The rivals of lockgate-errgroup that Go has: its errgroup, its goroutines, its contexts.
//
// Workloads, counts and asserted answers are those of xtask/benches/errgroup/.
package main

import "lockgate/go/harness"

func main() {
	var entries []harness.Entry
	entries = append(entries, groups()...)
	entries = append(entries, blocked()...)
	entries = append(entries, contexts()...)
	harness.Serve(entries)
}

// ofGroup is an entry of the errgroup, whichever it is.
func ofGroup(scenario string, run func(ops uint64) harness.Sample) harness.Entry {
	return harness.Entry{
		Scenario: scenario, Subject: groupName, StandsInFor: standsInFor, Run: run,
	}
}

func ofGoroutines(scenario string, run func(ops uint64) harness.Sample) harness.Entry {
	return harness.Entry{Scenario: scenario, Subject: "goroutine", Run: run}
}

// times is how many batches of this size do at least so many operations.
func times(ops, size uint64) uint64 {
	return max(1, (ops+size-1)/size)
}
