//go:build x

package main

import "golang.org/x/sync/errgroup"

const (
	groupName   = "go x/sync errgroup"
	standsInFor = ""
)

type group = errgroup.Group

var withContext = errgroup.WithContext
