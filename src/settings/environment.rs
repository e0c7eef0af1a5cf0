//! The process' environment: read here, and nowhere else.

use std::collections::BTreeMap;
use std::env;

use super::entry::Holds as _;
use super::raw::Raw;

/// Every variable that is text.
pub fn environment() -> BTreeMap<String, String> {
    // `vars` panics on the first variable that is not text; such a one is not meant for us.
    env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}

/// One variable, if it is set and text.
pub(super) fn variable(name: &str) -> Option<String> {
    env::var_os(name)?.into_string().ok()
}

/// The variables of the keys that every configuration has, such as `MME__POLL__INTERVAL`.
pub fn key_variables() -> Vec<String> {
    let keys = Raw::keys();
    let sections =
        keys.as_object().into_iter().flatten().filter_map(|(section, keys)| Some((section, keys.as_object()?)));
    let names = sections.flat_map(|(section, keys)| keys.keys().map(move |key| (section, key)));
    let fixed = names.filter(|(_, key)| *key != "*");
    fixed.map(|(section, key)| format!("MME__{section}__{key}").to_uppercase()).collect()
}
