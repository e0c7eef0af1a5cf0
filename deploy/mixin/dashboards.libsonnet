// A shipped dashboard, with an installation's links, selector and settings in place of the shipped ones.
local text = import 'text.libsonnet';

local queries = ['expr', 'definition', 'query'];

function(shipped, config)
  local runbook = config.runbookURLPattern % '${__value.raw}';
  local status = config.statusURLPattern % '${__data.fields.Instance}';
  local edited(value, key='') =
    if std.isArray(value) then [edited(item) for item in value]
    else if std.isObject(value) then { [name]: edited(value[name], name) for name in std.objectFields(value) }
    else if !std.isString(value) then value
    else if std.member(queries, key) then text.selected(value, config.exporterSelector)
    else if key == 'url' && std.endsWith(value, '/docs/runbooks/${__value.raw}.md') then runbook
    else if key == 'url' && value == 'http://${__data.fields.Instance}/' then status
    else value;
  {
    [file]: edited(shipped[file]) {
      tags: config.tags,
      links: [link { tags: config.tags } for link in super.links],
      refresh: config.refresh,
      timezone: config.timezone,
    }
    for file in std.objectFields(shipped)
  }
