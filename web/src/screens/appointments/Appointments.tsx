// A patient's visits: what is planned, what was, what they wait for, and their calendar elsewhere.
import { useState } from 'react';
import { Link, useSearch } from '@tanstack/react-router';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import { usePatient } from '../../session/me';
import { Choice } from '../../ui/Choice';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Page } from '../../ui/Page';
import { Calendar } from './Calendar';
import { Row } from './Row';
import { Waitlist } from './Waitlist';

export function Appointments() {
  const { t } = useLingui();
  const first = useSearch({ from: '/shell/appointments' });
  const [shown, setShown] = useState<'upcoming' | 'past' | 'waitlist' | 'calendar'>(first.shown ?? 'upcoming');
  return (
    <Page
      title={t`Visits`}
      intro={<Trans>Plan, move or cancel a visit. Times are those of the place where the visit is.</Trans>}
      action={<Link to="/appointments/new" className="button main"><Trans>Book a visit</Trans></Link>}
    >
      <Choice
        label={t`Which visits`}
        value={shown}
        onChange={setShown}
        options={[['upcoming', t`Planned`], ['past', t`Past`], ['waitlist', t`Waitlist`], ['calendar', t`My calendar`]]}
      />
      {shown === 'waitlist' && <Waitlist />}
      {shown === 'calendar' && <Calendar />}
      {(shown === 'upcoming' || shown === 'past') && <Listed key={shown} when={shown} />}
    </Page>
  );
}

function Listed({ when }: { when: 'upcoming' | 'past' }) {
  const patient = usePatient();
  const pages = usePages([patient, 'appointments', when], (cursor) =>
    answer(api.GET('/v1/patients/{patient}/appointments', { params: { path: { patient }, query: { when, ...(cursor ? { cursor } : {}) } } })),
  );
  return (
    <More
      pages={pages}
      entries={(page) => page.appointments}
      empty={
        when === 'upcoming'
          ? <Empty title={<Trans>No visits planned</Trans>}><Trans>When you book a visit, or the practice does, it appears here.</Trans></Empty>
          : <Empty title={<Trans>No past visits</Trans>}><Trans>Visits that you booked here appear after they took place.</Trans></Empty>
      }
    >
      {(all) => <div className="card"><ul className="rows">{all.map((one) => <li key={one.id}><Row appointment={one} /></li>)}</ul></div>}
    </More>
  );
}
