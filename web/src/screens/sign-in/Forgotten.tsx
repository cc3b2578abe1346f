// A new password for somebody who forgot theirs. The second factor is still asked for afterwards.
import { useState } from 'react';
import { Link, useNavigate } from '@tanstack/react-router';
import { msg } from '@lingui/core/macro';
import { useLingui } from '@lingui/react';
import { Trans, useLingui as useWords } from '@lingui/react/macro';
import * as v from 'valibot';
import { cognito } from '../../session/session';
import { SignedOutFrame } from '../../shell/SignedOutFrame';
import { Button } from '../../ui/Button';
import { TextField } from '../../ui/Field';
import { read } from '../../ui/form';
import { Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { PasswordFields, useStep } from './Steps';
import { email, mailedCode, newPassword } from './words';

const second = v.pipe(
  v.object({
    code: mailedCode,
    password: newPassword,
    again: v.string(),
  }),
  v.forward(
    v.check(({ password, again }) => password === again, () => JSON.stringify(msg`The two passwords are not the same.`)),
    ['again'],
  ),
);

export function Forgotten() {
  const { t } = useWords();
  const { _ } = useLingui();
  const navigate = useNavigate();
  const [who, setWho] = useState<string>();
  const { busy, failed, wrong, setWrong, run } = useStep<boolean>();
  const problem = failed && <Notice kind="alert"><p>{_(failed)}</p></Notice>;
  if (who === undefined) {
    return (
      <SignedOutFrame>
        <Page key="first" title={t`Forgot your password?`} intro={<Trans>We send a code to your e-mail address. With it you choose a new password.</Trans>}>
          {problem}
          <form
            noValidate
            onSubmit={async (event) => {
              event.preventDefault();
              const found = read(event.currentTarget, v.object({ email }));
              if (!found.ok) return setWrong(found.wrong);
              const sent = await run(async () => {
                await (await cognito()).forgot(found.value.email);
                return true;
              });
              if (sent) setWho(found.value.email);
            }}
          >
            <TextField name="email" type="email" label={<Trans>E-mail address</Trans>} wrong={wrong['email'] && _(wrong['email'])} autoComplete="username" required />
            <Button type="submit" look="main" busy={busy && <Trans>Sending…</Trans>}><Trans>Send me a code</Trans></Button>
          </form>
          <p><Link to="/sign-in"><Trans>Back to sign-in</Trans></Link></p>
        </Page>
      </SignedOutFrame>
    );
  }
  return (
    <SignedOutFrame>
      <Page key="second" title={t`Choose a new password`} intro={<Trans>If there is an account with this address, a code is on its way to it. It may take a few minutes.</Trans>}>
        {problem}
        <form
          noValidate
          onSubmit={async (event) => {
            event.preventDefault();
            const found = read(event.currentTarget, second);
            if (!found.ok) return setWrong(found.wrong);
            const done = await run(async () => {
              await (await cognito()).reset(who, found.value.code, found.value.password);
              return true;
            });
            if (done) await navigate({ to: '/sign-in', search: { ended: 'reset' } });
          }}
        >
          <TextField name="code" label={<Trans>Code from the e-mail</Trans>} wrong={wrong['code'] && _(wrong['code'])} inputMode="numeric" autoComplete="one-time-code" className="code-input" required />
          <PasswordFields wrong={wrong} />
          <Button type="submit" look="main" busy={busy && <Trans>Saving…</Trans>}><Trans>Save password</Trans></Button>
        </form>
        <p><Button look="quiet" onClick={() => setWho(undefined)}><Trans>I did not get a code</Trans></Button></p>
      </Page>
    </SignedOutFrame>
  );
}
