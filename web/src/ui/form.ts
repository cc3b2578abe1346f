// Forms are the browser's own: read when they are sent, checked by a valibot schema, and the first
// field that is wrong gets the focus.
import * as v from 'valibot';
import type { MessageDescriptor } from '@lingui/core';

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
  const first = [...form.elements].find((one) => 'name' in one && wrong[String(one.name)]);
  if (first instanceof HTMLElement) first.focus();
  return { ok: false, wrong };
}
