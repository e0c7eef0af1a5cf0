//! What the contents of credentials do: new ones are tried at once, refused and unreadable ones are read again.

use std::collections::BTreeSet;

use super::Engine;
use super::effect::{Effect, LogLine, Severity};
use super::event::KeyContent;
use super::keys::Parked;
use crate::domain::target::{CredentialId, Subject, TargetKey};

impl Engine {
    /// A credential was read. New content is tried at once, whatever the former was refused for.
    pub(super) fn on_keys(&mut self, credential: &CredentialId, content: &KeyContent) {
        let problem = match content {
            KeyContent::Read(_) => Some(None),
            KeyContent::Unreadable { last, problem } => Some(Some((problem.as_str(), last.is_some()))),
            // Keys from elsewhere are in no file and no variable.
            KeyContent::NotFetched => None,
        };
        if let Some(problem) = problem {
            let message = problem.map(|(message, _)| message);
            self.health.credentials.note_readable(credential, message, self.now, &mut self.out);
            self.health.trouble.content(credential, problem, self.now.uptime, &mut self.out);
        }
        if let KeyContent::Read(generation) = content
            && self.keys.note(credential, *generation)
        {
            if self.schedule.is_rejected(credential) {
                self.out.report(LogLine::of_credential(
                    Severity::Info,
                    credential,
                    "the credential changed: trying it",
                ));
            }
            self.schedule.credential_changed(credential);
            self.try_failing(credential);
            self.health.credentials.note_keys_read(credential, self.now, &mut self.out);
            self.look_at_token(credential);
        }
        for Parked { ticket, refused, .. } in self.keys.unpark(credential) {
            match refused {
                // Nothing better came: then the refusal is the answer.
                Some((generation, fault)) if self.keys.newest(credential) == Some(generation) => {
                    self.finish(ticket, &Err(fault));
                }
                _ => self.schedule.hand_back(ticket),
            }
        }
    }

    /// Other keys, or settings, may be granted what the former were refused: no back-off is waited out.
    pub(super) fn try_failing(&mut self, credential: &CredentialId) {
        for (key, ticket) in self.targets.iter() {
            if key.credential_id() == *credential && self.schedule.failures(ticket) > 0 {
                self.schedule.reschedule(ticket, self.now.uptime);
            }
        }
    }

    /// The token is another one: how long the former lived says nothing.
    fn look_at_token(&mut self, credential: &CredentialId) {
        self.health.credentials.forget_token(credential, &mut self.out);
        let is_token = |key: &TargetKey| key.subject == Subject::Token && key.credential_id() == *credential;
        if let Some((_, token)) = self.targets.iter().find(|(key, _)| is_token(key)) {
            self.schedule.reschedule(token, self.now.uptime);
        }
    }

    /// Credentials that are refused, or cannot be read: they are read until that is over.
    pub(super) fn credentials_to_read(&self) -> impl Iterator<Item = CredentialId> {
        // The schedule remembers credentials that left the configuration.
        let refused = self.schedule.rejected().filter(|credential| self.plan.credential(credential).is_some());
        refused.chain(self.health.credentials.unreadable().cloned())
    }

    pub(super) fn read_credentials(&mut self) {
        if self.keys.read_due() > self.now.uptime {
            return;
        }
        let credentials: BTreeSet<_> = self.credentials_to_read().collect();
        if !credentials.is_empty() {
            // Only when there was one to read, so that the first refusal is looked into at once.
            self.keys.note_read(self.now.uptime);
        }
        for credential in credentials {
            self.out.effect(Effect::ReadKeys(credential));
        }
    }
}
