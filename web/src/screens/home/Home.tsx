// The start page: by role.
import { lazy } from 'react';
import { Trans, useLingui } from '@lingui/react/macro';
import { useAccount } from '../../session/me';
import { Page } from '../../ui/Page';
import { Notice } from '../../ui/Notice';

const Patient = lazy(() => import('./PatientHome').then(({ PatientHome }) => ({ default: PatientHome })));

export function Home() {
  const { t } = useLingui();
  const { role, patient } = useAccount();
  if (role === 'patient' && patient) return <Patient />;
  return (
    <Page title={t`Home`}>
      <Notice><p><Trans>The screens for the practice’s staff are not here yet.</Trans></p></Notice>
    </Page>
  );
}
