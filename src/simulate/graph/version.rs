//! Which version answers a call: the one that was asked for, as long as it lives.

use jiff::civil::Date;

use super::super::Reply;
use super::super::spec::Spec;
use super::reply::error;
use crate::domain::api_version::{NEWEST, PublishedVersion, VERSIONS, is_older_than_all, published};

/// The version that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AnsweringVersion {
    pub(super) name: &'static str,
    /// Where another one was asked for.
    pub(super) warning: Option<String>,
}

/// Whether the first part of a path is a version.
pub(super) fn is_version(segment: &str) -> bool {
    let numbers = segment.strip_prefix('v').and_then(|rest| rest.split_once('.'));
    numbers.is_some_and(|(major, minor)| major.parse::<u16>().is_ok() && minor.parse::<u16>().is_ok())
}

/// The version of a call, on a day. `marketing` is whether the call belongs to the Marketing API, where versions end
/// earlier and have to be named.
pub(super) fn answering(
    spec: &Spec,
    asked: Option<&str>,
    marketing: bool,
    today: Date,
) -> Result<AnsweringVersion, Reply> {
    let lives = |version: &PublishedVersion| {
        let ends = if marketing { version.marketing_ends } else { version.graph_ends };
        ends.is_none_or(|ends| today < ends) && !spec.dead_versions.iter().any(|dead| dead == version.name)
    };
    let living = || VERSIONS.iter().filter(|version| lives(version));
    let newest = living().next_back().unwrap_or(&NEWEST).name;
    let dead = || {
        let message = "You are calling a deprecated version of the Ads API. Please update to the latest version: ";
        error(400, 2635, None, &format!("(#2635) {message}{newest}."))
    };
    let Some(asked) = asked else {
        let oldest = living().next().filter(|_| !marketing);
        return oldest.map(|version| AnsweringVersion { name: version.name, warning: None }).ok_or_else(dead);
    };
    match published(asked) {
        Some(version) if lives(&version) => return Ok(AnsweringVersion { name: version.name, warning: None }),
        Some(_) => {}
        None if is_older_than_all(asked) => {}
        None => return Err(error(400, 2500, None, &format!("Unknown path components: /{asked}"))),
    }
    let next = living().next().filter(|_| spec.upgrades_versions).ok_or_else(dead)?;
    let warning = format!("The call has been auto-upgraded to {} as {asked} has been deprecated.", next.name);
    Ok(AnsweringVersion { name: next.name, warning: Some(warning) })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn of(spec: &Spec, asked: Option<&str>, marketing: bool) -> Result<String, String> {
        let answering = answering(spec, asked, marketing, date(2026, 11, 30));
        answering.map(|version| version.name.to_owned()).map_err(|refusal| refusal.body)
    }

    #[test]
    fn a_version_answers_until_its_end() {
        let spec = Spec::default();
        for (asked, marketing, found) in [
            ("v25.0", true, Ok("v25.0")),
            ("v27.0", true, Ok("v27.0")),
            ("v24.0", true, Err("Please update to the latest version: v27.0.")),
            ("v24.0", false, Ok("v24.0")),
            ("v20.0", false, Err("(#2635) You are calling a deprecated version")),
            ("v3.1", true, Err("(#2635) You are calling a deprecated version")),
            ("v28.0", true, Err("Unknown path components: /v28.0")),
            ("v99.9", false, Err("Unknown path components: /v99.9")),
        ] {
            let told = of(&spec, Some(asked), marketing);
            match found {
                Ok(name) => assert_eq!(told.as_deref(), Ok(name), "{asked}"),
                Err(part) => assert!(told.as_ref().is_err_and(|told| told.contains(part)), "{asked}: {told:?}"),
            }
        }
        assert_eq!(of(&spec, None, false).as_deref(), Ok("v21.0"), "what is not of the Marketing API needs none");
        assert!(of(&spec, None, true).is_err());
    }

    #[test]
    fn a_dead_version_is_refused_or_upgraded() {
        let mut spec = Spec { dead_versions: vec!["v25.0".into(), "v27.0".into()], ..Spec::default() };
        assert!(of(&spec, Some("v25.0"), true).unwrap_err().contains("latest version: v26.0."));
        spec.upgrades_versions = true;
        let upgraded = answering(&spec, Some("v24.0"), true, date(2026, 11, 30)).unwrap();
        let warning = "The call has been auto-upgraded to v26.0 as v24.0 has been deprecated.";
        assert_eq!((upgraded.name, upgraded.warning.as_deref()), ("v26.0", Some(warning)));
    }
}
