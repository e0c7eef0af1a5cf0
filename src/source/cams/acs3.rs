//! The signature ACS3-HMAC-SHA256 of Alibaba Cloud's gateway.
//!
//! Only `host` and `x-acs-*` are signed, so that a proxy that rewrites `user-agent` or `accept`
//! cannot break it. Source of the rules: "V3 request structure and signature".

use http::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::source::encode::{hex, hmac_sha256, query};

/// SHA-256 of the empty body: parameters go into the query, also with POST.
const EMPTY_BODY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What is signed.
#[derive(Debug)]
pub(super) struct OperationCall<'a> {
    /// Host as it is sent, with the port where the endpoint has one.
    pub(super) host: &'a str,
    /// Name of the operation.
    pub(super) action: &'a str,
    /// Version of the product's API.
    pub(super) version: &'a str,
    /// Parameters in any order.
    pub(super) parameters: Vec<(&'a str, &'a str)>,
    /// Whole seconds count.
    pub(super) at: Timestamp,
    /// Unique for each request.
    pub(super) nonce: &'a str,
}

/// An access key, with the token of temporary ones.
#[derive(Debug)]
pub(super) struct AccessKey<'a> {
    pub(super) id: &'a SecretString,
    pub(super) secret: &'a SecretString,
    pub(super) security_token: Option<&'a SecretString>,
}

/// The query in canonical form and the headers, `authorization` among them.
pub(super) fn sign(call: OperationCall<'_>, key: &AccessKey<'_>) -> Result<(String, HeaderMap), http::Error> {
    let date = call.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut signed = vec![
        ("host", call.host),
        ("x-acs-action", call.action),
        ("x-acs-content-sha256", EMPTY_BODY),
        ("x-acs-date", &date),
        ("x-acs-signature-nonce", call.nonce),
        ("x-acs-version", call.version),
    ];
    // The vendor's SDKs send the id beside the token, and sign both.
    if let Some(token) = key.security_token {
        signed.push(("x-acs-accesskey-id", key.id.expose_secret()));
        signed.push(("x-acs-security-token", token.expose_secret()));
    }
    let (query, authorization) = authorize(signed.clone(), call.parameters, key);

    let mut headers = HeaderMap::with_capacity(signed.len() + 2);
    // The HTTP client writes `host` itself, from the URL.
    for (name, value) in signed.iter().filter(|(name, _)| *name != "host") {
        let mut value = HeaderValue::from_str(value)?;
        value.set_sensitive(*name == "x-acs-security-token");
        headers.insert(HeaderName::from_bytes(name.as_bytes())?, value);
    }
    let mut authorization = HeaderValue::from_str(&authorization)?;
    authorization.set_sensitive(true);
    headers.insert(http::header::AUTHORIZATION, authorization);
    // Not signed. Without it, older gateways are known to answer in XML.
    headers.insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
    Ok((query, headers))
}

/// The canonical query, and the value of `authorization` over these headers.
fn authorize(
    mut signed: Vec<(&str, &str)>,
    mut parameters: Vec<(&str, &str)>,
    key: &AccessKey<'_>,
) -> (String, String) {
    // Byte order, as the gateway rebuilds the text from what it receives.
    signed.sort_unstable();
    parameters.sort_unstable();
    let names: Vec<_> = signed.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let query = query(parameters);
    let headers: Vec<_> = signed.iter().map(|(name, value)| format!("{name}:{}", value.trim())).collect();
    let headers = headers.join("\n");
    let canonical = format!("POST\n/\n{query}\n{headers}\n\n{names}\n{EMPTY_BODY}");
    let text = format!("ACS3-HMAC-SHA256\n{}", hex(&Sha256::digest(&canonical)));
    let signature = hex(&hmac_sha256(key.secret.expose_secret(), &text));
    let id = key.id.expose_secret();
    (query, format!("ACS3-HMAC-SHA256 Credential={id},SignedHeaders={names},Signature={signature}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Vector {
        name: String,
        id: String,
        secret: String,
        headers: std::collections::BTreeMap<String, String>,
        query: std::collections::BTreeMap<String, String>,
        canonical_query: Option<String>,
        signed_headers: Option<String>,
        signature: String,
    }

    #[test]
    fn every_published_vector() {
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../../tests/data/acs3.json")).unwrap();
        assert_eq!(vectors.len(), 7);
        for vector in vectors {
            let secret = |text: &str| SecretString::from(text.to_owned());
            let (id, key) = (secret(&vector.id), secret(&vector.secret));
            let token = vector.headers.get("x-acs-security-token").map(|token| secret(token));
            let key = AccessKey { id: &id, secret: &key, security_token: token.as_ref() };
            let mut signed = pairs(&vector.headers);
            signed.push(("x-acs-content-sha256", EMPTY_BODY));
            let (query, authorization) = authorize(signed, pairs(&vector.query), &key);
            let name = &vector.name;
            assert!(authorization.ends_with(&format!("Signature={}", vector.signature)), "{name}: {authorization}");
            if let Some(signed) = &vector.signed_headers {
                assert!(authorization.contains(&format!("SignedHeaders={signed},")), "{name}");
            }
            if let Some(expected) = &vector.canonical_query {
                assert_eq!(&query, expected, "{name}");
            }
            // What we send has the access key's id beside a token, as the vendor's own clients do.
            if token.is_none() || vector.headers.contains_key("x-acs-accesskey-id") {
                let call = OperationCall {
                    host: &vector.headers["host"],
                    action: &vector.headers["x-acs-action"],
                    version: &vector.headers["x-acs-version"],
                    parameters: pairs(&vector.query),
                    at: vector.headers["x-acs-date"].parse().unwrap(),
                    nonce: &vector.headers["x-acs-signature-nonce"],
                };
                assert_eq!(sign(call, &key).unwrap().1["authorization"], authorization, "{name}");
            }
        }
    }

    fn pairs(map: &std::collections::BTreeMap<String, String>) -> Vec<(&str, &str)> {
        map.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}
