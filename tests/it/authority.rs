//! A certificate authority of the tests, and what it signs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use marketing_messages_exporter::app::WebOptions;
use marketing_messages_exporter::simulate::Spec;
use marketing_messages_exporter::web::WebConfig;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use reqwest::{Certificate, Client, ClientBuilder, Identity};

use crate::harness::{Folder, TestApp};

pub(crate) const CONFIGURATION: &str = "
poll: {interval: 1h}
meta: {main: {token_file: DIR/token, base_url: URL, accounts: [{id: 1001, windows: [today]}]}}
";

/// An authority whose certificates both sides trust, and a folder for what it signs.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub(crate) folder: Folder,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let folder = Folder::new();
        folder.write("ca.crt", &issuer.pem());
        let authority = Self { issuer, folder };
        authority.renew();
        authority
    }

    /// Its certificate.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for these names and its key, as PEM.
    pub(crate) fn sign(&self, names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        for name in names {
            parameters.subject_alt_names.push(match (name.parse(), name.contains("://")) {
                (Ok(address), _) => SanType::IpAddress(address),
                (_, true) => SanType::URI((*name).try_into().unwrap()),
                _ => SanType::DnsName((*name).try_into().unwrap()),
            });
        }
        (parameters.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// Puts a new certificate where the daemon reads its own.
    fn renew(&self) {
        let (certificate, key) = self.sign(&["127.0.0.1"]);
        self.folder.write("server.crt", &certificate);
        self.folder.write("server.key", &key);
    }

    pub(crate) fn config(&self, text: &str) -> PathBuf {
        self.folder.write("web.yml", text)
    }

    pub(crate) fn client(&self) -> ClientBuilder {
        let authority = Certificate::from_pem(self.issuer.pem().as_bytes()).unwrap();
        // The client may wait for ever where its connection is closed while it is being made.
        Client::builder().no_proxy().tls_certs_only([authority]).timeout(Duration::from_secs(20))
    }

    pub(crate) fn identity(&self, names: &[&str]) -> Identity {
        let (certificate, key) = self.sign(names);
        Identity::from_pem(format!("{certificate}{key}").as_bytes()).unwrap()
    }

    pub(crate) async fn app(&self, text: &str) -> TestApp {
        self.app_with(text, Spec::fleet(1, 2), WebOptions::default()).await
    }

    pub(crate) async fn app_with(&self, text: &str, spec: Spec, options: WebOptions) -> TestApp {
        let config = Arc::new(WebConfig::open(&self.config(text)).unwrap());
        TestApp::start_with(spec, CONFIGURATION, WebOptions { config, ..options }).await
    }
}
