//! What becomes of an answer: pages, parts of a poll, refusals, and what each of them teaches.

use super::*;
use crate::domain::budget::{Grant, Tier};
use crate::domain::fleet::{FleetAccount, WantedCampaigns};
use crate::domain::freshness::Freshness;
use crate::domain::status::Expiry;
use crate::domain::target::AccountId;

fn next(cursor: &str, page: Page) -> Page {
    Page { next: Some(Cursor(cursor.to_owned())), ..page }
}

/// Account 7 with a list of its campaigns.
fn list(ids: &[u32]) -> PollPlan {
    let wanted = WantedCampaigns::Only(ids.iter().map(|id| campaign_id(*id)).collect());
    plan(Fleet { accounts: vec![FleetAccount { wanted, ..account(7) }], ..Fleet::default() })
}

#[test]
fn a_field_that_is_refused_between_two_pages_starts_the_poll_over() {
    let mut play = Play::new(accounts([7]));
    let asked = play.insights();
    play.answer(&asked, Ok(next("b", rows(7, &[1]))));
    let second = play.again(&asked);
    let fields = vec![METRICS[0].snake().clone()];
    play.answer(&second, Err(Fault { fields, ..Fault::new(Reason::InvalidRequest, "(#100)") }));
    let third = play.again(&asked);
    assert_eq!(third.cursor, None);
    play.changes();
    play.answer(&third, Ok(rows(7, &[1])));
    let brought = play.brought();
    assert_eq!(brought[0].rows.len(), 1, "rows with that field are not mixed with those without");
}

#[test]
fn rows_are_good_until_they_are_stale_and_values_that_are_no_numbers_are_counted() {
    let mut play = Play::new(accounts([7]));
    let asked = play.insights();
    play.others.clear();
    play.answer(&asked, Ok(Page { rejected: [("spend", 2)].into(), ..rows(7, &[1]) }));
    let rejected =
        |effect: &Effect| matches!(effect, Effect::Observe(Measurement::Rejected { field: "spend", count: 2, .. }));
    assert!(play.others.iter().any(rejected));
    assert_eq!(play.brought()[0].freshness, Freshness::new(play.now.uptime, 1.0));
}

#[test]
fn half_an_answer_shows_no_number_of_rows() {
    let mut play = Play::new(accounts([7]));
    let asked = play.insights();
    play.answer(&asked, Ok(next("b", rows(7, &[1]))));
    let second = play.again(&asked);
    play.changes();
    play.answer(&second, Err(Fault::new(Reason::Timeout, "late")));
    let status = play.changes().into_iter().find_map(|change| match change {
        Change::Status { status, .. } => Some(status),
        _ => None,
    });
    assert_eq!(status.unwrap().rows, None, "it would read like campaigns that are gone");
}

#[test]
fn half_a_listing_takes_no_names_away() {
    let mut play = Play::new(accounts([7]));
    play.pass(SECOND);
    let mut sent = play.take_sent();
    let listing = loop {
        let outgoing = sent.pop().unwrap_or_else(|| {
            play.pass(SECOND);
            play.take_sent().pop().unwrap()
        });
        let key = play.engine.targets.get(outgoing.ticket).unwrap().planned.key.clone();
        if key.subject == Subject::Listing {
            break outgoing;
        }
        play.answer(&outgoing, Ok(Page::default()));
    };
    play.answer(&listing, Ok(next("b", Page::default())));
    let second = play.again(&listing);
    play.changes();
    play.answer(&second, Err(Fault::new(Reason::Timeout, "late")));
    assert!(!play.changes().iter().any(|change| matches!(change, Change::Campaigns { .. })));
}

#[test]
fn a_list_that_was_edited_meanwhile_is_asked_again_and_its_late_answer_is_of_the_new_one_alone() {
    let mut play = Play::new(list(&[1, 2]));
    let asked = play.insights();
    play.reload(list(&[2, 3]));
    play.changes();
    play.answer(&asked, Ok(rows(7, &[1, 2])));
    let brought = play.brought();
    let campaigns: Vec<_> = brought[0].rows.iter().flat_map(|page| page.campaigns().iter().flatten()).collect();
    assert_eq!(campaigns, [&campaign_id(2)], "the first is not wanted any more");
    assert!(!brought[0].whole, "it says nothing about the third");
    play.again(&asked);
}

#[test]
fn a_list_that_is_too_much_for_the_smallest_page_is_spread_over_more_requests() {
    let ids: Vec<u32> = (1..=20).collect();
    let mut play = Play::new(list(&ids));
    let insights = |play: &Play| play.names().iter().filter(|name| name.ends_with("/today")).count();
    assert_eq!(insights(&play), 1);
    play.answer_each(Duration::from_hours(2), |key| match key.subject {
        Subject::Campaigns if key.part == 0 => Err(Fault::new(Reason::TooLarge, "reduce the amount of data")),
        _ => Ok(Page::default()),
    });
    assert!(insights(&play) > 1, "{:?}", play.names());
}

