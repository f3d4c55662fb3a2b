package main

import (
	"context"
	"time"

	"lockgate/go/harness"
)

const (
	children = 1_000
	chain    = 10_000
	// In a sample, at least: with few of them two goroutines would be measured that start.
	questions = 1 << 20
)

func contexts() []harness.Entry {
	of := func(scenario string, run func(ops uint64) harness.Sample) harness.Entry {
		return harness.Entry{Scenario: "token/" + scenario, Subject: "go context", Run: run}
	}
	return []harness.Entry{
		of("is-cancelled/one-thread", asked),
		of("is-cancelled/two-threads", askedByTwo),
		of("child-drop", born),
		of("cancel-1000-children", func(ops uint64) harness.Sample {
			return cancelled(ops, children, false)
		}),
		of("cancel-chain-10000", func(ops uint64) harness.Sample {
			return cancelled(ops, chain, true)
		}),
	}
}

// ask is the loop that polls a context: it ends when that is over, and tells how often it has asked.
//
//go:noinline
func ask(ctx context.Context, times uint64) uint64 {
	for i := uint64(0); i < times; i++ {
		if ctx.Err() != nil {
			return i
		}
	}
	return times
}

func asked(ops uint64) harness.Sample {
	ops = max(ops, questions)
	ctx, cancel := context.WithCancel(context.Background())
	start := time.Now()
	asked := ask(ctx, ops)
	took := time.Since(start)
	harness.Check("questions", asked, ops)
	cancel()
	harness.Check("questions once it is over", ask(ctx, 1), 0)
	return harness.Time(ops, took)
}

// askedByTwo: wall time ÷ the operations of one of both.
func askedByTwo(ops uint64) harness.Sample {
	ops = max(ops, questions)
	ctx, cancel := context.WithCancel(context.Background())
	took := harness.Together(2, func(int) {
		harness.Check("questions", ask(ctx, ops), ops)
	})
	cancel()
	harness.Check("questions once it is over", ask(ctx, 1), 0)
	return harness.Time(ops, took)
}

func born(ops uint64) harness.Sample {
	ctx, cancel := context.WithCancel(context.Background())
	start := time.Now()
	for i := uint64(0); i < ops; i++ {
		_, drop := context.WithCancel(ctx)
		drop()
	}
	took := time.Since(start)
	child, drop := context.WithCancel(ctx)
	defer drop()
	cancel()
	harness.Check("the child's error", child.Err(), context.Canceled)
	return harness.Time(ops, took)
}

// cancelled: one operation is one context beneath the one that is cancelled. Only that is timed.
func cancelled(ops, count uint64, inChain bool) harness.Sample {
	var took time.Duration
	trees := times(ops, count)
	for i := uint64(0); i < trees; i++ {
		root, cancel := context.WithCancel(context.Background())
		below := make([]context.Context, 0, count)
		drops := make([]context.CancelFunc, 0, count)
		parent := root
		for j := uint64(0); j < count; j++ {
			child, drop := context.WithCancel(parent)
			below, drops = append(below, child), append(drops, drop)
			if inChain {
				parent = child
			}
		}
		start := time.Now()
		cancel()
		took += time.Since(start)
		for j, child := range below {
			harness.Check("all are cancelled", child.Err(), context.Canceled)
			drops[j]()
		}
	}
	return harness.Time(trees*count, took)
}
