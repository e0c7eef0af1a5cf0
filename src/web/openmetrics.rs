//! The registry's families in `OpenMetrics` 1.0, which the `prometheus` crate does not write.

use std::fmt::Write as _;

use prometheus::proto::{Metric, MetricFamily, MetricType};

use crate::exposition::escape;

/// The families and the closing mark of the whole exposition.
pub(super) fn text(families: &[MetricFamily]) -> String {
    let mut out = String::new();
    for family in families {
        let name = family.name();
        let counter = family.get_field_type() == MetricType::COUNTER;
        let (kind, base) = match family.get_field_type() {
            // Counters are declared without the suffix that their samples carry.
            MetricType::COUNTER => ("counter", name.strip_suffix("_total").unwrap_or(name)),
            MetricType::HISTOGRAM => ("histogram", name),
            _ => ("gauge", name),
        };
        let mut help = String::new();
        escape(family.help(), &mut help);
        let _ = write!(out, "# HELP {base} {help}\n# TYPE {base} {kind}\n");
        if let Some(unit) = ["seconds", "bytes", "ratio"].into_iter().find(|unit| base.ends_with(&format!("_{unit}"))) {
            let _ = writeln!(out, "# UNIT {base} {unit}");
        }
        for metric in family.get_metric() {
            match family.get_field_type() {
                MetricType::HISTOGRAM => histogram(base, metric, &mut out),
                _ if counter => sample(base, "_total", metric, "", metric.get_counter().get_value(), &mut out),
                _ => sample(base, "", metric, "", metric.get_gauge().get_value(), &mut out),
            }
        }
    }
    out.push_str("# EOF\n");
    out
}

fn histogram(base: &str, metric: &Metric, out: &mut String) {
    let histogram = metric.get_histogram();
    for bucket in histogram.get_bucket() {
        let bound = bucket.upper_bound();
        // The format wants `1.0` and not `1`.
        let bound = if bound.fract() == 0.0 { format!("le=\"{bound:.1}\"") } else { format!("le=\"{bound}\"") };
        sample(base, "_bucket", metric, &bound, bucket.cumulative_count() as f64, out);
    }
    let count = histogram.get_sample_count() as f64;
    sample(base, "_bucket", metric, "le=\"+Inf\"", count, out);
    sample(base, "_sum", metric, "", histogram.get_sample_sum(), out);
    sample(base, "_count", metric, "", count, out);
}

fn sample(base: &str, suffix: &str, metric: &Metric, extra: &str, value: f64, out: &mut String) {
    let mut labels = String::new();
    for pair in metric.get_label() {
        if !labels.is_empty() {
            labels.push(',');
        }
        let _ = write!(labels, "{}=\"", pair.name());
        escape(pair.value(), &mut labels);
        labels.push('"');
    }
    if !labels.is_empty() && !extra.is_empty() {
        labels.push(',');
    }
    labels.push_str(extra);
    if labels.is_empty() {
        let _ = writeln!(out, "{base}{suffix} {value}");
    } else {
        let _ = writeln!(out, "{base}{suffix}{{{labels}}} {value}");
    }
}
