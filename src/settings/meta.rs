//! Meta: a credential, its accounts and its single campaigns.

use std::collections::BTreeMap;

use super::cascade::Cascade;
use super::choice::Campaigns;
use super::draft::Draft;
use super::leaf::{ApiVersion, BaseUrl, Digits, Extra, Share};
use super::raw;
use super::report::Place;
use super::secret::SecretKeys;
use super::{Access, Credential};
use crate::domain::plan::{IDS_PER_REQUEST, MetaAccount, MetaCampaign, Wanted};
use crate::domain::target::Level;

pub(super) const API_VERSION: &str = "v26.0";
pub(super) const BASE_URL: &str = "https://graph.facebook.com";
pub(super) const BUDGET: f64 = 0.75;

/// Adds a credential and its targets to the draft.
pub(super) fn read<'r>(
    at: &Place<'r>,
    raw: raw::Meta,
    base: Cascade,
    environment: &BTreeMap<String, String>,
    draft: &mut Draft<'r>,
) {
    let token = SecretKeys { stem: "token", inline: raw.token, file: raw.token_file, variable: raw.token_env };
    if token.is_absent() {
        at.problem("there is no token; write token_file, token_env or token");
    }
    let token = token.choose(at, environment);
    let app_secret = SecretKeys {
        stem: "app_secret",
        inline: raw.app_secret,
        file: raw.app_secret_file,
        variable: raw.app_secret_env,
    };
    if !raw.app_id.is_absent() && app_secret.is_absent() {
        at.key("app_id").problem("the app's secret is missing; write app_secret_file, or leave app_id out");
    }
    let app_secret = app_secret.choose(at, environment);
    let app_id = at.take("app_id", raw.app_id).map(|Digits(id)| id);
    let api_version =
        at.take("api_version", raw.api_version).map_or(API_VERSION.to_owned(), |ApiVersion(version)| version);
    let base_url = at.take("base_url", raw.base_url).unwrap_or_else(|| BaseUrl::known(BASE_URL));
    let budget = at.take("budget", raw.budget).map_or(BUDGET, |Share(share)| share);

    let mut base = base.with_interval(at, raw.interval).with_windows(at, raw.windows).with_labels(at, raw.labels);
    let extras = at.key("extra_metrics");
    for (_, Extra(word)) in extras.items(extras.open(raw.extra_metrics).unwrap_or_default()) {
        base.metrics = base.metrics.with_extra(&word).unwrap_or(base.metrics);
    }

    let target = |cascade: &Cascade, at: &Place<'_>| {
        if !base_url.is_loopback() {
            cascade.warn_of_haste(at);
        }
        cascade.terms(at)
    };
    if raw.accounts.is_absent() && raw.campaigns.is_absent() {
        at.warning("nothing is asked with this credential; add accounts or campaigns");
    }
    let accounts = at.key("accounts");
    for (at, raw) in accounts.items(accounts.open(raw.accounts).unwrap_or_default()) {
        let id = at.require("id", raw.id);
        let totals = at.take("totals", raw.totals).unwrap_or(true);
        let level = at.take("level", raw.level).unwrap_or(Level::Ad);
        let wanted = wanted(&at, raw.campaigns);
        let cascade =
            base.clone().with_interval(&at, raw.interval).with_windows(&at, raw.windows).with_labels(&at, raw.labels);
        let terms = target(&cascade, &at);
        if let Some(id) = id {
            let windows = cascade.windows;
            let ids_per_request = IDS_PER_REQUEST;
            let account = MetaAccount { id, totals, level, wanted, windows, ids_per_request, first_part: 0, terms };
            draft.accounts.push((at, account));
        }
    }
    let campaigns = at.key("campaigns");
    for (at, raw) in campaigns.items(campaigns.open(raw.campaigns).unwrap_or_default()) {
        let id = at.require("id", raw.id);
        let cascade =
            base.clone().with_interval(&at, raw.interval).with_windows(&at, raw.windows).with_labels(&at, raw.labels);
        let terms = target(&cascade, &at);
        if let Some(id) = id {
            draft.campaigns.push((at, MetaCampaign { id, windows: cascade.windows, terms }));
        }
    }
    if let Some(token) = token {
        let access = Access::Meta { token, app_id, app_secret, api_version, base_url, budget };
        draft.credentials.push(Credential { name: base.credential(), access });
    }
}

/// The campaigns that an account or channel is asked for.
pub(super) fn wanted(at: &Place<'_>, campaigns: super::entry::Entry<Campaigns>) -> Wanted {
    let at = at.key("campaigns");
    at.open(campaigns).map_or(Wanted::All, |campaigns| campaigns.wanted(&at))
}
