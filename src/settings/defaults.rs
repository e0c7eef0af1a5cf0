//! What holds where a key is not given; the schema says the same.

use std::time::Duration;

use crate::domain::api_version;

pub(super) const INTERVAL: Duration = Duration::from_mins(15);
pub(super) const WINDOWS: [&str; 3] = ["today", "last_7d", "last_30d"];
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
pub(super) const CONCURRENCY: usize = 8;
pub(super) const MAX_RESPONSE_BYTES: usize = 32 << 20;
pub(super) const MAX_SERIES: usize = 2_000_000;
pub(super) const META_API_VERSION: &str = api_version::NEWEST.name;
pub(super) const META_BASE_URL: &str = "https://graph.facebook.com";
pub(super) const META_BUDGET: f64 = 0.75;
pub(super) const CAMS_ENDPOINT: &str = "https://cams.ap-southeast-1.aliyuncs.com";
pub(super) const CAMS_REGION: &str = "ap-southeast-1";
pub(super) const CAMS_REQUESTS_PER_SECOND: f64 = 5.0;
