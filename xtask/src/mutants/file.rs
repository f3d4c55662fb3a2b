//! One mutant: a TOML file that says which hazard it brings back, how, and who must notice.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use toml::de::{DeTable, DeValue};

use crate::loom::binary::Kind;
use crate::loom::short;

pub struct Mutant {
    pub name: String,
    /// Relative to the workspace's root.
    pub path: String,
    pub hazard: String,
    pub by: Named,
    pub why: String,
    pub edits: Vec<Edit>,
}

/// Who must fail with the mutant in place.
pub enum Named {
    Model(String),
    Test(String),
}

pub struct Edit {
    /// Relative to the crate.
    pub file: String,
    pub find: String,
    pub replace: String,
}

/// The mutants of the crate in `folder`, by name.
pub fn load(root: &Path, folder: &str) -> Result<Vec<Mutant>> {
    let home = format!("xtask/mutants/{folder}");
    let Ok(entries) = fs::read_dir(root.join(&home)) else {
        return Ok(Vec::new());
    };
    let mut mutants = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(stem) = name.strip_suffix(".toml") {
            let path = format!("{home}/{name}");
            let text = fs::read_to_string(root.join(&path)).with_context(|| path.clone())?;
            mutants.push(Mutant::parse(stem, &path, &text).with_context(|| path.clone())?);
        }
    }
    mutants.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(mutants)
}

impl Mutant {
    fn parse(name: &str, path: &str, text: &str) -> Result<Self> {
        let table = DeTable::parse(text).map_err(|error| anyhow!("{error}"))?;
        let table = table.get_ref();
        only(table, &["hazard", "model", "test", "why", "edit"])?;
        let by = match (table.contains_key("model"), table.contains_key("test")) {
            (true, false) => Named::Model(string(table, "model")?),
            (false, true) => Named::Test(string(table, "test")?),
            _ => bail!("either `model` or `test` says who must fail"),
        };
        let edits = table.get("edit").and_then(|edits| edits.get_ref().as_array());
        let edits = edits.context("there is no `[[edit]]`")?.iter();
        Ok(Self {
            name: name.to_owned(),
            path: path.to_owned(),
            hazard: string(table, "hazard")?,
            by,
            why: string(table, "why")?,
            edits: edits.map(|edit| Edit::parse(edit.get_ref())).collect::<Result<_>>()?,
        })
    }

    pub fn is_called(&self, part: &str) -> bool {
        self.name.contains(part) || self.by.path().contains(part)
    }

    /// The files with the edits applied, or why one doesn't apply. `dir` is the crate's.
    pub fn applied(&self, dir: &Path) -> Result<BTreeMap<PathBuf, String>, String> {
        let mut files = BTreeMap::new();
        for edit in &self.edits {
            if Path::new(&edit.file).components().any(|part| !matches!(part, Component::Normal(_)))
            {
                return Err(format!("{} does not lie in the crate", edit.file));
            }
            let path = dir.join(&edit.file);
            let before = match files.remove(&path) {
                Some(text) => text,
                None => {
                    fs::read_to_string(&path).map_err(|error| format!("{}: {error}", edit.file))?
                }
            };
            files.insert(path, edit.apply(&before)?);
        }
        Ok(files)
    }
}

impl Edit {
    fn parse(value: &DeValue<'_>) -> Result<Self> {
        let DeValue::Table(table) = value else { bail!("`edit` is not a table") };
        only(table, &["file", "find", "replace"])?;
        Ok(Self {
            file: string(table, "file")?,
            find: string(table, "find")?,
            replace: string(table, "replace")?,
        })
    }

    fn apply(&self, text: &str) -> Result<String, String> {
        let Self { file, find, replace } = self;
        // A clone on another system may have other line ends than the mutant.
        let text = text.replace("\r\n", "\n");
        let first = find.lines().next().unwrap_or_default().trim();
        match text.matches(find.as_str()).count() {
            _ if find.trim().is_empty() => Err(format!("{file}: the text to find is empty")),
            _ if find == replace => Err(format!("{file}: `{first}` is replaced by itself")),
            1 => Ok(text.replacen(find.as_str(), replace, 1)),
            n => Err(format!("{file}: what starts with `{first}` occurs {n} times, not once")),
        }
    }
}

