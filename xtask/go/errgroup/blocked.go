package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"lockgate/go/harness"
)

const crowd = 100_000

// crowded is how long it took until so many were spawned, and until all had ended.
type crowded struct{ spawned, ended time.Duration }

// blocked: so many at a time that wait to be told that it is over.
func blocked() []harness.Entry {
	var entries []harness.Entry
	type run = func(full func()) crowded
	add := func(of func(string, func(uint64) harness.Sample) harness.Entry, run run) {
		spawn := func(took crowded) time.Duration { return took.spawned }
		whole := func(took crowded) time.Duration { return took.ended }
		memory := of("memory/blocked-100000", func(uint64) harness.Sample { return resident(run) })
		memory.Cold = true
		entries = append(entries, memory,
			of("tokio/blocked-100000/spawn", timed(run, spawn)),
			of("tokio/blocked-100000/spawn-join", timed(run, whole)))
	}
	add(ofGroup, groupBlocked)
	add(ofGoroutines, goroutinesBlocked)
	return entries
}

func timed(
	run func(full func()) crowded, part func(crowded) time.Duration,
) func(uint64) harness.Sample {
	return func(ops uint64) harness.Sample {
		var took time.Duration
		crowds := times(ops, crowd)
		for i := uint64(0); i < crowds; i++ {
			took += part(run(func() {}))
		}
		return harness.Time(crowds*crowd, took)
	}
}

// resident is what is in memory because of them, after garbage has been given back to the system.
func resident(run func(full func()) crowded) harness.Sample {
	debug.FreeOSMemory()
	before := harness.Resident()
	var after uint64
	run(func() {
		debug.FreeOSMemory()
		after = harness.Resident()
	})
	return harness.Sample{Ops: crowd, Amount: float64(after) - float64(before)}
}

var waiting, ended atomic.Int64

func groupBlocked(full func()) crowded {
	ctx, cancel := context.WithCancel(context.Background())
	g, ctx := withContext(ctx)
	task := func() error {
		waiting.Add(1)
		<-ctx.Done()
		ended.Add(1)
		return nil
	}
	wait := func() { harness.Check("no task fails", g.Wait(), nil) }
	return together(func() { g.Go(task) }, full, cancel, wait)
}

func goroutinesBlocked(full func()) crowded {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	task := func() {
		waiting.Add(1)
		<-ctx.Done()
		ended.Add(1)
		running.Done()
	}
	spawn := func() {
		running.Add(1)
		go task()
	}
	return together(spawn, full, cancel, running.Wait)
}

func together(spawn, full, cancel, wait func()) (took crowded) {
	waiting.Store(0)
	ended.Store(0)
	start := time.Now()
	for i := 0; i < crowd; i++ {
		spawn()
	}
	took.spawned = time.Since(start)
	for waiting.Load() < crowd {
		runtime.Gosched()
	}
	full()
	cancel()
	wait()
	took.ended = time.Since(start)
	harness.Check("tasks that ended", ended.Load(), int64(crowd))
	return took
}
