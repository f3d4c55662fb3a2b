package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"lockgate/go/harness"
)

const (
	tasks    = 2_000
	noLimit  = -1
	sleepers = 8
	waiters  = 1_000
)

func groups() []harness.Entry {
	return []harness.Entry{
		ofGroup("threads/empty-2000-limit-2", inBatches(func() { inGroup(2, &counting) })),
		ofGroup("threads/sleep-8-limit-8", sleeping),
		ofGroup("tokio/discarded/task", inBatches(func() { inGroup(noLimit, &counting) })),
		ofGoroutines("tokio/discarded/task", inBatches(inGoroutines)),
		ofGroup("tokio/limit-10/task", inBatches(func() { inGroup(10, &counting) })),
		ofGroup("tokio/limit-10-yielding/task", inBatches(func() { inGroup(10, &yielding) })),
		ofGroup("tokio/first-error-1000", failing),
	}
}

// inBatches makes one operation of each of the tasks that a batch counts.
func inBatches(batch func()) func(ops uint64) harness.Sample {
	return func(ops uint64) harness.Sample {
		var took time.Duration
		batches := times(ops, tasks)
		for i := uint64(0); i < batches; i++ {
			checkCounts(groupName, tasks, func() {
				start := time.Now()
				batch()
				took += time.Since(start)
			})
		}
		return harness.Time(batches*tasks, took)
	}
}

func inGroup(limit int, work *[lanes]func() error) {
	var g group
	g.SetLimit(limit)
	for i := 0; i < tasks; i++ {
		g.Go(work[i%lanes])
	}
	harness.Check("no task fails", g.Wait(), nil)
}

func inGoroutines() {
	var running sync.WaitGroup
	for i := 0; i < tasks; i++ {
		work := counting[i%lanes]
		running.Add(1)
		go func() {
			_ = work()
			running.Done()
		}()
	}
	running.Wait()
}

// sleeping: one operation is a group of eight tasks that sleep at the same time.
func sleeping(ops uint64) harness.Sample {
	var took time.Duration
	for i := uint64(0); i < ops; i++ {
		checkCounts(groupName, sleepers, func() {
			start := time.Now()
			var g group
			g.SetLimit(sleepers)
			for i := 0; i < sleepers; i++ {
				count := counting[i]
				g.Go(func() error {
					time.Sleep(time.Millisecond)
					return count()
				})
			}
			harness.Check("no task fails", g.Wait(), nil)
			took += time.Since(start)
		})
	}
	return harness.Time(ops, took)
}

// failure tells when it happened.
type failure struct{ at time.Time }

func (failure) Error() string { return "one task fails" }

// failing: from the first error to the end of Wait, with a thousand tasks that wait to be told.
func failing(ops uint64) harness.Sample {
	var took time.Duration
	for i := uint64(0); i < ops; i++ {
		g, ctx := withContext(context.Background())
		var waiting atomic.Int64
		for i := 0; i < waiters; i++ {
			g.Go(func() error {
				waiting.Add(1)
				<-ctx.Done()
				return nil
			})
		}
		g.Go(func() error {
			for waiting.Load() < waiters {
				runtime.Gosched()
			}
			return failure{time.Now()}
		})
		failed, ok := g.Wait().(failure)
		took += time.Since(failed.at)
		harness.Check("the error of the task that fails", ok, true)
	}
	return harness.Time(ops, took)
}
