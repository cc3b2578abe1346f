// Requests to correct a record (45 CFR 164.526), what is due soonest first.
import { useState } from 'react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { Button } from '../../ui/Button';
import { Facts } from '../../ui/Facts';
import { SelectField, TextArea } from '../../ui/Field';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { clinicalDate, instant } from '../../words/dates';
import { inWords } from '../../words/codes';
import { say } from './codes';
import { FormDialog, line } from './FormDialog';

type Request = Schemas['OpenAmendment'];
const BASES = ['accurate-and-complete', 'not-created-here', 'not-in-record-set', 'not-open-to-access'] as const;
type Answer = { accept: { done: string } } | { deny: { basis: (typeof BASES)[number]; explanation: string } } | { extend: { reason: string } } | { link: { done: string; rebuttal?: string } };
type What = 'accept' | 'deny' | 'extend' | 'link';

export function CorrectionRequests() {
  const { t } = useLingui();
  const queries = useQueryClient();
  const [asking, setAsking] = useState<{ request: Request; what: What }>();
  const pages = usePages(['amendments'], (cursor) => answer(api.GET('/v1/amendments', { params: { query: cursor ? { cursor } : {} } })));
  const review = useMutation({
    mutationFn: ({ request, body }: { request: Request; body: Answer }) =>
      answer(api.POST('/v1/patients/{patient}/amendments/{amendment}/review', { params: { path: { patient: request.patient.id, amendment: request.id } }, body })),
    onSuccess: async () => {
      setAsking(undefined);
      await queries.invalidateQueries({ queryKey: ['amendments'] });
    },
  });
  const ask = (request: Request, what: What) => {
    review.reset();
    setAsking({ request, what });
  };
  const titles: Record<What, string> = {
    accept: t`Accept the correction`,
    deny: t`Deny the correction`,
    extend: t`Take 30 more days`,
    link: t`Keep the disagreement with the record`,
  };
  return (
    <Page title={t`Correction requests`} intro={<Trans>Patients ask to have their record corrected. The law gives 60 days for the answer, and 30 more once.</Trans>}>
      <div role="status">{review.isSuccess && !asking && <Notice kind="good"><p><Trans>Your answer is saved.</Trans></p></Notice>}</div>
      <More
        pages={pages}
        entries={(page) => page.amendments}
        empty={<Empty title={<Trans>No open requests</Trans>}><Trans>When a patient asks for a correction, it appears here with the day by which it must be answered.</Trans></Empty>}
      >
        {(all) => (
          <ul className="stack">
            {all.map((request) => (
              <li key={request.id}>
                <section className="card">
                  <div className="card-head">
                    <h2>{request.patient.name}: {inWords(request.part)}</h2>
                    <span className={`flag ${request.overdue ? 'loud' : 'note'}`}>{request.overdue ? <Trans>Overdue</Trans> : say(request.state)}</span>
                  </div>
                  <Facts
                    facts={[
                      [<Trans>What should change</Trans>, request.change],
                      [<Trans>Why</Trans>, request.reason],
                      [<Trans>Asked on</Trans>, instant(request.requested_at)],
                      [<Trans>Answer by</Trans>, clinicalDate(request.due)],
                      [<Trans>Date of birth</Trans>, clinicalDate(request.patient.birth_date)],
                      [<Trans>Record number</Trans>, request.patient.mrn],
                    ]}
                  />
                  {request.history.length > 1 && (
                    <ol className="steps">
                      {request.history.slice(1).map((step, at) => (
                        <li key={at}>
                          <span className="row-name">{say(step.state)}</span>
                          <span className="hint">{[instant(step.at), step.by.name].filter(Boolean).join(' · ')}</span>
                          {step.text && <p className="quote">{step.text}</p>}
                        </li>
                      ))}
                    </ol>
                  )}
                  <div className="actions">
                    {request.state === 'disputed' ? (
                      <Button look="main" onClick={() => ask(request, 'link')}>{titles.link}</Button>
                    ) : (
                      <>
                        <Button look="main" onClick={() => ask(request, 'accept')}>{titles.accept}</Button>
                        <Button onClick={() => ask(request, 'deny')}>{titles.deny}</Button>
                        {request.state === 'requested' && !request.overdue && <Button look="quiet" onClick={() => ask(request, 'extend')}>{titles.extend}</Button>}
                      </>
                    )}
                  </div>
                </section>
              </li>
            ))}
          </ul>
        )}
      </More>
      {asking && (
        <FormDialog
          title={titles[asking.what]}
          send={titles[asking.what]}
          busy={review.isPending}
          error={review.error}
          onClose={() => setAsking(undefined)}
          onSend={(form) => review.mutate({ request: asking.request, body: answered(asking.what, form) })}
        >
          <p className="quote">{asking.request.change}</p>
          {asking.what === 'accept' && <TextArea name="done" label={<Trans>What was corrected? The patient reads this.</Trans>} required maxLength={1000} />}
          {asking.what === 'extend' && <TextArea name="reason" label={<Trans>Why does it take longer? The patient reads this.</Trans>} required maxLength={1000} />}
          {asking.what === 'deny' && (
            <>
              <SelectField name="basis" label={<Trans>On what ground</Trans>}>{BASES.map((one) => <option key={one} value={one}>{inWords(one)}</option>)}</SelectField>
              <TextArea name="explanation" label={<Trans>Explain it in plain words. The patient reads this.</Trans>} required maxLength={1000} />
            </>
          )}
          {asking.what === 'link' && (
            <>
              <TextArea name="done" label={<Trans>Where is the disagreement kept? The patient reads this.</Trans>} required maxLength={1000} />
              <TextArea name="rebuttal" label={<Trans>The practice’s answer to it (you can leave this empty)</Trans>} maxLength={1000} />
            </>
          )}
        </FormDialog>
      )}
    </Page>
  );
}

function answered(what: What, form: FormData): Answer {
  if (what === 'accept') return { accept: { done: line(form, 'done') } };
  if (what === 'extend') return { extend: { reason: line(form, 'reason') } };
  if (what === 'deny') return { deny: { basis: line(form, 'basis') as (typeof BASES)[number], explanation: line(form, 'explanation') } };
  const rebuttal = line(form, 'rebuttal');
  return { link: { done: line(form, 'done'), ...(rebuttal ? { rebuttal } : {}) } };
}
