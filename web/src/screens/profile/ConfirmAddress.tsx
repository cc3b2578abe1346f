// Shows that somebody reads mail at the address they sign in with. It comes after activation, and can be
// done later.
import { useState } from 'react';
import { Link } from '@tanstack/react-router';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useLingui } from '@lingui/react';
import { Trans, useLingui as useWords } from '@lingui/react/macro';
import * as v from 'valibot';
import { addressQuery } from '../../session/me';
import { cognitoSignedIn } from '../../session/session';
import { Button } from '../../ui/Button';
import { TextField } from '../../ui/Field';
import { read } from '../../ui/form';
import { Loaded } from '../../ui/Loading';
import { Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { useStep } from '../sign-in/Steps';
import { mailedCode } from '../sign-in/words';

export function ConfirmAddress() {
  const { t } = useWords();
  const query = useQuery(addressQuery);
  return (
    <Page title={t`Confirm your e-mail address`} intro={<Trans>With a confirmed address you can choose a new password if you forget yours, and others can let you act for them.</Trans>}>
      <Loaded query={query}>
        {(confirmed) => confirmed ? (
          <>
            <Notice kind="good"><p><Trans>Your address is confirmed.</Trans></p></Notice>
            <p><Link to="/" className="button main"><Trans>Go to the start page</Trans></Link></p>
          </>
        ) : <Confirm />}
      </Loaded>
    </Page>
  );
}

function Confirm() {
  const { _ } = useLingui();
  const queries = useQueryClient();
  const [sent, setSent] = useState(false);
  const { busy, failed, wrong, setWrong, run } = useStep<true>();
  const send = async () => {
    const done = await run(async () => {
      await (await cognitoSignedIn()).sendAddressCode();
      return true;
    });
    if (done) setSent(true);
  };
  const problem = failed && <Notice kind="alert"><p>{_(failed)}</p></Notice>;
  const later = <Link to="/" className="button"><Trans>Later</Trans></Link>;
  if (!sent) {
    return (
      <section className="card">
        {problem}
        <p><Trans>We send a code to the address that you sign in with.</Trans></p>
        <div className="actions">
          <Button look="main" busy={busy && <Trans>Sending…</Trans>} onClick={() => void send()}><Trans>Send me a code</Trans></Button>
          {later}
        </div>
      </section>
    );
  }
  return (
    <form
      className="card"
      noValidate
      onSubmit={async (event) => {
        event.preventDefault();
        const found = read(event.currentTarget, v.object({ code: mailedCode }));
        if (!found.ok) return setWrong(found.wrong);
        const done = await run(async () => {
          await (await cognitoSignedIn()).confirmAddress(found.value.code);
          return true;
        });
        if (done) queries.setQueryData(addressQuery.queryKey, true);
      }}
    >
      {problem}
      <p role="status"><Trans>A code is on its way to your address. It may take a few minutes.</Trans></p>
      <TextField name="code" label={<Trans>Code from the e-mail</Trans>} wrong={wrong['code'] && _(wrong['code'])} inputMode="numeric" autoComplete="one-time-code" className="code-input" autoFocus required />
      <div className="actions">
        <Button type="submit" look="main" busy={busy && <Trans>Checking…</Trans>}><Trans>Confirm my address</Trans></Button>
        <Button onClick={() => void send()}><Trans>Send another code</Trans></Button>
        {later}
      </div>
    </form>
  );
}
