//go:build !x

package main

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"
)

const (
	limiterName = "go rate (own)"
	standsInFor = "go x/time rate"
)

type perSecond float64

var (
	errNever = errors.New("more than the burst")
	errLate  = errors.New("later than the deadline")
)

// limiter stands in for that of golang.org/x/time/rate, of which it has what the workloads call. It
// is written from the documentation: tokens are a floating-point number that may be less than 0,
// whoever waits has taken his beforehand, and a cancel gives back what nobody has built upon since.
type limiter struct {
	mutex  sync.Mutex
	rate   perSecond
	burst  float64
	tokens float64
	// When the tokens were so many.
	at time.Time
	// When the last one in line may act.
	last time.Time
}

type reservation struct {
	of     *limiter
	tokens float64
	rate   perSecond
	at     time.Time
	ok     bool
}

func newLimiter(rate perSecond, burst int) *limiter {
	return &limiter{rate: rate, burst: float64(burst), tokens: float64(burst), at: time.Now()}
}

func (l *limiter) Allow() bool { return l.AllowN(time.Now(), 1) }

func (l *limiter) AllowN(now time.Time, n int) bool { return l.reserve(now, n, 0).ok }

func (l *limiter) Reserve() *reservation { return l.ReserveN(time.Now(), 1) }

func (l *limiter) ReserveN(now time.Time, n int) *reservation {
	r := l.reserve(now, n, math.MaxInt64)
	return &r
}

func (l *limiter) WaitN(ctx context.Context, n int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := time.Now()
	longest := time.Duration(math.MaxInt64)
	if deadline, ok := ctx.Deadline(); ok {
		longest = deadline.Sub(now)
	}
	r := l.reserve(now, n, longest)
	if !r.ok {
		if float64(n) > l.burst {
			return errNever
		}
		return errLate
	}
	delay := r.DelayFrom(now)
	if delay == 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		r.Cancel()
		return ctx.Err()
	}
}

func (l *limiter) SetLimit(rate perSecond) {
	now := time.Now()
	l.mutex.Lock()
	l.tokens, l.at = l.there(now), now
	l.rate = rate
	l.mutex.Unlock()
}

// there is how many tokens there are by now.
func (l *limiter) there(now time.Time) float64 {
	elapsed := max(0, now.Sub(l.at).Seconds())
	return min(l.burst, l.tokens+elapsed*float64(l.rate))
}

func (l *limiter) reserve(now time.Time, n int, longest time.Duration) reservation {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	tokens := l.there(now) - float64(n)
	var wait time.Duration
	if tokens < 0 {
		nanos := -tokens / float64(l.rate) * 1e9
		wait = time.Duration(min(nanos, float64(math.MaxInt64>>1)))
	}
	if float64(n) > l.burst || wait > longest {
		return reservation{}
	}
	l.tokens, l.at = tokens, now
	l.last = now.Add(wait)
	return reservation{of: l, tokens: float64(n), rate: l.rate, at: l.last, ok: true}
}

func (r *reservation) Delay() time.Duration { return r.DelayFrom(time.Now()) }

func (r *reservation) DelayFrom(now time.Time) time.Duration { return max(0, r.at.Sub(now)) }

func (r *reservation) Cancel() {
	now := time.Now()
	l := r.of
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if r.at.Before(now) {
		return
	}
	back := r.tokens - l.last.Sub(r.at).Seconds()*float64(r.rate)
	if back <= 0 {
		return
	}
	l.tokens, l.at = min(l.burst, l.there(now)+back), now
	if r.at.Equal(l.last) {
		before := r.at.Add(-time.Duration(r.tokens / float64(r.rate) * 1e9))
		if !before.Before(now) {
			l.last = before
		}
	}
}
