//go:build !x

package main

import (
	"errors"
	"sync"
	"time"
)

const (
	breakerName = "go breaker (own)"
	standsInFor = "go gobreaker"
)

var (
	errOpenState       = errors.New("it is open")
	errTooManyRequests = errors.New("it is half-open, and asked enough")
)

type settings struct {
	// How long calls are counted until the counts begin anew; for ever, if 0.
	Interval time.Duration
	// How long it is open.
	Timeout time.Duration
	// Asked of a copy of the counts after each failure.
	ReadyToTrip func(counts) bool
}

type counts struct {
	Requests             uint32
	TotalSuccesses       uint32
	TotalFailures        uint32
	ConsecutiveSuccesses uint32
	ConsecutiveFailures  uint32
}

type state uint8

const (
	closed state = iota
	open
	halfOpen
)

// breaker stands in for that of github.com/sony/gobreaker/v2, of which it has what the workloads
// call. It is written from the documentation: a mutex around counts that a change of state and the
// end of an interval clear; one call while half-open; a panic is a failure and goes on.
type breaker struct {
	settings settings
	mutex    sync.Mutex
	state    state
	counts   counts
	// Of these counts: who began among others is not counted.
	generation uint64
	// When the state or the counts end; never, if zero.
	until time.Time
}

func newBreaker(settings settings) *breaker {
	b := &breaker{settings: settings}
	b.enter(closed, time.Now())
	return b
}

func (b *breaker) Execute(work func() (struct{}, error)) (struct{}, error) {
	generation, err := b.begin()
	if err != nil {
		return struct{}{}, err
	}
	returned := false
	defer func() {
		if !returned {
			b.end(generation, false)
		}
	}()
	answer, err := work()
	returned = true
	b.end(generation, err == nil)
	return answer, err
}

func (b *breaker) begin() (uint64, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.refresh(time.Now())
	if b.state == open {
		return 0, errOpenState
	}
	if b.state == halfOpen && b.counts.Requests > 0 {
		return 0, errTooManyRequests
	}
	b.counts.Requests++
	return b.generation, nil
}

func (b *breaker) end(generation uint64, well bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	now := time.Now()
	b.refresh(now)
	if generation != b.generation {
		return
	}
	b.counts.add(well)
	switch {
	case b.state == halfOpen && well:
		b.enter(closed, now)
	case b.state == halfOpen || !well && b.settings.ReadyToTrip(b.counts):
		b.enter(open, now)
	}
}

func (c *counts) add(well bool) {
	if well {
		c.TotalSuccesses++
		c.ConsecutiveSuccesses++
		c.ConsecutiveFailures = 0
	} else {
		c.TotalFailures++
		c.ConsecutiveFailures++
		c.ConsecutiveSuccesses = 0
	}
}

// refresh ends what has lasted long enough.
func (b *breaker) refresh(now time.Time) {
	if b.until.IsZero() || now.Before(b.until) {
		return
	}
	if b.state == open {
		b.enter(halfOpen, now)
	} else {
		b.enter(b.state, now)
	}
}

func (b *breaker) enter(state state, now time.Time) {
	b.state = state
	b.counts = counts{}
	b.generation++
	b.until = time.Time{}
	if state == open {
		b.until = now.Add(b.settings.Timeout)
	} else if state == closed && b.settings.Interval > 0 {
		b.until = now.Add(b.settings.Interval)
	}
}
