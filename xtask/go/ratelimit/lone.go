package main

import (
	"context"
	"fmt"
	"time"

	"lockgate/go/harness"
)

// loners: one that waits again and again, and what part of its tokens it misses because nothing
// wakes it to the nanosecond.
func loners() []harness.Entry {
	var entries []harness.Entry
	for _, rate := range []int{100, 1_000, 10_000, 100_000} {
		// Of two: a bucket of one, and of what a timer of a millisecond needs.
		bursts := []int{1, 1 + rate/500}
		if bursts[0] == bursts[1] {
			bursts = bursts[:1]
		}
		for _, burst := range bursts {
			rate, burst := rate, burst
			name := fmt.Sprintf("lone/%d-per-second/burst-%d", rate, burst)
			entries = append(entries, percent(name, func(short bool) float64 {
				return missed(rate, burst, lasting(500*time.Millisecond, short))
			}))
		}
	}
	return entries
}

func missed(rate, burst int, length time.Duration) float64 {
	ctx := context.Background()
	limiter := emptied(perSecond(rate), burst)
	// From the first token on, so that where the first interval begins does not count.
	acquire(ctx, limiter, 1)
	begin := time.Now()
	granted := 0.0
	for time.Since(begin) < length {
		acquire(ctx, limiter, 1)
		granted++
	}
	ideal := time.Since(begin).Seconds() * float64(rate)
	harness.Check("more than there was", granted > ideal+float64(burst)+1, false)
	return 100 * max(0, 1-granted/ideal)
}
