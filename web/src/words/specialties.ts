// Fields of medicine: as the portal calls them, and as people do.
import { i18n, type MessageDescriptor } from '@lingui/core';
import { msg } from '@lingui/core/macro';

const KNOWN: Record<string, MessageDescriptor> = {
  cardiology: msg`Cardiology`,
  dermatology: msg`Dermatology`,
  endocrinology: msg`Endocrinology`,
  'family-medicine': msg`Family medicine`,
  gastroenterology: msg`Gastroenterology`,
  'general-surgery': msg`General surgery`,
  'internal-medicine': msg`Internal medicine`,
  nephrology: msg`Nephrology`,
  neurology: msg`Neurology`,
  'obstetrics-and-gynecology': msg`Obstetrics and gynecology`,
  oncology: msg`Oncology`,
  ophthalmology: msg`Ophthalmology`,
  orthopedics: msg`Orthopedics`,
  pediatrics: msg`Pediatrics`,
  'physical-therapy': msg`Physical therapy`,
  psychiatry: msg`Psychiatry`,
  psychology: msg`Psychology`,
  pulmonology: msg`Pulmonology`,
  urology: msg`Urology`,
};

/** What the portal calls something by: lower-case letters, digits and hyphens. */
export const slug = (text: string): string =>
  text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '').slice(0, 40);

/** A name that became a code, as people read it. */
export function unslug(code: string): string {
  const words = code.replaceAll('-', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function specialtyName(code: string): string {
  const known = Object.hasOwn(KNOWN, code) ? KNOWN[code] : undefined;
  return known ? i18n._(known) : unslug(code);
}

/** The code of a field, whatever the language in which somebody wrote it. */
export const specialtyCode = (text: string): string => {
  const wanted = slug(text);
  return Object.keys(KNOWN).find((code) => slug(specialtyName(code)) === wanted) ?? wanted;
};

export const specialtyNames = (): string[] => Object.keys(KNOWN).map(specialtyName).sort((one, other) => one.localeCompare(other));
