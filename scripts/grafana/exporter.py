"""For whoever runs the exporter: targets, allowances, credentials, faults, and what Prometheus pays for it."""

from .overview import ACCOUNT_CHOICE, IDENTITY, SHORT_ALERT, SOURCE
from .panels import RUNBOOKS, STATUS_LINK, annotation, column, dashboard, lines, red_above, stat, table
from .queries import ACCOUNT, ACCOUNTS, ALERTS, OWN, SOURCES, TARGET

IS_EXPORTER = f"and on (job, instance) {OWN}build_info"
AGE = f"target:marketing_messages_data:age_seconds{{{ACCOUNTS}}}"
# The interval in force and five minutes for the poll itself and the scrape.
ON_TIME = f"({AGE} <= bool 300 + max by ({TARGET}) ({OWN}target_poll_interval_seconds{{{ACCOUNTS}}}))"
UP = f"max by ({TARGET}) ({OWN}target_up{{{ACCOUNTS}}})"
GROUPS = 'rule_group=~".*;marketing-messages.*"'
ALERT_SINCE = (
    f'max by ({IDENTITY}) (time() - ALERTS_FOR_STATE{{{ALERTS}, campaign_id=""}} '
    f'and ignoring (alertstate) ALERTS{{{ALERTS}, campaign_id="", alertstate="firing"}})'
)


def lane(expr: str) -> str:
    """With a label for the legend; an access key of CAMS has no account."""
    return f'label_join({expr}, "lane", " ", "source", "account_id")'


def group(expr: str) -> str:
    """With the name of the rule group, without the path of its file."""
    return f'label_replace({expr}, "group", "$1", "rule_group", ".*;(.*)")'


