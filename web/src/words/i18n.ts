// The app's languages. A catalog is loaded when it is needed, and the choice is kept: it says
// nothing about anybody's health.
import { i18n } from '@lingui/core';

export const LANGUAGES = { en: 'English', es: 'Español' } as const;
export type Language = keyof typeof LANGUAGES;

const KEPT = 'language';
const catalogs = {
  en: () => import('./locales/en.po'),
  es: () => import('./locales/es.po'),
};

export const preferred = (): Language => {
  const kept = localStorage.getItem(KEPT);
  if (kept === 'en' || kept === 'es') return kept;
  return navigator.languages.find((one) => /^(en|es)\b/.test(one))?.startsWith('es') ? 'es' : 'en';
};

export async function speak(language: Language): Promise<void> {
  const { messages } = await catalogs[language]();
  i18n.loadAndActivate({ locale: language, messages });
  document.documentElement.lang = language;
}

export async function choose(language: Language): Promise<void> {
  localStorage.setItem(KEPT, language);
  await speak(language);
}
