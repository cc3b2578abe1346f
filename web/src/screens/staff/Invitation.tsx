// Inviting somebody of the practice.
import { useRef, useState } from 'react';
import { Link } from '@tanstack/react-router';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, newKey } from '../../api/client';
import { Button } from '../../ui/Button';
import { CheckedForm } from '../../ui/CheckedForm';
import { SelectField, TextField } from '../../ui/Field';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { instant } from '../../words/dates';
import { say } from './codes';
import { line } from './FormDialog';
import { ROLES, TwoAdministrators } from './TwoAdministrators';

export function Invitation() {
  const { t } = useLingui();
  const queries = useQueryClient();
  const [role, setRole] = useState<string>('provider');
  // The same request again is the same invitation; another one has another key.
  const key = useRef({ for: '', is: newKey() });
  const invite = useMutation({
    mutationFn: (body: { role: string; email: string; practitioner?: string }) => {
      const wanted = JSON.stringify(body);
      if (key.current.for !== wanted) key.current = { for: wanted, is: newKey() };
      return answer(api.POST('/v1/users', { params: { header: { 'idempotency-key': key.current.is } }, body }));
    },
    onSuccess: () => {
      key.current = { for: '', is: newKey() };
      return queries.invalidateQueries({ queryKey: ['users'] });
    },
  });
  const waiting = invite.data?.state === 'awaiting-approval' ? instant(invite.data.expires_at) : undefined;
  return (
    <Page title={t`Invite somebody`} back={<Link to="/"><Trans>People</Trans></Link>} intro={<Trans>They get an e-mail with a password that is good for one sign-in. Patients get a letter with a code instead.</Trans>}>
      {invite.error && <Failure error={invite.error} />}
      <div role="status">
        {invite.data && (waiting
          ? <Notice kind="warning" title={<Trans>Another administrator has to agree</Trans>}><p><Trans>Nothing was sent yet. Another administrator invites the same person to the same role by {waiting}.</Trans></p></Notice>
          : <Notice kind="good"><p><Trans>The invitation is sent.</Trans></p></Notice>)}
      </div>
      <CheckedForm
        className="card"
        busy={invite.isPending}
        error={invite.error}
        onSend={(form, fields) => {
          const practitioner = line(form, 'practitioner');
          invite.mutate(
            { role, email: line(form, 'email').toLowerCase(), ...(role === 'provider' ? { practitioner } : {}) },
            { onSuccess: () => fields.reset() },
          );
        }}
      >
        <SelectField label={<Trans>Role</Trans>} value={role} onChange={(event) => setRole(event.currentTarget.value)}>{ROLES.map((one) => <option key={one} value={one}>{say(one)}</option>)}</SelectField>
        <TwoAdministrators role={role} />
        <TextField name="email" type="email" label={<Trans>E-mail address</Trans>} required maxLength={254} />
        {role === 'provider' && <TextField name="practitioner" label={<Trans>Number in the directory</Trans>} hint={<Trans>The provider’s id in the practice’s directory.</Trans>} required minLength={36} maxLength={36} />}
        <Button type="submit" look="main" busy={invite.isPending && <Trans>Sending…</Trans>}><Trans>Send the invitation</Trans></Button>
      </CheckedForm>
    </Page>
  );
}
