//! The chain from a hazard in DESIGN.md to the model that hunts it and the mutant that proves the
//! model can fail.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::loom::short;
use crate::mutants::Mutant;
use crate::rust::Source;
use crate::workspace::Crate;

/// One row of a hazard table: a row whose first cell is `H<number>`.
pub struct Hazard {
    id: String,
    line: usize,
    /// Models and tests that the row names.
    names: Vec<String>,
    /// The reason behind `no mutant:`.
    excuse: Option<String>,
}

/// What a row says instead, where no mutant makes sense.
const EXCUSE: &str = "no mutant:";

type Found = Vec<(usize, String)>;

pub fn table(design: &str) -> Vec<Hazard> {
    design.lines().enumerate().filter_map(|(at, line)| hazard(at + 1, line)).collect()
}

fn hazard(line: usize, row: &str) -> Option<Hazard> {
    let cells = row.trim().strip_prefix('|')?;
    let id = cells.split('|').next()?.trim().trim_matches(['*', '`']);
    let number = id.strip_prefix('H')?;
    (!number.is_empty() && number.chars().all(|c| c.is_ascii_digit())).then_some(())?;
    let quoted = row.split('`').skip(1).step_by(2);
    let excuse = row.split_once(EXCUSE).map(|(_, rest)| rest);
    let excuse = excuse.map(|rest| rest.split('|').next().unwrap_or_default().trim().to_owned());
    Some(Hazard {
        id: id.to_owned(),
        line,
        names: quoted.filter(|text| names_a_test(text)).map(str::to_owned).collect(),
        excuse,
    })
}

fn names_a_test(text: &str) -> bool {
    let word = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let mut parts = text.split("::");
    let path = parts.clone().all(|part| word(part) && !part.is_empty()) && text.contains("::");
    path && (text.starts_with("tests::") || parts.any(|part| part.starts_with("loom_")))
}

/// The white-box tests of a crate: the functions that each module under `src/tests/` declares.
pub struct Tests {
    texts: BTreeMap<String, String>,
}

impl Tests {
    pub fn read(root: &Path, krate: &Crate, files: &[String]) -> Result<Self> {
        let home = format!("{}/src/tests", krate.folder);
        let mut texts = BTreeMap::new();
        for file in files {
            let own = file.strip_prefix(&home).and_then(|own| own.strip_suffix(".rs"));
            let Some(own) = own.filter(|own| own.is_empty() || own.starts_with('/')) else {
                continue;
            };
            let text = fs::read_to_string(root.join(file)).with_context(|| file.clone())?;
            texts.insert(module(own), text);
        }
        Ok(Self { texts })
    }

