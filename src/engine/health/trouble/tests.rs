//! What somebody reads on a bad day, in squeezed time: the lines that a fleet of 1,000 targets writes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::outages::MAX_LINES_PER_HOUR;
use crate::domain::target::{AccountId, Source, Subject, Window};
use crate::engine::effect::Effect;

const INTERVAL: Duration = Duration::from_mins(15);
const HOUR: Duration = Duration::from_hours(1);

/// A fleet, the clock and the log.
struct Day {
    log: TroubleLog,
    targets: Vec<TargetKey>,
    now: Uptime,
    out: Outbox,
    /// Instants and texts of the lines.
    lines: Vec<(Uptime, String)>,
}

impl Day {
    /// Four targets in each account.
    fn new(credentials: &[&str], accounts: usize) -> Self {
        let mut targets = Vec::new();
        for credential in credentials {
            for account in 1..=accounts {
                let account = AccountId::parse(&(1000 + account).to_string()).ok();
                for window in ["today", "last_7d"] {
                    for subject in [Subject::Campaigns, Subject::Totals] {
                        let window = Window::preset(window).unwrap();
                        let credential = Arc::from(*credential);
                        targets.push(TargetKey { source: Source::META, account, credential, subject, part: 0, window });
                    }
                }
            }
        }
        Self {
            log: TroubleLog::default(),
            targets,
            now: Uptime::after(INTERVAL),
            out: Outbox::default(),
            lines: Vec::new(),
        }
    }

    /// Polls every target once an interval, evenly spread, for a time.
    fn poll(&mut self, time: Duration, mut fault: impl FnMut(usize, &TargetKey, Uptime) -> Option<Fault>) {
        let step = INTERVAL / u32::try_from(self.targets.len()).unwrap();
        let end = self.now + time;
        for number in (0..self.targets.len()).cycle() {
            if self.now >= end {
                break;
            }
            self.now += step;
            while let Some(due) = self.log.due().filter(|due| *due <= self.now) {
                self.log.say_due(due, &self.targets.iter(), &mut self.out);
                self.read(due);
            }
            let key = &self.targets[number];
            let fault = fault(number, key, self.now);
            let fault = fault.as_ref().map(|fault| (fault, fault.reason));
            self.log.poll(key, fault, true, self.now, &mut self.out);
            self.read(self.now);
        }
    }

    /// Takes the lines that the log shows by default, as logfmt writes them.
    fn read(&mut self, at: Uptime) {
        while let Some(effect) = self.out.next() {
            let Effect::Report(report) = effect else { continue };
            let level = match report.severity {
                Severity::Error => "error",
                Severity::Warning => "warn",
                Severity::Info => "info",
                Severity::Debug => continue,
            };
            let mut line = format!("level={level} msg={:?}", report.message);
            for (name, value) in report.fields {
                let _ = write!(line, " {name}={value}");
            }
            self.lines.push((at, line));
        }
    }

    /// Most lines in any hour.
    fn most(&self) -> usize {
        let within = |start: Uptime| self.lines.iter().filter(|(at, _)| *at >= start && *at < start + HOUR).count();
        self.lines.iter().map(|(at, _)| within(*at)).max().unwrap_or_default()
    }

    fn texts(&self) -> Vec<&str> {
        self.lines.iter().map(|(_, line)| line.as_str()).collect()
    }
}

fn down() -> Fault {
    Fault::new(Reason::Unavailable, "HTTP 503 with an empty body")
}

