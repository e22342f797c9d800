use super::*;
use tokio::io::{DuplexStream, duplex};
use tokio::runtime::Builder;

const HEAD: &str = "POST /x HTTP/1.1\r\nHost: localhost\r\n";

fn limits() -> Limits {
    Limits {
        head_time: Duration::from_secs(5),
        body_time: Duration::from_secs(5),
        body_bytes: 1 << 20,
        bodies: Semaphore::new(100 << 10),
    }
}

/// Runs a future with both ends of a connection.
fn with<F: Future>(run: impl FnOnce(Connection<DuplexStream>, DuplexStream) -> F) -> F::Output {
    let (here, there) = duplex(4 << 20);
    let runtime = Builder::new_current_thread().enable_time().build();
    let run = run(Connection::new(here), there);
    runtime.expect("a runtime").block_on(run)
}

#[test]
fn requests_stand_one_behind_the_other() {
    with(async |mut connection, mut client: DuplexStream| {
        let limits = limits();
        let bytes = format!("{HEAD}Content-Length: 2\r\n\r\nab{HEAD}\r\n{HEAD}");
        client.write_all(bytes.as_bytes()).await.expect("sent");
        for expected in ["ab", ""] {
            let request = connection.request(&limits, std::future::pending()).await;
            let (request, _room) = request.expect("a request");
            assert_eq!(
                (request.uri().path(), &request.body()[..]),
                ("/x", expected.as_bytes())
            );
        }
        // The third has no end.
        drop(client);
        let end = connection.request(&limits, std::future::pending()).await;
        assert!(matches!(end, Err(End::Closed)));
    });
}

#[test]
fn bodies_take_room_as_they_come() {
    with(async |mut connection, mut client: DuplexStream| {
        let limits = limits();
        let free = limits.bodies.available_permits();
        let head = format!("{HEAD}Content-Length: 60000\r\n\r\n");
        client.write_all(head.as_bytes()).await.expect("sent");
        client.write_all(&[b'x'; 60_000]).await.expect("sent");
        let request = connection.request(&limits, std::future::pending()).await;
        let (request, room) = request.expect("a request");
        assert_eq!(request.body().len(), 60_000);
        assert!(limits.bodies.available_permits() < free);
        // Another one has no room beside it.
        let head = format!("{HEAD}Content-Length: 1000000\r\n\r\n");
        client.write_all(head.as_bytes()).await.expect("sent");
        client.write_all(&[b'x'; 1_000_000]).await.expect("sent");
        let end = connection.request(&limits, std::future::pending()).await;
        let Err(End::Refused(status, _)) = end else {
            panic!("there was room");
        };
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        drop(room);
        assert_eq!(limits.bodies.available_permits(), free);
    });
}

#[test]
fn a_connection_that_waits_ends_with_the_server() {
    with(async |mut connection, _client| {
        let limits = limits();
        let end = connection.request(&limits, std::future::ready(())).await;
        assert!(matches!(end, Err(End::Closed)));
    });
}

#[test]
fn what_is_too_long_or_unclear_is_refused() {
    for (headers, status) in [
        ("Content-Length: 1048577\r\n", StatusCode::PAYLOAD_TOO_LARGE),
        (
            "Content-Length: 99999999999999999999999\r\n",
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        ("Content-Length: \r\n", StatusCode::BAD_REQUEST),
        (
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            StatusCode::BAD_REQUEST,
        ),
        (
            "Transfer-Encoding: gzip\r\nContent-Length: 1\r\n",
            StatusCode::LENGTH_REQUIRED,
        ),
    ] {
        let bytes = format!("{HEAD}{headers}\r\n");
        let (request, length) = parse(bytes.as_bytes()).expect("HTTP").expect("whole");
        assert_eq!(length, bytes.len());
        let Err(End::Refused(found, _)) = body_length(request.headers(), 1 << 20) else {
            panic!("{headers}");
        };
        assert_eq!(found, status, "{headers}");
    }
    assert!(
        parse(b"GET / HTTP/1.1\r\nHost: x\r\n")
            .expect("a part")
            .is_none()
    );
    for bytes in [
        &b"\0"[..],
        b"GET / HTTP/2.0\r\n\r\n",
        b"G T / HTTP/1.1\r\n\r\n",
        b"GET \\ HTTP/1.1\r\n\r\n",
    ] {
        assert!(parse(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn connections_stay_open_until_one_side_will_not() {
    let open = |text: &str| {
        let bytes = format!("GET / HTTP/1.{text}\r\n\r\n");
        stays_open(&parse(bytes.as_bytes()).expect("HTTP").expect("whole").0)
    };
    assert!(open("1") && open("1\r\nConnection: keep-alive"));
    assert!(!open("0") && !open("1\r\nConnection: x, Close"));
}
