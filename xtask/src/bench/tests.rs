use serde_json::{Value, json};

use super::samples::{self, Scenario};
use super::stats::Spread;
use super::targets::{self, Judged, Verdict};
use super::{html, meta::Meta, table, text};

fn subject(name: &str, role: &str, fifo: bool, samples: Value) -> Value {
    json!({ "name": name, "role": role, "fifo": fifo, "samples": samples, "note": null })
}

/// As a bench writes it: two threads, an unfair rival that is the quickest of all, one that stands in
/// for a library that was not there, and one that had no figure in one round.
fn scenarios() -> Vec<Scenario> {
    let mut slow = subject("slow", "rival", true, json!([40.0, 160.0, 50.0]));
    slow["stands_in_for"] = json!("x/library");
    let raw = json!({
        "rounds": 3,
        "scenarios": [
            {
                "name": "pair",
                "unit": "ns",
                "subjects": [
                    subject("lockgate", "ours", true, json!([10.0, 40.0, 20.0])),
                    subject("floor", "floor", false, json!([8.0, 32.0, 16.0])),
                    subject("barger", "rival", false, json!([5.0, 20.0, 10.0])),
                    slow,
                    subject("fair", "rival", true, json!([20.0, null, 40.0])),
                ],
            },
            {
                "name": "count",
                "unit": "allocations",
                "subjects": [
                    subject("lockgate", "ours", true, json!([0.0])),
                    subject("<b>", "rival", true, json!([0.5])),
                ],
            },
            { "name": "elsewhere", "skipped": "needs a \"<core>\"", "subjects": [] },
        ],
    });
    samples::parse("gate", &raw.to_string()).expect("well formed")
}

fn judge(target: &str) -> Judged {
    let text = format!("[[target]]\ncrate = 'gate'\ntext = 'at <most> so much'\n{target}");
    let targets = targets::parse(&text).expect("well formed");
    targets::judge_all(targets, &scenarios(), &|_| true).pop().expect("one target")
}

fn judge_pair(rival: &str, at_most: &str) -> Judged {
    judge(&format!("scenarios = ['pair']\nrivals = ['{rival}']\nat_most = {at_most}"))
}

#[test]
fn ratios_are_made_within_rounds() {
    let pair = &scenarios()[0];
    let slow = pair.figures.iter().find(|figure| figure.subject == "slow").expect("there");
    // The ratio of the medians would be 50 ÷ 20.
    assert_eq!(pair.ratio(slow).expect("numbers").median, 4.0);
    assert_eq!(pair.ratio(pair.ours().expect("there")), None);
}

#[test]
fn a_round_without_a_figure_is_left_out() {
    let pair = &scenarios()[0];
    let fair = pair.figures.iter().find(|figure| figure.subject == "fair").expect("there");
    assert_eq!(fair.value(), Some(30.0));
    assert_eq!(pair.ratio(fair).expect("numbers").median, 2.0);
}

#[test]
fn nothing_divided_by_nothing_is_no_ratio() {
    let count = &scenarios()[1];
    assert!(count.ratio(&count.figures[1]).is_none());
    assert_eq!(count.figures[0].value(), Some(0.0));
}

#[test]
fn a_named_rival_is_compared_with() {
    let judged = judge_pair("slow", "0.25");
    assert_eq!((judged.verdict, judged.measured.map(|it| it.median)), (Verdict::Met, Some(0.25)));
    assert_eq!(judge_pair("slow", "0.24").verdict, Verdict::Missed);
    assert_eq!(judge_pair("floor", "1.25").verdict, Verdict::Met);
}

#[test]
fn the_best_rival_is_the_quickest_that_is_not_the_floor() {
    let judged = judge_pair("best", "1.05");
    assert_eq!((judged.verdict, judged.against.as_deref()), (Verdict::Missed, Some("barger")));
    assert_eq!(judged.measured.expect("numbers").median, 2.0);
    assert_eq!(judged.claim(), "ours ÷ best (barger) ≤ 1.05");
}

