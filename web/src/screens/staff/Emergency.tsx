// Breaking the glass: what it opens, for how long, who hears of it, and why it is done.
import { Link, useNavigate } from '@tanstack/react-router';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import { asProblem } from '../../api/problem';
import { endSession, signedInAt } from '../../session/session';
import { Button } from '../../ui/Button';
import { SelectField, TextArea } from '../../ui/Field';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { instant } from '../../words/dates';
import { say } from './codes';
import { rememberEmergency } from './emergency';
import { line } from './FormDialog';
import { useRecord } from './Record';

const REASONS = ['emergency-treatment', 'covering-colleague', 'patient-unresponsive', 'public-health-emergency', 'other'] as const;

/** For how long the portal takes a sign-in for this, less the time to write the reason. */
const FRESH = 13 * 60_000;

export function Emergency() {
  const { t } = useLingui();
  const { patient } = useRecord();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const open = async (end: string) => {
    rememberEmergency(patient, end);
    await queries.resetQueries({ queryKey: [patient] });
    await navigate({ to: '/patients/$patient', params: { patient }, replace: true });
  };
  const breakGlass = useMutation({
    mutationFn: (body: { reason: (typeof REASONS)[number]; explanation: string }) =>
      answer(api.POST('/v1/patients/{patient}/break-glass', { params: { path: { patient } }, body })),
    onSuccess: ({ until }) => open(until),
  });
  const { kind, until } = asProblem(breakGlass.error);
  const running = kind === 'already-broken' ? until : undefined;
  const barred = kind === 'barred' ? until : undefined;
  const barredUntil = barred && instant(barred);
  return (
    <Page title={t`Emergency access`} back={<Link to="/patients"><Trans>Patients</Trans></Link>} intro={<Trans>Open a record without being on the care team, because a patient needs it now.</Trans>}>
      <section className="card" aria-labelledby="what">
        <h2 id="what"><Trans>What happens</Trans></h2>
        <ul className="plain">
          <li><Trans>The whole record opens to you for one hour, its messages too. The hour cannot be made longer.</Trans></li>
          <li><Trans>You can read everything and change nothing.</Trans></li>
          <li><Trans>The privacy officer hears of it at once and reviews it.</Trans></li>
          <li><Trans>The patient sees that you opened the record, and why.</Trans></li>
        </ul>
      </section>
      {Date.now() - signedInAt() > FRESH && !breakGlass.error && (
        <Notice kind="warning">
          <p><Trans>This needs a sign-in from the last 15 minutes. Sign in again first, so that you write your reason only once.</Trans></p>
          <p><Button onClick={() => void endSession('again', location.pathname)}><Trans>Sign in again</Trans></Button></p>
        </Notice>
      )}
      {breakGlass.error && <Failure error={breakGlass.error} />}
      {barredUntil && <p><Trans>You can use emergency access again on {barredUntil}.</Trans></p>}
      {running && <Button look="main" onClick={() => void open(running)}><Trans>Open the record</Trans></Button>}
      <form
        className="card"
        onSubmit={(event) => {
          event.preventDefault();
          const form = new FormData(event.currentTarget);
          if (!breakGlass.isPending) breakGlass.mutate({ reason: String(form.get('reason')) as (typeof REASONS)[number], explanation: line(form, 'explanation') });
        }}
      >
        <SelectField name="reason" label={<Trans>Reason</Trans>}>{REASONS.map((one) => <option key={one} value={one}>{say(one)}</option>)}</SelectField>
        <TextArea name="explanation" label={<Trans>What makes it necessary?</Trans>} hint={<Trans>10 to 500 characters. The privacy officer reads this.</Trans>} required minLength={10} maxLength={500} />
        <div className="actions">
          <Button type="submit" look="danger" busy={breakGlass.isPending && <Trans>One moment…</Trans>}><Trans>Open the record for one hour</Trans></Button>
          <Link to="/patients" className="button"><Trans>Cancel</Trans></Link>
        </div>
      </form>
    </Page>
  );
}
