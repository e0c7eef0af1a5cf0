//! What the values of flags may be.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::web::PAGES;

/// `host:port`, or `:port` for all interfaces.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let all = text.strip_prefix(':').and_then(|port| port.parse().ok());
    if let Some(port) = all {
        return Ok(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port));
    }
    let local = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    local.as_deref().unwrap_or(text).parse().map_err(|_| "expected IP:PORT or :PORT".to_owned())
}

/// A URL of http or https without user, query and fragment, whose path can be a prefix.
pub(super) fn external_url(text: &str) -> Result<http::Uri, String> {
    let url = text.parse::<http::Uri>().ok().filter(|url| {
        url.host().is_some() && url.query().is_none() && matches!(url.scheme_str(), Some("http" | "https"))
    });
    let url = url.filter(|_| !text.contains(['#', '@']));
    let url = url.ok_or_else(|| "expected http(s)://HOST[:PORT][/PATH]".to_owned())?;
    route_prefix(url.path()).map(|_| url)
}

/// Nothing, or a path that begins with a slash and ends without one.
pub(super) fn route_prefix(text: &str) -> Result<String, String> {
    let path = text.trim_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~');
    let odd = |part: &str| part.is_empty() || part == "." || part == ".." || part == "-";
    match path {
        "" => Ok(String::new()),
        _ if !path.chars().all(plain) || path.split('/').any(odd) => {
            Err("expected a plain path such as /exporter".to_owned())
        }
        _ => Ok(format!("/{path}")),
    }
}

/// A path of plain segments, and none of those that the server has for itself.
pub(super) fn telemetry_path(text: &str) -> Result<String, String> {
    let plain = |segment: &str| {
        !matches!(segment, "" | "." | "..") && segment.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c))
    };
    let fit = text == "/" || text.strip_prefix('/').is_some_and(|path| path.split('/').all(plain));
    if PAGES.contains(&text) {
        return Err("the exporter has a page of its own there; expected another path, such as /metrics".to_owned());
    }
    let free = !text.starts_with("/-/") && text != "/-";
    if fit && free {
        Ok(text.to_owned())
    } else {
        Err("expected a plain path such as /metrics, and none below /-/".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            (":10396", "[::]:10396"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("localhost:1", "127.0.0.1:1"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(listen_address(text).map(|address| address.to_string()).as_deref(), Ok(expected));
        }
        assert!(listen_address("10396").is_err() && listen_address("example.org:80").is_err());
    }

    #[test]
    fn paths_are_plain() {
        for text in ["/metrics", "/", "/a/b.c~d_e-f", "/config/metrics", "/api/v1"] {
            assert!(telemetry_path(text).is_ok(), "{text:?}");
        }
        for text in [
            "",
            "metrics",
            "/:x",
            "/{x}",
            "/{*x}",
            "/*x",
            "/a//b",
            "/a/",
            "//",
            "/-/healthy",
            "/-",
            "/config",
            "/api/v1/targets",
            "/./a",
            "/../a",
            "/a b",
            "/a?b",
            "/a#b",
            "/a%20b",
            "/\u{e9}",
            "/a\\b",
        ] {
            assert!(telemetry_path(text).is_err(), "{text:?}");
        }
        for text in ["/:x", "/{x}", "/a//b", "/a%20b", "/../a", "/-"] {
            assert!(route_prefix(text).is_err(), "{text:?}");
            assert!(external_url(&format!("http://host{text}")).is_err(), "{text:?}");
        }
        assert!(external_url("http://user:word@host/").is_err());
    }
}
