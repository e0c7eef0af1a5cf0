//! `plan`: what the configuration will cost, without calling anything.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Done, load, print};
use crate::cli::Flags;
use crate::domain::lane::LaneKey;
use crate::domain::plan::{Fleet, Wanted};
use crate::domain::target::Source;
use crate::settings::{Access, Settings};
use crate::source::meta::PAGE_LIMIT;

/// Insights calls an hour that Meta grants an ad account on its lower tier, before its active ads
/// add to it.
const LIMITED_TIER: f64 = 600.0;

/// What a lane is asked for.
#[derive(Debug, Default)]
struct Load {
    targets: usize,
    requests: f64,
    /// Whether a listing decides how many requests there really are.
    open: bool,
}

/// Prints targets, requests an hour by lane, the share of the allowance, and the series.
pub fn plan(flags: &Flags) -> anyhow::Result<Done> {
    let settings = load(flags)?;
    print(&forecast(&settings)?)?;
    Ok(Done::Well)
}

/// The plan in one line, for the start of the daemon.
pub(super) fn tell(settings: &Settings) {
    let (targets, lanes) = lanes(settings);
    let requests: f64 = lanes.values().map(|load| load.requests).sum();
    let share = lanes.iter().map(|(lane, load)| load.requests / allowance(settings, lane)).fold(0.0, f64::max);
    tracing::info!(
        targets,
        lanes = lanes.len(),
        "marketing-messages-exporter {} is polling: {targets} targets in {} lanes, {requests:.1} requests an hour, up to {:.1} % of a lane's allowance",
        env!("CARGO_PKG_VERSION"),
        lanes.len(),
        100.0 * share
    );
}

/// How many targets there are, and what each lane is asked for.
fn lanes(settings: &Settings) -> (usize, BTreeMap<LaneKey, Load>) {
    let planned = settings.fleet.targets(|_| Vec::new());
    let mut lanes: BTreeMap<LaneKey, Load> = BTreeMap::new();
    for target in &planned {
        let load = lanes.entry(LaneKey::of(&target.key)).or_default();
        load.targets += usize::from(!target.key.subject.is_discovery());
        load.requests += 3600.0 / target.terms.interval.as_secs_f64();
    }
    mark_open(&settings.fleet, &mut lanes);
    (planned.len(), lanes)
}

fn forecast(settings: &Settings) -> anyhow::Result<String> {
    let (targets, lanes) = lanes(settings);
    let mut text = String::from("lane                                      targets  requests/h  allowance/h  share\n");
    let mut crowded = Vec::new();
    for (lane, load) in &lanes {
        let account = lane.account.map_or_else(|| "-".to_owned(), |account| account.to_string());
        let name = format!("{}/{}/{account}", lane.source.label(), lane.credential);
        let allowance = allowance(settings, lane);
        let share = load.requests / allowance;
        let more = if load.open { "+" } else { " " };
        writeln!(
            text,
            "{name:<41} {:>7} {:>10.1}{more} {allowance:>12.0} {:>5.1}%",
            load.targets,
            load.requests,
            100.0 * share
        )?;
        if share > 1.0 {
            crowded.push((name, share));
        }
    }
    let requests: f64 = lanes.values().map(|load| load.requests).sum();
    writeln!(text, "\n{} targets in {} lanes, {requests:.1} requests an hour", targets, lanes.len())?;
    writeln!(text, "{}", series(&settings.fleet))?;
    if lanes.values().any(|load| load.open) {
        writeln!(
            text,
            "+ counts one page (up to {PAGE_LIMIT} campaigns) for each account of which all campaigns are wanted; CAMS adds a request per campaign and interval"
        )?;
    }
    writeln!(
        text,
        "allowance/h is what the budget leaves of Meta's lower tier without active ads, or of requests_per_second"
    )?;
    for (name, share) in crowded {
        writeln!(
            text,
            "{name}: the wanted interval does not fit; it takes intervals {share:.1} times as long, fewer windows, or a higher tier"
        )?;
    }
    for warning in &settings.warnings {
        writeln!(text, "warning: {warning}")?;
    }
    Ok(text)
}

/// Lanes of which a listing decides the number of campaigns.
fn mark_open(fleet: &Fleet, lanes: &mut BTreeMap<LaneKey, Load>) {
    let accounts = fleet.accounts.iter().filter(|account| account.wanted == Wanted::All);
    let meta = accounts.map(|account| (Source::Meta, account.terms.credential.clone(), Some(account.id)));
    let channels = fleet.channels.iter().filter(|channel| channel.wanted == Wanted::All);
    let cams = channels.map(|channel| (Source::Cams, channel.terms.credential.clone(), None));
    for (source, credential, account) in meta.chain(cams) {
        if let Some(load) = lanes.get_mut(&LaneKey { source, credential, account }) {
            load.open = true;
        }
    }
}

fn allowance(settings: &Settings, lane: &LaneKey) -> f64 {
    let credential = settings
        .credentials
        .iter()
        .find(|credential| credential.name == lane.credential && credential.access.source() == lane.source);
    match credential.map(|credential| &credential.access) {
        Some(Access::Meta { budget, .. }) => LIMITED_TIER * budget,
        Some(Access::Cams { requests_per_second, .. }) => 3600.0 * requests_per_second,
        None => f64::INFINITY,
    }
}

/// Samples per campaign and window: the families that are on, and both ends of the window.
fn series(fleet: &Fleet) -> String {
    let mut known = 0;
    let mut each = 0;
    for account in &fleet.accounts {
        let row = account.terms.metrics.iter().count() + 2;
        match &account.wanted {
            Wanted::All => each = each.max(row * account.windows.len()),
            Wanted::Only(ids) => known += ids.len() * row * account.windows.len(),
        }
    }
    for campaign in &fleet.campaigns {
        known += (campaign.terms.metrics.iter().count() + 2) * campaign.windows.len();
    }
    for channel in &fleet.channels {
        let row = channel.terms.metrics.iter().count() + 2;
        match &channel.wanted {
            Wanted::All => each = each.max(row),
            Wanted::Only(ids) => known += ids.len() * row,
        }
    }
    let open = if each > 0 { format!(", and up to {each} for each campaign that is listed") } else { String::new() };
    format!("expected series: {known} for the campaigns that are named{open}")
}
