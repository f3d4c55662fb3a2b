package main

import (
	"sync"
	"time"

	"lockgate/go/harness"
)

const (
	items = 100
	crew  = 10
)

// talks: one operation is one item of a hundred, one after the other, each in a goroutine of its own,
// or in a pool of ten.
func talks() []harness.Entry {
	var entries []harness.Entry
	steps := stepsOf(10 * time.Microsecond)
	for scenario, process := range map[string]func(){
		"talk/compute-10us": func() { busy(steps) },
		"talk/wait-1ms":     func() { time.Sleep(time.Millisecond) },
	} {
		for subject, all := range map[string]func(func()){
			"go one after the other": sequential, "goroutine for each": concurrent,
			"go pool of ten": pooled,
		} {
			process, all := process, all
			run := func(ops uint64) harness.Sample {
				rounds, before := times(ops, items), counted()
				count := &tally[0].count
				start := time.Now()
				for i := uint64(0); i < rounds; i++ {
					all(func() {
						process()
						count.Add(1)
					})
				}
				took := time.Since(start)
				harness.Check("items", counted()-before, rounds*items)
				return harness.Time(rounds*items, took)
			}
			entries = append(entries, harness.Entry{
				Scenario: scenario, Subject: subject, Run: run, Cold: true,
			})
		}
	}
	return entries
}

func sequential(process func()) {
	for i := 0; i < items; i++ {
		process()
	}
}

func concurrent(process func()) {
	var running sync.WaitGroup
	for i := 0; i < items; i++ {
		running.Add(1)
		go func() {
			defer running.Done()
			process()
		}()
	}
	running.Wait()
}

// pooled makes a pool for each hundred, as the talk does.
func pooled(process func()) {
	jobs := make(chan struct{}, items)
	var running sync.WaitGroup
	for i := 0; i < crew; i++ {
		running.Add(1)
		go func() {
			defer running.Done()
			for range jobs {
				process()
			}
		}()
	}
	for i := 0; i < items; i++ {
		jobs <- struct{}{}
	}
	close(jobs)
	running.Wait()
}
