//! `cargo xtask bench`: runs the benches of the crates in alternation with their rivals, judges
//! the targets and writes the report. How it measures is in `benches/README.md`.

mod go;
mod html;
mod meta;
mod samples;
mod stats;
mod table;
mod targets;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use self::go::Program;
use self::meta::Meta;
use self::samples::Scenario;
use self::targets::{Judged, Verdict};
use crate::cmd::Cmd;
use crate::flags::Bench;
use crate::workspace::Workspace;

pub fn run(flags: &Bench) -> Result<()> {
    let workspace = Workspace::load()?;
    let xtask = workspace.root.join("xtask");
    let benches = select(&workspace, &xtask.join("benches"), &flags.crates)?;
    let out = workspace.target.join("bench");
    let programs =
        if flags.go { go::build(&workspace, &out, &benches)? } else { BTreeMap::default() };
    if flags.smoke {
        let smoke =
            |name: &String| bench(&workspace, name, programs.get(name)).arg("--smoke").run();
        return benches.iter().try_for_each(smoke);
    }

    fs::create_dir_all(&out)?;
    // Before anything is measured, so that the load is the machine's and not the compiler's.
    build(&workspace, &benches).run()?;
    let mut meta = Meta::read(&workspace)?;
    let mut scenarios = Vec::new();
    for name in &benches {
        let cmd = bench(&workspace, name, programs.get(name));
        let text = measure(cmd, flags.quick, &out.join(format!("{name}.samples.json")))?;
        meta.rounds = serde_json::from_str::<Value>(&text)?["rounds"].to_string();
        scenarios.extend(samples::parse(name, &text).with_context(|| format!("of {name}"))?);
    }
    meta.load_after = meta::load();
    meta.versions.extend(programs.values().flat_map(|program| program.versions.clone()));
    meta.versions.sort();
    meta.versions.dedup();

    let promised = fs::read_to_string(xtask.join("targets.toml"))?;
    let mut promised = targets::parse(&promised).context("in targets.toml")?;
    promised.retain(|target| benches.contains(&target.krate));
    let judged = targets::judge_all(promised, &scenarios, &|krate| programs.contains_key(krate));
    report(&out, &meta, &judged, &scenarios, flags.save)
}

fn report(
    out: &Path,
    meta: &Meta,
    judged: &[Judged],
    scenarios: &[Scenario],
    save: bool,
) -> Result<()> {
    println!("{}", table::render(meta, judged, scenarios));
    let results = json!({
        "meta": meta.to_json(),
        "targets": judged.iter().map(Judged::to_json).collect::<Vec<_>>(),
        "results": scenarios.iter().flat_map(Scenario::to_json).collect::<Vec<_>>(),
    });
    let mut files = vec![
        (out.join("results.json"), format!("{results:#}\n")),
        (out.join("index.html"), html::render(meta, judged, scenarios)),
    ];
    if save {
        let day = meta.date.split('T').next().unwrap_or_default();
        let name = format!("{day}-{}.json", meta.commit);
        files.push((out.join("saved").join(name), format!("{results:#}\n")));
        fs::create_dir_all(out.join("saved"))?;
    }
    for (path, text) in files {
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        println!("wrote {}", path.display());
    }
    let count = |verdict| judged.iter().filter(|it| it.verdict == verdict).count();
    let (missed, not_run) = (count(Verdict::Missed), count(Verdict::NotRun));
    println!("{missed} of {} targets NOT MET", judged.len() - not_run);
    if not_run > 0 {
        println!("{not_run} more not run: they need Go (--go)");
    }
    Ok(())
}

/// The folders of the crates that have a bench; whoever names one that has none is told so.
fn select(workspace: &Workspace, benches: &Path, names: &[String]) -> Result<Vec<String>> {
    let mut selected = Vec::new();
    for krate in workspace.select(names)? {
        if benches.join(&krate.folder).with_extension("rs").is_file() {
            selected.push(krate.folder.clone());
        } else if !names.is_empty() {
            bail!("{} has no bench", krate.folder);
        }
    }
    Ok(selected)
}

/// The raw samples, as the bench has written them.
fn measure(bench: Cmd, quick: bool, out: &Path) -> Result<String> {
    // Else an old file could be taken for this run's.
    if out.exists() {
        fs::remove_file(out)?;
    }
    let quick = quick.then_some("--quick");
    bench.arg("--paired").args(quick).arg("--out").arg(out).run()?;
    fs::read_to_string(out).with_context(|| out.display().to_string())
}

fn bench(workspace: &Workspace, name: &str, program: Option<&Program>) -> Cmd {
    let cmd = workspace.cargo().args(["bench", "--package", "xtask", "--bench", name, "--"]);
    match program {
        Some(program) => go::run_with(cmd, program),
        None => cmd,
    }
}

fn build(workspace: &Workspace, benches: &[String]) -> Cmd {
    let benches = benches.iter().flat_map(|name| ["--bench", name]);
    workspace.cargo().args(["bench", "--no-run", "--package", "xtask"]).args(benches)
}
