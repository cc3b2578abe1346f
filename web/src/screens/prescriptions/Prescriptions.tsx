// Prescriptions, and asking for more of them.
import { useRef, useState } from 'react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, newKey, type Schemas } from '../../api/client';
import { usePatient } from '../../session/me';
import { Button } from '../../ui/Button';
import { Dialog, Leave } from '../../ui/Dialog';
import { TextArea } from '../../ui/Field';
import { Facts } from '../../ui/Facts';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { Choice } from '../../ui/Choice';
import { clinicalDate, instant } from '../../words/dates';
import { inWords } from '../../words/codes';
import { term, terms } from '../../words/terms';

type List = Awaited<ReturnType<typeof prescriptions>>;
type Prescription = List['prescriptions'][number];

const prescriptions = (patient: string, status: 'active' | 'past', cursor?: string) =>
  answer(api.GET('/v1/patients/{patient}/prescriptions', {
    params: { path: { patient }, query: { status, ...(cursor ? { cursor } : {}) } },
  }));

export function Prescriptions() {
  const { t } = useLingui();
  const patient = usePatient();
  const [shown, setShown] = useState<'active' | 'past' | 'requests'>('active');
  return (
    <Page title={t`Prescriptions`} intro={<Trans>What your doctors prescribed. For a medicine that you take now, you can ask for a refill.</Trans>}>
      <Choice
        label={t`Which prescriptions`}
        value={shown}
        onChange={setShown}
        options={[['active', t`Now`], ['past', t`Past`], ['requests', t`My refill requests`]]}
      />
      {shown === 'requests' ? <Requests patient={patient} /> : <Listed key={shown} patient={patient} status={shown} />}
    </Page>
  );
}

function Listed({ patient, status }: { patient: string; status: 'active' | 'past' }) {
  const [asking, setAsking] = useState<Prescription>();
  const [asked, setAsked] = useState<string>();
  const pages = usePages([patient, 'prescriptions', status], (cursor) => prescriptions(patient, status, cursor));
  return (
    <>
      <div role="status">{asked !== undefined && <Notice kind="good"><p><Trans>Your request for {asked} is with the practice. You see their answer under “My refill requests”.</Trans></p></Notice>}</div>
      <More
        pages={pages}
        entries={(page) => page.prescriptions}
        empty={<Empty title={status === 'active' ? <Trans>No active prescriptions</Trans> : <Trans>No past prescriptions</Trans>}><Trans>Medicines that your doctor prescribes appear here.</Trans></Empty>}
      >
        {(all) => <ul className="stack">{all.map((one) => <li key={one.id}><OnePrescription prescription={one} onAsk={() => setAsking(one)} /></li>)}</ul>}
      </More>
      {asking && (
        <AskForRefill
          patient={patient}
          prescription={asking}
          onClose={() => setAsking(undefined)}
          onDone={() => {
            setAsked(term(asking.medication) ?? '');
            setAsking(undefined);
          }}
        />
      )}
    </>
  );
}

function OnePrescription({ prescription, onAsk }: { prescription: Prescription; onAsk: () => void }) {
  const { medication, dosage, dosage_status, do_not_take, prescriber, authored_on, valid_until, reasons, status, notes = [], can_request_refill, open_refill_request, unreadable } = prescription;
  if (unreadable) return <section className="card"><p><Trans>There is an entry here that cannot be shown. Ask the practice about it.</Trans></p></section>;
  return (
    <section className="card">
      <h2>{term(medication) ?? <Trans>No name recorded</Trans>}</h2>
      {do_not_take && <Notice kind="warning"><p><Trans>Your doctor ordered you NOT to take this.</Trans></p></Notice>}
      {dosage.map((line, at) => <p key={at} className="dosage">{line}</p>)}
      {dosage_status === 'incomplete' && <p className="hint"><Trans>There is more to the instructions than we can show. Ask the practice.</Trans></p>}
      {dosage_status === 'not-recorded' && <p className="hint"><Trans>No instructions were recorded. Follow the label, or ask the practice.</Trans></p>}
      {notes.map((note, at) => <p key={at} className="quote">{note}</p>)}
      <Facts
        facts={[
          [<Trans>Why</Trans>, terms(reasons)],
          [<Trans>Prescribed by</Trans>, prescriber?.name],
          [<Trans>Prescribed on</Trans>, clinicalDate(authored_on)],
          [<Trans>Good until</Trans>, clinicalDate(valid_until)],
          [<Trans>Status</Trans>, inWords(status)],
        ]}
      />
      {open_refill_request && <p className="tag-line"><span className="flag note"><Trans>Refill requested</Trans></span></p>}
      {can_request_refill && <Button onClick={onAsk}><Trans>Ask for a refill</Trans><span className="unseen">: {term(medication)}</span></Button>}
    </section>
  );
}

