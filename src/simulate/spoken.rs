//! Reads a change of the world that somebody typed, and explains what is wrong with it.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::fault::ScriptedFault;
use super::world::WorldChange;

/// What `simulate --help` says of changes and faults: an example of each, indented, one a line.
const HELP: &str = include_str!("help.txt");

/// The change that was sent, or what is wrong with it.
pub(super) fn change(body: &[u8]) -> Result<WorldChange, String> {
    let sent: Value = serde_json::from_slice(body)
        .map_err(|error| format!("this is not JSON from line {}, column {} on", error.line(), error.column()))?;
    // What is wrong within a fault is explained with the example of that fault.
    if let Some(fault) = sent.pointer("/fault/fault") {
        read::<ScriptedFault>(fault)?;
    }
    read(&sent)
}

fn read<T: DeserializeOwned>(sent: &Value) -> Result<T, String> {
    let name = match sent {
        Value::String(name) => name,
        Value::Object(keys) if keys.len() == 1 => keys.keys().next().map_or("", String::as_str),
        _ => return Err(r#"write one change, such as {"calm": null}; simulate --help shows all of them"#.to_owned()),
    };
    T::deserialize(sent).map_err(|error| {
        let wrong = plain(&error.to_string());
        example(name).map_or_else(|| wrong.clone(), |example| format!("{name}: {wrong}; write it like {example}"))
    })
}

/// The parser's sentence in the words of whoever typed.
fn plain(error: &str) -> String {
    let error = error.replace('`', "");
    let unknown = ["unknown variant ", "unknown field "].iter().find_map(|start| error.strip_prefix(start));
    if let Some((word, known)) = unknown.and_then(|rest| rest.split_once(", expected ")) {
        let known = known.trim_start_matches("one of ");
        return format!("there is no {word} here, but {known}");
    }
    if let Some(field) = error.strip_prefix("missing field ") {
        return format!("{field} is missing");
    }
    let misplaced = ["invalid type: ", "invalid value: "].iter().find_map(|start| error.strip_prefix(start));
    match misplaced.and_then(|rest| rest.split_once(", expected ")) {
        Some((found, _)) => format!("{found} does not belong there"),
        None => "it has another form".to_owned(),
    }
}

/// The example of a change or a fault, without what is said of it.
fn example(name: &str) -> Option<String> {
    let start = format!("{{\"{name}\":");
    let mut lines = HELP.lines().map(str::trim).skip_while(|line| !line.starts_with(&start));
    let mut example = String::new();
    let open = |text: &str| text.matches('{').count() > text.matches('}').count();
    loop {
        example.push_str(lines.next()?);
        if !open(&example) {
            break;
        }
    }
    let end = example.rfind('}')?;
    example.get(..=end).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_change_is_told_in_plain_words() {
        for (sent, said) in [
            ("calm", "this is not JSON from line 1, column 1 on"),
            ("[]", r#"write one change, such as {"calm": null}; simulate --help shows all of them"#),
            (r#"{"calm": null, "reset": null}"#, r#"write one change, such as {"calm": null}"#),
            (r#"{"vansh": 7}"#, "there is no vansh here, but fault, refuse_token, "),
            (r#"{"vanish": "seven"}"#, r#"vanish: string "seven" does not belong there; write it like {"vanish": 1"#),
            (r#"{"refuse_token": ["main"]}"#, r#"; write it like {"refuse_token": ["main", 463]}"#),
            (r#"{"fault": {"fault": "stall"}}"#, r#"fault: times is missing; write it like {"fault": {"endpoint": "#),
            (r#"{"fault": {"times": 1, "fault": "stal"}}"#, "there is no stal here, but graph, gateway, "),
            (
                r#"{"fault": {"times": 1, "fault": {"raw": {"body": ""}}}}"#,
                r#"raw: status is missing; write it like {"raw": {"status": 504, "body": "<html>", "headers": [["#,
            ),
            (
                r#"{"fault": {"times": 1, "colour": "x", "fault": "stall"}}"#,
                "fault: there is no colour here, but endpoint, contains, skip, times, fault; write",
            ),
            (r#"{"add": [1, {"id": 7}]}"#, r#"write it like {"add": [2398765432, {"id": 77, "#),
        ] {
            let told = change(sent.as_bytes()).unwrap_err();
            assert!(told.contains(said), "{sent}: {told}");
            assert!(!told.contains('`') && !told.contains("expected"), "{sent}: {told}");
        }
    }

    #[test]
    fn headers_of_an_answer_may_be_left_out() {
        let sent = r#"{"fault": {"times": 1, "fault": {"raw": {"status": 504, "body": "<html>"}}}}"#;
        assert!(matches!(change(sent.as_bytes()), Ok(WorldChange::Fault(_))));
    }
}
