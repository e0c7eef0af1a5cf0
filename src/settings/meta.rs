//! Meta: a credential, its accounts and its single campaigns.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::address::BaseUrl;
use super::cascade::Cascade;
use super::choice::CampaignState;
use super::defaults;
use super::draft::Draft;
use super::entry::Entry;
use super::leaf::{ApiVersion, Digits, Extra, Share};
use super::raw;
use super::raw::AccountCampaigns;
use super::report::Location;
use super::secret::SecretKeys;
use super::{Access, CredentialSettings};
use crate::clock;
use crate::domain::api_version;
use crate::domain::filter::Filter;
use crate::domain::fleet::{FleetAccount, FleetCampaign, WantedCampaigns};
use crate::domain::target::{Level, Source};

/// Adds a credential and its targets to the draft.
pub(super) fn read<'r>(
    at: &Location<'r>,
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
    let watched = app_id.is_some() && app_secret.is_some();
    let api_version = at
        .take("api_version", raw.api_version)
        .map_or(defaults::META_API_VERSION.to_owned(), |ApiVersion(version)| version);
    let today = clock::wall().to_zoned(TimeZone::UTC).date();
    if let Some(warning) = api_version::warning(&api_version, today) {
        at.key("api_version").warning(warning);
    }
    let base_url = at.take("base_url", raw.base_url).unwrap_or_else(|| BaseUrl::known(defaults::META_BASE_URL));
    // A simulated API's tokens are nobody's worry.
    if !watched && !base_url.is_loopback() {
        at.key("app_id").warning("without app_id and app_secret nothing warns before the token expires; set both");
    }
    let budget = at.take("budget", raw.budget).map_or(defaults::META_BUDGET, |Share(share)| share);
    let tier = at.take("tier", raw.tier);

    let mut base = base.with_interval(at, raw.interval).with_windows(at, raw.windows).with_labels(at, raw.labels);
    let extras = at.key("extra_metrics");
    for (_, Extra(word)) in extras.items(extras.open(raw.extra_metrics).unwrap_or_default()) {
        base.metrics = base.metrics.with_extra(&word).unwrap_or(base.metrics);
    }

    let target = |cascade: &Cascade, at: &Location<'_>| {
        cascade.warn_of_windows(at, today);
        if !base_url.is_loopback() {
            cascade.warn_of_haste(at);
        }
        cascade.terms(Source::META, at)
    };
    if raw.accounts.is_absent() && raw.campaigns.is_absent() {
        at.warning("nothing is polled with this credential; add accounts or campaigns");
    }
    let accounts = at.key("accounts");
    for (at, raw) in accounts.items(accounts.open(raw.accounts).unwrap_or_default()) {
        let id = at.require("id", raw.id);
        let totals = at.take("totals", raw.totals).unwrap_or(true);
        let level = at.take("level", raw.level).unwrap_or(Level::Ad);
        let wanted = wanted(&at, level, raw.campaigns);
        let cascade =
            base.clone().with_interval(&at, raw.interval).with_windows(&at, raw.windows).with_labels(&at, raw.labels);
        let terms = target(&cascade, &at);
        if let Some(id) = id {
            let windows = cascade.windows;
            let apart = Vec::new();
            let account = FleetAccount { id, totals, level, wanted, windows, apart, first_part: 0, terms };
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
            draft.campaigns.push((at, FleetCampaign { id, windows: cascade.windows, terms }));
        }
    }
    // Read to the end even without one: its accounts may have problems of their own to report.
    if let Some(token) = token {
        let access = Access::Meta { token, app_id, app_secret, api_version, base_url, budget, tier };
        draft.credentials.push(CredentialSettings { name: base.credential(), access });
    }
}

/// The campaigns that an account is asked for.
fn wanted(at: &Location<'_>, level: Level, campaigns: Entry<AccountCampaigns>) -> WantedCampaigns {
    let at = at.key("campaigns");
    match at.open(campaigns) {
        None => WantedCampaigns::All,
        Some(AccountCampaigns::Listed(listed)) => listed.wanted(&at),
        Some(AccountCampaigns::Filter(raw)) => {
            filter(&at, level, *raw).map_or(WantedCampaigns::All, WantedCampaigns::Matching)
        }
    }
}

/// What a filter means at a level, which decides whose states are meant.
fn filter(at: &Location<'_>, level: Level, raw: raw::Filter) -> Option<Filter> {
    if raw.name.is_absent() && raw.status.is_absent() {
        at.problem("a filter without name and status matches everything; write one of them, or all");
        return None;
    }
    let name = at.take("name", raw.name);
    let at = at.key("status");
    let mut states = BTreeSet::new();
    let given = at.open(raw.status);
    // An empty list would match nothing, or everything: whoever typed it has to say which.
    if given.as_ref().is_some_and(Vec::is_empty) {
        at.problem("the list is empty; add a status, or remove the key");
    }
    for (at, CampaignState(state)) in at.items(given.unwrap_or_default()) {
        if !level.states().contains(&state) {
            let known = level.states().join(", ");
            at.problem(format!("{state} is a status of ads only, but the level is campaign; write one of {known}"));
        }
        if !states.insert(state) {
            at.problem(format!("{state} is listed twice; remove one of them"));
        }
    }
    Some(Filter { name, states })
}
