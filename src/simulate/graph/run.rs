//! Asynchronous insights: a report run is asked for, watched, and read when it is complete.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::json;

use super::super::spec::Account;
use super::super::world::World;
use super::super::{Call, Reply, WorldTime};
use super::ads::NamedNode;
use super::fields::{REPORT_RUN, select, wanted};
use super::insights::Question;
use super::reply::{GraphRequest, detailed};

/// The id of the first run.
const FIRST_ID: u64 = 6_044_775_548_001;

/// Seconds from the request to the end of a run.
const DURATION: u32 = 4;

/// Seconds after which its percentage is 100; until its end it still runs.
const COUNTED: f64 = 3.0;

/// Seconds for which a run is kept: 30 days.
const KEPT: f64 = 30.0 * 86_400.0;

/// Runs that are remembered at most: a client that asks for more without an end loses the oldest.
const MOST_RUNS: usize = 10_000;

/// A report that was asked for. What becomes of it follows from the moment alone.
#[derive(Clone, Debug)]
pub(in super::super) struct ReportRun {
    pub(super) account: u64,
    node: String,
    parameters: Vec<(String, String)>,
    started: WorldTime,
}

/// Every report that was asked for, by id.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct ReportRuns {
    by_id: BTreeMap<u64, ReportRun>,
    asked: u64,
}

impl ReportRuns {
    /// The run of an id, for as long as it is kept.
    pub(super) fn get(&self, node: &str, moment: WorldTime) -> Option<(u64, &ReportRun)> {
        let id = node.parse().ok()?;
        let run = self.by_id.get(&id)?;
        (run.age(moment) < KEPT).then_some((id, run))
    }

    fn start(&mut self, run: ReportRun) -> u64 {
        self.by_id.retain(|_, old| old.age(run.started) < KEPT);
        if self.by_id.len() >= MOST_RUNS {
            self.by_id.pop_first();
        }
        let id = FIRST_ID + self.asked;
        self.asked += 1;
        self.by_id.insert(id, run);
        id
    }
}

impl ReportRun {
    fn age(&self, moment: WorldTime) -> f64 {
        (moment.elapsed - self.started.elapsed).max(0.0)
    }

    /// When it was complete: its figures are those of then, whenever they are read.
    fn completed(&self) -> WorldTime {
        let wall = self.started.wall.saturating_add(SignedDuration::from_secs(DURATION.into()));
        WorldTime { wall: wall.unwrap_or(self.started.wall), elapsed: self.started.elapsed + f64::from(DURATION) }
    }

    /// Status and percentage. It is complete when both say so, and not when one does.
    fn progress(&self, moment: WorldTime) -> (&'static str, u32) {
        match self.age(moment) {
            age if age >= f64::from(DURATION) => ("Job Completed", 100),
            age if age >= COUNTED => ("Job Running", 100),
            age if age >= 2.0 => ("Job Running", 66),
            age if age >= 1.0 => ("Job Started", 0),
            _ => ("Job Not Started", 0),
        }
    }

    /// What was asked, as of when it was complete.
    fn question<T>(
        &self,
        world: &World,
        asked: &GraphRequest<'_>,
        account: &Account,
        tell: impl FnOnce(&GraphRequest<'_>, &Question<'_>) -> Result<T, Reply>,
    ) -> Result<T, Reply> {
        let place = NamedNode::find(world, &self.node).ok_or_else(gone)?;
        let call = self.call(asked.call);
        let then = GraphRequest { call: &call, token: asked.token, moment: self.completed() };
        tell(&then, &Question::read(world, &then, account, place)?)
    }

    /// The call that asked for it, with the page that is asked for now.
    fn call(&self, page: &Call) -> Call {
        let mut parameters = self.parameters.clone();
        parameters.retain(|(name, _)| !["limit", "after"].contains(&name.as_str()));
        parameters
            .extend(page.parameters.iter().filter(|(name, _)| ["limit", "after"].contains(&name.as_str())).cloned());
        Call { parameters, ..page.clone() }
    }
}

/// `POST <node>/insights`: what is wrong with the question is said at once.
pub(super) fn start(world: &mut World, asked: &GraphRequest<'_>, place: NamedNode, node: &str) -> Result<Reply, Reply> {
    let account = &world.spec.accounts[place.account()];
    Question::read(world, asked, account, place)?;
    let parameters =
        asked.call.parameters.iter().filter(|(name, _)| !name.starts_with("appsecret") && name != "access_token");
    let run = ReportRun {
        account: account.id,
        node: node.to_owned(),
        parameters: parameters.cloned().collect(),
        started: asked.moment,
    };
    let id = world.runs.start(run);
    Ok(Reply::json(200, &json!({"report_run_id": id.to_string()})))
}

/// `GET <run>`.
pub(super) fn status(world: &World, asked: &GraphRequest<'_>, account: &Account, node: &str) -> Result<Reply, Reply> {
    let fields = wanted(asked.call.parameter("fields"), &REPORT_RUN)?;
    let (id, run) = world.runs.get(node, asked.moment).ok_or_else(gone)?;
    let (status, percent) = run.progress(asked.moment);
    let completed = (status == "Job Completed").then(|| run.completed().wall.as_second());
    let days = run.question(world, asked, account, |_, question| Ok(question.days()))?;
    let object = json!({"id": id.to_string(), "account_id": account.id.to_string(),
        "time_ref": run.started.wall.as_second(), "time_completed": completed,
        "async_status": status, "async_percent_completion": percent,
        "date_start": days.map(|days| days.0.to_string()), "date_stop": days.map(|days| days.1.to_string())});
    Ok(Reply::json(200, &select(&object, &fields)))
}

/// `GET <run>/insights`.
pub(super) fn rows(world: &World, asked: &GraphRequest<'_>, account: &Account, node: &str) -> Result<Reply, Reply> {
    let (_, run) = world.runs.get(node, asked.moment).ok_or_else(gone)?;
    if run.progress(asked.moment) != ("Job Completed", 100) {
        let message = "(#2601) The report is not ready yet. Please wait until the job is completed";
        let more = json!({"is_transient": true, "error_user_title": "Report Run Not Ready"});
        return Err(detailed(400, 2601, Some(1_815_107), message, &more));
    }
    run.question(world, asked, account, |then, question| {
        // The address of a next page repeats what is asked for now, and not the question.
        question.answer(world, &GraphRequest { call: asked.call, ..*then }, account)
    })
}

fn gone() -> Reply {
    detailed(400, 100, Some(33), "Unsupported get request. The report run does not exist.", &json!({}))
}
