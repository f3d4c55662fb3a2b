// The rival of lockgate-breaker that Go has: sony's gobreaker, through its Execute.
//
// Workloads, policies and asserted answers are those of xtask/benches/breaker/.
package main

import (
	"time"

	"lockgate/go/harness"
)

const (
	hour = time.Hour
	last = 10 * time.Second
)

func main() {
	harness.Serve(calls())
}

func entry(scenario string, run func(ops uint64) harness.Sample) harness.Entry {
	return harness.Entry{
		Scenario: scenario, Subject: breakerName, StandsInFor: standsInFor, Run: run,
	}
}

// consecutive is for more failures in a row than any workload has.
func consecutive() *breaker { return tripping(1_000) }

func tripping(failures uint32) *breaker {
	return newBreaker(settings{
		Timeout:     hour,
		ReadyToTrip: func(counts counts) bool { return counts.ConsecutiveFailures >= failures },
	})
}

// rate is for more failures among all calls than any workload has. How many calls are counted is
// up to the interval: there is no window of so many calls.
func rate(interval time.Duration) *breaker {
	return newBreaker(settings{
		Interval: interval,
		Timeout:  hour,
		ReadyToTrip: func(counts counts) bool {
			failed := float64(counts.TotalFailures) / float64(counts.Requests)
			return counts.Requests >= 10 && failed >= 0.9
		},
	})
}

// opened is open for an hour.
func opened() *breaker {
	breaker := tripping(1)
	_, err := breaker.Execute(func() (struct{}, error) { return struct{}{}, errFailed })
	harness.Check("the error that opens it", err, errFailed)
	return breaker
}
