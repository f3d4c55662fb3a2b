// The rivals of lockgate-workerpool that Go has: goroutines that range over a channel of functions,
// and a goroutine for each job.
//
// Workloads, counts and asserted answers are those of xtask/benches/workerpool/.
package main

import "lockgate/go/harness"

func main() {
	var entries []harness.Entry
	entries = append(entries, jobs()...)
	entries = append(entries, sparse()...)
	entries = append(entries, trees()...)
	entries = append(entries, talks()...)
	harness.Serve(entries)
}

func ofPool(scenario string, run func(ops uint64) harness.Sample) harness.Entry {
	return harness.Entry{Scenario: scenario, Subject: "go channel pool", Run: run}
}

// times is how many batches of this size do at least so many operations.
func times(ops, size uint64) uint64 {
	return max(1, (ops+size-1)/size)
}
