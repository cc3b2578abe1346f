// All laboratory results, newest first, by day.
import { useState } from 'react';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { usePatient } from '../../session/me';
import { Button } from '../../ui/Button';
import { TextField } from '../../ui/Field';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Page } from '../../ui/Page';
import { clinicalDate, clinicalDay } from '../../words/dates';
import { ResultRow } from './ResultRow';

export function LabResults() {
  const { t } = useLingui();
  const patient = usePatient();
  const [days, setDays] = useState<Record<'from' | 'to', string>>({ from: '', to: '' });
  const results = usePages([patient, 'lab-results', days], (cursor) =>
    answer(api.GET('/v1/patients/{patient}/lab-results', {
      params: { path: { patient }, query: { ...(days.from && { from: days.from }), ...(days.to && { to: days.to }), ...(cursor ? { cursor } : {}) } },
    })),
  );
  const filtered = Boolean(days.from || days.to);
  return (
    <Page title={t`Lab results`} intro={<Trans>Your results, newest first, as the laboratory sent them. Choose one to see more and how it changed over time.</Trans>}>
      <form
        className="filter"
        onSubmit={(event) => {
          event.preventDefault();
          const form = new FormData(event.currentTarget);
          setDays({ from: String(form.get('from') ?? ''), to: String(form.get('to') ?? '') });
        }}
        onReset={() => setDays({ from: '', to: '' })}
      >
        <TextField name="from" type="date" label={<Trans>From</Trans>} />
        <TextField name="to" type="date" label={<Trans>To</Trans>} />
        <Button type="submit"><Trans>Show these dates</Trans></Button>
        {filtered && <Button type="reset" look="quiet"><Trans>Show all</Trans></Button>}
      </form>
      <More
        pages={results}
        entries={(page) => page.results}
        empty={
          filtered
            ? <Empty title={<Trans>No results between these dates</Trans>}><Trans>Try other dates, or show all.</Trans></Empty>
            : <Empty title={<Trans>No lab results yet</Trans>}><Trans>When a laboratory sends a result, you see it here right away.</Trans></Empty>
        }
      >
        {(all) => byDay(all).map(([date, some]) => (
          <section key={date} className="card" aria-label={clinicalDate(date) || t`Date not recorded`}>
            <h2 className="day">{clinicalDate(date) || <Trans>Date not recorded</Trans>}</h2>
            <ul className="rows">{some.map((result) => <li key={result.id}><ResultRow result={result} dated={false} /></li>)}</ul>
          </section>
        ))}
      </More>
    </Page>
  );
}

function byDay(results: Schemas['LabResult'][]): [string, Schemas['LabResult'][]][] {
  const days = new Map<string, Schemas['LabResult'][]>();
  for (const result of results) {
    const day = clinicalDay(result.effective ?? result.issued);
    days.set(day, [...(days.get(day) ?? []), result]);
  }
  return [...days];
}
