//! A world as it is now, and what can be changed of it.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::allowance::{Admission, Allowance, Meter};
use super::fault::{FaultRule, ScriptedFault};
use super::graph::ReportRuns;
use super::ledger::{Ledger, Now};
use super::model::{CampaignEvent, EventEffect, Quantity};
use super::spec::{Account, Campaign, Key, Spec, Token};
use super::{Call, WorldTime, demo};

/// A world as it is now: what the spec says, changed since by tests and by time. Every answer of the simulated APIs is
/// a function of it, the request and the moment.
#[derive(Debug)]
pub struct World {
    pub(crate) spec: Spec,
    pub(super) ledger: Ledger,
    pub(crate) nonces: HashSet<String>,
    meters: BTreeMap<u64, Meter>,
    seconds: BTreeMap<String, (u64, u32)>,
    rules: Vec<FaultRule>,
    pub(super) runs: ReportRuns,
    pub(super) statistics: Statistics,
    /// Seconds by which its clock is ahead of whoever asks.
    pub(super) offset: f64,
}

/// What was asked of a world.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Every request.
    pub total: u64,
    /// By endpoint.
    pub endpoints: BTreeMap<String, u64>,
    /// By HTTP status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests refused because an allowance was spent.
    pub refusals: u64,
    /// Refused requests that came although the account was known to be blocked.
    pub while_blocked: u64,
}

/// One change of a world, as JSON over HTTP or in the process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorldChange {
    /// Scripts a disturbance.
    Fault(FaultRule),
    /// Refuses a token with this subcode of code 190, or takes the refusal back.
    RefuseToken(String, Option<i64>),
    /// Replaces a token's text.
    SetToken(String, String),
    /// Gives a token an expiry in Unix seconds, or lets it live for ever.
    SetExpiry(String, Option<i64>),
    /// Takes a campaign away.
    Vanish(u64),
    /// Gives a campaign another name.
    Rename(u64, String),
    /// Gives a campaign another status.
    SetStatus(u64, String),
    /// Adds a campaign to an account.
    Add(u64, Campaign),
    /// Lets something happen to a campaign of a world with noise, from now on.
    Happen(u64, Quantity, EventEffect),
    /// Bounds an account.
    SetAllowance(u64, Option<Allowance>),
    /// Calls of another client on an account.
    Eat(u64, u32),
    /// Lets every figure move with each second, or stand still.
    SetRestless(bool),
    /// Moves the world's clock by so many seconds against the real one.
    SetOffset(f64),
    /// Takes back every disturbance that is left of the script.
    Calm,
    /// Forgets the statistics.
    Reset,
}

impl World {
    /// A world that nobody has asked yet.
    pub fn new(spec: Spec) -> Self {
        Self {
            ledger: Ledger::new(&spec),
            spec,
            nonces: HashSet::new(),
            meters: BTreeMap::new(),
            seconds: BTreeMap::new(),
            rules: Vec::new(),
            runs: ReportRuns::default(),
            statistics: Statistics::default(),
            offset: 0.0,
        }
    }

    /// Scripted disturbances that nobody met.
    pub(super) fn leftover_faults(&self) -> u32 {
        self.rules.iter().map(|rule| rule.times).sum()
    }

    /// What exists.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Lets the story of the demo, if it is one, go on until an instant.
    pub(super) fn tell(&mut self, moment: WorldTime) {
        if self.spec.demo {
            demo::tell(&mut self.spec, moment);
        }
    }

