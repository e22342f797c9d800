//! The page of `arwendebug server`, used in a real browser.

use super::client::Server;
use super::replay::browser;
use super::{root, succeeds};
use base64_simd::STANDARD;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A browser that is driven by its debugging protocol: messages of JSON on two pipes, each with a zero byte behind it.
struct Browser {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    session: Value,
    sent: u64,
}

impl Browser {
    fn start(program: &str, folder: &Path) -> Browser {
        // It reads descriptor 3 and writes descriptor 4.
        let script = "exec \"$@\" 3<&0 4>&1 >/dev/null 2>&1 </dev/null";
        let profile = format!("--user-data-dir={}/profile", folder.display());
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", script, "sh", program, &profile]).args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--remote-debugging-pipe",
            "about:blank",
        ]);
        let shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = shell.spawn().expect("a shell");
        let mut browser = Browser {
            input: child.stdin.take().expect("a pipe"),
            output: BufReader::new(child.stdout.take().expect("a pipe")),
            child,
            session: Value::Null,
            sent: 0,
        };
        let made = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": made["targetId"], "flatten": true});
        browser.session = browser.call("Target.attachToTarget", &attach)["sessionId"].clone();
        browser
    }

    #[track_caller]
    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.sent += 1;
        let mut message = json!({"id": self.sent, "method": method, "params": parameters});
        if !self.session.is_null() {
            message["sessionId"] = self.session.clone();
        }
        self.input
            .write_all(format!("{message}\0").as_bytes())
            .expect("it runs");
        loop {
            let mut answer = Vec::new();
            self.output.read_until(0, &mut answer).expect("it runs");
            assert_eq!(answer.pop(), Some(0), "the browser has ended");
            let answer: Value = serde_json::from_slice(&answer).expect("JSON");
            if answer["id"] == self.sent {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// The value of a script.
    #[track_caller]
    fn run(&mut self, script: &str) -> Value {
        let parameters = json!({"expression": script, "awaitPromise": true, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", &parameters);
        assert!(answer["exceptionDetails"].is_null(), "{script}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until a script is true; a promise of the page, which does not poll.
    #[track_caller]
    fn waits(&mut self, condition: &str) {
        let script = format!(
            "new Promise((done, failed) => {{ const end = Date.now() + 30000; const look = () => {{ let is = false; try {{ is = {condition}; }} catch {{}} \
             if (is) done(true); else if (Date.now() > end) failed(new Error(document.body.innerText)); else setTimeout(look, 20); }}; look(); }})"
        );
        self.run(&script);
    }

    /// Fills the fields of a form and presses its button of this name.
    #[track_caller]
    fn submits(&mut self, form: &str, fields: &[(&str, &str)], button: &str) {
        let fields = Value::from_iter(fields.iter().map(|(name, value)| (*name, *value)));
        self.run(&format!(
            "for (const [name, value] of Object.entries({fields})) {{ document.getElementById({form:?})[name].value = value; }} \
             [...document.getElementById({form:?}).querySelectorAll('button')].find(button => button.textContent === {button:?}).click()"
        ));
    }

    /// A picture of the page, if ARWEN_SCREENSHOTS names a folder for it.
    fn screenshot(&mut self, name: &str, width: u32, dark: bool) {
        let Some(folder) = std::env::var_os("ARWEN_SCREENSHOTS") else {
            return;
        };
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", &json!({"features": features}));
        let size =
            json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 700});
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let picture = self.call(
            "Page.captureScreenshot",
            &json!({"captureBeyondViewport": true}),
        );
        let picture = picture["data"].as_str().expect("base64");
        let picture = STANDARD.decode_to_vec(picture).expect("base64");
        fs::write(Path::new(&folder).join(name), picture).expect("writable");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Deploys a contract from a file, and looks at what the page offers then.
fn deploys_the_counter(browser: &mut Browser) {
    // A file, as if it were chosen.
    let counter = fs::read_to_string(root().join("tests/contracts/counter.wat")).expect("there");
    let counter = json!(counter);
    browser.run(&format!(
        "const files = new DataTransfer(); files.items.add(new File([{counter}], 'counter.wat')); document.getElementById('deploy').code.files = files.files"
    ));
    browser.submits("deploy", &[("sender", "alice")], "Deploy");
    browser.waits("document.getElementById('result').textContent.includes('deploy: ok')");
    browser.waits("document.getElementById('account-contract0') !== null");
    assert_eq!(
        browser.run("document.getElementById('call').contract.value"),
        "contract0"
    );
    let functions = browser
        .run("[...document.getElementById('functions').children].map(option => option.value)");
    assert_eq!(functions, json!(["init", "increment", "decrement", "get"]));
}

/// What fails is told.
fn fails(browser: &mut Browser) {
    browser.submits(
        "call",
        &[("function", "nothing"), ("sender", "alice")],
        "Call",
    );
    browser.waits(
        "document.getElementById('result').textContent.includes('function not found (code 1)')",
    );
    browser.submits("call", &[("function", "get"), ("sender", "bob")], "Call");
    browser
        .waits("document.getElementById('result').textContent.includes('there is no account bob')");
    browser.submits("account", &[("address", "alice")], "Create");
    browser.waits("document.getElementById('result').textContent.includes('exists already')");
}

/// A query that is traced.
fn traces(browser: &mut Browser) {
    browser.run("document.getElementById('call').trace.checked = true");
    browser.submits("call", &[("function", "get"), ("sender", "")], "Query");
    browser.waits("document.querySelector('#result .steps') !== null");
    let steps = browser.run("document.querySelector('#result .steps').textContent");
    let steps = steps.as_str().expect("a text");
    assert!(steps.contains("contract0.get() \u{2192} ok"), "{steps}");
    assert!(
        steps.contains("int64storageLoad(key: 0x434f554e544552"),
        "{steps}"
    );
    let gas = browser.run("document.querySelector('#result .numbers').textContent");
    assert!(
        gas.as_str().expect("a text").contains("int64storageLoad"),
        "{gas}"
    );
    // The policy of the page lets the picture be shown.
    browser
        .run("for (const view of document.querySelectorAll('#result details')) view.open = true");
    browser.waits("document.querySelector('#result img').naturalWidth > 0");
}

/// Those of docs/server.md.
fn pictures(browser: &mut Browser) {
    browser.run("for (const view of document.querySelectorAll('.account')) view.open = true");
    browser.waits("document.getElementById('account-contract0').open");
    browser.screenshot("server-1280.png", 1280, false);
    browser.screenshot("server-390.png", 390, true);
}

#[test]
fn contracts_are_deployed_and_called_in_a_browser() {
    let page = fs::read_to_string(root().join("src/server/page.html")).expect("the page");
    for external in ["http:", "https:", " src=", "@import", "url(", "innerHTML"] {
        assert!(!page.contains(external), "{external}");
    }
    let Some(program) = browser() else {
        println!("no browser: ARWEN_BROWSER names one");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let server = Server::start(folder, &[]);
    let mut browser = Browser::start(&program, folder);
    let address = format!("http://{}/", server.address);
    browser.call("Page.navigate", &json!({"url": address}));
    browser.waits("document.getElementById('list').textContent.includes('there is no world')");
    browser.submits(
        "account",
        &[("address", "alice"), ("balance", "12345678901234567890")],
        "Create",
    );
    browser.waits("document.getElementById('result').textContent.includes('alice: created')");
    browser.waits("document.getElementById('account-alice').textContent.includes('balance 12345678901234567890')");
    deploys_the_counter(&mut browser);
    browser.submits(
        "call",
        &[("function", "increment"), ("sender", "alice")],
        "Call",
    );
    browser.waits("document.getElementById('result').textContent.includes('increment: ok')");
    browser.submits("call", &[("function", "get"), ("sender", "")], "Query");
    browser.waits("document.getElementById('result').textContent.includes('get (query): ok')");
    assert_eq!(
        browser.run("document.querySelector('#result td').textContent"),
        "0x02 2"
    );
    browser.waits("document.getElementById('account-contract0').textContent.includes('\u{201c}COUNTER\u{201d}')");
    fails(&mut browser);
    browser.submits(
        "call",
        &[("function", "increment"), ("sender", "alice")],
        "Call",
    );
    browser.waits("document.getElementById('result').textContent.includes('increment: ok')");
    browser.waits("document.getElementById('account-contract0').textContent.includes('0x03')");
    traces(&mut browser);
    pictures(&mut browser);
    // The world is that of the commands.
    let shown = succeeds(folder, &["account", "show", "contract0"]);
    assert!(shown.contains("0x03 3"), "{shown}");
}
