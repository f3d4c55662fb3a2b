//! Rules for one Rust file.

use crate::rust::{Source, Token};

const TAGS: [&str; 5] = ["ORDERING", "INVARIANT", "CANCEL", "LOOM", "SAFETY"];
const ORDERINGS: [&str; 5] = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];

/// Lines of code that one comment can speak for.
const REACH: usize = 8;

const SOURCE_LINES: usize = 500;
const TEST_LINES: usize = 800;

type Found = Vec<(usize, String)>;

pub fn check(file: &str, source: &Source<'_>) -> Found {
    let mut found = tags(source);
    found.extend(safety(source));
    if is_source(file) && !is_white_box(file) {
        found.extend(orderings(source));
    }
    if !file.starts_with("xtask/") && !may_know_of_models(file) {
        found.extend(cfg(source));
    }
    found
}

/// In a crate's `src/`.
fn is_source(file: &str) -> bool {
    file.split('/').nth(1) == Some("src")
}

/// In a crate's `src/tests/`.
fn is_white_box(file: &str) -> bool {
    let mut parts = file.split('/').skip(1);
    parts.next() == Some("src") && matches!(parts.next(), Some("tests" | "tests.rs"))
}

fn may_know_of_models(file: &str) -> bool {
    let own = file.split_once('/').map(|(_, own)| own);
    is_white_box(file) || matches!(own, Some("src/primitives.rs" | "src/lib.rs"))
}

pub fn too_long(file: &str, text: &str) -> Found {
    let is_test = is_white_box(file) || file.split('/').nth(1) == Some("tests");
    let limit = if is_test { TEST_LINES } else { SOURCE_LINES };
    match text.lines().count() {
        lines if lines > limit => {
            vec![(0, format!("{lines} lines; above {limit}, split it by idea"))]
        }
        _ => vec![],
    }
}

fn cfg(source: &Source<'_>) -> Found {
    let named = source.code.iter().filter(|token| token.is("lockgate_loom"));
    let message = "only primitives.rs, lib.rs and src/tests/ know of models";
    named.map(|token| (token.line, message.to_owned())).collect()
}

fn safety(source: &Source<'_>) -> Found {
    let blocks = source.code.iter().filter(|token| token.is("unsafe"));
    let bare = blocks.filter(|token| !source.has_comment(token.line, "SAFETY:", REACH));
    bare.map(|token| (token.line, "`unsafe` without a `// SAFETY:` comment".to_owned())).collect()
}

/// Every ordering is justified, and none is SeqCst but a fence's: loom treats SeqCst accesses as
/// AcqRel, so that a model would find bugs that aren't there, and miss none that are.
fn orderings(source: &Source<'_>) -> Found {
    let mut found = Found::new();
    for at in orderings_used(&source.code) {
        let token = &source.code[at];
        let message = if token.is("SeqCst") && !is_fence(&source.code, at) {
            "a SeqCst access: use a `fence(SeqCst)` or one word, and say why".to_owned()
        } else if !source.has_comment(token.line, "ORDERING:", REACH) {
            format!("{} without an `// ORDERING:` comment that names its partner", token.text)
        } else {
            continue;
        };
        if found.last() != Some(&(token.line, message.clone())) {
            found.push((token.line, message));
        }
    }
    found
}

/// Where an ordering is named: as `Ordering::X` anywhere, as plain `X` where it was imported.
fn orderings_used(code: &[Token<'_>]) -> Vec<usize> {
    let mut imported = Vec::new();
    let mut used = Vec::new();
    // Whether this is in a `use`, and whether that one has named `Ordering` already.
    let (mut in_use, mut of_ordering) = (false, false);
    for (at, token) in code.iter().enumerate() {
        match token.text {
            "use" => (in_use, of_ordering) = (true, false),
            ";" => in_use = false,
            "Ordering" if in_use => of_ordering = true,
            "*" if in_use && of_ordering => imported.extend(ORDERINGS),
            name if ORDERINGS.contains(&name) => {
                if in_use && of_ordering {
                    imported.push(name);
                } else if is_path(code, at) || imported.contains(&name) && is_argument(code, at) {
                    used.push(at);
                }
            }
            _ => {}
        }
    }
    used
}

fn before<'t>(code: &[Token<'t>], at: usize, count: usize) -> &'t str {
    at.checked_sub(count).map_or("", |at| code[at].text)
}

