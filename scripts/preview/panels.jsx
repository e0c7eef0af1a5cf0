// Draws the panels of a dashboard from answers that scripts/preview.py got from Prometheus (`window.PREVIEW`), with
// Grafana's own units, overrides, transformations and components. It is not Grafana: no variables, links or annotations.
import React from 'react';
import { createRoot } from 'react-dom/client';
import { lastValueFrom } from 'rxjs';
import * as D from '@grafana/data';
import * as U from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

const { dashboard, answers, from, to, width, theme: mode } = window.PREVIEW;
const ROW = 38, CELL = width / 24;
const same = (value) => value;
const theme = D.createTheme({ colors: { mode } });
const range = { from: D.dateTime(from * 1000), to: D.dateTime(to * 1000), raw: { from: 'now-1h', to: 'now' } };

window.grafanaBootData = { settings: { featureToggles: {} }, user: {}, navTree: [] };
const transformers = [...new Map(Object.values(D.standardTransformers).filter((t) => t?.id).map((t) => [t.id, t])).values()];
D.standardTransformersRegistry.setInit(() =>
  transformers.map((t) => ({ id: t.id, name: t.id, transformation: () => Promise.resolve(t), imageDark: '', imageLight: '' })));

// Which options of a field may be set or overridden.
const registry = (panel) => {
  const process = { thresholds: D.thresholdsOverrideProcessor, mappings: D.valueMappingsOverrideProcessor };
  const item = (id, isCustom) =>
    ({ id, path: isCustom ? id.slice(7) : id, name: id, isCustom, process: process[id] || same, shouldApply: () => true, getItemsCount: () => 1 });
  const standard = ['unit', 'min', 'max', 'decimals', 'displayName', 'color', 'thresholds', 'mappings', 'noValue', 'links'];
  const { defaults, overrides } = panel.fieldConfig;
  const overridden = overrides.flatMap((one) => one.properties.map(({ id }) => id)).filter((id) => id.startsWith('custom.'));
  const custom = [...new Set([...Object.keys(defaults.custom || {}).map((key) => `custom.${key}`), ...overridden])];
  return new D.Registry(() => [...standard.map((id) => item(id, false)), ...custom.map((id) => item(id, true))]);
};

// A table of an instant answer: a column for each label, and the value.
const asTable = (series, target, several) => {
  const labels = [...new Set(series.flatMap((one) => Object.keys(one.metric)))].sort();
  return D.toDataFrame({ refId: target.refId, fields: [
    { name: 'Time', type: 'time', values: series.map((one) => one.value[0] * 1000) },
    ...labels.map((label) => ({ name: label, type: 'string', values: series.map((one) => one.metric[label] ?? '') })),
    { name: several ? `Value #${target.refId}` : 'Value', type: 'number', values: series.map((one) => Number(one.value[1])) },
  ] });
};

const asSeries = (one, target) => {
  const values = one.values || [one.value];
  return D.toDataFrame({ refId: target.refId, fields: [
    { name: 'Time', type: 'time', values: values.map(([at]) => at * 1000) },
    { name: 'Value', type: 'number', values: values.map(([, value]) => Number(value)), labels: one.metric,
      config: target.legendFormat === '__auto' ? {} : { displayNameFromDS: D.renderLegendFormat(target.legendFormat, one.metric) } },
  ] });
};

async function load(panel) {
  const several = panel.targets.length > 1;
  let data = panel.targets.flatMap((target) => {
    const series = answers[`${panel.id}/${target.refId}`];
    return target.format === 'table' ? [asTable(series, target, several)] : series.map((one) => asSeries(one, target));
  });
  if (panel.transformations?.length)
    data = await lastValueFrom(D.transformDataFrame(panel.transformations, data, { interpolate: same }));
  const { fieldConfig } = panel;
  const frames = D.applyFieldOverrides({ data, fieldConfig, replaceVariables: same, theme, timeZone: 'utc', fieldConfigRegistry: registry(panel) });
  if (panel.type === 'table') // The header shows what is noted here.
    frames.forEach((frame) => frame.fields.forEach((field) => { field.state = { ...field.state, displayName: D.getFieldDisplayName(field, frame, frames) }; }));
  return frames;
}

function Stats({ panel, data, w, h }) {
  const values = D.getFieldDisplayValues({ fieldConfig: panel.fieldConfig, reduceOptions: panel.options.reduceOptions,
    replaceVariables: same, theme, data, timeZone: 'utc' });
  return <div style={{ display: 'flex' }}>{values.map((value, n) =>
    <U.BigValue key={n} value={value.display} width={Math.floor(w / values.length) - 4} height={h} count={values.length} theme={theme}
      colorMode={panel.options.colorMode} graphMode="none" justifyMode="auto" textMode={panel.options.textMode} />)}</div>;
}

function Body({ panel, data, w, h }) {
  if (panel.type === 'stat') return <Stats panel={panel} data={data} w={w} h={h} />;
  if (panel.type === 'timeseries')
    return <U.TimeSeries frames={data} width={w} height={h} timeRange={range} timeZone="utc" structureRev={1} theme={theme}
      options={{}} legend={panel.options.legend} />;
  return <TableNG data={data[0]} width={w} height={h} structureRev={1} fieldConfig={panel.fieldConfig} timeRange={range} enableVirtualization={false} />;
}

function Panel({ panel }) {
  const [state, set] = React.useState({});
  React.useEffect(() => { load(panel).then((data) => set({ data }), (error) => set({ error: String(error) })); }, []);
  const { x, y, w, h } = panel.gridPos, c = theme.colors, inner = { w: CELL * w - 26, h: ROW * h - 56 };
  const text = state.error ? `cannot be drawn: ${state.error}` : !state.data?.some((frame) => frame.length) ? 'No data' : '';
  return (
    <div className="panel" data-title={panel.title} data-state={state.error ? 'failed' : text ? 'empty' : 'drawn'} style={{ position: 'absolute', left: CELL * x, top: ROW * y, width: CELL * w - 8, height: ROW * h - 8,
      background: c.background.primary, border: `1px solid ${c.border.weak}`, overflow: 'hidden', color: c.text.primary }}>
      <div style={{ padding: '4px 8px', height: 28, fontWeight: 500 }}>{panel.title}</div>
      <div style={{ padding: 8 }}>{text || <Body panel={panel} data={state.data} {...inner} />}</div>
    </div>
  );
}

document.body.style.cssText = `margin:0;background:${theme.colors.background.canvas};font:14px Inter,"DejaVu Sans",sans-serif`;
createRoot(document.getElementById('root')).render(
  <D.ThemeContext.Provider value={theme}><U.GlobalStyles />
    {dashboard.panels.map((panel) => <Panel key={panel.id} panel={panel} />)}
  </D.ThemeContext.Provider>
);
