//! The report for the terminal: what was missed, what was met, then every scenario with bars.

use comfy_table::{CellAlignment, Table, presets};

use super::meta::Meta;
use super::samples::{Figure, Role, Scenario};
use super::targets::{Judged, Verdict};
use super::text;

const BAR: usize = 28;

pub fn render(meta: &Meta, judged: &[Judged], scenarios: &[Scenario]) -> String {
    let mut out = String::new();
    for scenario in in_order(judged, scenarios) {
        out += &render_scenario(scenario);
    }
    // Last, because it is the end that one sees in a terminal.
    out += &format!("{meta}\n");
    for (verdict, title) in [
        (Verdict::Missed, "TARGETS NOT MET"),
        (Verdict::Unknown, "targets not measured"),
        (Verdict::NotRun, "targets not run, for they need --go"),
        (Verdict::Met, "targets met"),
    ] {
        out += &render_targets(title, judged.iter().filter(|it| it.verdict == verdict));
    }
    out
}

/// Those with a target that was missed first, then those with targets, then the others.
pub fn in_order<'s>(judged: &[Judged], scenarios: &'s [Scenario]) -> Vec<&'s Scenario> {
    let mut ordered: Vec<&Scenario> = scenarios.iter().collect();
    ordered.sort_by_key(|scenario| {
        let own = judged
            .iter()
            .filter(|it| it.target.krate == scenario.krate && it.target.scenario == scenario.name);
        own.map(|it| it.verdict as u8).min().unwrap_or(u8::MAX)
    });
    ordered
}

fn render_targets<'j>(title: &str, judged: impl Iterator<Item = &'j Judged>) -> String {
    let mut table = plain_table();
    for it in judged {
        let measured = it.measured.map_or("—".to_owned(), |it| text::three_digits(it.median));
        let range = it.measured.map(text::range).unwrap_or_default();
        let scenario = format!("{} {}", it.target.krate, it.target.scenario);
        table.add_row([scenario, it.claim(), measured, range]);
    }
    if table.is_empty() {
        return String::new();
    }
    align_right(&mut table, &[2]);
    format!("\n{title}: {}\n{}\n", table.row_count(), table.trim_fmt())
}

fn render_scenario(scenario: &Scenario) -> String {
    let title = format!("{} {}", scenario.krate, scenario.name);
    if let Some(reason) = &scenario.skipped {
        return format!("{title}: not measured, {reason}\n\n");
    }
    let most = scenario.figures.iter().filter_map(Figure::value).fold(0.0, f64::max);
    let mut table = plain_table();
    for figure in scenario.sorted() {
        let mark = if figure.role == Role::Ours { "▶" } else { "" };
        let value = figure.value();
        let ratio = scenario.ratio(figure);
        table.add_row([
            mark.to_owned(),
            figure.subject.clone(),
            value.map_or("—".to_owned(), |value| text::figure(value, &scenario.unit)),
            ratio.map(|it| text::ratio(it.median)).unwrap_or_default(),
            ratio.map(text::range).unwrap_or_default(),
            value.map(|value| bar(value, most)).unwrap_or_default(),
            figure.note.clone().unwrap_or_default(),
        ]);
    }
    align_right(&mut table, &[2, 3]);
    format!("{title}\n{}\n\n", table.trim_fmt())
}

/// In eighths of a character: a bar that is there is never invisible.
fn bar(value: f64, most: f64) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if value <= 0.0 {
        return String::new();
    }
    let eighths = ((value / most) * (BAR * 8) as f64).round().max(1.0) as usize;
    format!("{}{}", "█".repeat(eighths / 8), PARTS[eighths % 8])
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

fn align_right(table: &mut Table, columns: &[usize]) {
    for &index in columns {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}
