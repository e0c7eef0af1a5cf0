//! From settings to what the engine is to poll.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::budget::{Grant, Tier};
use crate::domain::fleet::{Fleet, PollTerms};
use crate::domain::freshness::Staleness;
use crate::domain::metric::MetricSet;
use crate::domain::status::Expiry;
use crate::domain::target::CredentialId;
use crate::engine::{CredentialPlan, PollPlan};
use crate::settings::{Access, CredentialSettings, Settings};
use crate::source::Api;
use crate::source::cams::Cams;
use crate::source::meta::Graph;

/// How often a token's health is read; Meta asks for a daily check.
const TOKEN_INTERVAL: Duration = Duration::from_hours(24);

/// What settings ask for. `changed` are the credentials whose settings differ from those before.
pub fn poll_plan(settings: &Settings, changed: BTreeSet<CredentialId>) -> PollPlan {
    PollPlan {
        fleet: Fleet { tokens: settings.credentials.iter().filter_map(token).collect(), ..settings.fleet.clone() },
        credentials: settings.credentials.iter().map(credential_plan).collect(),
        changed,
        concurrency: settings.poll.concurrency,
        max_series: settings.max_series,
    }
}

fn credential_plan(credential: &CredentialSettings) -> CredentialPlan {
    let api: Arc<dyn Api> = match &credential.access {
        Access::Meta { base_url, api_version, .. } => {
            Arc::new(Graph { base_url: base_url.as_str().into(), version: api_version.as_str().into() })
        }
        Access::Cams { endpoint, .. } => Arc::new(Cams { endpoint: endpoint.as_str().into() }),
    };
    let (grant, expiry) = (grant(&credential.access), expiry(&credential.access));
    CredentialPlan { id: credential.id(), api, grant, expiry }
}

/// What each lane of a credential is granted before anything was heard.
pub fn grant(access: &Access) -> Grant {
    match access {
        Access::Meta { base_url, budget, tier, .. } => Grant::Account {
            share: *budget,
            // An API on loopback is a simulated one: until its headers tell of an allowance, there is none.
            assumed: tier.unwrap_or(if base_url.is_loopback() { Tier::Full } else { Tier::Limited }),
            configured: tier.is_some(),
        },
        Access::Cams { requests_per_second, .. } => Grant::Rate { per_second: *requests_per_second },
    }
}

/// What can be known of the end of a credential's token.
fn expiry(access: &Access) -> Expiry {
    match access {
        // `debug_token` answers the app alone, so both are needed.
        Access::Meta { app_id: Some(_), app_secret: Some(_), .. } => Expiry::Awaited,
        Access::Meta { .. } => Expiry::Unknown,
        Access::Cams { .. } => Expiry::None,
    }
}

/// The terms of a token whose health can be read: once a day.
fn token(credential: &CredentialSettings) -> Option<PollTerms> {
    (expiry(&credential.access) == Expiry::Awaited).then(|| PollTerms {
        credential: credential.id(),
        interval: TOKEN_INTERVAL,
        staleness: Staleness::FollowsInterval,
        labels: Arc::new([]),
        metrics: MetricSet::NONE,
    })
}
