// A patient's documents: reading them, and saying that an upload was looked at.
import { Link } from '@tanstack/react-router';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { Button } from '../../ui/Button';
import { Facts } from '../../ui/Facts';
import { Empty, Loaded } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Failure, Notice } from '../../ui/Notice';
import { save, saveBytes } from '../../ui/save';
import { clinicalDate, day, instant, number } from '../../words/dates';
import { inWords } from '../../words/codes';
import { term } from '../../words/terms';
import { useEmergency } from './emergency';
import { Record, useRecord } from './Record';

type Document = Schemas['DocumentList']['documents'][number];
type Found = Schemas['OneDocument'];

export function Papers() {
  const { t } = useLingui();
  return <Record title={t`Documents`}><Listed /></Record>;
}

function Listed() {
  const { patient } = useRecord();
  const pages = usePages([patient, 'documents'], (cursor) =>
    answer(api.GET('/v1/patients/{patient}/documents', { params: { path: { patient }, query: cursor ? { cursor } : {} } })),
  );
  return (
    <More pages={pages} entries={(page) => page.documents} empty={<Empty title={<Trans>No documents yet</Trans>} />}>
      {(all) => <div className="card"><ul className="rows">{all.map((one) => <li key={one.id}><Row document={one} /></li>)}</ul></div>}
    </More>
  );
}

function Row({ document }: { document: Document }) {
  const { patient } = useRecord();
  const upload = document.kind === 'upload';
  return (
    <Link to="/patients/$patient/documents/$document" params={{ patient, document: document.id }} className="row">
      <span className="row-main">
        <span className="row-name">{(upload ? document.name : term(document.title)) ?? <Trans>Document from the practice</Trans>}</span>
        <span className="hint">{upload ? <Trans>Sent by the patient on {day(document.requested_at)}</Trans> : [clinicalDate(document.date), ...(document.authors ?? [])].filter(Boolean).join(' · ')}</span>
      </span>
      {upload && <span className={`flag ${document.reviewed_at ? 'good' : document.status === 'available' ? 'note' : ''}`}>{document.reviewed_at ? <Trans>Looked at</Trans> : document.status === 'available' ? <Trans>New</Trans> : inWords(document.status)}</span>}
      {!upload && document.hold && <span className="flag note"><Trans>Held back</Trans></span>}
    </Link>
  );
}

export function Paper() {
  const { t } = useLingui();
  const { patient } = useRecord();
  return (
    <Record title={t`Document`} back={<Link to="/patients/$patient/documents" params={{ patient }}><Trans>All documents</Trans></Link>}>
      <One />
    </Record>
  );
}

function One() {
  const { patient, document } = useRecord();
  const fetch = () => answer(api.GET('/v1/patients/{patient}/documents/{document}', { params: { path: { patient, document } } }));
  const query = useQuery({ queryKey: [patient, 'document', document], queryFn: fetch });
  return (
    <Loaded query={query} lines={6}>
      {(found) => found.kind === 'upload' ? <Upload upload={found} fetch={fetch} /> : <Clinical document={found} />}
    </Loaded>
  );
}

function Upload({ upload, fetch }: { upload: Extract<Found, { kind: 'upload' }>; fetch: () => Promise<Found> }) {
  const { patient, document } = useRecord();
  const queries = useQueryClient();
  const emergency = useEmergency(patient);
  // A link is good for a minute, so each time there is a new one.
  const get = useMutation({
    mutationFn: fetch,
    onSuccess: (found) => {
      if (found.kind === 'upload' && found.download) save(found.download.url, found.name);
    },
  });
  const review = useMutation({
    mutationFn: () => answer(api.POST('/v1/patients/{patient}/documents/{document}/review', { params: { path: { patient, document } } })),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: [patient, 'document', document] });
      await queries.invalidateQueries({ queryKey: [patient, 'documents'] });
    },
  });
  return (
    <section className="card">
      <h2>{upload.name}</h2>
      <Facts
        facts={[
          [<Trans>Status</Trans>, inWords(upload.status)],
          [<Trans>Sent on</Trans>, instant(upload.requested_at)],
          [<Trans>Size</Trans>, `${number(Math.max(1, Math.round(upload.size / 1024)))} KB`],
          [<Trans>Looked at on</Trans>, upload.reviewed_at && instant(upload.reviewed_at)],
        ]}
      />
      {get.error && <Failure error={get.error} />}
      {review.error && <Failure error={review.error} />}
      {upload.status === 'available' && (
        <>
          {!upload.reviewed_at && !emergency && <p className="hint"><Trans>Once you say that you looked at it, it stays in the record and the patient cannot take it back.</Trans></p>}
          <div className="actions">
            <Button look="main" busy={get.isPending && <Trans>Loading…</Trans>} onClick={() => get.mutate()}><Trans>Save to this device</Trans></Button>
            {!upload.reviewed_at && !emergency && <Button busy={review.isPending && <Trans>One moment…</Trans>} onClick={() => review.mutate()}><Trans>I looked at it</Trans></Button>}
          </div>
        </>
      )}
    </section>
  );
}

function Clinical({ document }: { document: Extract<Found, { kind: 'clinical' }> }) {
  const { t } = useLingui();
  const until = document.hold && instant(document.hold.until);
  return (
    <section className="card">
      <h2>{term(document.title) ?? <Trans>Document from the practice</Trans>}</h2>
      {until && <Notice kind="warning"><p><Trans>Held back until {until}</Trans></p></Notice>}
      <Facts
        facts={[
          [<Trans>Date</Trans>, clinicalDate(document.date)],
          [<Trans>Written by</Trans>, (document.authors ?? []).join(', ')],
          [<Trans>Status</Trans>, inWords(document.status)],
          [<Trans>Conclusion</Trans>, document.conclusion],
        ]}
      />
      {(document.contents ?? []).map((content, at) => (
        <div key={at}>
          {content.title && <h3>{term(content.title)}</h3>}
          {content.text && <div className="document-text" role="region" tabIndex={0} aria-label={content.title ?? t`Text of the document`}>{content.text}</div>}
          {content.data && <Button onClick={() => saveBytes(content.data ?? '', content.content_type ?? 'application/octet-stream', content.title ?? 'document')}><Trans>Save to this device</Trans></Button>}
        </div>
      ))}
    </section>
  );
}
