// A form whose fields say themselves what is wrong with them: what they ask for before it is sent,
// and what the portal refuses afterwards. The first that is wrong gets the focus.
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { WrongFields } from './Field';
import { focusFirst, refused, unmet, type Wrong } from './form';

interface Props {
  className?: string;
  busy: boolean;
  /** Why it was refused when it was sent. */
  error?: unknown;
  /** What to say of a field that the portal refuses, by its name. */
  words?: Wrong;
  /** What is wrong besides what the fields' attributes ask for. */
  check?: (form: FormData) => Wrong;
  onSend: (form: FormData, fields: HTMLFormElement) => void;
  children: ReactNode;
}

export function CheckedForm({ className, busy, error, words = {}, check, onSend, children }: Props) {
  const fields = useRef<HTMLFormElement>(null);
  const [wrong, setWrong] = useState<Wrong>({});
  useEffect(() => {
    if (!error || !fields.current) return;
    const found = refused(fields.current, error, words);
    setWrong(found);
    focusFirst(fields.current, found);
    // Once for each answer.
  }, [error]);
  return (
    <form
      ref={fields}
      className={className}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (busy) return;
        const form = event.currentTarget;
        const said = new FormData(form);
        const found = { ...check?.(said), ...unmet(form) };
        setWrong(found);
        if (Object.keys(found).length > 0) focusFirst(form, found);
        else onSend(said, form);
      }}
    >
      <WrongFields value={wrong}>{children}</WrongFields>
    </form>
  );
}
