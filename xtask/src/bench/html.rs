//! The report as one page that needs nothing else: no scripts, no fonts, both colour schemes.

use std::fmt::Write as _;

use html_escape::{encode_double_quoted_attribute, encode_text};

use super::meta::Meta;
use super::samples::{Figure, Role, Scenario};
use super::table::in_order;
use super::targets::{Judged, Verdict};
use super::text;

const STYLE: &str = include_str!("page.css");

pub fn render(meta: &Meta, judged: &[Judged], scenarios: &[Scenario]) -> String {
    let mut body = String::new();
    for (verdict, class, title) in [
        (Verdict::Missed, "missed", "Targets not met"),
        (Verdict::Unknown, "unknown", "Targets not measured"),
        (Verdict::Met, "met", "Targets met"),
        (Verdict::NotRun, "unknown", "Targets not run, for they need --go"),
    ] {
        let some: Vec<&Judged> = judged.iter().filter(|it| it.verdict == verdict).collect();
        if !some.is_empty() {
            body += &targets(class, title, &some);
        }
    }
    body += "<h2>Every scenario</h2>\n<p class=\"note\">Medians. × is the subject ÷ ours within a \
             round; the range holds four fifths of the rounds.</p>\n";
    for one in in_order(judged, scenarios) {
        body += &scenario(one);
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Lockgate: benchmarks</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>Lockgate: benchmarks</h1>\n<pre>{}</pre>\n{body}</body>\n</html>\n",
        encode_text(&meta.to_string()),
    )
}

fn targets(class: &str, title: &str, judged: &[&Judged]) -> String {
    let mut out = format!(
        "<h2 class=\"{class}\">{title}: {}</h2>\n<table>\n<tr><th>crate and scenario<th>claim\
         <th class=\"n\">measured<th>range<th>promise\n",
        judged.len()
    );
    for it in judged {
        let measured = it.measured.map_or("—".to_owned(), |it| text::three_digits(it.median));
        row(
            &mut out,
            "",
            &[
                ("", &format!("{} {}", it.target.krate, it.target.scenario)),
                ("", &it.claim()),
                ("n", &measured),
                ("", &it.measured.map(text::range).unwrap_or_default()),
                ("promise", &it.target.text),
            ],
        );
    }
    out + "</table>\n"
}

fn scenario(scenario: &Scenario) -> String {
    let mut out =
        format!("<h3>{}</h3>\n", encode_text(&format!("{} {}", scenario.krate, scenario.name)));
    if let Some(reason) = &scenario.skipped {
        let _ = writeln!(out, "<p class=\"note\">not measured, {}</p>", encode_text(reason));
        return out;
    }
    let most = scenario.figures.iter().filter_map(Figure::value).fold(0.0, f64::max);
    out += "<table class=\"scenario\">\n";
    for figure in scenario.sorted() {
        let class = match figure.role {
            Role::Ours => "ours",
            Role::Floor => "floor",
            Role::Rival => "",
        };
        let value = figure.value();
        let ratio = scenario.ratio(figure);
        let shown = value.map_or("—".to_owned(), |value| text::figure(value, &scenario.unit));
        row(
            &mut out,
            class,
            &[
                ("", &figure.subject),
                ("n", &shown),
                ("n", &ratio.map(|it| text::ratio(it.median)).unwrap_or_default()),
                ("", &ratio.map(text::range).unwrap_or_default()),
            ],
        );
        let bar = value.filter(|value| *value > 0.0).map(|value| {
            let width = value / most * 100.0;
            format!("<i style=\"width:{width:.2}%\"></i>")
        });
        let note = encode_text(figure.note.as_deref().unwrap_or_default());
        let _ = writeln!(out, "<td class=\"bar\">{}{note}", bar.unwrap_or_default());
    }
    out + "</table>\n"
}

fn row(out: &mut String, class: &str, cells: &[(&str, &str)]) {
    let _ = write!(out, "<tr class=\"{}\">", encode_double_quoted_attribute(class));
    for (class, text) in cells {
        let class = encode_double_quoted_attribute(class);
        let _ = write!(out, "<td class=\"{class}\">{}", encode_text(text));
    }
    out.push('\n');
}
