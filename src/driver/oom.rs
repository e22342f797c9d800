//! Whether the kernel has killed for lack of memory, as far as it can be told: by the count of the node's control group, which
//! a child is in, too.

use std::fs;
use std::path::PathBuf;

/// The count at some moment.
#[derive(Debug)]
pub(super) struct OomKills {
    /// The file with the count; `None` where there is none.
    file: Option<PathBuf>,
    before: u64,
}

impl OomKills {
    /// The count of now.
    pub(super) fn now() -> OomKills {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        OomKills::of_first(files(&groups))
    }

    /// The count in the first file that has one.
    fn of_first(files: Vec<PathBuf>) -> OomKills {
        let mut counts = files.into_iter();
        let found = counts.find_map(|file| Some((count(&file)?, file)));
        match found {
            Some((before, file)) => OomKills {
                file: Some(file),
                before,
            },
            None => OomKills {
                file: None,
                before: 0,
            },
        }
    }

    /// Whether the kernel has killed since.
    pub(super) fn have_grown(&self) -> bool {
        let now = self.file.as_ref().and_then(count);
        now.is_some_and(|now| now > self.before)
    }
}

/// The files with a count, by the content of /proc/self/cgroup, those of version 2 first. In a container the path may be that
/// outside of it, while its own group is at the root.
fn files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (_, Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let (folder, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.events"),
            list if list.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.oom_control")
            }
            _ => continue,
        };
        files.push(format!("{folder}{path}/{file}").into());
        files.push(format!("{folder}/{file}").into());
    }
    files
}

/// The number after `oom_kill`.
fn count(file: &PathBuf) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_found_in_either_version() {
        let of = |groups: &str| -> Vec<String> {
            let files = files(groups).into_iter();
            files.map(|file| file.display().to_string()).collect()
        };
        assert_eq!(
            of("0::/system.slice/node.service\n"),
            [
                "/sys/fs/cgroup/system.slice/node.service/memory.events",
                "/sys/fs/cgroup/memory.events"
            ]
        );
        assert_eq!(
            of("5:cpu,cpuacct:/a\n4:hugetlb,memory:/a:b\nnonsense\n"),
            [
                "/sys/fs/cgroup/memory/a:b/memory.oom_control",
                "/sys/fs/cgroup/memory/memory.oom_control"
            ]
        );
        assert_eq!(of(""), [""; 0]);
    }

    #[test]
    fn a_count_that_grows_is_seen_and_none_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("memory.events");
        let missing = folder.path().join("missing");
        let write = |kills| {
            let text = format!("low 0\noom 9\noom_kill {kills}\noom_group_kill 0\n");
            fs::write(&file, text).expect("a file of ours");
        };
        write(3);
        let kills = OomKills::of_first(vec![missing.clone(), file.clone()]);
        assert!(!kills.have_grown());
        write(4);
        assert!(kills.have_grown());
        assert!(!OomKills::of_first(vec![missing]).have_grown());
    }
}
