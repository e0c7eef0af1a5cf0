//! Which parameters each endpoint knows. A request is answered as it was asked, or refused: nothing is passed over.

use super::super::{Call, Reply};
use super::reply::{error, not_simulated};

/// What every call may carry. The last two have had no effect since 2026-10-27.
const ANYWHERE: [&str; 6] = ["access_token", "appsecret_proof", "appsecret_time", "method", "pretty", "debug"];

/// Of a report; the last three have had no effect since 2025-06-10.
const INSIGHTS: [&str; 16] = [
    "fields",
    "level",
    "date_preset",
    "time_range",
    "time_ranges",
    "time_increment",
    "filtering",
    "sort",
    "breakdowns",
    "action_breakdowns",
    "action_attribution_windows",
    "summary",
    "default_summary",
    "use_account_attribution_setting",
    "use_unified_attribution_setting",
    "action_report_time",
];

const PAGE: [&str; 2] = ["limit", "after"];

fn of(endpoint: &str) -> Vec<&'static str> {
    match endpoint {
        "insights" | "totals" | "campaign_insights" | "report" => [&INSIGHTS[..], &PAGE].concat(),
        "report_insights" => PAGE.to_vec(),
        "ads" | "adsets" | "campaigns" => [&PAGE[..], &["summary", "fields", "filtering", "effective_status"]].concat(),
        "adaccounts" => [&PAGE[..], &["summary", "fields"]].concat(),
        "debug_token" => vec!["input_token"],
        "batch" => vec!["batch", "include_headers"],
        _ => vec!["fields"],
    }
}

/// Refuses a parameter that the endpoint does not know.
pub(super) fn check(endpoint: &str, call: &Call) -> Result<(), Reply> {
    let known = of(endpoint);
    let stray = |name: &&String| !ANYWHERE.contains(&name.as_str()) && !known.contains(&name.as_str());
    match call.parameters.iter().map(|(name, _)| name).find(stray) {
        Some(name) if name == "date_format" => {
            Err(error(400, 100, None, "The date_format query parameter is deprecated in v26.0+."))
        }
        Some(name) => Err(not_simulated(&format!("The parameter `{name}`"))),
        None => Ok(()),
    }
}
