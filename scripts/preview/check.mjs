// node check.mjs DASHBOARD.json...   Holds dashboards against the types that Grafana publishes (@grafana/schema): misspelt
// properties and wrong values of a dashboard, its variables, panels, options and fields. Ends with 1 where one does not fit.
import fs from 'fs';
import path from 'path';
import ts from 'typescript';

const schema = `import('@grafana/schema')`;
const ofPanel = (type) => `import('../node_modules/@grafana/schema/dist/types/raw/composable/${type}/panelcfg/x/types.gen')`;
// The schema leaves to the data source what its variables and annotations hold beside these.
const variable = ({ definition, ...one }) => one;
const annotation = ({ expr, titleFormat, textFormat, step, useValueForTime, ...one }) => one;
// Values may be left out, and enumerations may be written as text.
const partial = 'type Part<T> = T extends (infer U)[] ? Part<U>[] : T extends object ? { [K in keyof T]?: Part<T[K]> } : T extends string ? T | `${T}` : T | null;\n';

let faults = 0;
fs.mkdirSync('out', { recursive: true });
for (const file of process.argv.slice(2)) {
  const { panels, templating, annotations, links, time, ...rest } = JSON.parse(fs.readFileSync(file, 'utf8'));
  const pieces = [];
  const piece = (what, value, type) => pieces.push(`/* ${what} */ const piece${pieces.length} = ${JSON.stringify(value)} satisfies Part<${type}>;\n`);
  for (const [key, value] of Object.entries(rest)) piece(key, { [key]: value }, `${schema}.Dashboard`);
  piece('time', time, `NonNullable<${schema}.Dashboard['time']>`);
  annotations.list.forEach((one) => piece(`annotation ${one.name}`, { list: [annotation(one)] }, `NonNullable<${schema}.Dashboard['annotations']>`));
  links.forEach((link) => piece('link', link, `${schema}.DashboardLink`));
  templating.list.forEach((one) => piece(`variable ${one.name}`, variable(one), `${schema}.VariableModel`));
  for (const { options, fieldConfig, targets, ...panel } of panels) {
    const { custom, ...defaults } = fieldConfig.defaults;
    piece(`panel ${panel.title}`, panel, `${schema}.Panel`);
    piece(`fields of ${panel.title}`, { ...fieldConfig, defaults }, `${schema}.FieldConfigSource`);
    piece(`options of ${panel.title}`, options, `${ofPanel(panel.type)}.Options`);
    if (custom && panel.type !== 'stat') piece(`custom fields of ${panel.title}`, custom, panel.type === 'table' ? `${schema}.TableFieldOptions` : `${ofPanel(panel.type)}.FieldConfig`);
  }
  const generated = path.resolve('out/check.ts');
  fs.writeFileSync(generated, partial + pieces.join(''));
  const program = ts.createProgram([generated], { strict: true, noEmit: true, skipLibCheck: true, module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler, target: ts.ScriptTarget.ES2022 });
  const found = ts.getPreEmitDiagnostics(program).filter((one) => one.file && path.resolve(one.file.fileName) === generated)
    .map((one) => [one.file.getLineAndCharacterOfPosition(one.start).line, ts.flattenDiagnosticMessageText(one.messageText, ' ')]);
  found.forEach(([line, text]) => console.log(`${path.basename(file)}: ${/\/\* (.*?) \*\//.exec(pieces[line - 1])[1]}: ${text.slice(0, 300)}`));
  console.log(`${path.basename(file)}: ${panels.length} panels, ${pieces.length} pieces, ${found.length} faults`);
  faults += found.length;
}
process.exit(faults ? 1 : 0);
