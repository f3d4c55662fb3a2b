//! What was promised (`targets.toml`), and whether a run kept it.

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::samples::{Figure, Role, Scenario};
use super::stats::Spread;

/// One promise about one scenario and one rival.
#[derive(Clone, Debug)]
pub struct Target {
    pub krate: String,
    pub scenario: String,
    /// `None`: our own figure counts, not a ratio.
    pub rival: Option<String>,
    pub at_most: f64,
    pub text: String,
    /// Whether the rival is in Go, which runs only when it is asked for.
    pub needs_go: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Missed,
    /// The scenario did not run, or ours or the rival has no figure.
    Unknown,
    Met,
    /// The rival was not asked for, or its language is not here.
    NotRun,
}

/// A target and what came of it.
#[derive(Clone, Debug)]
pub struct Judged {
    pub target: Target,
    /// Whom `best` turned out to be.
    pub against: Option<String>,
    /// Ours ÷ the rival's, or ours alone.
    pub measured: Option<Spread>,
    pub verdict: Verdict,
}

pub fn parse(text: &str) -> Result<Vec<Target>> {
    let table = DeTable::parse(text).map_err(|error| anyhow!("{error}"))?;
    let entries = table.get_ref().get("target").and_then(|it| it.get_ref().as_array());
    let mut targets = Vec::new();
    for entry in entries.context("no [[target]]")? {
        let line = 1 + text[..entry.span().start].matches('\n').count();
        let entry = entry.get_ref().as_table().context("[[target]] is a table")?;
        expand(entry, &mut targets).with_context(|| format!("in line {line}"))?;
    }
    Ok(targets)
}

fn expand(entry: &DeTable<'_>, targets: &mut Vec<Target>) -> Result<()> {
    const KEYS: [&str; 6] = ["crate", "scenarios", "rivals", "at_most", "needs", "text"];
    if let Some(unknown) = entry.keys().find(|key| !KEYS.contains(&key.get_ref().as_ref())) {
        bail!("unknown key `{}`", unknown.get_ref());
    }
    let value = |key: &str| entry.get(key).map(Spanned::get_ref);
    let text = |key: &str| {
        let text = value(key).and_then(DeValue::as_str).map(str::to_owned);
        text.with_context(|| format!("`{key}` is a text"))
    };
    let list = |key: &str| -> Result<Vec<String>> {
        let values = value(key).and_then(DeValue::as_array);
        let values = values.with_context(|| format!("`{key}` is a list"))?;
        let texts = values.iter().map(|it| it.get_ref().as_str().map(str::to_owned));
        texts.collect::<Option<_>>().with_context(|| format!("`{key}` is a list of texts"))
    };
    let at_most = value("at_most").and_then(DeValue::as_float).context("`at_most` is a float")?;
    let at_most: f64 = at_most.as_str().parse()?;
    ensure!(at_most >= 0.0, "`at_most` is not negative");
    let needs_go = match value("needs").map(DeValue::as_str) {
        None => false,
        Some(Some("go")) => true,
        Some(_) => bail!("`needs` is \"go\""),
    };
    let rivals: Vec<Option<String>> = match value("rivals") {
        Some(_) => list("rivals")?.into_iter().map(Some).collect(),
        None => vec![None],
    };
    for scenario in list("scenarios")? {
        for rival in &rivals {
            targets.push(Target {
                krate: text("crate")?,
                scenario: scenario.clone(),
                rival: rival.clone(),
                at_most,
                text: text("text")?,
                needs_go,
            });
        }
    }
    Ok(())
}

/// What was missed first, then what is unknown, then what was met. Some depend on whether the crate's
/// rivals in Go have run.
pub fn judge_all(
    targets: Vec<Target>,
    scenarios: &[Scenario],
    go_ran: &dyn Fn(&str) -> bool,
) -> Vec<Judged> {
    let judge = |target: Target| {
        if target.needs_go && !go_ran(&target.krate) {
            return Judged { against: None, measured: None, verdict: Verdict::NotRun, target };
        }
        judge(target, scenarios)
    };
    let mut judged: Vec<Judged> = targets.into_iter().map(judge).collect();
    judged.sort_by_key(|judged| judged.verdict as u8);
    judged
}

fn judge(target: Target, scenarios: &[Scenario]) -> Judged {
    let scenario = scenarios
        .iter()
        .find(|scenario| scenario.krate == target.krate && scenario.name == target.scenario);
    let measured = scenario.and_then(|scenario| compare(&target, scenario));
    let (against, measured) = measured.unzip();
    let verdict = match measured {
        None => Verdict::Unknown,
        Some(Spread { median, .. }) if median <= target.at_most => Verdict::Met,
        Some(_) => Verdict::Missed,
    };
    Judged { against: against.flatten(), measured, verdict, target }
}

fn compare(target: &Target, scenario: &Scenario) -> Option<(Option<String>, Spread)> {
    let ours = scenario.ours()?;
    let Some(rival) = &target.rival else {
        return Some((None, Spread::of(&ours.samples)?));
    };
    let is_meant = |figure: &&Figure| match rival.as_str() {
        "best" => figure.role == Role::Rival,
        "best-fifo" => figure.role == Role::Rival && figure.fifo,
        name => {
            let named = [Some(&figure.subject), figure.stands_in_for.as_ref()];
            figure.role != Role::Ours && named.into_iter().flatten().any(|it| it == name)
        }
    };
    let ratios = scenario.figures.iter().filter(is_meant).filter_map(|figure| {
        let ratio = ours.ratio_to(figure)?;
        Some((Some(figure.subject.clone()), ratio))
    });
    // The best rival is the one beside whom we look worst.
    ratios.max_by(|(_, a), (_, b)| a.median.total_cmp(&b.median))
}

impl Judged {
    /// `ours ÷ tokio ≤ 0.65`.
    pub fn claim(&self) -> String {
        let limit = self.target.at_most;
        match (&self.target.rival, &self.against) {
            (None, _) => format!("ours ≤ {limit}"),
            (Some(rival), Some(against)) if rival != against => {
                format!("ours ÷ {rival} ({against}) ≤ {limit}")
            }
            (Some(rival), _) => format!("ours ÷ {rival} ≤ {limit}"),
        }
    }

    pub fn to_json(&self) -> Value {
        let Target { krate, scenario, rival, at_most, text, needs_go } = &self.target;
        json!({
            "crate": krate,
            "scenario": scenario,
            "rival": rival,
            "at_most": at_most,
            "text": text,
            "against": self.against,
            "measured": self.measured.map(Spread::to_json),
            "needs": needs_go.then_some("go"),
            "met": match self.verdict {
                Verdict::Met => Some(true),
                Verdict::Missed => Some(false),
                Verdict::Unknown | Verdict::NotRun => None,
            },
        })
    }
}
