// One concern: what was said about it, and what came of it.
import { useState } from 'react';
import { Link, useParams } from '@tanstack/react-router';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { Button } from '../../ui/Button';
import { Facts } from '../../ui/Facts';
import { SelectField, TextArea } from '../../ui/Field';
import { Loaded } from '../../ui/Loading';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { instant } from '../../words/dates';
import { say } from './codes';
import { suggest } from './criteria';
import { FormDialog, line } from './FormDialog';
import { operationInWords } from './operations';

const VERDICTS = ['justified', 'not-justified'] as const;
const OUTCOMES = ['no-issue', 'corrected', 'sanctioned', 'breach-notification'] as const;

export function OneConcern() {
  const { t } = useLingui();
  const { concern } = useParams({ strict: false }) as { concern: string };
  const query = useQuery({
    queryKey: ['concern', concern],
    queryFn: () => answer(api.GET('/v1/access-concerns/{concern}', { params: { path: { concern } } })),
  });
  return (
    <Page title={t`Concern`} heading={query.data && say(query.data.kind)} back={<Link to="/"><Trans>All concerns</Trans></Link>} intro={query.data && instant(query.data.opened_at)}>
      <Loaded query={query} lines={6}>{(found) => <Found concern={found} />}</Loaded>
    </Page>
  );
}

function Found({ concern }: { concern: Schemas['ExplainedConcern'] }) {
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const emergency = concern.kind === 'break-glass';
  const params = { path: { concern: concern.id } };
  const close = useMutation({
    mutationFn: async ({ outcome, note }: { outcome: string; note: string }) =>
      emergency
        ? answer(api.POST('/v1/access-concerns/{concern}/review', { params, body: { verdict: outcome as (typeof VERDICTS)[number], note } }))
        : answer(api.POST('/v1/access-concerns/{concern}/resolve', { params, body: { outcome: outcome as (typeof OUTCOMES)[number], note } })),
    onSuccess: async () => {
      setAsking(false);
      await queries.invalidateQueries({ queryKey: ['concern', concern.id] });
      await queries.invalidateQueries({ queryKey: ['concerns'] });
    },
  });
  const allow = useMutation({ mutationFn: () => answer(api.POST('/v1/access-concerns/{concern}/allow-break-glass', { params })) });
  return (
    <>
      <section className="card" aria-labelledby="said">
        <div className="card-head">
          <h2 id="said"><Trans>What is known</Trans></h2>
          <span className={`flag ${concern.outcome ? '' : 'note'}`}>{concern.outcome ? say(concern.outcome) : <Trans>Still open</Trans>}</span>
        </div>
        <Facts
          facts={[
            [<Trans>Reason</Trans>, say(concern.reason)],
            [emergency ? <Trans>What the provider wrote</Trans> : <Trans>What the patient wrote</Trans>, concern.explanation],
            [<Trans>What was opened</Trans>, concern.access && operationInWords(concern.access.operation)],
            [<Trans>Opened at</Trans>, concern.access && instant(concern.access.at)],
            [<Trans>Account that opened it</Trans>, concern.actor && <code>{concern.actor}</code>],
            [<Trans>Patient</Trans>, <code>{concern.patient}</code>],
            [<Trans>Closed on</Trans>, concern.closed_at && instant(concern.closed_at)],
            [<Trans>Your note</Trans>, concern.note],
          ]}
        />
        <p className="hint"><Trans>You see what was written about the access, and not the record itself. Numbers stand for people, as in the audit log.</Trans></p>
        <div className="actions">
          {concern.state === 'open' && <Button look="main" onClick={() => setAsking(true)}>{emergency ? <Trans>Review it</Trans> : <Trans>Close it</Trans>}</Button>}
          <Link to="/audit-log" className="button" onClick={() => suggest(queries, { patient: concern.patient, actor: concern.actor ?? '', from: '', to: '' })}><Trans>Look in the audit log</Trans></Link>
        </div>
      </section>
      {concern.outcome === 'not-justified' && (
        <section className="card" aria-labelledby="barred">
          <h2 id="barred"><Trans>No emergency access for 24 hours</Trans></h2>
          <p><Trans>The provider cannot use emergency access for a day. If they need it before, let them again.</Trans></p>
          {allow.error && <Failure error={allow.error} />}
          <div role="status">{allow.isSuccess && <Notice kind="good"><p><Trans>The provider can use emergency access again.</Trans></p></Notice>}</div>
          {!allow.isSuccess && <Button busy={allow.isPending && <Trans>One moment…</Trans>} onClick={() => allow.mutate()}><Trans>Let them again now</Trans></Button>}
        </section>
      )}
      {asking && (
        <FormDialog
          title={emergency ? <Trans>Was it justified?</Trans> : <Trans>What came of it?</Trans>}
          send={<Trans>Save</Trans>}
          busy={close.isPending}
          error={close.error}
          onClose={() => setAsking(false)}
          onSend={(form) => close.mutate({ outcome: line(form, 'outcome'), note: line(form, 'note') })}
        >
          {emergency
            ? <p><Trans>If it was not justified, the access ends at once and the provider has no other for 24 hours.</Trans></p>
            : <p><Trans>The patient sees the outcome, and not your note.</Trans></p>}
          <SelectField name="outcome" label={<Trans>Outcome</Trans>}>{(emergency ? VERDICTS : OUTCOMES).map((one) => <option key={one} value={one}>{say(one)}</option>)}</SelectField>
          <TextArea name="note" label={<Trans>Your note</Trans>} hint={<Trans>What you found out, and from whom. It cannot be changed later.</Trans>} required maxLength={1000} />
        </FormDialog>
      )}
    </>
  );
}