    /// Charges a call to an account and tells the usage.
    pub(super) fn charge(
        &mut self,
        account: u64,
        allowance: Option<Allowance>,
        management: bool,
        moment: WorldTime,
    ) -> (Admission, Vec<(&'static str, String)>) {
        let throttled = demo::throttled(account, moment).filter(|_| self.spec.demo);
        let Some(allowance) = allowance else { return (Admission::Granted, Vec::new()) };
        let meter = self.meters.entry(account).or_default();
        let verdict = if let Some(left) = throttled {
            meter.block(moment.elapsed + left);
            Admission::Refused { code: 80_000, subcode: 2_446_079, blocked: true }
        } else {
            meter.call(&allowance, moment.elapsed, management)
        };
        if let Admission::Refused { blocked, .. } = verdict {
            self.statistics.refusals += 1;
            // Counted apart: calls into a known block are what a client must never make.
            self.statistics.while_blocked += u64::from(blocked);
        }
        let headers = meter.headers(&allowance, account, moment.elapsed);
        (verdict, headers)
    }

    /// Counts a call of a key, and says whether it is within what the key may ask in a second.
    pub(super) fn admits(&mut self, key: &Key, moment: WorldTime) -> bool {
        let Some(most) = key.per_second else { return true };
        let second = moment.wall.as_second().unsigned_abs();
        let entry = self.seconds.entry(key.id.clone()).or_default();
        *entry = if entry.0 == second { (second, entry.1 + 1) } else { (second, 1) };
        let admitted = entry.1 <= most;
        self.statistics.refusals += u64::from(!admitted);
        admitted
    }

    /// Counts an answer.
    pub(super) fn count(&mut self, endpoint: &str, status: u16) {
        self.statistics.total += 1;
        *self.statistics.endpoints.entry(endpoint.to_owned()).or_default() += 1;
        *self.statistics.statuses.entry(status).or_default() += 1;
    }

    pub(super) fn disturbance(&mut self, endpoint: &str, call: &Call) -> Option<ScriptedFault> {
        let text = format!("{} {:?}", call.path, call.parameters);
        for rule in &mut self.rules {
            let matches = (rule.endpoint.is_empty() || rule.endpoint == endpoint) && text.contains(&rule.contains);
            if !matches || rule.times == 0 {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.times -= 1;
            return Some(rule.fault.clone());
        }
        None
    }

    /// Changes it at an instant.
    pub fn change(&mut self, change: WorldChange, moment: WorldTime) {
        match change {
            WorldChange::Fault(rule) => self.rules.push(rule),
            WorldChange::RefuseToken(name, subcode) => self.tokens(&name).for_each(|token| token.refused = subcode),
            WorldChange::SetToken(name, text) => self.tokens(&name).for_each(|token| token.text.clone_from(&text)),
            WorldChange::SetExpiry(name, expires) => self.tokens(&name).for_each(|token| token.expires = expires),
            WorldChange::Vanish(id) => {
                self.accounts().for_each(|account| account.campaigns.retain(|campaign| campaign.id != id));
            }
            WorldChange::Rename(id, name) => self.campaigns(id).for_each(|campaign| campaign.name.clone_from(&name)),
            WorldChange::SetStatus(id, status) => {
                self.campaigns(id).for_each(|campaign| campaign.status.clone_from(&status));
            }
            WorldChange::Happen(id, of, effect) => {
                for account in self.accounts() {
                    let from = Now::of(account, moment).tick;
                    let campaigns = account.campaigns.iter_mut().filter(|campaign| campaign.id == id);
                    campaigns
                        .for_each(|campaign| campaign.events.push(CampaignEvent { of, from, until: None, effect }));
                }
            }
            WorldChange::Add(id, campaign) => {
                self.accounts_of(id).for_each(|account| account.campaigns.push(campaign.clone()));
            }
            WorldChange::SetAllowance(id, allowance) => {
                self.accounts_of(id).for_each(|account| account.allowance = allowance);
            }
            WorldChange::Eat(id, calls) => {
                let allowance = self.accounts_of(id).next().and_then(|account| account.allowance);
                if let Some(allowance) = allowance {
                    self.meters.entry(id).or_default().eat(&allowance, moment.elapsed, calls);
                }
            }
            WorldChange::SetRestless(restless) => self.spec.restless = restless,
            WorldChange::SetOffset(seconds) => self.offset = seconds,
            WorldChange::Calm => self.rules.clear(),
            WorldChange::Reset => self.statistics = Statistics::default(),
        }
    }

    fn accounts(&mut self) -> impl Iterator<Item = &mut Account> {
        self.spec.accounts.iter_mut().chain(self.spec.channels.iter_mut().map(|channel| &mut channel.account))
    }

    /// Those with an id: a channel's may be one that is polled by itself as well.
    fn accounts_of(&mut self, id: u64) -> impl Iterator<Item = &mut Account> {
        self.accounts().filter(move |account| account.id == id)
    }

    fn tokens(&mut self, name: &str) -> impl Iterator<Item = &mut Token> {
        self.spec.tokens.iter_mut().filter(move |token| token.name == name)
    }

    fn campaigns(&mut self, id: u64) -> impl Iterator<Item = &mut Campaign> {
        self.accounts().flat_map(|account| &mut account.campaigns).filter(move |campaign| campaign.id == id)
    }
}
