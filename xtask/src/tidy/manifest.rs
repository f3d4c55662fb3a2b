//! Rules for a crate's Cargo.toml.

use anyhow::{Result, anyhow};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::workspace::Crate;

type Found = Vec<(usize, String)>;

pub fn check(text: &str) -> Result<Found> {
    let table = DeTable::parse(text).map_err(|error| anyhow!("{error}"))?;
    let table = table.get_ref();
    let mut found = Found::new();
    for key in ["edition", "rust-version", "license"] {
        if !is_true(at(table, &["package", key, "workspace"])) {
            found.push((0, format!("`{key}` is not inherited: write `{key}.workspace = true`")));
        }
    }
    if !is_true(at(table, &["lints", "workspace"])) {
        found.push((0, "lints are not inherited: write `[lints]`, `workspace = true`".to_owned()));
    }
    found.extend(features(text, at(table, &["features"]).and_then(DeValue::as_table)));
    Ok(found)
}

fn features(text: &str, features: Option<&DeTable<'_>>) -> Found {
    let Some(features) = features else {
        return vec![(0, "there are no features; all have `sync` and `async`".to_owned())];
    };
    let mut found = Found::new();
    for name in ["sync", "async"] {
        if !features.contains_key(name) {
            found.push((0, format!("there is no feature `{name}`")));
        }
    }
    let default = features.get("default").and_then(|value| value.get_ref().as_array());
    let default = default.into_iter().flat_map(|names| names.iter());
    let mut default: Vec<&str> = default.filter_map(|name| name.get_ref().as_str()).collect();
    default.sort_unstable();
    if default != ["async", "sync"] {
        found.push((0, "`default` is [\"sync\", \"async\"] in every crate".to_owned()));
    }
    for name in features.keys().filter(|name| &**name.get_ref() != "default") {
        let line = text[..name.span().start].matches('\n').count() + 1;
        let above = line.checked_sub(2).and_then(|at| text.lines().nth(at)).unwrap_or_default();
        let name = name.get_ref();
        if !above.trim_start().starts_with('#') {
            found.push((line, format!("feature `{name}` has no comment above it")));
        }
        if name.contains("loom") {
            found.push((line, format!("feature `{name}`: models are a cfg, never a feature")));
        }
    }
    found
}

/// What only cargo can tell for certain: a dependency may be renamed, or sit in a target's table.
pub fn standing(krate: &Crate, family: &[&str]) -> Found {
    let relatives = krate.dependencies.iter().filter(|name| family.contains(&name.as_str()));
    let message = |name| format!("depends on {name}; crates of the family stand alone");
    let mut found: Found = relatives.map(|name| (0, message(name))).collect();
    if !krate.published {
        found.push((0, "`publish = false`: every crate of the family is published".to_owned()));
    }
    found
}

fn at<'a, 'i>(table: &'a DeTable<'i>, path: &[&str]) -> Option<&'a DeValue<'i>> {
    let (last, path) = path.split_last()?;
    let mut table = table;
    for key in path {
        table = table.get(*key)?.get_ref().as_table()?;
    }
    table.get(*last).map(Spanned::get_ref)
}

fn is_true(value: Option<&DeValue<'_>>) -> bool {
    value.and_then(DeValue::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Features;

    const GOOD: &str = r#"
[package]
edition.workspace = true
rust-version.workspace = true
license.workspace = true

[features]
default = ["sync", "async"]
# Blocking waits.
sync = []
# Futures.
async = []

[lints]
workspace = true
"#;

    fn assert_found(text: &str, line: usize, what: &str) {
        let found = check(text).expect("well formed");
        let [(at, message)] = found.as_slice() else { panic!("{found:?}") };
        assert!(*at == line && message.contains(what), "{found:?}");
    }

    #[test]
    fn a_good_manifest_passes() {
        assert_eq!(check(GOOD).expect("well formed"), []);
    }

    #[test]
    fn what_all_share_is_inherited() {
        for key in ["edition", "rust-version", "license"] {
            let text = GOOD.replace(&format!("{key}.workspace = true"), &format!("{key} = \"1\""));
            assert_found(&text, 0, &format!("`{key}` is not inherited"));
        }
        assert_found(&GOOD.replace("[lints]", "[hints]"), 0, "lints are not inherited");
    }

    #[test]
    fn features_are_the_same_everywhere() {
        assert_found(&GOOD.replace("\nsync = []", ""), 0, "no feature `sync`");
        assert_found(&GOOD.replace("\nasync = []", ""), 0, "no feature `async`");
        assert_found(&GOOD.replace("[\"sync\", \"async\"]", "[\"sync\"]"), 0, "`default` is");
        assert_found(&GOOD.replace("[features]", "[futures]"), 0, "there are no features");
    }

    #[test]
    fn each_feature_says_what_it_is() {
        assert_found(&GOOD.replace("# Futures.\n", ""), 11, "`async` has no comment");
        let text = GOOD.replace("async = []\n", "async = []\n# Models.\nuse_loom = []\n");
        assert_found(&text, 14, "`use_loom`: models are a cfg");
    }

    #[test]
    fn crates_stand_alone_and_are_published() {
        let mut krate = Crate {
            name: "lockgate-pipeline".into(),
            version: "0.1.0".into(),
            folder: "pipeline".into(),
            dir: "pipeline".into(),
            features: Features::new(),
            examples: 0,
            dependencies: vec!["tokio".into()],
            published: true,
        };
        let family = ["lockgate-pipeline", "lockgate-semaphore"];
        assert_eq!(standing(&krate, &family), []);
        krate.dependencies.push("lockgate-semaphore".into());
        assert!(standing(&krate, &family)[0].1.contains("depends on lockgate-semaphore"));
        krate.dependencies.clear();
        krate.published = false;
        assert!(standing(&krate, &family)[0].1.contains("publish = false"));
    }
}
