// The rival of lockgate-ratelimit that Go has: its rate.Limiter.
//
// Workloads, limits and asserted answers are those of xtask/benches/ratelimit/.
package main

import (
	"time"

	"lockgate/go/harness"
)

func main() {
	var entries []harness.Entry
	entries = append(entries, decisions()...)
	entries = append(entries, changes()...)
	entries = append(entries, lines()...)
	entries = append(entries, crowds()...)
	entries = append(entries, loners()...)
	harness.Serve(entries)
}

func entry(scenario string, run func(ops uint64) harness.Sample) harness.Entry {
	return harness.Entry{
		Scenario: scenario, Subject: limiterName, StandsInFor: standsInFor, Run: run,
	}
}

// percent is an entry whose runs last for seconds, of which there is one in a sample: a short one if
// one operation is asked for, as a smoke test does.
func percent(scenario string, run func(short bool) float64) harness.Entry {
	one := entry(scenario, func(ops uint64) harness.Sample {
		return harness.Sample{Ops: 1, Amount: run(ops == 1)}
	})
	one.Cold = true
	return one
}

// ample is more than any of the loops can ask for: every answer is yes.
func ample() *limiter { return newLimiter(1e9, 1_000_000_000) }

// scarce is nothing more after the burst, which is gone: every answer is no.
func scarce(burst int) *limiter { return emptied(1.0/3600, burst) }

// emptied has nothing at the start, unlike what Go makes.
func emptied(rate perSecond, burst int) *limiter {
	limiter := newLimiter(rate, burst)
	harness.Check("the burst is there", limiter.AllowN(time.Now(), burst), true)
	return limiter
}
