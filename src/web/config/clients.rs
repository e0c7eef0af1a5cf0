//! Client certificates: when one is requested, and which are accepted.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use webpki::EndEntityCert;

/// What is asked of clients. Whoever sends a certificate proves that the key is theirs; the rest is
/// as strict as it is configured.
#[derive(Debug)]
pub(super) struct Clients {
    /// Checks who signed the certificate; `None` takes any.
    pub(super) issuers: Option<Arc<dyn ClientCertVerifier>>,
    /// Whether a client without a certificate is refused.
    pub(super) mandatory: bool,
    /// Names of which the certificate must hold one; `None` takes any.
    pub(super) names: Option<Vec<String>>,
    /// The signatures that are understood.
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.issuers.as_ref().map_or(&[], |issuers| issuers.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // Before the names: an unsigned certificate may hold any name.
        if let Some(issuers) = &self.issuers {
            issuers.verify_client_cert(certificate, chain, now)?;
        }
        let certificate = EndEntityCert::try_from(certificate)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        match &self.names {
            Some(names) if !names.iter().any(|name| holds(&certificate, name)) => {
                Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            _ => Ok(ClientCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Whether a certificate holds a name, letter by letter: a wildcard stands for itself alone.
fn holds(certificate: &EndEntityCert<'_>, name: &str) -> bool {
    let address = || {
        name.parse::<IpAddr>()
            .is_ok_and(|address| certificate.verify_is_valid_for_subject_name(&ServerName::from(address)).is_ok())
    };
    certificate.valid_dns_names().any(|held| held == name)
        || certificate.valid_uri_names().any(|held| held == name)
        || address()
}
