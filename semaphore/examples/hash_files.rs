//! Threads: hashes every file of a folder, several at a time, with a bound on the bytes that
//! are in memory. The weight of a request is the size of the file.
//!
//! `cargo run --example hash_files [FOLDER [BUDGET_IN_BYTES]]`
#![allow(clippy::print_stdout, reason = "what a program prints")]

use lockgate_semaphore::Semaphore;
use std::error::Error;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/src").into());
    let budget = args.next().map_or(Ok(64 * 1024), |bytes| bytes.parse())?;

    let files = files_below(Path::new(&folder))?;
    let memory = Semaphore::builder(budget).build()?;
    let (in_memory, peak) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let hashes = Mutex::new(Vec::new());
    let queue = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, NonZero::get) * 4;

    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((path, size)) = files.get(queue.fetch_add(1, Ordering::Relaxed)) {
                    // A file above the budget goes alone rather than never.
                    let wait =
                        if *size > budget { memory.acquire_all() } else { memory.acquire(*size) };
                    let Ok(_permit) = wait.wait() else { return };
                    let now = in_memory.fetch_add(*size, Ordering::Relaxed) + size;
                    peak.fetch_max(now, Ordering::Relaxed);
                    if let Ok(hash) = hash_file(path) {
                        hashes.lock().unwrap().push((path.clone(), hash));
                    }
                    in_memory.fetch_sub(*size, Ordering::Relaxed);
                }
            });
        }
    });

    let mut hashes = hashes.into_inner()?;
    hashes.sort();
    for (path, hash) in &hashes {
        println!("{hash:016x}  {}", path.display());
    }
    let largest = files.iter().map(|(_, size)| *size).max().unwrap_or(0);
    let (bytes, peak) = (files.iter().map(|(_, size)| size).sum::<usize>(), peak.into_inner());
    println!("{} files, {bytes} bytes, at most {peak} at a time", hashes.len());
    assert!(peak <= budget.max(largest), "the budget of {budget} bytes was not kept");
    assert_eq!(memory.available(), budget, "every permit is back");
    Ok(())
}

fn files_below(folder: &Path) -> Result<Vec<(PathBuf, usize)>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        if meta.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else if meta.is_file() {
            files.push((entry.path(), usize::try_from(meta.len())?));
        }
    }
    Ok(files)
}

fn hash_file(path: &Path) -> std::io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    fs::read(path)?.hash(&mut hasher);
    Ok(hasher.finish())
}
