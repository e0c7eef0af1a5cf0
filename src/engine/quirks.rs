//! What answers reveal about an API: refused fields, feasible page sizes, the version that answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::effect::{LogLine, Measurement, Severity};
use super::outbox::Outbox;
use crate::domain::fault::{Fault, Reason};
use crate::domain::metric::{METRICS, MetricSet};
use crate::domain::target::CredentialId;
use crate::domain::time::Uptime;
use crate::source::ServedVersion;

/// How long a refused field is left out before it is asked for again.
const REFUSED_FIELD_RETRY: Duration = Duration::from_hours(24);

/// Fewest rows a page; an API that finds this too much is not helped by less.
const MIN_PAGE_ROWS: u32 = 10;

/// Good polls after which a reduced page grows again.
const GOOD_POLLS_TO_GROW: u32 = 8;

/// What each credential's API was found to refuse, so that one refusal is met once and not at every poll.
///
/// An API answers `(#100) marketing_messages_read are not valid for fields param` to a request of seven fields. The
/// field is left out for a day, the request is repeated at once with the other six, and `field_supported` drops to 0.
/// Nothing of it is saved: a restart asks for all fields again.
#[derive(Debug, Default)]
pub(super) struct Quirks {
    by_credential: BTreeMap<CredentialId, CredentialQuirks>,
}

#[derive(Debug, Default)]
struct CredentialQuirks {
    /// Fields that were refused, and when the last of them was.
    refused: Option<(MetricSet, Uptime)>,
    served: Option<ServedVersion>,
}

impl CredentialQuirks {
    fn refused(&self) -> MetricSet {
        self.refused.map_or(MetricSet::NONE, |(refused, _)| refused)
    }
}

impl Quirks {
    /// The wanted families less the refused ones, which are tried again once a day.
    pub(super) fn supported(
        &mut self,
        credential: &CredentialId,
        wanted: MetricSet,
        now: Uptime,
        out: &mut Outbox,
    ) -> MetricSet {
        let Some(known) = self.by_credential.get_mut(credential) else { return wanted };
        // All at once, so that a field that the API never takes costs one extra request a day and not one
        // each.
        if let Some((refused, _)) = known.refused.take_if(|(_, since)| *since + REFUSED_FIELD_RETRY <= now) {
            for (_, metric) in refused.iter() {
                out.observe(Measurement::Field { credential: credential.clone(), metric, refused: false });
            }
        }
        wanted.minus(known.refused())
    }

    /// Leaves out the fields that a fault names. Says whether the request asked for any of them, and so is worth
    /// repeating without: seven good fields never die of one bad one.
    pub(super) fn leave_out(
        &mut self,
        credential: &CredentialId,
        fault: &Fault,
        asked: MetricSet,
        now: Uptime,
        out: &mut Outbox,
    ) -> bool {
        if fault.fields.is_empty() {
            return false;
        }
        let known = self.by_credential.entry(credential.clone()).or_default();
        let former = known.refused();
        // Names that are not ours are left alone: what did not come from this program cannot be left out by
        // it.
        let ours = METRICS.iter().enumerate();
        // Several families may be read from one field.
        let named = ours.filter(|(_, metric)| fault.fields.contains(&metric.snake()));
        let refused = named.map(|(at, _)| at).fold(former, MetricSet::with);
        if refused != former {
            known.refused = Some((refused, now));
        }
        for (_, metric) in refused.minus(former).iter() {
            let line = "the API rejects this field; requests leave it out for a day";
            out.report(LogLine::of_credential(Severity::Warning, credential, line).with("field", metric.snake()));
            out.observe(Measurement::Field { credential: credential.clone(), metric, refused: true });
        }
        // A request that asked for none of them failed for something else; repeating it would not end.
        asked.minus(refused) != asked
    }

