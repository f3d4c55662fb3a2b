package main

import (
	"slices"
	"time"

	"lockgate/go/harness"
)

const (
	batch    = 64
	together = 512
)

func jobs() []harness.Entry {
	var entries []harness.Entry
	// A channel takes no batches: it is measured beside them job by job.
	for name, length := range map[string]time.Duration{
		"empty": 0, "1us": time.Microsecond, "10us": 10 * time.Microsecond,
	} {
		steps := uint64(0)
		if length > 0 {
			steps = stepsOf(length)
		}
		entries = append(entries, ofPool("spawn/"+name, spawning(steps)))
		if name != "10us" {
			entries = append(entries, ofPool("batched/"+name, spawning(steps)))
		}
	}
	idle := ofPool("round-trip/idle", afterRest())
	// Sleeping jobs by the dozen: nothing to warm up.
	idle.Cold = true
	return append(entries,
		ofPool("submit/empty", submitting()),
		ofPool("batched/results", submitting()),
		ofPool("round-trip/hot", roundTrips()),
		idle)
}

// spawning: one operation is a job whose result nobody wants.
func spawning(steps uint64) func(ops uint64) harness.Sample {
	jobs := newPool(workers)
	return func(ops uint64) harness.Sample {
		before, done := counted(), make(chan struct{})
		start := time.Now()
		for i := uint64(0); i < ops; i++ {
			count := &tally[i%lanes].count
			jobs <- func() {
				busy(steps)
				count.Add(1)
			}
		}
		jobs <- func() { close(done) }
		<-done
		await(before + ops)
		return harness.Time(ops, time.Since(start))
	}
}

// submit gives a channel that has the result when there is one.
func (jobs pool) submit(job func() uint64) <-chan uint64 {
	result := make(chan uint64, 1)
	jobs <- func() { result <- job() }
	return result
}

// submitting: one operation is a job and its result; so many are submitted before the first is
// waited for.
func submitting() func(ops uint64) harness.Sample {
	jobs := newPool(workers)
	return func(ops uint64) harness.Sample {
		rounds, sum := times(ops, together), uint64(0)
		results := make([]<-chan uint64, 0, together)
		start := time.Now()
		for i := uint64(0); i < rounds; i++ {
			for number := uint64(0); number < together; number++ {
				number := number
				results = append(results, jobs.submit(func() uint64 { return number }))
			}
			for _, result := range results {
				sum += <-result
			}
			results = results[:0]
		}
		took := time.Since(start)
		harness.Check("the sum", sum, rounds*(together*(together-1)/2))
		return harness.Time(rounds*together, took)
	}
}

// roundTrips: one operation is a job that is waited for before the next comes.
func roundTrips() func(ops uint64) harness.Sample {
	jobs := newPool(workers)
	return func(ops uint64) harness.Sample {
		start := time.Now()
		for number := uint64(0); number < ops; number++ {
			number := number
			result := <-jobs.submit(func() uint64 { return number })
			harness.Check("the result", result, number)
		}
		return harness.Time(ops, time.Since(start))
	}
}

// afterRest: the same after a millisecond of rest; the median of a sample.
func afterRest() func(ops uint64) harness.Sample {
	jobs := newPool(workers)
	return func(ops uint64) harness.Sample {
		var took []time.Duration
		for number := uint64(0); number < ops; number++ {
			number := number
			time.Sleep(time.Millisecond)
			start := time.Now()
			result := <-jobs.submit(func() uint64 { return number })
			took = append(took, time.Since(start))
			harness.Check("the result", result, number)
		}
		slices.Sort(took)
		return harness.Time(ops, took[len(took)/2]*time.Duration(ops))
	}
}
