//! `tls_server_config`: from the file's settings to those of rustls.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion, version};

use super::asks::{Certificates, TlsAsks};
use super::clients::Clients;
use super::document::Section;
use super::files::Files;

/// The versions of TLS by the names of the file, oldest first.
const VERSIONS: [(&str, &SupportedProtocolVersion); 2] = [("TLS12", &version::TLS12), ("TLS13", &version::TLS13)];

/// The elliptic curves by the names of the file.
const CURVES: [(&str, &dyn SupportedKxGroup); 3] = [
    ("CurveP256", aws_lc_rs::kx_group::SECP256R1),
    ("CurveP384", aws_lc_rs::kx_group::SECP384R1),
    ("X25519", aws_lc_rs::kx_group::X25519),
];

/// Application protocols of TLS, in our order.
pub(in super::super) const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// How TLS is served.
#[derive(Debug)]
pub(in super::super) struct Tls {
    pub(in super::super) server: Arc<ServerConfig>,
    /// What is asked of clients.
    pub(in super::super) asks: Arc<TlsAsks>,
}

impl Tls {
    /// Whether a client without a certificate is refused.
    pub(super) fn demands_certificates(&self) -> bool {
        self.asks.certificates.as_ref().is_some_and(|certificates| certificates.mandatory)
    }
}

/// Reads the section; `None` without TLS, or when something is wrong with it.
pub(super) fn read(mut at: Section<'_>, http2: bool, folder: &Path, files: &mut Files) -> Option<Tls> {
    if at.is_empty() {
        return None;
    }
    let certificate = pem(&mut at, ["cert", "cert_file"], folder, files);
    let key = pem(&mut at, ["key", "key_file"], folder, files);
    let issuers = pem(&mut at, ["client_ca", "client_ca_file"], folder, files);
    for (found, key) in [(&certificate, "cert_file"), (&key, "key_file")] {
        if matches!(found, Pem::Absent) {
            at.problem(key, "missing; name a PEM file");
        }
    }
    let certificates = certificate.parse(&at, CertificateDer::pem_slice_iter);
    let key = key.parse(&at, |text| std::iter::once(PrivateKeyDer::from_pem_slice(text)));
    let issuers = issuers.parse(&at, CertificateDer::pem_slice_iter);
    let versions = versions(&mut at);
    let provider = Arc::new(provider(&mut at));
    let prefer_ours = at.flag("prefer_server_cipher_suites", true);
    let authorities = issuers.iter().flatten().map(|issuer| issuer.to_vec()).collect();
    let clients = clients(&mut at, issuers, &provider);
    at.finish();
    let asks = TlsAsks {
        oldest: VERSIONS.iter().position(|(_, version)| versions.contains(version)).unwrap_or_default(),
        suites: provider.cipher_suites.iter().map(|suite| format!("{:?}", suite.suite())).collect(),
        curves: provider.kx_groups.iter().map(|curve| format!("{:?}", curve.name())).collect(),
        certificates: clients.as_ref().map(|clients| Certificates {
            mandatory: clients.mandatory,
            authorities: clients.issuers.is_some().then_some(authorities),
            names: clients.names.as_ref().map(|names| names.iter().cloned().collect()),
        }),
    };
    let (certificates, key) = (certificates?, key?.pop()?);
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&versions);
    let built = builder.and_then(|builder| {
        match clients {
            Some(clients) => builder.with_client_cert_verifier(clients),
            None => builder.with_no_client_auth(),
        }
        .with_single_cert(certificates, key)
    });
    match built {
        Ok(mut config) => {
            config.ignore_client_order = prefer_ours;
            config.alpn_protocols = if http2 { vec![HTTP2.to_vec(), HTTP1.to_vec()] } else { vec![HTTP1.to_vec()] };
            Some(Tls { server: Arc::new(config), asks: Arc::new(asks) })
        }
        Err(error) => {
            at.problem(
                "cert_file",
                format!("{error}; the key must be that of the first certificate, and of a kind that TLS supports"),
            );
            None
        }
    }
}

/// What stands under a key or in the file that another one names.
enum Pem {
    Absent,
    /// It was there and could not be read, which is reported.
    Wrong,
    Text(&'static str, Vec<u8>),
}

/// The text of a key, or of the file that the other key names.
fn pem(at: &mut Section<'_>, [inline, file]: [&'static str; 2], folder: &Path, files: &mut Files) -> Pem {
    match (at.text(inline), at.text(file)) {
        (None, None) => Pem::Absent,
        (Some(_), Some(_)) => {
            at.problem(inline, format!("{file} is given too; write one of them"));
            Pem::Wrong
        }
        (Some(text), None) => Pem::Text(inline, text.into_bytes()),
        (None, Some(text)) if text.contains("-----BEGIN") => {
            at.problem(file, format!("this is what a PEM file holds, not its name; write it below {inline}"));
            Pem::Wrong
        }
        (None, Some(path)) => match files.read(&folder.join(path)) {
            Ok(text) => Pem::Text(file, text),
            Err(error) => {
                at.problem(file, format!("the file cannot be read: {error}; name a PEM file that this user may read"));
                Pem::Wrong
            }
        },
    }
}

