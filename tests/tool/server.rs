//! `arwendebug server`: its routes, what it refuses, and how it ends.

use super::client::{Reply, Server};
use super::world::{counter, world_file};
use super::{is_refused, refuses, root, text, tool};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::time::{Duration, Instant};

/// A contract whose functions never end. The name of one of them is not one that contracts may have.
fn loops() -> String {
    let loops = fs::read_to_string(root().join("tests/contracts/loops.wat")).expect("there");
    loops.replace("(export \"call\")", "(export \"calls\")")
}

fn increment() -> Value {
    json!({"ImpersonatedHex": "alice", "ContractAddressHex": "contract0", "Function": "increment"})
}

#[test]
fn the_routes_of_the_reference_work() {
    const ALICE: &str = "aa000000000000000000000000000000000000000000000000000000000000aa";
    let folder = counter();
    let folder = folder.path();
    let server = Server::start(folder, &["--world", "w"]);
    let account = json!({"AddressHex": ALICE, "Balance": "100000", "Nonce": 0});
    let (made, result) = server.runs("/account", &account);
    assert_eq!(made["Account"]["AddressHex"], ALICE);
    assert_eq!(result["balance"], 100_000);
    let contract = "636f6e74726163743000000000000000000000000000000000000000000000aa";
    let deploy = json!({"ImpersonatedHex": ALICE, "CodePath": "counter.wat", "Outcome": "o"});
    let (deployed, _) = server.runs("/deploy", &deploy);
    assert_eq!(deployed["ContractAddressHex"], contract);
    let outcome = fs::read(folder.join("db/out/o.json")).expect("an outcome");
    assert_eq!(
        serde_json::from_slice::<Value>(&outcome).expect("JSON"),
        deployed
    );
    let call = |function: &str| json!({"ImpersonatedHex": ALICE, "ContractAddressHex": contract, "Function": function});
    let (called, result) = server.runs("/run", &call("increment"));
    assert_eq!(called["Output"]["ReturnData"][0], "Ag==");
    assert_eq!(
        (&result["ok"], &result["returnData"][0]),
        (&true.into(), &"0x02".into())
    );
    let (queried, _) = server.runs("/query", &call("get"));
    assert_eq!(queried["Output"]["ReturnData"][0], "Ag==");
    let adder = fs::read_to_string(root().join("tests/contracts/adder.wat")).expect("there");
    let upgrade = json!({"ImpersonatedHex": ALICE, "ContractAddressHex": contract, "CodeText": adder, "ArgumentsHex": ["64"]});
    server.runs("/upgrade", &upgrade);
    let add = json!({"ImpersonatedHex": ALICE, "ContractAddressHex": contract, "Function": "add", "Values": ["10"]});
    server.runs("/run", &add);
    let sum = json!({"ContractAddressHex": contract, "Function": "getSum"});
    assert_eq!(server.runs("/query", &sum).1["returnData"][0], "0x6e");
    // A contract that fails is a result.
    let (failed, result) = server.runs("/run", &call("missing"));
    assert_eq!(
        (&failed["Output"]["ReturnCode"], &result["ok"]),
        (&1.into(), &false.into())
    );
}

#[test]
fn runs_can_be_traced() {
    let folder = counter();
    let server = Server::start(folder.path(), &[]);
    let mut body = increment();
    body["Trace"] = true.into();
    let (_, traced) = server.runs("/run", &body);
    let call = &traced["trace"]["steps"][0];
    assert_eq!(
        (&call["step"], &call["function"]),
        (&"call".into(), &"increment".into())
    );
    assert_eq!(traced["gasReport"]["total"], traced["gasUsed"]);
    let answer = server.post("/query", &body).json();
    let picture = answer["flameGraph"].as_str().expect("a picture");
    assert!(
        picture.contains("<svg") && picture.contains("int64storageStore"),
        "{picture}"
    );
    // It is a run like the others, and the next one is not traced any more.
    let (_, result) = server.runs("/run", &increment());
    assert_eq!(
        (&result["returnData"][0], &result["trace"]),
        (&"0x03".into(), &json!(null))
    );
    // A child that traces can be ended, too.
    body["GasLimit"] = u64::MAX.into();
    server.runs("/run", &body);
}

