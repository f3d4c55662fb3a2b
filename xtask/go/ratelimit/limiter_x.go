//go:build x

package main

import "golang.org/x/time/rate"

const (
	limiterName = "go x/time rate"
	standsInFor = ""
)

type (
	limiter   = rate.Limiter
	perSecond = rate.Limit
)

var newLimiter = rate.NewLimiter
