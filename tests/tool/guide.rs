//! The commands of docs/tool.md do what the page shows. `ARWEN_BLESS=1` writes what they print into the page. The requests of
//! docs/server.md are answered.

use crate::client::Server;
use crate::{root, text};
use std::os::unix::fs::symlink;
use std::process::Command;

const PAGE: &str = "docs/tool.md";

/// The page with the output of its commands: those of blocks `console` that begin with `$`.
fn shown(page: &str) -> (String, usize) {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["tests", "docs"] {
        symlink(root().join(name), folder.path().join(name)).expect("a link");
    }
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_arwendebug"));
    let programs = program.parent().expect("a folder").display().to_string();
    let path = std::env::var("PATH").expect("a path");
    let mut shown = String::new();
    let (mut in_block, mut commands) = (false, 0);
    for line in page.lines() {
        if line.starts_with("```") {
            in_block = line == "```console";
        }
        let command = line.strip_prefix("$ ").filter(|_| in_block);
        if command.is_some() || !in_block || line.starts_with("```") {
            shown.push_str(line);
            shown.push('\n');
        }
        if let Some(command) = command {
            commands += 1;
            let mut shell = Command::new("sh");
            let shell = shell.args(["-c", command]).current_dir(&folder);
            let shell = shell
                .env("PATH", format!("{programs}:{path}"))
                .env("ARWEN_MODULE_CACHE", "");
            let output = shell.output().expect("a shell");
            let told = text(&output.stdout);
            assert_eq!(text(&output.stderr), "", "{command}");
            let expected = i32::from(told.contains(": failed: "));
            assert_eq!(output.status.code(), Some(expected), "{command}: {told}");
            shown.push_str(&told);
        }
    }
    (shown, commands)
}

#[test]
fn the_commands_of_the_guide_do_what_it_shows() {
    let page = std::fs::read_to_string(root().join(PAGE)).expect("the page");
    let (shown, commands) = shown(&page);
    assert!(commands > 10, "only {commands} commands");
    if std::env::var_os("ARWEN_BLESS").is_some() {
        std::fs::write(root().join(PAGE), &shown).expect("written");
    }
    let difference = page
        .lines()
        .zip(shown.lines())
        .find(|(page, shown)| page != shown);
    assert!(
        page == shown,
        "{PAGE} shows something else than its commands: {difference:?}"
    );
}

#[test]
fn the_requests_of_the_server_page_are_answered() {
    let page = std::fs::read_to_string(root().join("docs/server.md")).expect("the page");
    let folder = tempfile::tempdir().expect("a folder");
    symlink(root().join("tests"), folder.path().join("tests")).expect("a link");
    let server = Server::start(folder.path(), &[]);
    let requests = page.lines().filter_map(|line| {
        let (body, address) = line.strip_prefix("curl -d '")?.split_once("' ")?;
        Some((body, address.strip_prefix("http://localhost:9091")?))
    });
    let mut results = Vec::new();
    for (body, path) in requests {
        let body = serde_json::from_str(body).expect("JSON");
        let (_, result) = server.runs(path, &body);
        results.push(result["returnData"][0].clone());
    }
    // An account, a deploy, a call and a query.
    assert_eq!(results.len(), 4);
    assert_eq!(results[2..], ["0x02", "0x02"]);
}
