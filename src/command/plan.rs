//! `plan`: what the configuration will cost, without calling anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Done, load, print};
use crate::cli::Flags;
use crate::daemon::poll_plan::grant;
use crate::domain::budget::{Basis, BelievedTier, Budget};
use crate::domain::counted::counted;
use crate::domain::fleet::{Fleet, WantedCampaigns};
use crate::domain::lane::LaneKey;
use crate::domain::target::{Source, Window, account_label};
use crate::settings::{CredentialSettings, Settings};
use crate::source::meta::PAGE_LIMIT;

/// What a lane is asked for.
#[derive(Debug)]
struct LaneDemand {
    targets: usize,
    requests: f64,
    /// Whether a listing decides how many requests there really are.
    open: bool,
    /// Requests an hour that its budget allows, as the daemon judges before the first answer.
    allowance: f64,
    tier: Option<BelievedTier>,
}

impl LaneDemand {
    fn new(settings: &Settings, lane: &LaneKey) -> Self {
        let ours = |one: &&CredentialSettings| one.name == lane.credential && one.access.source() == lane.source;
        let budget = settings.credentials.iter().find(ours).map(|credential| Budget::new(grant(&credential.access)));
        Self {
            targets: 0,
            requests: 0.0,
            open: false,
            allowance: budget.as_ref().map_or(f64::INFINITY, Budget::allowance),
            tier: budget.as_ref().and_then(Budget::tier),
        }
    }

    /// What is wanted of what the budget allows.
    fn share(&self) -> f64 {
        self.requests / self.allowance
    }

    /// What the share rests on, where that is not known.
    fn doubt(&self) -> Option<String> {
        self.tier.filter(|tier| tier.basis != Basis::Told).map(BelievedTier::sentence)
    }
}

/// Prints targets, requests an hour by lane, the share of the allowance, and the series.
pub fn plan(flags: &Flags) -> anyhow::Result<Done> {
    let settings = load(flags)?;
    print(&forecast(&settings)?)?;
    Ok(Done::Well)
}

/// Lanes that are listed one by one when the daemon starts.
const MAX_LISTED_LANES: usize = 20;

/// The plan in a few lines, for the start of the daemon: everything, then the fullest lanes.
pub(super) fn tell(settings: &Settings) {
    let (targets, lanes) = lanes(settings);
    let mut fullest: Vec<_> = lanes.iter().collect();
    fullest.sort_by(|(_, one), (_, other)| other.share().total_cmp(&one.share()));
    let requests: f64 = lanes.values().map(|load| load.requests).sum();
    let share = requests / lanes.values().map(|load| load.allowance).sum::<f64>();
    let largest = fullest.first().map_or(0.0, |(_, load)| load.share());
    tracing::info!(
        targets,
        lanes = lanes.len(),
        requests_per_hour = tenths(requests),
        share = thousandths(share),
        "marketing-messages-exporter {} is polling: {} in {}, {requests:.1} requests an hour, \
         {:.1} % of the allowance, up to {:.1} % of a lane's{}",
        env!("CARGO_PKG_VERSION"),
        counted(targets, "target"),
        counted(lanes.len(), "lane"),
        100.0 * share,
        100.0 * largest,
        in_doubt(lanes.values())
    );
    for (lane, load) in fullest.iter().take(MAX_LISTED_LANES) {
        tracing::info!(
            source = lane.source.label(),
            credential = %lane.credential,
            account_id = account_label(lane.account),
            targets = load.targets,
            requests_per_hour = tenths(load.requests),
            allowance_per_hour = tenths(load.allowance),
            share = thousandths(load.share()),
            "lane {lane}: {}, {:.1} requests an hour{}, {:.1} % of its allowance{}",
            counted(load.targets, "target"),
            load.requests,
            if load.open { " or more" } else { "" },
            100.0 * load.share(),
            in_doubt([*load])
        );
    }
    if let Some((_, load)) = fullest.get(MAX_LISTED_LANES) {
        let more = fullest.len() - MAX_LISTED_LANES;
        let share = 100.0 * load.share();
        tracing::info!(
            lanes = more,
            "and {}, of up to {share:.1} % of their allowance; `plan` prints all",
            counted(more, "more lane")
        );
    }
}

/// What shares rest on, where that is not known: ` (unknown until ...)`.
fn in_doubt<'l>(loads: impl IntoIterator<Item = &'l LaneDemand>) -> String {
    let doubts: BTreeSet<_> = loads.into_iter().filter_map(LaneDemand::doubt).collect();
    if doubts.is_empty() { String::new() } else { format!(" ({})", Vec::from_iter(doubts).join("; ")) }
}

