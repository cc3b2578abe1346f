// What is around every screen of somebody who is signed in.
import { lazy, Suspense, useEffect, useState } from 'react';
import { Link, Outlet, useMatches, useNavigate, useRouterState } from '@tanstack/react-router';
import { useQuery } from '@tanstack/react-query';
import { useLingui } from '@lingui/react';
import { Trans, useLingui as useWords } from '@lingui/react/macro';
import { accountQuery, actFor, isActing, proxiedQuery, type Role, useAccount, useSubject } from '../session/me';
import { endSession } from '../session/session';
import { Loaded, Skeleton } from '../ui/Loading';
import { Button } from '../ui/Button';
import { isOpen, NAVIGATION } from './navigation';
import { LanguageChoice } from './LanguageChoice';
import { Mark } from './Mark';
import { Foreign } from './failures';

// Without it everything is there, a little later.
const Live = lazy(() => import('../session/Live').then((loaded) => ({ default: loaded.Live }), () => ({ default: () => null })));

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
        {account.data?.role === 'patient' && <Whose />}
        <div className="nav-end">
          <Link to="/security"><Trans>Sign-in and security</Trans></Link>
          <LanguageChoice />
          <Button look="quiet" onClick={() => void endSession('here')}><Trans>Sign out</Trans></Button>
        </div>
      </nav>
      <main id="content" tabIndex={-1}>
        <Offline />
        <Loaded query={account} lines={6}>
          {({ role }) => (
            <>
              {role === 'patient' && <ForWhom />}
              <Suspense fallback={<Skeleton lines={6} />}><Screen role={role as Role} /></Suspense>
            </>
          )}
        </Loaded>
      </main>
      {account.data && <Suspense fallback={null}><Live /></Suspense>}
    </div>
  );
}

/** The screen, once it is known whose record it shows: for a proxy that takes a moment. */
function Screen({ role }: { role: Role }) {
  const { patient } = useAccount();
  const proxied = useQuery({ ...proxiedQuery, enabled: role === 'patient' });
  const subject = useSubject();
  const roles = useMatches({ select: (matches) => matches.at(-1)?.staticData.roles });
  if (roles && !roles.includes(role)) return <Foreign />;
  const waits = role === 'patient' && (!patient || isActing());
  if (waits) return <Loaded query={proxied} lines={6}>{() => <Outlet key={subject?.patient ?? ''} />}</Loaded>;
  return <Outlet key={subject?.patient ?? ''} />;
}

/** The choice between one's own record and those of others. */
function Whose() {
  const { patient } = useAccount();
  const navigate = useNavigate();
  const subject = useSubject();
  const others = useQuery(proxiedQuery).data ?? [];
  if (others.length === 0 || (!patient && others.length === 1)) return null;
  return (
    <p className="whose">
      <label htmlFor="whose"><Trans>Whose record</Trans></label>
      <select
        id="whose"
        value={subject?.own ? '' : subject?.patient}
        onChange={(event) => {
          actFor(event.target.value || undefined);
          void navigate({ to: '/' });
        }}
      >
        {patient && <option value=""><Trans>My own</Trans></option>}
        {others.map(({ id, name }) => <option key={id} value={id}>{name}</option>)}
      </select>
    </p>
  );
}

/** Says it on every screen when the record is somebody else's. */
function ForWhom() {
  const subject = useSubject();
  if (!subject?.name) return null;
  const { name } = subject;
  return <p className="for-whom" role="status"><Trans>You are acting for {name}.</Trans></p>;
}

function Places({ role }: { role: Role }) {
  const { _ } = useLingui();
  const subject = useSubject();
  return (
    <ul>
      {NAVIGATION[role].filter((place) => isOpen(place, subject)).map(({ to, label }) => (
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
