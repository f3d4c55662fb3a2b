// Package harness is the Go side of a bench: it takes samples when the Rust side asks for them, so
// that both sides alternate in one run. xtask/benches/README.md is the method.
package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// Sample is what Ops operations took, in the unit of their scenario.
type Sample struct {
	Ops    uint64  `json:"ops"`
	Amount float64 `json:"amount"`
}

// Time is the sample of so many operations that took so long.
func Time(ops uint64, took time.Duration) Sample {
	return Sample{ops, float64(took.Nanoseconds())}
}

// Entry is one subject in one scenario, which the bench knows by the same name.
type Entry struct {
	Scenario string `json:"scenario"`
	Subject  string `json:"subject"`
	// StandsInFor names the library that Subject replaces where that is not to be had.
	StandsInFor string `json:"stands_in_for,omitempty"`
	// Cold leaves out the batch before a sample: for what a first run leaves behind, and for runs
	// that last for seconds.
	Cold bool `json:"-"`
	// Run does about so many operations, and fails if its answer is wrong.
	Run func(ops uint64) Sample `json:"-"`
}

type request struct {
	Scenario string `json:"scenario"`
	Subject  string `json:"subject"`
	Ops      uint64 `json:"ops"`
}

// Serve prints the entries and then answers each line of standard input by a line, until its end.
func Serve(entries []Entry) {
	out := json.NewEncoder(os.Stdout)
	in := json.NewDecoder(os.Stdin)
	must(out.Encode(map[string]any{"entries": entries}))
	for in.More() {
		var asked request
		must(in.Decode(&asked))
		must(out.Encode(find(entries, asked).take(asked.Ops)))
	}
}

func find(entries []Entry, asked request) *Entry {
	for i := range entries {
		if entries[i].Scenario == asked.Scenario && entries[i].Subject == asked.Subject {
			return &entries[i]
		}
	}
	Fail("nothing here is called %s in %s", asked.Subject, asked.Scenario)
	return nil
}

func (entry *Entry) take(ops uint64) Sample {
	// The collection below has taken the stacks of dead goroutines away. A program that goes on
	// would still have most of them.
	if !entry.Cold {
		entry.Run(1)
	}
	sample := entry.Run(ops)
	// Else a collection that this sample began would go on while others are measured.
	runtime.GC()
	return sample
}

// Fail ends the process, and with it the bench.
func Fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "go: "+format+"\n", args...)
	os.Exit(1)
}

// Check fails unless the answer is the expected one.
func Check[T comparable](what string, got, expected T) {
	if got != expected {
		Fail("%s: %v, not %v", what, got, expected)
	}
}

func must(err error) {
	if err != nil {
		Fail("%v", err)
	}
}

// Resident is how many bytes of this process are in memory. The kernel adds them up at the moment
// of the question; what is in statm may lag behind.
func Resident() uint64 {
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	must(err)
	for _, line := range strings.Split(string(text), "\n") {
		var kilobytes uint64
		if count, _ := fmt.Sscanf(line, "Rss: %d kB", &kilobytes); count == 1 {
			return kilobytes << 10
		}
	}
	Fail("no Rss in smaps_rollup")
	return 0
}
