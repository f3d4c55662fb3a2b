//! The copy of the workspace in which mutants live.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace::Workspace;

pub struct Tree {
    pub root: PathBuf,
    pub target: PathBuf,
}

/// Files as they were before an edit; written back on drop.
pub struct Edited(Vec<(PathBuf, Vec<u8>)>);

impl Tree {
    /// Brings the copy up to date. A file that is right already keeps its time stamp, by which
    /// cargo knows what not to rebuild; a mutant that an interrupted run left behind is not right.
    pub fn copy(workspace: &Workspace, lane: usize) -> Result<Self> {
        let root = workspace.target.join(format!("mutants/tree-{lane}"));
        let target = workspace.target.join(format!("mutants/target-{lane}"));
        let mut wanted = BTreeSet::new();
        for file in workspace.files()? {
            let source = workspace.root.join(&file);
            // A link is followed: the copy of a shared file is edited alone.
            let bytes = match fs::metadata(&source) {
                Ok(metadata) if metadata.is_dir() => continue,
                _ => fs::read(&source).with_context(|| format!("cannot read {file}"))?,
            };
            let copy = root.join(&file);
            if fs::read(&copy).ok().as_deref() != Some(bytes.as_slice()) {
                fs::create_dir_all(copy.parent().context("a file lies in a folder")?)?;
                fs::write(&copy, bytes).with_context(|| format!("cannot copy {file}"))?;
            }
            wanted.insert(copy);
        }
        remove_others(&root, &wanted)?;
        Ok(Self { root, target })
    }

    pub fn edit(&self, changed: &BTreeMap<PathBuf, String>) -> Result<Edited> {
        let mut edited = Edited(Vec::new());
        for (path, text) in changed {
            edited.0.push((path.clone(), fs::read(path)?));
            fs::write(path, text).with_context(|| format!("cannot edit {}", path.display()))?;
        }
        Ok(edited)
    }
}

impl Drop for Edited {
    fn drop(&mut self) {
        for (path, text) in &self.0 {
            // Should that fail, the next run finds the file wrong and copies it again.
            let _ = fs::write(path, text);
        }
    }
}

/// A file that has gone from the sources must go here too: cargo would find it, as a test or an
/// example that nobody has any more.
fn remove_others(dir: &Path, wanted: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, wanted)?;
        } else if !wanted.contains(&path) && path.file_name().is_some_and(|it| it != "Cargo.lock") {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_undone_and_leftovers_go() {
        let root = std::env::temp_dir().join(format!("lockgate-xtask-{}", std::process::id()));
        fs::create_dir_all(root.join("src")).expect("temporary files can be written");
        let (kept, gone) = (root.join("src/kept.rs"), root.join("src/gone.rs"));
        fs::write(&kept, "fn right() {}").expect("temporary files can be written");
        fs::write(&gone, "").expect("temporary files can be written");

        remove_others(&root, &[kept.clone()].into()).expect("leftovers can be removed");
        let tree = Tree { root: root.clone(), target: root.clone() };
        let edited = tree.edit(&[(kept.clone(), "fn wrong() {}".to_owned())].into());
        assert_eq!(fs::read_to_string(&kept).ok().as_deref(), Some("fn wrong() {}"));
        drop(edited);
        assert_eq!(fs::read_to_string(&kept).ok().as_deref(), Some("fn right() {}"));
        assert!(!gone.exists());
        fs::remove_dir_all(root).expect("temporary files can be removed");
    }
}
