//! What becomes of plans, credentials and states: reloads, rotations, restarts, and the end.

use super::*;
use crate::domain::budget::{Grant, Tier};
use crate::domain::facts::{CampaignFacts, Listing};
use crate::domain::fleet::{FleetChannel, WantedCampaigns};
use crate::domain::target::{AccountId, PageId};

fn forbidden() -> Fault {
    Fault::new(Reason::Forbidden, "not this account")
}

fn nobody() -> PollPlan {
    PollPlan { credentials: Vec::new(), ..plan(Fleet::default()) }
}

fn singles(ids: &[u32]) -> PollPlan {
    plan(Fleet { campaigns: ids.iter().map(|id| single(*id)).collect(), ..Fleet::default() })
}

/// Single campaigns that joined account 7.
fn joined(ids: &[u32]) -> Play {
    let mut play = Play::new(singles(ids));
    play.handle(Event::Restore(None));
    play.answer_each(20 * SECOND, |key| match key.subject {
        Subject::Campaign(id) => Ok(rows(7, &[u32::try_from(id.number()).unwrap()])),
        _ => Ok(Page::default()),
    });
    assert!(!play.names().contains(&"meta/main/1/today".to_owned()), "{:?}", play.names());
    play
}

/// A channel of which all campaigns are wanted.
fn channel() -> PollPlan {
    let channel = FleetChannel {
        space: "space".into(),
        page: PageId::parse("1").unwrap(),
        account: AccountId::parse("7").unwrap(),
        currency: None,
        wanted: WantedCampaigns::All,
        terms: terms(),
    };
    plan(Fleet { channels: vec![channel], ..Fleet::default() })
}

#[test]
fn a_channel_of_which_some_campaigns_were_wanted_keeps_them_while_all_are_looked_for() {
    let mut some = channel();
    some.fleet.channels[0].wanted = WantedCampaigns::Only([campaign_id(1), campaign_id(2)].into());
    let mut play = Play::new(some);
    let campaigns = |play: &Play| -> Vec<_> {
        play.engine.targets.keys().filter(|key| matches!(key.subject, Subject::Campaign(_))).cloned().collect()
    };
    let before = campaigns(&play);
    assert_eq!(before.len(), 2, "{before:?}");
    play.reload(channel());
    assert_eq!(campaigns(&play), before);
}

/// How many requests an event leads to within a second.
fn sends(play: &mut Play, event: impl FnOnce(&mut Play)) -> usize {
    play.take_sent();
    event(play);
    play.pass(SECOND);
    play.take_sent().len()
}

#[test]
fn before_the_first_plan_nothing_is_ready() {
    let mut engine = Engine::default();
    engine.handle(Event::Time, Moment::default());
    assert!(engine.poll().is_none());
}

#[test]
fn what_was_never_answered_failed_and_a_plan_says_how_many_series_may_be() {
    let mut play = Play::new(accounts([7]));
    assert!(play.changes().iter().any(|change| matches!(change, Change::Bound(1_000_000))));
    let failed = play.engine.failed();
    assert_eq!((failed.targets, failed.lookups), (1, 2));
}

#[test]
fn behind_a_refused_credential_nothing_is_waited_for() {
    let mut play = Play::new(accounts([7, 8]));
    let other = play.engine.targets.keys().find(|key| key.to_string() == "meta/main/8/account/today").unwrap().clone();
    play.pass(SECOND);
    let asked = play.take_sent();
    play.answer(&asked[0], Err(refusal()));
    for outgoing in &asked[1..] {
        play.answer(outgoing, Err(Fault::new(Reason::Throttled, "spent")));
    }
    assert_eq!(play.engine.outlook(&other), Outlook::CredentialRefused);
}

#[test]
fn a_request_that_waits_for_keys_is_still_under_way() {
    let mut play = Play::new(accounts([7]));
    play.answer_all(60 * SECOND);
    assert!(play.engine.is_settled());
    play.pass(2 * INTERVAL);
    for outgoing in play.take_sent() {
        play.handle(Event::NotSent(outgoing.ticket));
    }
    assert_eq!(play.engine.in_flight, 0);
    assert!(!play.engine.is_settled());
}

#[test]
fn changed_settings_are_tried_without_waiting_out_what_the_former_were_refused_for() {
    for fault in [forbidden(), refusal()] {
        let mut play = Play::new(accounts([7]));
        play.answer_each(60 * SECOND, |_| Err(fault.clone()));
        assert_eq!(sends(&mut play, |play| play.reload(accounts([7]))), 0, "{fault}: nothing changed");
        let changed = PollPlan { changed: BTreeSet::from([main_id()]), ..accounts([7]) };
        assert!(sends(&mut play, |play| play.reload(changed)) > 0, "{fault}");
    }
}

#[test]
fn new_keys_are_tried_without_waiting_out_what_the_former_were_refused_for() {
    let mut play = Play::new(accounts([7]));
    play.read_keys();
    play.answer_each(60 * SECOND, |_| Err(forbidden()));
    play.others.clear();
    let read = |effect: &Effect| matches!(effect, Effect::Observe(Measurement::KeysRead { .. }));
    assert_eq!((sends(&mut play, Play::read_keys), play.count(read)), (0, 0), "the same content is no news");
    play.generation = 2;
    assert!(sends(&mut play, Play::read_keys) > 0);
    assert_eq!(play.count(read), 1);
}

#[test]
fn new_keys_do_not_ask_again_what_is_well() {
    let mut play = Play::new(accounts([7]));
    play.read_keys();
    play.answer_all(60 * SECOND);
    play.generation = 2;
    assert_eq!(sends(&mut play, Play::read_keys), 0);
}