    /// Notes which version answered; a change is reported once.
    pub(super) fn note_version(
        &mut self,
        credential: &CredentialId,
        requested: &Arc<str>,
        served: ServedVersion,
        out: &mut Outbox,
    ) {
        let known = self.by_credential.entry(credential.clone()).or_default();
        // Every answer names it; a pin that is answered by another version would fill the log.
        if known.served.as_ref() == Some(&served) {
            return;
        }
        out.observe(Measurement::Version {
            credential: credential.clone(),
            requested: requested.clone(),
            served: Some(served.version.clone()),
        });
        let line = match &served.warning {
            Some(warning) => Some(warning.clone()),
            None if served.version != **requested => {
                Some("the API answers with another version than requested: raise api_version".to_owned())
            }
            None => None,
        };
        if let Some(line) = line {
            let report = LogLine::of_credential(Severity::Warning, credential, line);
            out.report(report.with("requested", &**requested).with("served", &*served.version));
        }
        known.served = Some(served);
    }

    /// The credential asks another API or another version from now on, or is gone: what was learned of the former
    /// says nothing about the next.
    pub(super) fn forget(&mut self, credential: &CredentialId, requested: &Arc<str>, out: &mut Outbox) {
        let Some(known) = self.by_credential.remove(credential) else { return };
        for (_, metric) in known.refused().iter() {
            out.observe(Measurement::Field { credential: credential.clone(), metric, refused: false });
        }
        if known.served.is_some() {
            let (credential, requested) = (credential.clone(), requested.clone());
            out.observe(Measurement::Version { credential, requested, served: None });
        }
    }
}

/// Rows that a target asks for a page: halved when that was too much, doubled after some good polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageSize {
    rows: u32,
    max: u32,
    good_polls: u32,
}

impl PageSize {
    pub(super) fn new(max: u32) -> Self {
        Self { rows: max, max, good_polls: 0 }
    }

    pub(super) fn rows(self) -> u32 {
        self.rows
    }

