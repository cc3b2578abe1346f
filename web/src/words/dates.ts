// Dates as people write them. Clinical dates keep the precision with which they were recorded, and
// the day that stands in the record, wherever the reader is.
import { i18n } from '@lingui/core';

const cache = new Map<string, Intl.DateTimeFormat>();

function format(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = i18n.locale + JSON.stringify(options);
  let found = cache.get(key);
  if (!found) {
    // American order and 12-hour clock in both languages: the practice is in the United States.
    found = new Intl.DateTimeFormat(`${i18n.locale}-US`, options);
    cache.set(key, found);
  }
  return found;
}

/** A clinical date: `2019`, `2019-03`, `2019-03-07` or an instant of that day. */
export function clinicalDate(text: string | null | undefined): string {
  const parts = /^(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?/.exec(text ?? '');
  if (!parts) return text ?? '';
  const [, year, month, day] = parts;
  const at = new Date(Date.UTC(Number(year), Number(month ?? 1) - 1, Number(day ?? 1)));
  const known: Intl.DateTimeFormatOptions = { year: 'numeric', timeZone: 'UTC' };
  if (month) known.month = 'long';
  if (day) known.day = 'numeric';
  return format(known).format(at);
}

/** The day alone, to group by. */
export const clinicalDay = (text: string | null | undefined): string => (text ?? '').slice(0, 10);

/** An instant, with its time zone. */
export const instant = (text: string): string =>
  format({ dateStyle: 'long', timeStyle: 'short' }).format(new Date(text)) + ' ' + zone(text);

/** An instant's day, where the reader is. */
export const day = (text: string): string => format({ dateStyle: 'long' }).format(new Date(text));

/** A time in the zone in which it happens. */
export const inZone = (text: string, timeZone: string): string =>
  format({ weekday: 'long', year: 'numeric', month: 'long', day: 'numeric', hour: 'numeric', minute: '2-digit', timeZoneName: 'short', timeZone }).format(new Date(text));

/** For a chart's axis. */
export const monthOf = (at: Date): string => format({ month: 'short', year: 'numeric', timeZone: 'UTC' }).format(at);

function zone(text: string): string {
  const parts = format({ timeZoneName: 'short' }).formatToParts(new Date(text));
  return parts.find((part) => part.type === 'timeZoneName')?.value ?? '';
}

export const number = (value: number): string => new Intl.NumberFormat(`${i18n.locale}-US`).format(value);

/** The day of a time, in the zone in which it happens. */
export const dayInZone = (text: string, timeZone: string): string =>
  format({ weekday: 'long', month: 'long', day: 'numeric', timeZone }).format(new Date(text));

/** The hour of a time, with its zone. */
export const timeInZone = (text: string, timeZone: string): string =>
  format({ hour: 'numeric', minute: '2-digit', timeZoneName: 'short', timeZone }).format(new Date(text));

/** A time of day, `14:00`, wherever it is. */
export const timeOfDay = (text: string): string =>
  format({ hour: 'numeric', minute: '2-digit', timeZone: 'UTC' }).format(new Date(`1970-01-01T${text.slice(0, 5)}Z`));

const dateOf = (at: Date): string => {
  const two = (value: number) => String(value).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
};

/** A day so many days after another one, as date fields have them. */
export function daysAfter(day: string, days: number): string {
  const at = new Date(`${day}T12:00`);
  at.setDate(at.getDate() + days);
  return dateOf(at);
}

/** A day so many days from today. */
export const daysAhead = (days: number): string => daysAfter(dateOf(new Date()), days);
