// Forms are the browser's own: read when they are sent, checked by a valibot schema, and the first
// field that is wrong gets the focus.
import * as v from 'valibot';
import type { MessageDescriptor } from '@lingui/core';
import { msg } from '@lingui/core/macro';
import { asProblem } from '../api/problem';
import { clinicalDate } from '../words/dates';

export type Wrong = Partial<Record<string, MessageDescriptor>>;

/** A rule of ours, with what to say when it is broken. */
export const must = (test: (text: string) => boolean, say: MessageDescriptor) =>
  v.check(test, () => JSON.stringify(say));

type Read<S extends v.GenericSchema> = { ok: true; value: v.InferOutput<S> } | { ok: false; wrong: Wrong };

export function read<S extends v.GenericSchema>(form: HTMLFormElement, schema: S): Read<S> {
  const found = v.safeParse(schema, Object.fromEntries(new FormData(form)));
  if (found.success) return { ok: true, value: found.output };
  const wrong: Wrong = {};
  for (const issue of found.issues) {
    const name = String(issue.path?.[0]?.key ?? '');
    wrong[name] ??= JSON.parse(issue.message) as MessageDescriptor;
  }
  focusFirst(form, wrong);
  return { ok: false, wrong };
}

export function focusFirst(form: HTMLFormElement, wrong: Wrong): void {
  const first = [...form.elements].find((one) => 'name' in one && wrong[String(one.name)]);
  if (first instanceof HTMLElement) first.focus();
}

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

const fieldsOf = (form: HTMLFormElement): Field[] =>
  [...form.elements].filter((one): one is Field => (one instanceof HTMLInputElement || one instanceof HTMLTextAreaElement || one instanceof HTMLSelectElement) && one.name !== '');

/** What the fields ask for by their own attributes, in our words and not the browser's. */
export function unmet(form: HTMLFormElement): Wrong {
  const wrong: Wrong = {};
  for (const field of fieldsOf(form)) {
    const say = field.willValidate ? complaint(field) : undefined;
    if (say) wrong[field.name] ??= say;
  }
  return wrong;
}

function complaint(field: Field): MessageDescriptor | undefined {
  const { type, validity, required } = field;
  const text = field.value.trim();
  const label = field.labels?.[0]?.textContent ?? '';
  if (validity.badInput) return type === 'number' ? msg`Enter a number.` : type === 'date' ? msg`Enter the whole date.` : msg`Enter the whole time.`;
  if (!text) return required ? msg`Fill in “${label}”.` : undefined;
  if (field instanceof HTMLSelectElement) return undefined;
  // The browser itself counts only what was typed.
  const { minLength } = field;
  if (text.length < minLength) return msg`Write at least ${minLength} characters.`;
  if (field instanceof HTMLTextAreaElement) return undefined;
  if (validity.typeMismatch) return msg`Enter an e-mail address, like name@example.com.`;
  const { min, max } = field;
  const [earliest, latest] = [clinicalDate(min), clinicalDate(max)];
  if (validity.rangeUnderflow) return type === 'date' ? msg`Choose ${earliest} or a later day.` : msg`Enter a number from ${min} to ${max}.`;
  if (validity.rangeOverflow) return type === 'date' ? msg`Choose ${latest} or an earlier day.` : msg`Enter a number from ${min} to ${max}.`;
  if (validity.stepMismatch) return type === 'number' ? msg`Enter a number that ends in 0 or 5.` : msg`Enter a time whose minutes end in 0 or 5.`;
  return undefined;
}

/** Which fields the portal refuses. Those of `words` have their own, by the fields' names. */
export function refused(form: HTMLFormElement, error: unknown, words: Wrong): Wrong {
  const names = fieldsOf(form).map(({ name }) => name);
  const wrong: Wrong = {};
  for (const { pointer } of asProblem(error).fields) {
    const name = fieldAt(pointer, names);
    if (name) wrong[name] ??= words[name] ?? msg`Please check this.`;
  }
  return wrong;
}

/** The field that a JSON pointer means: what is there or within it, or around it, or is called so. */
function fieldAt(pointer: string, names: string[]): string | undefined {
  const path = pointer.split('/').slice(1);
  for (let depth = path.length; depth > 0; depth -= 1) {
    const at = path.slice(0, depth).join('/');
    const found = names.find((name) => name === at) ?? names.find((name) => name.startsWith(`${at}/`));
    if (found) return found;
  }
  return names.find((name) => name === path.at(-1));
}
