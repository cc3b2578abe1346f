// The accounting of disclosures (45 CFR 164.528), and what an agency has left out of it for a time.
import { useRef, useState } from 'react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { answer, api, newKey, type Schemas } from '../../api/client';
import { asProblem } from '../../api/problem';
import { Button } from '../../ui/Button';
import { Facts } from '../../ui/Facts';
import { SelectField, TextField } from '../../ui/Field';
import { Empty, Loaded } from '../../ui/Loading';
import { Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { clinicalDate, daysAhead, instant } from '../../words/dates';
import { say } from './codes';
import { Disclose, Opened } from './Disclosed';
import { isId, suggest, suggested } from './criteria';
import { FormDialog, line } from './FormDialog';

type Accounting = Schemas['Accounting'];
interface Sought { patient: string; from: string; to: string; at: number }

export function Disclosures() {
  const { t } = useLingui();
  const queries = useQueryClient();
  const [wrong, setWrong] = useState<{ patient?: string; to?: string }>({});
  const [sought, setSought] = useState<Sought>();
  return (
    <Page title={t`Disclosures`} intro={<Trans>What was passed on about a patient to somebody else, as the law has us account for it: six years back at most.</Trans>}>
      <form
        className="card"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          const form = new FormData(event.currentTarget);
          const [patient, from, to] = [line(form, 'patient'), line(form, 'from'), line(form, 'to')];
          const said = {
            ...(!isId(patient) && { patient: t`Copy the whole number from the log or from a concern.` }),
            ...(from && to && to < from && { to: t`This has to be later than the beginning.` }),
          };
          setWrong(said);
          if (Object.keys(said).length > 0) return;
          suggest(queries, { ...suggested(queries), patient });
          setSought({ patient, from, to, at: Date.now() });
        }}
      >
        <TextField name="patient" label={<Trans>Number of the patient</Trans>} hint={<Trans>It is in a concern, in a result held back, and in the audit log.</Trans>} wrong={wrong.patient} defaultValue={suggested(queries)?.patient ?? ''} spellCheck={false} maxLength={40} />
        <div className="side-by-side">
          <TextField name="from" type="date" label={<Trans>From (you can leave this empty)</Trans>} />
          <TextField name="to" type="date" label={<Trans>To (you can leave this empty)</Trans>} wrong={wrong.to} />
        </div>
        <Button type="submit" look="main"><Trans>Show the accounting</Trans></Button>
      </form>
      {sought && <Shown key={sought.at} sought={sought} />}
    </Page>
  );
}

function Shown({ sought: { patient, from, to, at } }: { sought: Sought }) {
  const query = useQuery({
    queryKey: [patient, 'disclosures', at],
    queryFn: () => answer(api.GET('/v1/patients/{patient}/disclosures', { params: { path: { patient }, query: { ...(from && { from }), ...(to && { to }) } } })),
  });
  if (asProblem(query.error).status === 404) return <Empty title={<Trans>There is no such patient</Trans>}><Trans>Copy the whole number from the log or from a concern.</Trans></Empty>;
  return <Loaded query={query} lines={6}>{(found) => <Accounted patient={patient} found={found} />}</Loaded>;
}

