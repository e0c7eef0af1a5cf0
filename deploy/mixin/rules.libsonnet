// The shipped files of rules, with an installation's values in place of the shipped ones.
//
// A file is cut into blocks, each of one rule and the comments after it. The indent of a line shows what it belongs to:
// 4 to a group, 8 to a rule, 10 to its labels and annotations.
local text = import 'text.libsonnet';

local cut = '\n      - ';
local settings = ['for', 'keep_firing_for'];
local threshold = '{record: marketing_messages:threshold:default, ';

local starts(line, prefix) = std.startsWith(line, prefix);
local after(line, prefix) = line[std.length(prefix):];
local first(block) = std.split(block, '\n')[0];
local alertOf(block) = if starts(block, 'alert: ') then after(first(block), 'alert: ') else '';

// A default of a threshold is a rule on one line: what it is, or null.
local thresholdOf(block) = if starts(block, threshold) then std.parseYaml(first(block)) else null;

function(shipped, config) {
  local blocks = { [file]: std.split(shipped[file], cut) for file in std.objectFields(shipped) },
  local all = std.flattenArrays(std.objectValues(blocks)),
  local names = std.set([alertOf(block) for block in all if alertOf(block) != '']),
  local thresholds = std.set([thresholdOf(block).labels.threshold for block in all if thresholdOf(block) != null]),

  local withThreshold(block) =
    local rule = thresholdOf(block);
    local currency = std.get(rule.labels, 'currency', '');
    local own = std.get(config.thresholds, rule.labels.threshold);
    local value = if std.isObject(own) then std.get(own, currency) else if currency == '' then own;
    if value == null then block else std.strReplace(block, 'expr: "%s"' % rule.expr, 'expr: "%s"' % value),

  // Texts are templates with queries inside double quotes.
  local matchers(line) =
    if std.length(std.findSubstr('printf "', line)) == 0 then config.exporterSelector
    else std.strReplace(config.exporterSelector, '"', "'"),

  local edited(block) =
    local alert = alertOf(block);
    local own = std.get(config.alerts, alert, {});
    local lines = std.split(block, '\n');
    local missing = [
      '        %s: %s' % [key, own[key]]
      for key in settings
      if std.objectHas(own, key) && std.length(std.findSubstr('\n        ' + key + ': ', block)) == 0
    ];
    local replaced(line) =
      if starts(std.lstripChars(line, ' '), '#') then [line]
      else if starts(line, '  - name: ') && config.interval != null then [line, '    interval: ' + config.interval]
      else if starts(line, '    interval: ') && config.interval != null then []
      else if alert == '' then [text.selected(line, config.exporterSelector)]
      else if line == '        labels:' then missing + [line]
      else if starts(line, '        for: ') && std.objectHas(own, 'for') then ['        for: ' + own['for']]
      else if starts(line, '        keep_firing_for: ') && std.objectHas(own, 'keep_firing_for') then
        ['        keep_firing_for: ' + own.keep_firing_for]
      else if starts(line, '          severity: ') && std.objectHas(own, 'severity') then ['          severity: ' + own.severity]
      else if starts(line, '          runbook_url: ') then ['          runbook_url: ' + config.runbookURLPattern % alert]
      else if starts(line, '          dashboard_url: ') then [std.strReplace(line, 'https://grafana.example.com', config.grafanaURL)]
      else [text.selected(line, matchers(line))];
    // The head of the next group comes after the last rule of one.
    local rest = std.join('\n', std.flatMap(replaced, lines[1:]));
    if thresholdOf(block) != null then std.join('\n', [first(withThreshold(block))] + if std.length(lines) > 1 then [rest] else [])
    else std.join('\n', std.flatMap(replaced, lines)),

  local check(what, given, there) =
    local unknown = std.setDiff(std.set(given), there);
    if unknown != [] then error 'unknown %s: %s; there are %s' % [what, std.join(', ', unknown), std.join(', ', there)] else true,

  files::
    assert check('threshold', std.objectFields(config.thresholds), thresholds);
    assert check('alert', std.objectFields(config.alerts), names);
    { [file]: std.join(cut, [edited(block) for block in blocks[file]]) for file in std.objectFields(blocks) },
}
