package main

import (
	"runtime"
	"sync/atomic"
	"time"

	"lockgate/go/harness"
)

const (
	workers = 2
	places  = 1024
	lanes   = 16
)

// pool is what people write: so many goroutines that range over a buffered channel.
type pool chan func()

func newPool(workers int) pool {
	jobs := make(pool, places)
	for i := 0; i < workers; i++ {
		go func() {
			for job := range jobs {
				job()
			}
		}()
	}
	return jobs
}

// A counter on a cache line of its own, two because of the prefetcher. Go has nothing that belongs
// to a thread, so jobs count on them by turns.
type lane struct {
	count atomic.Uint64
	_     [120]byte
}

var tally [lanes]lane

func counted() (total uint64) {
	for i := range tally {
		total += tally[i].count.Load()
	}
	return total
}

// await gives way until so many have run in all: the last that was submitted has.
func await(total uint64) {
	for counted() < total {
		runtime.Gosched()
	}
	harness.Check("every job runs once", counted(), total)
}

// look waits until so many have run in all, where no job is known to be the last.
func look(total uint64) {
	for counted() < total {
		time.Sleep(20 * time.Microsecond)
	}
	harness.Check("every job runs once", counted(), total)
}

// busy works for about so long, without a look at the clock. Never inlined: where the number is known
// and the result is not wanted, nothing of it would be left.
//
//go:noinline
func busy(steps uint64) uint64 {
	state := steps
	for i := uint64(0); i < steps; i++ {
		state = state*6_364_136_223_846_793_005 + 1
	}
	return state
}

// stepsOf is how many steps of busy take so long.
func stepsOf(length time.Duration) uint64 {
	const steps = 1_000_000
	best := time.Hour
	for i := 0; i < 5; i++ {
		start := time.Now()
		busy(steps)
		best = min(best, time.Since(start))
	}
	return max(1, uint64(length)*steps/max(1, uint64(best)))
}
