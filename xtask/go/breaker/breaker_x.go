//go:build x

package main

import "github.com/sony/gobreaker/v2"

const (
	breakerName = "go gobreaker"
	standsInFor = ""
)

type (
	breaker  = gobreaker.CircuitBreaker[struct{}]
	settings = gobreaker.Settings
	counts   = gobreaker.Counts
)

var (
	newBreaker   = gobreaker.NewCircuitBreaker[struct{}]
	errOpenState = gobreaker.ErrOpenState
)
