// What is around every screen of a patient's record: whose it is, its parts, and on what ground it is
// open. Somebody who does not treat the patient is told so, and what to do in an emergency.
import { type ReactNode, useEffect, useState } from 'react';
import { Link, useParams } from '@tanstack/react-router';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, portalTime } from '../../api/client';
import { asProblem } from '../../api/problem';
import { OpenRecord } from '../../session/me';
import { Loaded } from '../../ui/Loading';
import { Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { clinicalDate } from '../../words/dates';
import { forgetEmergency, rememberEmergency, useEmergency } from './emergency';

export const useRecord = () => useParams({ strict: false }) as { patient: string; result: string; document: string; section: string };

export function useSummary(patient: string) {
  return useQuery({
    queryKey: [patient, 'summary'],
    queryFn: async () => {
      const summary = await answer(api.GET('/v1/patients/{patient}/summary', { params: { path: { patient } } }));
      // It may have been opened in another tab, or before signing in again.
      if (summary.emergency_until) rememberEmergency(patient, summary.emergency_until);
      return summary;
    },
    staleTime: 10 * 60_000,
  });
}

export function Record({ title, back, children }: { title: string; back?: ReactNode; children: ReactNode }) {
  const { t } = useLingui();
  const { patient } = useRecord();
  const summary = useSummary(patient);
  const name = summary.data?.name;
  const params = { patient };
  const place = { activeProps: { 'aria-current': 'page' as const }, activeOptions: { exact: true } };
  if (summary.error && [403, 404].includes(asProblem(summary.error).status)) return <NotYours patient={patient} />;
  return (
    <OpenRecord value={patient}>
      <Page title={title} heading={name ? `${name}: ${title}` : title} back={back ?? <Link to="/patients"><Trans>Patients</Trans></Link>}>
        <Countdown patient={patient} />
        <Loaded query={summary} lines={6}>
          {(found) => (
            <>
              <p className="hint">
                {found.birth_date && <Trans>Born {clinicalDate(found.birth_date)} · record number {found.mrn}</Trans>}
                {found.deceased && <> · <strong><Trans>Has died</Trans></strong></>}
              </p>
              <div role="navigation" aria-label={t`Parts of the record`}>
                <ul className="places">
                  <li><Link to="/patients/$patient" params={params} {...place}><Trans>Overview</Trans></Link></li>
                  <li><Link to="/patients/$patient/lab-results" params={params} {...place}><Trans>Lab results</Trans></Link></li>
                  <li><Link to="/patients/$patient/prescriptions" params={params} {...place}><Trans>Prescriptions</Trans></Link></li>
                  <li><Link to="/patients/$patient/health-record" params={params} {...place}><Trans>Health record</Trans></Link></li>
                  <li><Link to="/patients/$patient/documents" params={params} {...place}><Trans>Documents</Trans></Link></li>
                  <li><Link to="/patients/$patient/threads" params={params} {...place}><Trans>Messages</Trans></Link></li>
                  <li><Link to="/patients/$patient/profile" params={params} {...place}><Trans>Profile</Trans></Link></li>
                  <li><Link to="/patients/$patient/care-team" params={params} {...place}><Trans>Care team</Trans></Link></li>
                </ul>
              </div>
              {!found.record_complete && <Notice kind="warning"><p><Trans>This record is being updated. Some entries may be missing for a short time.</Trans></p></Notice>}
              {children}
            </>
          )}
        </Loaded>
      </Page>
    </OpenRecord>
  );
}

function NotYours({ patient }: { patient: string }) {
  const { t } = useLingui();
  return (
    <Page title={t`Record not open to you`} back={<Link to="/patients"><Trans>Patients</Trans></Link>}>
      <Notice kind="warning" title={<Trans>You are not on this patient’s care team</Trans>}>
        <p><Trans>Ask somebody on the team to add you. They find this under “Care team” in the record.</Trans></p>
      </Notice>
      <section className="card" aria-labelledby="emergency">
        <h2 id="emergency"><Trans>Is it an emergency?</Trans></h2>
        <p><Trans>You can open the record for one hour. The privacy officer reviews it, and the patient sees it.</Trans></p>
        <p><Link to="/patients/$patient/emergency" params={{ patient }} className="button danger"><Trans>Emergency access</Trans></Link></p>
      </section>
    </Page>
  );
}

/** How long emergency access lasts yet. What was read with it leaves the screen when it is over. */
export function Countdown({ patient }: { patient: string }) {
  const until = useEmergency(patient);
  const queries = useQueryClient();
  const [now, setNow] = useState(portalTime);
  useEffect(() => {
    if (!until) return undefined;
    const look = () => {
      setNow(portalTime());
      if (Date.parse(until) > portalTime()) return;
      forgetEmergency(patient);
      void queries.resetQueries({ queryKey: [patient] });
    };
    const timer = setInterval(look, 1000);
    look();
    return () => clearInterval(timer);
  }, [until, patient]);
  if (!until) return null;
  const left = Math.max(0, Math.ceil((Date.parse(until) - now) / 1000));
  const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
  return (
    <div className="notice warning" role="timer" aria-live="off">
      <p className="notice-title"><Trans>Emergency access: <span className="clock">{clock}</span> left</Trans></p>
      <p><Trans>Everything that you open is marked as opened in an emergency, and reviewed.</Trans></p>
    </div>
  );
}
