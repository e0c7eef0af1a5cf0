// What an installation may change, with `mixin.libsonnet + { _config+:: { ... } }`.
{
  _config+:: {
    // Thresholds whose default differs from the shipped one, by name: { cost_rise: 1.5 }. If a default depends on the currency,
    // also by currency: { minimum_spend: { INR: 800 } }. deploy/prometheus/rules/thresholds.yml lists the names. For a single
    // account or campaign, write a rule of your own instead (docs/alerting.md).
    thresholds: {},

    // Address of the runbooks. %s becomes the name of the alert.
    runbookURLPattern: 'https://github.com/example/marketing-messages-exporter/blob/main/docs/runbooks/%s.md',

    // Address of Grafana, without a slash at the end: every dashboard_url of an alert begins with it. Alertmanager's templates
    // need a full address; links inside Grafana do not.
    grafanaURL: 'https://grafana.example.com',

    // Address of an instance's status page. %s becomes the label `instance`.
    statusURLPattern: 'http://%s/',

    // Matchers added to every family of the exporter, such as 'job="marketing"' or 'cluster="eu"'. Empty selects all.
    exporterSelector: '',

    // How often all groups of rules are evaluated; null keeps the interval of each group.
    interval: null,

    // Settings of individual alerts: { MarketingMessagesDataStale: { 'for': '10m', keep_firing_for: '1h', severity: 'critical' } }.
    alerts: {},

    // For all dashboards.
    tags: ['marketing-messages'],
    refresh: '1m',
    timezone: 'browser',
  },
}
