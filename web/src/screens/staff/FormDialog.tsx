// A dialog that asks for something, sends it, and says what went wrong.
import { type ReactNode } from 'react';
import { Trans } from '@lingui/react/macro';
import { Button } from '../../ui/Button';
import { CheckedForm } from '../../ui/CheckedForm';
import { Dialog, Leave } from '../../ui/Dialog';
import { Failure } from '../../ui/Notice';

interface Props {
  title: ReactNode;
  send: ReactNode;
  busy: boolean;
  error: unknown;
  look?: 'main' | 'danger';
  onSend: (form: FormData) => void;
  onClose: () => void;
  children?: ReactNode;
}

export function FormDialog({ title, send, busy, error, look = 'main', onSend, onClose, children }: Props) {
  return (
    <Dialog title={title} onClose={onClose}>
      {Boolean(error) && <Failure error={error} />}
      <CheckedForm busy={busy} error={error} onSend={onSend}>
        {children}
        <div className="actions">
          <Button type="submit" look={look} busy={busy && <Trans>One moment…</Trans>}>{send}</Button>
          <Leave><Trans>Go back</Trans></Leave>
        </div>
      </CheckedForm>
    </Dialog>
  );
}

/** What was typed, on one line: what the API takes where it takes a line. */
export const line = (form: FormData, name: string): string => String(form.get(name) ?? '').replace(/\s+/g, ' ').trim();
