// One visit: what it is about, and moving, cancelling or saving it to a calendar.
import { useState } from 'react';
import { Link, useParams } from '@tanstack/react-router';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { usePatient } from '../../session/me';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { Facts } from '../../ui/Facts';
import { SelectField } from '../../ui/Field';
import { Loaded } from '../../ui/Loading';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { saveText } from '../../ui/save';
import { daysAhead, instant, inZone } from '../../words/dates';
import { inWords } from '../../words/codes';
import { type Slot, Slots } from './Slots';

type Detail = Schemas['AppointmentDetail'];
/** Why a patient cancels; the other reasons are the practice's. */
const REASONS = ['not-needed', 'other-plans', 'unwell', 'transport', 'other'] as const;

export function OneAppointment() {
  const { t } = useLingui();
  const patient = usePatient();
  const { appointment } = useParams({ strict: false }) as { appointment: string };
  const query = useQuery({
    queryKey: [patient, 'appointments', appointment],
    queryFn: () => answer(api.GET('/v1/patients/{patient}/appointments/{appointment}', { params: { path: { patient, appointment } } })),
  });
  return (
    <Page title={t`Visit`} heading={query.data && inZone(query.data.start, query.data.time_zone)} back={<Link to="/appointments"><Trans>All visits</Trans></Link>}>
      <Loaded query={query} lines={6}>{(detail) => <Shown patient={patient} detail={detail} />}</Loaded>
    </Page>
  );
}

function Shown({ patient, detail }: { patient: string; detail: Detail }) {
  const [doing, setDoing] = useState<'move' | 'cancel'>();
  const [done, setDone] = useState<'moved' | 'cancelled'>();
  const { id, status, type_name, practitioner_name, modality, location, reason, summary, transitions, start } = detail;
  const open = (status === 'scheduled' || status === 'confirmed') && Date.parse(start) > Date.now();
  const file = useMutation({
    mutationFn: () => answer(api.GET('/v1/patients/{patient}/appointments/{appointment}/calendar', { params: { path: { patient, appointment: id } }, parseAs: 'text' })),
    onSuccess: (text) => saveText(String(text), 'text/calendar', 'appointment.ics'),
  });
  return (
    <>
      <div role="status">
        {done === 'moved' && <Notice kind="good"><p><Trans>Your visit is moved.</Trans></p></Notice>}
        {done === 'cancelled' && <Notice kind="good"><p><Trans>Your visit is cancelled.</Trans></p></Notice>}
      </div>
      <section className="card">
        <Facts facts={[
          [<Trans>Status</Trans>, inWords(status)],
          [<Trans>With</Trans>, practitioner_name],
          [<Trans>What for</Trans>, type_name],
          [<Trans>Where</Trans>, [inWords(modality), location].filter(Boolean).join(', ')],
          [<Trans>Reason for the visit</Trans>, reason],
        ]} />
        {file.error && <Failure error={file.error} onAgain={() => file.mutate()} />}
        {open && (
          <div className="actions">
            <Button onClick={() => setDoing('move')}><Trans>Move this visit</Trans></Button>
            <Button look="danger" onClick={() => setDoing('cancel')}><Trans>Cancel this visit</Trans></Button>
            <Button look="quiet" busy={file.isPending && <Trans>Loading…</Trans>} onClick={() => file.mutate()}><Trans>Add to my calendar</Trans></Button>
          </div>
        )}
      </section>
      {summary && (
        <section className="card" aria-labelledby="summary">
          <h2 id="summary"><Trans>After your visit</Trans></h2>
          <p className="quote">{summary}</p>
        </section>
      )}
      <section className="card" aria-labelledby="steps">
        <h2 id="steps"><Trans>What happened so far</Trans></h2>
        <ol className="steps">
          {transitions.map((step, at) => (
            <li key={at}>
              <span className="row-name">{at > 0 && step.status === 'scheduled' ? <Trans>Moved to another time</Trans> : inWords(step.status)}</span>
              <span className="hint"><Acting by={step.acting} /> · {instant(step.at)}</span>
              {step.reason && <span className="hint">{inWords(step.reason)}</span>}
            </li>
          ))}
        </ol>
      </section>
      {doing === 'move' && <Move patient={patient} detail={detail} onClose={(moved) => { setDoing(undefined); if (moved) setDone('moved'); }} />}
      {doing === 'cancel' && <Cancel patient={patient} detail={detail} onClose={(cancelled) => { setDoing(undefined); if (cancelled) setDone('cancelled'); }} />}
    </>
  );
}

