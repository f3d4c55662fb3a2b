module lockgate/go/harness

go 1.21
