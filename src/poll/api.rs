//! How a credential's requests are built and what its lanes are granted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::budget::{Grant, Tier};
use crate::domain::metric::MetricSet;
use crate::domain::plan::{Fleet, Planned, Terms};
use crate::domain::target::Source;
use crate::settings::{Access, Credential, Settings};
use crate::source::Target;
use crate::source::cams::CamsTarget;
use crate::source::meta::{Graph, MetaTarget};

/// How often a token's health is read; Meta asks for a daily check.
const TOKEN_INTERVAL: Duration = Duration::from_hours(24);

/// How a credential's requests are built and paced.
#[derive(Clone, Debug)]
pub(super) enum Api {
    Meta { graph: Graph, grant: Grant },
    Cams { endpoint: Arc<str>, grant: Grant },
}

impl Api {
    /// What its lanes are granted.
    pub(super) fn grant(&self) -> Grant {
        match self {
            Self::Meta { grant, .. } | Self::Cams { grant, .. } => *grant,
        }
    }

    /// Where it is.
    pub(super) fn base_url(&self) -> &str {
        match self {
            Self::Meta { graph, .. } => &graph.base_url,
            Self::Cams { endpoint, .. } => endpoint,
        }
    }
}

/// The wire's view of a planned target, and what its lane is granted.
pub(super) fn target(apis: &HashMap<(Source, Arc<str>), Api>, planned: &Planned) -> Option<(Grant, Arc<dyn Target>)> {
    Some(match apis.get(&(planned.key.source, planned.key.credential.clone()))? {
        Api::Meta { graph, grant } => (*grant, Arc::new(MetaTarget::new(graph.clone(), planned.clone()))),
        Api::Cams { endpoint, grant } => (*grant, Arc::new(CamsTarget::new(endpoint.clone(), planned.clone()))),
    })
}

/// What a credential of the settings comes to.
pub(super) fn api(credential: &Credential) -> ((Source, Arc<str>), Api) {
    let grant = grant(&credential.access);
    let api = match &credential.access {
        Access::Meta { base_url, api_version, .. } => Api::Meta {
            graph: Graph { base_url: base_url.as_str().into(), version: api_version.as_str().into() },
            grant,
        },
        Access::Cams { endpoint, .. } => Api::Cams { endpoint: endpoint.as_str().into(), grant },
    };
    ((credential.access.source(), credential.name.clone()), api)
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

/// Everything that the settings ask for, the health of tokens included.
pub(super) fn fleet(settings: &Settings) -> Fleet {
    Fleet { tokens: settings.credentials.iter().filter_map(token).collect(), ..settings.fleet.clone() }
}

/// The terms of a token whose health can be read: once a day.
fn token(credential: &Credential) -> Option<Terms> {
    let Access::Meta { app_id: Some(_), app_secret: Some(_), .. } = &credential.access else { return None };
    Some(Terms {
        credential: credential.name.clone(),
        interval: TOKEN_INTERVAL,
        stale_after: 4 * TOKEN_INTERVAL,
        labels: Arc::new([]),
        metrics: MetricSet::NONE,
    })
}