impl Pem {
    /// Its items, of which there must be one. Nothing of the text is shown.
    fn parse<'t, T, E, I>(&'t self, at: &Section<'_>, items: impl FnOnce(&'t [u8]) -> I) -> Option<Vec<T>>
    where
        I: Iterator<Item = Result<T, E>>,
    {
        let Self::Text(key, text) = self else { return None };
        let found: Option<Vec<T>> = items(text).map(Result::ok).collect();
        let found = found.filter(|items| !items.is_empty());
        if found.is_none() {
            let what = if key.starts_with("key") { "an unencrypted private key" } else { "certificates" };
            at.problem(
                key,
                format!("this contains no {what} in PEM form; name a file with lines of -----BEGIN ...-----"),
            );
        }
        found
    }
}

fn versions(at: &mut Section<'_>) -> Vec<&'static SupportedProtocolVersion> {
    let mut bound = |key, default: usize| {
        let Some(name) = at.text(key) else { return default };
        let index = VERSIONS.iter().position(|(known, _)| *known == name);
        if index.is_none() {
            at.problem(key, "this version is not supported; write TLS12 or TLS13");
        }
        index.unwrap_or(default)
    };
    let (least, most) = (bound("min_version", 0), bound("max_version", VERSIONS.len() - 1));
    if least > most {
        at.problem("min_version", "this is newer than max_version; leave one of them out");
    }
    VERSIONS.iter().enumerate().filter(|(index, _)| (least..=most).contains(index)).map(|(_, (_, v))| *v).collect()
}

/// The cipher suites and curves that are named, or all that are good. As in the files of other
/// exporters those of TLS 1.3 are not chosen.
fn provider(at: &mut Section<'_>) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    // rustls says `TLS13_AES...`, the file's format `TLS_AES...` like Go.
    let name = |suite: &SupportedCipherSuite| format!("{:?}", suite.suite()).replace("TLS13_", "TLS_");
    if let Some(names) = at.list("cipher_suites").filter(|names| !names.is_empty()) {
        let known = std::mem::take(&mut provider.cipher_suites);
        let mut chosen: Vec<_> = known.iter().filter(|suite| suite.tls13().is_some()).copied().collect();
        for (place, wanted) in names {
            match known.iter().find(|suite| name(suite) == wanted) {
                Some(suite) if chosen.contains(suite) => {}
                Some(suite) => chosen.push(*suite),
                None => {
                    let names: Vec<_> = known.iter().map(name).collect();
                    at.problem(&place, format!("this suite is not supported; choose from {}", names.join(", ")));
                }
            }
        }
        provider.cipher_suites = chosen;
    }
    if let Some(names) = at.list("curve_preferences").filter(|names| !names.is_empty()) {
        provider.kx_groups.clear();
        for (place, wanted) in names {
            match CURVES.iter().find(|(known, _)| *known == wanted) {
                Some((_, curve)) => provider.kx_groups.push(*curve),
                None => at.problem(&place, "this curve is not supported; choose from CurveP256, CurveP384, X25519"),
            }
        }
    }
    provider
}

/// What is asked of clients; `None` asks nothing.
fn clients(
    at: &mut Section<'_>,
    issuers: Option<Vec<CertificateDer<'_>>>,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<Clients>> {
    let kind = at.text("client_auth_type").unwrap_or_else(|| "NoClientCert".to_owned());
    let (asks, mandatory, verifies) = match kind.as_str() {
        "NoClientCert" => (false, false, false),
        "RequestClientCert" => (true, false, false),
        "RequireAnyClientCert" | "RequireClientCert" => (true, true, false),
        "VerifyClientCertIfGiven" => (true, false, true),
        "RequireAndVerifyClientCert" => (true, true, true),
        _ => {
            at.problem("client_auth_type", "unknown type; write NoClientCert or RequireAndVerifyClientCert");
            (false, false, false)
        }
    };
    let names = at.list("client_allowed_sans");
    if names.is_some() && !mandatory {
        at.problem(
            "client_allowed_sans",
            "clients need no certificate; set client_auth_type to RequireAndVerifyClientCert",
        );
    }
    for (place, name) in names.iter().flatten() {
        if name.contains('@') && !name.contains("://") {
            at.problem(place, "e-mail addresses are not compared; name a DNS name, an IP address or a URI");
        }
    }
    let issuers = match (issuers, verifies) {
        (Some(_), _) if !asks => {
            at.problem(
                "client_ca_file",
                "clients are not asked for a certificate; set client_auth_type to RequireAndVerifyClientCert",
            );
            None
        }
        (None, true) => {
            at.problem("client_ca_file", format!("missing, while client_auth_type is {kind}; name a PEM file"));
            None
        }
        (Some(certificates), true) => issued_by(at, certificates, provider),
        _ => None,
    };
    asks.then(|| {
        let names = names.map(|names| names.into_iter().map(|(_, name)| name).collect());
        let algorithms = provider.signature_verification_algorithms;
        Arc::new(Clients { issuers, mandatory, names, algorithms })
    })
}

fn issued_by(
    at: &Section<'_>,
    certificates: Vec<CertificateDer<'_>>,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<dyn rustls::server::danger::ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.into_iter().map(CertificateDer::into_owned));
    match WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build() {
        Ok(verifier) => Some(verifier),
        Err(error) => {
            at.problem("client_ca_file", format!("{error}; name a file with certificates of your authority"));
            None
        }
    }
}
