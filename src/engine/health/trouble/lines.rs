//! The sentences and fields of the log lines about faults.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::super::super::effect::{LogLine, Severity};
use super::{Cause, Detail, Member, Trouble};
use crate::domain::counted::counted;
use crate::domain::fault::Reason;
use crate::domain::outages::{Count, Line, MAX_NAMED};
use crate::domain::target::{AccountId, TargetKey, account_label};

/// The labels of a line; those that it does not have are left out.
#[derive(Debug, Default)]
struct Fields {
    about: Vec<(&'static str, String)>,
    reason: Option<&'static str>,
    code: Option<&'static str>,
    polls: Option<u64>,
}

impl Cause {
    fn reason(&self) -> Option<&'static str> {
        match self.trouble {
            Trouble::Failing(reason) | Trouble::LookupFailing(reason) => Some(reason.label()),
            Trouble::Refused => Some(Reason::Unauthorized.label()),
            Trouble::Unreadable | Trouble::Stretched => None,
        }
    }

    /// How many polls met it, of what is met by polls.
    fn polls(&self, times: u64) -> Option<u64> {
        (!matches!(self.trouble, Trouble::Unreadable | Trouble::Stretched)).then_some(times)
    }

    /// What is counted.
    fn noun(&self) -> &'static str {
        match self.trouble {
            Trouble::Failing(_) => "target",
            Trouble::LookupFailing(_) => "lookup",
            Trouble::Stretched => "lane",
            Trouble::Unreadable | Trouble::Refused => "credential",
        }
    }
}

/// How many members a cause could have, of one account or of all.
pub(super) fn total<'a>(
    targets: impl Iterator<Item = &'a TargetKey>,
    cause: &Cause,
    account: Option<AccountId>,
) -> usize {
    let lookups = matches!(cause.trouble, Trouble::LookupFailing(_));
    let of_it = |key: &&TargetKey| {
        key.credential_id() == cause.credential
            && key.subject.is_discovery() == lookups
            && (account.is_none() || key.account == account)
    };
    targets.filter(of_it).count()
}

/// Number of members, of one account or of all.
pub(super) type Total<'t> = &'t dyn Fn(&Cause, Option<AccountId>) -> usize;

pub(super) fn report(line: &Line<Cause, Member, Detail>, total: Total<'_>) -> LogLine {
    match line {
        Line::Began { cause, member, detail } => {
            let said = match cause.trouble {
                Trouble::Unreadable => format!("the credential cannot be read, {}", detail.message),
                Trouble::Refused => format!("the API refuses the credential: {}", detail.message),
                Trouble::Failing(_) | Trouble::LookupFailing(_) => format!("poll failed: {}", detail.message),
                Trouble::Stretched => format!("the configured intervals do not fit the allowance: {}", detail.message),
            };
            emit(severity(detail), cause, fields(cause, member, Some(detail)), said)
        }
        Line::Still { cause, member, detail, times: polls, time } => {
            let (time, message) = (span(*time), &detail.message);
            let said = match cause.trouble {
                Trouble::Unreadable => format!("the credential still cannot be read after {time}, {message}"),
                Trouble::Refused => format!("the API still refuses the credential after {time}: {message}"),
                Trouble::Failing(_) | Trouble::LookupFailing(_) => {
                    format!("poll still fails, {} in {time}: {message}", times(*polls))
                }
                Trouble::Stretched => format!("the configured intervals still do not fit the allowance: {message}"),
            };
            let fields = Fields { polls: cause.polls(*polls), ..fields(cause, member, Some(detail)) };
            emit(severity(detail), cause, fields, said)
        }
        Line::Ended { cause, member, times: polls } => emit(
            Severity::Info,
            cause,
            Fields { polls: cause.polls(*polls), ..fields(cause, member, None) },
            over(cause).to_owned(),
        ),
        Line::Count(count) => count_line(count, total),
        Line::Summary(numbers) => summary(numbers),
    }
}

/// What is said of a member that is well again.
fn over(cause: &Cause) -> &'static str {
    match cause.trouble {
        Trouble::Unreadable => "the credential can be read again",
        Trouble::Refused => "the API accepts the credential again",
        Trouble::Failing(_) | Trouble::LookupFailing(_) => "poll succeeds again",
        Trouble::Stretched => "the configured intervals fit the allowance again",
    }
}

