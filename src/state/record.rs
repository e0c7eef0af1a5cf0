//! The lines of the file. Metrics, actions and windows stand by their names, so that the tables may
//! grow and be reordered between versions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::change::GroupKey;
use crate::domain::facts::{AccountFacts, CampaignFacts, Listing};
use crate::domain::fault::Reason;
use crate::domain::lane::LaneKey;
use crate::domain::metric::{ACTIONS, METRICS};
use crate::domain::rows::{Column, Figure, Row, Rows};
use crate::domain::saved::{SavedNames, SavedRows, SavedTarget};
use crate::domain::status::{LastFault, TargetStatus};
use crate::domain::target::{AccountId, CampaignId, Currency, Level, Source, Subject, TargetKey, Window};
use crate::domain::time::UnixSeconds;

/// A line between the head and the end.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record {
    Target(Box<TargetRecord>),
    Account {
        key: KeyRecord,
        home: Home,
        name: String,
        currency: Option<String>,
        timezone: String,
        status: String,
        /// Files of earlier versions do not tell; names of unknown age are read anew.
        #[serde(default)]
        expires: f64,
    },
    Listing {
        key: KeyRecord,
        home: Home,
        campaigns: Vec<(u64, String, String, bool)>,
        #[serde(default)]
        expires: f64,
    },
    Member {
        credential: String,
        campaign: u64,
        account: Option<(u64, bool)>,
    },
    Blocked {
        source: String,
        credential: String,
        account: Option<u64>,
        until: f64,
    },
    End {
        records: usize,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TargetRecord {
    key: KeyRecord,
    asks: String,
    due: f64,
    failures: u32,
    status: Option<StatusRecord>,
    rows: Option<Columns>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Home(String, Option<u64>);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeyRecord {
    source: String,
    account: Option<u64>,
    /// Name and, for single campaigns, id.
    subject: (String, Option<u64>),
    credential: String,
    part: u32,
    /// Name and, for a range, its days.
    window: (String, Option<(Date, Date)>),
}

#[derive(Debug, Serialize, Deserialize)]
struct StatusRecord {
    up: Option<bool>,
    last_success: Option<f64>,
    last_attempt: Option<f64>,
    next_poll: Option<f64>,
    interval: Duration,
    failures: Option<u32>,
    rows: Option<usize>,
    /// Files of the first version have none of these.
    #[serde(default)]
    since: Option<f64>,
    #[serde(default)]
    fault: Option<(String, String, f64)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Columns {
    account: Option<u64>,
    expires: f64,
    /// Campaigns that leave earlier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    older: Vec<(u64, f64)>,
    campaigns: Vec<Option<u64>>,
    currencies: Vec<Option<String>>,
    days: Vec<Option<(Date, Date)>>,
    /// Metric, action, and a number or nothing for each campaign.
    values: Vec<(String, Option<String>, Vec<Option<f64>>)>,
}

/// What a line says that this version does not know: a window or a subject of another.
#[derive(Debug)]
pub(super) struct Unknown;

fn account(id: Option<u64>) -> Result<Option<AccountId>, Unknown> {
    id.map(|id| AccountId::parse(&id.to_string()).map_err(|_| Unknown)).transpose()
}

fn campaign(id: u64) -> Result<CampaignId, Unknown> {
    CampaignId::parse(&id.to_string()).map_err(|_| Unknown)
}

fn source(label: &str) -> Result<Source, Unknown> {
    Source::of_label(label).ok_or(Unknown)
}

impl Home {
    pub(super) fn of((source, account): &GroupKey) -> Self {
        Self(source.label().to_owned(), account.map(AccountId::number))
    }

    pub(super) fn read(&self) -> Result<GroupKey, Unknown> {
        Ok((source(&self.0)?, account(self.1)?))
    }
}

impl KeyRecord {
    pub(super) fn of(key: &TargetKey) -> Self {
        let subject = match key.subject {
            Subject::Campaign(id) => ("campaign", Some(id.number())),
            Subject::CampaignFacts(id) => ("campaign_facts", Some(id.number())),
            Subject::AccountFacts => ("account_facts", None),
            Subject::Listing => ("listing", None),
            Subject::Token => ("token", None),
            // Surveys end with the command that asks them: they are never saved.
            Subject::VisibleAccounts => ("visible_accounts", None),
            Subject::AssignedAccounts => ("assigned_accounts", None),
            Subject::Campaigns => ("campaigns", None),
            Subject::Totals => ("totals", None),
        };
        let range = match &key.window {
            Window::Range { since, until, .. } => Some((*since, *until)),
            Window::Preset(_) | Window::Unspecified => None,
        };
        Self {
            source: key.source.label().to_owned(),
            account: key.account.map(AccountId::number),
            subject: (subject.0.to_owned(), subject.1),
            credential: key.credential.as_ref().to_owned(),
            part: key.part,
            window: (key.window.label().to_owned(), range),
        }
    }

    pub(super) fn read(&self) -> Result<TargetKey, Unknown> {
        let subject = match (self.subject.0.as_str(), self.subject.1) {
            ("campaign", Some(id)) => Subject::Campaign(campaign(id)?),
            ("campaign_facts", Some(id)) => Subject::CampaignFacts(campaign(id)?),
            ("account_facts", None) => Subject::AccountFacts,
            ("listing", None) => Subject::Listing,
            ("token", None) => Subject::Token,
            ("campaigns", None) => Subject::Campaigns,
            ("totals", None) => Subject::Totals,
            _ => return Err(Unknown),
        };
        let window = match (self.window.0.as_str(), self.window.1) {
            (name, Some((since, until))) => Window::Range { name: name.into(), since, until },
            (name, None) if name == Window::Unspecified.label() => Window::Unspecified,
            (name, None) => Window::preset(name).ok_or(Unknown)?,
        };
        let (source, account) = (source(&self.source)?, account(self.account)?);
        Ok(TargetKey { source, account, subject, credential: self.credential.as_str().into(), part: self.part, window })
    }
}

impl TargetRecord {
    pub(super) fn of(key: &TargetKey, kept: &SavedTarget) -> Self {
        let status = kept.status.as_ref().map(|status| StatusRecord {
            up: status.up,
            last_success: status.last_success.map(UnixSeconds::as_f64),
            last_attempt: status.last_attempt.map(UnixSeconds::as_f64),
            next_poll: status.next_poll.map(UnixSeconds::as_f64),
            interval: status.interval,
            failures: status.failures,
            rows: status.rows,
            since: status.since.map(UnixSeconds::as_f64),
            fault: status
                .fault
                .as_ref()
                .map(|fault| (fault.reason.label().to_owned(), fault.message.clone(), fault.at.as_f64())),
        });
        let (asks, rows) = (kept.asks.clone(), kept.rows.as_ref().map(Columns::of));
        Self { key: KeyRecord::of(key), asks, due: kept.due.as_f64(), failures: kept.failures, status, rows }
    }

    pub(super) fn read(self) -> Result<(TargetKey, SavedTarget), Unknown> {
        let status = self.status.map(|status| TargetStatus {
            up: status.up,
            last_success: status.last_success.map(UnixSeconds::new),
            last_attempt: status.last_attempt.map(UnixSeconds::new),
            next_poll: status.next_poll.map(UnixSeconds::new),
            interval: status.interval,
            failures: status.failures,
            rows: status.rows,
            since: status.since.map(UnixSeconds::new),
            fault: status.fault.and_then(|(reason, message, at)| {
                let reason = Reason::ALL.into_iter().find(|known| known.label() == reason)?;
                Some(Arc::new(LastFault { reason, message, at: UnixSeconds::new(at) }))
            }),
            // The next poll tells.
            leaves_early: None,
            // The snapshot counts them when the rows are back.
            samples: None,
        });
        let rows = self.rows.map(Columns::read).transpose()?;
        Ok((
            self.key.read()?,
            SavedTarget { asks: self.asks, due: UnixSeconds::new(self.due), failures: self.failures, status, rows },
        ))
    }
}

impl Columns {
    fn of(kept: &SavedRows) -> Self {
        let rows = &kept.rows;
        let mut columns = Vec::new();
        for (column, values) in rows.columns() {
            let action = column.action.and_then(|action| ACTIONS.get(usize::from(action)));
            let action = action.map(|action| (*action).to_owned());
            let values = values.iter().map(|value| Some(*value).filter(|value| !value.is_nan())).collect();
            columns.push((METRICS[usize::from(column.metric)].name.to_owned(), action, values));
        }
        Self {
            account: kept.account.map(AccountId::number),
            expires: kept.expires.as_f64(),
            older: kept.older.iter().map(|(campaign, expires)| (campaign.number(), expires.as_f64())).collect(),
            campaigns: rows.campaigns().iter().map(|campaign| campaign.map(CampaignId::number)).collect(),
            currencies: rows.currencies().iter().map(|code| code.map(|code| code.as_str().to_owned())).collect(),
            days: rows.days().to_vec(),
            values: columns,
        }
    }

    /// A metric that this version does not have is left out.
    fn read(self) -> Result<SavedRows, Unknown> {
        let index = |at: Option<usize>| at.and_then(|at| u8::try_from(at).ok());
        let mut columns = Vec::new();
        for (metric, action, values) in self.values {
            let metric = index(METRICS.iter().position(|known| known.name == metric));
            let known = action.as_ref().map(|action| index(ACTIONS.iter().position(|known| known == action)));
            if let (Some(metric), None | Some(Some(_))) = (metric, known) {
                columns.push((Column { metric, action: known.flatten() }, values));
            }
        }
        columns.sort_by_key(|(column, _)| *column);
        let mut rows = Vec::with_capacity(self.campaigns.len());
        for (at, id) in self.campaigns.iter().enumerate() {
            let values = columns.iter().map(|(column, values)| (*column, values.get(at).copied().flatten()));
            rows.push(Row {
                account: None,
                campaign: id.map(campaign).transpose()?,
                currency: self.currencies.get(at).and_then(Option::as_deref).and_then(Currency::parse),
                days: self.days.get(at).copied().flatten(),
                figures: values.filter_map(|(column, value)| Some(Figure { column, value: value? })).collect(),
            });
        }
        Ok(SavedRows {
            account: account(self.account)?,
            expires: UnixSeconds::new(self.expires),
            older: self
                .older
                .into_iter()
                .map(|(id, expires)| Ok((campaign(id)?, UnixSeconds::new(expires))))
                .collect::<Result<_, _>>()?,
            rows: Arc::new(Rows::new(rows)),
        })
    }
}

impl Record {
    pub(super) fn account(known: &SavedNames<AccountFacts>) -> Self {
        let SavedNames { key, home, what: facts, expires } = known;
        Self::Account {
            key: KeyRecord::of(key),
            home: Home::of(home),
            name: facts.name.clone(),
            currency: facts.currency.map(|code| code.as_str().to_owned()),
            timezone: facts.timezone.clone(),
            status: facts.status.clone(),
            expires: expires.as_f64(),
        }
    }

    pub(super) fn listing(known: &SavedNames<Listing>) -> Self {
        let SavedNames { key, home, what, expires } = known;
        let campaigns = what.iter().map(|listed| {
            (listed.campaign.number(), listed.name.to_owned(), listed.status.to_owned(), listed.marketing)
        });
        let (key, home, expires) = (KeyRecord::of(key), Home::of(home), expires.as_f64());
        Self::Listing { key, home, campaigns: campaigns.collect(), expires }
    }

    pub(super) fn member(credential: &str, campaign: CampaignId, member: Option<(AccountId, Level)>) -> Self {
        let account = member.map(|(account, level)| (account.number(), level == Level::Ad));
        Self::Member { credential: credential.to_owned(), campaign: campaign.number(), account }
    }

    pub(super) fn blocked(lane: &LaneKey, until: UnixSeconds) -> Self {
        Self::Blocked {
            source: lane.source.label().to_owned(),
            credential: lane.credential.as_ref().to_owned(),
            account: lane.account.map(AccountId::number),
            until: until.as_f64(),
        }
    }

    /// Adds what the line says to a state.
    pub(super) fn read(self, state: &mut super::SavedState) -> Result<(), Unknown> {
        match self {
            Self::Target(target) => {
                let (key, kept) = target.read()?;
                state.targets.insert(key, kept);
            }
            Self::Account { key, home, name, currency, timezone, status, expires } => {
                let currency = currency.as_deref().and_then(Currency::parse);
                let what = AccountFacts { name, currency, timezone, status };
                let (key, home, expires) = (key.read()?, home.read()?, UnixSeconds::new(expires));
                state.accounts.push(SavedNames { key, home, what, expires });
            }
            Self::Listing { key, home, campaigns, expires } => {
                let mut facts = BTreeMap::new();
                for (id, name, status, marketing) in campaigns {
                    facts.insert(campaign(id)?, CampaignFacts { name, status, marketing });
                }
                let (key, home, expires) = (key.read()?, home.read()?, UnixSeconds::new(expires));
                state.listings.push(SavedNames { key, home, what: Listing::new(&facts), expires });
            }
            Self::Member { credential, campaign: id, account: member } => {
                let level = |ad| if ad { Level::Ad } else { Level::Campaign };
                let member = member.map(|(id, ad)| Ok((account(Some(id))?.ok_or(Unknown)?, level(ad)))).transpose()?;
                state.members.push((credential.as_str().into(), campaign(id)?, member));
            }
            Self::Blocked { source: label, credential, account: id, until } => {
                let credential = credential.as_str().into();
                let lane = LaneKey { source: source(&label)?, credential, account: account(id)? };
                state.blocked.push((lane, UnixSeconds::new(until)));
            }
            Self::End { .. } => {}
        }
        Ok(())
    }
}
