// Documents: what the patient handed in and what the practice wrote, and handing in another.
import { Link } from '@tanstack/react-router';
import { useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { usePatient } from '../../session/me';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Page } from '../../ui/Page';
import { clinicalDate, day } from '../../words/dates';
import { inWords } from '../../words/codes';
import { term } from '../../words/terms';
import { Upload } from './Upload';

type Document = Schemas['DocumentList']['documents'][number];

export function Documents() {
  const { t } = useLingui();
  const patient = usePatient();
  const queries = useQueryClient();
  const pages = usePages([patient, 'documents'], (cursor) =>
    answer(api.GET('/v1/patients/{patient}/documents', { params: { path: { patient }, query: cursor ? { cursor } : {} } })),
  );
  return (
    <Page title={t`Documents`} intro={<Trans>Send your care team a form, a letter or a picture, and read what they wrote.</Trans>}>
      <Upload patient={patient} onChange={() => void queries.invalidateQueries({ queryKey: [patient, 'documents'] })} />
      <h2><Trans>All documents</Trans></h2>
      <More
        pages={pages}
        entries={(page) => page.documents}
        empty={<Empty title={<Trans>No documents yet</Trans>}><Trans>What you send and what your doctors write appears here.</Trans></Empty>}
      >
        {(all) => <div className="card"><ul className="rows">{all.map((one) => <li key={one.id}><Row document={one} /></li>)}</ul></div>}
      </More>
    </Page>
  );
}

function Row({ document }: { document: Document }) {
  if (document.kind === 'upload') {
    return (
      <Link to="/documents/$document" params={{ document: document.id }} className="row">
        <span className="row-main">
          <span className="row-name">{document.name}</span>
          <span className="hint"><Trans>You sent this</Trans> · {day(document.requested_at)}</span>
        </span>
        <span className={`flag ${document.status === 'available' ? 'good' : document.status === 'rejected' ? 'note' : ''}`}>{inWords(document.status)}</span>
      </Link>
    );
  }
  return (
    <Link to="/documents/$document" params={{ document: document.id }} className="row">
      <span className="row-main">
        <span className="row-name">{term(document.title) ?? <Trans>Document from the practice</Trans>}</span>
        <span className="hint">{[clinicalDate(document.date), ...(document.authors ?? [])].filter(Boolean).join(' · ')}</span>
      </span>
      {document.hold && <span className="flag note"><Trans>On hold</Trans></span>}
    </Link>
  );
}
