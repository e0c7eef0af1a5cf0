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

/// How many items lie behind a cursor, and whether it is that of the empty page before the last one, which `e` marks.
fn place(cursor: &str) -> Option<(usize, bool)> {
    let cursor = cursor.strip_suffix("ZDZD")?;
    let skip = cursor.trim_end_matches('e').strip_prefix('Q')?.parse().ok()?;
    Some((skip, cursor.ends_with('e')))
}

/// A page of items, each as a row.
pub(super) fn paged<'a, T, R: Serialize>(
    asked: &GraphRequest<'_>,
    empty: bool,
    items: &'a [T],
    row: impl Fn(&'a T) -> R,
) -> Reply {
    let limit = limit(asked);
    let after = asked.call.parameter("after").filter(|after| !after.is_empty());
    let Some((skip, detour)) = after.map_or(Some((0, false)), place) else {
        return error(400, 2642, None, "(#2642) Invalid cursors values");
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
