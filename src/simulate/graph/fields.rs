//! The parameter `fields` of nodes and listings: which keys an object is answered with.

use serde_json::{Map, Value, json};

use super::super::Reply;
use super::reply::{error, not_simulated};

/// A key that is asked for, with those of the object under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WantedField {
    pub(super) name: String,
    pub(super) inner: Option<Vec<WantedField>>,
}

/// A kind of object, and every key of it that the simulated API has.
#[derive(Debug)]
pub(super) struct NodeKind {
    /// As messages name it.
    pub(super) name: &'static str,
    /// What it is answered with when nothing is asked for.
    pub(super) default: &'static [&'static str],
    /// All of its keys; those of objects with the kind of the object.
    pub(super) fields: &'static [(&'static str, Option<&'static NodeKind>)],
}

#[rustfmt::skip]
pub(super) static CAMPAIGN: NodeKind = NodeKind {
    name: "Campaign",
    default: &["id"],
    fields: &[
        ("id", None), ("account_id", None), ("name", None), ("status", None), ("configured_status", None),
        ("effective_status", None), ("objective", None), ("buying_type", None), ("created_time", None),
        ("is_message_campaign", None), ("is_direct_send_campaign", None),
    ],
};

#[rustfmt::skip]
pub(super) static ADSET: NodeKind = NodeKind {
    name: "AdSet",
    default: &["id"],
    fields: &[
        ("id", None), ("account_id", None), ("campaign_id", None), ("campaign", Some(&CAMPAIGN)), ("name", None),
        ("status", None), ("configured_status", None), ("effective_status", None), ("created_time", None),
        ("optimization_goal", None), ("billing_event", None), ("daily_budget", None), ("lifetime_budget", None),
        ("start_time", None), ("end_time", None), ("promoted_object", None),
    ],
};

#[rustfmt::skip]
pub(super) static AD: NodeKind = NodeKind {
    name: "Ad",
    default: &["id"],
    fields: &[
        ("id", None), ("account_id", None), ("campaign_id", None), ("campaign", Some(&CAMPAIGN)), ("adset_id", None),
        ("adset", Some(&ADSET)), ("name", None), ("status", None), ("configured_status", None),
        ("effective_status", None), ("created_time", None),
    ],
};

#[rustfmt::skip]
pub(super) static ACCOUNT: NodeKind = NodeKind {
    name: "AdAccount",
    default: &["account_id", "id"],
    fields: &[
        ("id", None), ("account_id", None), ("name", None), ("account_status", None), ("disable_reason", None),
        ("currency", None), ("timezone_name", None), ("timezone_offset_hours_utc", None),
    ],
};

pub(super) static USER: NodeKind =
    NodeKind { name: "User", default: &["name", "id"], fields: &[("id", None), ("name", None)] };

#[rustfmt::skip]
pub(super) static REPORT_RUN: NodeKind = NodeKind {
    name: "AdReportRun",
    default: &["id", "account_id", "time_ref", "time_completed", "async_status", "async_percent_completion"],
    fields: &[
        ("id", None), ("account_id", None), ("time_ref", None), ("time_completed", None), ("async_status", None),
        ("async_percent_completion", None), ("date_start", None), ("date_stop", None),
    ],
};

/// Reads the parameter, and refuses what the kind does not have.
pub(super) fn wanted(text: Option<&str>, kind: &'static NodeKind) -> Result<Vec<WantedField>, Reply> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(kind.default.iter().map(|name| WantedField { name: (*name).to_owned(), inner: None }).collect());
    };
    // The SDKs write a list with commas; others write JSON.
    let list = serde_json::from_str::<Vec<String>>(text).map(|names| names.join(","));
    let text = list.as_deref().unwrap_or(text);
    let mut rest = text;
    let fields = read(&mut rest).filter(|_| rest.is_empty());
    let fields = fields.ok_or_else(|| {
        let at = text.len() - rest.len();
        error(
            400,
            2500,
            None,
            &format!("Syntax error \"Expected end of string instead of '{rest}'.\" at character {at}: {text}"),
        )
    })?;
    check(&fields, kind)?;
    Ok(fields)
}

/// As much of a list as there is.
fn read(rest: &mut &str) -> Option<Vec<WantedField>> {
    let mut fields = Vec::new();
    loop {
        *rest = rest.trim_start();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() {
            return None;
        }
        *rest = after.trim_start();
        let mut inner = None;
        if let Some(after) = rest.strip_prefix('{') {
            *rest = after;
            inner = Some(read(rest)?);
            *rest = rest.strip_prefix('}')?.trim_start();
        }
        fields.push(WantedField { name: name.to_owned(), inner });
        match rest.strip_prefix(',') {
            Some(after) => *rest = after,
            None => return Some(fields),
        }
    }
}

fn check(fields: &[WantedField], kind: &NodeKind) -> Result<(), Reply> {
    for field in fields {
        if field.name == "insights" {
            return Err(not_simulated("`fields`: insights within another object"));
        }
        let Some((_, below)) = kind.fields.iter().find(|(name, _)| *name == field.name) else {
            let message =
                format!("(#100) Tried accessing nonexisting field ({}) on node type ({})", field.name, kind.name);
            return Err(error(400, 100, None, &message));
        };
        if let (Some(inner), Some(below)) = (&field.inner, below) {
            check(inner, below)?;
        }
    }
    Ok(())
}

/// What an object is answered with, of all that it has: `null` stands for what it has not. The id is always there.
pub(super) fn select(object: &Value, fields: &[WantedField]) -> Value {
    let mut selected = Map::new();
    for field in fields {
        match (object.get(&field.name), &field.inner) {
            (None | Some(Value::Null), _) => {}
            (Some(value @ Value::Object(_)), Some(inner)) => {
                selected.insert(field.name.clone(), select(value, inner));
            }
            // Of another node, its id; what is no node comes whole.
            (Some(value), None) if value.get("id").is_some() => {
                selected.insert(field.name.clone(), json!({"id": value["id"]}));
            }
            (Some(value), _) => {
                selected.insert(field.name.clone(), value.clone());
            }
        }
    }
    if let Some(id) = object.get("id") {
        selected.insert("id".to_owned(), id.clone());
    }
    Value::Object(selected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_the_keys_that_were_asked_for() {
        let ad =
            json!({"id": "1", "name": "x", "status": null, "campaign": {"id": "2", "name": "y", "objective": "z"}});
        let of = |text| select(&ad, &wanted(text, &AD).unwrap());
        assert_eq!(of(None), json!({"id": "1"}));
        assert_eq!(of(Some("name,status")), json!({"id": "1", "name": "x"}));
        assert_eq!(of(Some(r#"["name"]"#)), json!({"id": "1", "name": "x"}));
        assert_eq!(of(Some("campaign")), json!({"id": "1", "campaign": {"id": "2"}}));
        assert_eq!(of(Some(" campaign { name } , id")), json!({"id": "1", "campaign": {"id": "2", "name": "y"}}));
    }

    #[test]
    fn unknown_keys_and_broken_lists_are_refused_by_name() {
        let refused = |text| wanted(Some(text), &AD).unwrap_err().body;
        for (text, part) in [
            ("name,colour", "nonexisting field (colour) on node type (Ad)"),
            ("campaign{colour}", "nonexisting field (colour) on node type (Campaign)"),
            ("insights{spend}", "insights within another object is not simulated"),
            ("campaign.fields(id)", "Syntax error"),
            ("name,,id", "Syntax error"),
            ("campaign{id", "Syntax error"),
        ] {
            assert!(refused(text).contains(part), "{text}: {}", refused(text));
        }
    }
}