function AskForRefill({ patient, prescription, onClose, onDone }: { patient: string; prescription: Prescription; onClose: () => void; onDone: () => void }) {
  const queries = useQueryClient();
  const key = useRef(newKey());
  const ask = useMutation({
    mutationFn: (note: string) =>
      answer(api.POST('/v1/patients/{patient}/refill-requests', {
        params: { path: { patient }, header: { 'idempotency-key': key.current } },
        body: { prescription: prescription.id, ...(note ? { note } : {}) },
      })),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: [patient, 'prescriptions'] });
      await queries.invalidateQueries({ queryKey: [patient, 'refill-requests'] });
      onDone();
    },
  });
  return (
    <Dialog title={<Trans>Ask for a refill</Trans>} onClose={onClose}>
      <p><strong>{term(prescription.medication)}</strong></p>
      <p><Trans>The practice checks your request and answers it. This can take a few days. If you have no medicine left, call them.</Trans></p>
      {ask.error && <Failure error={ask.error} />}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!ask.isPending) ask.mutate(String(new FormData(event.currentTarget).get('note') ?? '').trim());
        }}
      >
        <TextArea name="note" label={<Trans>Anything they should know (you can leave this empty)</Trans>} maxLength={500} />
        <div className="actions">
          <Button type="submit" look="main" busy={ask.isPending && <Trans>Sending…</Trans>}><Trans>Send request</Trans></Button>
          <Leave><Trans>Cancel</Trans></Leave>
        </div>
      </form>
    </Dialog>
  );
}

type Request = Schemas['RefillRequests']['requests'][number];

function Requests({ patient }: { patient: string }) {
  const pages = usePages([patient, 'refill-requests'], (cursor) =>
    answer(api.GET('/v1/patients/{patient}/refill-requests', { params: { path: { patient }, query: cursor ? { cursor } : {} } })),
  );
  return (
    <More
      pages={pages}
      entries={(page) => page.requests}
      empty={<Empty title={<Trans>No refill requests yet</Trans>}><Trans>When you ask for a refill, you can follow it here.</Trans></Empty>}
    >
      {(all) => <ul className="stack">{all.map((one) => <li key={one.id}><OneRequest patient={patient} request={one} /></li>)}</ul>}
    </More>
  );
}

function OneRequest({ patient, request }: { patient: string; request: Request }) {
  const queries = useQueryClient();
  const withdraw = useMutation({
    mutationFn: () =>
      answer(api.POST('/v1/patients/{patient}/refill-requests/{refill}/withdraw', { params: { path: { patient, refill: request.id } } })),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: [patient, 'refill-requests'] });
      await queries.invalidateQueries({ queryKey: [patient, 'prescriptions'] });
    },
  });
  return (
    <section className="card">
      <div className="card-head">
        <h2>{term(request.medication) ?? <Trans>No name recorded</Trans>}</h2>
        <span className={`flag ${request.state === 'approved' ? 'good' : request.state === 'denied' ? 'note' : ''}`}>{inWords(request.state)}</span>
      </div>
      <ol className="steps">
        {request.history.map((step, at) => (
          <li key={at}>
            <span className="row-name">{inWords(step.state)}</span>
            <span className="hint">{instant(step.at)}{step.by.name && ` · ${step.by.name}`}</span>
            {step.text && <p className="quote">{step.text}</p>}
          </li>
        ))}
      </ol>
      {withdraw.error && <Failure error={withdraw.error} onAgain={() => withdraw.mutate()} />}
      {request.state === 'requested' && (
        <Button busy={withdraw.isPending && <Trans>Taking back…</Trans>} onClick={() => withdraw.mutate()}><Trans>Take back this request</Trans></Button>
      )}
    </section>
  );
}
