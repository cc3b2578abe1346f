// What is around every screen of somebody who is signed in.
import { Suspense, useEffect, useState } from 'react';
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { useQuery } from '@tanstack/react-query';
import { useLingui } from '@lingui/react';
import { Trans, useLingui as useWords } from '@lingui/react/macro';
import { accountQuery, type Role } from '../session/me';
import { Idle } from '../session/Idle';
import { endSession } from '../session/session';
import { Loaded, Skeleton } from '../ui/Loading';
import { Button } from '../ui/Button';
import { NAVIGATION } from './navigation';
import { LanguageChoice } from './LanguageChoice';
import { Mark } from './Mark';

export function Shell() {
  const { t } = useWords();
  const account = useQuery(accountQuery);
  const [open, setOpen] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  useEffect(() => setOpen(false), [path]);
  return (
    <div className="shell">
      <a className="skip" href="#content"><Trans>Skip to the content</Trans></a>
      <header className="bar">
        <Link to="/" className="home"><Mark /></Link>
        <Button look="quiet" className="menu-button" aria-expanded={open} aria-controls="navigation" onClick={() => setOpen(!open)}>
          {open ? <Trans>Close menu</Trans> : <Trans>Menu</Trans>}
        </Button>
      </header>
      <nav id="navigation" className={open ? 'open' : ''} aria-label={t`Main`}>
        {account.data && <Places role={account.data.role as Role} />}
        <div className="nav-end">
          <Link to="/security"><Trans>Sign-in and security</Trans></Link>
          <LanguageChoice />
          <Button look="quiet" onClick={() => void endSession('here')}><Trans>Sign out</Trans></Button>
        </div>
      </nav>
      <main id="content" tabIndex={-1}>
        <Offline />
        <Loaded query={account} lines={6}>
          {() => <Suspense fallback={<Skeleton lines={6} />}><Outlet /></Suspense>}
        </Loaded>
      </main>
      <Idle />
    </div>
  );
}

function Places({ role }: { role: Role }) {
  const { _ } = useLingui();
  return (
    <ul>
      {NAVIGATION[role].map(({ to, label }) => (
        <li key={to}>
          <Link to={to} activeOptions={{ exact: to === '/' }} activeProps={{ 'aria-current': 'page' }}>{_(label)}</Link>
        </li>
      ))}
    </ul>
  );
}

/** Says when the connection is gone, and when it is back. */
function Offline() {
  const [online, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const look = () => setOnline(navigator.onLine);
    addEventListener('online', look);
    addEventListener('offline', look);
    return () => {
      removeEventListener('online', look);
      removeEventListener('offline', look);
    };
  }, []);
  return (
    <div role="status">
      {!online && <p className="offline"><Trans>You are offline. What you see may be out of date, and changes cannot be saved.</Trans></p>}
    </div>
  );
}