impl Named {
    pub fn path(&self) -> &str {
        match self {
            Self::Model(path) | Self::Test(path) => path,
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Model(_) => Kind::Loom,
            Self::Test(_) => Kind::Plain,
        }
    }

    /// Whether it means the test with this full path.
    pub fn names(&self, test: &str) -> bool {
        short(self.path()) == short(test)
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(path) => write!(f, "model {}", short(path)),
            Self::Test(path) => write!(f, "test {}", short(path)),
        }
    }
}

fn string(table: &DeTable<'_>, key: &str) -> Result<String> {
    let value = table.get(key).and_then(|value| value.get_ref().as_str());
    value.map(str::to_owned).with_context(|| format!("`{key}` is missing or not a text"))
}

fn only(table: &DeTable<'_>, known: &[&str]) -> Result<()> {
    match table.keys().find(|key| !known.contains(&&**key.get_ref())) {
        Some(key) => bail!("unknown key `{}`; there are: {}", key.get_ref(), known.join(", ")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        hazard = "H3"
        model = "loom_cancel::front"
        why = "the next in line is never woken"
        [[edit]]
        file = "src/lib.rs"
        find = "wake();"
        replace = ""
    "#;

    fn parse(text: &str) -> Result<Mutant> {
        Mutant::parse("lost_wake", "xtask/mutants/semaphore/lost_wake.toml", text)
    }

    #[test]
    fn a_mutant_is_read() {
        let mutant = parse(TEXT).expect("well formed");
        assert_eq!(mutant.hazard, "H3");
        assert_eq!(mutant.by.to_string(), "model loom_cancel::front");
        assert_eq!(mutant.edits[0].apply("a();\r\nwake();\r\n"), Ok("a();\n\n".to_owned()));
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        let problem = |text: &str| match parse(text) {
            Ok(_) => panic!("{text} is accepted"),
            Err(error) => format!("{error:#}"),
        };
        assert!(problem(&TEXT.replace("hazard", "danger")).contains("unknown key `danger`"));
        assert!(problem(&TEXT.replace("replace", "by")).contains("unknown key `by`"));
        assert!(problem(&TEXT.replace("why = ", "#")).contains("`why` is missing"));
        assert!(problem(&TEXT.replace("model = ", "#")).contains("either `model` or `test`"));
        assert!(problem("hazard = \"H1\"\nmodel = \"a\"\nwhy = \"b\"").contains("no `[[edit]]`"));
        assert!(problem("hazard = ").contains("TOML parse error"));
    }

    #[test]
    fn an_edit_applies_to_exactly_one_place() {
        let edit = |find: &str, replace: &str| Edit {
            file: "f".into(),
            find: find.into(),
            replace: replace.into(),
        };
        assert_eq!(edit("b", "x").apply("abc"), Ok("axc".to_owned()));
        assert!(edit("b", "x").apply("abcb").is_err_and(|it| it.contains("occurs 2 times")));
        assert!(edit("z", "x").apply("abc").is_err_and(|it| it.contains("occurs 0 times")));
        assert!(edit("b", "b").apply("abc").is_err_and(|it| it.contains("by itself")));
        assert!(edit("", "b").apply("abc").is_err_and(|it| it.contains("is empty")));
    }

    #[test]
    fn an_edit_stays_in_its_crate() {
        let mutant = parse(&TEXT.replace("src/lib.rs", "../x/src/lib.rs")).expect("well formed");
        let problem = mutant.applied(Path::new("semaphore")).expect_err("outside");
        assert!(problem.contains("does not lie in the crate"), "{problem}");
    }

    #[test]
    fn a_test_is_named_with_or_without_its_root() {
        let named = Named::Model("loom_a::b".into());
        assert!(named.names("tests::loom_a::b"));
        assert!(!named.names("tests::loom_a::bc"));
        assert!(Named::Test("tests::state::c".into()).names("tests::state::c"));
    }
}
