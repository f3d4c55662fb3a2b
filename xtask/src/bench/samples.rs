//! From the raw samples that a bench writes to figures and ratios.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::stats::Spread;

/// Whom a figure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Ours,
    Floor,
    Rival,
}

/// One subject in one scenario.
#[derive(Clone, Debug)]
pub struct Figure {
    pub subject: String,
    pub role: Role,
    pub fifo: bool,
    /// Per operation, one for each round; NaN where there is none.
    pub samples: Vec<f64>,
    pub note: Option<String>,
    /// Whom it replaced, because that one was not to be had.
    pub stands_in_for: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Scenario {
    pub krate: String,
    pub name: String,
    pub unit: String,
    /// Why it was not measured.
    pub skipped: Option<String>,
    pub figures: Vec<Figure>,
}

impl Figure {
    pub fn value(&self) -> Option<f64> {
        Some(spread(self.samples.iter().copied())?.median)
    }

    /// What costs twice as much as the other is 2.
    pub fn ratio_to(&self, other: &Figure) -> Option<Spread> {
        spread(self.samples.iter().zip(&other.samples).map(|(mine, its)| mine / its))
    }
}

/// Of all that are numbers: 1 ÷ 0 and 0 ÷ 0 are none.
fn spread(values: impl Iterator<Item = f64>) -> Option<Spread> {
    Spread::of(&values.filter(|value| value.is_finite()).collect::<Vec<_>>())
}

impl Scenario {
    pub fn ours(&self) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.role == Role::Ours)
    }

    /// The figure's to ours; ours to itself is nothing worth showing.
    pub fn ratio(&self, figure: &Figure) -> Option<Spread> {
        if figure.role == Role::Ours { None } else { figure.ratio_to(self.ours()?) }
    }

    /// The quickest first; those without a figure last.
    pub fn sorted(&self) -> Vec<&Figure> {
        let mut figures: Vec<&Figure> = self.figures.iter().collect();
        let key = |figure: &Figure| figure.value().unwrap_or(f64::INFINITY);
        figures.sort_by(|a, b| key(a).total_cmp(&key(b)));
        figures
    }

    pub fn to_json(&self) -> impl Iterator<Item = Value> {
        self.figures.iter().map(|figure| {
            let ratio = self.ratio(figure);
            json!({
                "crate": self.krate,
                "scenario": self.name,
                "subject": figure.subject,
                "role": format!("{:?}", figure.role).to_lowercase(),
                "unit": self.unit,
                "value": figure.value(),
                "ratio_to_ours": ratio.map(Spread::to_json),
                "rounds": figure.samples.len(),
                "note": figure.note,
                "stands_in_for": figure.stands_in_for,
            })
        })
    }
}

impl Spread {
    pub fn to_json(self) -> Value {
        json!({ "median": self.median, "p10": self.p10, "p90": self.p90 })
    }
}

/// All scenarios of one crate's bench.
pub fn parse(krate: &str, text: &str) -> Result<Vec<Scenario>> {
    let raw: Value = serde_json::from_str(text)?;
    let scenarios = raw["scenarios"].as_array().context("no `scenarios`")?;
    scenarios.iter().map(|scenario| parse_scenario(krate, scenario)).collect()
}

fn parse_scenario(krate: &str, raw: &Value) -> Result<Scenario> {
    let text = |key: &str| raw[key].as_str().map(str::to_owned);
    let name = text("name").context("a scenario without a name")?;
    let figures = raw["subjects"].as_array().context("no `subjects`")?;
    let figures = figures.iter().map(parse_figure).collect::<Result<_>>();
    Ok(Scenario {
        krate: krate.to_owned(),
        figures: figures.with_context(|| format!("in {name}"))?,
        name,
        unit: text("unit").unwrap_or_default(),
        skipped: text("skipped"),
    })
}

fn parse_figure(raw: &Value) -> Result<Figure> {
    let samples = raw["samples"].as_array().context("no `samples`")?;
    Ok(Figure {
        subject: raw["name"].as_str().context("a subject without a name")?.to_owned(),
        role: match raw["role"].as_str() {
            Some("ours") => Role::Ours,
            Some("floor") => Role::Floor,
            Some("rival") => Role::Rival,
            other => bail!("unknown role {other:?}"),
        },
        fifo: raw["fifo"].as_bool().unwrap_or(false),
        samples: samples.iter().map(|sample| sample.as_f64().unwrap_or(f64::NAN)).collect(),
        note: raw["note"].as_str().map(str::to_owned),
        stands_in_for: raw["stands_in_for"].as_str().map(str::to_owned),
    })
}
