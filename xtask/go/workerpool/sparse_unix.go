//go:build unix

package main

import (
	"syscall"
	"time"

	"lockgate/go/harness"
)

// sparse: one operation is a job that comes alone, a millisecond after the last: what the process
// takes of its cores.
func sparse() []harness.Entry {
	jobs := newPool(workers)
	entry := ofPool("cpu/one-per-ms", func(ops uint64) harness.Sample {
		before, start := counted(), cpuTime()
		for i := uint64(0); i < ops; i++ {
			jobs <- func() { tally[0].count.Add(1) }
			time.Sleep(time.Millisecond)
		}
		took := cpuTime() - start
		look(before + ops)
		return harness.Time(ops, took)
	})
	entry.Cold = true
	return []harness.Entry{entry}
}

// cpuTime is the user and system time of the process so far.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	harness.Check("getrusage", syscall.Getrusage(syscall.RUSAGE_SELF, &usage), nil)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
