// A screen: its heading takes the focus when somebody comes to it, so that screen readers say where
// they are. The document's title never names a person, a value or a diagnosis.
import { type ReactNode, useEffect, useRef } from 'react';
import { useLingui } from '@lingui/react/macro';

let first = true;

interface Props {
  /** The document's title. */
  title: string;
  /** The heading, where it is another. */
  heading?: ReactNode;
  intro?: ReactNode;
  /** The screen's main action. */
  action?: ReactNode;
  back?: ReactNode;
  children: ReactNode;
}

export function Page({ title, heading, intro, action, back, children }: Props) {
  const top = useRef<HTMLHeadingElement>(null);
  const { t } = useLingui();
  const named = t`${title} – Patient portal`;
  useEffect(() => {
    document.title = named;
  }, [named]);
  useEffect(() => {
    if (!first) top.current?.focus();
    first = false;
  }, []);
  return (
    <article className="page">
      {back && <p className="back">{back}</p>}
      <header className="page-head">
        <div>
          <h1 ref={top} tabIndex={-1}>{heading ?? title}</h1>
          {intro && <p className="intro">{intro}</p>}
        </div>
        {action && <div className="page-action">{action}</div>}
      </header>
      {children}
    </article>
  );
}
