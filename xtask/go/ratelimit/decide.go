package main

import (
	"sync/atomic"
	"time"

	"lockgate/go/harness"
)

// portion is how many operations a goroutine takes from the quota at a time.
const portion = 64

func decisions() []harness.Entry {
	// Each its own, as long as the process lives.
	enough, enoughFor10, shared, none := ample(), ample(), ample(), scarce(1)
	return []harness.Entry{
		entry("allow/instant", func(ops uint64) harness.Sample {
			return ask(enough, 1, ops, ops)
		}),
		entry("allow-10/instant", func(ops uint64) harness.Sample {
			return ask(enoughFor10, 10, ops, ops)
		}),
		entry("deny/instant", func(ops uint64) harness.Sample {
			return ask(none, 1, ops, 0)
		}),
		entry("allow/instant/two-threads", func(ops uint64) harness.Sample {
			return askByTwo(shared, ops, ops)
		}),
	}
}

func allow(limiter *limiter, n int) bool {
	if n == 1 {
		return limiter.Allow()
	}
	return limiter.AllowN(time.Now(), n)
}

// ask fails unless so many of the answers are yes.
func ask(limiter *limiter, n int, ops, expected uint64) harness.Sample {
	var granted uint64
	start := time.Now()
	for i := uint64(0); i < ops; i++ {
		if allow(limiter, n) {
			granted++
		}
	}
	took := time.Since(start)
	harness.Check("granted", granted, expected)
	return harness.Time(ops, took)
}

func askByTwo(limiter *limiter, ops, expected uint64) harness.Sample {
	quota := harness.NewQuota(ops, portion)
	var total atomic.Uint64
	took := harness.Together(2, func(int) {
		var granted uint64
		for times := quota.Take(); times > 0; times = quota.Take() {
			for i := uint64(0); i < times; i++ {
				if limiter.Allow() {
					granted++
				}
			}
		}
		total.Add(granted)
	})
	harness.Check("granted", total.Load(), expected)
	return harness.Time(ops, took)
}
