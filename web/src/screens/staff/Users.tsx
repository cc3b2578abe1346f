// Who has an account, and what an administrator can do about it. Nothing here leads to a record.
import { useState } from 'react';
import { Link } from '@tanstack/react-router';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { useAccount } from '../../session/me';
import { Button } from '../../ui/Button';
import { Facts } from '../../ui/Facts';
import { SelectField, TextField } from '../../ui/Field';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { instant } from '../../words/dates';
import { say } from './codes';
import { FormDialog, line } from './FormDialog';
import { ROLES, TwoAdministrators } from './TwoAdministrators';

type User = Schemas['UserList']['users'][number];
type What = 'role' | 'switch' | 'sign-out' | 'reset';
type Done = { what: What; email: string; waiting?: string; pending?: boolean; failed?: boolean };
const CHECKS = ['in-person-photo-id', 'video-call-photo-id', 'callback-to-number-on-file'] as const;

export function Users() {
  const { t } = useLingui();
  const queries = useQueryClient();
  const [sought, setSought] = useState({ search: '', role: '' });
  const [asking, setAsking] = useState<{ user: User; what: What }>();
  const [done, setDone] = useState<Done>();
  const pages = usePages(['users', sought], (cursor) =>
    answer(api.POST('/v1/users/search', { body: { ...(sought.search && { search: sought.search }), ...(sought.role && { role: sought.role }), ...(cursor ? { cursor } : {}) } })),
  );
  return (
    <Page title={t`People`} intro={<Trans>Everybody who has an account. You see accounts here, and never a record.</Trans>} action={<Link to="/users/invite" className="button main"><Trans>Invite somebody</Trans></Link>}>
      <form
        className="filter"
        onSubmit={(event) => {
          event.preventDefault();
          const form = new FormData(event.currentTarget);
          setSought({ search: line(form, 'search').toLowerCase(), role: line(form, 'role') });
          // Who searches again wants to know what is so now.
          void queries.invalidateQueries({ queryKey: ['users'] });
        }}
      >
        <TextField name="search" label={<Trans>E-mail address begins with</Trans>} maxLength={254} />
        <SelectField name="role" label={<Trans>Role</Trans>}>
          <option value="">{t`All`}</option>
          {['patient', ...ROLES].map((role) => <option key={role} value={role}>{say(role)}</option>)}
        </SelectField>
        <Button type="submit"><Trans>Search</Trans></Button>
      </form>
      <div role="status">{done && <Result done={done} />}</div>
      <More pages={pages} entries={(page) => page.users} empty={<Empty title={<Trans>Nobody was found</Trans>}><Trans>Enter how the e-mail address begins, or choose another role.</Trans></Empty>}>
        {(all) => <ul className="stack">{all.map((user) => <li key={user.id}><OneUser user={user} onAsk={(what) => setAsking({ user, what })} /></li>)}</ul>}
      </More>
      {asking && (
        <Ask
          {...asking}
          onClose={() => setAsking(undefined)}
          onDone={(result) => {
            setDone(result);
            setAsking(undefined);
          }}
        />
      )}
    </Page>
  );
}

function Result({ done: { what, email, waiting, pending, failed } }: { done: Done }) {
  const until = waiting && instant(waiting);
  if (until) return <Notice kind="warning" title={<Trans>Another administrator has to agree</Trans>}><p><Trans>Nothing has changed for {email} yet. Another administrator makes the same change by {until}, and it is done.</Trans></p></Notice>;
  if (failed) return <Notice kind="warning"><p><Trans>The sign-in service did not answer for {email}. Please do it again.</Trans></p></Notice>;
  return (
    <Notice kind="good">
      <p>
        {what === 'role' && <Trans>The role of {email} is changed.</Trans>}
        {what === 'switch' && <Trans>The account of {email} is changed.</Trans>}
        {what === 'sign-out' && <Trans>{email} is signed out everywhere.</Trans>}
        {what === 'reset' && <Trans>At the next sign-in, {email} sets up a new authenticator.</Trans>}
      </p>
      {pending && <p><Trans>It holds already. The sign-in service hears of it within the hour.</Trans></p>}
    </Notice>
  );
}

