// One document: read it, save it, or take it back.
import { useState } from 'react';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { usePatient } from '../../session/me';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { Facts } from '../../ui/Facts';
import { Loaded } from '../../ui/Loading';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { save, saveBytes } from '../../ui/save';
import { clinicalDate, day, instant, number } from '../../words/dates';
import { inWords } from '../../words/codes';
import { said } from '../../words/said';
import { term } from '../../words/terms';

type Found = Schemas['OneDocument'];
type Upload = Extract<Found, { kind: 'upload' }>;
type Clinical = Extract<Found, { kind: 'clinical' }>;

export function OneDocument() {
  const { t } = useLingui();
  const patient = usePatient();
  const { document } = useParams({ strict: false }) as { document: string };
  const fetch = () => answer(api.GET('/v1/patients/{patient}/documents/{document}', { params: { path: { patient, document } } }));
  const query = useQuery({ queryKey: [patient, 'document', document], queryFn: fetch });
  const found = query.data;
  const name = found && (found.kind === 'upload' ? found.name : term(found.title));
  return (
    <Page title={t`Document`} heading={name ?? t`Document`} back={<Link to="/documents"><Trans>All documents</Trans></Link>}>
      <Loaded query={query}>
        {(one) => one.kind === 'upload' ? <AnUpload patient={patient} upload={one} fetch={fetch} /> : <AClinical document={one} />}
      </Loaded>
    </Page>
  );
}

function AnUpload({ patient, upload, fetch }: { patient: string; upload: Upload; fetch: () => Promise<Found> }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [sure, setSure] = useState(false);
  // A link is good for a minute, so each time there is a new one.
  const get = useMutation({
    mutationFn: fetch,
    onSuccess: (found) => {
      if (found.kind === 'upload' && found.download) save(found.download.url, found.name);
    },
  });
  const remove = useMutation({
    mutationFn: () => answer(api.DELETE('/v1/patients/{patient}/documents/{document}', { params: { path: { patient, document: upload.id } } })),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: [patient, 'documents'] });
      await navigate({ to: '/documents' });
    },
  });
  return (
    <section className="card">
      {upload.rejection && <Notice kind="warning" title={<Trans>This file was not accepted</Trans>}><p>{said(upload.rejection.detail)}</p></Notice>}
      <Facts
        facts={[
          [<Trans>Status</Trans>, inWords(upload.status)],
          [<Trans>Sent on</Trans>, instant(upload.requested_at)],
          [<Trans>Size</Trans>, `${number(Math.max(1, Math.round(upload.size / 1024)))} KB`],
          [<Trans>Read by your care team</Trans>, upload.reviewed_at && day(upload.reviewed_at)],
        ]}
      />
      {get.error && <Failure error={get.error} />}
      <div className="actions">
        {upload.status === 'available' && <Button look="main" busy={get.isPending && <Trans>Loading…</Trans>} onClick={() => get.mutate()}><Trans>Save to this device</Trans></Button>}
        {!upload.reviewed_at && upload.status !== 'inspecting' && <Button look="danger" onClick={() => setSure(true)}><Trans>Delete</Trans></Button>}
      </div>
      {sure && (
        <Dialog title={<Trans>Delete this document?</Trans>} onClose={() => setSure(false)}>
          <p><Trans>Your care team has not looked at it yet. Once it is deleted, nobody can get it back.</Trans></p>
          {remove.error && <Failure error={remove.error} />}
          <div className="actions">
            <Button look="danger" busy={remove.isPending && <Trans>Deleting…</Trans>} onClick={() => remove.mutate()}><Trans>Delete</Trans></Button>
            <Button onClick={() => setSure(false)}><Trans>Keep it</Trans></Button>
          </div>
        </Dialog>
      )}
    </section>
  );
}

function AClinical({ document }: { document: Clinical }) {
  const { t } = useLingui();
  if (document.hold) {
    const until = day(document.hold.until);
    return <Notice kind="warning" title={<Trans>Your care team is holding this document back for now</Trans>}><p><Trans>You will see it here by {until} at the latest. If you have questions, call the practice.</Trans></p></Notice>;
  }
  return (
    <section className="card">
      <Facts
        facts={[
          [<Trans>Date</Trans>, clinicalDate(document.date)],
          [<Trans>Written by</Trans>, (document.authors ?? []).join(', ')],
          [<Trans>Status</Trans>, inWords(document.status)],
          [<Trans>Conclusion</Trans>, term(document.conclusion)],
        ]}
      />
      {(document.contents ?? []).map((content, at) => (
        <div key={at}>
          {content.title && <h2>{term(content.title)}</h2>}
          {content.text && <div className="document-text" role="region" tabIndex={0} aria-label={content.title ?? t`Text of the document`}>{content.text}</div>}
          {content.data && (
            <Button onClick={() => saveBytes(content.data ?? '', content.content_type ?? 'application/octet-stream', content.title ?? 'document')}><Trans>Save to this device</Trans></Button>
          )}
        </div>
      ))}
    </section>
  );
}