PANELS = [
    stat(
        "Targets",
        4,
        "Number of targets polled; a target polled by several exporters counts once.",
        f"count({UP})",
        "none",
        0,
    ),
    stat(
        "On time",
        4,
        "Share of targets that were polled successfully within their interval plus five minutes.",
        f"avg({ON_TIME})",
        "percentunit",
        1,
        steps=[("red", None), ("orange", 0.9), ("green", 0.99)],
    ),
    stat(
        "Failing",
        4,
        "Targets whose last poll failed.",
        f"count({UP} == 0) or vector(0)",
        "none",
        0,
        steps=[("green", None), ("orange", 1), ("red", 5)],
    ),
    stat(
        "Oldest figures",
        4,
        "Time since the last successful poll of the target that has waited longest.",
        f"max({AGE})",
        "s",
        0,
        steps=[("green", None), ("orange", 3600), ("red", 14400)],
    ),
    stat(
        "Allowance used",
        4,
        "How much of the fullest allowance is used, by this exporter and everyone else.",
        f"max({OWN}api_usage_ratio{{{ACCOUNTS}}})",
        "percentunit",
        1,
        steps=[("green", None), ("orange", 0.75), ("red", 0.95)],
    ),
    stat(
        "Rejected",
        4,
        "Values that could not be read, plus series that were left out, in the last day.",
        f"sum(max by (source, credential) (increase({OWN}series_dropped_total{{{SOURCES}}}[1d]))) "
        f"+ (sum(max by (source, field) (increase({OWN}samples_rejected_total{{{SOURCES}}}[1d]))) or vector(0))",
        "none",
        0,
        steps=red_above(1),
    ),
    table(
        "Alerts that fire",
        24,
        6,
        "Alerts about the exporter, its credentials and its targets. Click an alert for its runbook.",
        [column("For", ALERT_SINCE, "s", 0)],
        {
            "alertname": "Alert",
            "severity": "Severity",
            "source": "Source",
            "credential": "Credential",
            "account_id": "Account",
            "instance": "Instance",
        },
        "For",
        {"Alert": RUNBOOKS},
        SHORT_ALERT,
    ),
    table(
        "Exporters",
        12,
        5,
        "Click an instance for its status page. Series counts the samples of its last scrape.",
        [
            column(
                "Up since",
                f"max by (instance) (process_start_time_seconds {IS_EXPORTER}) * 1000 "
                f"* on (instance) group_left (version) max by (instance, version) ({OWN}build_info)",
                "dateTimeAsIso",
            ),
            column(
                "Series",
                f"max by (instance) (scrape_samples_scraped {IS_EXPORTER}) "
                f"* on (instance) group_left (version) max by (instance, version) ({OWN}build_info)",
                "locale",
                0,
            ),
        ],
        {"instance": "Instance", "version": "Version"},
        links={"Instance": STATUS_LINK},
    ),
    table(
        "Credentials",
        12,
        5,
        "Whether the API accepts each credential, when it was last read, and how many days its token has left: "
        "“-” if it never expires or its expiry is unknown.",
        [
            column("Valid", f"min by (source, credential) ({OWN}credential_valid{{{SOURCES}}})", "bool_yes_no"),
            column(
                "Read",
                f"max by (source, credential) ({OWN}credential_last_read_timestamp_seconds{{{SOURCES}}}) * 1000",
                "dateTimeFromNow",
            ),
            column(
                "Days left",
                f"(min by (source, credential) ({OWN}credential_expires_timestamp_seconds{{{SOURCES}}}) - "
                f"time()) / 86400 "
                f"or min by (source, credential) ({OWN}credential_valid{{{SOURCES}}}) * 0 - 1",
                "none",
                0,
            ),
        ],
        {"credential": "Credential", "source": "Source"},
    ),
    lines(
        "Targets on time",
        12,
        "Share of targets that were polled successfully within their interval plus five minutes.",
        [(f"avg by (source) ({ON_TIME})", "{{source}}")],
        "percentunit",
        0,
        axisSoftMax=1,
    ),
    lines(
        "Age of the figures",
        12,
        "Time since the last successful poll of each account's oldest target. It rises until the next poll, then falls "
        "to 0.",
        [(f"max by ({ACCOUNT}) ({AGE})", "{{source}} {{account_id}}")],
        "s",
        0,
    ),
    lines(
        "Demand for the allowance",
        12,
        "Requests that the configured intervals need, as a share of what the budget allows. Above 100 %, targets are "
        "polled less often than configured.",
        [
            (
                lane(
                    f"max by ({ACCOUNT}) ({OWN}api_demand_requests_per_hour{{{SOURCES}}}) "
                    f"/ max by ({ACCOUNT}) ({OWN}api_allowance_requests_per_hour{{{SOURCES}}})"
                ),
                "{{lane}}",
            )
        ],
        "percentunit",
        0,
        steps=[("transparent", None), ("red", 1)],
    ),
    lines(
        "Allowance used",
        12,
        "How much of each account's fullest allowance is used, by this exporter and everyone else, as reported in the "
        "API's headers.",
        [(f"max by ({ACCOUNT}) ({OWN}api_usage_ratio{{{ACCOUNTS}}})", "{{source}} {{account_id}}")],
        "percentunit",
        0,
        axisSoftMax=1,
    ),
    lines(
        "Blocked",
        12,
        "1 while the API refuses an account's requests and the exporter sends none.",
        [
            (
                lane(
                    f"max by ({ACCOUNT}) ({OWN}api_blocked_until_timestamp_seconds{{{SOURCES}}} > bool time()) "
                    f"or 0 * max by ({ACCOUNT}) ({OWN}api_allowance_requests_per_hour{{{SOURCES}}})"
                ),
                "{{lane}}",
            )
        ],
        "none",
        0,
        lineInterpolation="stepAfter",
        axisSoftMax=1,
    ),
    lines(
        "Failed polls",
        12,
        "Number of failed polls, by reason.",
        [(f"sum by (reason) (increase({OWN}poll_failures_total{{{SOURCES}}}[$__rate_interval]))", "{{reason}}")],
        "none",
        0,
        axisSoftMax=1,
    ),
    lines(
        "Requests",
        12,
        "Requests per second of all exporters, by endpoint and HTTP status.",
        [
            (
                f"sum by (endpoint, code) (rate({OWN}api_requests_total{{{SOURCES}}}[$__rate_interval]))",
                "{{endpoint}} {{code}}",
            )
        ],
        "reqps",
        2,
    ),
    lines(
        "Duration of a request",
        12,
        "Median and 95th percentile: one request in twenty takes longer than the line “95 %”.",
        [
            (
                f"histogram_quantile({quantile}, sum by (source, le) "
                f"(rate({OWN}api_request_duration_seconds_bucket{{{SOURCES}}}[$__rate_interval])))",
                f"{{{{source}}}} {name}",
            )
            for quantile, name in ((0.5, "median"), (0.95, "95 %"))
        ],
        "s",
        2,
    ),
    lines(
        "Series of a scrape",
        12,
        "Samples that Prometheus scrapes from each exporter.",
        [(f"scrape_samples_scraped {IS_EXPORTER}", "{{instance}}")],
        "locale",
        0,
    ),
    lines(
        "Duration of a scrape",
        12,
        "How long Prometheus takes to scrape each exporter. It gives up after `scrape_timeout`.",
        [(f"scrape_duration_seconds {IS_EXPORTER}", "{{instance}}")],
        "s",
        2,
    ),
    lines(
        "Duration of the rules",
        12,
        "How long Prometheus takes to evaluate each group of rules, as a share of the group's interval. At 100 %, it "
        "starts to skip evaluations. Prometheus must scrape itself.",
        [
            (
                group(
                    f"max by (rule_group) (prometheus_rule_group_last_duration_seconds{{{GROUPS}}} "
                    f"/ prometheus_rule_group_interval_seconds{{{GROUPS}}})"
                ),
                "{{group}}",
            )
        ],
        "percentunit",
        1,
        steps=[("transparent", None), ("red", 1)],
        axisSoftMax=0.25,
    ),
    lines(
        "Missed rounds of the rules",
        12,
        "Evaluations skipped because the previous one took too long, and rules that failed, in the last hour.",
        [
            (
                group(f"max by (rule_group) (increase(prometheus_rule_group_iterations_missed_total{{{GROUPS}}}[1h]))"),
                "missed {{group}}",
            ),
            (
                group(f"max by (rule_group) (increase(prometheus_rule_evaluation_failures_total{{{GROUPS}}}[1h]))"),
                "failed {{group}}",
            ),
        ],
        "none",
        0,
        axisSoftMax=1,
    ),
    lines(
        "Memory",
        24,
        "Resident memory of each exporter.",
        [(f"process_resident_memory_bytes {IS_EXPORTER}", "{{instance}}")],
        "bytes",
        1,
    ),
    table(
        "Targets",
        24,
        10,
        "Every target and the result of its last poll.",
        [
            column("Up", f"min by ({TARGET}) ({OWN}target_up{{{ACCOUNTS}}})", "bool_yes_no"),
            column("Age", AGE, "s", 0),
            column("Interval", f"max by ({TARGET}) ({OWN}target_poll_interval_seconds{{{ACCOUNTS}}})", "s", 0),
            column(
                "Failures in a row", f"max by ({TARGET}) ({OWN}target_consecutive_failures{{{ACCOUNTS}}})", "none", 0
            ),
            column("Rows", f"max by ({TARGET}) ({OWN}target_rows{{{ACCOUNTS}}})", "locale", 0),
        ],
        {
            "source": "Source",
            "credential": "Credential",
            "account_id": "Account",
            "target": "Target",
            "window": "Window",
        },
        "Age",
    ),
]

BOARD = dashboard(
    "mme-exporter",
    "Marketing messages: exporter",
    "Targets, allowances, credentials, faults, and what scrapes and rules cost Prometheus.",
    [SOURCE, ACCOUNT_CHOICE],
    PANELS,
    [
        annotation(
            "Alerts",
            f'ALERTS{{{ALERTS}, alertstate="firing", campaign_id=""}}',
            "{{alertname}}",
            "{{account_id}} {{credential}}",
            "red",
        )
    ],
    "now-24h",
)