#[test]
fn campaigns_are_read_alone_when_their_account_refuses_the_request_for_all() {
    let mut play = Play::new(plan(Fleet { campaigns: vec![single(1), single(2)], ..Fleet::default() }));
    play.answer_each(Duration::from_hours(2), |key| match key.subject {
        Subject::Campaign(id) => Ok(rows(7, &[u32::try_from(id.number()).unwrap()])),
        Subject::Campaigns => Err(Fault::new(Reason::Forbidden, "not this account")),
        _ => Ok(Page::default()),
    });
    let names = play.names();
    assert!(names.contains(&"meta/main/1/today".to_owned()), "{names:?}");
}

#[test]
fn a_block_is_saved_at_once() {
    let mut play = Play::new(accounts([7]));
    play.handle(Event::Restore(None));
    play.answer_all(60 * SECOND);
    let asked = play.insights();
    play.reload(accounts([7]));
    assert!(play.saved().is_some(), "the next save is due in a quarter of a minute");
    let wait = Some(Duration::from_mins(10));
    play.answer(&asked, Err(Fault { wait, ..Fault::new(Reason::Throttled, "spent") }));
    assert_eq!(play.saved().unwrap().blocked.len(), 1, "a crash must not be a way past it");
}

#[test]
fn a_survey_is_answered_and_not_published() {
    let questions = accounts([7]).fleet.targets(|_| Vec::new());
    let survey = questions.into_iter().find(|planned| planned.key.subject == Subject::Campaigns).unwrap();
    let mut play = Play::new(plan(Fleet { surveys: vec![survey], ..Fleet::default() }));
    let asked = play.insights();
    play.others.clear();
    play.answer(&asked, Ok(rows(7, &[1])));
    let found =
        |effect: &Effect| matches!(effect, Effect::Found { found: Ok(gathered), .. } if gathered.row_count() == 1);
    assert!(play.others.iter().any(found));
    assert!(play.brought().is_empty());
}

#[test]
fn a_token_whose_life_cannot_be_looked_up_says_so() {
    let mut play = Play::new(plan(Fleet { tokens: vec![terms()], ..Fleet::default() }));
    play.answer_each(10 * SECOND, |_| Err(Fault::new(Reason::Forbidden, "check the app")));
    let failed =
        |change: &Change| matches!(change, Change::Credential { status, .. } if status.expiry == Expiry::Failed);
    assert!(play.changes().iter().any(failed));
}

#[test]
fn the_headers_of_an_answer_decide_what_its_lane_may_and_the_interval_in_force_is_shown() {
    let mut eager = accounts([7]);
    eager.fleet.accounts[0].terms.interval = SECOND;
    eager.credentials[0].grant = Grant::Account { share: 1.0, assumed: Tier::Full, configured: false };
    let mut play = Play::new(eager);
    let asked = play.insights();
    play.others.clear();
    let usage = Usage { limit: "account", ratio: 0.0, regain: None, tier: Some(Tier::Limited) };
    play.answer_with(&asked, Ok(rows(7, &[1])), vec![usage]);
    let mut allowed = play.others.iter().filter_map(|effect| match effect {
        Effect::Observe(Measurement::Load { allowance, .. }) => Some(*allowance),
        _ => None,
    });
    assert!(allowed.next_back().unwrap() <= 600.0, "the lower tier's");
    let interval = play.changes().into_iter().find_map(|change| match change {
        Change::Status { status, .. } => Some(status.interval),
        _ => None,
    });
    assert!(interval.unwrap() > 5 * SECOND, "{interval:?}");
}

#[test]
fn a_late_refusal_of_replaced_keys_is_none_even_if_its_target_has_left() {
    let mut play = Play::new(accounts([7, 8]));
    play.read_keys();
    let asked = play.insights();
    play.generation = 2;
    play.read_keys();
    play.reload(accounts([8]));
    play.generation = 1;
    play.answer(&asked, Err(refusal()));
    assert!(!play.engine.schedule.is_rejected(&main_id()));
}

#[test]
fn the_account_that_rows_name_is_theirs() {
    let mut play = Play::new(plan(Fleet { campaigns: vec![single(1)], ..Fleet::default() }));
    let asked = play.insights();
    play.changes();
    play.answer(&asked, Ok(rows(7, &[1])));
    assert_eq!(play.brought()[0].account, AccountId::parse("7").ok());
}
