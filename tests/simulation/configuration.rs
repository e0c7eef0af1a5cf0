//! Configurations that a seed grows and changes, and what they ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::dice::Dice;

pub(crate) type Labels = BTreeMap<String, String>;

/// Everything that is configured.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    pub(crate) interval: Duration,
    pub(crate) stale_after: Option<Duration>,
    pub(crate) meta: Vec<Meta>,
    pub(crate) cams: Vec<Cams>,
}

#[derive(Clone, Debug)]
pub(crate) struct Meta {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) windows: Vec<String>,
    pub(crate) extra: BTreeSet<String>,
    pub(crate) labels: Labels,
    pub(crate) interval: Option<Duration>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) campaigns: Vec<Single>,
}

#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: u64,
    pub(crate) totals: bool,
    /// All of them, or those listed.
    pub(crate) only: Option<BTreeSet<u64>>,
    pub(crate) windows: Option<Vec<String>>,
    pub(crate) interval: Option<Duration>,
    pub(crate) labels: Labels,
}

#[derive(Clone, Debug)]
pub(crate) struct Single {
    pub(crate) id: u64,
    pub(crate) interval: Option<Duration>,
    pub(crate) labels: Labels,
}

#[derive(Clone, Debug)]
pub(crate) struct Cams {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) interval: Option<Duration>,
    pub(crate) channels: Vec<Channel>,
}

#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) space: String,
    pub(crate) page: u64,
    pub(crate) account: u64,
    pub(crate) only: Option<BTreeSet<u64>>,
    pub(crate) labels: Labels,
}

/// On which terms a campaign is asked for in a window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Terms {
    pub(crate) credential: String,
    pub(crate) interval: Duration,
    pub(crate) labels: Labels,
    pub(crate) stale_after: Option<Duration>,
}

impl Terms {
    /// How long a sample may outlive its answer.
    pub(crate) fn staleness(&self) -> Duration {
        self.stale_after.unwrap_or((4 * self.interval).max(Duration::from_hours(1)))
    }
}

impl Meta {
    /// The accounts that anything is asked of.
    pub(crate) fn touched(&self) -> impl Iterator<Item = u64> {
        let single = self.campaigns.iter().map(|single| single.id / 1_000_000);
        self.accounts.iter().map(|account| account.id).chain(single)
    }
}

fn seconds(span: Duration) -> Value {
    json!(format!("{}s", span.as_secs()))
}

fn texts(ids: &BTreeSet<u64>) -> Value {
    json!(ids.iter().map(u64::to_string).collect::<Vec<_>>())
}

impl Configuration {
    /// As a file; tokens are files of that folder.
    pub(crate) fn text(&self, folder: &str) -> String {
        let windows = |names: &[String]| {
            let custom = |name: &String| match name.as_str() {
                "spring" => json!({"name": "spring", "since": "2026-03-01", "until": "2026-05-31"}),
                name => json!(name),
            };
            json!(names.iter().map(custom).collect::<Vec<_>>())
        };
        let mut poll = Map::from_iter([("interval".to_owned(), seconds(self.interval))]);
        poll.extend(self.stale_after.map(|after| ("stale_after".to_owned(), seconds(after))));
        let mut meta = Map::new();
        for one in &self.meta {
            let accounts = one.accounts.iter().map(|account| {
                let mut value =
                    json!({"id": account.id.to_string(), "totals": account.totals, "labels": account.labels});
                let only = account.only.as_ref().map(texts);
                value["campaigns"] = only.unwrap_or(json!("all"));
                account.windows.iter().for_each(|names| value["windows"] = windows(names));
                account.interval.iter().for_each(|interval| value["interval"] = seconds(*interval));
                value
            });
            let campaigns = one.campaigns.iter().map(|single| {
                let mut value = json!({"id": single.id.to_string(), "labels": single.labels});
                single.interval.iter().for_each(|interval| value["interval"] = seconds(*interval));
                value
            });
            let mut value = json!({
                "token_file": format!("{folder}/{}.token", one.name), "api_version": one.version,
                "windows": windows(&one.windows), "labels": one.labels, "extra_metrics": one.extra,
                "accounts": accounts.collect::<Vec<_>>(), "campaigns": campaigns.collect::<Vec<_>>(),
            });
            one.interval.iter().for_each(|interval| value["interval"] = seconds(*interval));
            meta.insert(one.name.clone(), value);
        }
        let mut cams = Map::new();
        for one in &self.cams {
            let channels = one.channels.iter().map(|channel| {
                json!({"cust_space_id": channel.space, "page_id": channel.page.to_string(),
                    "ad_account_id": channel.account.to_string(), "labels": channel.labels,
                    "campaigns": channel.only.as_ref().map_or(json!("all"), texts)})
            });
            let mut value = json!({
                "access_key_id_file": format!("{folder}/{}.id", one.name),
                "access_key_secret_file": format!("{folder}/{}.secret", one.name),
                "labels": one.labels, "channels": channels.collect::<Vec<_>>(),
            });
            one.interval.iter().for_each(|interval| value["interval"] = seconds(*interval));
            cams.insert(one.name.clone(), value);
        }
        let mut whole = json!({"poll": poll});
        if !meta.is_empty() {
            whole["meta"] = Value::Object(meta);
        }
        if !cams.is_empty() {
            whole["cams"] = Value::Object(cams);
        }
        serde_json::to_string_pretty(&whole).unwrap()
    }

