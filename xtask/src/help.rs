//! `cargo xtask --help` is an overview and `cargo xtask loom --help` is about `loom`.
//!
//! xflags 0.3 writes one text for the whole tree, in which each command's part starts with
//! `xtask <command>` at the margin. The parts are cut out here.

/// The help for `command`, or the overview when that names no command.
pub fn page(text: &str, command: Option<&str>) -> String {
    match command.and_then(|name| part(text, name)) {
        Some(part) => format!("cargo {part}\n"),
        None => overview(text),
    }
}

fn parts(text: &str) -> Vec<&str> {
    let starts: Vec<usize> = text
        .match_indices("xtask ")
        .map(|(at, _)| at)
        .filter(|&at| at == 0 || text.as_bytes()[at - 1] == b'\n')
        .collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(&start, end)| text[start..end].trim_end()).collect()
}

fn name(part: &str) -> &str {
    part.lines().next().unwrap_or_default().trim_start_matches("xtask ")
}

fn part<'t>(text: &'t str, command: &str) -> Option<&'t str> {
    parts(text).into_iter().find(|part| name(part) == command)
}

fn overview(text: &str) -> String {
    let about = text.lines().nth(1).unwrap_or_default().trim();
    let mut page = format!("{about}\n\nUsage: cargo xtask <command> [--help]\n\nCommands:\n");
    for part in parts(text) {
        let about: Vec<&str> =
            part.lines().skip(1).map(str::trim).take_while(|line| !line.is_empty()).collect();
        page += &format!("  {:<8} {}\n", name(part), about.join("\n           "));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Xtask;

    fn text() -> String {
        Xtask::from_vec(vec!["--help".into()]).expect_err("help is an error").to_string()
    }

    #[test]
    fn each_command_has_a_page_of_its_own() {
        for command in ["test", "loom", "bench", "tidy", "ci", "publish"] {
            let page = page(&text(), Some(command));
            assert!(page.starts_with(&format!("cargo xtask {command}\n")), "{page}");
            assert_eq!(page.matches("cargo xtask").count(), 1, "{page}");
        }
    }

    #[test]
    fn the_overview_names_every_command_but_no_option() {
        let page = page(&text(), Some("--help"));
        for command in ["test", "loom", "bench", "tidy", "ci", "publish"] {
            assert!(page.contains(&format!("\n  {command} ")), "{page}");
        }
        assert!(!page.contains("--deep"), "{page}");
    }
}
