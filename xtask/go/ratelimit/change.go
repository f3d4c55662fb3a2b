package main

import (
	"sync/atomic"
	"time"

	"lockgate/go/harness"
)

// rates are those between which the changes go to and fro.
var rates = [2]perSecond{1e6, 2e6}

func changes() []harness.Entry {
	return []harness.Entry{
		entry("reserve-cancel/alone", func(ops uint64) harness.Sample { return reserved(ops, 1) }),
		entry("reserve-cancel/two-threads", func(ops uint64) harness.Sample {
			return reserved(ops, 2)
		}),
		entry("set-rate/alone", setRate),
		entry("set-rate/under-load", setRateUnderLoad),
		entry("try-under-set-rate", allowUnderSetRate),
	}
}

// reserved: on an empty bucket, every reservation is for later and all come back.
func reserved(ops uint64, goroutines int) harness.Sample {
	limiter := scarce(10)
	begin := time.Now()
	quota := harness.NewQuota(ops, portion)
	shortest := make([]time.Duration, goroutines)
	took := harness.Together(goroutines, func(index int) {
		least := 24 * time.Hour
		for times := quota.Take(); times > 0; times = quota.Take() {
			for i := uint64(0); i < times; i++ {
				reservation := limiter.Reserve()
				// From a time that was read before: here the clock is not asked.
				least = min(least, reservation.DelayFrom(begin))
				reservation.Cancel()
			}
		}
		shortest[index] = least
	})
	for _, least := range shortest {
		harness.Check("nobody is served early", least > 3000*time.Second, true)
	}
	harness.Check("tokens that appeared", limiter.Allow(), false)
	return harness.Time(ops, took)
}

func setRate(ops uint64) harness.Sample {
	limiter := newLimiter(rates[0], 100)
	start := time.Now()
	for i := uint64(0); i < ops; i++ {
		limiter.SetLimit(rates[i%2])
	}
	return harness.Time(ops, time.Since(start))
}

// setRateUnderLoad: one operation is one change; another goroutine takes what there is meanwhile.
func setRateUnderLoad(ops uint64) harness.Sample {
	limiter := newLimiter(rates[0], 100)
	took := whileAnother(
		func() {
			for i := uint64(0); i < ops; i++ {
				limiter.SetLimit(rates[i%2])
			}
		},
		func(uint64) { limiter.Allow() },
	)
	return harness.Time(ops, took)
}

// allowUnderSetRate: one operation is one request; another goroutine changes the rate all the time.
func allowUnderSetRate(ops uint64) harness.Sample {
	limiter := newLimiter(rates[0], 100)
	took := whileAnother(
		func() {
			for i := uint64(0); i < ops; i++ {
				limiter.Allow()
			}
		},
		func(i uint64) { limiter.SetLimit(rates[i%2]) },
	)
	return harness.Time(ops, took)
}

// whileAnother is how long the work takes while another goroutine does something else all the time.
func whileAnother(work func(), other func(i uint64)) (took time.Duration) {
	var over atomic.Bool
	harness.Together(2, func(index int) {
		if index == 0 {
			start := time.Now()
			work()
			took = time.Since(start)
			over.Store(true)
			return
		}
		for i := uint64(0); !over.Load(); i++ {
			other(i)
		}
	})
	return took
}
