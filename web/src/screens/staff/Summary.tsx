// What a provider sees of a patient first.
import { Link } from '@tanstack/react-router';
import { Plural, Trans, useLingui } from '@lingui/react/macro';
import type { Schemas } from '../../api/client';
import { Empty } from '../../ui/Loading';
import { clinicalDate, inZone } from '../../words/dates';
import { inWords } from '../../words/codes';
import { term } from '../../words/terms';
import { LabRow } from './LabRow';
import { Record, useRecord, useSummary } from './Record';

export function Summary() {
  const { t } = useLingui();
  const { patient } = useRecord();
  const { data } = useSummary(patient);
  return (
    <Record title={t`Overview`}>
      {data && (
        <div className="cards">
          <section className="card" aria-labelledby="allergies">
            <h2 id="allergies"><Trans>Allergies</Trans></h2>
            <Findings found={data.allergies} />
          </section>
          <section className="card" aria-labelledby="conditions">
            <h2 id="conditions"><Trans>Health conditions</Trans></h2>
            <Findings found={data.conditions} />
          </section>
          <section className="card" aria-labelledby="medicines">
            <h2 id="medicines"><Trans>Active prescriptions</Trans></h2>
            {data.active_prescriptions.newest.length === 0 ? <Empty title={<Trans>None recorded</Trans>} /> : (
              <ul className="rows">
                {data.active_prescriptions.newest.map(({ id, medication, dosage, unreadable }) => (
                  <li key={id} className="row-text">
                    <span className="row-name">{unreadable ? <Trans>An entry that cannot be shown</Trans> : term(medication) ?? <Trans>No name recorded</Trans>}</span>
                    {dosage[0] && <span className="hint">{dosage[0]}</span>}
                  </li>
                ))}
              </ul>
            )}
            <p className="card-foot"><Link to="/patients/$patient/prescriptions" params={{ patient }}><Trans>All prescriptions</Trans></Link></p>
          </section>
          <section className="card" aria-labelledby="next">
            <h2 id="next"><Trans>Next visit</Trans></h2>
            {data.next_appointment ? (
              <p>
                <Link to="/patients/$patient/visits/$appointment" params={{ patient, appointment: data.next_appointment.id }}>{inZone(data.next_appointment.start, data.next_appointment.time_zone)}</Link>
                <br />{data.next_appointment.type_name}
              </p>
            ) : <Empty title={<Trans>No visits planned</Trans>} />}
            <p><Plural value={data.care_team} _0="Nobody is on the care team" one="# person on the care team" other="# people on the care team" /></p>
          </section>
          <section className="card wide" aria-labelledby="results">
            <h2 id="results"><Trans>Newest results</Trans></h2>
            {data.newest_results.length === 0 ? <Empty title={<Trans>None recorded</Trans>} /> : (
              <ul className="rows">{data.newest_results.map((result) => <li key={result.id}><LabRow patient={patient} result={result} /></li>)}</ul>
            )}
            <p className="card-foot"><Link to="/patients/$patient/lab-results" params={{ patient }}><Trans>See all lab results</Trans></Link></p>
          </section>
        </div>
      )}
    </Record>
  );
}

function Findings({ found }: { found: Schemas['Summary']['allergies'] }) {
  if (found.newest.length === 0) return <Empty title={<Trans>None recorded</Trans>} />;
  return (
    <>
      <ul className="rows">
        {found.newest.map(({ id, name, clinical_status, since, unreadable }) => (
          <li key={id} className="row-text">
            <span className="row-name">{unreadable ? <Trans>An entry that cannot be shown</Trans> : term(name) ?? <Trans>No name recorded</Trans>}</span>
            <span className="hint">{[inWords(clinical_status), clinicalDate(since)].filter(Boolean).join(' · ')}</span>
          </li>
        ))}
      </ul>
      {found.count > found.newest.length && <p className="hint"><Trans>{found.newest.length} of {found.count} are shown. The health record has the others.</Trans></p>}
    </>
  );
}
