// Asking the practice to correct the record (45 CFR 164.526), and what came of it.
import { useState } from 'react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { useKey } from '../../api/key';
import { usePatient } from '../../session/me';
import { Button } from '../../ui/Button';
import { Dialog, Leave } from '../../ui/Dialog';
import { Facts } from '../../ui/Facts';
import { SelectField, TextArea } from '../../ui/Field';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { clinicalDate, instant } from '../../words/dates';
import { inWords } from '../../words/codes';

type Request = Schemas['Amendments']['amendments'][number];
const PARTS = ['health-record', 'lab-results', 'prescriptions', 'documents', 'profile', 'other'] as const;
const LONGEST = 2000;

export function Corrections() {
  const { t } = useLingui();
  const patient = usePatient();
  const [asking, setAsking] = useState(false);
  const [asked, setAsked] = useState(false);
  const pages = usePages([patient, 'amendments'], (cursor) =>
    answer(api.GET('/v1/patients/{patient}/amendments', { params: { path: { patient }, query: cursor ? { cursor } : {} } })),
  );
  return (
    <Page
      title={t`Corrections`}
      intro={<Trans>If something in your record is wrong or missing, ask the practice to correct it. They answer within 60 days.</Trans>}
      action={<Button look="main" onClick={() => { setAsked(false); setAsking(true); }}><Trans>Ask for a correction</Trans></Button>}
    >
      <div role="status">{asked && <Notice kind="good"><p><Trans>Your request is with the practice.</Trans></p></Notice>}</div>
      <More
        pages={pages}
        entries={(page) => page.amendments}
        empty={<Empty title={<Trans>No requests yet</Trans>}><Trans>What you ask to have corrected appears here, with the practice’s answer.</Trans></Empty>}
      >
        {(all) => <ul className="stack">{all.map((one) => <li key={one.id}><OneRequest patient={patient} request={one} /></li>)}</ul>}
      </More>
      {asking && <Ask patient={patient} onClose={(done) => { setAsking(false); setAsked(done); }} />}
    </Page>
  );
}

function OneRequest({ patient, request }: { patient: string; request: Request }) {
  const [disagreeing, setDisagreeing] = useState(false);
  const { part, change, reason, state, due, overdue, denial_basis, history } = request;
  const open = state === 'requested' || state === 'extended' || state === 'disputed';
  return (
    <section className="card">
      <div className="card-head">
        <h2>{inWords(part)}</h2>
        <span className={`flag ${state === 'accepted' ? 'good' : state === 'denied' ? 'note' : ''}`}>{inWords(state)}</span>
      </div>
      <Facts facts={[
        [<Trans>What should change</Trans>, change],
        [<Trans>Why</Trans>, reason],
        [<Trans>Answer by</Trans>, open && clinicalDate(due)],
        [<Trans>Why it was denied</Trans>, inWords(denial_basis)],
      ]} />
      {open && overdue && <Notice kind="warning"><p><Trans>The practice is late with its answer. You can call them, or complain to the Department of Health and Human Services.</Trans></p></Notice>}
      <ol className="steps">
        {history.map((step, at) => (
          <li key={at}>
            <span className="row-name">{inWords(step.state)}</span>
            <span className="hint">{instant(step.at)}{step.by.name && ` · ${step.by.name}`}</span>
            {step.text && <p className="quote">{step.text}</p>}
          </li>
        ))}
      </ol>
      {state === 'denied' && (
        <>
          <p><Trans>You can disagree in writing, and your words then stay with the entry. If you do not, you can ask the practice to pass on your request and their answer whenever they pass on the entry. You can also complain to the practice or to the Department of Health and Human Services (hhs.gov/ocr/complaints).</Trans></p>
          <Button onClick={() => setDisagreeing(true)}><Trans>I disagree</Trans></Button>
        </>
      )}
      {disagreeing && <Disagree patient={patient} amendment={request.id} onClose={() => setDisagreeing(false)} />}
    </section>
  );
}

function Ask({ patient, onClose }: { patient: string; onClose: (done: boolean) => void }) {
  const queries = useQueryClient();
  const keyOf = useKey();
  const [wrong, setWrong] = useState<{ change?: boolean; reason?: boolean }>({});
  const ask = useMutation({
    mutationFn: (body: { part: (typeof PARTS)[number]; change: string; reason: string }) =>
      answer(api.POST('/v1/patients/{patient}/amendments', { params: { path: { patient }, header: { 'idempotency-key': keyOf(body) } }, body })),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: [patient, 'amendments'] });
      onClose(true);
    },
  });
  return (
    <Dialog title={<Trans>Ask for a correction</Trans>} onClose={() => onClose(false)}>
      {ask.error && <Failure error={ask.error} />}
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          const form = new FormData(event.currentTarget);
          const text = (name: string) => String(form.get(name) ?? '').trim();
          const missing = { change: !text('change'), reason: !text('reason') };
          setWrong(missing);
          if (missing.change || missing.reason || ask.isPending) return;
          ask.mutate({ part: text('part') as (typeof PARTS)[number], change: text('change'), reason: text('reason') });
        }}
      >
        <SelectField name="part" label={<Trans>Where is it?</Trans>}>
          {PARTS.map((one) => <option key={one} value={one}>{inWords(one)}</option>)}
        </SelectField>
        <TextArea name="change" label={<Trans>What is wrong, and what should it be?</Trans>} maxLength={LONGEST} wrong={wrong.change && <Trans>Write what should change.</Trans>} required />
        <TextArea name="reason" label={<Trans>How do you know?</Trans>} maxLength={LONGEST} wrong={wrong.reason && <Trans>Write why it is wrong.</Trans>} required />
        <div className="actions">
          <Button type="submit" look="main" busy={ask.isPending && <Trans>Sending…</Trans>}><Trans>Send request</Trans></Button>
          <Leave><Trans>Cancel</Trans></Leave>
        </div>
      </form>
    </Dialog>
  );
}

function Disagree({ patient, amendment, onClose }: { patient: string; amendment: string; onClose: () => void }) {
  const queries = useQueryClient();
  const [wrong, setWrong] = useState(false);
  const send = useMutation({
    mutationFn: (statement: string) =>
      answer(api.POST('/v1/patients/{patient}/amendments/{amendment}/disagreement', { params: { path: { patient, amendment } }, body: { statement } })),
    onSuccess: async () => {
      onClose();
      await queries.invalidateQueries({ queryKey: [patient, 'amendments'] });
    },
  });
  return (
    <Dialog title={<Trans>I disagree</Trans>} onClose={onClose}>
      {send.error && <Failure error={send.error} />}
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          const statement = String(new FormData(event.currentTarget).get('statement') ?? '').trim();
          setWrong(!statement);
          if (statement && !send.isPending) send.mutate(statement);
        }}
      >
        <TextArea name="statement" label={<Trans>Why you disagree</Trans>} hint={<Trans>You can send this once.</Trans>} maxLength={LONGEST} wrong={wrong && <Trans>Write why you disagree.</Trans>} required />
        <div className="actions">
          <Button type="submit" look="main" busy={send.isPending && <Trans>Sending…</Trans>}><Trans>Send</Trans></Button>
          <Leave><Trans>Cancel</Trans></Leave>
        </div>
      </form>
    </Dialog>
  );
}