#[test]
fn the_best_fifo_rival_keeps_the_order() {
    let judged = judge_pair("best-fifo", "1.0");
    assert_eq!((judged.verdict, judged.against.as_deref()), (Verdict::Met, Some("fair")));
}

#[test]
fn without_a_rival_our_own_figure_counts() {
    let judged = judge("scenarios = ['count']\nat_most = 0.0");
    assert_eq!((judged.verdict, judged.claim()), (Verdict::Met, "ours ≤ 0".to_owned()));
    assert_eq!(judge("scenarios = ['pair']\nat_most = 9.0").verdict, Verdict::Missed);
}

#[test]
fn what_was_not_measured_is_not_met() {
    for target in [
        "scenarios = ['elsewhere']\nrivals = ['slow']\nat_most = 1.0",
        "scenarios = ['unheard of']\nat_most = 1.0",
        "scenarios = ['pair']\nrivals = ['nobody']\nat_most = 1.0",
    ] {
        let judged = judge(target);
        assert_eq!(judged.verdict, Verdict::Unknown, "{target}");
        assert_eq!(judged.to_json()["met"], Value::Null);
    }
}

#[test]
fn what_was_missed_comes_first() {
    let text = "[[target]]\ncrate = 'gate'\ntext = ''\nscenarios = ['pair', 'elsewhere']\n\
                rivals = ['slow', 'barger']\nat_most = 1.0";
    let judged =
        targets::judge_all(targets::parse(text).expect("well formed"), &scenarios(), &|_| true);
    let verdicts: Vec<Verdict> = judged.iter().map(|it| it.verdict).collect();
    use Verdict::{Met, Missed, Unknown};
    assert_eq!(verdicts, [Missed, Unknown, Unknown, Met]);
}

const IN_GO: &str = "[[target]]\ncrate = 'gate'\ntext = ''\nscenarios = ['pair']\n\
                     rivals = ['barger', 'x/library']\nat_most = 1.0\nneeds = 'go'";

#[test]
fn without_go_its_targets_are_not_run() {
    let targets = targets::parse(IN_GO).expect("well formed");
    let judged = targets::judge_all(targets, &scenarios(), &|_| false);
    // Not even that which the figures at hand would miss.
    assert!(judged.iter().all(|it| it.verdict == Verdict::NotRun && it.measured.is_none()));
    assert_eq!(judged[0].to_json()["met"], Value::Null);
    assert_eq!(judged[0].to_json()["needs"], "go");
    let shown = table::render(&meta(), &judged, &scenarios());
    assert!(shown.contains("targets not run, for they need --go: 2"), "{shown}");
    assert!(!shown.contains("NOT MET") && !shown.contains("not measured: "), "{shown}");
    let page = html::render(&meta(), &judged, &scenarios());
    assert!(page.contains("Targets not run, for they need --go: 2"));
}

#[test]
fn with_go_its_targets_are_judged_like_others() {
    let targets = targets::parse(IN_GO).expect("well formed");
    let judged = targets::judge_all(targets.clone(), &scenarios(), &|krate| krate == "gate");
    let verdicts: Vec<Verdict> = judged.iter().map(|it| it.verdict).collect();
    assert_eq!(verdicts, [Verdict::Missed, Verdict::Met]);
    // That another crate's program has run says nothing.
    let judged = targets::judge_all(targets, &scenarios(), &|krate| krate == "other");
    assert!(judged.iter().all(|it| it.verdict == Verdict::NotRun));
}

#[test]
fn who_stands_in_is_judged_and_named() {
    let judged = judge_pair("x/library", "1.0");
    assert_eq!(judged.measured.expect("numbers").median, 0.25);
    assert_eq!(judged.claim(), "ours ÷ x/library (slow) ≤ 1");
}

