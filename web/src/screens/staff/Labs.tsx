import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { LabRow } from './LabRow';
import { Record, useRecord } from './Record';

export function Labs() {
  const { t } = useLingui();
  return <Record title={t`Lab results`}><Listed /></Record>;
}

function Listed() {
  const { patient } = useRecord();
  const pages = usePages([patient, 'lab-results'], (cursor) =>
    answer(api.GET('/v1/patients/{patient}/lab-results', { params: { path: { patient }, query: cursor ? { cursor } : {} } })),
  );
  return (
    <More pages={pages} entries={(page) => page.results} empty={<Empty title={<Trans>None recorded</Trans>} />}>
      {(all) => <div className="card"><ul className="rows">{all.map((result) => <li key={result.id}><LabRow patient={patient} result={result} /></li>)}</ul></div>}
    </More>
  );
}
