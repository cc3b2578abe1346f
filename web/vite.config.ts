import { defineConfig } from 'vite';
import react from '@vitejs/plugin-react';
import babel from '@rolldown/plugin-babel';
import { lingui } from '@lingui/vite-plugin';

export default defineConfig({
  plugins: [
    react(),
    lingui(),
    babel({ include: /\/src\/.*\.tsx?$/, plugins: ['@lingui/babel-plugin-lingui-macro'] }),
  ],
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
