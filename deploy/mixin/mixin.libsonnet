// The shipped rules and dashboards as a monitoring mixin (https://monitoring.mixins.dev). README.md explains how to use it.
local dashboards = import 'dashboards.libsonnet';
local rules = import 'rules.libsonnet';

(import 'config.libsonnet') {
  local config = $._config,

  local shippedRules = {
    'campaigns.yml': importstr '../prometheus/rules/campaigns.yml',
    'cost.yml': importstr '../prometheus/rules/cost.yml',
    'exporter.yml': importstr '../prometheus/rules/exporter.yml',
    'figures.yml': importstr '../prometheus/rules/figures.yml',
    'thresholds.yml': importstr '../prometheus/rules/thresholds.yml',
  },
  local shippedDashboards = {
    'campaign.json': import '../grafana/dashboards/campaign.json',
    'compare.json': import '../grafana/dashboards/compare.json',
    'exporter.json': import '../grafana/dashboards/exporter.json',
    'overview.json': import '../grafana/dashboards/overview.json',
  },

  // The files of rules as text, with their comments, by file name.
  prometheusRuleFiles:: rules(shippedRules, config).files,

  local groups = std.flattenArrays([std.parseYaml(self.prometheusRuleFiles[file]).groups for file in std.objectFields(self.prometheusRuleFiles)]),
  local alerts(group) = [rule for rule in group.rules if std.objectHas(rule, 'alert')] != [],

  // A group with alerts stays whole: the order of its rules matters.
  prometheusAlerts+:: { groups+: [group for group in groups if alerts(group)] },
  prometheusRules+:: { groups+: [group for group in groups if !alerts(group)] },
  grafanaDashboards+:: dashboards(shippedDashboards, config),
}
