// One visit, and what became of it.
import { useState } from 'react';
import { Link, useParams } from '@tanstack/react-router';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, versioned, type Schemas } from '../../api/client';
import { Button } from '../../ui/Button';
import { Facts } from '../../ui/Facts';
import { SelectField, TextArea } from '../../ui/Field';
import { Loaded } from '../../ui/Loading';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { instant, inZone } from '../../words/dates';
import { inWords } from '../../words/codes';
import { say } from './codes';
import { useEmergency } from './emergency';
import { FormDialog } from './FormDialog';
import { Countdown } from './Record';

type Detail = Schemas['AppointmentDetail'];
const REASONS = ['asked-by-patient', 'provider-unavailable', 'practice-closed', 'not-needed', 'other-plans', 'unwell', 'transport', 'other'] as const;
type Step = { to: 'confirm' } | { to: 'no-show' } | { to: 'complete'; body: { notes: string; summary?: string } } | { to: 'cancel'; body: { reason: (typeof REASONS)[number] } };

export function Visit() {
  const { t } = useLingui();
  const { patient, appointment } = useParams({ strict: false }) as { patient: string; appointment: string };
  const queries = useQueryClient();
  const emergency = useEmergency(patient);
  const [asking, setAsking] = useState<'complete' | 'cancel' | 'no-show'>();
  const path = { patient, appointment };
  const key = [patient, 'visit', appointment];
  const query = useQuery({
    queryKey: key,
    queryFn: () => versioned(api.GET('/v1/patients/{patient}/appointments/{appointment}', { params: { path } })),
  });
  const step = useMutation({
    mutationFn: (step: Step): Promise<Detail> => {
      const params = { path, header: { 'if-match': query.data?.version ?? '' } };
      const to = '/v1/patients/{patient}/appointments/{appointment}';
      if (step.to === 'confirm') return answer(api.POST(`${to}/confirm`, { params }));
      if (step.to === 'no-show') return answer(api.POST(`${to}/no-show`, { params }));
      if (step.to === 'complete') return answer(api.POST(`${to}/complete`, { params, body: step.body }));
      return answer(api.POST(`${to}/cancel`, { params, body: step.body }));
    },
    onSuccess: async () => {
      setAsking(undefined);
      await queries.invalidateQueries({ queryKey: key });
      await queries.invalidateQueries({ queryKey: ['schedule'] });
      await queries.invalidateQueries({ queryKey: [patient, 'summary'] });
    },
    // Somebody else may have been faster: what is shown is then as it stands.
    onError: () => queries.invalidateQueries({ queryKey: key }),
  });
  const dialog = { busy: step.isPending, error: step.error, onClose: () => setAsking(undefined) };
  const ask = (what: typeof asking) => {
    step.reset();
    setAsking(what);
  };
  return (
    <Page
      title={t`Visit`}
      heading={query.data?.value.type_name}
      intro={query.data && inZone(query.data.value.start, query.data.value.time_zone)}
      back={<Link to="/"><Trans>My day</Trans></Link>}
      action={<Link to="/patients/$patient" params={{ patient }} className="button"><Trans>Open the patient’s record</Trans></Link>}
    >
      <Countdown patient={patient} />
      <Loaded query={query}>
        {({ value }) => {
          const planned = value.status === 'scheduled' || value.status === 'confirmed';
          const begun = Date.parse(value.start) <= Date.now();
          return (
            <>
              <section className="card" aria-labelledby="visit">
                <div className="card-head"><h2 id="visit"><Trans>About this visit</Trans></h2><span className="flag">{inWords(value.status)}</span></div>
                <Facts
                  facts={[
                    [<Trans>Why</Trans>, value.reason],
                    [<Trans>With</Trans>, value.practitioner_name],
                    [<Trans>How</Trans>, inWords(value.modality)],
                    [<Trans>Where</Trans>, value.location],
                    [<Trans>Notes for the care team</Trans>, value.notes],
                    [<Trans>Summary for the patient</Trans>, value.summary],
                  ]}
                />
                {step.error && !asking && <Failure error={step.error} />}
                {planned && !emergency && (
                  <div className="actions">
                    {value.status === 'scheduled' && <Button look="main" busy={step.isPending && <Trans>One moment…</Trans>} onClick={() => step.mutate({ to: 'confirm' })}><Trans>Confirm</Trans></Button>}
                    {begun && <Button look={value.status === 'confirmed' ? 'main' : 'plain'} onClick={() => ask('complete')}><Trans>Write it up</Trans></Button>}
                    {begun && <Button onClick={() => ask('no-show')}><Trans>Did not come</Trans></Button>}
                    <Button look="danger" onClick={() => ask('cancel')}><Trans>Cancel the visit</Trans></Button>
                  </div>
                )}
                {planned && !begun && <p className="hint"><Trans>When the visit has begun, you can write it up here.</Trans></p>}
              </section>
              <section className="card" aria-labelledby="steps">
                <h2 id="steps"><Trans>What happened so far</Trans></h2>
                <ol className="steps">
                  {value.transitions.map((one, at) => (
                    <li key={at}>
                      <span className="row-name">{inWords(one.status)}</span>
                      <span className="hint">{[instant(one.at), one.acting === 'practice' ? t`The practice` : one.acting === 'proxy' ? t`Somebody who acts for the patient` : t`The patient`, say(one.reason)].filter(Boolean).join(' · ')}</span>
                    </li>
                  ))}
                </ol>
              </section>
            </>
          );
        }}
      </Loaded>
      {asking === 'complete' && (
        <FormDialog
          {...dialog}
          title={<Trans>Write up the visit</Trans>}
          send={<Trans>Complete the visit</Trans>}
          onSend={(form) => {
            const [notes, summary] = [String(form.get('notes')).trim(), String(form.get('summary')).trim()];
            step.mutate({ to: 'complete', body: { notes, ...(summary ? { summary } : {}) } });
          }}
        >
          <TextArea name="notes" label={<Trans>Notes for the care team</Trans>} hint={<Trans>Only those who treat the patient see them here.</Trans>} required maxLength={10_000} />
          <TextArea name="summary" label={<Trans>Summary for the patient (you can leave this empty)</Trans>} hint={<Trans>The patient reads it in plain words: what was found, and what to do next.</Trans>} maxLength={10_000} />
        </FormDialog>
      )}
      {asking === 'no-show' && (
        <FormDialog {...dialog} title={<Trans>The patient did not come?</Trans>} send={<Trans>Did not come</Trans>} onSend={() => step.mutate({ to: 'no-show' })}>
          <Notice><p><Trans>The visit is then marked as missed. This cannot be taken back here.</Trans></p></Notice>
        </FormDialog>
      )}
      {asking === 'cancel' && (
        <FormDialog {...dialog} look="danger" title={<Trans>Cancel this visit?</Trans>} send={<Trans>Cancel the visit</Trans>} onSend={(form) => step.mutate({ to: 'cancel', body: { reason: String(form.get('reason')) as (typeof REASONS)[number] } })}>
          <p><Trans>The patient is told. The time is open for others again.</Trans></p>
          <SelectField name="reason" label={<Trans>Why</Trans>}>{REASONS.map((one) => <option key={one} value={one}>{say(one)}</option>)}</SelectField>
        </FormDialog>
      )}
    </Page>
  );
}
