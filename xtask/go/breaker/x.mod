// The same with sony's gobreaker. `cargo xtask bench --go` adds where that lies.
module lockgate/go/breaker

go 1.22.0

require lockgate/go/harness v0.0.0

require github.com/sony/gobreaker/v2 v2.0.0

replace lockgate/go/harness => ../harness
