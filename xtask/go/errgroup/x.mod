// The same with golang.org/x/sync. `cargo xtask bench --go` adds where that lies.
module lockgate/go/errgroup

go 1.21

require lockgate/go/harness v0.0.0

require golang.org/x/sync v0.1.0

replace lockgate/go/harness => ../harness
