//! The headers that report how much of an allowance is used. Each may be missing or malformed, and is
//! never a fault.

use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::super::MAX_WAIT;
use crate::domain::budget::{Tier, Usage};

/// Every usage that an answer tells of, in one list; nothing for what cannot be read.
pub(super) fn read(headers: &HeaderMap) -> Vec<Usage> {
    let mut usages = Vec::new();
    if let Some(app) = header::<Calls>(headers, "x-app-usage") {
        usages.extend(app.usages(["app_calls", "app_time", "app_cpu_time"]));
    }
    if let Some(Entries(entries)) = header::<Entries>(headers, "x-business-use-case-usage") {
        // Every entry counts: reading the first alone hides the quota that is about to run out.
        for calls in entries {
            let limits = match calls.kind.as_deref() {
                Some("ads_insights") => ["insights_calls", "insights_time", "insights_cpu_time"],
                Some("ads_management") => ["management_calls", "management_time", "management_cpu_time"],
                // Quotas of other products that the app uses; nothing we send is charged to them.
                _ => continue,
            };
            usages.extend(calls.usages(limits));
        }
    }
    if let Some(account) = header::<AccountUsage>(headers, "x-ad-account-usage") {
        // This header counts in seconds, the one above in minutes.
        let regain = account.reset_time_duration.filter(|_| account.acc_id_util_pct.is_some_and(|used| used >= 100.0));
        usages.extend(percent("account", account.acc_id_util_pct, regain.map(seconds), account.tier()));
    }
    if let Some(insights) = header::<AccountUsage>(headers, "x-fb-ads-insights-throttle") {
        usages.extend(percent("insights_account", insights.acc_id_util_pct, None, insights.tier()));
        usages.extend(percent("insights_app", insights.app_id_util_pct, None, None));
    }
    usages
}

/// The longest header that is read: it names some dozen accounts at most.
const MAX_HEADER_BYTES: usize = 32 << 10;

fn header<'h, T: Deserialize<'h>>(headers: &'h HeaderMap, name: &str) -> Option<T> {
    let value = headers.get(name).filter(|value| value.len() <= MAX_HEADER_BYTES)?;
    serde_json::from_slice(value.as_bytes()).ok()
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(if seconds.is_finite() { seconds.clamp(0.0, MAX_WAIT.as_secs_f64()) } else { 0.0 })
}

fn percent(limit: &'static str, used: Option<f64>, regain: Option<Duration>, tier: Option<Tier>) -> Option<Usage> {
    // Values beyond 100 are real (118 was seen) and stay: they say how far over the limit the account is.
    let used = used.filter(|used| used.is_finite() && *used >= 0.0)?;
    Some(Usage { limit, ratio: used / 100.0, regain, tier })
}

/// The tiers were renamed in May 2026; the headers keep the old names, which are the wrong way
/// round to today's ears.
fn tier(name: Option<&str>) -> Option<Tier> {
    match name? {
        "development_access" => Some(Tier::Limited),
        "standard_access" => Some(Tier::Full),
        _ => None,
    }
}

#[derive(Deserialize)]
struct Calls {
    #[serde(rename = "type")]
    kind: Option<String>,
    call_count: Option<f64>,
    total_time: Option<f64>,
    total_cputime: Option<f64>,
    /// Minutes.
    estimated_time_to_regain_access: Option<f64>,
    ads_api_access_tier: Option<String>,
}

impl Calls {
    fn usages(&self, limits: [&'static str; 3]) -> impl Iterator<Item = Usage> {
        // 0 is sent all the time and means that access was never lost.
        let regain = self.estimated_time_to_regain_access.filter(|minutes| *minutes > 0.0);
        let regain = regain.map(|minutes| seconds(minutes * 60.0));
        let used = [self.call_count, self.total_time, self.total_cputime];
        let tier = tier(self.ads_api_access_tier.as_deref());
        limits.into_iter().zip(used).filter_map(move |(limit, used)| percent(limit, used, regain, tier))
    }
}

#[derive(Deserialize)]
struct AccountUsage {
    acc_id_util_pct: Option<f64>,
    app_id_util_pct: Option<f64>,
    /// Seconds.
    reset_time_duration: Option<f64>,
    ads_api_access_tier: Option<String>,
}

impl AccountUsage {
    fn tier(&self) -> Option<Tier> {
        tier(self.ads_api_access_tier.as_deref())
    }
}

/// Lists under keys that may repeat, as they do in Meta's own sample.
struct Entries(Vec<Calls>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lists;
        impl<'de> Visitor<'de> for Lists {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("lists by id")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries, M::Error> {
                let mut entries = Vec::new();
                // The key is an account or a business, which of the two is not documented, so it decides nothing.
                while let Some((_, list)) = map.next_entry::<serde::de::IgnoredAny, Vec<Calls>>()? {
                    entries.extend(list);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Lists)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usages(headers: &[(&'static str, &'static str)]) -> Vec<(&'static str, f64, Option<u64>)> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, http::HeaderValue::from_static(value));
        }
        read(&map).into_iter().map(|usage| (usage.limit, usage.ratio, usage.regain.map(|r| r.as_secs()))).collect()
    }

    #[test]
    fn minutes_and_seconds_are_not_confused() {
        let business = r#"{"1":[{"type":"ads_insights","call_count":118,"total_cputime":23,"total_time":25,"estimated_time_to_regain_access":5}]}"#;
        assert_eq!(
            usages(&[("x-business-use-case-usage", business)]),
            [
                ("insights_calls", 1.18, Some(300)),
                ("insights_time", 0.25, Some(300)),
                ("insights_cpu_time", 0.23, Some(300))
            ]
        );
        let account = r#"{"acc_id_util_pct":100.5,"reset_time_duration":100,"ads_api_access_tier":"standard_access"}"#;
        assert_eq!(usages(&[("x-ad-account-usage", account)]), [("account", 1.005, Some(100))]);
    }

    #[test]
    fn repeated_keys_and_several_entries_all_count() {
        let business = r#"{"1":[{"type":"ads_insights","call_count":10},{"type":"ads_management","call_count":20}],"1":[{"type":"ads_insights","call_count":90},{"type":"pages","call_count":99}]}"#;
        let limits = usages(&[("x-business-use-case-usage", business)]);
        assert_eq!(
            limits,
            [("insights_calls", 0.1, None), ("management_calls", 0.2, None), ("insights_calls", 0.9, None)]
        );
    }

    #[test]
    fn nonsense_is_no_usage() {
        for text in ["", "{", "[]", "null", r#"{"acc_id_util_pct":"x"}"#, r#"{"1":[7]}"#] {
            for name in ["x-app-usage", "x-business-use-case-usage", "x-ad-account-usage", "x-fb-ads-insights-throttle"]
            {
                assert!(usages(&[(name, text)]).is_empty(), "{name} {text}");
            }
        }
    }
}
