// Who comes when: a provider's day, or seven of them.
import { useState } from 'react';
import { Link } from '@tanstack/react-router';
import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { Button } from '../../ui/Button';
import { Choice } from '../../ui/Choice';
import { TextField } from '../../ui/Field';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Page } from '../../ui/Page';
import { clinicalDate, dayInZone, daysAhead, timeInZone } from '../../words/dates';
import { inWords } from '../../words/codes';

type Scheduled = Schemas['Schedule']['appointments'][number];

/** A day so many days after another. */
function after(day: string, days: number): string {
  const at = new Date(`${day}T12:00:00Z`);
  at.setUTCDate(at.getUTCDate() + days);
  return at.toISOString().slice(0, 10);
}

export function Day() {
  const { t } = useLingui();
  const today = daysAhead(0);
  const [from, setFrom] = useState(today);
  const [shown, setShown] = useState<'day' | 'week'>('day');
  const length = shown === 'day' ? 1 : 7;
  const to = after(from, length - 1);
  const pages = usePages(['schedule', from, to], (cursor) =>
    answer(api.GET('/v1/schedule', { params: { query: { from, to, ...(cursor ? { cursor } : {}) } } })),
  );
  return (
    <Page title={t`My day`} heading={shown === 'day' ? clinicalDate(from) : <Trans>{clinicalDate(from)} to {clinicalDate(to)}</Trans>} intro={<Trans>Who comes when, and why.</Trans>}>
      <div className="filter">
        <Choice label={t`How much to show`} value={shown} onChange={setShown} options={[['day', t`Day`], ['week', t`Week`]]} />
        <Button onClick={() => setFrom(after(from, -length))}><Trans>Earlier</Trans></Button>
        <Button onClick={() => setFrom(today)}><Trans>Today</Trans></Button>
        <Button onClick={() => setFrom(after(from, length))}><Trans>Later</Trans></Button>
        <TextField label={<Trans>Go to a day</Trans>} type="date" value={from} onChange={(event) => event.currentTarget.value && setFrom(event.currentTarget.value)} />
      </div>
      <More
        pages={pages}
        entries={(page) => page.appointments}
        empty={<Empty title={shown === 'day' ? <Trans>No visits on this day</Trans> : <Trans>No visits in these days</Trans>}><Trans>Visits that patients book in your hours appear here.</Trans></Empty>}
      >
        {(all) => byDay(all).map(([day, some]) => (
          <section key={day} className="card" aria-label={day}>
            <div className="card-head">
              <h2 className="day">{day}</h2>
              <span className="hint"><Plural value={some.length} one="# visit" other="# visits" /></span>
            </div>
            <ul className="rows">{some.map((one) => <li key={one.id}><Row visit={one} /></li>)}</ul>
          </section>
        ))}
      </More>
    </Page>
  );
}

function Row({ visit }: { visit: Scheduled }) {
  const { patient, id, name, birth_date, start, time_zone, type_name, modality, reason, location, status } = visit;
  return (
    <Link to="/patients/$patient/visits/$appointment" params={{ patient, appointment: id }} className="row">
      <span className="row-time">{timeInZone(start, time_zone)}</span>
      <span className="row-main">
        <span className="row-name">{name}</span>
        <span className="hint">{[type_name, inWords(modality), location, birth_date && clinicalDate(birth_date)].filter(Boolean).join(' · ')}</span>
        {reason && <span>{reason}</span>}
      </span>
      <span className={`flag ${status === 'confirmed' || status === 'completed' ? 'good' : status === 'scheduled' ? '' : 'note'}`}>{inWords(status)}</span>
    </Link>
  );
}

function byDay(visits: Scheduled[]): [string, Scheduled[]][] {
  const days = new Map<string, Scheduled[]>();
  for (const visit of visits) {
    const day = dayInZone(visit.start, visit.time_zone);
    days.set(day, [...(days.get(day) ?? []), visit]);
  }
  return [...days];
}
