//! Kinds of campaigns, what happens to them, and what the alerts make of it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::alert::{Episode, episodes};
use crate::figures::{DAY, Windows, grid, scraped};
use crate::model::{CampaignEvent, DayShape, Lag, Model, Profile, Tick};
use crate::promql::Evaluation;
use crate::promql::series::{NAME, Series};
use crate::rules::Rules;

/// Days before anything is counted: the longest window, and a week to compare with.
pub const WARM_UP: usize = 38;

/// Days that are counted.
pub const COUNTED: usize = 90;

/// When something happens to a campaign: at 11:00 of the second day that is counted.
const EVENT: Tick = Tick { day: WARM_UP as i64 + 2, slot: 44 };

/// The step at which something happened at 11:00, or so many slots after midnight.
const fn step_of(slot: u16) -> usize {
    EVENT.day as usize * DAY + slot as usize
}

/// A runaway begins at 9:00.
const RUNAWAY: u16 = 36;

/// Days that are watched after that.
const WATCHED: usize = 40;

/// A kind of campaign at a volume of clicks a day.
pub struct Kind {
    pub letter: &'static str,
    pub text: &'static str,
    profile: fn(f64) -> Profile,
}

impl Kind {
    pub fn profile(&self, clicks: f64) -> Profile {
        (self.profile)(clicks)
    }
}

fn curve(clicks: f64) -> Profile {
    Profile { shape: DayShape::DayCurve, ..Profile::clicks_per_day(clicks) }
}

/// A kind by its letter.
pub fn kind(letter: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.letter == letter).expect("a kind of the list")
}

/// All kinds. The true cost of a click never changes but in F and H.
pub const KINDS: &[Kind] = &[
    Kind { letter: "A", text: "flat day", profile: Profile::clicks_per_day },
    Kind { letter: "B", text: "day curve", profile: curve },
    Kind {
        letter: "C",
        text: "day curve, clicks 30 min late",
        profile: |clicks| Profile { lag: Lag::minutes(30.0), ..curve(clicks) },
    },
    Kind {
        letter: "D0",
        text: "one send at 10:00, no lag",
        profile: |clicks| Profile { shape: DayShape::blast(10), ..curve(clicks) },
    },
    Kind {
        letter: "D",
        text: "one send at 10:00, 30 min late",
        profile: |clicks| Profile { shape: DayShape::blast(10), lag: Lag::minutes(30.0), ..curve(clicks) },
    },
    Kind {
        letter: "E",
        text: "one send at 10:00, 2 h late",
        profile: |clicks| Profile { shape: DayShape::blast(10), lag: Lag::minutes(120.0), ..curve(clicks) },
    },
    Kind {
        letter: "M",
        text: "two hours of sending between 8:00 and 20:00, 2 h late",
        profile: |clicks| Profile {
            shape: DayShape::Blast { earliest: 8, latest: 18, slots: 8 },
            lag: Lag::minutes(120.0),
            ..curve(clicks)
        },
    },
    Kind {
        letter: "N",
        text: "one send at any hour from 8:00, 2 h late, volume 30 %",
        profile: |clicks| Profile {
            shape: DayShape::Blast { earliest: 8, latest: 18, slots: 1 },
            lag: Lag::minutes(120.0),
            volume_spread: 0.3,
            ..curve(clicks)
        },
    },
    Kind {
        letter: "F",
        text: "day curve, true cost varies 10 % by day",
        profile: |clicks| Profile { cost_spread: 0.1, ..curve(clicks) },
    },
    Kind {
        letter: "H",
        text: "F, 30 min late, volume varies 30 %",
        profile: |clicks| Profile { cost_spread: 0.1, volume_spread: 0.3, lag: Lag::minutes(30.0), ..curve(clicks) },
    },
    Kind {
        letter: "S",
        text: "day curve, volume varies 30 % by day",
        profile: |clicks| Profile { volume_spread: 0.3, ..curve(clicks) },
    },
];

/// What is run: campaigns of a kind, alike but for their seeds.
pub struct Trial<'a> {
    pub rules: &'a Rules,
    pub profile: Profile,
    pub windows: Windows,
    pub event: Option<CampaignEvent>,
    pub seed: u64,
    pub campaigns: u64,
    /// Alerts that are counted, by the end of their names.
    pub alerts: &'a [&'a str],
}

