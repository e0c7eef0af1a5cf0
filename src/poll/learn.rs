//! What answers tell beside figures: refused fields, the size of a page, the token's life, the API's
//! version.

use std::time::Duration;

use super::{Poll, Poller};
use crate::clock;
use crate::domain::fault::{Fault, Reason};
use crate::domain::metric::{METRICS, MetricSet};
use crate::domain::plan::{Ask, MetaAccount};
use crate::domain::schedule::Uptime;
use crate::domain::status::{ENDS_SOON, Expiry};
use crate::domain::target::account_label;
use crate::source::meta::PAGE_LIMIT;
use crate::source::{Served, TokenHealth};

/// How long a refused field is left out before it is asked for again.
const FIELD_RETRY: Duration = Duration::from_hours(24);

/// Least rows a page; an API that finds this too much will not be helped by less.
const LEAST_LIMIT: u32 = 10;

/// Good polls after which a reduced page grows again.
const GOOD_POLLS: u32 = 8;

/// What is known of a credential beside its content.
#[derive(Debug, Default)]
pub(super) struct Acquaintance {
    refused: Option<(MetricSet, Uptime)>,
    served: Option<Served>,
}

impl Poller {
    /// The families to ask a target for: those that are on, less the refused ones, which are tried
    /// again once a day.
    pub(super) fn metrics(&mut self, poll: &Poll, now: Uptime) -> MetricSet {
        let key = &poll.planned.key;
        let known = self.known.entry((key.source, key.credential.clone())).or_default();
        if let Some((refused, _)) = known.refused.take_if(|(_, since)| *since + FIELD_RETRY <= now) {
            for (_, metric) in refused.iter() {
                let labels = [key.source.label(), &*key.credential, metric.name];
                // The gauge is there only while the field is left out.
                let _ = self.telemetry.field_supported.remove_label_values(&labels);
            }
        }
        poll.planned.terms.metrics.minus(known.refused.map_or(MetricSet::NONE, |(refused, _)| refused))
    }

    /// Leaves the fields out that a fault names, for this credential. Says whether the request asked
    /// for any, and so is worth one more without: seven good fields never die of one bad one.
    pub(super) fn leave_out(&mut self, poll: &Poll, fault: &Fault, now: Uptime) -> bool {
        let key = &poll.planned.key;
        let known = self.known.entry((key.source, key.credential.clone())).or_default();
        let former = known.refused.map_or(MetricSet::NONE, |(refused, _)| refused);
        let named = |name: &String| METRICS.iter().position(|metric| metric.snake() == *name);
        let refused = fault.fields.iter().filter_map(named).fold(former, MetricSet::with);
        // Requests of other targets may have been under way with the same fields.
        let asked = poll.progress.as_ref().map_or(MetricSet::NONE, |progress| progress.metrics);
        if refused != former {
            known.refused = Some((refused, now));
        }
        for (_, metric) in refused.minus(former).iter() {
            let (source, credential) = (key.source.label(), &*key.credential);
            tracing::warn!(
                source,
                credential,
                field = metric.snake(),
                "the API refuses this field: it is left out for a day"
            );
            self.telemetry.field_supported.with_label_values(&[source, credential, metric.name]).set(0);
        }
        !fault.fields.is_empty() && asked.minus(refused) != asked
    }

    /// Spreads an account's list of ids over twice as many requests. Says whether that can be done.
    pub(super) fn split_list(&mut self, poll: &Poll) -> bool {
        let (key, Ask::Meta { only: Some(only), filtered: true, .. }) = (&poll.planned.key, &poll.planned.ask) else {
            return false;
        };
        let ours =
            |account: &&mut MetaAccount| Some(account.id) == key.account && account.terms.credential == key.credential;
        let account = self.fleet.accounts.iter_mut().find(ours);
        let Some(account) = account.filter(|_| only.len() > 1) else { return false };
        account.ids_per_request = only.len().div_ceil(2);
        tracing::warn!(source = key.source.label(), credential = %key.credential, account_id = account_label(key.account), target = key.label(), window = key.window.label(), ids = account.ids_per_request, "the smallest page is too much for the API: fewer ids a request");
        true
    }

    /// The token's life, as metrics and, two weeks before its end, as a warning.
    pub(super) fn note_token(&mut self, poll: &Poll, health: TokenHealth) {
        let key = &poll.planned.key;
        let seconds = |instant: Option<jiff::Timestamp>| instant.map(|instant| instant.as_duration().as_secs_f64());
        self.note_credential(key.source, &key.credential, |status| {
            status.expiry = Expiry::Told;
            status.expires = seconds(health.expires);
            status.data_access_expires = seconds(health.data_access_expires);
        });
        let labels = [key.source.label(), &*key.credential];
        let telemetry = &self.telemetry;
        for (gauge, instant, what) in [
            (&telemetry.credential_expires, health.expires, "expires"),
            (&telemetry.credential_data_access_expires, health.data_access_expires, "loses its access to data"),
        ] {
            let Some(instant) = instant else {
                // A token that never expires has no sample.
                let _ = gauge.remove_label_values(&labels);
                continue;
            };
            let seconds = instant.as_duration().as_secs_f64();
            gauge.with_label_values(&labels).set(seconds);
            if seconds - clock::wall_seconds() < ENDS_SOON {
                tracing::warn!(source = labels[0], credential = labels[1], at = %instant, "the token {what} soon: issue a new one");
            }
        }
    }

    /// Which version answered; a change is told once.
    pub(super) fn note_version(&mut self, poll: &Poll, requested: &str, served: Served) {
        let key = &poll.planned.key;
        let known = self.known.entry((key.source, key.credential.clone())).or_default();
        if known.served.as_ref() == Some(&served) {
            return;
        }
        let gauge = &self.telemetry.api_version_info;
        if let Some(former) = &known.served {
            // It was set when it was noted.
            let _ = gauge.remove_label_values(&[&*key.credential, requested, &former.version]);
        }
        gauge.with_label_values(&[&*key.credential, requested, &served.version]).set(1);
        let (source, credential) = (key.source.label(), &*key.credential);
        if let Some(warning) = &served.warning {
            tracing::warn!(source, credential, requested, "the API warns of its version: {warning}; raise api_version");
        } else if served.version != requested {
            tracing::warn!(
                source,
                credential,
                requested,
                served = served.version,
                "another version of the API answers than was asked for: raise api_version"
            );
        }
        known.served = Some(served);
    }
}

impl Poll {
    /// Halves the page when it was too much, and lets it grow again after some good polls. Says
    /// whether even the smallest page was too much.
    pub(super) fn fit_page(&mut self, fault: Option<&Fault>) -> bool {
        match fault.map(|fault| fault.reason) {
            Some(Reason::TooLarge) => {
                let exhausted = self.limit <= LEAST_LIMIT;
                self.limit = (self.limit / 2).max(LEAST_LIMIT);
                self.good = 0;
                return exhausted;
            }
            None if self.limit < PAGE_LIMIT => {
                self.good += 1;
                if self.good >= GOOD_POLLS {
                    (self.limit, self.good) = ((2 * self.limit).min(PAGE_LIMIT), 0);
                }
            }
            _ => {}
        }
        false
    }
}