#[test]
fn another_grant_is_in_force_at_once() {
    let mut play = Play::new(accounts([7]));
    play.answer_all(60 * SECOND);
    play.others.clear();
    let mut less = accounts([7]);
    less.credentials[0].grant = Grant::Account { share: 1.0, assumed: Tier::Limited, configured: true };
    play.reload(less);
    let limited =
        |effect: &Effect| matches!(effect, Effect::Observe(Measurement::Load { allowance, .. }) if *allowance <= 600.0);
    assert!(play.count(limited) > 0);
}

#[test]
fn a_credential_that_comes_back_begins_anew() {
    let mut play = Play::new(accounts([7]));
    play.read_keys();
    play.answer_each(60 * SECOND, |_| Err(refusal()));
    play.reload(nobody());
    play.others.clear();
    play.pass(60 * SECOND);
    let reads = |effect: &Effect| matches!(effect, Effect::ReadKeys(_));
    assert_eq!(play.count(reads), 0, "nobody reads the file of a credential that has left");
    assert!(sends(&mut play, |play| play.reload(accounts([7]))) > 0, "its former refusal is forgotten");
    play.others.clear();
    play.read_keys();
    let read = |effect: &Effect| matches!(effect, Effect::Observe(Measurement::KeysRead { .. }));
    assert_eq!(play.count(read), 1, "and so is its former content");
}

#[test]
fn a_late_refusal_of_a_credential_that_has_left_has_nobody_read_its_file() {
    let mut play = Play::new(accounts([7]));
    let asked = play.insights();
    play.reload(nobody());
    play.answer(&asked, Err(refusal()));
    play.others.clear();
    play.pass(60 * SECOND);
    assert_eq!(play.count(|effect| matches!(effect, Effect::ReadKeys(_))), 0);
}

#[test]
fn the_log_says_no_more_of_what_has_left() {
    let mut play = Play::new(accounts([7]));
    let content = KeyContent::Unreadable { last: None, problem: "/run/token: gone".to_owned() };
    play.handle(Event::Keys { credential: main_id(), content });
    play.answer_each(60 * SECOND, |_| Err(forbidden()));
    play.reload(nobody());
    play.others.clear();
    play.pass(Duration::from_hours(3));
    let lines = |effect: &Effect| matches!(effect, Effect::Report(line) if line.severity <= Severity::Warning);
    assert_eq!(play.count(lines), 0);
}

#[test]
fn a_campaign_that_comes_back_is_asked_for_its_account_again() {
    let mut play = joined(&[1, 2]);
    play.reload(singles(&[2]));
    play.reload(singles(&[1, 2]));
    assert!(play.names().contains(&"meta/main/1/today".to_owned()), "{:?}", play.names());
}

#[test]
fn a_channel_that_comes_back_is_listed_again() {
    let listed = Page { campaigns: [(campaign_id(5), CampaignFacts::default())].into(), ..Page::default() };
    let mut play = Play::new(channel());
    play.answer_each(10 * SECOND, |key| match key.subject {
        Subject::Listing => Ok(listed.clone()),
        _ => Ok(Page::default()),
    });
    let campaign = |play: &Play| play.names().iter().any(|name| name.ends_with("/5"));
    assert!(campaign(&play), "{:?}", play.names());
    play.reload(plan(Fleet::default()));
    play.reload(channel());
    assert!(!campaign(&play), "{:?}", play.names());
}

#[test]
fn a_restart_knows_at_once_which_campaigns_ride_with_their_account_and_which_a_channel_has() {
    let mut play = joined(&[1, 2]);
    play.handle(Event::Stop);
    let state = play.saved();
    let mut later = Play::new(singles(&[1, 2]));
    later.handle(Event::Restore(state));
    assert!(later.names().contains(&"meta/main/7/account/today".to_owned()), "{:?}", later.names());

    let mut play = Play::new(channel());
    play.handle(Event::Restore(None));
    play.answer_all(10 * SECOND);
    play.handle(Event::Stop);
    let mut state = play.saved().unwrap();
    let key = play.engine.targets.keys().find(|key| key.subject == Subject::Listing).unwrap().clone();
    let listing = Listing::new(&[(campaign_id(5), CampaignFacts::default())].into());
    let expires = play.now.wall_at(play.now.uptime + INTERVAL);
    state.listings.push(SavedNames { key: key.clone(), home: (key.source, key.account), what: listing, expires });
    let mut later = Play::new(channel());
    later.handle(Event::Restore(Some(state)));
    assert!(later.names().iter().any(|name| name.ends_with("/5")), "{:?}", later.names());
}

#[test]
fn the_first_round_is_saved_at_once_and_what_follows_soon() {
    let mut play = Play::new(accounts([7]));
    play.handle(Event::Restore(None));
    play.answer_all(5 * SECOND);
    assert!(play.engine.ready && play.saved().is_some());
    play.reload(accounts([7]));
    play.handle(Event::Time);
    assert!(play.engine.timeout() <= play.now.uptime + 15 * SECOND, "a reload is to survive, too");
    play.pass(15 * SECOND);
    assert!(play.saved().is_some());
}

#[test]
fn the_engine_wakes_up_for_the_log_and_says_the_rest_at_the_end() {
    let mut play = Play::new(accounts(1..=10));
    play.answer_each(2 * SECOND, |_| Err(forbidden()));
    assert!(play.engine.timeout() <= play.now.uptime + 30 * SECOND, "the count of what fails is due");
    play.others.clear();
    play.handle(Event::Stop);
    let counts = |effect: &Effect| matches!(effect, Effect::Report(line) if line.severity <= Severity::Warning);
    assert!(play.count(counts) > 0);
}
