package main

import (
	"runtime"
	"sync/atomic"

	"lockgate/go/harness"
)

const lanes = 16

// A counter on a cache line of its own, two because of the prefetcher.
type lane struct {
	count atomic.Uint64
	_     [120]byte
}

var tally [lanes]lane

// counting and yielding are what tasks do, made beforehand: no closure is made for a task, and
// neighbours count on different lines.
var counting, yielding [lanes]func() error

func init() {
	for i := range tally {
		count := &tally[i].count
		counting[i] = func() error {
			count.Add(1)
			return nil
		}
		yielding[i] = func() error {
			runtime.Gosched()
			count.Add(1)
			return nil
		}
	}
}

func counted() (total uint64) {
	for i := range tally {
		total += tally[i].count.Load()
	}
	return total
}

// checkCounts fails unless run counts so many.
func checkCounts(name string, expected uint64, run func()) {
	before := counted()
	run()
	harness.Check(name+": tasks that ran", counted()-before, expected)
}
