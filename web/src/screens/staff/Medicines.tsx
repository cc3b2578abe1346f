import { useState } from 'react';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import { Choice } from '../../ui/Choice';
import { Facts } from '../../ui/Facts';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Notice } from '../../ui/Notice';
import { clinicalDate } from '../../words/dates';
import { inWords } from '../../words/codes';
import { term, terms } from '../../words/terms';
import { Record, useRecord } from './Record';

export function Medicines() {
  const { t } = useLingui();
  const [shown, setShown] = useState<'active' | 'past'>('active');
  return (
    <Record title={t`Prescriptions`}>
      <Choice label={t`Which prescriptions`} value={shown} onChange={setShown} options={[['active', t`Now`], ['past', t`Past`]]} />
      <Listed key={shown} status={shown} />
    </Record>
  );
}

function Listed({ status }: { status: 'active' | 'past' }) {
  const { patient } = useRecord();
  const pages = usePages([patient, 'prescriptions', status], (cursor) =>
    answer(api.GET('/v1/patients/{patient}/prescriptions', { params: { path: { patient }, query: { status, ...(cursor ? { cursor } : {}) } } })),
  );
  return (
    <More pages={pages} entries={(page) => page.prescriptions} empty={<Empty title={<Trans>None recorded</Trans>} />}>
      {(all) => (
        <ul className="stack">
          {all.map((one) => (
            <li key={one.id}>
              <section className="card">
                <h2>{one.unreadable ? <Trans>An entry that cannot be shown</Trans> : term(one.medication) ?? <Trans>No name recorded</Trans>}</h2>
                {one.do_not_take && <Notice kind="warning"><p><Trans>The order says NOT to take this.</Trans></p></Notice>}
                {one.dosage.map((text, at) => <p key={at} className="dosage">{text}</p>)}
                {(one.notes ?? []).map((note, at) => <p key={at} className="quote">{note}</p>)}
                <Facts
                  facts={[
                    [<Trans>Why</Trans>, terms(one.reasons)],
                    [<Trans>Prescribed by</Trans>, one.prescriber?.name],
                    [<Trans>Prescribed on</Trans>, clinicalDate(one.authored_on)],
                    [<Trans>Good until</Trans>, clinicalDate(one.valid_until)],
                    [<Trans>Status</Trans>, inWords(one.status)],
                  ]}
                />
                {one.open_refill_request && <p><span className="flag note"><Trans>Refill requested</Trans></span></p>}
              </section>
            </li>
          ))}
        </ul>
      )}
    </More>
  );
}
