//! The address of an API.

use std::net::IpAddr;

use http::Uri;
use serde_json::{Value as Json, json};

use super::entry::{Leaf, quoted};

/// Where an API is: `https`, or `http` to this machine; without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    loopback: bool,
}

impl BaseUrl {
    /// The address, to which a path that begins with a slash can be added.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// An address that the program itself knows.
    pub(super) fn known(text: &str) -> Self {
        Self { text: text.to_owned(), loopback: false }
    }

    /// Whether it is on this machine, as the simulated APIs are.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl Leaf for BaseUrl {
    const NOUN: &'static str = "an API's address";

    fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority()?;
        let host = uri.host().filter(|host| !host.is_empty())?;
        let port = authority.as_str().strip_prefix(host)?;
        let loopback = host == "localhost"
            || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let sound = !text.contains(['@', '?', '#'])
            && (port.is_empty() || uri.port_u16().is_some())
            && matches!((uri.scheme_str(), loopback), (Some("https"), _) | (Some("http"), true));
        sound.then(|| Self { text: text.trim_end_matches('/').to_owned(), loopback })
    }

    fn remedy(_: &str) -> String {
        "https://host without user, query and fragment; http:// only to 127.0.0.1, [::1] or localhost".to_owned()
    }

    fn shape() -> Json {
        json!({"type": "string", "pattern": "^(https://|http://(127\\.|\\[::1\\]|localhost))[^@?#]*$"})
    }

    // What stands before an at sign or behind a question mark may be a secret.
    fn shown(text: &str) -> String {
        if text.contains(['@', '?', '#']) { "this text".to_owned() } else { quoted(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_https_or_on_this_machine() {
        for (text, kept, loopback) in [
            ("https://graph.facebook.com", "https://graph.facebook.com", false),
            ("https://graph.facebook.com/", "https://graph.facebook.com", false),
            ("https://proxy.example:8443/meta//", "https://proxy.example:8443/meta", false),
            ("http://127.0.0.1:10397", "http://127.0.0.1:10397", true),
            ("http://127.8.8.8", "http://127.8.8.8", true),
            ("http://[::1]:80/x", "http://[::1]:80/x", true),
            ("http://localhost:1", "http://localhost:1", true),
        ] {
            let url = BaseUrl::parse(text).expect(text);
            assert_eq!((url.as_str(), url.is_loopback()), (kept, loopback), "{text:?}");
        }
        for text in [
            "",
            "graph.facebook.com",
            "/path",
            "ftp://localhost",
            "http://graph.facebook.com",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "https://user:word@host",
            "https://host?query",
            "https://host#fragment",
            "https://",
            "https://:443",
            "https://host:99999",
            "https://host:",
            "https://ho st",
        ] {
            assert!(BaseUrl::parse(text).is_none(), "{text:?}");
        }
        assert!(!BaseUrl::shown("https://user:word@host").contains("word"));
    }
}
