// Another e-mail address to sign in with: a code goes to the old one and another to the new one.
import { useState } from 'react';
import { Link } from '@tanstack/react-router';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Trans } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import { addressQuery } from '../../session/me';
import { endSession } from '../../session/session';
import { Button } from '../../ui/Button';
import { TextField } from '../../ui/Field';
import { Failure, Notice } from '../../ui/Notice';
import { instant } from '../../words/dates';

export function EmailChange() {
  const [wrong, setWrong] = useState(false);
  const ask = useMutation({ mutationFn: (email: string) => answer(api.POST('/v1/account/email-change', { body: { email } })) });
  const confirm = useMutation({
    mutationFn: (body: { old_address_code: string; new_address_code: string }) => answer(api.POST('/v1/account/email-change/confirm', { body })),
    onSuccess: () => endSession('address'),
  });
  const confirmed = useQuery(addressQuery).data;
  const until = ask.data && instant(ask.data.expires_at);
  return (
    <section className="card" aria-labelledby="address">
      <h2 id="address"><Trans>E-mail address you sign in with</Trans></h2>
      {confirmed === true && <p className="hint"><Trans>Your address is confirmed.</Trans></p>}
      {confirmed === false && (
        <Notice kind="warning">
          <p><Trans>Your address is not confirmed yet. Until it is, you cannot get a new password by e-mail.</Trans></p>
          <p><Link to="/confirm-address" className="button"><Trans>Confirm my address</Trans></Link></p>
        </Notice>
      )}
      {ask.error && <Failure error={ask.error} />}
      {confirm.error && <Failure error={confirm.error} />}
      {!ask.data ? (
        <form
          noValidate
          onSubmit={(event) => {
            event.preventDefault();
            const email = String(new FormData(event.currentTarget).get('email') ?? '').trim();
            setWrong(!/^[^\s@]+@[^\s@]+$/.test(email));
            if (/^[^\s@]+@[^\s@]+$/.test(email) && !ask.isPending) ask.mutate(email);
          }}
        >
          <TextField name="email" type="email" label={<Trans>New e-mail address</Trans>} hint={<Trans>We send a code to your current address, and another one to the new address.</Trans>} wrong={wrong && <Trans>Enter an e-mail address, like name@example.com.</Trans>} autoComplete="email" required />
          <Button type="submit" busy={ask.isPending && <Trans>Sending…</Trans>}><Trans>Send the codes</Trans></Button>
        </form>
      ) : (
        <form
          noValidate
          onSubmit={(event) => {
            event.preventDefault();
            const form = new FormData(event.currentTarget);
            const code = (name: string) => String(form.get(name) ?? '').replace(/\s/g, '');
            const codes = { old_address_code: code('old'), new_address_code: code('new') };
            setWrong(!codes.old_address_code || !codes.new_address_code);
            if (codes.old_address_code && codes.new_address_code && !confirm.isPending) confirm.mutate(codes);
          }}
        >
          {ask.data.sent
            ? <Notice><p><Trans>Two e-mails are on their way. The codes are good until {until}.</Trans></p></Notice>
            : <Notice kind="warning"><p><Trans>An e-mail could not be sent. Ask for the codes again.</Trans></p></Notice>}
          <TextField name="old" label={<Trans>Code from the old address</Trans>} wrong={wrong && <Trans>Enter both codes.</Trans>} className="code-input" required />
          <TextField name="new" label={<Trans>Code from the new address</Trans>} className="code-input" required />
          <div className="actions">
            <Button type="submit" look="main" busy={confirm.isPending && <Trans>Saving…</Trans>}><Trans>Change the address</Trans></Button>
            <Button onClick={() => { ask.reset(); confirm.reset(); }}><Trans>Start again</Trans></Button>
          </div>
          <p className="hint"><Trans>After this you are signed out everywhere and sign in with the new address.</Trans></p>
        </form>
      )}
    </section>
  );
}