#[test]
fn a_wrong_target_is_refused() {
    let good = "crate = 'gate'\nscenarios = ['pair']\nat_most = 1.0\ntext = ''\n";
    assert!(targets::parse(&format!("[[target]]\n{good}")).is_ok());
    for (bad, complaint) in [
        (good.replace("at_most = 1.0", "at_most = '1'"), "`at_most` is a float"),
        (good.replace("at_most", "at_least"), "unknown key `at_least`"),
        (good.replace("['pair']", "'pair'"), "`scenarios` is a list"),
        (good.replace("1.0", "-1.0"), "`at_most` is not negative"),
        (format!("{good}needs = 'perl'\n"), "`needs` is \"go\""),
        (format!("{good}needs = ['go']\n"), "`needs` is \"go\""),
    ] {
        let error = targets::parse(&format!("\n[[target]]\n{bad}")).expect_err("wrong");
        let error = format!("{error:#}");
        assert!(error.starts_with("in line 2: ") && error.contains(complaint), "{error}");
    }
}

#[test]
fn the_targets_of_the_project_are_well_formed() {
    let targets = targets::parse(include_str!("../../targets.toml")).expect("well formed");
    assert!(targets.iter().all(|target| !target.text.is_empty() && !target.krate.is_empty()));
}

#[test]
fn the_terminal_shows_what_was_lost_and_what_was_won() {
    let judged = [judge_pair("barger", "1.0"), judge_pair("slow", "1.0")];
    let shown = table::render(&meta(), &judged, &scenarios());
    let at = |part: &str| shown.find(part).unwrap_or_else(|| panic!("no `{part}` in\n{shown}"));
    assert!(at("TARGETS NOT MET: 1") < at("targets met: 1"));
    assert!(at("barger") < at("floor") && at("floor") < at("lockgate") && at("fair") < at("slow"));
    at("×0.500");
    at("×4.00");
    at("gate elsewhere: not measured, needs a \"<core>\"");
}

#[test]
fn the_page_escapes_what_it_shows() {
    let page = html::render(&meta(), &[judge_pair("barger", "1.0")], &scenarios());
    assert!(page.contains("at &lt;most&gt; so much"));
    assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"));
    assert!(page.contains("<h2 class=\"missed\">Targets not met: 1</h2>"));
    assert!(!page.contains("<script"));
}

#[test]
fn figures_read_well() {
    let read = [
        text::figure(9.87, "ns"),
        text::figure(123.4, "ns"),
        text::figure(27_045.0, "ns"),
        text::figure(5_432.0, "cpu-ns"),
        text::figure(144.0, "bytes"),
        text::figure(0.0, "allocations"),
        text::figure(0.0004, "allocations"),
    ];
    let expected = [
        "9.9 ns",
        "123 ns",
        "27.0 µs",
        "5.4 µs CPU",
        "144 bytes",
        "0 allocations",
        "0.0004 allocations",
    ];
    assert_eq!(read, expected);
    assert_eq!(text::ratio(0.4567), "×0.457");
}

#[test]
fn quantiles() {
    let values: Vec<f64> = (0..=10).rev().map(f64::from).collect();
    assert_eq!(Spread::of(&values), Some(Spread { median: 5.0, p10: 1.0, p90: 9.0 }));
    assert_eq!(Spread::of(&[4.0]), Some(Spread { median: 4.0, p10: 4.0, p90: 4.0 }));
    assert_eq!(Spread::of(&[1.0, 2.0, 4.0, 8.0]).expect("numbers").median, 3.0);
    assert_eq!(Spread::of(&[]), None);
    assert_eq!(Spread::of(&[1.0, f64::NAN]), None);
}

fn meta() -> Meta {
    Meta {
        date: "2000-01-01T00:00:00Z".to_owned(),
        commit: "0123456789".to_owned(),
        cpu: "CPU <1>".to_owned(),
        cores: 2,
        os: "an OS".to_owned(),
        rustc: "rustc 1".to_owned(),
        rounds: "3".to_owned(),
        load_before: "0.1 0.2".to_owned(),
        load_after: "0.3 0.4".to_owned(),
        versions: vec![("rival".to_owned(), "1.2.3".to_owned())],
    }
}
