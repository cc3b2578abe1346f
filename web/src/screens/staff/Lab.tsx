// One laboratory result, and keeping it back from the patient for a time.
import { lazy, Suspense, useState } from 'react';
import { Link } from '@tanstack/react-router';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { Button } from '../../ui/Button';
import { Facts } from '../../ui/Facts';
import { SelectField, TextArea, TextField } from '../../ui/Field';
import { Loaded, Skeleton } from '../../ui/Loading';
import { Failure, Notice } from '../../ui/Notice';
import { clinicalDate, daysAhead, instant } from '../../words/dates';
import { inWords } from '../../words/codes';
import { measured, term } from '../../words/terms';
import { Flags } from '../labs/Flags';
import { label, rangeInWords, valueInWords } from '../labs/values';
import { say } from './codes';
import { useEmergency } from './emergency';
import { FormDialog, line } from './FormDialog';
import { Record, useRecord } from './Record';

const Trend = lazy(() => import('../labs/Trend').then(({ Trend }) => ({ default: Trend })));
const REASONS = ['preventing-harm', 'erroneous-data', 'privacy-precondition', 'individual-request'] as const;

export function Lab() {
  const { t } = useLingui();
  const { patient } = useRecord();
  return (
    <Record title={t`Lab result`} back={<Link to="/patients/$patient/lab-results" params={{ patient }}><Trans>All lab results</Trans></Link>}>
      <One />
    </Record>
  );
}

function One() {
  const { patient, result } = useRecord();
  const query = useQuery({
    queryKey: [patient, 'lab-result', result],
    queryFn: () => answer(api.GET('/v1/patients/{patient}/lab-results/{result}', { params: { path: { patient, result } } })),
  });
  return (
    <Loaded query={query} lines={6}>
      {(found) => (
        <>
          <section className="card" aria-labelledby="value">
            <h2 id="value">{term(found.name) ?? <Trans>Unnamed result</Trans>}</h2>
            {(found.display || !found.components?.length) && <p className="big-value">{found.display ? measured(found.display) : <Trans>No value</Trans>} <Flags flags={found.flags ?? []} /></p>}
            <Facts facts={(found.components ?? []).map((part) => [label(part.code), valueInWords(part.value)])} />
            {found.notes?.map((note, at) => <p key={at} className="quote">{note}</p>)}
            <Facts
              facts={[
                [<Trans>Usual range</Trans>, (found.reference_ranges ?? []).map(rangeInWords).filter(Boolean).join('; ')],
                [<Trans>Taken on</Trans>, clinicalDate(found.effective)],
                [<Trans>Sent by the laboratory</Trans>, clinicalDate(found.issued)],
                [<Trans>Part of</Trans>, term(found.report?.title)],
                [<Trans>Status</Trans>, inWords(found.status)],
              ]}
            />
          </section>
          <Hold hold={found.hold} />
          {found.series && <Suspense fallback={<Skeleton lines={5} />}><Trend series={found.series} current={found} /></Suspense>}
        </>
      )}
    </Loaded>
  );
}

function Hold({ hold }: { hold: Schemas['LabResult']['hold'] }) {
  const { patient, result } = useRecord();
  const queries = useQueryClient();
  const emergency = useEmergency(patient);
  const [asking, setAsking] = useState(false);
  const params = { path: { patient, result } };
  const anew = async () => {
    setAsking(false);
    await queries.invalidateQueries({ queryKey: [patient, 'lab-result', result] });
    await queries.invalidateQueries({ queryKey: [patient, 'lab-results'] });
    await queries.invalidateQueries({ queryKey: [patient, 'summary'] });
  };
  const keep = useMutation({
    mutationFn: (body: { reason: (typeof REASONS)[number]; explanation: string; until: string }) =>
      answer(api.POST('/v1/patients/{patient}/lab-results/{result}/hold', { params, body })),
    onSuccess: anew,
  });
  const release = useMutation({
    mutationFn: () => answer(api.DELETE('/v1/patients/{patient}/lab-results/{result}/hold', { params })),
    onSuccess: anew,
  });
  const until = hold && instant(hold.until);
  return (
    <section className="card" aria-labelledby="hold">
      <h2 id="hold"><Trans>What the patient sees</Trans></h2>
      {hold ? (
        <>
          <Notice kind="warning" title={<Trans>Held back until {until}</Trans>}>
            <p><Trans>Until then the patient sees that there is a result, and nothing else of it.</Trans></p>
          </Notice>
          <Facts facts={[[<Trans>Reason</Trans>, say(hold.reason)], [<Trans>Explanation</Trans>, hold.explanation], [<Trans>Held since</Trans>, hold.held_at && instant(hold.held_at)]]} />
          {release.error && <Failure error={release.error} />}
          {!emergency && <Button busy={release.isPending && <Trans>One moment…</Trans>} onClick={() => release.mutate()}><Trans>Release it to the patient now</Trans></Button>}
        </>
      ) : (
        <>
          <p><Trans>The patient sees this result. You may hold it back for a short time where the law allows it.</Trans></p>
          {!emergency && <Button onClick={() => setAsking(true)}><Trans>Hold it back</Trans></Button>}
        </>
      )}
      {asking && (
        <FormDialog
          title={<Trans>Hold this result back</Trans>}
          send={<Trans>Hold it back</Trans>}
          busy={keep.isPending}
          error={keep.error}
          onClose={() => setAsking(false)}
          onSend={(form) => {
            const day = String(form.get('until'));
            keep.mutate({ reason: String(form.get('reason')) as (typeof REASONS)[number], explanation: line(form, 'explanation'), until: new Date(`${day}T17:00`).toISOString() });
          }}
        >
          <p><Trans>The privacy officer sees every hold. It ends by itself, after 30 days at the latest.</Trans></p>
          <SelectField name="reason" label={<Trans>Reason</Trans>}>{REASONS.map((one) => <option key={one} value={one}>{say(one)}</option>)}</SelectField>
          <TextArea name="explanation" label={<Trans>Explanation</Trans>} hint={<Trans>10 to 500 characters.</Trans>} required minLength={10} maxLength={500} />
          <TextField name="until" type="date" label={<Trans>Until the evening of</Trans>} required min={daysAhead(1)} max={daysAhead(29)} defaultValue={daysAhead(3)} />
        </FormDialog>
      )}
    </section>
  );
}
