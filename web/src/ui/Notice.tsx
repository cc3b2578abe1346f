import type { ReactNode } from 'react';
import { useLingui } from '@lingui/react';
import { Plural, Trans } from '@lingui/react/macro';
import { asProblem } from '../api/problem';
import { endSession } from '../session/session';
import { adviceOn } from '../words/problems';
import { Button } from './Button';

/** Something to know. `alert` is read out at once. */
export function Notice({ kind = 'info', title, children }: { kind?: 'info' | 'good' | 'warning' | 'alert'; title?: ReactNode; children?: ReactNode }) {
  return (
    <div className={`notice ${kind}`} role={kind === 'alert' ? 'alert' : 'status'}>
      {title && <p className="notice-title">{title}</p>}
      {children}
    </div>
  );
}

/** What went wrong, and what to do next. */
export function Failure({ error, onAgain }: { error: unknown; onAgain?: () => void }) {
  const { _ } = useLingui();
  const problem = asProblem(error);
  const advice = adviceOn(problem);
  const seconds = problem.retryAfter;
  return (
    <Notice kind="alert" title={_(advice.title)}>
      <p>{_(advice.text)}</p>
      {seconds !== undefined && seconds <= 120 && <p><Plural value={seconds} one="Try again in # second." other="Try again in # seconds." /></p>}
      {problem.kind === 'sign-in-again' && <Button onClick={() => void endSession('again', location.pathname)}><Trans>Sign in again</Trans></Button>}
      {onAgain && advice.again && <Button onClick={onAgain}><Trans>Try again</Trans></Button>}
    </Notice>
  );
}
