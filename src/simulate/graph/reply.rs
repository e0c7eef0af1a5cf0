//! What Graph's endpoints have in common: a request that was let in, errors, and lists page by page.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use super::super::{Call, Reply, WorldTime, escaped};

/// What is asked for, once the version and the token are known to be good.
pub(super) struct GraphRequest<'a> {
    pub(super) call: &'a Call,
    pub(super) token: &'a str,
    pub(super) moment: WorldTime,
}

/// Rows of a page where the request does not say how many.
const DEFAULT_LIMIT: usize = 25;

/// An error in Graph's envelope.
pub(in super::super) fn error(status: u16, code: i64, subcode: Option<i64>, message: &str) -> Reply {
    detailed(status, code, subcode, message, &Value::Null)
}

/// The same with more keys, or with others in the place of the usual ones.
pub(super) fn detailed(status: u16, code: i64, subcode: Option<i64>, message: &str, more: &Value) -> Reply {
    let mut error = json!({"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "Asimulated"});
    if let Some(error) = error.as_object_mut() {
        error.extend(subcode.map(|subcode| ("error_subcode".to_owned(), subcode.into())));
        error.extend(more.as_object().cloned().unwrap_or_default());
    }
    Reply::json(status, &json!({"error": error}))
}

/// The refusal of what the real API knows and this one does not: a request is answered as asked, or not at all.
pub(super) fn not_simulated(what: &str) -> Reply {
    error(400, 100, None, &format!("(#100) {what} is not simulated"))
}

/// A page of anything.
#[derive(Serialize)]
struct ListPage<R> {
    data: Vec<R>,
    paging: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Value>,
}

/// Whether a listing is to say how many objects it has; the SDKs ask for that.
pub(super) fn wants_total(asked: &GraphRequest<'_>) -> Result<bool, Reply> {
    match asked.call.parameter("summary").map(str::to_lowercase).as_deref() {
        None | Some("false" | "0" | "[]") => Ok(false),
        Some("true" | "1" | "total_count" | r#"["total_count"]"#) => Ok(true),
        Some(other) => Err(not_simulated(&format!("`summary`: {other}"))),
    }
}

/// Items of a page.
pub(super) fn limit(asked: &GraphRequest<'_>) -> Result<usize, Reply> {
    let Some(text) = asked.call.parameter("limit") else { return Ok(DEFAULT_LIMIT) };
    let limit = text.trim().parse().ok().filter(|limit| *limit > 0);
    limit.ok_or_else(|| error(400, 100, None, &format!("(#100) param limit must be a positive integer: {text}")))
}

/// How many items lie behind a cursor, and whether it is that of the empty page before the last one, which `e` marks.
fn place(cursor: &str) -> Option<(usize, bool)> {
    let cursor = cursor.strip_suffix("ZDZD")?;
    let skip = cursor.trim_end_matches('e').strip_prefix('Q')?.parse().ok()?;
    Some((skip, cursor.ends_with('e')))
}

/// What a page has beside its rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PageShape {
    /// An empty page with a next one comes before the last.
    pub(super) empty: bool,
    /// The number of all items.
    pub(super) total: bool,
}

/// A page of items, each as a row.
pub(super) fn paged<'a, T, R: Serialize>(
    asked: &GraphRequest<'_>,
    shape: PageShape,
    items: &'a [T],
    row: impl Fn(&'a T) -> R,
) -> Result<Reply, Reply> {
    let limit = limit(asked)?;
    let after = asked.call.parameter("after").filter(|after| !after.is_empty());
    let place = after.map_or(Some((0, false)), place);
    let (skip, detour) = place.ok_or_else(|| error(400, 2642, None, "(#2642) Invalid cursors values"))?;
    let end = skip.saturating_add(limit).min(items.len());
    let last = end == items.len();
    let void = shape.empty && last && !detour && skip > 0;
    let rows: Vec<_> = if void { Vec::new() } else { items.iter().take(end).skip(skip).map(row).collect() };
    let cursor = if void { format!("Q{skip}eZDZD") } else { format!("Q{end}ZDZD") };
    let mut paging = json!({"cursors": {"before": format!("Q{skip}ZDZD"), "after": cursor}});
    if (!last || void)
        && let Some(paging) = paging.as_object_mut()
    {
        paging.insert("next".into(), json!(next(asked, limit, &cursor)));
    }
    let summary = shape.total.then(|| json!({"total_count": items.len()}));
    Ok(Reply::json(200, &ListPage { data: rows, paging, summary }))
}

/// The address of the next page. The real one embeds the token, repeats every parameter, and was seen on a foreign
/// host.
fn next(asked: &GraphRequest<'_>, limit: usize, cursor: &str) -> String {
    let token = escaped(asked.token);
    let mut next = format!("https://graph.intern.facebook.com{}?access_token={token}", asked.call.path);
    let own = ["access_token", "appsecret_proof", "appsecret_time", "limit", "after"];
    for (name, value) in asked.call.parameters.iter().filter(|(name, _)| !own.contains(&name.as_str())) {
        let _ = write!(next, "&{}={}", escaped(name), escaped(value));
    }
    let _ = write!(next, "&limit={limit}&after={cursor}");
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(query: &str) -> Call {
        let uri = format!("http://127.0.0.1/v27.0/act_1/ads?{query}");
        let (parts, ()) = http::Request::get(uri).body(()).unwrap().into_parts();
        Call::new(&parts, Vec::new().into())
    }

    #[test]
    fn a_page_names_the_next_one_with_every_parameter() {
        let page = |query: &str| {
            let call = call(query);
            let moment = WorldTime { wall: jiff::Timestamp::UNIX_EPOCH, elapsed: 0.0 };
            let asked = GraphRequest { call: &call, token: "a|b", moment };
            let shape = PageShape { empty: false, total: wants_total(&asked).unwrap() };
            paged(&asked, shape, &[1, 2, 3], |item| *item).unwrap_or_else(|refusal| refusal).body
        };
        assert_eq!(
            page("limit=2&fields=a%7Bb%7D"),
            r#"{"data":[1,2],"paging":{"cursors":{"after":"Q2ZDZD","before":"Q0ZDZD"},"next":"https://graph.intern.facebook.com/v27.0/act_1/ads?access_token=a%7Cb&fields=a%7Bb%7D&limit=2&after=Q2ZDZD"}}"#
        );
        assert_eq!(
            page("limit=2&after=Q2ZDZD"),
            r#"{"data":[3],"paging":{"cursors":{"after":"Q3ZDZD","before":"Q2ZDZD"}}}"#
        );
        assert!(page("limit=1&summary=true").ends_with(r#"},"summary":{"total_count":3}}"#));
        assert!(page("after=abc").contains("(#2642) Invalid cursors values"));
        for wrong in ["limit=0", "limit=-1", "limit=all"] {
            assert!(page(wrong).contains("(#100) param limit must be a positive integer"), "{wrong}");
        }
    }
}
