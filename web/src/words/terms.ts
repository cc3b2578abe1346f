// Terms of code systems as people write them.

/** What SNOMED CT says a term is of, behind the term. */
const OF = / \((?:disorder|event|finding|morphologic abnormality|observable entity|procedure|product|qualifier value|regime\/therapy|situation|substance)\)$/;

export function term(text: string): string;
export function term(text: string | null | undefined): string | undefined;
export function term(text: string | null | undefined): string | undefined {
  return text?.replace(OF, '');
}

/** Units of UCUM, and what is written for them. */
const UNITS: Readonly<Record<string, string>> = {
  'mm[Hg]': 'mmHg',
  '[degF]': '°F',
  '[lb_av]': 'lb',
  '[in_i]': 'in',
  '10*3/uL': '×10³/µL',
  '10*6/uL': '×10⁶/µL',
  'kg/m2': 'kg/m²',
};
const KNOWN = /mm\[Hg\]|\[degF\]|\[lb_av\]|\[in_i\]|10\*[36]\/uL|kg\/m2| ?\{(?:score|count|#)\}/g;

/** A value with its unit, or a value that is a term. What is counted or scored has no unit that says more than
 * the name. */
export const measured = (text: string): string => term(text).replace(KNOWN, (unit) => UNITS[unit] ?? '');

/** Several terms, one after the other. */
export const terms = (all: readonly string[] | null | undefined): string => (all ?? []).map(term).join(', ');
