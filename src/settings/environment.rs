//! The process' environment: read here, and nowhere else.

use std::collections::BTreeMap;
use std::env;

/// Every variable that is text.
pub fn environment() -> BTreeMap<String, String> {
    // `vars` panics on the first variable that is not text; such a one is not meant for us.
    env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}

/// One variable, if it is set and text.
pub(super) fn variable(name: &str) -> Option<String> {
    env::var_os(name)?.into_string().ok()
}
