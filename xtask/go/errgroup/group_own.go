//go:build !x

package main

import (
	"context"
	"sync"
)

const (
	groupName   = "go errgroup (own)"
	standsInFor = "go x/sync errgroup"
)

// group stands in for that of golang.org/x/sync, of which it has what the workloads call. It is
// written from the documentation: the limit is a channel with as many places, the first error
// cancels the context, and Wait returns it when all have ended.
type group struct {
	places  chan struct{}
	running sync.WaitGroup
	failed  sync.Once
	err     error
	cancel  context.CancelCauseFunc
}

func withContext(parent context.Context) (*group, context.Context) {
	ctx, cancel := context.WithCancelCause(parent)
	return &group{cancel: cancel}, ctx
}

func (g *group) SetLimit(limit int) {
	g.places = nil
	if limit >= 0 {
		g.places = make(chan struct{}, limit)
	}
}

func (g *group) Go(task func() error) {
	if g.places != nil {
		g.places <- struct{}{}
	}
	g.running.Add(1)
	go g.run(task)
}

func (g *group) run(task func() error) {
	defer g.leave()
	if err := task(); err != nil {
		g.failed.Do(func() { g.end(err) })
	}
}

func (g *group) leave() {
	if g.places != nil {
		<-g.places
	}
	g.running.Done()
}

func (g *group) end(err error) {
	g.err = err
	if g.cancel != nil {
		g.cancel(err)
	}
}

func (g *group) Wait() error {
	g.running.Wait()
	if g.cancel != nil {
		g.cancel(g.err)
	}
	return g.err
}
