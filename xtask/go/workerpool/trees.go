package main

import (
	"time"

	"lockgate/go/harness"
)

const levels = 16

// trees: one operation is a node of a binary tree, a goroutine that starts two more. A pool of two
// with a channel that is full would wait for itself.
func trees() []harness.Entry {
	const size = 1<<levels - 1
	run := func(ops uint64) harness.Sample {
		trees, before := times(ops, size), counted()
		start := time.Now()
		for i := uint64(1); i <= trees; i++ {
			go grow(levels, 0)
			look(before + i*size)
		}
		return harness.Time(trees*size, time.Since(start))
	}
	return []harness.Entry{{Scenario: "inside/stealing", Subject: "goroutine", Run: run}}
}

func grow(levels, lane int) {
	if levels > 1 {
		go grow(levels-1, lane*2)
		go grow(levels-1, lane*2+1)
	}
	tally[lane%lanes].count.Add(1)
}