#[test]
fn worlds_and_accounts_are_shown() {
    let folder = counter();
    let server = Server::start(folder.path(), &["--world", "w"]);
    server.runs("/account", &json!({"AddressHex": "bob"}));
    let names = server.get("/worlds").json();
    assert_eq!(names, json!(["default", "w"]));
    let accounts = server.get("/worlds/default/accounts").json();
    assert_eq!(
        accounts[1]["functions"],
        json!(["init", "increment", "decrement", "get"])
    );
    let shown = server.get("/worlds/default/accounts/contract0").json();
    assert_eq!(shown["storage"]["0x434f554e544552"], "0x01");
}

/// Members of a call that would succeed without them, and what is said of each.
const BAD_MEMBERS: &[(&str, &str, u16, &str)] = &[
    (
        "Functon",
        r#""x""#,
        400,
        "unknown field `Functon`, expected one of",
    ),
    ("Function", r#""""#, 400, "Function is missing"),
    (
        "GasLimit",
        r#""much""#,
        400,
        "invalid type: string \"much\", expected u64",
    ),
    (
        "ImpersonatedHex",
        r#""""#,
        400,
        "ImpersonatedHex is missing",
    ),
    (
        "ImpersonatedHex",
        r#""a b""#,
        400,
        "\"a b\" is not an address",
    ),
    (
        "ImpersonatedHex",
        r#""bob""#,
        404,
        "there is no account bob",
    ),
    (
        "ContractAddressHex",
        r#""alice""#,
        404,
        "the account alice has no code",
    ),
    (
        "ArgumentsHex",
        r#"["123"]"#,
        400,
        "ArgumentsHex: \"123\" is not in pairs",
    ),
    ("Values", r#"["file:counter.wat"]"#, 400, "names a file"),
    (
        "Value",
        r#""-1""#,
        400,
        "Value: \"-1\" is not a number in decimal digits",
    ),
    (
        "GasPrice",
        "1",
        400,
        "alice has 1000 and can't pay 100000000",
    ),
    (
        "World",
        r#""../x""#,
        400,
        "\"../x\" can't be the name of a world",
    ),
    (
        "DatabasePath",
        r#""/tmp""#,
        400,
        "this server has the database \"./db\"",
    ),
    (
        "Outcome",
        r#""../o""#,
        400,
        "Outcome is \"../o\": a name is needed",
    ),
];

/// Code that is not deployed, and what is said of it.
const BAD_CODE: &[(&str, &str, &str)] = &[
    (
        "CodeHex",
        "",
        "there is no code: CodeHex, CodeText or CodePath has it",
    ),
    (
        "CodePath",
        "nothing.wasm",
        "can't read nothing.wasm: No such file",
    ),
    ("CodeText", "hello", "CodeText is neither wasm nor its text"),
    ("CodeHex", "0", "CodeHex: \"0\" is not in pairs"),
];

#[test]
fn bad_requests_are_refused_and_change_nothing() {
    let folder = counter();
    let folder = folder.path();
    let server = Server::start(folder, &["--body-limit", "1000"]);
    let before = world_file(folder);
    for (member, value, status, expected) in BAD_MEMBERS {
        let mut body = increment();
        body[*member] = serde_json::from_str(value).expect("JSON");
        server.post("/run", &body).is(*status, expected);
    }
    for (member, value, expected) in BAD_CODE {
        let body = json!({"ImpersonatedHex": "alice", *member: value});
        server.post("/deploy", &body).is(400, expected);
    }
    let metadata = json!({"ImpersonatedHex": "alice", "CodeHex": "00", "CodeMetadata": "x"});
    server
        .post("/deploy", &metadata)
        .is(400, "CodeMetadata: \"x\" is not in pairs");
    let query = json!({"ContractAddressHex": "contract0", "Function": "get", "World": "none"});
    server
        .post("/query", &query)
        .is(404, "there is no world \"none\"");
    let cut = server.request("POST", "/run", "", "{");
    cut.is(400, "the body is not the JSON of this route");
    let long = server.request("POST", "/run", "", &"x".repeat(1001));
    long.is(413, "the body has 1001 bytes, and 1000 are allowed");
    server.get("/run").is(405, "/run has another method");
    server
        .get("/nothing")
        .is(404, "there is nothing at /nothing");
    assert_eq!(world_file(folder), before);
}

#[test]
fn what_is_not_http_is_refused() {
    let folder = counter();
    let server = Server::start(folder.path(), &["--client-time", "1"]);
    let head = format!("POST /run HTTP/1.1\r\nHost: {}\r\n", server.address);
    for (request, status, expected) in [
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            411,
            "Content-Length",
        ),
        // Clients that stop in the middle.
        (
            head.clone(),
            408,
            "the head of the request did not come in time",
        ),
        (
            format!("{head}Content-Length: 100\r\n\r\n{{"),
            408,
            "the body of the request did not come in time",
        ),
    ] {
        server.raw(request.as_bytes()).is(status, expected);
    }
    // hyper answers these itself, with the status alone.
    for (request, status) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        (
            format!("{head}Content-Length: 1\r\nContent-Length: 2\r\n\r\n{{}}"),
            400,
        ),
        (format!("{head}Content-Length: +1\r\n\r\n{{}}"), 400),
        (format!("{head}Long: {}\r\n\r\n", "x".repeat(20_000)), 431),
    ] {
        let reply = server.raw(request.as_bytes());
        assert_eq!((reply.status, reply.body.as_str()), (status, ""));
    }
}