function OneUser({ user, onAsk }: { user: User; onAsk: (what: What) => void }) {
  const { id } = useAccount();
  const { email, role, status, mfa, last_sign_in } = user;
  const name = <span className="unseen">: {email}</span>;
  return (
    <section className="card">
      <div className="card-head">
        <h2>{email}</h2>
        <span className={`flag ${status === 'active' ? 'good' : 'note'}`}>{say(status)}</span>
      </div>
      <Facts
        facts={[
          [<Trans>Role</Trans>, say(role)],
          [<Trans>Authenticator</Trans>, mfa ? <Trans>Set up</Trans> : <Trans>Not set up yet</Trans>],
          [<Trans>Last sign-in</Trans>, last_sign_in && instant(last_sign_in)],
          [<Trans>Number in the directory</Trans>, user.practitioner && <code>{user.practitioner}</code>],
        ]}
      />
      {id === user.id ? (
        <p className="hint"><Trans>This is you. Another administrator changes your account.</Trans></p>
      ) : (
        <div className="actions">
          {role !== 'patient' && <Button onClick={() => onAsk('role')}><Trans>Change the role</Trans>{name}</Button>}
          <Button onClick={() => onAsk('sign-out')}><Trans>Sign out everywhere</Trans>{name}</Button>
          {mfa && <Button onClick={() => onAsk('reset')}><Trans>Lost authenticator</Trans>{name}</Button>}
          <Button look={status === 'disabled' ? 'plain' : 'danger'} onClick={() => onAsk('switch')}>{status === 'disabled' ? <Trans>Switch on</Trans> : <Trans>Switch off</Trans>}{name}</Button>
        </div>
      )}
    </section>
  );
}

function Ask({ user, what, onClose, onDone }: { user: User; what: What; onClose: () => void; onDone: (done: Done) => void }) {
  const queries = useQueryClient();
  const { email } = user;
  const [role, setRole] = useState(user.role);
  const path = { account: user.id };
  const change = useMutation({
    mutationFn: async (form: FormData): Promise<Done> => {
      if (what === 'sign-out') {
        const { sign_in_service } = await answer(api.POST('/v1/users/{account}/sign-out', { params: { path } }));
        return { what, email, pending: sign_in_service === 'pending' };
      }
      if (what === 'reset') {
        const { reset } = await answer(api.POST('/v1/users/{account}/reset-mfa', { params: { path }, body: { identity_check: line(form, 'check') } }));
        return { what, email, failed: !reset };
      }
      const practitioner = line(form, 'practitioner');
      const body = what === 'switch' ? { status: user.status === 'disabled' ? 'active' : 'disabled' } : { role, ...(role === 'provider' && practitioner ? { practitioner } : {}) };
      const decided = await answer(api.PATCH('/v1/users/{account}', { params: { path, header: { 'if-match': `"${user.version}"` } }, body }));
      if (decided.state === 'awaiting-approval') return { what, email, waiting: decided.expires_at };
      return { what, email, pending: decided.sign_in_service === 'pending' };
    },
    onSuccess: onDone,
    onSettled: () => queries.invalidateQueries({ queryKey: ['users'] }),
  });
  const dialog = { busy: change.isPending, error: change.error, onClose, onSend: (form: FormData) => change.mutate(form) };
  if (what === 'role') {
    return (
      <FormDialog {...dialog} title={<Trans>Change the role of {email}</Trans>} send={<Trans>Change the role</Trans>}>
        <SelectField label={<Trans>Role</Trans>} value={role} onChange={(event) => setRole(event.currentTarget.value as User['role'])}>{ROLES.map((one) => <option key={one} value={one}>{say(one)}</option>)}</SelectField>
        {role === 'provider' && <TextField name="practitioner" label={<Trans>Number in the directory</Trans>} hint={<Trans>The provider’s id in the practice’s directory.</Trans>} defaultValue={user.practitioner ?? ''} required maxLength={36} />}
        <TwoAdministrators role={role} />
        <p><Trans>The person is signed out, and signs in again with the new role.</Trans></p>
      </FormDialog>
    );
  }
  if (what === 'switch') {
    return user.status === 'disabled' ? (
      <FormDialog {...dialog} title={<Trans>Switch {email} on again?</Trans>} send={<Trans>Switch on</Trans>}>
        <p><Trans>The person can sign in again as before.</Trans></p>
      </FormDialog>
    ) : (
      <FormDialog {...dialog} look="danger" title={<Trans>Switch {email} off?</Trans>} send={<Trans>Switch off</Trans>}>
        <p><Trans>The person is signed out at once and cannot sign in. You can switch the account on again.</Trans></p>
      </FormDialog>
    );
  }
  if (what === 'sign-out') {
    return (
      <FormDialog {...dialog} title={<Trans>Sign {email} out everywhere?</Trans>} send={<Trans>Sign out everywhere</Trans>}>
        <p><Trans>All sessions end. The person can sign in again.</Trans></p>
      </FormDialog>
    );
  }
  return (
    <FormDialog {...dialog} look="danger" title={<Trans>Take away the authenticator of {email}?</Trans>} send={<Trans>Take it away</Trans>}>
      <p><Trans>Do this only if you are sure whom you speak to: somebody else could get into the account. The privacy officer is told.</Trans></p>
      <SelectField name="check" label={<Trans>How do you know who it is?</Trans>}>{CHECKS.map((one) => <option key={one} value={one}>{say(one)}</option>)}</SelectField>
    </FormDialog>
  );
}
