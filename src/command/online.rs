//! `check --online`: tries every credential and every target once, and explains the results.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use super::table::{clean, table};
use super::{Done, block_on, print};
use crate::daemon::prober::{ProbeError, ProbeResult, Prober, listing_among, listing_of};
use crate::domain::counted::counted;
use crate::domain::facts::CampaignFacts;
use crate::domain::fault::{Fault, Reason};
use crate::domain::fleet::{FleetAccount, WantedCampaigns};
use crate::domain::target::{AccountId, CampaignId, Level, Source, Subject, TargetKey, Window};
use crate::engine::Gathered;
use crate::settings::{CredentialSettings, Settings};

/// Ids in a line; somebody who lists hundreds does not read them here.
const MOST_IDS: usize = 10;

/// Names in a line: enough to see why a pattern fits none.
const MOST_NAMES: usize = 3;

/// Tries, prints a table and what explains it, and tells by its status whether all is well.
pub(super) fn try_out(settings: &Settings) -> anyhow::Result<Done> {
    let report = block_on(async {
        let mut prober = Prober::new(settings)?;
        let found = prober.try_each().await?;
        let mut report = OnlineCheck::new(settings, prober, found);
        report.credentials().await;
        report.targets();
        report.lists().await;
        report.filters().await;
        report.visible_accounts().await;
        Ok(report)
    })?;
    print(&report.text())?;
    Ok(if report.well { Done::Well } else { Done::Badly })
}

struct OnlineCheck<'s> {
    settings: &'s Settings,
    prober: Prober<'s>,
    /// What came of each target.
    found: BTreeMap<TargetKey, ProbeResult>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
    well: bool,
}

impl<'s> OnlineCheck<'s> {
    fn new(settings: &'s Settings, prober: Prober<'s>, found: BTreeMap<TargetKey, ProbeResult>) -> Self {
        let rows = vec![vec!["TARGET".to_owned(), "WINDOW".to_owned(), "RESULT".to_owned()]];
        Self { settings, prober, found, rows, notes: Vec::new(), well: true }
    }

    fn text(&self) -> String {
        let mut text = format!("\n{}", table(&self.rows));
        for (index, note) in self.notes.iter().enumerate() {
            let _ = writeln!(text, "{}{note}", if index == 0 { "\n" } else { "" });
        }
        text
    }

    fn row(&mut self, target: String, window: &str, result: Result<String, String>) {
        self.well &= result.is_ok();
        let (Ok(result) | Err(result)) = result;
        self.rows.push(vec![target, window.to_owned(), result]);
    }

    /// A credential is what its targets' answers say; one without targets is asked for its accounts.
    async fn credentials(&mut self) {
        for CredentialSettings { name, access } in &self.settings.credentials {
            let source = access.source();
            let ours = self.found.iter().filter(|(key, _)| key.source == source && key.credential == *name);
            let results: Vec<_> = ours.map(|(_, result)| result).collect();
            let refused = results.iter().find_map(|result| match result {
                Err(ProbeError::Failed(fault)) if fault.reason == Reason::Unauthorized => Some(fault.message.clone()),
                _ => None,
            });
            let accepted = results.iter().any(|result| match result {
                Ok(_) => true,
                Err(ProbeError::Failed(fault)) => {
                    matches!(fault.reason, Reason::Forbidden | Reason::NotFound | Reason::Throttled)
                }
                Err(_) => false,
            });
            let result = match (refused, results.is_empty(), source) {
                (Some(refused), ..) => Err(refused),
                (None, true, Source::META) => match self.prober.accounts(name).await {
                    Ok(accounts) => {
                        Ok(format!("ok, it sees {}; it has no target", counted(accounts.len(), "ad account")))
                    }
                    Err(fault) => Err(fault.message),
                },
                (None, true, _) => Ok("not tried: it has no channel".to_owned()),
                (None, false, _) if accepted => Ok("ok".to_owned()),
                (None, false, _) => Err("unknown: no target succeeded".to_owned()),
            };
            self.row(format!("{}/{name}", source.label()), "-", result);
        }
    }