    /// Whether the test at this path, with or without `tests::`, is declared.
    fn has(&self, path: &str) -> bool {
        let (module, name) = short(path).rsplit_once("::").unwrap_or(("", short(path)));
        // A module may lie inside a file that is named after one above it.
        let holds = |file: &str| {
            let inner = module.strip_prefix(file);
            inner.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        let mut files = self.texts.iter().filter(|(file, _)| holds(file));
        files.any(|(_, text)| Source::new(text).declares_fn(name))
    }
}

/// `/loom_cancel` and `/loom_cancel/mod` are `loom_cancel`.
fn module(own: &str) -> String {
    let own = own.trim_start_matches('/');
    let own = own.strip_suffix("/mod").unwrap_or(own);
    if own == "mod" { String::new() } else { own.replace('/', "::") }
}

pub fn check_table(hazards: &[Hazard], tests: &Tests, mutants: &[Mutant]) -> Found {
    let mut found = Found::new();
    for hazard in hazards {
        for name in hazard.names.iter().filter(|name| !tests.has(name)) {
            found.push((hazard.line, format!("{}: there is no `{name}`", hazard.id)));
        }
        let has_mutant = mutants.iter().any(|mutant| mutant.hazard == hazard.id);
        let problem = match &hazard.excuse {
            Some(reason) if reason.is_empty() => "`no mutant:` gives no reason",
            Some(_) if has_mutant => "says `no mutant:`, and there is one",
            None if !has_mutant => "has no mutant; add one, or `no mutant:` with the reason",
            _ => continue,
        };
        found.push((hazard.line, format!("{} {problem}", hazard.id)));
    }
    found
}

pub fn check_mutant(mutant: &Mutant, hazards: &[Hazard], tests: &Tests) -> Found {
    let mut found = Found::new();
    if !hazards.iter().any(|hazard| hazard.id == mutant.hazard) {
        found.push((0, format!("hazard {} is not in DESIGN.md", mutant.hazard)));
    }
    if !tests.has(mutant.by.path()) {
        found.push((0, format!("there is no {}", mutant.by)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::Named;

    const ROW: &str = "| H3 | a lost wake-up | `loom_cancel::front`, `Waiters::pop` |";

    fn tests() -> Tests {
        let text = "#[test]\nfn front() {}\nmod deep { #[test] fn inner() {} }".to_owned();
        Tests { texts: [("loom_cancel".to_owned(), text)].into() }
    }

    fn mutant(hazard: &str, model: &str) -> Mutant {
        Mutant {
            name: "lost".into(),
            path: "xtask/mutants/semaphore/lost.toml".into(),
            hazard: hazard.into(),
            by: Named::Model(model.into()),
            why: "why".into(),
            edits: vec![],
        }
    }

    fn found(row: &str, mutants: &[Mutant]) -> Vec<String> {
        let found = check_table(&table(row), &tests(), mutants);
        found.into_iter().map(|(_, message)| message).collect()
    }

    #[test]
    fn only_rows_of_hazards_count() {
        let text = format!("# H1\n| hazard | x |\n|---|---|\n{ROW}\n| **H4** | x |\n| Hx | y |");
        let ids: Vec<_> = table(&text).into_iter().map(|it| (it.id, it.line)).collect();
        assert_eq!(ids, [("H3".to_owned(), 4), ("H4".to_owned(), 5)]);
        assert_eq!(table(ROW)[0].names, ["loom_cancel::front"]);
    }

    #[test]
    fn a_hazard_names_a_model_that_exists() {
        let mutants = [mutant("H3", "loom_cancel::front")];
        assert!(found(ROW, &mutants).is_empty());
        let gone = found(&ROW.replace("front", "back"), &mutants);
        assert_eq!(gone, ["H3: there is no `loom_cancel::back`"]);
    }

    #[test]
    fn a_hazard_has_a_mutant_or_a_reason() {
        assert_eq!(found(ROW, &[]).len(), 1);
        assert!(found(ROW, &[])[0].contains("has no mutant"));
        let excused = ROW.replace("a lost", "no mutant: the type system has it. a lost");
        assert!(found(&excused, &[]).is_empty());
        let contrary = found(&excused, &[mutant("H3", "loom_cancel::front")]);
        assert!(contrary[0].contains("and there is one"));
        assert!(found("| H3 | no mutant: |", &[])[0].contains("no reason"));
    }

    #[test]
    fn a_mutant_names_a_hazard_and_a_model_that_exist() {
        let hazards = table(ROW);
        let check = |hazard, model| check_mutant(&mutant(hazard, model), &hazards, &tests());
        assert!(check("H3", "loom_cancel::front").is_empty());
        assert!(check("H3", "tests::loom_cancel::deep::inner").is_empty());
        assert!(check("H9", "loom_cancel::front")[0].1.contains("not in DESIGN.md"));
        assert!(check("H3", "loom_cancel::gone")[0].1.contains("no model loom_cancel::gone"));
        assert!(check("H3", "loom_other::front")[0].1.contains("there is no model"));
    }

    #[test]
    fn files_are_modules() {
        assert_eq!(module("/loom_cancel"), "loom_cancel");
        assert_eq!(module("/loom_cancel/mod"), "loom_cancel");
        assert_eq!(module("/a/b"), "a::b");
        assert_eq!(module("/mod"), "");
        assert_eq!(module(""), "");
    }
}
