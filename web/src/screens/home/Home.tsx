// The start page: by role.
import { lazy } from 'react';
import { Link } from '@tanstack/react-router';
import { useLingui as useDescriptors } from '@lingui/react';
import { Trans, useLingui } from '@lingui/react/macro';
import { useAccount, useSubject } from '../../session/me';
import { staffWords } from '../../words/i18n';
import { isOpen, NAVIGATION } from '../../shell/navigation';
import { Page } from '../../ui/Page';
import { Notice } from '../../ui/Notice';

const Patient = lazy(() => import('./PatientHome').then(({ PatientHome }) => ({ default: PatientHome })));
const Day = lazy(async () => {
  const [{ Day }] = await Promise.all([import('../staff/Day'), staffWords()]);
  return { default: Day };
});
const Concerns = lazy(async () => {
  const [{ Concerns }] = await Promise.all([import('../staff/Concerns'), staffWords()]);
  return { default: Concerns };
});
const Users = lazy(async () => {
  const [{ Users }] = await Promise.all([import('../staff/Users'), staffWords()]);
  return { default: Users };
});

export function Home() {
  const { role } = useAccount();
  const subject = useSubject();
  if (role === 'patient') {
    const whole = subject?.own || ['profile', 'lab-results', 'prescriptions'].every((one) => subject?.categories?.includes(one));
    return whole ? <Patient /> : <Parts />;
  }
  if (role === 'provider') return <Day />;
  return role === 'privacy-officer' ? <Concerns /> : <Users />;
}

/** Where a proxy can go who may not see the whole start page. */
function Parts() {
  const { t } = useLingui();
  const { _ } = useDescriptors();
  const subject = useSubject();
  return (
    <Page title={t`Home`} heading={<Trans>Hello</Trans>}>
      {!subject && <Notice><p><Trans>Nobody lets you act for them right now. If somebody should, ask them to give you access.</Trans></p></Notice>}
      <ul className="tiles">
        {NAVIGATION.patient.filter((place) => place.to !== '/' && isOpen(place, subject)).map(({ to, label }) => (
          <li key={to}><Link to={to} className="tile"><span className="row-name">{_(label)}</span></Link></li>
        ))}
      </ul>
    </Page>
  );
}
