package main

import (
	"errors"
	"sync/atomic"
	"time"

	"lockgate/go/harness"
)

// portion is how many operations a goroutine takes from the quota at a time.
const portion = 64

var errFailed = errors.New("the call fails")

func calls() []harness.Entry {
	// Each its own, as long as the process lives.
	of := func(scenario string, nth uint64, breaker *breaker) harness.Entry {
		return entry(scenario, func(ops uint64) harness.Sample { return ended(breaker, nth, ops) })
	}
	two := func(scenario string, breaker *breaker) harness.Entry {
		return entry(scenario, func(ops uint64) harness.Sample { return byTwo(breaker, ops) })
	}
	isOpen := opened()
	return []harness.Entry{
		of("closed/consecutive", 0, consecutive()),
		of("closed/count", 0, rate(0)),
		of("closed/time", 0, rate(last)),
		entry("open", func(ops uint64) harness.Sample { return rejected(isOpen, ops) }),
		of("failures-1/consecutive", 100, consecutive()),
		of("failures-1/count", 100, rate(0)),
		of("failures-50/consecutive", 2, consecutive()),
		of("failures-50/count", 2, rate(0)),
		two("closed/consecutive/two-threads", consecutive()),
		two("closed/count/two-threads", rate(0)),
	}
}

// ended: each nth call fails; none, if 0.
func ended(breaker *breaker, nth, ops uint64) harness.Sample {
	// Made beforehand: no closure is made for a call.
	fails := false
	work := func() (struct{}, error) {
		if fails {
			return struct{}{}, errFailed
		}
		return struct{}{}, nil
	}
	var well, failed uint64
	// The first one fails. 0 goes round, and is not met again.
	left := min(nth, 1)
	start := time.Now()
	for i := uint64(0); i < ops; i++ {
		left--
		fails = left == 0
		if fails {
			left = nth
		}
		switch _, err := breaker.Execute(work); err {
		case nil:
			well++
		case errFailed:
			failed++
		}
	}
	took := time.Since(start)
	var expected uint64
	if nth > 0 {
		expected = (ops + nth - 1) / nth
	}
	harness.Check("calls that fail", failed, expected)
	harness.Check("calls that succeed", well, ops-expected)
	return harness.Time(ops, took)
}

func rejected(breaker *breaker, ops uint64) harness.Sample {
	work := func() (struct{}, error) { return struct{}{}, nil }
	var rejected uint64
	start := time.Now()
	for i := uint64(0); i < ops; i++ {
		if _, err := breaker.Execute(work); err == errOpenState {
			rejected++
		}
	}
	took := time.Since(start)
	harness.Check("calls that are rejected", rejected, ops)
	return harness.Time(ops, took)
}

// byTwo: wall time ÷ the operations of both.
func byTwo(breaker *breaker, ops uint64) harness.Sample {
	work := func() (struct{}, error) { return struct{}{}, nil }
	quota := harness.NewQuota(ops, portion)
	var total atomic.Uint64
	took := harness.Together(2, func(int) {
		var well uint64
		for times := quota.Take(); times > 0; times = quota.Take() {
			for i := uint64(0); i < times; i++ {
				if _, err := breaker.Execute(work); err == nil {
					well++
				}
			}
		}
		total.Add(well)
	})
	harness.Check("calls that succeed", total.Load(), ops)
	return harness.Time(ops, took)
}