fn count_line(count: &Count<Cause, Member, Detail>, total: Total<'_>) -> LogLine {
    let (cause, latest, number) = (&count.cause, &count.latest, count.members.len());
    let mut accounts: Vec<_> = count.members.iter().map(Member::account).collect();
    accounts.dedup();
    // Faults of one account are its own, whatever the others do.
    let account = if let [account] = accounts[..] { account } else { None };
    let place = place(cause, account);
    let mut fields = Fields { reason: cause.reason(), ..Fields::default() };
    let mut said = match cause.trouble {
        Trouble::Unreadable | Trouble::Refused if number == 0 => over(cause).to_owned(),
        Trouble::Unreadable => format!("the credential cannot be read, {}", latest.message),
        Trouble::Refused => format!("the API refuses the credential: {}", latest.message),
        Trouble::Stretched if number == 0 => format!("the configured intervals of {place} fit the allowance again"),
        Trouble::Stretched => {
            format!("the configured intervals of {} of {place} do not fit: {}", counted(number, "lane"), latest.message)
        }
        Trouble::Failing(reason) | Trouble::LookupFailing(reason) => {
            let (reason, all) = (reason.label(), counted(total(cause, account), cause.noun()));
            if number == 0 {
                format!("no {} of {place} fails any more: {reason}", cause.noun())
            } else {
                let fail = if number == 1 { "fails" } else { "fail" };
                format!("{number} of {all} of {place} {fail}: {reason}, the latest: {}", latest.message)
            }
        }
    };
    if (1..=MAX_NAMED).contains(&number) && cause.noun() != "credential" {
        let names: Vec<_> = count.members.iter().map(Member::name).collect();
        let _ = write!(said, " ({})", names.join(", "));
    }
    // The number alone would look steady while targets fail and recover in turn.
    let flapping = count.began > number.max(MAX_NAMED);
    if flapping {
        let _ = write!(said, "; {} since the last such line", counted(count.began, "new fault"));
    }
    if number == 0 {
        return emit(Severity::Info, cause, fields, said);
    }
    // Only where all of them share it: a field that is true of some would mislead a search.
    fields.about.extend(account.map(|account| ("account_id", account.to_string())));
    fields.code = Some(latest.code).filter(|_| cause.reason().is_some());
    emit(severity(latest), cause, fields, said)
}

/// One line for everything: by what is wrong, over all credentials.
fn summary(numbers: &[(Cause, usize)]) -> LogLine {
    let mut kinds: BTreeMap<_, usize> = BTreeMap::new();
    for (cause, number) in numbers.iter().filter(|(_, number)| *number > 0) {
        *kinds.entry((cause.noun(), cause.trouble)).or_default() += number;
    }
    let kinds = kinds.into_iter().map(|((noun, trouble), number)| {
        let what = counted(number, noun);
        match trouble {
            Trouble::Unreadable => format!("{what} unreadable"),
            Trouble::Refused => format!("{what} refused"),
            Trouble::Stretched => format!("{what} with stretched intervals"),
            Trouble::Failing(reason) | Trouble::LookupFailing(reason) => format!("{what} {}", reason.label()),
        }
    });
    let said = kinds.collect::<Vec<_>>().join(", ");
    if said.is_empty() {
        LogLine::new(Severity::Info, "nothing fails any more")
    } else {
        let line = format!("too many changes to log each one; currently failing: {said}; the status page lists them");
        LogLine::new(Severity::Warning, line)
    }
}

fn fields(cause: &Cause, member: &Member, detail: Option<&Detail>) -> Fields {
    Fields {
        about: match member {
            // The line names source and credential already.
            Member::Target(key) => {
                key.labels().into_iter().skip(2).map(|(name, value)| (name, value.into_owned())).collect()
            }
            Member::Lane(lane) => vec![("account_id", account_label(lane.account))],
            Member::Content(..) | Member::Credential(..) => Vec::new(),
        },
        reason: detail.and_then(|_| cause.reason()),
        code: detail.filter(|_| cause.reason().is_some()).map(|detail| detail.code),
        polls: None,
    }
}

impl Member {
    fn account(&self) -> Option<AccountId> {
        match self {
            Self::Target(key) => key.account,
            Self::Lane(lane) => lane.account,
            Self::Content(..) | Self::Credential(..) => None,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Target(key) => key.to_string(),
            Self::Lane(lane) => lane.to_string(),
            Self::Content(credential) | Self::Credential(credential) => credential.to_string(),
        }
    }
}

/// A credential, or an account of it.
fn place(cause: &Cause, account: Option<AccountId>) -> String {
    let account = account.map_or_else(String::new, |account| format!("/{account}"));
    format!("{}{account}", cause.credential)
}

fn span(time: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(time.as_secs()))
}

fn times(number: u64) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

fn severity(detail: &Detail) -> Severity {
    if detail.severe { Severity::Error } else { Severity::Warning }
}

fn emit(severity: Severity, cause: &Cause, fields: Fields, said: String) -> LogLine {
    let Fields { about, reason, code, polls } = fields;
    let words = [("reason", reason), ("code", code)].map(|(name, word)| (name, word.map(str::to_owned)));
    let polls = ("polls", polls.map(|polls| polls.to_string()));
    let mut report = LogLine::of_credential(severity, &cause.credential, said);
    report.fields.extend(about);
    for (name, value) in words.into_iter().chain([polls]) {
        report.fields.extend(value.map(|value| (name, value)));
    }
    report
}
