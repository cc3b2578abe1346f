import { transformAsync } from '@babel/core';
import { lingui } from '@lingui/vite-plugin';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** Lingui's macros become calls of its runtime. */
const macros: Plugin = {
  name: 'lingui-macros',
  enforce: 'pre',
  transform: {
    filter: { id: /\/src\/.*\.tsx?$/, code: /@lingui\/(core|react)\/macro/ },
    async handler(code, id) {
      const done = await transformAsync(code, {
        filename: id,
        babelrc: false,
        configFile: false,
        sourceMaps: true,
        parserOpts: { plugins: ['typescript', 'jsx'] },
        plugins: ['@lingui/babel-plugin-lingui-macro'],
      });
      return done?.code ? { code: done.code, map: done.map ?? null } : null;
    },
  },
};

export default defineConfig({
  plugins: [macros, react(), lingui()],
  build: {
    outDir: 'site',
    target: 'es2022',
    sourcemap: false,
    // The policy allows no data: URLs, and the polyfill would only serve browsers that are too old.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // scripts/budgets.mjs reads from it what loads what.
    manifest: 'manifest.json',
  },
});
