package main

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"lockgate/go/harness"
)

const (
	inLine  = 64
	perSec  = 1_000
	length  = 2 * time.Second
	aMoment = 50 * time.Millisecond
)

// line is how well many waited in line, in percent of the ideal.
type line struct{ off, spread, worst float64 }

// lines: one run gives three figures, each a scenario.
func lines() []harness.Entry {
	var entries []harness.Entry
	for _, burst := range []int{1, 5} {
		burst := burst
		var runs []line
		add := func(name string, figure func(line) float64) {
			nth := 0
			name = fmt.Sprintf("waiting/64-tasks/burst-%d/%s", burst, name)
			entries = append(entries, percent(name, func(short bool) float64 {
				// The first figure that asks for a run makes it.
				for nth >= len(runs) {
					runs = append(runs, runLine(burst, lasting(length, short)))
				}
				nth++
				return figure(runs[nth-1])
			}))
		}
		add("error", func(run line) float64 { return run.off })
		add("spread", func(run line) float64 { return run.spread })
		add("worst-wait", func(run line) float64 { return run.worst })
	}
	return append(entries, percent("waiting/large-among-small", func(short bool) float64 {
		return largeAmongSmall(lasting(length, short))
	}))
}

func lasting(long time.Duration, short bool) time.Duration {
	if short {
		return aMoment
	}
	return long
}

// share is what one of them got.
type share struct {
	granted uint64
	worst   time.Duration
}

// runLine: each waits for one token again and again.
func runLine(burst int, length time.Duration) line {
	limiter := emptied(perSec, burst)
	var over atomic.Bool
	var running sync.WaitGroup
	var shares [inLine]share
	begin := time.Now()
	for i := range shares {
		share := &shares[i]
		running.Add(1)
		go func() {
			share.wait(limiter, begin, &over)
			running.Done()
		}()
	}
	time.Sleep(length)
	over.Store(true)
	elapsed := time.Since(begin)
	running.Wait()
	return inPercent(shares[:], elapsed, burst)
}

func (s *share) wait(limiter *limiter, begin time.Time, over *atomic.Bool) {
	// The first round is of those who come all at once, and goes to nobody's account.
	acquire(context.Background(), limiter, 1)
	s.worst = time.Since(begin)
	for !over.Load() {
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 2*length)
		err := limiter.WaitN(ctx, 1)
		cancel()
		s.worst = max(s.worst, time.Since(start))
		if err != nil || over.Load() {
			return
		}
		s.granted++
	}
}

func acquire(ctx context.Context, limiter *limiter, n int) {
	harness.Check("a wait's error", limiter.WaitN(ctx, n), nil)
}

func inPercent(shares []share, elapsed time.Duration, burst int) line {
	ideal := elapsed.Seconds()*perSec - inLine
	var granted, most uint64
	least := uint64(math.MaxUint64)
	var worst time.Duration
	for _, share := range shares {
		granted += share.granted
		most, least = max(most, share.granted), min(least, share.granted)
		worst = max(worst, share.worst)
	}
	// Never more than there was: the burst, and what came.
	ceiling := ideal + inLine + float64(burst) + 1
	harness.Check("more than there was", float64(granted) > ceiling, false)
	return line{
		off:    100 * math.Abs(float64(granted)-ideal) / max(ideal, 1),
		spread: 100 * float64(most-least) / (max(ideal, 1) / inLine),
		worst:  100 * worst.Seconds() / (float64(inLine) / perSec),
	}
}

// largeAmongSmall: one waits for 20 at once, eight for one at a time, on a burst of 20. What part of
// the turns that the large one should have had it did not get: it stands in line like the others,
// so one turn in nine.
func largeAmongSmall(length time.Duration) float64 {
	const large, small = 20, 8
	limiter := emptied(perSec, large)
	ctx, cancel := context.WithCancel(context.Background())
	var turns atomic.Uint64
	var running sync.WaitGroup
	running.Add(1 + small)
	for i := 0; i <= small; i++ {
		n, counted := 1, new(atomic.Uint64)
		if i == 0 {
			n, counted = large, &turns
		}
		go func() {
			for limiter.WaitN(ctx, n) == nil {
				counted.Add(1)
			}
			running.Done()
		}()
	}
	time.Sleep(length)
	got := float64(turns.Load())
	cancel()
	running.Wait()
	// A round is one turn of each.
	round := float64(large+small) / perSec
	return 100 * max(0, 1-got/(length.Seconds()/round))
}
