//! The exporter's own metrics: the registry of the `prometheus` crate holds these and nothing else.
//! The state of each target is not among them: there may be as many targets as campaigns.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::proto::MetricFamily;
use prometheus::{
    Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::domain::fault::Reason;
use crate::domain::lane::LaneKey;
use crate::domain::target::{CredentialId, Source, account_label};
use crate::domain::time::UnixSeconds;
use crate::engine::Measurement;

const PREFIX: &str = "marketing_messages_exporter_";

const CREDENTIAL: [&str; 2] = ["source", "credential"];
const LANE: [&str; 3] = ["source", "credential", "account_id"];

/// Every own metric, in the order of the reference.
#[derive(Debug)]
#[expect(missing_docs, reason = "each field is named after its family, whose HELP stands in the constructor")]
pub struct Telemetry {
    registry: Registry,
    generation: AtomicU64,
    catalog: Vec<Described>,
    pub polls: IntCounterVec,
    pub poll_failures: IntCounterVec,
    pub poll_duration: HistogramVec,
    pub api_requests: IntCounterVec,
    pub api_errors: IntCounterVec,
    pub api_request_duration: HistogramVec,
    pub api_usage: GaugeVec,
    pub api_allowance: GaugeVec,
    pub api_demand: GaugeVec,
    pub api_blocked_until: GaugeVec,
    pub samples: IntGaugeVec,
    pub samples_rejected: IntCounterVec,
    pub series_dropped: IntCounterVec,
    pub credential_valid: IntGaugeVec,
    pub credential_readable: IntGaugeVec,
    pub field_supported: IntGaugeVec,
    pub credential_expires: GaugeVec,
    pub credential_data_access_expires: GaugeVec,
    pub credential_last_read: GaugeVec,
    pub api_version_info: IntGaugeVec,
    pub config_last_reload_successful: Gauge,
    pub config_last_reload_success: Gauge,
    pub state_last_write: GaugeVec,
    pub state_write_failures: IntCounterVec,
    pub state_restored_targets: GaugeVec,
    pub web_connections: IntGauge,
    pub web_connections_refused: IntCounterVec,
}

/// Name, type, label names and HELP of a family.
pub type Described = (String, &'static str, Vec<String>, String);

/// Registers families under the prefix, and notes them for the reference.
#[derive(Debug, Default)]
struct Registrar {
    registry: Registry,
    catalog: Vec<Described>,
}

impl Registrar {
    fn add<T: Collector + Clone + 'static>(
        &mut self,
        kind: &'static str,
        vec: prometheus::Result<T>,
    ) -> prometheus::Result<T> {
        let vec = vec?;
        for desc in vec.desc() {
            self.catalog.push((desc.fq_name.clone(), kind, desc.variable_labels.clone(), desc.help.clone()));
        }
        self.registry.register(Box::new(vec.clone()))?;
        Ok(vec)
    }

    fn gauge(&mut self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
        self.add("gauge", GaugeVec::new(opts(name, help), labels))
    }

    fn int_gauge(&mut self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.add("gauge", IntGaugeVec::new(opts(name, help), labels))
    }

    fn counter(&mut self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        self.add("counter", IntCounterVec::new(opts(name, help), labels))
    }

    fn seconds(&mut self, name: &str, help: &str) -> prometheus::Result<HistogramVec> {
        const BUCKETS: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
        let opts = HistogramOpts::from(opts(name, help)).buckets(BUCKETS.to_vec());
        self.add("histogram", HistogramVec::new(opts, &["source"]))
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(format!("{PREFIX}{name}"), help)
}

impl Telemetry {
    /// A registry of its own, so that several exporters fit into one process. `process` adds the
    /// `process_*` families.
    #[rustfmt::skip]
    pub fn new(process: bool) -> prometheus::Result<Self> {
        let mut add = Registrar::default();
        if process {
            add.registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        }
        let build = add.int_gauge("build_info", "Version of the exporter; the value is always 1.", &["version", "revision", "rustversion"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), env!("MME_REVISION"), env!("MME_RUSTVERSION")]).set(1);
        let telemetry = Self {
            polls: add.counter("polls_total", "Finished polls, successful or not.", &CREDENTIAL)?,
            poll_failures: add.counter("poll_failures_total", "Failed polls, by reason.", &["source", "credential", "reason"])?,
            poll_duration: add.seconds("poll_duration_seconds", "Duration of a poll, from its first request to its last page.")?,
            api_requests: add.counter("api_requests_total", "Requests sent to an API, by HTTP status, or error if there was no response.", &["source", "credential", "endpoint", "code"])?,
            api_errors: add.counter("api_errors_total", "Errors returned by an API, by its own error code.", &["source", "error_code"])?,
            api_request_duration: add.seconds("api_request_duration_seconds", "Duration of a request to an API.")?,
            api_usage: add.gauge("api_usage_ratio", "Used share of an allowance, as reported in the API's headers; 1 is all of it.", &["source", "credential", "account_id", "limit"])?,
            api_allowance: add.gauge("api_allowance_requests_per_hour", "Requests per hour that the budget allows this lane.", &LANE)?,
            api_demand: add.gauge("api_demand_requests_per_hour", "Requests per hour that the configured intervals need; above the allowance, intervals are stretched.", &LANE)?,
            api_blocked_until: add.gauge("api_blocked_until_timestamp_seconds", "When requests of this lane resume after the API refused them, or said that little is left.", &LANE)?,
            samples: add.int_gauge("samples", "Campaign samples served.", &CREDENTIAL)?,
            samples_rejected: add.counter("samples_rejected_total", "Values that were not numbers, by field; row for a row without a readable id.", &["source", "field"])?,
            series_dropped: add.counter("series_dropped_total", "Series left out because exposition.max_series was reached.", &CREDENTIAL)?,
            credential_valid: add.int_gauge("credential_valid", "Whether the API accepted the credential when it was last used.", &CREDENTIAL)?,
            credential_readable: add.int_gauge("credential_readable", "0 while the credential's file or variable cannot be read; meanwhile, the content that was read last is used.", &CREDENTIAL)?,
            field_supported: add.int_gauge("field_supported", "0 for a field that the API refused and that is left out of requests for a day.", &["source", "credential", "field"])?,
            credential_expires: add.gauge("credential_expires_timestamp_seconds", "When the token expires; absent if it never does.", &CREDENTIAL)?,
            credential_data_access_expires: add.gauge("credential_data_access_expires_timestamp_seconds", "When the token's access to data ends; absent if it never does.", &CREDENTIAL)?,
            api_version_info: add.int_gauge("api_version_info", "Requested API version and the version that answered; the value is always 1.", &["credential", "requested", "served"])?,
            credential_last_read: add.gauge("credential_last_read_timestamp_seconds", "When new content of the credential was last read.", &CREDENTIAL)?,
            config_last_reload_successful: add.add("gauge", Gauge::with_opts(opts("config_last_reload_successful", "Whether the last load of the configuration succeeded.")))?,
            config_last_reload_success: add.add("gauge", Gauge::with_opts(opts("config_last_reload_success_timestamp_seconds", "When the configuration was last loaded successfully.")))?,
            state_last_write: add.gauge("state_last_write_timestamp_seconds", "When the state was last written; present if state.file is set.", &[])?,
            state_write_failures: add.counter("state_write_failures_total", "Failed attempts to write the state; present if state.file is set.", &[])?,
            state_restored_targets: add.gauge("state_restored_targets", "Targets restored from the state file at startup; present if the file existed.", &[])?,
            web_connections: add.add("gauge", IntGauge::with_opts(opts("web_connections", "Open client connections.")))?,
            web_connections_refused: add.counter("web_connections_refused_total", "Client connections refused or closed, by reason: address, the client's address had used its share; full, all places were taken; displaced, an idle connection was closed for a new one; accept, the system could not accept one.", &["reason"])?,
            generation: AtomicU64::new(0),
            registry: add.registry,
            catalog: add.catalog,
        };
        Ok(telemetry)
    }

    /// Starts the counters of a credential's closed sets at 0, so that `increase()` sees the first event.
    pub fn expect_credential(&self, source: Source, credential: &str) {
        self.polls.with_label_values(&[source.label(), credential]);
        self.series_dropped.with_label_values(&[source.label(), credential]);
        self.samples.with_label_values(&[source.label(), credential]);
        for reason in Reason::ALL {
            self.poll_failures.with_label_values(&[source.label(), credential, reason.label()]);
        }
    }

    /// Removes the series of a credential, which would otherwise keep their last value for ever.
    pub fn forget_credential(&self, credential: &CredentialId) {
        let of = Forgotten { source: credential.source.label(), credential: &credential.name, account: None };
        for vec in [&self.polls, &self.poll_failures, &self.api_requests, &self.series_dropped] {
            of.forget(vec);
        }
        for vec in [
            &self.samples,
            &self.credential_valid,
            &self.credential_readable,
            &self.field_supported,
            &self.api_version_info,
        ] {
            of.forget(vec);
        }
        for vec in [
            &self.api_usage,
            &self.api_allowance,
            &self.api_demand,
            &self.api_blocked_until,
            &self.credential_expires,
            &self.credential_data_access_expires,
            &self.credential_last_read,
        ] {
            of.forget(vec);
        }
    }

    /// Removes the series of a lane.
    pub fn forget_lane(&self, lane: &LaneKey) {
        let account = Some(account_label(lane.account));
        let of = Forgotten { source: lane.source.label(), credential: &lane.credential, account };
        for vec in [&self.api_usage, &self.api_allowance, &self.api_demand, &self.api_blocked_until] {
            of.forget(vec);
        }
    }

    /// Takes in what the engine measured.
    pub fn observe(&self, measurement: &Measurement) {
        match measurement {
            Measurement::Request { credential, endpoint, status, error, took } => {
                let (source, name) = (credential.source.label(), &*credential.name);
                let code = status.map_or_else(|| "error".to_owned(), |status| status.to_string());
                self.api_requests.with_label_values(&[source, name, endpoint, &code]).inc();
                self.api_request_duration.with_label_values(&[source]).observe(took.as_secs_f64());
                if let Some(error) = error {
                    self.api_errors.with_label_values(&[source, error]).inc();
                }
            }
            Measurement::Poll { credential, reason, took } => {
                let labels = labels(credential);
                self.polls.with_label_values(&labels).inc();
                self.poll_duration.with_label_values(&labels[..1]).observe(took.as_secs_f64());
                if let Some(reason) = reason {
                    self.poll_failures.with_label_values(&[labels[0], labels[1], reason.label()]).inc();
                }
            }
            Measurement::Rejected { source, field, count } => {
                self.samples_rejected.with_label_values(&[source.label(), field]).inc_by(*count);
            }
            Measurement::Usage { lane, limit, ratio } => {
                let [source, credential, account] = &lane_labels(lane);
                self.api_usage.with_label_values(&[source, credential, account, *limit]).set(*ratio);
            }
            Measurement::Load { lane, allowance, demand } => {
                let labels = lane_labels(lane);
                self.api_allowance.with_label_values(&labels).set(*allowance);
                self.api_demand.with_label_values(&labels).set(*demand);
            }
            Measurement::Blocked(lanes) => {
                // The one family that is refilled whole: a block ends by itself, without an event that could take it
                // out.
                self.api_blocked_until.reset();
                for (lane, until) in lanes {
                    self.api_blocked_until.with_label_values(&lane_labels(lane)).set(until.as_f64());
                }
            }
            Measurement::LaneGone(lane) => self.forget_lane(lane),
            Measurement::CredentialExpected(credential) => self.expect_credential(credential.source, &credential.name),
            Measurement::Accepted { credential, accepted } => {
                self.credential_valid.with_label_values(&labels(credential)).set(i64::from(*accepted));
            }
            Measurement::Readable { credential, readable } => {
                self.credential_readable.with_label_values(&labels(credential)).set(i64::from(*readable));
            }
            Measurement::KeysRead { credential, at } => {
                self.credential_last_read.with_label_values(&labels(credential)).set(at.as_f64());
            }
            Measurement::Expiry { credential, expires, data_access_expires } => {
                let labels = labels(credential);
                set_or_remove(&self.credential_expires, &labels, *expires);
                set_or_remove(&self.credential_data_access_expires, &labels, *data_access_expires);
            }
            Measurement::Field { credential, metric, refused } => {
                let [source, name] = labels(credential);
                let labels = [source, name, metric.name];
                if *refused {
                    self.field_supported.with_label_values(&labels).set(0);
                } else {
                    // The gauge is there only while the field is left out.
                    let _ = self.field_supported.remove_label_values(&labels);
                }
            }
            Measurement::Version { credential, requested, served } => {
                // The former version is a series of its own and would stay beside the new one.
                let of = Forgotten { source: credential.source.label(), credential: &credential.name, account: None };
                of.forget(&self.api_version_info);
                if let Some(served) = served {
                    self.api_version_info.with_label_values(&[&*credential.name, requested, served]).set(1);
                }
            }
            Measurement::Restored(targets) => {
                self.state_restored_targets.with_label_values::<&str>(&[]).set(*targets as f64);
            }
        }
        self.mark_changed();
    }

    /// Name, type, label names and HELP of every family, in the order of the constructor.
    pub fn describe(&self) -> &[Described] {
        &self.catalog
    }

    /// Something may have been counted: what was rendered before is old.
    pub fn mark_changed(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Differs when something may have been counted.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The families as they are now.
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

fn labels(credential: &CredentialId) -> [&str; 2] {
    [credential.source.label(), &credential.name]
}

fn lane_labels(lane: &LaneKey) -> [String; 3] {
    [lane.source.label().to_owned(), lane.credential.to_string(), account_label(lane.account)]
}

/// What is not known has no sample.
fn set_or_remove(gauge: &GaugeVec, labels: &[&str], instant: Option<UnixSeconds>) {
    match instant {
        Some(instant) => gauge.with_label_values(labels).set(instant.as_f64()),
        None => drop(gauge.remove_label_values(labels)),
    }
}

/// A credential, or one account of it, whose series go.
struct Forgotten<'a> {
    source: &'static str,
    credential: &'a str,
    account: Option<String>,
}

impl Forgotten<'_> {
    fn forget<B: MetricVecBuilder>(&self, vec: &MetricVec<B>) {
        for metric in vec.collect().iter().flat_map(MetricFamily::get_metric) {
            let labels: HashMap<&str, &str> =
                metric.get_label().iter().map(|pair| (pair.name(), pair.value())).collect();
            // The version's family has no source; only Meta has versions.
            let source = labels.get("source").copied().unwrap_or(Source::META.label());
            let account = self.account.as_deref().is_none_or(|account| labels.get("account_id") == Some(&account));
            if account && source == self.source && labels.get("credential") == Some(&self.credential) {
                // It was there a moment ago; nobody else takes it out.
                let _ = vec.remove(&labels);
            }
        }
    }
}

/// Families in the text format.
pub fn text(families: &[MetricFamily]) -> String {
    // Encoding fails for a family without samples only, and `gather` leaves those out.
    TextEncoder::new().encode_to_string(families).unwrap_or_default()
}
