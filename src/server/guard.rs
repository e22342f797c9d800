//! Who may ask: programs of this machine, and the page of this server. A page of another site, which a browser here shows, may
//! not: neither by its own name nor by a name that it makes the browser take for this machine (DNS rebinding).

use super::responses::refuse;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header, uri::Authority};
use axum::middleware::Next;
use axum::response::Response;
use std::net::IpAddr;

/// Refuses requests of other sites with 403.
pub async fn guard(request: Request, next: Next) -> Response {
    match check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(text) => refuse(StatusCode::FORBIDDEN, text),
    }
}

fn check(headers: &HeaderMap) -> Result<(), String> {
    let one = |name| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str().unwrap_or("?"));
        (value, values.next().is_some())
    };
    let (host, more_hosts) = one(header::HOST);
    let host = host.unwrap_or_default();
    let authority: Option<Authority> = host.parse().ok();
    let is_local = authority.is_some_and(|authority| is_local(authority.host()));
    if more_hosts || !is_local {
        return Err(format!(
            "the header Host is {host:?}: this server is asked by the name localhost or by an IP address"
        ));
    }
    let (origin, more_origins) = one(header::ORIGIN);
    let Some(origin) = origin else {
        return Ok(());
    };
    // The page itself has the scheme http, the host, and the port if it is not 80.
    match !more_origins && origin.strip_prefix("http://") == Some(host) {
        true => Ok(()),
        false => Err(format!(
            "the header Origin is {origin:?}: pages of other sites can't use this server"
        )),
    }
}

/// Whether a browser can't have got the address from another site's name server.
fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, header::HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn this_machine_may_ask() {
        for host in [
            "localhost",
            "LocalHost:1",
            "127.0.0.1:9091",
            "[::1]:80",
            "192.0.2.7",
        ] {
            assert_eq!(check(&headers(&[(header::HOST, host)])), Ok(()), "{host}");
        }
        let own = [
            (header::HOST, "localhost:9091"),
            (header::ORIGIN, "http://localhost:9091"),
        ];
        assert_eq!(check(&headers(&own)), Ok(()));
    }

    #[test]
    fn other_sites_may_not() {
        for hosts in [
            &[][..],
            &["evil.example"],
            &["localhost.evil.example"],
            &["localhost", "localhost"],
            &["?"],
        ] {
            let hosts: Vec<_> = hosts.iter().map(|host| (header::HOST, *host)).collect();
            assert!(check(&headers(&hosts)).is_err(), "{hosts:?}");
        }
        for origin in [
            "null",
            "http://evil.example",
            "https://localhost:1",
            "http://localhost:2",
            "http://127.0.0.1:1",
        ] {
            let pairs = [(header::HOST, "localhost:1"), (header::ORIGIN, origin)];
            assert!(check(&headers(&pairs)).is_err(), "{origin}");
        }
    }
}