function Accounted({ patient, found }: { patient: string; found: Accounting }) {
  const queries = useQueryClient();
  const [asking, setAsking] = useState<'disclose' | 'suspend'>();
  const [open, setOpen] = useState<string>();
  const [done, setDone] = useState<Schemas['Suspended']>();
  const suspensions = found.suspensions ?? [];
  const until = done && instant(done.until);
  return (
    <>
      <section className="card" aria-labelledby="accounting">
        <div className="card-head">
          <h2 id="accounting"><Trans>Passed on from {clinicalDate(found.from)} to {clinicalDate(found.to)}</Trans></h2>
          <Button onClick={() => setAsking('disclose')}><Trans>Pass messages on</Trans></Button>
        </div>
        {found.disclosures.length === 0 && <Empty title={<Trans>Nothing to account for</Trans>}><Trans>What a privacy officer passes on appears here. Treatment, payment and the patient’s own copies are not in it.</Trans></Empty>}
        <ul className="rows">
          {found.disclosures.map((one) => (
            <li key={one.id} className="row-text">
              <span className="row-name">{one.recipient}</span>
              <Facts
                facts={[
                  [<Trans>Date</Trans>, clinicalDate(one.date)],
                  [<Trans>Address</Trans>, one.address],
                  [<Trans>What was passed on</Trans>, one.what],
                  [<Trans>Ground</Trans>, say(one.purpose)],
                  [<Trans>Why</Trans>, one.statement],
                ]}
              />
            </li>
          ))}
        </ul>
      </section>
      {open && <Opened patient={patient} until={open} />}
      <section className="card" aria-labelledby="suspensions">
        <div className="card-head">
          <h2 id="suspensions"><Trans>Left out for an agency</Trans></h2>
          <Button onClick={() => setAsking('suspend')}><Trans>Leave something out</Trans></Button>
        </div>
        <p className="hint"><Trans>A health oversight agency or the police can ask for this for a time. The patient then sees neither the disclosure nor that something is missing.</Trans></p>
        <div role="status">
          {done && (
            <Notice kind="good" title={<Trans>It is left out until {until}</Trans>}>
              <p><Plural value={done.withheld} _0="No disclosure to this agency so far. Later ones are left out." one="# disclosure is left out now." other="# disclosures are left out now." /></p>
            </Notice>
          )}
        </div>
        {suspensions.length === 0 && <p><Trans>Nothing was ever left out.</Trans></p>}
        <ul className="rows">
          {suspensions.map((one) => (
            <li key={one.id} className="row-text">
              <span className="row-name">{one.recipient}</span>
              <Facts
                facts={[
                  [<Trans>Kind of agency</Trans>, say(one.agency)],
                  [<Trans>Who said it</Trans>, one.official],
                  [<Trans>How they said it</Trans>, say(one.form)],
                  [<Trans>Said on</Trans>, clinicalDate(one.stated_on)],
                  [<Trans>Left out since</Trans>, instant(one.since)],
                  [<Trans>Left out until</Trans>, clinicalDate(one.until)],
                ]}
              />
            </li>
          ))}
        </ul>
      </section>
      {asking === 'disclose' && (
        <Disclose
          patient={patient}
          onClose={() => setAsking(undefined)}
          onDone={(until) => {
            setOpen(until);
            setAsking(undefined);
            void queries.invalidateQueries({ queryKey: [patient, 'disclosures'] });
          }}
        />
      )}
      {asking === 'suspend' && (
        <Suspend
          patient={patient}
          onClose={() => setAsking(undefined)}
          onDone={(suspended) => {
            setDone(suspended);
            setAsking(undefined);
          }}
        />
      )}
    </>
  );
}

function Suspend({ patient, onClose, onDone }: { patient: string; onClose: () => void; onDone: (done: Schemas['Suspended']) => void }) {
  const queries = useQueryClient();
  const key = useRef(newKey());
  const [form, setForm] = useState<'written' | 'oral'>('written');
  const suspend = useMutation({
    mutationFn: (said: FormData) =>
      answer(api.POST('/v1/patients/{patient}/disclosures/suspensions', {
        params: { path: { patient }, header: { 'idempotency-key': key.current } },
        body: {
          agency: line(said, 'agency') as 'health-oversight' | 'law-enforcement',
          recipient: line(said, 'recipient'),
          official: line(said, 'official'),
          form,
          stated_on: line(said, 'stated_on'),
          until: line(said, 'until'),
        },
      })),
    onSuccess: async (done) => {
      await queries.invalidateQueries({ queryKey: [patient, 'disclosures'] });
      onDone(done);
    },
    // What is put right is another statement.
    onError: (error) => {
      if (asProblem(error).status === 400) key.current = newKey();
    },
  });
  return (
    <FormDialog title={<Trans>Leave disclosures out for a time</Trans>} send={<Trans>Leave them out</Trans>} busy={suspend.isPending} error={suspend.error} onClose={onClose} onSend={(said) => suspend.mutate(said)}>
      <SelectField name="agency" label={<Trans>Kind of agency</Trans>}>
        {(['health-oversight', 'law-enforcement'] as const).map((one) => <option key={one} value={one}>{say(one)}</option>)}
      </SelectField>
      <TextField name="recipient" label={<Trans>Agency</Trans>} hint={<Trans>As the disclosures name it.</Trans>} required maxLength={200} />
      <TextField name="official" label={<Trans>Who said it</Trans>} required maxLength={200} />
      <SelectField label={<Trans>How they said it</Trans>} value={form} onChange={(event) => setForm(event.currentTarget.value as typeof form)}>
        {(['written', 'oral'] as const).map((one) => <option key={one} value={one}>{say(one)}</option>)}
      </SelectField>
      <TextField name="stated_on" type="date" label={<Trans>Said on</Trans>} required max={daysAhead(0)} defaultValue={daysAhead(0)} />
      <TextField name="until" type="date" label={<Trans>Left out until</Trans>} hint={form === 'oral' ? <Trans>A spoken word holds for 30 days from the day it was said. For longer, have it in writing.</Trans> : <Trans>The last day: six years ahead at most.</Trans>} required min={daysAhead(0)} {...(form === 'oral' && { max: daysAhead(30) })} />
    </FormDialog>
  );
}
