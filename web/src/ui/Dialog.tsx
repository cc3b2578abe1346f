// The browser's own modal dialog: it keeps the focus inside, Escape closes it, and the focus goes
// back to where it came from. What was written in it is not thrown away without a question.
import { createContext, type ReactNode, useContext, useEffect, useId, useRef, useState } from 'react';
import { Trans } from '@lingui/react/macro';
import { Button } from './Button';
import { giveBack, keepFocus } from './focus';

/** Closes the dialog around, as Escape does. */
const Leaving = createContext<() => void>(() => undefined);

/** Where somebody writes; what is chosen is soon chosen again. */
const TEXTS = 'textarea, input:is([type="text"], [type="email"], [type="tel"], [type="search"], :not([type]))';

const written = (within: HTMLElement | null): boolean =>
  [...(within?.querySelectorAll<HTMLInputElement | HTMLTextAreaElement>(TEXTS) ?? [])].some(({ value, defaultValue }) => value.trim() !== defaultValue.trim());

export function Dialog({ title, onClose, children }: { title: ReactNode; onClose: () => void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const from = useRef<Element>(null);
  const heading = useId();
  const [asking, setAsking] = useState(false);
  useEffect(() => {
    const before = document.activeElement;
    const node = dialog.current;
    if (!node) return undefined;
    node.showModal();
    const free = keepFocus(node);
    return () => {
      free();
      node.close();
      giveBack(before);
    };
  }, []);
  useEffect(() => {
    if (asking || !(from.current instanceof HTMLElement)) return;
    from.current.focus();
    from.current = null;
  }, [asking]);
  useEffect(() => {
    // It was sent in the meantime.
    if (asking && !written(dialog.current)) setAsking(false);
  });
  const leave = () => {
    if (!written(dialog.current)) return onClose();
    from.current = document.activeElement;
    setAsking(true);
  };
  return (
    <dialog
      ref={dialog}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        if (asking) setAsking(false);
        else leave();
      }}
      // Browsers close it all the same if Escape is pressed twice.
      onClose={() => {
        if (dialog.current && !dialog.current.open) dialog.current.showModal();
      }}
    >
      <h2 id={heading}>{title}</h2>
      {asking && (
        <>
          <p role="alert"><Trans>What you wrote is not sent. Throw it away?</Trans></p>
          <div className="actions">
            <Button look="main" autoFocus onClick={() => setAsking(false)}><Trans>Go on writing</Trans></Button>
            <Button look="danger" onClick={onClose}><Trans>Throw it away</Trans></Button>
          </div>
        </>
      )}
      <div className="within" hidden={asking}>
        <Leaving value={leave}>{children}</Leaving>
      </div>
    </dialog>
  );
}

/** The button that closes the dialog around it and does nothing. */
export function Leave({ children }: { children: ReactNode }) {
  const leave = useContext(Leaving);
  return <Button onClick={leave}>{children}</Button>;
}
