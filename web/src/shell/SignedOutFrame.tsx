// What is around every screen before somebody is signed in.
import { type ReactNode } from 'react';
import { Trans } from '@lingui/react/macro';
import { LanguageChoice } from './LanguageChoice';
import { Mark } from './Mark';

export function SignedOutFrame({ children }: { children: ReactNode }) {
  return (
    <div className="front">
      <header className="bar"><Mark /><LanguageChoice /></header>
      <main id="content" className="front-main">{children}</main>
      <footer className="front-foot">
        <p><Trans>If this is an emergency, call 911. Do not use the portal for emergencies.</Trans></p>
      </footer>
    </div>
  );
}
