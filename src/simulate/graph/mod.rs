//! The simulated Graph API: versions, tokens, allowances, and where each call is answered.

mod ads;
mod authorisation;
mod batch;
mod fields;
mod filtering;
mod insights;
mod nodes;
mod parameters;
mod reply;
mod run;
#[cfg(test)]
mod tests;
mod version;
mod windows;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use self::ads::{GraphLevel, NamedNode};
use self::insights::Question;
use self::reply::{GraphRequest, detailed};
use super::allowance::Admission;
use super::fault::deliver;
use super::spec::Token;
use super::world::World;
use super::{Call, Reply, WorldTime};

pub(super) use self::reply::error;
pub(super) use self::run::ReportRuns;

/// A call, and where it leads.
struct Route<'a> {
    call: &'a Call,
    /// The version that it names.
    version: Option<&'a str>,
    /// The parts of its path behind the version.
    path: Vec<&'a str>,
    /// Its method, or the one that a parameter puts in its place.
    method: String,
    /// Its name in the statistics.
    endpoint: &'static str,
}

impl<'a> Route<'a> {
    fn of(world: &World, call: &'a Call, moment: WorldTime) -> Self {
        let mut path: Vec<_> = call.path.split('/').filter(|part| !part.is_empty()).collect();
        let versioned = path.first().is_some_and(|first| version::is_version(first));
        let version = versioned.then(|| path.remove(0));
        let method = call.parameter("method").unwrap_or(&call.method).to_uppercase();
        let is_run = path.first().is_some_and(|node| world.runs.get(node, moment).is_some());
        let endpoint = match path.as_slice() {
            [] if method == "POST" && call.parameter("batch").is_some() => "batch",
            [] => "root",
            ["debug_token"] => "debug_token",
            ["me"] => "me",
            ["me", "adaccounts" | "assigned_ad_accounts"] => "adaccounts",
            [_] if is_run => "report_run",
            [_, "insights"] if is_run => "report_insights",
            [_, "insights"] if method == "POST" => "report",
            [node, "insights"] if node.starts_with("act_") => {
                if matches!(call.parameter("level"), None | Some("account")) { "totals" } else { "insights" }
            }
            [_, "insights"] => "campaign_insights",
            [_, "ads"] => "ads",
            [_, "adsets"] => "adsets",
            [_, "campaigns"] => "campaigns",
            [node] if node.starts_with("act_") => "account",
            _ => "node",
        };
        Self { call, version, path, method, endpoint }
    }

    /// Whether it belongs to the Marketing API, whose versions end earlier and have to be named.
    fn is_marketing(&self) -> bool {
        !matches!(self.endpoint, "batch" | "root" | "debug_token" | "me")
    }

    fn is_insights(&self) -> bool {
        self.endpoint.ends_with("insights") || matches!(self.endpoint, "totals" | "report" | "report_run")
    }
}

/// Answers a call; the endpoint's name goes into the statistics.
pub(super) fn answer(world: &mut World, call: &Call, moment: WorldTime) -> (&'static str, Reply) {
    let route = Route::of(world, call, moment);
    let today = moment.wall.to_zoned(TimeZone::UTC).date();
    let answering = version::answering(&world.spec, route.version, route.is_marketing(), today);
    let (name, warning, reply) = match answering {
        Ok(version) => (version.name, version.warning, admitted(world, &route, moment)),
        Err(refusal) => (crate::domain::api_version::NEWEST.name, None, Err(refusal)),
    };
    let mut reply = reply.unwrap_or_else(|refusal| refusal);
    reply.headers.extend([("facebook-api-version", name.to_owned()), ("x-fb-trace-id", "Bsimulated".to_owned())]);
    reply.headers.extend(warning.map(|warning| ("x-ad-api-version-warning", warning)));
    (route.endpoint, reply)
}

fn admitted(world: &mut World, route: &Route<'_>, moment: WorldTime) -> Result<Reply, Reply> {
    let call = route.call;
    // As the live API does: a 500 that looks temporary, so that a client which trusts the status fails
    // here.
    if call.parameter("ids").is_some() {
        return Err(error(500, 100, None, "The ids query parameter is deprecated in v26.0+."));
    }
    // Each call of a batch brings its own token, or takes the one of all.
    if route.endpoint == "batch" {
        parameters::check("batch", call)?;
        return batched(world, route, moment);
    }
    let text = authorisation::token_of(call).ok_or_else(authorisation::missing)?;
    if route.endpoint == "debug_token" {
        parameters::check("debug_token", call)?;
        return authorisation::debug_token(world, call, text, moment);
    }
    let token = authorisation::admit(&world.spec, call, text, moment)?;
    let asked = GraphRequest { call, token: text, moment };
    match route.endpoint {
        "me" | "adaccounts" if route.method == "GET" => {
            parameters::check(route.endpoint, call)?;
            if route.endpoint == "me" { nodes::me(&asked, &token) } else { nodes::accounts(world, &asked, &token) }
        }
        "root" => Err(error(400, 2500, None, "Unknown path components: /")),
        _ => of_account(world, route, &asked, &token),
    }
}

