import { defineConfig } from '@lingui/conf';
import { formatter } from '@lingui/format-po';

export default defineConfig({
  sourceLocale: 'en',
  locales: ['en', 'es'],
  catalogs: [
    { path: '<rootDir>/src/words/locales/{locale}', include: ['src'], exclude: ['**/*.d.ts', 'src/messages/**', 'src/realtime/**', 'src/screens/staff/**'] },
    { path: '<rootDir>/src/words/locales/staff/{locale}', include: ['src/screens/staff'] },
  ],
  format: formatter({ lineNumbers: false, origins: false }),
});
