//! `plan`: what the configuration will cost, without calling anything.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Done, load, print};
use crate::cli::Flags;
use crate::domain::lane::LaneKey;
use crate::domain::plan::{Fleet, Wanted};
use crate::domain::target::{Source, account_label};
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

/// Lanes that are told one by one when the daemon starts.
const TOLD_LANES: usize = 20;

/// The plan in a few lines, for the start of the daemon: everything, then the fullest lanes.
pub(super) fn tell(settings: &Settings) {
    let (targets, lanes) = lanes(settings);
    let mut shares: Vec<_> = lanes.iter().map(|(lane, load)| (lane, load, allowance(settings, lane))).collect();
    let share = |load: &Load, allowance: f64| load.requests / allowance;
    shares.sort_by(|(_, one, of_one), (_, other, of_other)| share(other, *of_other).total_cmp(&share(one, *of_one)));
    let requests: f64 = shares.iter().map(|(_, load, _)| load.requests).sum();
    let allowances: f64 = shares.iter().map(|(.., allowance)| allowance).sum();
    let largest = shares.first().map_or(0.0, |(_, load, allowance)| share(load, *allowance));
    tracing::info!(
        targets,
        lanes = lanes.len(),
        requests_per_hour = tenths(requests),
        share = thousandths(requests / allowances),
        "marketing-messages-exporter {} is polling: {targets} targets in {} lanes, {requests:.1} requests an hour, \
         {:.1} % of the allowance, up to {:.1} % of a lane's",
        env!("CARGO_PKG_VERSION"),
        lanes.len(),
        100.0 * requests / allowances,
        100.0 * largest
    );
    for (lane, load, allowance) in shares.iter().take(TOLD_LANES) {
        let share = share(load, *allowance);
        tracing::info!(
            source = lane.source.label(),
            credential = %lane.credential,
            account_id = account_label(lane.account),
            targets = load.targets,
            requests_per_hour = tenths(load.requests),
            share = thousandths(share),
            "lane {}: {} targets, {:.1} requests an hour{}, {:.1} % of its allowance",
            name(lane),
            load.targets,
            load.requests,
            if load.open { " or more" } else { "" },
            100.0 * share
        );
    }
    if let Some((_, load, allowance)) = shares.get(TOLD_LANES) {
        let more = shares.len() - TOLD_LANES;
        let share = 100.0 * share(load, *allowance);
        tracing::info!(
            lanes = more,
            "and {more} lanes more, of up to {share:.1} % of their allowance; `plan` prints all"
        );
    }
}

fn tenths(number: f64) -> f64 {
    (10.0 * number).round() / 10.0
}

fn thousandths(number: f64) -> f64 {
    (1000.0 * number).round() / 1000.0
}

/// A lane as people see it: source, credential and account.
fn name(lane: &LaneKey) -> String {
    let account = lane.account.map_or_else(|| "-".to_owned(), |account| account.to_string());
    format!("{}/{}/{account}", lane.source.label(), lane.credential)
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
    (lanes.values().map(|load| load.targets).sum(), lanes)
}

fn forecast(settings: &Settings) -> anyhow::Result<String> {
    let (targets, lanes) = lanes(settings);
    let mut text = String::from("lane                                      targets  requests/h  allowance/h  share\n");
    let mut crowded = Vec::new();
    for (lane, load) in &lanes {
        let name = name(lane);
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
    let accounts = fleet.accounts.iter().filter(|account| !matches!(account.wanted, Wanted::Only(_)));
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
            Wanted::All | Wanted::Matching(_) => each = each.max(row * account.windows.len()),
            Wanted::Only(ids) => known += ids.len() * row * account.windows.len(),
        }
    }
    for campaign in &fleet.campaigns {
        known += (campaign.terms.metrics.iter().count() + 2) * campaign.windows.len();
    }
    for channel in &fleet.channels {
        let row = channel.terms.metrics.iter().count() + 2;
        match &channel.wanted {
            Wanted::All | Wanted::Matching(_) => each = each.max(row),
            Wanted::Only(ids) => known += ids.len() * row,
        }
    }
    let open = if each > 0 { format!(", and up to {each} for each campaign that is listed") } else { String::new() };
    format!("expected series: {known} for the campaigns that are named{open}")
}