/// What belongs to an account, whose allowance is charged.
fn of_account(world: &mut World, route: &Route<'_>, asked: &GraphRequest<'_>, token: &Token) -> Result<Reply, Reply> {
    let node = route.path.first().copied().unwrap_or_default();
    let run = world.runs.get(node, asked.moment).map(|(_, run)| run.account);
    let of_run =
        run.and_then(|id| world.spec.accounts.iter().position(|account| account.id == id)).map(NamedNode::Account);
    let place = of_run.or_else(|| NamedNode::find(world, node)).ok_or_else(|| unsupported(&route.method, node))?;
    let at = place.account();
    let (id, allowance) = (world.spec.accounts[at].id, world.spec.accounts[at].allowance);
    if !token.accounts.contains(&id) {
        let message = "(#200) Ad account owner has NOT granted ads_management or ads_read permission";
        return Err(error(403, 200, None, message));
    }
    // Charged before anything is looked up: refused calls count, and prolong the block.
    let (admission, headers) = world.charge(id, allowance, !route.is_insights(), asked.moment);
    let reply = match admission {
        Admission::Granted => looked_up(world, route, asked, place, node),
        Admission::Refused { code, subcode, .. } => Err(throttled(code, subcode)),
    };
    let mut reply = reply.unwrap_or_else(|refusal| refusal);
    reply.headers.extend(headers);
    Ok(reply)
}

fn looked_up(
    world: &mut World,
    route: &Route<'_>,
    asked: &GraphRequest<'_>,
    place: NamedNode,
    node: &str,
) -> Result<Reply, Reply> {
    match route.method.as_str() {
        "GET" => {}
        "POST" if route.endpoint == "report" => {}
        // Every token here may read and nothing else.
        "POST" | "DELETE" => {
            let message = "(#294) Managing advertisements requires an access token with the extended permission for ads_management";
            return Err(error(403, 294, None, message));
        }
        method => return Err(unsupported(method, node)),
    }
    parameters::check(route.endpoint, route.call)?;
    if route.endpoint == "report" {
        return run::start(world, asked, place, node);
    }
    let account = &world.spec.accounts[place.account()];
    let is_account = place.level() == GraphLevel::Account;
    let depth = route.path.len();
    match route.endpoint {
        "report_run" => run::status(world, asked, account, node),
        "report_insights" => run::rows(world, asked, account, node),
        "insights" | "totals" | "campaign_insights" if depth == 2 => {
            Question::read(world, asked, account, place)?.answer(world, asked, account)
        }
        "ads" if is_account => nodes::listing(asked, account, GraphLevel::Ad),
        "adsets" if is_account => nodes::listing(asked, account, GraphLevel::AdSet),
        "campaigns" if is_account => nodes::listing(asked, account, GraphLevel::Campaign),
        "account" | "node" if depth == 1 => nodes::node(asked, account, place),
        _ => Err(error(400, 2500, None, &format!("Unknown path components: /{}", route.path[1..].join("/")))),
    }
}

fn throttled(code: i64, subcode: i64) -> Reply {
    let wait = "Please wait a bit and try again. For more info, please refer to https://developers.facebook.com/docs/graph-api/overview/rate-limiting.";
    match code {
        17 => {
            let more = json!({"is_transient": true, "error_user_title": "Ad Account Has Too Many API Calls",
                "error_user_msg": "There have been too many calls to this ad-account. Wait a bit and try again."});
            detailed(400, code, Some(subcode), "(#17) User request limit reached", &more)
        }
        80_004 => {
            let message = format!("(#80004) There have been too many calls to this ad-account. {wait}");
            error(400, code, Some(subcode), &message)
        }
        _ => {
            let message = format!("(#{code}) There have been too many calls from this ad-account. {wait}");
            error(400, code, Some(subcode), &message)
        }
    }
}

/// What an object is answered with that is missing, hidden or of another kind.
fn unsupported(method: &str, node: &str) -> Reply {
    let method = method.to_lowercase();
    let message = format!(
        "Unsupported {method} request. Object with ID '{node}' does not exist, cannot be loaded due to missing permissions, or does not support this operation. Please read the Graph API documentation at https://developers.facebook.com/docs/graph-api"
    );
    detailed(400, 100, Some(33), &message, &json!({"type": "GraphMethodException"}))
}

/// Each call of a batch, in order; a disturbance meets it as it would outside.
fn batched(world: &mut World, route: &Route<'_>, moment: WorldTime) -> Result<Reply, Reply> {
    let with_headers = route.call.parameter("include_headers") != Some("false");
    let calls = batch::calls(route.call, route.version)?;
    let answers = calls.iter().map(|call| {
        if Route::of(world, call, moment).endpoint == "batch" {
            return batch::item(&deliver(reply::not_simulated("`batch` within a batch"), None), with_headers);
        }
        let (endpoint, reply) = answer(world, call, moment);
        let fault = world.disturbance(endpoint, call);
        world.count(endpoint, reply.status);
        batch::item(&deliver(reply, fault), with_headers)
    });
    let answers: Vec<Value> = answers.collect();
    Ok(Reply::json(200, &answers))
}
