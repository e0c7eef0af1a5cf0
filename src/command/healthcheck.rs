//! `healthcheck`: for a container without a shell.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use super::{Done, print, web_config};
use crate::cli::Flags;
use crate::web::WebConfig;

/// Longest time that a healthy daemon takes.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What stands for the answer of a daemon that asks for a certificate, which this command has none of.
const CERTIFICATE: &str = "HTTP/1.1 401 (it asks for a certificate)";
/// What stands for the answer of a daemon that speaks TLS and was not expected to.
const TLS: &str = "HTTP/1.1 400 (it speaks TLS; pass its --web.config.file)";
/// The status that a daemon of ours never answers at its path of health.
const NOT_OURS: &str = "404";
/// How an alert of TLS begins.
const ALERT: u8 = 0x15;

/// Asks the daemon behind `--web.listen-address`, over TLS if the web configuration says so. Whatever
/// it answers there, it is alive: one that is busy or asks for a login is not to be restarted.
pub fn healthcheck(flags: &Flags) -> anyhow::Result<Done> {
    let web = web_config(flags)?;
    let path = format!("{}/-/healthy", flags.prefix());
    let mut address = flags.listen(false).first().copied().context("no address")?;
    // A daemon that listens everywhere listens on loopback.
    if address.ip().is_unspecified() {
        let loopback = if address.is_ipv6() { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
        address.set_ip(loopback);
    }
    let answer = ask(address, &path, &web).or_else(|error| {
        let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
        if address.is_ipv6() { ask(v4, &path, &web) } else { Err(error) }
    });
    let answer = answer.with_context(|| format!("no answer from {address}"))?;
    let status = answer.lines().next().unwrap_or_default();
    print(&format!("{address}: {status}\n"))?;
    let not_ours = status.split(' ').nth(1) == Some(NOT_OURS);
    if not_ours {
        print(
            "this is not a marketing-messages-exporter, or it serves below a prefix; pass --web.route-prefix or --web.external-url\n",
        )?;
    }
    Ok(if status.starts_with("HTTP/") && !not_ours { Done::Well } else { Done::Badly })
}

fn ask(address: SocketAddr, path: &str, web: &WebConfig) -> anyhow::Result<String> {
    let stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
    if !web.is_tls() {
        return Ok(exchange(stream, address, path)?);
    }
    let connection = ClientConnection::new(Arc::new(client()?), ServerName::from(address.ip()))?;
    match exchange(StreamOwned::new(connection, stream), address, path) {
        Ok(answer) => Ok(answer),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Err(error.into()),
        // It hung up, which only somebody does who is there. In which way depends on who is faster.
        Err(_) if web.demands_certificates() => Ok(CERTIFICATE.to_owned()),
        Err(error) => Err(error.into()),
    }
}

fn exchange(mut stream: impl Read + Write, address: SocketAddr, path: &str) -> std::io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    // Whoever turns us away may answer before it has heard us out.
    let _ = stream.write_all(request.as_bytes()).and_then(|()| stream.flush());
    let mut answer = Vec::new();
    match stream.take(4096).read_to_end(&mut answer) {
        // TLS is not always ended in form; what was said is said.
        Err(error) if answer.is_empty() => return Err(error),
        Ok(_) if answer.is_empty() => {
            let message = "it closed the connection without an answer; if it speaks TLS, pass its --web.config.file";
            return Err(std::io::Error::new(ErrorKind::UnexpectedEof, message));
        }
        _ => {}
    }
    if answer.first() == Some(&ALERT) {
        return Ok(TLS.to_owned());
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn client() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(OurOwn(provider))).with_no_client_auth())
}

/// Takes any certificate: it is our own daemon's, made for the name that others call it by. Nothing
/// secret is sent.
#[derive(Debug)]
struct OurOwn(Arc<CryptoProvider>);

impl ServerCertVerifier for OurOwn {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