fn is_path(code: &[Token<'_>], at: usize) -> bool {
    before(code, at, 1) == ":" && before(code, at, 2) == ":" && before(code, at, 3) == "Ordering"
}

fn is_argument(code: &[Token<'_>], at: usize) -> bool {
    let after = code.get(at + 1).map_or("", |token| token.text);
    matches!(before(code, at, 1), "(" | ",") && matches!(after, ")" | ",")
}

fn is_fence(code: &[Token<'_>], at: usize) -> bool {
    let path = |token: &Token<'_>| token.is_word || token.is(":");
    let start = code[..at].iter().rposition(|token| !path(token));
    start.is_some_and(|open| code[open].is("(") && before(code, open, 1) == "fence")
}

fn tags(source: &Source<'_>) -> Found {
    let bad = |comment: &Token<'_>| Some((comment.line, misspelt(comment.text.trim_start())?));
    source.comments.iter().filter_map(bad).collect()
}

fn misspelt(comment: &str) -> Option<String> {
    let end = comment.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let (word, rest) = comment.split_at(end.unwrap_or(comment.len()));
    let upper = word.to_ascii_uppercase();
    let shouted = word == upper;
    let colon = rest.trim_start().starts_with(':');
    if let Some(tag) = TAGS.iter().find(|tag| **tag == upper) {
        let right = shouted && rest.starts_with(':');
        let meant = shouted || colon;
        return (meant && !right).then(|| format!("`{word}` is spelt `// {tag}:`"));
    }
    let near = |tag: &&&str| shouted && colon && distance(word, tag) <= 2;
    let tag = TAGS.iter().find(near)?;
    Some(format!("`{word}:` looks like `{tag}:`"))
}

/// Letters to insert, remove or change to get from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.bytes().enumerate() {
            let change = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &str, text: &str) -> Vec<String> {
        let found = check(file, &Source::new(text));
        found.into_iter().map(|(line, message)| format!("{line}: {message}")).collect()
    }

    fn assert_found(file: &str, text: &str, what: &str) {
        let found = found(file, text);
        assert!(found.len() == 1 && found[0].contains(what), "{text}: {found:?}");
    }

    fn assert_clean(file: &str, text: &str) {
        let found = found(file, text);
        assert!(found.is_empty(), "{text}: {found:?}");
    }

    const SOURCE: &str = "semaphore/src/state.rs";

    #[test]
    fn an_ordering_needs_its_reason() {
        assert_found(SOURCE, "fn f() {\n    x.load(Ordering::Relaxed);\n}", "2: Relaxed without");
        assert_found(SOURCE, "use a::Ordering::Acquire;\nx.load(Acquire)", "2: Acquire without");
        assert_found(SOURCE, "use a::Ordering::*;\nx.load(Acquire)", "2: Acquire without");
        assert_found(SOURCE, "x.load(atomic::Ordering::Acquire)", "1: Acquire without");
        assert_clean(SOURCE, "// ORDERING: pairs\nx.load(Ordering::Acquire)");
        assert_clean(SOURCE, "x.load(Ordering::Acquire) // ORDERING: pairs");
    }

    #[test]
    fn one_comment_covers_one_statement_even_a_long_one() {
        let swap =
            "x.compare_exchange(\n    a,\n    b,\n    Ordering::AcqRel,\n    Ordering::Acquire,\n)";
        assert_clean(SOURCE, &format!("// ORDERING: pairs\n{swap}"));
        assert_eq!(found(SOURCE, swap).len(), 2);
        assert_eq!(found(SOURCE, &format!("// ORDERING: pairs\n\n{swap}")).len(), 2);
    }

    #[test]
    fn names_that_are_no_orderings_pass() {
        assert_clean(SOURCE, "use std::cmp::Ordering;\nx.cmp(y) == Ordering::Less");
        assert_clean(SOURCE, "f(Release, Acquire)");
        assert_clean("semaphore/src/tests/state.rs", "x.load(Ordering::Relaxed)");
        assert_clean("semaphore/tests/it/main.rs", "x.load(Ordering::Relaxed)");
    }

    #[test]
    fn only_a_fence_is_sequentially_consistent() {
        let tag = "// ORDERING: total";
        assert_found(SOURCE, &format!("{tag}\nx.load(Ordering::SeqCst)"), "2: a SeqCst access");
        assert_found(SOURCE, &format!("{tag}\nx.swap(fence(1), Ordering::SeqCst)"), "a SeqCst");
        assert_clean(SOURCE, &format!("{tag}\nfence(Ordering::SeqCst)"));
        assert_clean(SOURCE, &format!("{tag}\natomic::fence(atomic::Ordering::SeqCst)"));
        assert_found(SOURCE, "fence(Ordering::SeqCst)", "SeqCst without an `// ORDERING:`");
    }

    #[test]
    fn unsafe_needs_its_reason() {
        assert_found("x/tests/it/main.rs", "unsafe { f() }", "1: `unsafe` without");
        assert_clean("x/tests/it/main.rs", "// SAFETY: f is fine\nunsafe { f() }");
        assert_clean("x/src/lib.rs", "#![forbid(unsafe_code)] // unsafe");
    }

    #[test]
    fn models_are_known_in_three_places() {
        let text = "#[cfg(lockgate_loom)]\nmod x;";
        assert_found(SOURCE, text, "1: only primitives.rs");
        assert_found("semaphore/tests/it/main.rs", text, "only primitives.rs");
        for file in ["primitives.rs", "lib.rs", "tests/mod.rs", "tests.rs", "tests/loom_a.rs"] {
            assert_clean(&format!("semaphore/src/{file}"), text);
        }
    }

    #[test]
    fn tags_are_spelt_right() {
        for bad in ["Ordering: x", "ordering : x", "ORDERING x", "SAFTEY: x", "LOOMS: x", "Loom:"] {
            assert_eq!(found(SOURCE, &format!("// {bad}")).len(), 1, "{bad}");
            assert_eq!(found(SOURCE, &format!("f(); // {bad}")).len(), 1, "{bad}");
        }
        for good in ["CANCEL: x", "Cancel the wait", "TODO: x", "loom sees it", "NOTE: x", "---"] {
            assert_clean(SOURCE, &format!("// {good}"));
        }
        assert_clean(SOURCE, "/// Ordering: by age\nfn f() {}");
    }

    #[test]
    fn long_files_are_found() {
        let lines = |count| "x\n".repeat(count);
        assert!(too_long(SOURCE, &lines(500)).is_empty());
        assert!(!too_long(SOURCE, &lines(501)).is_empty());
        assert!(too_long("semaphore/src/tests/state.rs", &lines(800)).is_empty());
        assert!(!too_long("semaphore/tests/it/laws.rs", &lines(801)).is_empty());
    }
}