    /// On which terms campaigns are asked for, given whose they are.
    pub(crate) fn wants(&self, source: &str, account: u64, campaign: u64, window: &str) -> Option<Terms> {
        let terms = |credential: &str, intervals: [Option<Duration>; 2], labels: [&Labels; 2]| Terms {
            credential: credential.to_owned(),
            interval: intervals.into_iter().flatten().next().unwrap_or(self.interval),
            labels: labels.into_iter().rev().flat_map(Clone::clone).collect(),
            stale_after: self.stale_after,
        };
        if source == "cams" {
            return self.cams.iter().find_map(|one| {
                let of = one.channels.iter().filter(|channel| channel.account == account && window == "unspecified");
                let mut of = of.filter(|channel| channel.only.as_ref().is_none_or(|only| only.contains(&campaign)));
                of.next().map(|channel| terms(&one.name, [None, one.interval], [&channel.labels, &one.labels]))
            });
        }
        self.meta.iter().find_map(|one| {
            let single = one.campaigns.iter().find(|single| single.id == campaign);
            let single = single.filter(|_| one.windows.iter().any(|name| name == window));
            if let Some(single) = single {
                return Some(terms(&one.name, [single.interval, one.interval], [&single.labels, &one.labels]));
            }
            let of = one.accounts.iter().find(|other| other.id == account)?;
            let windows = of.windows.as_ref().unwrap_or(&one.windows);
            let wanted = of.only.as_ref().is_none_or(|only| only.contains(&campaign));
            (wanted && windows.iter().any(|name| name == window))
                .then(|| terms(&one.name, [of.interval, one.interval], [&of.labels, &one.labels]))
        })
    }

    /// Names of windows that anybody is asked for.
    pub(crate) fn windows(&self) -> BTreeSet<String> {
        let meta = self.meta.iter().flat_map(|one| {
            one.windows.iter().chain(one.accounts.iter().flat_map(|account| account.windows.iter().flatten()))
        });
        meta.cloned().chain([String::from("unspecified")]).collect()
    }
}

pub(crate) fn some_labels(dice: &mut Dice) -> Labels {
    let teams = ["growth", "north \"x\"", "süd"];
    let label = |dice: &mut Dice| ("team".to_owned(), (*dice.pick(&teams)).to_owned());
    if dice.once_in(2) { Labels::from([label(dice)]) } else { Labels::new() }
}

pub(crate) fn some_windows(dice: &mut Dice) -> Vec<String> {
    let mut names: Vec<_> = ["today", "last_7d", "last_28d", "yesterday", "spring", "maximum"]
        .into_iter()
        .filter(|_| dice.once_in(2))
        .collect();
    if names.is_empty() {
        names.push("today");
    }
    names.into_iter().map(str::to_owned).collect()
}

pub(crate) fn some_interval(dice: &mut Dice) -> Duration {
    Duration::from_secs(*dice.pick(&[60, 300, 900, 900, 1800, 3600]))
}