function Acting({ by }: { by: Detail['transitions'][number]['acting'] }) {
  if (by === 'practice') return <Trans>By the practice</Trans>;
  return by === 'proxy' ? <Trans>By somebody who acts for the patient</Trans> : <Trans>By the patient</Trans>;
}

/** What is not as it was after a change. */
function useChanged(patient: string) {
  const queries = useQueryClient();
  return () => {
    // The start page is not to show for a moment what is no longer so.
    queries.removeQueries({ queryKey: [patient, 'dashboard'] });
    return queries.invalidateQueries({ queryKey: [patient, 'appointments'] });
  };
}

interface Doing {
  patient: string;
  detail: Detail;
  onClose: (done: boolean) => void;
}

function Cancel({ patient, detail, onClose }: Doing) {
  const changed = useChanged(patient);
  const cancel = useMutation({
    mutationFn: (reason: (typeof REASONS)[number]) =>
      answer(api.POST('/v1/patients/{patient}/appointments/{appointment}/cancel', {
        params: { path: { patient, appointment: detail.id }, header: { 'if-match': `"${detail.version}"` } },
        body: { reason },
      })),
    onSuccess: async () => {
      await changed();
      onClose(true);
    },
    onError: changed,
  });
  return (
    <Dialog title={<Trans>Cancel this visit?</Trans>} onClose={() => onClose(false)}>
      <p>{inZone(detail.start, detail.time_zone)}</p>
      {cancel.error && <Failure error={cancel.error} />}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const reason = new FormData(event.currentTarget).get('reason') as (typeof REASONS)[number];
          if (!cancel.isPending) cancel.mutate(reason);
        }}
      >
        <SelectField name="reason" label={<Trans>Why are you cancelling?</Trans>}>
          {REASONS.map((reason) => <option key={reason} value={reason}>{inWords(reason)}</option>)}
        </SelectField>
        <div className="actions">
          <Button type="submit" look="danger" busy={cancel.isPending && <Trans>Cancelling…</Trans>}><Trans>Cancel the visit</Trans></Button>
          <Button onClick={() => onClose(false)}><Trans>Keep it</Trans></Button>
        </div>
      </form>
    </Dialog>
  );
}

function Move({ patient, detail, onClose }: Doing) {
  const changed = useChanged(patient);
  const [from, setFrom] = useState(0);
  const queries = useQueryClient();
  const move = useMutation({
    mutationFn: ({ start }: Slot) =>
      answer(api.POST('/v1/patients/{patient}/appointments/{appointment}/reschedule', {
        params: { path: { patient, appointment: detail.id }, header: { 'if-match': `"${detail.version}"` } },
        body: { start },
      })),
    onSuccess: async () => {
      await changed();
      onClose(true);
    },
    onError: async () => {
      await changed();
      await queries.invalidateQueries({ queryKey: ['open-slots'] });
    },
  });
  return (
    <Dialog title={<Trans>Move this visit</Trans>} onClose={() => onClose(false)}>
      <p><Trans>Now it is on:</Trans> <strong>{inZone(detail.start, detail.time_zone)}</strong></p>
      {move.error && <Failure error={move.error} />}
      {move.isPending
        ? <p role="status"><Trans>Moving…</Trans></p>
        : (
          <Slots
            wanted={{ provider: detail.practitioner, type: detail.type, from: daysAhead(from), to: daysAhead(from + 6) }}
            nameOf={() => undefined}
            onChoose={(slot) => move.mutate(slot)}
            otherwise={<Trans>Look at the next days.</Trans>}
          />
        )}
      <div className="actions">
        {from > 0 && <Button onClick={() => setFrom(from - 7)}><Trans>Earlier days</Trans></Button>}
        <Button onClick={() => setFrom(from + 7)}><Trans>Later days</Trans></Button>
        <Button look="quiet" onClick={() => onClose(false)}><Trans>Keep it as it is</Trans></Button>
      </div>
    </Dialog>
  );
}
