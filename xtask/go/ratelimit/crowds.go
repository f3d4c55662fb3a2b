package main

import (
	"math"
	"sync"
	"time"

	"lockgate/go/harness"
)

const (
	crowd = 10_000
	// Those who were served in the same tick have no order among them.
	tick = 3 * time.Millisecond
)

// served is how well a crowd was, in percent.
type served struct{ off, unserved, disorder float64 }

// crowds: it lasts for ten seconds, so it is run once and told three times.
func crowds() []harness.Entry {
	var run *served
	of := func(name string, figure func(*served) float64) harness.Entry {
		return percent("waiting/10000-tasks/"+name, func(short bool) float64 {
			if run == nil {
				run = runCrowd(short)
			}
			return figure(run)
		})
	}
	return []harness.Entry{
		of("error", func(run *served) float64 { return run.off }),
		of("not-served-once", func(run *served) float64 { return run.unserved }),
		of("out-of-order", func(run *served) float64 { return run.disorder }),
	}
}

// runCrowd: everybody comes at once, one after the other, and wants one token. A goroutine's Wait
// would get in line whenever that is scheduled, so the tokens are reserved in order, which is what
// Wait does first, and then each goroutine sleeps as long as its reservation says.
func runCrowd(short bool) *served {
	tasks := crowd
	if short {
		tasks = 50
	}
	limiter := emptied(perSec, 1)
	ideal := time.Duration(tasks) * time.Second / perSec
	longest := ideal*6/5 + 100*time.Millisecond
	moments := make([]time.Duration, tasks)
	var running sync.WaitGroup
	running.Add(tasks)
	begin := time.Now()
	for i := range moments {
		moment := &moments[i]
		reservation := limiter.Reserve()
		go func() {
			time.Sleep(reservation.Delay())
			*moment = time.Since(begin)
			running.Done()
		}()
	}
	running.Wait()
	return judged(moments, ideal, longest)
}

func judged(moments []time.Duration, ideal, longest time.Duration) *served {
	var last, before time.Duration
	var unserved, disorder int
	for _, moment := range moments {
		if moment > longest {
			unserved++
			continue
		}
		last = max(last, moment)
		if before > moment+tick {
			disorder++
		}
		before = moment
	}
	part := func(count int) float64 { return 100 * float64(count) / float64(len(moments)) }
	return &served{
		off:      100 * math.Abs((last - ideal).Seconds()) / ideal.Seconds(),
		unserved: part(unserved),
		disorder: part(disorder),
	}
}
