// When a provider can be booked, and for what.
import { useState } from 'react';
import { type UseMutationResult, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { Button } from '../../ui/Button';
import { CheckedForm } from '../../ui/CheckedForm';
import { SelectField, TextField } from '../../ui/Field';
import { Loaded } from '../../ui/Loading';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { clinicalDate, daysAhead, inZone, timeOfDay } from '../../words/dates';
import { inWords } from '../../words/codes';
import { slug, specialtyCode, specialtyName, specialtyNames } from '../../words/specialties';
import { say } from './codes';
import { availabilityQuery } from './availability';

type Rules = Schemas['Availability'];
type Kind = Rules['appointment_types'][number];
type Hours = Rules['weekly'][number];
type Exception = Rules['exceptions'][number];

const ZONES = ['America/New_York', 'America/Chicago', 'America/Denver', 'America/Phoenix', 'America/Los_Angeles', 'America/Anchorage', 'Pacific/Honolulu', 'America/Puerto_Rico'];
const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;
const STARTS = [5, 10, 15, 20, 30, 60];
const MODALITIES = ['in-person', 'video', 'phone'] as const;

const NONE: Rules = {
  specialty: '', time_zone: 'America/New_York', minimum_notice_minutes: 60, horizon_days: 60, start_every_minutes: 15,
  appointment_types: [{ code: '', name: '', minutes: 30, buffer_before: 0, buffer_after: 0, modality: 'in-person' }],
  weekly: [], exceptions: [],
};

export function Availability() {
  const { t } = useLingui();
  const queries = useQueryClient();
  const query = useQuery(availabilityQuery);
  // The form begins anew with what was saved; that it was saved is said here.
  const save = useMutation({
    mutationFn: (body: Rules) => answer(api.PUT('/v1/availability', { params: { header: { 'if-match': query.data?.version ?? '' } }, body })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['availability'] }),
  });
  return (
    <Page title={t`My hours`} intro={<Trans>When patients can book you, and for what. Visits that are booked already stay as they are.</Trans>}>
      <Loaded query={query} lines={8}>{({ value, version }) => <Form key={version} rules={value.availability ?? NONE} first={!value.availability} save={save} />}</Loaded>
    </Page>
  );
}

type Saving = UseMutationResult<Schemas['AvailabilitySet'], Error, Rules>;