    fn targets(&mut self) {
        let mut last = None;
        for (key, result) in std::mem::take(&mut self.found) {
            let window = if key.subject.is_discovery() { "-" } else { key.window.label() };
            let told = match &result {
                Ok(gathered) => Ok(match key.subject {
                    Subject::Token => lifetime(gathered),
                    Subject::AccountFacts | Subject::CampaignFacts(_) => "ok".to_owned(),
                    Subject::Listing => format!("ok, {}", counted(gathered.mentioned().len(), "campaign")),
                    _ if gathered.row_count() == 0 => "ok, 0 rows: no marketing messages in this window".to_owned(),
                    _ => format!("ok, {}", counted(gathered.row_count(), "row")),
                }),
                Err(ProbeError::Failed(fault)) if fault.reason == Reason::TooLarge => {
                    Err(format!("{fault}; the daemon retries with smaller pages by itself"))
                }
                Err(ProbeError::Failed(fault)) => {
                    // Faults differ in their trace, and an account's are rarely worth reading twice.
                    let sentence = fault.message.split(" (").next().unwrap_or_default().to_owned();
                    let this = Some((key.credential.clone(), key.account, sentence));
                    let same = key.account.is_some() && last == this;
                    last = this;
                    Err(if same { "the same".to_owned() } else { fault.message.clone() })
                }
                Err(ProbeError::CredentialRefused) => Err("not tried: the credential is refused".to_owned()),
                Err(ProbeError::Blocked(wait)) => {
                    Err(format!("not tried: the allowance is spent for another {} s", wait.as_secs()))
                }
            };
            let name = TargetKey { window: Window::Unspecified, ..key.clone() }.to_string();
            self.row(name, window, told);
            self.found.insert(key, result);
        }
    }

    /// Which of the listed ids there are, and at which level.
    async fn lists(&mut self) {
        for account in &self.settings.fleet.accounts {
            let WantedCampaigns::Only(ids) = &account.wanted else { continue };
            let credential = &account.terms.credential;
            let place = format!("{credential} account {}", account.id);
            let ours = |key: &TargetKey| key.account == Some(account.id) && key.credential_id() == *credential;
            let (found, listed) = self.found(ours);
            self.tell_list(&place, &format!(" at level {}", account.level.label()), ids, &found, listed);
            if found.is_disjoint(ids) && listed && !self.is_spent(ours) {
                self.try_other_level(&place, account, ids).await;
            }
        }
        for channel in &self.settings.fleet.channels {
            let WantedCampaigns::Only(ids) = &channel.wanted else { continue };
            let credential = &channel.terms.credential;
            let place = format!("{credential} channel {}, {}, {}", channel.space, channel.page, channel.account);
            let ours = |key: &TargetKey| key.account == Some(channel.account) && key.credential_id() == *credential;
            let (found, listed) = self.found(ours);
            self.tell_list(&place, "", ids, &found, listed);
        }
    }

    /// How many campaigns each filter admits now, and what there is where it admits none.
    async fn filters(&mut self) {
        for account in &self.settings.fleet.accounts {
            let WantedCampaigns::Matching(filter) = &account.wanted else { continue };
            let (credential, level) = (&account.terms.credential, account.level.label());
            let ours = |key: &TargetKey| key.account == Some(account.id) && key.credential_id() == *credential;
            // The listing was tried before; where it failed its row says why.
            if self.is_spent(ours) || !self.found(ours).1 {
                continue;
            }
            let Ok(page) = self.prober.ask(listing_of(&credential.name, account.id, account.level)).await else {
                continue;
            };
            let all: Vec<_> = page.campaigns.values().collect();
            let admitted = all.iter().filter(|facts| filter.admits(&facts.name, &facts.status)).count();
            let mut note = format!(
                "{credential} account {}: the filter admits {admitted} of {} at level {level}",
                account.id,
                counted(all.len(), "campaign")
            );
            if admitted == 0 && !all.is_empty() {
                let named = |facts: &&CampaignFacts| format!("“{}” ({})", clean(&facts.name), clean(&facts.status));
                let some: Vec<_> = all.iter().take(MOST_NAMES).map(named).collect();
                let _ = write!(note, "; there are {}", some.join(", "));
            }
            self.notes.push(note);
        }
    }

    /// Whether an allowance is spent, so that nothing more may be asked.
    fn is_spent(&self, ours: impl Fn(&TargetKey) -> bool) -> bool {
        self.found.iter().any(|(key, result)| {
            let spent = match result {
                Err(ProbeError::Failed(fault)) => fault.reason == Reason::Throttled,
                Err(ProbeError::Blocked(_)) => true,
                _ => false,
            };
            spent && ours(key)
        })
    }

