// Edits of the shipped text. Rules are edited line by line instead of being rendered again, so that their comments survive.
local identifier = std.set(std.stringChars('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:'));

{
  // The length of the identifier at the beginning of a text.
  local length(text, n=0) =
    if n < std.length(text) && std.setMember(text[n], identifier) then length(text, n + 1) else n,

  // A query, or a line of one, with more matchers on each of the exporter's own families. What rules record has them already.
  selected(query, matchers)::
    local parts = std.split(query, 'marketing_messages_');
    local before(n) = parts[n - 1][std.length(parts[n - 1]) - 1:];
    local scraped(n) = parts[n - 1] == '' || !std.setMember(before(n), identifier);
    local matched(rest) =
      local end = length(rest);
      local name = rest[:end], after = rest[end:];
      if std.startsWith(after, '{}') then name + '{' + matchers + '}' + after[2:]
      else if std.startsWith(after, '{') then name + '{' + matchers + ', ' + after[1:]
      else name + '{' + matchers + '}' + after;
    if matchers == '' || std.length(parts) == 1 then query
    else parts[0] + std.join('', [
      'marketing_messages_' + (if scraped(n) then matched(parts[n]) else parts[n])
      for n in std.range(1, std.length(parts) - 1)
    ]),

  // JSON as scripts/dashboards.py writes it. std.manifestJsonEx prints 0.95 as 0.94999999999999996.
  local number(value) =
    if value == std.floor(value) then std.toString(value)
    else std.rstripChars('%.6f' % value, '0'),
  json(value, indent='')::
    local deeper = indent + '  ';
    local lines(items, open, close) =
      if items == [] then open + close
      else open + '\n' + std.join(',\n', [deeper + item for item in items]) + '\n' + indent + close;
    if std.isArray(value) then lines([$.json(item, deeper) for item in value], '[', ']')
    else if std.isObject(value) then
      lines([std.escapeStringJson(key) + ': ' + $.json(value[key], deeper) for key in std.objectFields(value)], '{', '}')
    else if std.isNumber(value) then number(value)
    else if std.isString(value) then std.escapeStringJson(value)
    else std.toString(value),
}