#[test]
fn a_client_that_ends_its_side_gets_its_response() {
    let folder = counter();
    let server = Server::start(folder.path(), &[]);
    let mut stream = server.connect();
    let host = &server.address;
    let request = format!("GET /worlds HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    stream.shutdown(Shutdown::Write).expect("open");
    assert_eq!(Reply::read(&mut stream).status, 200);
}

#[test]
fn a_client_that_takes_no_responses_is_disconnected() {
    let folder = counter();
    let server = Server::start(folder.path(), &["--client-time", "1"]);
    let mut stream = server.connect();
    let wait = Some(Duration::from_secs(30));
    stream.set_write_timeout(wait).expect("a timeout");
    let page = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let start = Instant::now();
    // Once the buffers of the system are full, nothing is read any more.
    let error = loop {
        if let Err(error) = stream.write_all(page.as_bytes()) {
            break error;
        }
    };
    let ended = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    assert!(ended.contains(&error.kind()), "{error}");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn several_requests_have_one_connection() {
    let folder = counter();
    let server = Server::start(folder.path(), &[]);
    let head = format!("POST /run HTTP/1.1\r\nHost: {}\r\n", server.address);
    // The second one with what curl asks before it sends a long body.
    let get = format!("GET /worlds HTTP/1.1\r\nHost: {}\r\n", server.address);
    let body = increment().to_string();
    let post = format!(
        "{head}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let reply = server.raw(format!("{get}\r\n{post}{get}Connection: close\r\n\r\n").as_bytes());
    let statuses: Vec<_> = reply
        .body
        .lines()
        .filter(|line| line.contains("HTTP/1.1 "))
        .collect();
    assert_eq!((reply.status, statuses.len()), (200, 3), "{reply:?}");
    let head = server.request("HEAD", "/worlds", "", "");
    assert!(
        head.body.is_empty() && head.head.contains("content-length: 11"),
        "{head:?}"
    );
}

#[test]
fn pages_of_other_sites_are_refused() {
    let folder = counter();
    let server = Server::start(folder.path(), &[]);
    let body = increment().to_string();
    let evil = "Origin: http://evil.example\r\n";
    server
        .request("POST", "/run", evil, &body)
        .is(403, "pages of other sites can't use this server");
    let rebound = "GET /worlds HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    server
        .raw(rebound.as_bytes())
        .is(403, "the header Host is \"evil.example\"");
    server
        .raw(b"GET / HTTP/1.0\r\n\r\n")
        .is(403, "the header Host is \"\"");
    let own = format!("Origin: http://{}\r\n", server.address);
    let reply = server.request("POST", "/run", &own, &body);
    assert_eq!(reply.status, 200, "{reply:?}");
    for part in ["x-content-type-options: nosniff", "cache-control: no-store"] {
        assert!(reply.head.contains(part), "{reply:?}");
    }
}

#[test]
fn an_address_in_use_is_refused() {
    let folder = counter();
    let server = Server::start(folder.path(), &[]);
    refuses(
        folder.path(),
        &["server", "--address", &server.address],
        "--address names another one, port 0 any that is free",
    );
    let output = tool(folder.path(), &["server", "--address", "nowhere"]).output();
    let error = text(&output.expect("it runs").stderr);
    assert!(
        error.contains("an IP address and a port are needed"),
        "{error}"
    );
}

#[test]
fn a_server_without_a_program_for_children_does_not_start() {
    let folder = counter();
    // The tool alone: there is no `arwen` beside it.
    let alone = folder.path().join("arwendebug");
    fs::copy(env!("CARGO_BIN_EXE_arwendebug"), &alone).expect("copied");
    let mut command = std::process::Command::new(alone);
    let command = command.args(["server", "--address", "127.0.0.1:0"]);
    let command = command.current_dir(folder.path()).env_remove("ARWEN_PATH");
    is_refused(&command.output().expect("it runs"), "can't run contracts: ");
}

#[test]
fn a_contract_that_takes_too_long_is_ended() {
    let folder = counter();
    let folder = folder.path();
    let server = Server::start(folder, &["--time-limit", "1"]);
    let deploy = json!({"ImpersonatedHex": "alice", "CodeText": loops()});
    let (deployed, _) = server.runs("/deploy", &deploy);
    let contract = &deployed["ContractAddressHex"];
    let endless = json!({"ImpersonatedHex": "alice", "ContractAddressHex": contract, "Function": "empty",
        "GasLimit": u64::MAX / 2});
    let before = world_file(folder);
    let start = Instant::now();
    server.post("/run", &endless).is(
        504,
        "nothing was changed: the VM failed: critical error: arwen time expired",
    );
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(world_file(folder), before);
    server.runs("/run", &increment());
}

#[test]
fn many_requests_at_a_time_lose_no_change() {
    const CLIENTS: usize = 200;
    let folder = counter();
    let folder = folder.path();
    let server = Server::start(folder, &[]);
    let run = || server.runs("/run", &increment()).1;
    let results: Vec<Value> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(run)).collect();
        clients
            .into_iter()
            .map(|client| client.join().expect("a result"))
            .collect()
    });
    // Each has seen a number of its own.
    let numbers: BTreeSet<u64> = results
        .iter()
        .map(|result| {
            let number = result["returnData"][0].as_str().expect("a value");
            u64::from_str_radix(&number[2..], 16).expect("a number")
        })
        .collect();
    assert_eq!(numbers, (2..CLIENTS as u64 + 2).collect());
    let alice = server.get("/worlds/default/accounts/alice").json();
    assert_eq!(alice["nonce"], 1 + CLIENTS);
}