fn tenths(number: f64) -> f64 {
    (10.0 * number).round() / 10.0
}

fn thousandths(number: f64) -> f64 {
    (1000.0 * number).round() / 1000.0
}

/// `4 targets`, and what there is no number of yet.
pub(super) fn target_count(settings: &Settings) -> String {
    let (targets, lanes) = lanes(settings);
    let more = if lanes.values().any(|load| load.open) && lanes.keys().any(|lane| lane.source == Source::CAMS) {
        ", and one for each campaign that CAMS lists"
    } else {
        ""
    };
    format!("{}{more}", counted(targets, "target"))
}

/// How many targets there are, and what each lane is asked for.
fn lanes(settings: &Settings) -> (usize, BTreeMap<LaneKey, LaneDemand>) {
    let planned = settings.fleet.targets(|_| Vec::new());
    let mut lanes: BTreeMap<LaneKey, LaneDemand> = BTreeMap::new();
    for target in &planned {
        let lane = LaneKey::of(&target.key);
        let load = lanes.entry(lane.clone()).or_insert_with(|| LaneDemand::new(settings, &lane));
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
        let (name, allowance, share) = (lane.to_string(), load.allowance, load.share());
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
    let (targets, number) = (counted(targets, "target"), counted(lanes.len(), "lane"));
    writeln!(text, "\n{targets} in {number}, {requests:.1} requests an hour")?;
    writeln!(text, "{}", series(&settings.fleet))?;
    if lanes.values().any(|load| load.open) {
        writeln!(
            text,
            "+ counts one page (up to {PAGE_LIMIT} campaigns) for each account that polls all campaigns or those of a filter; CAMS adds a request per campaign and interval"
        )?;
    }
    writeln!(
        text,
        "allowance/h is what the budget leaves of requests_per_second, or of Meta's tier before active ads add to it"
    )?;
    let doubts: BTreeSet<_> =
        lanes.iter().filter_map(|(lane, load)| Some((lane.credential.clone(), load.doubt()?))).collect();
    for (credential, doubt) in doubts {
        writeln!(text, "meta/{credential}: the allowance is {doubt}")?;
    }
    for (name, share) in crowded {
        writeln!(
            text,
            "{name}: the configured interval does not fit; use one {share:.1} times as long, fewer windows, or a higher tier"
        )?;
    }
    for warning in &settings.warnings {
        writeln!(text, "warning: {warning}")?;
    }
    Ok(text)
}

/// Lanes of which a listing decides the number of campaigns.
fn mark_open(fleet: &Fleet, lanes: &mut BTreeMap<LaneKey, LaneDemand>) {
    let accounts = fleet.accounts.iter().filter(|account| !matches!(account.wanted, WantedCampaigns::Only(_)));
    let accounts = accounts.map(|account| (&account.terms.credential, account.id));
    let channels = fleet.channels.iter().filter(|channel| channel.wanted == WantedCampaigns::All);
    let channels = channels.map(|channel| (&channel.terms.credential, channel.account));
    for (credential, account) in accounts.chain(channels) {
        if let Some(load) = lanes.get_mut(&LaneKey::new(credential.clone(), Some(account))) {
            load.open = true;
        }
    }
}

/// Samples of each campaign: the families that are on in each window, and both ends of the windows
/// that begin with it. Those of the other windows are few: one pair for a whole account.
fn series(fleet: &Fleet) -> String {
    let ends = |window: &Window| if window.begins_with_campaign() { 2 } else { 0 };
    let row = |metrics: usize, windows: &[Window]| windows.iter().map(|window| metrics + ends(window)).sum::<usize>();
    let mut known = 0;
    let mut each = 0;
    for account in &fleet.accounts {
        let row = row(account.terms.metrics.iter().count(), &account.windows);
        match &account.wanted {
            WantedCampaigns::All | WantedCampaigns::Matching(_) => each = each.max(row),
            WantedCampaigns::Only(ids) => known += ids.len() * row,
        }
    }
    for campaign in &fleet.campaigns {
        known += row(campaign.terms.metrics.iter().count(), &campaign.windows);
    }
    for channel in &fleet.channels {
        let row = row(channel.terms.metrics.iter().count(), &[Window::Unspecified]);
        match &channel.wanted {
            WantedCampaigns::All | WantedCampaigns::Matching(_) => each = each.max(row),
            WantedCampaigns::Only(ids) => known += ids.len() * row,
        }
    }
    let open = if each > 0 { format!(", and up to {each} for each campaign found") } else { String::new() };
    format!("expected series: {known} for the campaigns listed by id{open}")
}