impl Trial<'_> {
    pub fn days(&self) -> usize {
        WARM_UP + if self.event.is_some() { WATCHED + 2 } else { COUNTED }
    }

    /// The series of one campaign.
    pub fn evaluation(&self, model: &Model, number: u64) -> Evaluation<'_> {
        let mut course = model.course(self.seed, number);
        if let Some(event) = self.event {
            course = course.with(event);
        }
        Evaluation::new(grid(self.days()), self.rules, scraped(&course, number, self.days(), self.windows))
    }

    /// The alerts of each campaign, in order of time.
    pub fn run(&self) -> Result<Vec<Vec<Episode>>, String> {
        let model = Model::new(&self.profile);
        let next = AtomicUsize::new(0);
        let found = Mutex::new(BTreeMap::new());
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed) as u64;
                        if number >= self.campaigns {
                            break;
                        }
                        let result = self.one(&model, number);
                        found.lock().expect("no thread panics").insert(number, result);
                    }
                });
            }
        });
        found.into_inner().expect("no thread panics").into_values().collect()
    }

    /// What each account spent from the runaway to its alert, in usual days, in order: of those that had one.
    pub fn gone(&self, found: &[Vec<Episode>]) -> Vec<f64> {
        let model = Model::new(&self.profile);
        let event = step_of(RUNAWAY);
        let alerts = found.iter().map(|own| own.iter().find(|episode| episode.end > event));
        let mut gone: Vec<f64> = (0..)
            .zip(alerts)
            .filter_map(|(number, episode)| {
                let alert = episode?.start.max(event);
                let evaluation = self.evaluation(&model, number);
                let is_spend = |one: &Series| {
                    one.labels.get(NAME) == "marketing_messages_account_spend" && one.labels.get("window") == "today"
                };
                let spend = evaluation.scraped().into_iter().find(is_spend)?.column.values(self.days() * DAY).to_vec();
                let midnights = (1..=7).map(|back| (EVENT.day as usize - back + 1) * DAY);
                let usual = midnights.map(|step| spend[step]).sum::<f64>() / 7.0;
                let days_between = (event / DAY + 1..=(alert - 1) / DAY).map(|day| spend[day * DAY]).sum::<f64>();
                Some((spend[alert] + days_between - spend[event]) / usual)
            })
            .collect();
        gone.sort_by(f64::total_cmp);
        gone
    }

    fn one(&self, model: &Model, number: u64) -> Result<Vec<Episode>, String> {
        let mut evaluation = self.evaluation(model, number);
        let mut all = Vec::new();
        for rule in self.rules.alerts().filter(|rule| self.alerts.iter().any(|name| rule.name.ends_with(name))) {
            all.extend(episodes(&mut evaluation, rule)?);
        }
        all.sort_by_key(|episode| episode.start);
        Ok(all)
    }
}

/// False alerts for 100 campaigns and 90 days, and the share of campaign-days on which one began, in percent.
pub fn falsehood(found: &[Vec<Episode>]) -> (f64, f64) {
    let counted = |episode: &&Episode| episode.start >= WARM_UP * DAY;
    let all = found.iter().flatten().filter(counted).count() as f64;
    let mut days: Vec<_> = found
        .iter()
        .enumerate()
        .flat_map(|(number, own)| own.iter().filter(counted).map(move |episode| (number, episode.start / DAY)))
        .collect();
    days.sort_unstable();
    days.dedup();
    let campaigns = found.len() as f64;
    (all * 100.0 / campaigns, days.len() as f64 * 100.0 / (campaigns * COUNTED as f64))
}

/// What became of something that happened.
pub struct Detection {
    /// Hours until the alert, of each campaign that had one, in order.
    hours: Vec<f64>,
    campaigns: usize,
    /// Alerts of one rise within thirty days, of each campaign.
    pub episodes: f64,
}

impl Detection {
    pub fn of(found: &[Vec<Episode>]) -> Self {
        Self::since(found, step_of(44))
    }

    /// Of a runaway, which begins earlier in the day.
    pub fn of_runaway(found: &[Vec<Episode>]) -> Self {
        Self::since(found, step_of(RUNAWAY))
    }

    fn since(found: &[Vec<Episode>], event: usize) -> Self {
        let after =
            |own: &Vec<Episode>| own.iter().find(|episode| episode.end > event).map(|episode| episode.start.max(event));
        let mut hours: Vec<f64> = found.iter().filter_map(after).map(|start| (start - event) as f64 / 4.0).collect();
        hours.sort_by(f64::total_cmp);
        let within = |episode: &&Episode| episode.end > event && episode.start < event + 30 * DAY;
        let episodes = found.iter().flatten().filter(within).count() as f64 / found.len() as f64;
        Self { hours, campaigns: found.len(), episodes }
    }

    /// Percent of the campaigns that had an alert within so many hours.
    pub fn within(&self, hours: f64) -> f64 {
        self.hours.iter().filter(|own| **own <= hours).count() as f64 * 100.0 / self.campaigns as f64
    }

    /// Half of all campaigns had it after so many hours; none where fewer than half had it.
    pub fn median(&self) -> Option<f64> {
        self.hours.get(self.campaigns / 2).copied()
    }
}

/// A lasting rise, or one that goes on by so many percent a day.
pub fn rise(text: &str) -> CampaignEvent {
    match text.strip_prefix('+') {
        Some(percent) => CampaignEvent::cost_creep(EVENT, percent.parse::<f64>().expect("a number") / 100.0),
        None => CampaignEvent::cost_step(EVENT, text.parse().expect("a number")),
    }
}

/// So many times the usual volume, from 9:00.
pub fn runaway(times: f64) -> CampaignEvent {
    CampaignEvent::runaway(Tick { slot: RUNAWAY as _, ..EVENT }, times)
}