    /// The campaigns that the answers mention, and whether every one should have been mentioned.
    fn found(&self, ours: impl Fn(&TargetKey) -> bool) -> (BTreeSet<CampaignId>, bool) {
        let mut found = BTreeSet::new();
        let mut listed = false;
        for (key, result) in self.found.iter().filter(|(key, _)| ours(key)) {
            let Ok(gathered) = result else { continue };
            listed |= key.subject == Subject::Listing;
            found.extend(gathered.mentioned());
        }
        (found, listed)
    }

    fn tell_list(
        &mut self,
        place: &str,
        level: &str,
        ids: &BTreeSet<CampaignId>,
        found: &BTreeSet<CampaignId>,
        listed: bool,
    ) {
        let (there, missing): (Vec<_>, Vec<_>) = ids.iter().copied().partition(|id| found.contains(id));
        if !there.is_empty() {
            self.notes.push(format!("{place}: {} of {} ids found{level}: {}", there.len(), ids.len(), joined(&there)));
        }
        if missing.is_empty() {
            return;
        }
        self.well = false;
        self.notes.push(if listed {
            format!("{place}: not found{level}: {}", joined(&missing))
        } else {
            format!("{place}: unknown, because the listing failed: {}", joined(&missing))
        });
    }

    async fn try_other_level(&mut self, place: &str, account: &FleetAccount, ids: &BTreeSet<CampaignId>) {
        let other = if account.level == Level::Ad { Level::Campaign } else { Level::Ad };
        let planned = listing_among(&account.terms.credential.name, account.id, other, ids.iter().copied());
        let note = match self.prober.ask(planned).await {
            Ok(page) if page.campaigns.is_empty() => {
                "none of them is an ad or a campaign of this account: `discover` lists the existing ones".to_owned()
            }
            Ok(page) => {
                let there: Vec<_> = page.campaigns.keys().copied().collect();
                let what = other.label();
                match &there[..] {
                    [id] => {
                        format!("{id} is the id of {} {what}: set level: {what}", if what == "ad" { "an" } else { "a" })
                    }
                    _ if there.len() == ids.len() => format!("these ids are {what} ids: set level: {what}"),
                    _ => format!("{} are {what} ids: set level: {what}", joined(&there)),
                }
            }
            Err(fault) => format!("could not find out whether they are {} ids: {fault}", other.label()),
        };
        self.notes.push(format!("{place}: {note}"));
    }

    /// Where an account is hidden, those that are not help to see why.
    async fn visible_accounts(&mut self) {
        let mut by_credential: BTreeMap<Arc<str>, BTreeSet<AccountId>> = BTreeMap::new();
        for (key, result) in self.found.iter().filter(|(key, _)| key.source == Source::META) {
            let hidden =
                matches!(result, Err(ProbeError::Failed(Fault { reason: Reason::NotFound | Reason::Forbidden, .. })));
            if let Some(account) = key.account.filter(|_| hidden) {
                by_credential.entry(key.credential.clone()).or_default().insert(account);
            }
        }
        for (credential, accounts) in by_credential {
            if self.is_spent(|key| key.source == Source::META && key.credential == credential) {
                continue;
            }
            let Ok(visible) = self.prober.accounts(&credential).await else { continue };
            for account in accounts {
                self.notes.push(if visible.contains_key(&account) {
                    format!("meta/{credential}: its token sees the account {account}, but lacks a permission for it: issue a token with ads_read")
                } else {
                    let names = visible.iter().map(|(id, facts)| format!("{id} {}", clean(&facts.name)).trim().to_owned());
                    let names: Vec<_> = names.take(MOST_IDS).collect();
                    let seen = if names.is_empty() { "no accounts".to_owned() } else { names.join(", ") };
                    format!("meta/{credential}: its token does not see the account {account}; it sees {seen}")
                });
            }
        }
    }
}

/// How long a token lives, and its access to data.
fn lifetime(gathered: &Gathered) -> String {
    let day = |instant: Timestamp| instant.strftime("%Y-%m-%d").to_string();
    let Some(health) = gathered.token else { return "ok".to_owned() };
    let expiry = health.expires.map_or_else(|| "never expires".to_owned(), |at| format!("expires on {}", day(at)));
    let access = health.data_access_expires.map(|at| format!(", access to data ends on {}", day(at)));
    format!("ok, {expiry}{}", access.unwrap_or_default())
}

fn joined(ids: &[CampaignId]) -> String {
    let shown: Vec<_> = ids.iter().take(MOST_IDS).map(ToString::to_string).collect();
    let more = if ids.len() > MOST_IDS { format!(" and {} more", ids.len() - MOST_IDS) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
