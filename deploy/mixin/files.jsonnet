// All files, for a directory: jsonnet -S -c -m OUT deploy/mixin/files.jsonnet [--tla-code config='{ thresholds: { cost_rise: 1.5 } }']
// With the shipped configuration they are the shipped files, byte for byte.
local text = import 'text.libsonnet';

function(config={})
  local mixin = (import 'mixin.libsonnet') { _config+:: config };
  { ['rules/' + file]: mixin.prometheusRuleFiles[file] for file in std.objectFields(mixin.prometheusRuleFiles) }
  + { ['dashboards/' + file]: text.json(mixin.grafanaDashboards[file]) + '\n' for file in std.objectFields(mixin.grafanaDashboards) }