    /// Learns from the end of a poll. Says whether even the smallest page was too much.
    pub(super) fn learn(&mut self, reason: Option<Reason>) -> bool {
        match reason {
            Some(Reason::TooLarge) => {
                // Judged before halving: the smallest page has to fail itself before the list is split.
                let exhausted = self.rows <= MIN_PAGE_ROWS;
                (self.rows, self.good_polls) = ((self.rows / 2).max(MIN_PAGE_ROWS.min(self.max)), 0);
                exhausted
            }
            None if self.rows < self.max => {
                self.good_polls += 1;
                if self.good_polls >= GOOD_POLLS_TO_GROW {
                    (self.rows, self.good_polls) = ((2 * self.rows).min(self.max), 0);
                }
                false
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::target::Source;

    fn credential() -> CredentialId {
        CredentialId { source: Source::META, name: "main".into() }
    }

    fn observed(out: &mut Outbox) -> Vec<String> {
        std::iter::from_fn(|| out.next()).map(|effect| format!("{effect:?}")).collect()
    }

    #[test]
    fn a_refused_field_is_left_out_for_a_day_and_reported_once() {
        let (mut quirks, mut out, id) = (Quirks::default(), Outbox::default(), credential());
        let all = MetricSet::default_on();
        let mut fault = Fault::new(Reason::InvalidRequest, "(#100)");
        fault.fields = vec![METRICS[0].snake().clone()];
        assert!(quirks.leave_out(&id, &fault, all, Uptime::ZERO, &mut out));
        assert_eq!(observed(&mut out).len(), 2, "a line and a gauge");
        assert!(!quirks.leave_out(&id, &fault, all.minus(MetricSet::NONE.with(0)), Uptime::ZERO, &mut out));
        assert_eq!(observed(&mut out), [""; 0]);
        let almost = Uptime::after(REFUSED_FIELD_RETRY.saturating_sub(Duration::from_secs(1)));
        assert_eq!(quirks.supported(&id, all, almost, &mut out), all.minus(MetricSet::NONE.with(0)));
        assert_eq!(quirks.supported(&id, all, Uptime::after(REFUSED_FIELD_RETRY), &mut out), all);
        assert_eq!(observed(&mut out).len(), 1, "the gauge goes");
    }

    #[test]
    fn a_page_shrinks_to_the_smallest_and_grows_back() {
        let mut page = PageSize::new(500);
        let sizes: Vec<_> = (0..7).map(|_| (page.learn(Some(Reason::TooLarge)), page.rows())).collect();
        let expected = [250, 125, 62, 31, 15, 10].map(|rows| (false, rows));
        assert_eq!((&sizes[..6], sizes[6]), (&expected[..], (true, 10)));
        for _ in 0..GOOD_POLLS_TO_GROW {
            page.learn(None);
        }
        assert_eq!(page.rows(), 20);
        page.learn(Some(Reason::Timeout));
        assert_eq!(page.rows(), 20, "an outage says nothing about sizes");
    }

    #[test]
    fn a_version_is_reported_when_it_changes_and_forgotten_with_its_credential() {
        let (mut quirks, mut out, id) = (Quirks::default(), Outbox::default(), credential());
        let requested: Arc<str> = "v26.0".into();
        let served = |version: &str| ServedVersion { version: version.to_owned(), warning: None };
        quirks.note_version(&id, &requested, served("v26.0"), &mut out);
        assert_eq!(observed(&mut out).len(), 1, "a gauge; what was asked for is not worth a line");
        quirks.note_version(&id, &requested, served("v26.0"), &mut out);
        assert_eq!(observed(&mut out).len(), 0);
        quirks.note_version(&id, &requested, served("v27.0"), &mut out);
        assert_eq!(observed(&mut out).len(), 2);
        quirks.forget(&id, &requested, &mut out);
        assert_eq!(observed(&mut out).len(), 1);
    }

    fn refusing(metric: usize) -> Fault {
        Fault { fields: vec![METRICS[metric].snake().clone()], ..Fault::new(Reason::InvalidRequest, "(#100)") }
    }

    #[test]
    fn a_field_that_is_named_again_is_not_left_out_for_longer() {
        let (mut quirks, mut out, id) = (Quirks::default(), Outbox::default(), credential());
        let all = MetricSet::default_on();
        quirks.leave_out(&id, &refusing(0), all, Uptime::ZERO, &mut out);
        quirks.leave_out(&id, &refusing(0), all, Uptime::after(REFUSED_FIELD_RETRY / 2), &mut out);
        assert_eq!(quirks.supported(&id, all, Uptime::after(REFUSED_FIELD_RETRY), &mut out), all);
    }

    #[test]
    fn the_gauge_of_a_refused_field_goes_with_its_credential() {
        let (mut quirks, mut out, id) = (Quirks::default(), Outbox::default(), credential());
        quirks.leave_out(&id, &refusing(0), MetricSet::default_on(), Uptime::ZERO, &mut out);
        observed(&mut out);
        quirks.forget(&id, &"v26.0".into(), &mut out);
        let gone = observed(&mut out);
        assert!(gone.len() == 1 && gone[0].contains("refused: false"), "{gone:?}");
    }

    #[test]
    fn a_warning_about_the_version_is_a_line_though_the_version_is_the_one_that_was_asked_for() {
        let (mut quirks, mut out, id) = (Quirks::default(), Outbox::default(), credential());
        let served = ServedVersion { version: "v26.0".to_owned(), warning: Some("it ends in May".to_owned()) };
        quirks.note_version(&id, &"v26.0".into(), served, &mut out);
        let said = observed(&mut out);
        assert!(said.iter().any(|effect| effect.contains("it ends in May")), "{said:?}");
    }

    #[test]
    fn a_page_is_never_larger_than_the_api_allows_and_grows_after_good_polls_in_a_row() {
        let mut small = PageSize::new(4);
        assert!(small.learn(Some(Reason::TooLarge)), "it was the smallest already");
        assert_eq!(small.rows(), 4);
        let mut page = PageSize::new(15);
        page.learn(Some(Reason::TooLarge));
        for _ in 0..GOOD_POLLS_TO_GROW - 1 {
            page.learn(None);
        }
        page.learn(Some(Reason::TooLarge));
        page.learn(None);
        assert_eq!(page.rows(), 10, "good polls are counted anew");
        for _ in 0..GOOD_POLLS_TO_GROW {
            page.learn(None);
        }
        assert_eq!(page.rows(), 15);
    }
}
