//! `cargo xtask bench`: runs the benches of the crates in alternation with their rivals, judges
//! the targets and writes the report. How it measures is in `benches/README.md`.

mod html;
mod meta;
mod samples;
mod stats;
mod table;
mod targets;
#[cfg(test)]
mod tests;
mod text;

use anyhow::{Context, Result, bail, ensure};
use meta::Meta;
use samples::Scenario;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};
use targets::{Judged, Verdict};

pub(crate) struct Options {
    /// Folder or package names; none means all that have a bench.
    pub(crate) crates: Vec<String>,
    /// Fewer rounds.
    pub(crate) quick: bool,
    /// Keep a copy of the results under their date and commit.
    pub(crate) save: bool,
    /// Only assert the answers.
    pub(crate) smoke: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = xtask.parent().context("xtask lies in the workspace")?;
    let benches = select(discover(&xtask.join("benches"))?, &options.crates)?;
    if options.smoke {
        return benches.iter().try_for_each(|name| bench(root, name, &["--smoke".into()]));
    }

    let metadata = metadata(root)?;
    let target_dir = metadata["target_directory"].as_str().context("cargo has a target folder")?;
    let out = Path::new(target_dir).join("bench");
    fs::create_dir_all(&out)?;
    // Before anything is measured, so that the load is the machine's and not the compiler's.
    build(root, &benches)?;

    let mut meta = Meta::read(root, &metadata)?;
    let mut scenarios = Vec::new();
    for name in &benches {
        let file = out.join(format!("{name}.samples.json"));
        measure(root, name, options.quick, &file)?;
        let text = fs::read_to_string(&file)?;
        meta.rounds = serde_json::from_str::<Value>(&text)?["rounds"].to_string();
        scenarios.extend(samples::parse(name, &text).with_context(|| file.display().to_string())?);
    }
    meta.load_after = meta::load();

    let mut promised = targets::parse(&fs::read_to_string(xtask.join("targets.toml"))?)
        .context("in targets.toml")?;
    promised.retain(|target| benches.contains(&target.krate));
    let judged = targets::judge_all(promised, &scenarios);
    report(&out, &meta, &judged, &scenarios, options.save)
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
    let missed = judged.iter().filter(|it| it.verdict == Verdict::Missed).count();
    println!("{missed} of {} targets NOT MET", judged.len());
    Ok(())
}

/// The crates that have a bench file, by name.
fn discover(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_stem().and_then(|name| name.to_str());
            names.push(name.context("a bench has a name in UTF-8")?.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn select(benches: Vec<String>, wanted: &[String]) -> Result<Vec<String>> {
    if wanted.is_empty() {
        return Ok(benches);
    }
    let find = |name: &String| {
        let short = name.strip_prefix("lockgate-").unwrap_or(name);
        let found = benches.iter().find(|bench| *bench == short).cloned();
        found.with_context(|| format!("no bench is called `{name}`; there are: {benches:?}"))
    };
    wanted.iter().map(find).collect()
}

fn measure(root: &Path, name: &str, quick: bool, out: &Path) -> Result<()> {
    let mut args = vec!["--paired".to_owned()];
    args.extend(quick.then(|| "--quick".to_owned()));
    args.extend(["--out".to_owned(), out.display().to_string()]);
    // Else an old file would be read where a filter or a crash wrote none.
    if out.exists() {
        fs::remove_file(out)?;
    }
    bench(root, name, &args)
}

fn bench(root: &Path, name: &str, args: &[String]) -> Result<()> {
    let mut command = cargo(root);
    command.args(["bench", "--package", "xtask", "--bench", name, "--"]).args(args);
    run_shown(command)
}

fn build(root: &Path, benches: &[String]) -> Result<()> {
    let mut command = cargo(root);
    command.args(["bench", "--no-run", "--package", "xtask"]);
    for name in benches {
        command.args(["--bench", name]);
    }
    run_shown(command)
}

fn cargo(root: &Path) -> Command {
    let program = env::var_os("CARGO").map_or("cargo".into(), PathBuf::from);
    let mut command = Command::new(program);
    command.current_dir(root);
    command
}

fn run_shown(mut command: Command) -> Result<()> {
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    let shown = format!("cargo {}", args.join(" "));
    eprintln!("$ {shown}");
    let status = command.status().context("cannot start cargo")?;
    ensure!(status.success(), "`{shown}` failed: {status}");
    Ok(())
}

/// Not shown: it asks and changes nothing.
fn metadata(root: &Path) -> Result<Value> {
    let output = cargo(root)
        .args(["metadata", "--format-version=1"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("`cargo metadata` failed: {}", output.status);
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
