// Values of observations as people read them.
import { t } from '@lingui/core/macro';
import type { Schemas } from '../../api/client';
import { clinicalDate } from '../../words/dates';
import { measured, term } from '../../words/terms';

type Quantity = Schemas['Quantity'];
type Range = Schemas['ReferenceRange'];

export const label = (concept: Schemas['CodeableConcept'] | null | undefined): string =>
  term(concept?.text ?? concept?.coding.find((one) => one.display)?.display ?? concept?.coding[0]?.code ?? '');

/** At most four digits after the point: the record keeps the rest. */
export function quantity(value: Quantity | null | undefined): string {
  if (!value?.value) return '';
  const [, decimals = ''] = value.value.split('.');
  const text = decimals.length > 4 ? String(Number(Number(value.value).toPrecision(4))) : value.value;
  return measured(`${value.comparator ?? ''}${text}${value.unit ? ` ${value.unit}` : ''}`);
}

export function rangeInWords({ low, high, text }: Range): string {
  if (text) return text;
  const [from, to] = [quantity(low), quantity(high)];
  if (from && to) return t`${from} to ${to}`;
  if (from) return t`${from} or more`;
  if (to) return t`${to} or less`;
  return '';
}

/** A range's bounds as numbers, where it has any. */
export function bounds(ranges: readonly Range[], unit: string | null | undefined): { low: number | undefined; high: number | undefined } | undefined {
  const found = ranges.find(({ low, high }) => [low, high].some((one) => one?.value && (one.unit ?? unit) === unit));
  if (!found) return undefined;
  const number = (one: Quantity | null | undefined) => (one?.value ? Number(one.value) : undefined);
  return { low: number(found.low), high: number(found.high) };
}

export function valueInWords(value: Schemas['Value'] | null | undefined): string {
  if (!value) return t`No value`;
  switch (value.kind) {
    case 'quantity':
      return quantity(value.of) || t`No value`;
    case 'coded':
    case 'absent':
      return label(value.of) || t`No value`;
    case 'boolean':
      return value.of ? t`Yes` : t`No`;
    case 'range':
      return [quantity(value.of.low), quantity(value.of.high)].filter(Boolean).join(' – ');
    case 'ratio':
      return [quantity(value.of.numerator), quantity(value.of.denominator)].filter(Boolean).join(' : ');
    case 'date-time':
      return clinicalDate(value.of);
    case 'period':
      return [clinicalDate(value.of.start), clinicalDate(value.of.end)].filter(Boolean).join(' – ');
    default:
      return value.of;
  }
}
