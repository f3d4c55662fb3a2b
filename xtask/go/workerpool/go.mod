module lockgate/go/workerpool

go 1.21

require lockgate/go/harness v0.0.0

replace lockgate/go/harness => ../harness
