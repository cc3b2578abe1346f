// Native form fields with a label, a hint and what is wrong, tied together for screen readers.
import { createContext, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, type TextareaHTMLAttributes, useContext, useId } from 'react';
import { useLingui } from '@lingui/react';
import type { Wrong } from './form';

/** What the form around says is wrong with its fields, by their names. */
export const WrongFields = createContext<Wrong>({});

interface Around {
  label: ReactNode;
  hint?: ReactNode;
  wrong?: ReactNode;
}

function useAround({ label, hint, wrong: own, name = '' }: Around & { name?: string | undefined }) {
  const { _ } = useLingui();
  const found = useContext(WrongFields)[name];
  const wrong = own || (found && _(found));
  const id = useId();
  const described = [hint && `${id}-hint`, wrong && `${id}-wrong`].filter(Boolean).join(' ');
  return {
    control: { id, 'aria-describedby': described || undefined, 'aria-invalid': wrong ? true : undefined },
    wrap: (control: ReactNode) => (
      <div className={wrong ? 'field wrong' : 'field'}>
        <label htmlFor={id}>{label}</label>
        {hint && <p className="hint" id={`${id}-hint`}>{hint}</p>}
        {wrong && <p className="error" id={`${id}-wrong`}>{wrong}</p>}
        {control}
      </div>
    ),
  };
}

/** What is typed into it is in no history of the browser's unless it says what it is. */
export function TextField({ label, hint, wrong, autoComplete = 'off', ...input }: Around & InputHTMLAttributes<HTMLInputElement>) {
  const { control, wrap } = useAround({ label, hint, wrong, name: input.name });
  return wrap(<input autoComplete={autoComplete} {...input} {...control} />);
}

export function TextArea({ label, hint, wrong, ...input }: Around & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const { control, wrap } = useAround({ label, hint, wrong, name: input.name });
  return wrap(<textarea rows={4} {...input} {...control} />);
}

export function SelectField({ label, hint, wrong, children, ...input }: Around & SelectHTMLAttributes<HTMLSelectElement>) {
  const { control, wrap } = useAround({ label, hint, wrong, name: input.name });
  return wrap(<select {...input} {...control}>{children}</select>);
}
