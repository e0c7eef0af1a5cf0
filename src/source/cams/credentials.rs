//! Alibaba's default credentials on the wire: which provider the variables name, the request to it, and the
//! meaning of its answer.
//!
//! The place follows from the variables alone, in the order of the vendor's clients; one that fails
//! is not passed over, because the next one would be another identity. The metadata service is
//! asked only when nothing else is configured: off ECS it is nothing but time-outs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, header};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::domain::fault::{Fault, Reason};
use crate::source::encode::query;
use crate::source::json::{self, KeptKeys};
use crate::source::{Keys, unbuildable};

/// Variables of the environment. Any of them may be a secret.
pub type Variables = BTreeMap<String, SecretString>;

/// Where the metadata service of a machine is.
pub const METADATA_URL: &str = "http://100.100.100.200";

/// Keys are renewed so long before they expire.
const RENEWAL_MARGIN: Duration = Duration::from_mins(15);

/// Keys that live longer are looked at again so often nevertheless: the machine may have slept.
const MAX_RENEWAL_INTERVAL: Duration = Duration::from_hours(1);

/// Seconds for which the metadata service's token is good.
const METADATA_TTL_SECONDS: &str = "21600";

/// Seconds for which keys of the security token service are good.
const ROLE_SECONDS: &str = "3600";

/// What is kept of an answer.
static NAMES: KeptKeys = KeptKeys {
    values: &["AccessKeyId", "AccessKeySecret", "Code", "Expiration", "SecurityToken"],
    objects: &["Credentials"],
};

/// Where access keys come from.
#[derive(Clone, Debug)]
pub enum KeyProvider {
    /// The variables hold them.
    Variables(Keys),
    /// The role of a Kubernetes service account.
    Oidc(Oidc),
    /// The role of the machine.
    Ecs(Ecs),
    /// An address that hands them out.
    Uri(SecretString),
}

/// A role that a service account's token opens.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// The file of the token, which rotates.
    pub token_file: PathBuf,
    role: String,
    provider: String,
    session: String,
    host: String,
}

/// A machine's role.
#[derive(Clone, Debug)]
pub struct Ecs {
    /// Its name, where it need not be asked for.
    pub role: Option<String>,
    /// Whether the service may be asked without a token where it gives none.
    pub tokenless: bool,
}

/// Keys that expire.
#[derive(Clone, Debug)]
pub struct Temporary {
    /// `AccessKeyId`.
    pub id: SecretString,
    /// `AccessKeySecret`.
    pub secret: SecretString,
    /// `SecurityToken`.
    pub security_token: SecretString,
    /// `Expiration`.
    pub expires: Timestamp,
}

impl From<Temporary> for Keys {
    fn from(keys: Temporary) -> Self {
        Self::Cams { id: keys.id, secret: keys.secret, security_token: Some(keys.security_token) }
    }
}

impl KeyProvider {
    /// The place that the variables name.
    pub fn choose(variables: &Variables) -> Result<Self, Fault> {
        let get = |name: &str| {
            let text = variables.get(&format!("ALIBABA_CLOUD_{name}"))?.expose_secret().trim();
            (!text.is_empty()).then_some(text)
        };
        let is = |name: &str| get(name).is_some_and(|text| text.eq_ignore_ascii_case("true"));
        if let (Some(id), Some(secret)) = (get("ACCESS_KEY_ID"), get("ACCESS_KEY_SECRET")) {
            let token = get("SECURITY_TOKEN");
            // Found here it names the variables; later it would be a request that cannot be built.
            if ![Some(id), Some(secret), token].into_iter().flatten().all(fits_a_header) {
                return Err(unusable(
                    "the variables ALIBABA_CLOUD_ACCESS_KEY_ID, ..._SECRET and ..._SECURITY_TOKEN must be plain ASCII",
                ));
            }
            let keys = Keys::Cams { id: id.into(), secret: secret.into(), security_token: token.map(Into::into) };
            return Ok(Self::Variables(keys));
        }
        // All three or none: with fewer, the vendor's clients go on to the next place as well.
        let oidc = (get("ROLE_ARN"), get("OIDC_PROVIDER_ARN"), get("OIDC_TOKEN_FILE"));
        if let (Some(role), Some(provider), Some(file)) = oidc {
            return Ok(Self::Oidc(Oidc {
                token_file: file.into(),
                role: role.to_owned(),
                provider: provider.to_owned(),
                session: get("ROLE_SESSION_NAME").unwrap_or("marketing-messages-exporter").to_owned(),
                host: host(get("STS_REGION"), is("VPC_ENDPOINT_ENABLED"))?,
            }));
        }
        if let Some(uri) = get("CREDENTIALS_URI") {
            return Ok(Self::Uri(uri.into()));
        }
        if is("ECS_METADATA_DISABLED") {
            return Err(unusable(
                "the environment configures no access keys; set ALIBABA_CLOUD_ACCESS_KEY_ID and _SECRET, the three variables of RRSA, or ALIBABA_CLOUD_CREDENTIALS_URI",
            ));
        }
        let role = get("ECS_METADATA")
            .map(|role| role_name(role).ok_or_else(|| unusable("ALIBABA_CLOUD_ECS_METADATA is not a role name")));
        Ok(Self::Ecs(Ecs { role: role.transpose()?, tokenless: !is("IMDSV1_DISABLED") }))
    }

