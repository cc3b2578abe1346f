// Refill requests of everybody whom the provider treats.
import { useState } from 'react';
import { Link } from '@tanstack/react-router';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { Button } from '../../ui/Button';
import { TextArea } from '../../ui/Field';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { clinicalDate, instant } from '../../words/dates';
import { term } from '../../words/terms';
import { FormDialog, line } from './FormDialog';

type Request = Schemas['OpenRefill'];
type Decision = 'approved' | 'denied';

export function Refills() {
  const { t } = useLingui();
  const queries = useQueryClient();
  const [asking, setAsking] = useState<{ request: Request; decision: Decision }>();
  const pages = usePages(['refills'], (cursor) => answer(api.GET('/v1/refill-requests', { params: { query: cursor ? { cursor } : {} } })));
  const review = useMutation({
    mutationFn: ({ request, decision, reason }: { request: Request; decision: Decision; reason: string }) =>
      answer(api.POST('/v1/patients/{patient}/refill-requests/{refill}/review', {
        params: { path: { patient: request.patient.id, refill: request.id } },
        body: { decision, ...(reason ? { reason } : {}) },
      })),
    onSuccess: async (_, { request }) => {
      setAsking(undefined);
      await Promise.all([queries.invalidateQueries({ queryKey: ['refills'] }), queries.invalidateQueries({ queryKey: [request.patient.id, 'prescriptions'] })]);
    },
  });
  const ask = (request: Request, decision: Decision) => {
    review.reset();
    setAsking({ request, decision });
  };
  return (
    <Page title={t`Refill requests`} intro={<Trans>What your patients asked for, oldest first. The patient sees your answer.</Trans>}>
      <div role="status">{review.isSuccess && !asking && <Notice kind="good"><p><Trans>Your answer is saved.</Trans></p></Notice>}</div>
      <More
        pages={pages}
        entries={(page) => page.requests}
        empty={<Empty title={<Trans>No open requests</Trans>}><Trans>When a patient of yours asks for a refill, you answer it here.</Trans></Empty>}
      >
        {(all) => (
          <ul className="stack">
            {all.map((request) => (
              <li key={request.id}>
                <section className="card">
                  <div className="card-head">
                    <h2>{term(request.medication) ?? <Trans>No name recorded</Trans>}</h2>
                    {!request.prescription_active && <span className="flag note"><Trans>The prescription has ended</Trans></span>}
                  </div>
                  <p>
                    <Link to="/patients/$patient/prescriptions" params={{ patient: request.patient.id }}>{request.patient.name}</Link>
                    <span className="hint"> · <Trans>Born {clinicalDate(request.patient.birth_date)} · record number {request.patient.mrn}</Trans></span>
                  </p>
                  <p className="hint"><Trans>Asked on {instant(request.requested_at)}</Trans></p>
                  {request.history.map(({ text }, at) => text && <p key={at} className="quote">{text}</p>)}
                  <div className="actions">
                    <Button look="main" onClick={() => ask(request, 'approved')}><Trans>Approve</Trans><span className="unseen">: {term(request.medication)}</span></Button>
                    <Button onClick={() => ask(request, 'denied')}><Trans>Say no</Trans><span className="unseen">: {term(request.medication)}</span></Button>
                  </div>
                </section>
              </li>
            ))}
          </ul>
        )}
      </More>
      {asking && (
        <FormDialog
          title={asking.decision === 'approved' ? <Trans>Approve this refill?</Trans> : <Trans>Say no to this refill?</Trans>}
          send={asking.decision === 'approved' ? <Trans>Approve</Trans> : <Trans>Say no</Trans>}
          busy={review.isPending}
          error={review.error}
          onClose={() => setAsking(undefined)}
          onSend={(form) => review.mutate({ ...asking, reason: line(form, 'reason') })}
        >
          <p><strong>{term(asking.request.medication)}</strong>, {asking.request.patient.name}</p>
          {asking.decision === 'approved'
            ? <TextArea name="reason" label={<Trans>A word to the patient (you can leave this empty)</Trans>} maxLength={500} />
            : <TextArea name="reason" label={<Trans>Why? The patient reads this.</Trans>} required maxLength={500} />}
        </FormDialog>
      )}
    </Page>
  );
}
