// Signs out whoever left: after 13 minutes a warning, after 15 the end (45 CFR 164.312(a)(2)(iii)).
// What is done in any tab counts for all of them. Who left in the middle of signing in left nothing, too.
import { useEffect, useState } from 'react';
import { Trans } from '@lingui/react/macro';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { active, endSession, hasSession, IDLE_END, idleSince, onActiveElsewhere } from './session';

const WARN = 13 * 60_000;

export function Idle() {
  const [left, setLeft] = useState<number>();
  useEffect(() => {
    /** Whether there may be something of somebody in the fields. */
    let touched = false;
    const look = () => {
      const idle = Date.now() - idleSince();
      const signedIn = hasSession();
      if (idle >= IDLE_END) {
        if (signedIn) void endSession('idle');
        else if (touched) location.reload();
      }
      setLeft(signedIn && idle >= WARN ? Math.ceil((IDLE_END - idle) / 1000) : undefined);
    };
    const seen = () => {
      touched = true;
      // While the warning is there, only its button counts.
      if (!hasSession() || Date.now() - idleSince() < WARN) active();
    };
    const timer = setInterval(look, 1000);
    const forget = onActiveElsewhere(look);
    const events = ['pointerdown', 'keydown', 'wheel', 'touchstart'] as const;
    for (const event of events) addEventListener(event, seen, { passive: true });
    document.addEventListener('visibilitychange', look);
    return () => {
      clearInterval(timer);
      forget();
      for (const event of events) removeEventListener(event, seen);
      document.removeEventListener('visibilitychange', look);
    };
  }, []);
  if (left === undefined) return null;
  const stay = () => {
    active();
    setLeft(undefined);
  };
  const minutes = Math.floor(left / 60);
  const seconds = String(Math.max(0, left % 60)).padStart(2, '0');
  return (
    <Dialog title={<Trans>Are you still there?</Trans>} onClose={stay}>
      <p><Trans>To protect your record, we sign you out when nobody uses the portal for 15 minutes.</Trans></p>
      <p className="countdown" role="timer" aria-live="off">{minutes}:{seconds}</p>
      <div className="actions">
        <Button look="main" onClick={stay}><Trans>Stay signed in</Trans></Button>
        <Button onClick={() => void endSession('here')}><Trans>Sign out</Trans></Button>
      </div>
    </Dialog>
  );
}
