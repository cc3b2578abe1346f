// Who can act for me, and for whom I can act.
import { useState } from 'react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { msg } from '@lingui/core/macro';
import { useLingui as useDescriptors } from '@lingui/react';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { useKey } from '../../api/key';
import { asProblem } from '../../api/problem';
import { actFor, type Proxied, proxiedQuery, useAccount, useSubject } from '../../session/me';
import { Button } from '../../ui/Button';
import { Dialog, Leave } from '../../ui/Dialog';
import { Facts } from '../../ui/Facts';
import { SelectField, TextField } from '../../ui/Field';
import type { Wrong } from '../../ui/form';
import { Empty, Loaded } from '../../ui/Loading';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { clinicalDate, day, daysAhead } from '../../words/dates';
import { inWords } from '../../words/codes';

type Granted = Schemas['GrantedProxies']['proxies'][number];
const RELATIONSHIPS = ['spouse-or-partner', 'parent', 'guardian', 'child', 'sibling', 'friend', 'caregiver', 'other'] as const;
const CATEGORIES = ['profile', 'lab-results', 'prescriptions', 'health-record', 'documents', 'appointments', 'messages'] as const;

export function Proxies() {
  const { t } = useLingui();
  const { patient } = useAccount();
  return (
    <Page title={t`Who can act for me`} intro={<Trans>Let somebody you trust see parts of your record or do things for you. You can end it at any time.</Trans>}>
      {patient && <Mine patient={patient} />}
      <Others />
    </Page>
  );
}

function Mine({ patient }: { patient: string }) {
  const [granting, setGranting] = useState(false);
  const [granted, setGranted] = useState(false);
  const query = useQuery({
    queryKey: [patient, 'proxies'],
    queryFn: () => answer(api.GET('/v1/patients/{patient}/proxies', { params: { path: { patient } } })),
  });
  return (
    <section aria-labelledby="mine" className="section">
      <h2 id="mine"><Trans>People who can act for you</Trans></h2>
      <div role="status">{granted && <Notice kind="good"><p><Trans>Saved. If the person has no account yet, an invitation is on its way to them.</Trans></p></Notice>}</div>
      <Loaded query={query}>
        {({ proxies }) =>
          proxies.length === 0
            ? <Empty title={<Trans>Nobody can act for you</Trans>}><Trans>Whom you let act for you appears here, with what they can see.</Trans></Empty>
            : <ul className="stack">{proxies.map((one) => <li key={one.id}><OneProxy patient={patient} proxy={one} /></li>)}</ul>}
      </Loaded>
      <p><Button look="main" onClick={() => { setGranted(false); setGranting(true); }}><Trans>Let somebody act for me</Trans></Button></p>
      {granting && <Grant patient={patient} onClose={(done) => { setGranting(false); setGranted(done); }} />}
    </section>
  );
}

function OneProxy({ patient, proxy }: { patient: string; proxy: Granted }) {
  const [sure, setSure] = useState(false);
  const { name, relationship, email, categories, in_effect, state, until, granted_at, basis } = proxy;
  const shown = state === 'active' ? in_effect : categories;
  return (
    <section className="card">
      <div className="card-head">
        <h3>{name}</h3>
        <span className={`flag ${state === 'active' ? 'good' : ''}`}>{state === 'active' ? <Trans>Active</Trans> : <Trans>Over</Trans>}</span>
      </div>
      <Facts facts={[
        [<Trans>Who it is</Trans>, inWords(relationship)],
        [<Trans>E-mail address</Trans>, email],
        [<Trans>Can see and use</Trans>, shown.map(inWords).join(', ')],
        [<Trans>Since</Trans>, day(granted_at)],
        [<Trans>Until</Trans>, clinicalDate(until)],
      ]} />
      {basis === 'parental' && <p className="hint"><Trans>The practice gave this access to a parent. Call them if it should end.</Trans></p>}
      {basis !== 'parental' && <Button look="danger" onClick={() => setSure(true)}><Trans>End this access</Trans><span className="unseen">: {name}</span></Button>}
      {sure && (
        <End patient={patient} proxy={proxy.id} title={<Trans>End this access?</Trans>} again={[patient, 'proxies']} onClose={() => setSure(false)}>
          <Trans>{name} can see nothing of your record any more, from this moment on.</Trans>
        </End>
      )}
    </section>
  );
}

function End({ patient, proxy, title, again, onClose, onEnded, children }: { patient: string; proxy: string; title: React.ReactNode; again: readonly string[]; onClose: () => void; onEnded?: () => void; children: React.ReactNode }) {
  const queries = useQueryClient();
  const end = useMutation({
    mutationFn: () => answer(api.DELETE('/v1/patients/{patient}/proxies/{proxy}', { params: { path: { patient, proxy } } })),
    onSuccess: async () => {
      onClose();
      onEnded?.();
      await queries.invalidateQueries({ queryKey: again });
    },
  });
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{children}</p>
      {end.error && <Failure error={end.error} onAgain={() => end.mutate()} />}
      <div className="actions">
        <Button look="danger" busy={end.isPending && <Trans>Ending…</Trans>} onClick={() => end.mutate()}><Trans>End it</Trans></Button>
        <Button onClick={onClose}><Trans>Keep it</Trans></Button>
      </div>
    </Dialog>
  );
}