#[test]
fn a_server_ends_when_its_requests_are_answered() {
    let folder = counter();
    let folder = folder.path();
    let server = Server::start(folder, &["--time-limit", "3"]);
    let deploy = json!({"ImpersonatedHex": "alice", "CodeText": loops()});
    let contract = server.runs("/deploy", &deploy).0["ContractAddressHex"].clone();
    // About a second.
    let body =
        json!({"ContractAddressHex": contract, "Function": "empty", "GasLimit": 3_000_000_000u64})
            .to_string();
    let mut running = server.connect();
    let head = format!(
        "POST /query HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n",
        server.address,
        body.len()
    );
    running.write_all(head.as_bytes()).expect("sent");
    running.write_all(body.as_bytes()).expect("sent");
    // One that only waits is closed.
    let mut idle = server.connect();
    std::thread::sleep(Duration::from_millis(300));
    server.signal(Signal::SIGTERM);
    assert_eq!(idle.read(&mut [0; 1]).expect("closed"), 0);
    let reply = Reply::read(&mut running);
    assert!([200, 504].contains(&reply.status), "{reply:?}");
    assert!(reply.head.contains("connection: close"), "{reply:?}");
    let output = server.end();
    assert_eq!(
        (output.status.code(), text(&output.stderr).as_str()),
        (Some(0), "")
    );
}