#[test]
fn an_outage_of_everything_and_its_recovery_take_some_lines() {
    let mut day = Day::new(&["main"], 150);
    day.poll(HOUR, |_, _, _| None);
    assert!(day.lines.is_empty());
    // Two targets live elsewhere, as it were.
    day.poll(3 * HOUR, |number, _, _| (number >= 2).then(down));
    let outage = day.lines.len();
    let told = day.texts();
    assert!(
        told[0].starts_with(r#"level=warn msg="poll failed: HTTP 503 with an empty body" source=meta"#),
        "{told:#?}"
    );
    let all = r#"msg="598 of 600 targets of meta/main fail: unavailable, the latest: HTTP 503 with an empty body""#;
    assert!(told.iter().any(|line| line.contains(all)), "{told:#?}");
    assert!(!told.iter().any(|line| line.contains("599")), "{told:#?}");
    day.poll(HOUR, |_, _, _| None);
    let last = day.lines.last().unwrap().1.clone();
    assert!(last.starts_with(r#"level=info msg="no target of meta/main fails any more: unavailable""#), "{last}");
    println!(
        "600 targets, an outage of 3 hours: {outage} lines, {} for the recovery, at most {} in an hour",
        day.lines.len() - outage,
        day.most()
    );
    assert!(day.lines.len() <= 20, "{:#?}", day.texts());
}

#[test]
fn mixed_faults_of_a_thousand_targets_stay_below_the_bound() {
    let mut day = Day::new(&["main", "second", "third", "fourth", "fifth"], 50);
    assert_eq!(day.targets.len(), 1000);
    let mut dice = 7_u64;
    day.poll(6 * HOUR, |_, key, _| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let roll = usize::try_from(dice >> 40).unwrap();
        // One credential is refused now and then, all others fail for any reason, every other poll.
        let reason = match &*key.credential {
            "fifth" if roll % 7 == 0 => Reason::Unauthorized,
            _ => Reason::ALL[1 + roll % (Reason::ALL.len() - 1)],
        };
        (roll % 2 == 0).then(|| Fault::new(reason, format!("the API's words, request {roll}")))
    });
    let levels = day.lines.iter().fold(BTreeMap::<_, usize>::new(), |mut levels, (_, line)| {
        *levels.entry(line.split(' ').next().unwrap_or_default()).or_default() += 1;
        levels
    });
    println!("1,000 targets, 24,000 polls, half of them failing: at most {} lines in an hour, {levels:?}", day.most());
    assert!((1..=MAX_LINES_PER_HOUR).contains(&day.most()), "{:#?}", day.texts());
    assert!(day.texts().iter().any(|line| line.contains("the status page lists them")), "{:#?}", day.texts());
}

#[test]
fn one_accounts_faults_are_told_as_its_own_and_few_by_name() {
    let mut day = Day::new(&["main"], 100);
    let refused =
        |key: &TargetKey| Fault { code: Some("200"), ..Fault::new(Reason::Forbidden, format!("no {}", key.label())) };
    day.poll(HOUR, |_, key, _| key.account.is_some_and(|account| account.number() == 1007).then(|| refused(key)));
    let told = day.texts();
    let first = r#"level=error msg="poll failed: no account" source=meta credential=main account_id=1007 target=account window=today reason=forbidden code=200"#;
    assert_eq!(told[0], first);
    let four = "4 of 4 targets of meta/main/1007 fail: forbidden, the latest: no totals";
    assert!(told.iter().any(|line| line.contains(four) && line.contains("account_id=1007")), "{told:#?}");
    assert_eq!(told.len(), 4, "three by name and the count: {told:#?}");
}

#[test]
fn a_dead_token_is_one_line_and_one_an_hour_whoever_meets_it() {
    let mut day = Day::new(&["main"], 10);
    day.poll(2 * HOUR + INTERVAL, |_, _, _| Some(Fault::new(Reason::Unauthorized, "the token expired")));
    day.poll(INTERVAL, |_, _, _| None);
    let told = day.texts();
    let starts = [
        r#"level=error msg="the API refuses the credential: the token expired" source=meta credential=main reason"#,
        r#"level=error msg="the API still refuses the credential after 1h: the token expired""#,
        r#"level=error msg="the API still refuses the credential after 2h: the token expired""#,
        r#"level=info msg="the API accepts the credential again" source=meta credential=main polls="#,
    ];
    assert!(told.len() == 4 && told.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{told:#?}");
}

#[test]
fn an_unreadable_file_is_one_line_an_hour_beside_whatever_else_fails() {
    let mut day = Day::new(&["main"], 3);
    let main = CredentialId { source: Source::META, name: "main".into() };
    for second in 0..2 * 3600 {
        let now = Uptime::after(Duration::from_secs(second));
        let trouble = Some(("the file /run/t is empty; put the secret there", true));
        day.log.content(&main, trouble, now, &mut day.out);
        day.log.say_due(now, &day.targets.iter(), &mut day.out);
    }
    day.log.content(&main, None, Uptime::after(2 * HOUR), &mut day.out);
    day.read(Uptime::ZERO);
    let told = day.texts();
    let place = r#"its last content is still used: the file /run/t is empty; put the secret there" source=meta credential=main"#;
    let starts = [
        format!(r#"level=error msg="the credential cannot be read, {place}"#),
        format!(r#"level=error msg="the credential still cannot be read after 1h, {place}"#),
        r#"level=info msg="the credential can be read again""#.to_owned(),
    ];
    assert!(told.len() == 3 && told.iter().zip(&starts).all(|(line, start)| line.starts_with(start)), "{told:#?}");
    assert!(!told.iter().any(|line| line.contains("polls=")), "files are read, not polled: {told:#?}");
}

#[test]
fn lookups_are_counted_apart_from_targets() {
    let mut day = Day::new(&["main"], 3);
    for account in 1..=5 {
        let account = AccountId::parse(&(1000 + account).to_string()).ok();
        let window = Window::Unspecified;
        let (source, credential) = (Source::META, Arc::from("main"));
        day.targets.push(TargetKey { source, account, credential, subject: Subject::Listing, part: 0, window });
    }
    day.poll(HOUR, |_, _, _| Some(down()));
    let told = day.texts().join("\n");
    assert!(told.contains("12 of 12 targets of meta/main fail"), "{told}");
    assert!(told.contains("5 of 5 lookups of meta/main fail"), "{told}");
}

#[test]
fn what_is_left_of_an_outage_is_named() {
    let mut day = Day::new(&["main"], 3);
    day.poll(HOUR, |_, _, _| Some(down()));
    day.poll(HOUR, |number, _, _| (number < 2).then(down));
    let last = day.lines.last().unwrap().1.clone();
    let names = "(meta/main/1001/account/today, meta/main/1001/totals/today)";
    assert!(last.contains("2 of 4 targets of meta/main/1001 fail") && last.contains(names), "{last}");
}

#[test]
fn targets_that_fail_and_recover_in_turn_are_told_by_how_often() {
    let mut day = Day::new(&["main"], 3);
    let down = down();
    for second in 0..20 {
        let fault = (second % 2 == 0).then_some((&down, down.reason));
        day.now += Duration::from_secs(1);
        for key in &day.targets {
            day.log.poll(key, fault, true, day.now, &mut day.out);
        }
    }
    day.log.poll(&day.targets[0], Some((&down, down.reason)), true, day.now, &mut day.out);
    while let Some(due) = day.log.due().filter(|due| *due < day.now + INTERVAL) {
        day.log.say_due(due, &day.targets.iter(), &mut day.out);
    }
    day.read(day.now);
    let told = day.texts().join("\n");
    assert!(told.contains("new faults since the last such line"), "{told}");
}

#[test]
fn intervals_that_just_do_not_fit_are_neither_told_nor_told_to_be_over() {
    let mut day = Day::new(&["main"], 1);
    let lane = LaneKey::of(&day.targets[0]);
    let told = |day: &mut Day, stretch: f64| {
        let load = LaneLoad { lane: &lane, allowance: 100.0, tier: None, demand: 100.0 * stretch, stretch };
        day.log.load(&load, None, day.now, &mut day.out);
        day.read(day.now);
        day.lines.drain(..).map(|(_, line)| line).collect::<Vec<_>>()
    };
    assert!(told(&mut day, 1.05).is_empty());
    let said = told(&mut day, 1.2);
    assert!(said.len() == 1 && said[0].contains("120 requests an hour are needed, 100 are allowed"), "{said:?}");
    assert!(told(&mut day, 1.05).is_empty(), "a lane that is just about full does not come and go");
    let said = told(&mut day, 1.0);
    assert!(said.len() == 1 && said[0].contains("fit the allowance again"), "{said:?}");
}

#[test]
fn a_refusal_without_any_content_is_the_matter_of_the_file_and_every_poll_is_a_debug_line() {
    let mut day = Day::new(&["main"], 1);
    let fault = Fault::new(Reason::Unauthorized, "there is no token");
    let key = day.targets[0].clone();
    day.log.poll(&key, Some((&fault, fault.reason)), false, day.now, &mut day.out);
    day.log.poll(&key, None, true, day.now, &mut day.out);
    let lines: Vec<_> = std::iter::from_fn(|| day.out.next()).collect();
    let debug = |effect: &Effect| matches!(effect, Effect::Report(line) if line.severity == Severity::Debug);
    assert!(lines.len() == 2 && lines.iter().all(debug), "{lines:?}");
}

#[test]
fn what_has_left_is_not_said_to_fail() {
    let mut day = Day::new(&["main"], 1);
    let main = day.targets[0].credential_id();
    let refused = Fault::new(Reason::Unauthorized, "the token expired");
    let (key, lane) = (day.targets[0].clone(), LaneKey::of(&day.targets[0]));
    let overdue = Fault::new(Reason::Timeout, "late");
    day.log.poll(&key, Some((&refused, refused.reason)), true, day.now, &mut day.out);
    day.log.poll(&key, Some((&overdue, overdue.reason)), true, day.now, &mut day.out);
    day.log.content(&main, Some(("gone", false)), day.now, &mut day.out);
    let load = LaneLoad { lane: &lane, allowance: 100.0, tier: None, demand: 200.0, stretch: 2.0 };
    day.log.load(&load, None, day.now, &mut day.out);
    day.read(day.now);
    assert_eq!(day.lines.len(), 4, "{:#?}", day.texts());
    day.log.forget(&key, day.now);
    day.log.forget_lane(&lane, day.now);
    day.log.forget_credential(&main, day.now);
    day.lines.clear();
    while let Some(due) = day.log.due().filter(|due| *due < day.now + 3 * HOUR) {
        day.log.say_due(due, &day.targets.iter(), &mut day.out);
        day.read(due);
    }
    let failing: Vec<_> = day.texts().into_iter().filter(|line| !line.starts_with("level=info")).collect();
    assert!(failing.is_empty(), "{failing:#?}");
}
