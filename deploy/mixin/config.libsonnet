// What an installation changes. `mixin.libsonnet + { _config+:: { ... } }` puts its own values in their place.
{
  _config+:: {
    // Defaults of the thresholds that differ from the shipped ones, by name: { cost_rise: 1.5 }. By currency, where a default
    // depends on it: { minimum_spend: { INR: 800 } }. deploy/prometheus/rules/thresholds.yml lists the names. What is meant for one
    // account or campaign only is a rule of your own instead (docs/alerting.md).
    thresholds: {},

    // Where the runbooks lie. %s becomes the name of the alert.
    runbookURLPattern: 'https://github.com/example/marketing-messages-exporter/blob/main/docs/runbooks/%s.md',

    // Where Grafana shows the dashboards, without a slash at the end: it becomes the beginning of the dashboard_url of each
    // alert that has one; no shipped alert has. Alertmanager's templates need a whole address; links inside Grafana have none.
    grafanaURL: 'https://grafana.example.com',

    // How the status page of an instance is reached. %s becomes the label `instance`.
    statusURLPattern: 'http://%s/',

    // Matchers that every family of the exporter gets, such as 'job="marketing"' or 'cluster="eu"'. Empty selects all.
    exporterSelector: '',

    // How often rules are evaluated, for all groups; null keeps what each group says.
    interval: null,

    // Settings of single alerts: { MarketingMessagesDataStale: { 'for': '10m', keep_firing_for: '1h', severity: 'critical' } }.
    alerts: {},

    // Of all dashboards.
    tags: ['marketing-messages'],
    refresh: '1m',
    timezone: 'browser',
  },
}