function Form({ rules: before, first, save }: { rules: Rules; first: boolean; save: Saving }) {
  const { t } = useLingui();
  const [rules, setRules] = useState(before);
  const [typed, setTyped] = useState<string>();
  const specialty = typed ?? specialtyName(rules.specialty);
  const [wrong, setWrong] = useState<string>();
  const set = (change: Partial<Rules>) => {
    setWrong(undefined);
    setRules({ ...rules, ...change });
  };
  const kinds = rules.appointment_types.map((kind) => ({ ...kind, code: kind.code || slug(kind.name) }));
  const kindAt = (at: number, change: Partial<Kind>) => set({ appointment_types: rules.appointment_types.map((one, place) => (place === at ? { ...one, ...change } : one)) });
  const hoursAt = (at: number, change: Partial<Hours>) => set({ weekly: rules.weekly.map((one, place) => (place === at ? { ...one, ...change } : one)) });
  const exceptionAt = (at: number, change: Partial<Exception>) => set({ exceptions: rules.exceptions.map((one, place) => (place === at ? { ...one, ...change } : one)) });
  const without = <T,>(all: T[], at: number): T[] => all.filter((_, place) => place !== at);
  const booked = save.data?.booked_outside ?? [];
  const known = new Set(kinds.map(({ code }) => code));

  function check(): string | undefined {
    if (!specialtyCode(specialty)) return t`Enter your specialty.`;
    if (known.size < kinds.length || known.has('')) return t`Give every kind of visit a name of its own.`;
    if (rules.weekly.some(({ from, to }) => from >= to)) return t`Hours must begin before they end.`;
    if (rules.weekly.some(({ types }) => !types.some((type) => known.has(type)))) return t`Choose for each of your hours what patients can come for.`;
    if (rules.exceptions.some(({ closed, from, to }) => !closed && !(from && to && from < to))) return t`A day with other hours needs a beginning and an end.`;
    return undefined;
  }

  return (
    <CheckedForm
      busy={save.isPending}
      error={save.error}
      onSend={() => {
        const found = check();
        setWrong(found);
        if (found) return;
        const left = (types: string[] | null | undefined) => (types ?? []).filter((type) => known.has(type));
        save.mutate({
          ...rules,
          specialty: specialtyCode(specialty),
          appointment_types: kinds,
          weekly: rules.weekly.map(({ location, ...one }) => ({ ...one, types: left(one.types), ...(location ? { location } : {}) })),
          exceptions: rules.exceptions.map(({ date, closed, from, to, location, types }) =>
            closed ? { date, closed } : { date, from: from ?? null, to: to ?? null, ...(location ? { location } : {}), types: left(types).length > 0 ? left(types) : [...known] }),
        });
      }}
    >
      {first && <Notice><p><Trans>You have no hours yet, so nobody can book you. Fill this in once; you can change it at any time.</Trans></p></Notice>}
      <section className="card" aria-labelledby="about">
        <h2 id="about"><Trans>About you</Trans></h2>
        <div className="side-by-side">
          <TextField name="specialty" label={<Trans>Specialty</Trans>} value={specialty} onChange={(event) => {
            setTyped(event.currentTarget.value);
            setWrong(undefined);
          }} required maxLength={40} list="specialties" />
          <datalist id="specialties">{specialtyNames().map((one) => <option key={one} value={one} />)}</datalist>
          <SelectField name="time_zone" label={<Trans>Time zone</Trans>} value={rules.time_zone} onChange={(event) => set({ time_zone: event.currentTarget.value })}>
            {[...new Set([rules.time_zone, ...ZONES])].map((zone) => <option key={zone} value={zone}>{zone.replaceAll('_', ' ')}</option>)}
          </SelectField>
          <TextField name="minimum_notice_minutes" label={<Trans>Notice you need, in minutes</Trans>} type="number" min={0} max={20160} step={5} value={rules.minimum_notice_minutes} onChange={(event) => set({ minimum_notice_minutes: event.currentTarget.valueAsNumber || 0 })} required />
          <TextField name="horizon_days" label={<Trans>How many days ahead</Trans>} type="number" min={1} max={365} value={rules.horizon_days} onChange={(event) => set({ horizon_days: event.currentTarget.valueAsNumber || 0 })} required />
          <SelectField name="start_every_minutes" label={<Trans>Visits can begin every</Trans>} value={rules.start_every_minutes} onChange={(event) => set({ start_every_minutes: Number(event.currentTarget.value) })}>
            {STARTS.map((minutes) => <option key={minutes} value={minutes}>{t`${minutes} minutes`}</option>)}
          </SelectField>
        </div>
      </section>

      <section className="card" aria-labelledby="kinds">
        <h2 id="kinds"><Trans>Kinds of visits</Trans></h2>
        {rules.appointment_types.map((kind, at) => {
          const number = at + 1;
          return (
            <fieldset key={at} className="part">
              <legend>{kind.name || <Trans>Kind {number}</Trans>}</legend>
              <div className="side-by-side">
                <TextField name={`appointment_types/${at}/name`} label={<Trans>Name</Trans>} value={kind.name} onChange={(event) => kindAt(at, { name: event.currentTarget.value })} required maxLength={60} />
                <SelectField name={`appointment_types/${at}/modality`} label={<Trans>How</Trans>} value={kind.modality} onChange={(event) => kindAt(at, { modality: event.currentTarget.value as Kind['modality'] })}>{MODALITIES.map((one) => <option key={one} value={one}>{inWords(one)}</option>)}</SelectField>
                <TextField name={`appointment_types/${at}/minutes`} label={<Trans>Minutes</Trans>} type="number" min={5} max={110} step={5} value={kind.minutes} onChange={(event) => kindAt(at, { minutes: event.currentTarget.valueAsNumber || 0 })} required />
                <TextField name={`appointment_types/${at}/buffer_before`} label={<Trans>Pause before</Trans>} type="number" min={0} max={60} step={5} value={kind.buffer_before} onChange={(event) => kindAt(at, { buffer_before: event.currentTarget.valueAsNumber || 0 })} />
                <TextField name={`appointment_types/${at}/buffer_after`} label={<Trans>Pause after</Trans>} type="number" min={0} max={60} step={5} value={kind.buffer_after} onChange={(event) => kindAt(at, { buffer_after: event.currentTarget.valueAsNumber || 0 })} />
                {rules.appointment_types.length > 1 && <Button look="quiet" onClick={() => set({ appointment_types: without(rules.appointment_types, at) })}><Trans>Remove</Trans><span className="unseen">: {kind.name || number}</span></Button>}
              </div>
            </fieldset>
          );
        })}
        <Button onClick={() => set({ appointment_types: [...rules.appointment_types, { code: '', name: '', minutes: 30, buffer_before: 0, buffer_after: 0, modality: 'in-person' }] })}><Trans>Add a kind of visit</Trans></Button>
      </section>

      <section className="card" aria-labelledby="weekly">
        <h2 id="weekly"><Trans>Every week</Trans></h2>
        {rules.weekly.length === 0 && <p className="hint"><Trans>No hours yet.</Trans></p>}
        {rules.weekly.map((hours, at) => (
          <fieldset key={at} className="part">
            <legend>{say(hours.day)}{hours.from && hours.to && `, ${timeOfDay(hours.from)} – ${timeOfDay(hours.to)}`}</legend>
            <div className="side-by-side">
              <SelectField name={`weekly/${at}/day`} label={<Trans>Day</Trans>} value={hours.day} onChange={(event) => hoursAt(at, { day: event.currentTarget.value as Hours['day'] })}>{DAYS.map((one) => <option key={one} value={one}>{say(one)}</option>)}</SelectField>
              <TextField name={`weekly/${at}/from`} label={<Trans>From</Trans>} type="time" step={300} value={hours.from} onChange={(event) => hoursAt(at, { from: event.currentTarget.value })} required />
              <TextField name={`weekly/${at}/to`} label={<Trans>To</Trans>} type="time" step={300} value={hours.to} onChange={(event) => hoursAt(at, { to: event.currentTarget.value })} required />
              <TextField name={`weekly/${at}/location`} label={<Trans>Where (you can leave this empty)</Trans>} value={hours.location ?? ''} onChange={(event) => hoursAt(at, { location: event.currentTarget.value })} maxLength={80} />
            </div>
            <Types kinds={kinds} chosen={hours.types} onChange={(types) => hoursAt(at, { types })} />
            <Button look="quiet" onClick={() => set({ weekly: without(rules.weekly, at) })}><Trans>Remove</Trans><span className="unseen">: {say(hours.day)} {hours.from && timeOfDay(hours.from)}</span></Button>
          </fieldset>
        ))}
        <Button
          onClick={() => {
            const last = rules.weekly.at(-1);
            const next = last ? DAYS[(DAYS.indexOf(last.day) + 1) % 7]! : 'monday';
            set({ weekly: [...rules.weekly, { day: next, from: last?.from ?? '09:00', to: last?.to ?? '12:00', types: last?.types ?? kinds.map(({ code }) => code), ...(last?.location ? { location: last.location } : {}) }] });
          }}
        >
          <Trans>Add hours</Trans>
        </Button>
      </section>

      <section className="card" aria-labelledby="exceptions">
        <h2 id="exceptions"><Trans>Days that are different</Trans></h2>
        {rules.exceptions.length === 0 && <p className="hint"><Trans>Holidays, and days with other hours, go here.</Trans></p>}
        {rules.exceptions.map((one, at) => (
          <div key={at} className="side-by-side">
            <TextField name={`exceptions/${at}/date`} label={<Trans>Date</Trans>} type="date" value={one.date} onChange={(event) => exceptionAt(at, { date: event.currentTarget.value })} required />
            <SelectField name={`exceptions/${at}/closed`} label={<Trans>What is different</Trans>} value={one.closed ? 'closed' : 'hours'} onChange={(event) => exceptionAt(at, event.currentTarget.value === 'closed' ? { closed: true } : { closed: null, from: one.from ?? '09:00', to: one.to ?? '12:00' })}>
              <option value="closed">{t`I am not there`}</option>
              <option value="hours">{t`More hours`}</option>
            </SelectField>
            {!one.closed && <TextField name={`exceptions/${at}/from`} label={<Trans>From</Trans>} type="time" step={300} value={one.from ?? ''} onChange={(event) => exceptionAt(at, { from: event.currentTarget.value })} required />}
            {!one.closed && <TextField name={`exceptions/${at}/to`} label={<Trans>To</Trans>} type="time" step={300} value={one.to ?? ''} onChange={(event) => exceptionAt(at, { to: event.currentTarget.value })} required />}
            <Button look="quiet" onClick={() => set({ exceptions: without(rules.exceptions, at) })}><Trans>Remove</Trans><span className="unseen">: {clinicalDate(one.date)}</span></Button>
          </div>
        ))}
        <Button onClick={() => set({ exceptions: [...rules.exceptions, { date: daysAhead(7), closed: true }] })}><Trans>Add a day</Trans></Button>
      </section>

      {wrong && <p className="error" role="alert">{wrong}</p>}
      {save.error && <Failure error={save.error} />}
      <div role="status">
        {save.isSuccess && <Notice kind="good"><p><Trans>Your hours are saved.</Trans></p></Notice>}
        {booked.length > 0 && (
          <Notice kind="warning" title={<Plural value={booked.length} one="# visit is outside your new hours" other="# visits are outside your new hours" />}>
            <p><Trans>They stay booked. Move or cancel them if you cannot be there.</Trans></p>
            <ul>{booked.map(({ appointment, start }) => <li key={appointment}>{inZone(start, rules.time_zone)}</li>)}</ul>
          </Notice>
        )}
      </div>
      <div className="actions"><Button type="submit" look="main" busy={save.isPending && <Trans>Saving…</Trans>}><Trans>Save my hours</Trans></Button></div>
    </CheckedForm>
  );
}

function Types({ kinds, chosen, onChange }: { kinds: Kind[]; chosen: string[]; onChange: (types: string[]) => void }) {
  return (
    <fieldset className="checks">
      <legend><Trans>What patients can come for</Trans></legend>
      {kinds.map(({ code, name }, at) => (
        <label key={at} className="check">
          <input type="checkbox" checked={chosen.includes(code)} onChange={(event) => onChange(event.currentTarget.checked ? [...chosen, code] : chosen.filter((one) => one !== code))} />
          <span>{name || <Trans>Not named yet</Trans>}</span>
        </label>
      ))}
    </fieldset>
  );
}
