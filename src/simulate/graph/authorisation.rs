//! Who calls: tokens, the proof of the app's secret, and what `debug_token` tells of a token.

use serde_json::json;

use super::super::signature::proof;
use super::super::spec::{Proof, Spec, Token};
use super::super::world::World;
use super::super::{Call, Reply, WorldTime};
use super::reply::error;

/// Id of the system user whose tokens all of them are.
pub(super) const USER: &str = "9";

/// The token of a call. Both ways are open, as at Meta; a test can see which one the exporter takes.
pub(super) fn token_of(call: &Call) -> Option<&str> {
    let bearer = call.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    bearer.or_else(|| call.parameter("access_token"))
}

/// What is answered without any.
pub(super) fn missing() -> Reply {
    let message = "An active access token must be used to query information about the current user.";
    error(400, 2500, None, message)
}

/// The token with this text, if it is good and proven.
pub(super) fn admit(spec: &Spec, call: &Call, text: &str, moment: WorldTime) -> Result<Token, Reply> {
    let token = live(spec, text)?;
    if let Some((_, secret)) = &spec.app
        && (spec.proof == Proof::Required || call.parameter("appsecret_proof").is_some())
        && !is_proven(call, text, secret, moment)
    {
        return Err(error(400, 100, None, "Invalid appsecret_proof provided in the API argument"));
    }
    Ok(token.clone())
}

fn live<'s>(spec: &'s Spec, text: &str) -> Result<&'s Token, Reply> {
    let token = spec.tokens.iter().find(|token| token.text == text);
    // What never was a token has no subcode: those tell what became of one.
    let token = token.ok_or_else(|| refused(None, "Invalid OAuth access token - Cannot parse access token"))?;
    match token.refused {
        Some(subcode) => Err(refused(Some(subcode), told_of(subcode))),
        None => Ok(token),
    }
}

/// The sentence that goes with a subcode of 190.
fn told_of(subcode: i64) -> &'static str {
    match subcode {
        458 => "Error validating access token: The user has not authorized application.",
        459 => {
            "Error validating access token: You cannot access the app till you log in and follow the instructions given."
        }
        460 => {
            "Error validating access token: The session has been invalidated because the user changed their password or the session was changed for security reasons."
        }
        463 => "Error validating access token: Session has expired.",
        464 => "Error validating access token: The user is not a confirmed user.",
        467 => "Error validating access token: The session is invalid because the user logged out.",
        _ => "Error validating access token",
    }
}

fn refused(subcode: Option<i64>, message: &str) -> Reply {
    let mut reply = error(400, 190, subcode, message);
    let challenge = format!(r#"OAuth "Facebook Platform" "invalid_token" "{message}""#);
    reply.headers.push(("www-authenticate", challenge));
    reply
}

/// Both forms of the proof; the timestamped one lives five minutes.
fn is_proven(call: &Call, token: &str, secret: &str, moment: WorldTime) -> bool {
    let Some(given) = call.parameter("appsecret_proof") else { return false };
    match call.parameter("appsecret_time") {
        Some(time) => {
            let fresh = time.parse::<i64>().is_ok_and(|time| (moment.wall.as_second() - time).abs() <= 300);
            fresh && given == proof(secret, &format!("{token}|{time}"))
        }
        None => given == proof(secret, token),
    }
}

/// Tells of a token who asks with the app's own, or with the token itself.
pub(super) fn debug_token(world: &World, call: &Call, text: &str, moment: WorldTime) -> Result<Reply, Reply> {
    let input = call.parameter("input_token");
    let app = world.spec.app.as_ref();
    if app.is_none_or(|(id, secret)| text != format!("{id}|{secret}")) {
        if text.contains('|') {
            return Err(refused(None, "Invalid OAuth access token signature."));
        }
        live(&world.spec, text)?;
        if input.is_some_and(|input| input != text) {
            let message = "(#100) You must provide an app access token, or a user access token that is an owner or developer of the app";
            return Err(error(400, 100, None, message));
        }
    }
    let input = input.ok_or_else(|| error(400, 100, None, "(#100) The parameter input_token is required"))?;
    let id = app.map_or("1", |(id, _)| id.as_str());
    let data = if let Ok(token) = live(&world.spec, input) {
        json!({"app_id": id, "type": "SYSTEM_USER", "application": "simulated", "data_access_expires_at": 0,
            "expires_at": token.expires.unwrap_or_default(), "is_valid": true,
            "issued_at": moment.wall.as_second() - 86_400, "scopes": ["ads_read"], "user_id": USER})
    } else {
        let subcode = world.spec.tokens.iter().find(|token| token.text == input).and_then(|token| token.refused);
        let message = subcode.map_or("Invalid OAuth access token - Cannot parse access token", told_of);
        json!({"is_valid": false, "scopes": [], "error": {"code": 190, "message": message, "subcode": subcode}})
    };
    Ok(Reply::json(200, &json!({"data": data})))
}
