//! What can be asked for, declared once: the parser and `--help` both come from here.

xflags::xflags! {
    /// The one door to testing, model-checking, measuring and publishing the family.
    cmd xtask {
        /// Runs everything that must pass: every crate under every subset of its features, doc
        /// tests, examples, and one closing run over the workspace.
        cmd test {
            /// Crates to test, by folder or package name; all of them when none is given.
            repeated crates: String
        }

        /// Explores every loom model in a process of its own, and says how far it got.
        cmd loom {
            /// Crates whose models to run, by folder or package name; all when none is given.
            repeated crates: String

            /// Only the models (with --mutants: also the mutants) whose name contains this text.
            optional --model model: String

            /// Puts each seeded bug of xtask/mutants in place, in a copy of the workspace, and
            /// demands that the model it names fails.
            optional --mutants

            /// Lifts the preemption bound; each model stops by itself when its time is up.
            optional --deep

            /// Lists the models (or the mutants) instead of running them.
            optional --list
        }

        /// Runs the benchmarks against the rivals and reports the ratios.
        cmd bench {
            /// Crates to measure, by folder or package name; all when none is given.
            repeated crates: String

            /// Fewer rounds: a first impression in a minute, not a figure to publish.
            optional --quick

            /// Measures Go's own libraries as well, where `go` is in PATH.
            optional --go

            /// Keeps a copy of the results under target/bench/saved/.
            optional --save

            /// Asserts every workload's answer and measures nothing.
            optional --smoke
        }

        /// Checks what the compiler cannot: links, comment tags, independence, feature names,
        /// changelogs, and that every mutant still applies.
        cmd tidy {}

        /// Runs what decides whether a change may land, stage by stage.
        cmd ci {
            /// Only this stage; may be given more than once.
            repeated --stage stage: String

            /// Goes on after a failed stage, and lists all that failed at the end.
            optional --keep-going

            /// Lists the stages instead of running them.
            optional --list
        }

        /// Packages every crate and builds it from the package.
        cmd publish {
            /// Stops short of the upload, which is left to a human.
            optional --dry-run
        }
    }
}
