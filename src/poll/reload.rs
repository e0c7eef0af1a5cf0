//! Other settings while polling goes on: what is the same keeps its samples, its schedule and its
//! back-off, what asks another question starts anew, what is not wanted any more leaves.

use std::collections::{BTreeMap, HashSet};

use anyhow::Context as _;
use tokio::sync::oneshot;

use super::keep::question;
use super::{Poller, api, channel_of};
use crate::domain::counted::counted;
use crate::domain::snapshot::Change;
use crate::domain::status::Expiry;
use crate::fetch::Fetch;
use crate::keyring::Keyring;
use crate::settings::{Access, Credential, Settings};

/// Settings to go on with, and whom to tell when that is so.
#[derive(Debug)]
pub struct Order {
    /// What is wanted from now on.
    pub settings: Box<Settings>,
    /// Told when it is in force and what a scrape shows is of it, or why it is not.
    pub done: oneshot::Sender<anyhow::Result<()>>,
}

/// What can be known of the end of a credential's token.
pub(super) fn expiry(access: &Access) -> Expiry {
    match access {
        Access::Meta { app_id: Some(_), app_secret: Some(_), .. } => Expiry::Awaited,
        Access::Meta { .. } => Expiry::Unknown,
        Access::Cams { .. } => Expiry::None,
    }
}

impl Poller {
    pub(super) fn obey(&mut self, order: Order) {
        match self.reload(&order.settings) {
            Ok(()) => self.news.done = Some(order.done),
            Err(problem) => {
                // Whoever asked may have gone.
                let _ = order.done.send(Err(problem));
            }
        }
    }

    /// Takes over other settings; nothing is changed by those that cannot be put into force.
    fn reload(&mut self, settings: &Settings) -> anyhow::Result<()> {
        let fetch = Fetch::new(settings.poll.timeout, settings.poll.max_response);
        let fetch = fetch.context("the HTTP client cannot be set up")?;
        let mut gone = Vec::new();
        if self.credentials != settings.credentials {
            self.keyring = Keyring::new(&settings.credentials)?;
            gone = self.take_credentials(settings);
        }
        self.fetch = fetch;
        self.concurrency = settings.poll.concurrency;
        self.news.changes.push(Change::Bound(settings.max_series));

        let now = self.clock.uptime();
        let asked: Vec<_> = self.tickets.iter().map(|(key, ticket)| (key.clone(), *ticket)).collect();
        let (former, before) = (self.apis.clone(), self.target_count());
        self.apis = settings.credentials.iter().map(api::api).collect();
        self.fleet = api::fleet(settings);
        self.listed.retain(|channel, _| self.fleet.channels.iter().any(|wanted| channel_of(wanted) == *channel));
        let singles: HashSet<_> =
            self.fleet.campaigns.iter().map(|campaign| (campaign.terms.credential.clone(), campaign.id)).collect();
        self.members.retain(|member, _| singles.contains(member));

        let planned: BTreeMap<_, _> =
            self.planned().into_iter().map(|planned| (planned.key.clone(), planned)).collect();
        let mut anew = 0;
        for (key, ticket) in asked {
            let Some(planned) = planned.get(&key) else { continue };
            let Some(poll) = self.polls.get_mut(&ticket) else { continue };
            if question(&former, &poll.planned) != question(&self.apis, planned) {
                anew += usize::from(!key.subject.is_discovery());
                self.forget(key);
                continue;
            }
            let terms = &planned.terms;
            if poll.planned.terms.interval != terms.interval {
                self.timetable.retime(ticket, terms.interval, now);
                poll.status.interval = terms.interval;
                self.news.changes.push(Change::Status(key.clone(), poll.status.clone()));
            }
            if poll.planned.terms.labels != terms.labels {
                self.news.changes.push(Change::Labels(key, terms.labels.clone()));
            }
            poll.planned = planned.clone();
        }
        self.replan();
        self.news.changes.extend(gone);
        if let Some(saving) = &mut self.saving {
            saving.news = true;
        }
        let targets = self.target_count();
        let told = counted(targets, "target");
        tracing::info!(targets, before, anew, "the configuration was reloaded: {told}, {before} before");
        Ok(())
    }

    /// The credentials of other settings: those that are new, or granted another share. Gives back
    /// what is to be told of those that are gone, when their targets are.
    fn take_credentials(&mut self, settings: &Settings) -> Vec<Change> {
        let is = |one: &Credential, other: &Credential| {
            one.name == other.name && one.access.source() == other.access.source()
        };
        let mut gone = Vec::new();
        for former in self.credentials.iter().filter(|former| !settings.credentials.iter().any(|new| is(former, new))) {
            let (source, name) = (former.access.source(), former.name.clone());
            self.known.remove(&(source, name.clone()));
            self.standing.credentials.remove(&(source, name.clone()));
            self.report.forget_credential(source, &name, self.clock.uptime());
            gone.push(Change::CredentialGone(source, name));
        }
        for new in &settings.credentials {
            let (source, name) = (new.access.source(), &new.name);
            match self.credentials.iter().find(|former| is(former, new)) {
                None => {
                    self.telemetry.expect_credential(source, name);
                    self.note_credential(source, name, |status| status.expiry = expiry(&new.access));
                }
                Some(former) if former == new => {}
                Some(_) => {
                    self.note_credential(source, name, |status| {
                        let known = status.expiry == Expiry::Told && expiry(&new.access) == Expiry::Awaited;
                        status.expiry = if known { status.expiry } else { expiry(&new.access) };
                    });
                    // Whatever it was refused for may be over.
                    self.timetable.credential_changed(source, name);
                    self.timetable.regrant(source, name, api::api(new).1.grant());
                }
            }
        }
        self.credentials.clone_from(&settings.credentials);
        gone
    }
}
