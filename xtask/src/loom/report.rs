//! The one line in which a model says what it explored.

const TAG: &str = "lockgate-model ";

#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    pub iterations: u64,
    /// Preemptions per execution that the model was limited to.
    pub bound: Option<u64>,
    /// Whether the time was up before everything was explored.
    pub truncated: bool,
    pub ms: u64,
}

/// Finds the report in what the process wrote. It may follow other text on its line: the test
/// harness starts the line with the test's name.
pub fn read(output: &str) -> Result<Report, String> {
    let mut reports = output.split(TAG).skip(1);
    let Some(report) = reports.next() else {
        return Err("it passed without a report: is its body run by the models' wrapper?".into());
    };
    if reports.next().is_some() {
        return Err("it reports more than once: one model a test".into());
    }
    let line = report.lines().next().unwrap_or_default();
    parse(line).ok_or_else(|| format!("unreadable report `{line}`"))
}

fn parse(line: &str) -> Option<Report> {
    let mut fields = line.split_whitespace();
    let mut field = |name: &str| fields.next()?.strip_prefix(name)?.strip_prefix('=');
    let report = Report {
        iterations: field("iterations")?.parse().ok()?,
        bound: match field("bound")? {
            "none" => None,
            bound => Some(bound.parse().ok()?),
        },
        truncated: field("truncated")?.parse().ok()?,
        ms: field("ms")?.parse().ok()?,
    };
    fields.next().is_none().then_some(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "lockgate-model iterations=418 bound=3 truncated=false ms=12";

    #[test]
    fn a_report_is_found_behind_the_name_of_the_test() {
        let output = format!("\nrunning 1 test\ntest tests::loom_a::b ... {LINE}\nok\n");
        let report = Report { iterations: 418, bound: Some(3), truncated: false, ms: 12 };
        assert_eq!(read(&output), Ok(report));
    }

    #[test]
    fn no_bound_is_none() {
        let report = read(&LINE.replace("bound=3", "bound=none")).expect("well formed");
        assert_eq!(report.bound, None);
    }

    #[test]
    fn a_report_is_whole_and_alone() {
        assert!(read("ok").is_err());
        assert!(read(&format!("{LINE}\n{LINE}\n")).is_err());
        assert!(read(&LINE.replace("418", "many")).is_err());
        assert!(read(&LINE.replace(" ms=12", "")).is_err());
        assert!(read(&LINE.replace("bound=3 ", "")).is_err());
        assert!(read(&format!("{LINE} more=1")).is_err());
    }
}
