// Packs the page's code with the libraries.
import * as esbuild from 'esbuild';

const asDataUrl = Object.fromEntries(['.svg', '.png', '.woff2', '.woff', '.ttf'].map((ending) => [ending, 'dataurl']));

await esbuild.build({
  entryPoints: ['panels.jsx'],
  bundle: true,
  outfile: 'out/panels.js',
  format: 'iife',
  platform: 'browser',
  jsx: 'transform',
  logLevel: 'error',
  define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis', 'process.env.NODE_DEBUG': '""' },
  loader: asDataUrl,
  mainFields: ['module', 'browser', 'main'],
  conditions: ['import', 'browser'],
  external: ['fs', 'path', 'stream', 'util'],
});