#[test]
fn a_second_signal_ends_a_server_at_once() {
    let folder = counter();
    let server = Server::start(folder.path(), &["--client-time", "60"]);
    let mut half = server.connect();
    half.write_all(b"POST ").expect("sent");
    std::thread::sleep(Duration::from_millis(200));
    server.signal(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(200));
    server.signal(Signal::SIGINT);
    assert_eq!(server.end().status.code(), Some(130));
}

/// The description, and its types.
fn described(server: &Server) -> (Value, Value) {
    let document = server.get("/openapi.json").json();
    let version = document["openapi"].as_str().expect("a version");
    assert!(version.starts_with("3."), "{version}");
    (
        document["paths"].clone(),
        document["components"]["schemas"].clone(),
    )
}

#[test]
fn routes_that_are_described_are_there() {
    let folder = counter();
    let server = Server::start(folder.path(), &[]);
    let (paths, _) = described(&server);
    let paths = paths.as_object().expect("paths");
    assert!(paths.len() >= 8, "{paths:?}");
    for (path, methods) in paths {
        let place = path
            .replace("{world}", "default")
            .replace("{address}", "alice");
        for method in methods.as_object().expect("methods").keys() {
            let reply = server.request(&method.to_uppercase(), &place, "", "");
            assert!(![404, 405].contains(&reply.status), "{path}: {reply:?}");
        }
    }
}

#[test]
fn bodies_have_the_members_that_are_described() {
    let folder = counter();
    let server = Server::start(folder.path(), &[]);
    let (paths, schemas) = described(&server);
    let names = |schema: &Value| -> BTreeSet<String> {
        let members = schema["properties"].as_object().expect("members");
        members.keys().cloned().collect()
    };
    for (path, described) in paths.as_object().expect("paths") {
        let body = &described["post"]["requestBody"]["content"]["application/json"];
        let Some(name) = body["schema"]["$ref"].as_str() else {
            continue;
        };
        // A member that is not one is refused with those that are.
        let error = server.post(path, &json!({"?": 0})).json()["error"].clone();
        let error = error.as_str().expect("a text").to_owned();
        let (_, told) = error.split_once("expected one of ").expect("members");
        let told = told.split('`').skip(1).step_by(2).map(str::to_owned);
        let name = name.rsplit('/').next().expect("a name");
        assert_eq!(names(&schemas[name]), told.collect(), "{path}");
    }
    for (name, reply) in [
        ("Answer", server.post("/run", &increment())),
        ("Failure", server.post("/run", &json!({}))),
    ] {
        let reply = reply.json();
        let members = reply.as_object().expect("an object").keys().cloned();
        assert_eq!(names(&schemas[name]), members.collect(), "{name}");
    }
}
