// What is new, what is next, and the way to everything else.
import { Link } from '@tanstack/react-router';
import { useQuery } from '@tanstack/react-query';
import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import { usePatient, useSubject } from '../../session/me';
import { Empty, Loaded } from '../../ui/Loading';
import { Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { term } from '../../words/terms';
import { Row as Visit } from '../appointments/Row';
import { ResultRow } from '../labs/ResultRow';

export function PatientHome() {
  const { t } = useLingui();
  const subject = useSubject();
  const patient = usePatient();
  const may = (category: string) => subject?.own || subject?.categories?.includes(category);
  const params = { path: { patient } };
  const dashboard = useQuery({
    queryKey: [patient, 'dashboard'],
    queryFn: () => answer(api.GET('/v1/patients/{patient}/dashboard', { params })),
  });
  const name = dashboard.data?.name;
  return (
    <Page title={t`Home`} heading={subject?.own && name ? <Trans>Hello, {name}</Trans> : <Trans>Hello</Trans>} intro={<Trans>Here is what is new and what comes next.</Trans>}>
      <Loaded query={dashboard} lines={8}>
        {({ record_complete, appointments, new_results, active_prescriptions, unread_messages }) => (
          <>
            {!record_complete && (
              <Notice kind="warning"><p><Trans>Your record is being updated. Some entries may be missing for a short time.</Trans></p></Notice>
            )}
            <div className="cards">
              <section className="card wide" aria-labelledby="new-results">
                <div className="card-head">
                  <h2 id="new-results"><Trans>New results</Trans></h2>
                  {new_results.count > 0 && <span className="count">{new_results.count}{new_results.more && '+'}</span>}
                </div>
                {new_results.newest.length === 0 ? (
                  <Empty title={<Trans>Nothing new since your last visit here</Trans>}><Trans>New test results appear here as soon as the laboratory sends them.</Trans></Empty>
                ) : (
                  <ul className="rows">{new_results.newest.map((result) => <li key={result.id}><ResultRow result={result} /></li>)}</ul>
                )}
                <p className="card-foot"><Link to="/lab-results" className="button main"><Trans>See all lab results</Trans></Link></p>
              </section>
              {appointments && (
                <section className="card" aria-labelledby="next">
                  <h2 id="next"><Trans>Next visits</Trans></h2>
                  {appointments.length === 0
                    ? <Empty title={<Trans>No visits planned</Trans>}><Trans>When you book a visit, or the practice does, it appears here.</Trans></Empty>
                    : <ul className="rows">{appointments.map((one) => <li key={one.id}><Visit appointment={one} /></li>)}</ul>}
                  <p className="card-foot"><Link to="/appointments/new" className="button"><Trans>Book a visit</Trans></Link></p>
                </section>
              )}
              {may('messages') && (
                <section className="card" aria-labelledby="messages">
                  <h2 id="messages"><Trans>Messages</Trans></h2>
                  <p><Plural value={unread_messages} _0="No unread messages." one="# unread message" other="# unread messages" /></p>
                  <p className="card-foot"><Link to="/messages" className="button"><Trans>Read and write messages</Trans></Link></p>
                </section>
              )}
              <section className="card" aria-labelledby="medicines">
                <h2 id="medicines"><Trans>Medicines you take now</Trans></h2>
                {active_prescriptions.newest.length === 0 ? (
                  <Empty title={<Trans>No active prescriptions</Trans>} />
                ) : (
                  <ul className="rows">
                    {active_prescriptions.newest.map(({ id, medication, dosage }) => (
                      <li key={id} className="row-text">
                        <span className="row-name">{term(medication) ?? <Trans>No name recorded</Trans>}</span>
                        {dosage[0] && <span className="hint">{dosage[0]}</span>}
                      </li>
                    ))}
                  </ul>
                )}
                <p className="card-foot"><Link to="/prescriptions" className="button"><Trans>Prescriptions and refills</Trans></Link></p>
              </section>
              {may('who-looked') && <section className="card" aria-labelledby="access">
                <h2 id="access"><Trans>Your privacy</Trans></h2>
                <p><Trans>See everybody who opened your record, when and why.</Trans></p>
                <p className="card-foot"><Link to="/who-looked" className="button"><Trans>Who looked at my record</Trans></Link></p>
              </section>}
            </div>
          </>
        )}
      </Loaded>
    </Page>
  );
}
