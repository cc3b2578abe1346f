// Booking a visit: look for a time, keep it for ten minutes, say why, book.
import { useEffect, useRef, useState } from 'react';
import { Link, useNavigate } from '@tanstack/react-router';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { answer, api, newKey, portalTime } from '../../api/client';
import { asProblem } from '../../api/problem';
import { usePatient } from '../../session/me';
import { Button } from '../../ui/Button';
import { Facts } from '../../ui/Facts';
import { TextArea } from '../../ui/Field';
import { Loaded, Skeleton } from '../../ui/Loading';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { inZone } from '../../words/dates';
import { inWords } from '../../words/codes';
import { providersQuery } from './providers';
import { Search } from './Search';
import { type Slot, Slots, type Wanted } from './Slots';

type Held = Slot & { until: string };

export function NewAppointment() {
  const { t } = useLingui();
  const patient = usePatient();
  const queries = useQueryClient();
  const providers = useQuery(providersQuery);
  const [wanted, setWanted] = useState<Wanted>();
  const hold = useMutation({
    mutationFn: ({ practitioner, type, start }: Slot) =>
      answer(api.POST('/v1/patients/{patient}/holds', { params: { path: { patient } }, body: { practitioner, type, start } })),
    onError: () => queries.invalidateQueries({ queryKey: ['open-slots'] }),
  });
  const nameOf = (id: string) => providers.data?.find(({ practitioner }) => practitioner === id)?.name ?? undefined;
  const typeOf = (slot: Slot) =>
    providers.data?.find(({ practitioner }) => practitioner === slot.practitioner)?.appointment_types.find(({ code }) => code === slot.type)?.name ?? slot.type;
  return (
    <Page title={t`Book a visit`} back={<Link to="/appointments"><Trans>All visits</Trans></Link>} intro={<Trans>If this is an emergency, call 911.</Trans>}>
      {hold.data
        ? <Book patient={patient} held={hold.data} name={nameOf(hold.data.practitioner)} type={typeOf(hold.data)} onBack={() => hold.reset()} />
        : (
          <>
            <Loaded query={providers} lines={5}>
              {(all) => all.length === 0
                ? <Notice><p><Trans>No provider takes bookings here yet. Call the practice to plan a visit.</Trans></p></Notice>
                : <Search providers={all} days={14} submit={<Trans>Show free times</Trans>} onSearch={(next) => { hold.reset(); setWanted(next); }} />}
            </Loaded>
            {hold.error && <HoldFailed error={hold.error} onChoose={(slot) => hold.mutate(slot)} />}
            {hold.isPending
              ? <Skeleton lines={3} />
              : wanted && (
                <>
                  <h2><Trans>Free times</Trans></h2>
                  <Slots
                    wanted={wanted}
                    nameOf={nameOf}
                    onChoose={(slot) => hold.mutate(slot)}
                    otherwise={<><Trans>Try other days, or let us tell you when a time becomes free.</Trans>{' '}<Link to="/appointments/waitlist"><Trans>Join the waitlist</Trans></Link></>}
                  />
                </>
              )}
          </>
        )}
    </Page>
  );
}

/** Somebody else was faster: what else there is. */
function HoldFailed({ error, onChoose }: { error: unknown; onChoose: (slot: Slot) => void }) {
  const next = asProblem(error).body['next_slots'];
  const others = Array.isArray(next) ? (next as Slot[]) : [];
  return (
    <>
      <Failure error={error} />
      {others.length > 0 && (
        <section className="card">
          <h2><Trans>These are still free</Trans></h2>
          <ul className="times">
            {others.map((slot) => <li key={slot.start}><Button onClick={() => onChoose(slot)}>{inZone(slot.start, slot.time_zone)}</Button></li>)}
          </ul>
        </section>
      )}
    </>
  );
}

function Book({ patient, held, name, type, onBack }: { patient: string; held: Held; name: string | undefined; type: string; onBack: () => void }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const key = useRef(newKey());
  const heading = useRef<HTMLHeadingElement>(null);
  const [wrong, setWrong] = useState(false);
  const over = useOver(held.until);
  const book = useMutation({
    mutationFn: (reason: string) =>
      answer(api.POST('/v1/patients/{patient}/appointments', {
        params: { path: { patient }, header: { 'idempotency-key': key.current } },
        body: { practitioner: held.practitioner, type: held.type, start: held.start, reason },
      })),
    onSuccess: async ({ id }) => {
      // The start page is not to show for a moment what is no longer so.
      queries.removeQueries({ queryKey: [patient, 'dashboard'] });
      await Promise.all(['appointments', 'waitlist'].map((what) => queries.invalidateQueries({ queryKey: [patient, what] })));
      await navigate({ to: '/appointments/$appointment', params: { appointment: id } });
    },
  });
  useEffect(() => heading.current?.focus(), []);
  return (
    <form
      className="card"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        const reason = String(new FormData(event.currentTarget).get('reason') ?? '').replace(/\s+/g, ' ').trim();
        setWrong(!reason);
        if (reason && !book.isPending) book.mutate(reason);
      }}
    >
      <h2 ref={heading} tabIndex={-1}><Trans>This time is kept for you</Trans></h2>
      <Countdown until={held.until} />
      <Facts facts={[
        [<Trans>When</Trans>, inZone(held.start, held.time_zone)],
        [<Trans>With</Trans>, name],
        [<Trans>What for</Trans>, type],
        [<Trans>Where</Trans>, [inWords(held.modality), held.location].filter(Boolean).join(', ')],
      ]} />
      {book.error && <Failure error={book.error} />}
      {over && !book.isPending && <Notice kind="warning"><p><Trans>The ten minutes are over. The time may still be free: book it now, or choose another.</Trans></p></Notice>}
      <TextArea name="reason" label={<Trans>What is the visit about?</Trans>} hint={<Trans>A few words for your care team, such as “cough for two weeks”.</Trans>} maxLength={500} wrong={wrong && <Trans>Write a few words about what the visit is for.</Trans>} required />
      <div className="actions">
        <Button type="submit" look="main" busy={book.isPending && <Trans>Booking…</Trans>}><Trans>Book this visit</Trans></Button>
        <Button onClick={onBack}><Trans>Choose another time</Trans></Button>
      </div>
    </form>
  );
}

/** Whether an instant is over, as time goes by. */
function useOver(until: string): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setOver(true), Math.max(0, Date.parse(until) - portalTime()));
    return () => clearTimeout(timer);
  }, [until]);
  return over;
}

/** How long the time is kept; read out once a minute and not every second. */
function Countdown({ until }: { until: string }) {
  const [left, setLeft] = useState(() => secondsTo(until));
  useEffect(() => {
    const timer = setInterval(() => setLeft(secondsTo(until)), 1000);
    return () => clearInterval(timer);
  }, [until]);
  const minutes = Math.floor(left / 60);
  const clock = `${minutes}:${String(left % 60).padStart(2, '0')}`;
  const started = Math.ceil(left / 60);
  return (
    <p>
      <span className="countdown" role="timer" aria-live="off">{clock}</span>
      <span className="unseen" role="status">{started > 0 && <Plural value={started} one="Kept for # more minute" other="Kept for # more minutes" />}</span>
    </p>
  );
}

const secondsTo = (until: string) => Math.max(0, Math.floor((Date.parse(until) - portalTime()) / 1000));