    /// What it is called in the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Variables(_) => "the environment's access keys",
            Self::Oidc(_) => "the service account's role (RRSA)",
            Self::Ecs(_) => "the machine's role (ECS metadata)",
            Self::Uri(_) => "ALIBABA_CLOUD_CREDENTIALS_URI",
        }
    }
}

impl Oidc {
    /// The service's address, without a slash at the end.
    pub fn base(&self) -> String {
        format!("https://{}", self.host)
    }

    /// `AssumeRoleWithOIDC`. The token goes into the body: queries end in logs.
    pub fn request(&self, base: &str, token: &SecretString, at: Timestamp) -> Result<Request<Vec<u8>>, Fault> {
        let timestamp = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let parameters = query([
            ("Action", "AssumeRoleWithOIDC"),
            ("Version", "2015-04-01"),
            ("Format", "JSON"),
            ("Timestamp", &timestamp),
        ]);
        let form = query([
            ("RoleArn", self.role.as_str()),
            ("OIDCProviderArn", &self.provider),
            ("OIDCToken", token.expose_secret().trim()),
            ("RoleSessionName", &self.session),
            ("DurationSeconds", ROLE_SECONDS),
        ]);
        Request::post(format!("{base}/?{parameters}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(form.into_bytes())
            .map_err(|error| unbuildable(&error))
    }
}

/// Asks the metadata service for a token of its own, without which newer machines do not answer.
pub fn metadata_token(base: &str) -> Result<Request<Vec<u8>>, Fault> {
    Request::put(format!("{base}/latest/api/token"))
        .header("x-aliyun-ecs-metadata-token-ttl-seconds", METADATA_TTL_SECONDS)
        .body(Vec::new())
        .map_err(|error| unbuildable(&error))
}

/// Asks the metadata service for the role's name, or with a name for its keys.
pub fn metadata(base: &str, role: Option<&str>, token: Option<&SecretString>) -> Result<Request<Vec<u8>>, Fault> {
    let role = role.unwrap_or_default();
    let mut request = Request::get(format!("{base}/latest/meta-data/ram/security-credentials/{role}"));
    if let Some(token) = token {
        request = request.header("x-aliyun-ecs-metadata-token", token.expose_secret());
    }
    request.body(Vec::new()).map_err(|error| unbuildable(&error))
}

/// Asks an address that hands keys out. What is wrong with the address is not repeated: it may be
/// secret itself.
pub fn uri(uri: &SecretString) -> Result<Request<Vec<u8>>, Fault> {
    Request::get(uri.expose_secret()).body(Vec::new()).map_err(|_| unusable("it is not a URL"))
}

/// Whether an address is without TLS: nobody between may see such an answer.
pub fn is_plain(uri: &SecretString) -> bool {
    uri.expose_secret().get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"))
}

/// Reads the metadata service's token.
pub fn read_token(response: &Response<Bytes>) -> Result<SecretString, Fault> {
    let text = line(response)?;
    Some(text).filter(|text| fits_a_header(text)).map(Into::into).ok_or_else(|| unreadable(response))
}

/// Reads the role's name.
pub fn read_role(response: &Response<Bytes>) -> Result<String, Fault> {
    role_name(line(response)?).ok_or_else(|| unreadable(response))
}

/// Reads keys in either form: below `Credentials`, or beside `Code: Success`. Nothing of the body
/// but its error code is ever repeated.
pub fn read_keys(response: &Response<Bytes>, now: Timestamp) -> Result<Temporary, Fault> {
    let body = json::object(response.body(), &NAMES).map_err(|_| unreadable(response))?;
    let (code, nested) = (body.text("Code"), body.object("Credentials"));
    // The security token service sends no `Code` on success, the metadata service always does.
    let well = code == Some("Success") || (code.is_none() && nested.is_some());
    if !response.status().is_success() || !well {
        return Err(unreadable(response));
    }
    let fields = nested.unwrap_or(&body);
    let text = |name: &str| fields.text(name).filter(|text| fits_a_header(text));
    let parts = (text("AccessKeyId"), text("AccessKeySecret"), text("SecurityToken"));
    let expires = text("Expiration").and_then(|text| text.parse::<Timestamp>().ok());
    let ((Some(id), Some(secret), Some(security_token)), Some(expires)) = (parts, expires) else {
        return Err(unreadable(response));
    };
    // Usually it is our clock that is wrong, and then every signature will be refused as well.
    if expires <= now {
        return Err(Fault::new(Reason::Malformed, "its keys have already expired; is the clock correct?"));
    }
    Ok(Temporary { id: id.into(), secret: secret.into(), security_token: security_token.into(), expires })
}

/// How long until keys are renewed. `dice` in 0..1 keeps many exporters from asking at once.
pub fn renew_after(expires: Timestamp, now: Timestamp, dice: f64) -> Duration {
    let left = Duration::try_from(expires.duration_since(now)).unwrap_or_default();
    // Keys that live hardly longer than the margin would be renewed without pause.
    let wait = left.saturating_sub(RENEWAL_MARGIN).max(left.min(RENEWAL_MARGIN) / 2);
    wait.min(MAX_RENEWAL_INTERVAL).mul_f64(1.0 - 0.1 * dice.clamp(0.0, 1.0)).max(Duration::from_secs(1))
}

/// Whether the API refused temporary keys for their token: newer ones may do.
pub fn is_expired(fault: &Fault) -> bool {
    fault.reason == Reason::Unauthorized && fault.code == Some("InvalidSecurityToken")
}

fn host(region: Option<&str>, vpc: bool) -> Result<String, Fault> {
    let Some(region) = region else { return Ok("sts.aliyuncs.com".to_owned()) };
    // It becomes part of a host name to which the service account's token is sent.
    if !region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(unusable("ALIBABA_CLOUD_STS_REGION is not a region such as ap-southeast-1"));
    }
    Ok(format!("sts{}.{region}.aliyuncs.com", if vpc { "-vpc" } else { "" }))
}

/// A name that is safe in a path.
fn role_name(text: &str) -> Option<String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (!text.starts_with('.') && (1..=64).contains(&text.len()) && text.bytes().all(fits)).then(|| text.to_owned())
}

fn line(response: &Response<Bytes>) -> Result<&str, Fault> {
    let text = std::str::from_utf8(response.body()).ok().filter(|_| response.status().is_success());
    text.and_then(|text| text.lines().next()).map(str::trim).ok_or_else(|| unreadable(response))
}

fn fits_a_header(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

fn unusable(message: &str) -> Fault {
    Fault::new(Reason::Unauthorized, message)
}

/// An answer without what was asked for: its status, and its code where that is one.
fn unreadable(response: &Response<Bytes>) -> Fault {
    let status = response.status().as_u16();
    let body = json::object(response.body(), &NAMES).unwrap_or_default();
    // A body with keys in it may fail too; only a word that cannot be one is repeated.
    let plain = |code: &&str| code.len() <= 80 && code.bytes().all(|b| b.is_ascii_alphabetic() || b == b'.');
    let code = body.text("Code").filter(|code| *code != "Success" && plain(code));
    let what = code.map_or_else(|| "without the expected data".to_owned(), |code| format!("and code {code}"));
    Fault::new(Reason::Unavailable, format!("it answered with HTTP {status} {what}"))
}

#[cfg(test)]
mod tests;