const CHECK: Wrong = {
  name: msg`Enter the person’s name.`,
  email: msg`Enter an e-mail address, like name@example.com.`,
  categories: msg`Choose at least one.`,
  until: msg`Choose a day from today, at most five years ahead.`,
};

function Grant({ patient, onClose }: { patient: string; onClose: (done: boolean) => void }) {
  const { _ } = useDescriptors();
  const queries = useQueryClient();
  const keyOf = useKey();
  const [wrong, setWrong] = useState<Wrong>({});
  const grant = useMutation({
    mutationFn: (body: { name: string; email: string; relationship: (typeof RELATIONSHIPS)[number]; categories: (typeof CATEGORIES)[number][]; until: string }) =>
      answer(api.POST('/v1/patients/{patient}/proxies', { params: { path: { patient }, header: { 'idempotency-key': keyOf(body) } }, body: body as never })),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: [patient, 'proxies'] });
      onClose(true);
    },
    onError: (error) => {
      setWrong(Object.fromEntries(asProblem(error).fields.map(({ pointer }) => [pointer.split('/')[1] ?? '', CHECK[pointer.split('/')[1] ?? ''] ?? msg`Please check this.`])));
    },
  });
  const field = (name: string) => wrong[name] && _(wrong[name]);
  return (
    <Dialog title={<Trans>Let somebody act for me</Trans>} onClose={() => onClose(false)}>
      {grant.error && <Failure error={grant.error} />}
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          const form = new FormData(event.currentTarget);
          const text = (name: string) => String(form.get(name) ?? '').trim();
          const categories = form.getAll('categories') as (typeof CATEGORIES)[number][];
          const missing = [!text('name') && 'name', !/^[^\s@]+@[^\s@]+$/.test(text('email')) && 'email', categories.length === 0 && 'categories', !text('until') && 'until'].filter((one) => one !== false);
          setWrong(Object.fromEntries(missing.map((one) => [one, CHECK[one]])));
          if (missing.length > 0 || grant.isPending) return;
          grant.mutate({ name: text('name'), email: text('email'), relationship: text('relationship') as (typeof RELATIONSHIPS)[number], categories, until: text('until') });
        }}
      >
        <TextField name="name" label={<Trans>Their name</Trans>} maxLength={100} wrong={field('name')} required />
        <TextField name="email" type="email" label={<Trans>Their e-mail address</Trans>} hint={<Trans>They sign in with it. If they have no account, we send them an invitation.</Trans>} wrong={field('email')} required />
        <SelectField name="relationship" label={<Trans>Who they are to you</Trans>}>
          {RELATIONSHIPS.map((one) => <option key={one} value={one}>{inWords(one)}</option>)}
        </SelectField>
        <fieldset>
          <legend><Trans>What they can see and use</Trans></legend>
          {wrong['categories'] && <p className="error" role="alert">{_(wrong['categories'])}</p>}
          {CATEGORIES.map((one) => (
            <label key={one} className="check"><input type="checkbox" name="categories" value={one} /> <span>{inWords(one)}</span></label>
          ))}
        </fieldset>
        <TextField name="until" type="date" label={<Trans>Last day</Trans>} min={daysAhead(0)} max={daysAhead(5 * 365)} defaultValue={daysAhead(365)} wrong={field('until')} required />
        <div className="actions">
          <Button type="submit" look="main" busy={grant.isPending && <Trans>Saving…</Trans>}><Trans>Give access</Trans></Button>
          <Leave><Trans>Cancel</Trans></Leave>
        </div>
      </form>
    </Dialog>
  );
}

function Others() {
  const query = useQuery(proxiedQuery);
  return (
    <section aria-labelledby="others" className="section">
      <h2 id="others"><Trans>People you can act for</Trans></h2>
      <Loaded query={query} lines={2}>
        {(all) => all.length === 0
          ? <Empty title={<Trans>Nobody has let you act for them</Trans>}><Trans>When somebody lets you act for them, their name appears here.</Trans></Empty>
          : <ul className="stack">{all.map((one) => <li key={one.proxy}><Other proxied={one} /></li>)}</ul>}
      </Loaded>
    </section>
  );
}

function Other({ proxied }: { proxied: Proxied }) {
  const [sure, setSure] = useState(false);
  const shown = useSubject()?.patient;
  const { id, proxy, name, categories, until, basis } = proxied;
  return (
    <section className="card">
      <h3>{name}</h3>
      <Facts facts={[
        [<Trans>You can see and use</Trans>, categories.map(inWords).join(', ')],
        [<Trans>Until</Trans>, clinicalDate(until)],
      ]} />
      <div className="actions">
        <Button onClick={() => actFor(id)}><Trans>Act for {name}</Trans></Button>
        {basis !== 'parental' && <Button look="danger" onClick={() => setSure(true)}><Trans>Give this up</Trans><span className="unseen">: {name}</span></Button>}
      </div>
      {sure && (
        <End patient={id} proxy={proxy} title={<Trans>Give this up?</Trans>} again={['account', 'patients']} onClose={() => setSure(false)} onEnded={() => shown === id && actFor(undefined)}>
          <Trans>You can see nothing of the record of {name} any more, until they let you again.</Trans>
        </End>
      )}
    </section>
  );
}
