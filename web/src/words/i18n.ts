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

/** Words of the screens for staff, which patients do not wait for. */
const staffCatalogs = {
  en: () => import('./locales/staff/en.po'),
  es: () => import('./locales/staff/es.po'),
};
let forStaff = false;

/** Loads the words of the screens for staff. */
export async function staffWords(): Promise<void> {
  if (forStaff) return;
  const language = i18n.locale as Language;
  const { messages } = await staffCatalogs[language]();
  forStaff = true;
  i18n.load(language, messages);
}

export async function speak(language: Language): Promise<void> {
  const [{ messages }, staff] = await Promise.all([catalogs[language](), forStaff ? staffCatalogs[language]() : undefined]);
  i18n.loadAndActivate({ locale: language, messages: { ...messages, ...staff?.messages } });
  document.documentElement.lang = language;
}

export async function choose(language: Language): Promise<void> {
  localStorage.setItem(KEPT, language);
  await speak(language);
}
