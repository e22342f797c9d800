//! The folder with what campaigns have found so far: a corpus for each target, outside of the tree.

use crate::output_of;
use anyhow::{Context, Result, ensure};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder in the user's cache folder.
const NAME: &str = "arwen-fuzz";

/// A folder with a corpus for each target, as `FOLDER/TARGET`. ClusterFuzzLite lays its storage out in the same way.
pub struct Corpora(PathBuf);

impl Corpora {
    /// Those in a folder, by default in the user's cache folder. Fails if the folder is where the seeds are, which the
    /// fuzzer only reads.
    pub fn new(folder: Option<PathBuf>, project: &Path) -> Result<Corpora> {
        let folder = match folder {
            Some(folder) => folder,
            None => default_folder(|name| env::var_os(name).map(PathBuf::from))
                .context("neither XDG_CACHE_HOME nor HOME is set: say --corpus FOLDER")?,
        };
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let folder = folder.canonicalize()?;
        let of_fuzz = project.join("fuzz").canonicalize()?;
        ensure!(
            !folder.starts_with(&of_fuzz),
            "{} belongs to the project, which campaigns only read: say another --corpus FOLDER",
            folder.display()
        );
        Ok(Corpora(folder))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The corpus of a target. It is made if it is not there.
    pub fn of(&self, target: &str) -> Result<PathBuf> {
        let folder = self.0.join(target);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(folder)
    }
}

/// As the XDG specification says: a relative path counts as none.
fn default_folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let given = variable("XDG_CACHE_HOME").filter(|folder| folder.is_absolute());
    let cache = given.or_else(|| {
        let home = variable("HOME").filter(|folder| folder.is_absolute());
        home.map(|home| home.join(".cache"))
    });
    cache.map(|cache| cache.join(NAME))
}

/// Keeps only those files of a corpus that reach, with the seeds, something of their own.
pub fn minimise(program: &Path, options: &[String], corpus: &Path, seeds: &Path) -> Result<()> {
    let chosen = tempfile::tempdir()?;
    let mut merge = Command::new(program);
    merge.args(options).arg("-set_cover_merge=1");
    output_of(merge.args([chosen.path(), corpus, seeds]))?;
    let names = |folder: &Path| fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>();
    let kept = names(chosen.path())?;
    ensure!(!kept.is_empty(), "nothing was left of the corpus");
    // Copied before the old ones go, so that whatever ends this leaves too much rather than too little.
    for entry in &kept {
        fs::copy(entry.path(), corpus.join(entry.file_name()))?;
    }
    for entry in names(corpus)? {
        if !chosen.path().join(entry.file_name()).exists() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_default_is_in_the_users_cache_folder() {
        let folder = |cache: Option<&str>, home: Option<&str>| {
            default_folder(|name| {
                let value = match name {
                    "XDG_CACHE_HOME" => cache,
                    "HOME" => home,
                    _ => None,
                };
                value.map(PathBuf::from)
            })
        };
        let cache = Some(PathBuf::from("/cache/arwen-fuzz"));
        assert_eq!(folder(Some("/cache"), Some("/home/u")), cache);
        let home = Some(PathBuf::from("/home/u/.cache/arwen-fuzz"));
        for none in [None, Some(""), Some("cache")] {
            assert_eq!(folder(none, Some("/home/u")), home);
        }
        assert_eq!(folder(None, None), None);
    }

    #[test]
    fn it_is_never_a_folder_of_the_seeds() {
        let project = tempfile::tempdir().expect("a folder");
        let seeds = project.path().join("fuzz/corpus");
        fs::create_dir_all(&seeds).expect("possible");
        let error = Corpora::new(Some(seeds), project.path()).err();
        assert!(error.expect("refused").to_string().contains("--corpus"));

        let outside = tempfile::tempdir().expect("a folder");
        let folder = outside.path().join("new");
        let corpora = Corpora::new(Some(folder), project.path()).expect("allowed");
        let corpus = corpora.of("frame_decoder").expect("possible");
        assert!(corpus.ends_with("new/frame_decoder") && corpus.is_dir());
    }

    #[test]
    fn what_the_fuzzer_chooses_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let [corpus, seeds] = ["corpus", "seeds"].map(|name| folder.path().join(name));
        for (folder, files) in [(&corpus, &["a", "b"][..]), (&seeds, &["c"])] {
            fs::create_dir(folder).expect("possible");
            for file in files {
                fs::write(folder.join(file), file).expect("possible");
            }
        }
        // Chooses `a` and `c`: arguments are -set_cover_merge=1, the folder for them, the corpus and the seeds.
        let fuzzer = folder.path().join("fuzzer");
        fs::write(&fuzzer, "#!/bin/sh\ncp \"$3/a\" \"$4/c\" \"$2\"\n").expect("possible");
        fs::set_permissions(&fuzzer, fs::Permissions::from_mode(0o755)).expect("possible");
        minimise(&fuzzer, &[], &corpus, &seeds).expect("it works");
        let names = |folder: &Path| {
            let entries = fs::read_dir(folder).expect("a folder");
            let mut names: Vec<_> = entries
                .map(|entry| entry.expect("readable").file_name())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(&corpus), ["a", "c"]);
        assert_eq!(names(&seeds), ["c"]);

        fs::write(&fuzzer, "#!/bin/sh\n").expect("possible");
        let error = minimise(&fuzzer, &[], &corpus, &seeds).expect_err("nothing is chosen");
        assert_eq!(error.to_string(), "nothing was left of the corpus");
        assert_eq!(names(&corpus), ["a", "c"]);
    }
}
