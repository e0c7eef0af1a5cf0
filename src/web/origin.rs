//! Detects requests that a browser sends on behalf of another site's page.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Uri, header};

/// What browsers of today say of a request's origin.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a browser sends the request for a page of another site. `ours` is the origin of
/// `--web.external-url`: behind a reverse proxy, `Host` may be another than the one that the browser knows.
///
/// `Sec-Fetch-Site` decides where it is there, and `Origin` otherwise. Programs such as curl send neither.
pub(super) fn is_cross_site(request: &Request, ours: Option<&str>) -> bool {
    let headers = request.headers();
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let Ok(origin) = origin.to_str() else { return true };
    let same = ours.is_some_and(|ours| ours.eq_ignore_ascii_case(origin)) || is_of_host(origin, headers, request.uri());
    !same
}

/// The origin of a URL as browsers write it: without a port that goes without saying.
pub(super) fn origin(url: &Uri) -> Option<String> {
    let (scheme, authority) = (url.scheme_str()?, url.authority()?);
    let port = match (scheme, authority.port_u16()) {
        (_, None) | ("http", Some(80)) | ("https", Some(443)) => String::new(),
        (_, Some(port)) => format!(":{port}"),
    };
    Some(format!("{scheme}://{}{port}", authority.host()))
}

/// Whether an origin names the host that the request is for, be it over TLS or not: a proxy may have ended that.
fn is_of_host(origin: &str, headers: &HeaderMap, uri: &Uri) -> bool {
    let host = uri.authority().map(http::uri::Authority::as_str);
    let host = host.or_else(|| headers.get(header::HOST)?.to_str().ok());
    let named = origin.split_once("://").map(|(_, named)| named);
    named.zip(host).is_some_and(|(named, host)| named.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(uri: &str, fields: &[(&str, &str)]) -> Request {
        let request = Request::post(uri);
        let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn programs_and_our_own_pages_may_and_other_sites_may_not() {
        let ours = Some("https://tools.example");
        let host = ("host", "127.0.0.1:10396");
        for (fields, cross) in [
            (&[][..], false),
            (&[host], false),
            (&[host, ("sec-fetch-site", "same-origin")], false),
            (&[host, ("sec-fetch-site", "none")], false),
            (&[host, ("sec-fetch-site", "same-site")], true),
            (&[host, ("sec-fetch-site", "cross-site")], true),
            (&[host, ("sec-fetch-site", "")], true),
            (&[host, ("sec-fetch-site", "cross-site"), ("origin", "http://127.0.0.1:10396")], true),
            (&[host, ("sec-fetch-site", "same-origin"), ("origin", "https://other.example")], false),
            (&[host, ("origin", "http://127.0.0.1:10396")], false),
            (&[host, ("origin", "https://127.0.0.1:10396")], false),
            (&[host, ("origin", "HTTPS://Tools.example")], false),
            (&[host, ("origin", "https://tools.example:8443")], true),
            (&[host, ("origin", "http://127.0.0.1:10397")], true),
            (&[host, ("origin", "http://127.0.0.1:10396.evil.example")], true),
            (&[host, ("origin", "https://evil.example")], true),
            (&[host, ("origin", "null")], true),
            (&[host, ("origin", "")], true),
            (&[("origin", "https://evil.example")], true),
        ] {
            assert_eq!(is_cross_site(&request("/-/quit", fields), ours), cross, "{fields:?}");
        }
        let own = [("origin", "https://[::1]:9")];
        assert!(!is_cross_site(&request("https://[::1]:9/-/quit", &own), None), "HTTP/2 names the host in the URL");
        assert!(is_cross_site(&request("https://[::2]:9/-/quit", &own), None));
    }

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        for (url, expected) in [
            ("https://tools.example/exporter/", Some("https://tools.example")),
            ("https://tools.example:443/", Some("https://tools.example")),
            ("http://tools.example:80", Some("http://tools.example")),
            ("http://tools.example:8080/a/b", Some("http://tools.example:8080")),
            ("http://[::1]:10396/", Some("http://[::1]:10396")),
            ("/exporter", None),
        ] {
            assert_eq!(origin(&url.parse().unwrap()).as_deref(), expected, "{url}");
        }
    }
}
