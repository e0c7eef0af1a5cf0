//! The state of credentials.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::effect::{LogLine, Measurement, Severity};
use super::super::event::Moment;
use super::super::outbox::Outbox;
use crate::domain::change::Change;
use crate::domain::fault::{Fault, Reason};
use crate::domain::status::{CredentialStatus, ENDS_SOON, Expiry};
use crate::domain::target::CredentialId;
use crate::domain::time::UnixSeconds;
use crate::source::TokenHealth;

/// What the publisher last saw of each credential.
#[derive(Debug, Default)]
pub(in crate::engine) struct Credentials(BTreeMap<CredentialId, Arc<CredentialStatus>>);

impl Credentials {
    /// A credential is configured: it shows before it is used.
    pub(in crate::engine) fn expect(&mut self, credential: &CredentialId, expiry: Expiry, out: &mut Outbox) {
        out.observe(Measurement::CredentialExpected(credential.clone()));
        self.change(credential, out, |status| status.expiry = expiry);
    }

    /// Its settings are others: what can be known of its token's end may be, too.
    pub(in crate::engine) fn set_expiry_kind(&mut self, credential: &CredentialId, expiry: Expiry, out: &mut Outbox) {
        self.change(credential, out, |status| {
            let known = status.expiry == Expiry::Told && expiry == Expiry::Awaited;
            status.expiry = if known { status.expiry } else { expiry };
        });
    }

    /// The token's life could not be looked up. A date that is known does not change by that.
    pub(in crate::engine) fn note_token_fault(&mut self, credential: &CredentialId, out: &mut Outbox) {
        self.change(credential, out, |status| {
            status.expiry = if status.expiry == Expiry::Told { Expiry::Told } else { Expiry::Failed };
        });
    }

    /// Its file or variable was read, or could not be.
    pub(in crate::engine) fn note_readable(
        &mut self,
        credential: &CredentialId,
        problem: Option<&str>,
        now: Moment,
        out: &mut Outbox,
    ) {
        out.observe(Measurement::Readable { credential: credential.clone(), readable: problem.is_none() });
        self.change(credential, out, |status| status.note_content(problem, now.wall));
    }

    /// Credentials that cannot be read now.
    pub(in crate::engine) fn unreadable(&self) -> impl Iterator<Item = &CredentialId> {
        self.0.iter().filter(|(_, status)| status.unreadable.is_some()).map(|(credential, _)| credential)
    }

    /// A credential is not configured any more. Its targets went before.
    pub(in crate::engine) fn forget(&mut self, credential: &CredentialId, out: &mut Outbox) {
        self.0.remove(credential);
        out.change(Change::CredentialGone(credential.clone()));
    }

    /// What the end of a poll says about its credential: accepted, refused, or nothing.
    pub(in crate::engine) fn note_acceptance(
        &mut self,
        credential: &CredentialId,
        fault: Option<(&Fault, Reason)>,
        now: Moment,
        out: &mut Outbox,
    ) {
        let refusal = match fault {
            // Whatever came before it: a token may die between two pages.
            Some((fault, _)) if fault.reason == Reason::Unauthorized => Some(&*fault.message),
            // The API knew the credential, or it would have refused that first.
            None | Some((Fault { reason: Reason::Forbidden | Reason::NotFound | Reason::InvalidRequest, .. }, _)) => {
                None
            }
            // A time-out or a spent allowance says nothing about the credential: it stays as it was.
            Some(_) => return,
        };
        out.observe(Measurement::Accepted { credential: credential.clone(), accepted: refusal.is_none() });
        self.change(credential, out, |status| status.note(refusal, now.wall));
    }

    /// New content was read.
    pub(in crate::engine) fn note_keys_read(&mut self, credential: &CredentialId, now: Moment, out: &mut Outbox) {
        out.observe(Measurement::KeysRead { credential: credential.clone(), at: now.wall });
        self.change(credential, out, |status| status.last_read = Some(now.wall));
    }

    /// The API said how long the token lives. Two weeks before its end the log warns, once a day: that is how often
    /// the token is looked at.
    pub(in crate::engine) fn note_token(
        &mut self,
        credential: &CredentialId,
        health: TokenHealth,
        now: Moment,
        out: &mut Outbox,
    ) {
        let (expires, data_access_expires) = (health.expires, health.data_access_expires);
        self.set_expiry(credential, expires.map(Into::into), data_access_expires.map(Into::into), out);
        self.change(credential, out, |status| status.expiry = Expiry::Told);
        for (instant, what) in [(expires, "expires"), (data_access_expires, "loses its access to data")] {
            // The gauges say it all along; this is for whoever has only the log.
            if let Some(instant) = instant.filter(|instant| UnixSeconds::from(*instant) - now.wall < ENDS_SOON) {
                let line = format!("the token {what} soon: issue a new one");
                out.report(LogLine::of_credential(Severity::Warning, credential, line).with("at", instant.to_string()));
            }
        }
    }

    /// What was known of the token's life is of another token, or is not asked for any more.
    pub(in crate::engine) fn forget_token(&mut self, credential: &CredentialId, out: &mut Outbox) {
        let known = self.0.get(credential);
        if known.is_some_and(|status| matches!(status.expiry, Expiry::Told | Expiry::Failed)) {
            self.set_expiry(credential, None, None, out);
            self.change(credential, out, |status| status.expiry = Expiry::Awaited);
        } else if known.is_some_and(|status| status.expires.is_some() || status.data_access_expires.is_some()) {
            self.set_expiry(credential, None, None, out);
        }
    }

    fn set_expiry(
        &mut self,
        credential: &CredentialId,
        expires: Option<UnixSeconds>,
        data_access_expires: Option<UnixSeconds>,
        out: &mut Outbox,
    ) {
        out.observe(Measurement::Expiry { credential: credential.clone(), expires, data_access_expires });
        self.change(credential, out, |status| {
            (status.expires, status.data_access_expires) = (expires, data_access_expires);
        });
    }

    fn change(&mut self, credential: &CredentialId, out: &mut Outbox, change: impl FnOnce(&mut CredentialStatus)) {
        let held = self.0.get(credential);
        let mut status = held.map(|held| CredentialStatus::clone(held)).unwrap_or_default();
        change(&mut status);
        // Each poll comes by here; only a change is worth a new page.
        if held.is_none_or(|held| **held != status) {
            let status = Arc::new(status);
            self.0.insert(credential.clone(), status.clone());
            out.change(Change::Credential { credential: credential.clone(), status });
        }
    }
}
