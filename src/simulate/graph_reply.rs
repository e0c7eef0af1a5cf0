//! What Graph's endpoints have in common: a request that was let in, errors, and lists page by page.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Call, Reply, WorldTime};

/// What is asked for, once the version and the token are known to be good.
pub(super) struct GraphRequest<'a> {
    pub(super) call: &'a Call,
    pub(super) version: &'a str,
    pub(super) token: &'a str,
    pub(super) moment: WorldTime,
}

/// An error in Graph's envelope.
pub(super) fn error(status: u16, code: i64, subcode: Option<i64>, message: &str) -> Reply {
    let mut error = json!({"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "Asimulated"});
    if let (Some(subcode), Some(error)) = (subcode, error.as_object_mut()) {
        error.insert("error_subcode".into(), subcode.into());
    }
    Reply::json(status, &json!({"error": error}))
}

/// A page of anything.
#[derive(Serialize)]
struct ListPage<R> {
    data: Vec<R>,
    paging: Value,
}

/// One page of finished objects.
pub(super) fn page<T: Serialize>(asked: &GraphRequest<'_>, empty: bool, items: &[T]) -> Reply {
    paged(asked, empty, items, |item| item)
}

/// Items of a page.
pub(super) fn limit(asked: &GraphRequest<'_>) -> usize {
    asked.call.parameter("limit").and_then(|limit| limit.parse().ok()).unwrap_or(25).max(1)
}

/// The cursor says how many items lie behind it; `e` marks the empty page before the last one.
pub(super) fn paged<'a, T, R: Serialize>(
    asked: &GraphRequest<'_>,
    empty: bool,
    items: &'a [T],
    row: impl Fn(&'a T) -> R,
) -> Reply {
    let limit = limit(asked);
    let after = asked.call.parameter("after").unwrap_or_default();
    let (skip, detour) =
        match after.strip_suffix("ZDZD").map(|cursor| (cursor.trim_end_matches('e'), cursor.ends_with('e'))) {
            Some((cursor, detour)) => match cursor.strip_prefix('Q').and_then(|skip| skip.parse::<usize>().ok()) {
                Some(skip) => (skip, detour),
                None => return error(400, 2642, None, "(#2642) Invalid cursors values"),
            },
            None if after.is_empty() => (0, false),
            None => return error(400, 2642, None, "(#2642) Invalid cursors values"),
        };
    let end = (skip + limit).min(items.len());
    let last = end == items.len();
    let void = empty && last && !detour && skip > 0;
    let rows: Vec<_> = if void { Vec::new() } else { items.iter().take(end).skip(skip).map(row).collect() };
    let cursor = if void { format!("Q{skip}eZDZD") } else { format!("Q{end}ZDZD") };
    let mut paging = json!({"cursors": {"before": format!("Q{skip}ZDZD"), "after": cursor}});
    if !last || void {
        // The real one embeds the token, and was seen on a foreign host.
        let next = format!(
            "https://graph.intern.facebook.com/{}{}?access_token={}&limit={limit}&after={cursor}",
            asked.version, asked.call.path, asked.token
        );
        if let Some(paging) = paging.as_object_mut() {
            paging.insert("next".into(), json!(next));
        }
    }
    Reply::json(200, &ListPage { data: rows, paging })
}
