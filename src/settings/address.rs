//! The address of an API.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Value as Json, json};

use super::entry::{Bare, Leaf, quoted};
use super::number::{range, whole};

/// Where an API is: `https`, or `http` to this machine; without a slash at its end, and in the form in
/// which the HTTP client sends it: a signature over the host must be over what is sent.
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
    pub(crate) fn known(text: &str) -> Self {
        Self { text: text.to_owned(), loopback: false }
    }

    /// Whether it is on this machine, as the simulated APIs are.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

/// What an address names.
enum Host {
    Name(bool),
    V4(Ipv4Addr),
    /// And whether it is written `::1`.
    V6(Ipv6Addr, bool),
}

impl Host {
    /// A name or an address of four numbers. What ends in a number is no name: HTTP clients take it for
    /// an address.
    fn named(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse() {
            return Some(Self::V4(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(inner)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let last = name.rsplit('.').next()?;
        let plain = name.split('.').all(label) && !last.starts_with(|c: char| c.is_ascii_digit());
        plain.then_some(Self::Name(name.eq_ignore_ascii_case("localhost")))
    }

    fn is_loopback(&self) -> bool {
        match self {
            Self::Name(local) => *local,
            Self::V4(address) => address.is_loopback(),
            Self::V6(address, _) => address.is_loopback(),
        }
    }
}

/// An address of version 6, without one of version 4 in it.
fn ipv6(text: &str) -> Option<Ipv6Addr> {
    if text.contains('.') { None } else { text.parse().ok() }
}

/// The texts of [`ipv6`].
fn v6_pattern() -> String {
    let group = "[0-9A-Fa-f]{1,4}";
    let mut forms =
        vec![format!("({group}:){{7}}{group}"), format!("({group}:){{1,7}}:"), format!(":(:{group}){{1,7}}")];
    forms.extend((1..=6).map(|before| format!("({group}:){{{before}}}(:{group}){{1,{}}}", 7 - before)));
    forms.push("::".to_owned());
    forms.join("|")
}

/// Whether a path is nothing or segments of plain characters, none of which begins with a dot: what
/// clients would resolve or escape is signed differently than it is sent.
fn is_path(path: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._~-".contains(&b);
    path.is_empty() || path.split('/').all(|segment| !segment.starts_with('.') && segment.bytes().all(plain))
}

impl Leaf for BaseUrl {
    const NOUN: &'static str = "an API address";
    const BARE: Bare = Bare::Refused;

    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = (rest.get(..end)?, rest.get(end..)?);
        let (host, port) = if let Some(inner) = authority.strip_prefix('[') {
            let (address, port) = inner.split_once(']')?;
            (Host::V6(ipv6(address)?, address == "::1"), port)
        } else {
            let end = authority.find(':').unwrap_or(authority.len());
            (Host::named(authority.get(..end)?)?, authority.get(end..)?)
        };
        let port =
            port.is_empty() || port.strip_prefix(':').and_then(whole).is_some_and(|port| (1..=65_535).contains(&port));
        let loopback = host.is_loopback();
        // Of the many forms of the loopback address of version 6, http takes the one that people write.
        let plain = loopback && !matches!(host, Host::V6(_, false));
        let sound = port && is_path(path) && (scheme == "https" || scheme == "http" && plain);
        // In small letters, without the port that goes without saying, addresses in their shortest form.
        let url = reqwest::Url::parse(text).ok().filter(|_| sound)?;
        Some(Self { text: url.as_str().trim_end_matches('/').to_owned(), loopback })
    }

    fn remedy(_: &str) -> String {
        "https://host, optionally with :port and a plain path; http:// only for 127.0.0.1, [::1] or localhost"
            .to_owned()
    }

    fn shape() -> Json {
        let octet = range(0, 255);
        let v4 = |first: &str| format!("({first})(\\.({octet})){{3}}");
        let label = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
        let last = "[A-Za-z_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
        let any = format!("({label}\\.)*{last}\\.?|{}|\\[({})\\]", v4(&octet), v6_pattern());
        let here = format!("[Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt]\\.?|{}|\\[::1\\]", v4("127"));
        let port = range(1, 65_535);
        let pattern = format!("^(https://({any})|http://({here}))(:({port}))?(/([A-Za-z0-9_~-][A-Za-z0-9._~-]*)?)*$");
        json!({"type": "string", "pattern": pattern})
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
            ("http://[::1]:80/x", "http://[::1]/x", true),
            ("http://localhost:1", "http://localhost:1", true),
            ("https://GRAPH.example.:443/V1", "https://graph.example./V1", false),
            ("https://graph.example:80", "https://graph.example:80", false),
            ("http://127.0.0.1:80", "http://127.0.0.1", true),
            ("http://LocalHost.:1", "http://localhost.:1", true),
            ("https://[2001:DB8:0:0::1]:443", "https://[2001:db8::1]", false),
            ("https://[0:0:0:0:0:0:0:1]:8443", "https://[::1]:8443", true),
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
            "https://host:0",
            "https://1.2.3.400",
            "https://host/../x",
            "https://host/a%20b",
            "https://[::1",
            "https://[v6]",
            "http://[0:0::1]",
        ] {
            assert!(BaseUrl::parse(text).is_none(), "{text:?}");
        }
        assert!(!BaseUrl::shown("https://user:word@host").contains("word"));
    }
}
