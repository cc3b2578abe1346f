// Signing in with e-mail address and password; what comes next is loaded then.
import { lazy, Suspense, useState } from 'react';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import type { MessageDescriptor } from '@lingui/core';
import { msg } from '@lingui/core/macro';
import { useLingui } from '@lingui/react';
import { Trans, useLingui as useWords } from '@lingui/react/macro';
import * as v from 'valibot';
import type { Step } from '../../session/cognito';
import { active, cognito } from '../../session/session';
import { SignedOutFrame } from '../../shell/SignedOutFrame';
import { Button } from '../../ui/Button';
import { TextField } from '../../ui/Field';
import { read, type Wrong } from '../../ui/form';
import { Skeleton } from '../../ui/Loading';
import { Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { email, given, saysOf } from './words';

const Steps = lazy(() => import('./Steps').then(({ Steps }) => ({ default: Steps })));

const ENDED: Record<string, MessageDescriptor> = {
  here: msg`You are signed out. Close this window if others use this computer.`,
  everywhere: msg`You are signed out on all your devices.`,
  idle: msg`We signed you out because the portal was not used for 15 minutes.`,
  ended: msg`Your session has ended. Please sign in again.`,
  again: msg`Sign in again, and you go on where you were.`,
  address: msg`Your address is changed. Sign in with the new one. If that does not work yet, use the old one for another hour.`,
  reset: msg`Your new password is saved. Sign in with it now.`,
};

const form = v.object({ email, password: given(msg`Enter your password.`) });

export function SignIn() {
  const { t } = useWords();
  const { _ } = useLingui();
  const navigate = useNavigate();
  const { ended, next = '/' } = useSearch({ strict: false });
  const [who, setWho] = useState('');
  const [step, setStep] = useState<Step>();
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<MessageDescriptor>();
  const [wrong, setWrong] = useState<Wrong>({});
  const why = ended && Object.hasOwn(ENDED, ended) ? ENDED[ended] : undefined;

  if (step) {
    return (
      <SignedOutFrame>
        <Suspense fallback={<Skeleton />}><Steps email={who} step={step} onStep={setStep} then={next} /></Suspense>
        <p><Button look="quiet" onClick={() => setStep(undefined)}><Trans>Start again</Trans></Button></p>
      </SignedOutFrame>
    );
  }
  return (
    <SignedOutFrame>
      <Page title={t`Sign in`} intro={<Trans>See your test results, medicines and visits, and write to your care team.</Trans>}>
        {why && !failed && <Notice><p>{_(why)}</p></Notice>}
        {failed && <Notice kind="alert"><p>{_(failed)}</p></Notice>}
        <form
          noValidate
          onSubmit={async (event) => {
            event.preventDefault();
            const found = read(event.currentTarget, form);
            if (!found.ok) return setWrong(found.wrong);
            setBusy(true);
            setFailed(undefined);
            setWrong({});
            try {
              setWho(found.value.email);
              const first = await (await cognito()).signIn(found.value.email, found.value.password);
              if (first.step === 'done') {
                active();
                await navigate({ to: next, replace: true });
              } else if (first.step === 'reset') await navigate({ to: '/forgotten-password' });
              else setStep(first);
            } catch (error) {
              setFailed(saysOf(error));
            } finally {
              setBusy(false);
            }
          }}
        >
          <TextField name="email" type="email" label={<Trans>E-mail address</Trans>} wrong={wrong['email'] && _(wrong['email'])} autoComplete="username" defaultValue={who} required />
          <TextField name="password" type="password" label={<Trans>Password</Trans>} wrong={wrong['password'] && _(wrong['password'])} autoComplete="current-password" required />
          <Button type="submit" look="main" busy={busy && <Trans>Checking…</Trans>}><Trans>Continue</Trans></Button>
        </form>
        <ul className="plain-links">
          <li><Link to="/forgotten-password"><Trans>I forgot my password</Trans></Link></li>
          <li><Link to="/activate"><Trans>I have a letter with a code: make my account</Trans></Link></li>
        </ul>
      </Page>
    </SignedOutFrame>
  );
}
