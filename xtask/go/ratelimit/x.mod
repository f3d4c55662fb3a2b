// The same with golang.org/x/time. `cargo xtask bench --go` adds where that lies.
module lockgate/go/ratelimit

go 1.21

require lockgate/go/harness v0.0.0

require golang.org/x/time v0.1.0

replace lockgate/go/harness => ../harness
