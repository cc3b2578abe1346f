// One laboratory result: its value, what is usual, and how it changed over time.
import { lazy, type ReactNode, Suspense } from 'react';
import { Link, useParams } from '@tanstack/react-router';
import { useQuery } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { usePatient } from '../../session/me';
import { Facts } from '../../ui/Facts';
import { Loaded, Skeleton } from '../../ui/Loading';
import { Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { clinicalDate, day } from '../../words/dates';
import { inWords } from '../../words/codes';
import { measured, term } from '../../words/terms';
import { Flags } from './Flags';
import { label, rangeInWords, valueInWords } from './values';

const Trend = lazy(() => import('./Trend').then(({ Trend }) => ({ default: Trend })));

export function LabResult() {
  const { t } = useLingui();
  const patient = usePatient();
  const { result } = useParams({ strict: false }) as { result: string };
  const query = useQuery({
    queryKey: [patient, 'lab-result', result],
    queryFn: () => answer(api.GET('/v1/patients/{patient}/lab-results/{result}', { params: { path: { patient, result } } })),
  });
  const back = <Link to="/lab-results"><Trans>All lab results</Trans></Link>;
  return (
    <Page title={t`Lab result`} heading={term(query.data?.name) ?? t`Lab result`} intro={query.data && clinicalDate(query.data.effective)} back={back}>
      <Loaded query={query}>{(found) => <One result={found} />}</Loaded>
    </Page>
  );
}

function One({ result }: { result: Schemas['LabResult'] }) {
  const { display, flags = [], components = [], reference_ranges = [], reference_range_supplied, notes = [], hold, report, status, issued, series } = result;
  if (hold) {
    const until = day(hold.until);
    return (
      <Notice kind="warning" title={<Trans>Your care team is holding this result back for now</Trans>}>
        <p><Trans>They want to talk with you first. You will see it here by {until} at the latest. If you have questions, call the practice.</Trans></p>
      </Notice>
    );
  }
  const ranges = reference_ranges.map(rangeInWords).filter(Boolean);
  const facts: [ReactNode, ReactNode][] = [];
  if (report?.title) facts.push([<Trans>Part of</Trans>, term(report.title)]);
  if (status) facts.push([<Trans>Status</Trans>, inWords(status)]);
  if (issued) facts.push([<Trans>Sent by the laboratory</Trans>, clinicalDate(issued)]);
  return (
    <>
      <section className="card" aria-labelledby="value">
        <h2 id="value"><Trans>Your result</Trans></h2>
        {components.length === 0 && <p className="big-value">{display ? measured(display) : <Trans>No value was recorded</Trans>} <Flags flags={flags} /></p>}
        {components.length > 0 && (
          <>
            <Facts facts={components.map((part) => [label(part.code), valueInWords(part.value)])} />
            {flags.length > 0 && <p><Flags flags={flags} /></p>}
          </>
        )}
        {ranges.length > 0 ? (
          <p><Trans>Usual range:</Trans> <strong>{ranges.join('; ')}</strong></p>
        ) : (
          !reference_range_supplied && <p className="hint"><Trans>The laboratory sent no usual range with this result. Ask your care team what it means for you.</Trans></p>
        )}
        {notes.map((note, at) => <p key={at} className="quote">{note}</p>)}
        <Facts facts={facts} />
      </section>
      {series && <Suspense fallback={<Skeleton lines={5} />}><Trend series={series} current={result} /></Suspense>}
    </>
  );
}
