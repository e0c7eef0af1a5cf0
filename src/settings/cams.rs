//! Alibaba Cloud CAMS: a credential and its channels.

use std::collections::BTreeMap;

use super::address::BaseUrl;
use super::cascade::Cascade;
use super::choice::ChannelCampaigns;
use super::defaults::{self, CAMS_REGION};
use super::draft::Draft;
use super::entry::Entry;
use super::leaf::{DefaultChain, RequestsPerSecond, Space};
use super::raw;
use super::report::Location;
use super::secret::SecretKeys;
use super::{Access, AccessKeySource, CredentialSettings};
use crate::domain::fleet::{FleetChannel, WantedCampaigns};
use crate::domain::metric::MetricSet;
use crate::domain::target::Source;

/// Adds a credential and its targets to the draft.
pub(super) fn read<'r>(
    at: &Location<'r>,
    raw: raw::Cams,
    base: Cascade,
    environment: &BTreeMap<String, String>,
    draft: &mut Draft<'r>,
) {
    let id = SecretKeys {
        stem: "access_key_id",
        inline: raw.access_key_id,
        file: raw.access_key_id_file,
        variable: raw.access_key_id_env,
    };
    let secret = SecretKeys {
        stem: "access_key_secret",
        inline: raw.access_key_secret,
        file: raw.access_key_secret_file,
        variable: raw.access_key_secret_env,
    };
    let security_token = SecretKeys {
        stem: "security_token",
        inline: raw.security_token,
        file: raw.security_token_file,
        variable: raw.security_token_env,
    };
    let keys = keys(at, [id, secret, security_token], raw.credentials, environment);
    let endpoint = at.take("endpoint", raw.endpoint).unwrap_or_else(|| BaseUrl::known(defaults::CAMS_ENDPOINT));
    // A warning: other regions may open, and the vendor's page would be the last to say so.
    if !endpoint.is_loopback() && !endpoint.as_str().contains(CAMS_REGION) {
        at.key("endpoint")
            .warning(format!("according to its documentation, CAMS provides these figures only in {CAMS_REGION}"));
    }
    let requests_per_second = at
        .take("requests_per_second", raw.requests_per_second)
        .map_or(defaults::CAMS_REQUESTS_PER_SECOND, |RequestsPerSecond(r)| r);

    let mut base = base.with_interval(at, raw.interval).with_labels(at, raw.labels);
    // CAMS has neither windows nor extra metrics: what it passes on is fixed.
    base.metrics = MetricSet::cams();
    if raw.channels.is_absent() {
        at.warning("nothing is polled with this credential; add channels");
    }
    let channels = at.key("channels");
    for (at, raw) in channels.items(channels.open(raw.channels).unwrap_or_default()) {
        let space = at.require("cust_space_id", raw.cust_space_id);
        let page = at.require("page_id", raw.page_id);
        let account = at.require("ad_account_id", raw.ad_account_id);
        let currency = at.take("currency", raw.currency);
        let wanted = chosen(&at, raw.campaigns);
        let terms = base.clone().with_interval(&at, raw.interval).with_labels(&at, raw.labels).terms(Source::CAMS, &at);
        if let (Some(Space(space)), Some(page), Some(account)) = (space, page, account) {
            draft.channels.push((at, FleetChannel { space, page, account, currency, wanted, terms }));
        }
    }
    if let Some(keys) = keys {
        let access = Access::Cams { keys, endpoint, requests_per_second };
        draft.credentials.push(CredentialSettings { name: base.credential(), access });
    }
}

/// The access keys: of the configuration, or the default credentials.
fn keys(
    at: &Location<'_>,
    [id, secret, security_token]: [SecretKeys<'_>; 3],
    credentials: Entry<DefaultChain>,
    environment: &BTreeMap<String, String>,
) -> Option<AccessKeySource> {
    const STATIC: &str = "access_key_id_file and access_key_secret_file (or _env)";

    let chain = !credentials.is_absent();
    let parts = [&id, &secret, &security_token].map(|part| !part.is_absent());
    match (chain, parts) {
        (true, [false, false, false]) | (false, [true, true, _]) => {}
        (true, _) => at.problem("access keys and credentials are both given; keep one of them"),
        (false, [false, false, _]) => {
            at.problem(format!("there are no access keys; write {STATIC}, or credentials: default"));
        }
        (false, [true, false, _]) => at.problem("the access key's secret is missing; write access_key_secret_file"),
        (false, [false, true, _]) => at.problem("the access key's id is missing; write access_key_id_file"),
    }
    let default = at.take("credentials", credentials).map(|DefaultChain| {
        // Kept with the settings, so that a reload notices that they changed.
        let ours = environment.iter().filter(|(name, _)| name.starts_with("ALIBABA_CLOUD_"));
        AccessKeySource::Default(ours.map(|(name, value)| (name.clone(), value.as_str().into())).collect())
    });
    let [id, secret, security_token] = [id, secret, security_token].map(|part| part.choose(at, environment));
    default.or_else(|| Some(AccessKeySource::Static { id: id?, secret: secret?, security_token }))
}

/// The campaigns that a channel is asked for.
fn chosen(at: &Location<'_>, campaigns: Entry<ChannelCampaigns>) -> WantedCampaigns {
    let at = at.key("campaigns");
    at.open(campaigns).map_or(WantedCampaigns::All, |listed| listed.wanted(&at))
}
