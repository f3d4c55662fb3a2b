package harness

import (
	"sync"
	"sync/atomic"
	"time"
)

// Together runs body(i) in so many goroutines at once, and tells how long it took from the first
// start to the last end.
func Together(count int, body func(index int)) time.Duration {
	begun, over := make([]time.Time, count), make([]time.Time, count)
	var arrived atomic.Int64
	var done sync.WaitGroup
	done.Add(count)
	for i := 0; i < count; i++ {
		i := i
		go func() {
			arrived.Add(1)
			// Without giving way: else those who wait here would share a thread with who is late.
			for arrived.Load() < int64(count) {
			}
			begun[i] = time.Now()
			body(i)
			over[i] = time.Now()
			done.Done()
		}()
	}
	done.Wait()
	first, last := begun[0], over[0]
	for i := range begun {
		if begun[i].Before(first) {
			first = begun[i]
		}
		if over[i].After(last) {
			last = over[i]
		}
	}
	return last.Sub(first)
}

// Quota is operations that several goroutines share out among themselves in portions, so that none
// works on alone, uncontended, after the others have ended.
type Quota struct {
	left atomic.Int64
	// On a cache line of its own, two because of the prefetcher.
	_       [120]byte
	portion int64
}

func NewQuota(ops uint64, portion int64) *Quota {
	quota := &Quota{portion: portion}
	quota.left.Store(int64(ops))
	return quota
}

// Take tells how many operations to do now; 0 at the end.
func (quota *Quota) Take() uint64 {
	left := quota.left.Add(-quota.portion) + quota.portion
	return uint64(min(max(left, 0), quota.portion))
}
