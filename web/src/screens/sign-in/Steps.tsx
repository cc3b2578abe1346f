// The steps of signing in, one after the other, as Cognito asks for them.
import { useMemo, useState } from 'react';
import { useNavigate } from '@tanstack/react-router';
import type { MessageDescriptor } from '@lingui/core';
import { useLingui } from '@lingui/react';
import { Trans, useLingui as useWords } from '@lingui/react/macro';
import { msg } from '@lingui/core/macro';
import { encode } from 'uqr';
import * as v from 'valibot';
import type { Step } from '../../session/cognito';
import { active, cognito } from '../../session/session';
import { Button } from '../../ui/Button';
import { TextField } from '../../ui/Field';
import { read, type Wrong } from '../../ui/form';
import { Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { code, newPassword, saysOf } from './words';

/** What every step has: its work, and what went wrong with it. */
export function useStep<T>() {
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<MessageDescriptor>();
  const [wrong, setWrong] = useState<Wrong>({});
  const run = async (work: () => Promise<T>): Promise<T | undefined> => {
    setBusy(true);
    setFailed(undefined);
    setWrong({});
    try {
      return await work();
    } catch (error) {
      setFailed(saysOf(error));
      return undefined;
    } finally {
      setBusy(false);
    }
  };
  return { busy, failed, wrong, setWrong, run };
}

interface Props {
  email: string;
  step: Step;
  onStep: (step: Step) => void;
  /** Where to, once the last step is done. */
  then?: string;
}

export function Steps({ email, step, onStep, then = '/' }: Props) {
  const navigate = useNavigate();
  const next = (step: Step | undefined) => {
    if (step?.step === 'done') {
      active();
      void navigate({ to: then, replace: true });
    } else if (step) onStep(step);
  };
  switch (step.step) {
    case 'new-password':
      return <NewPassword email={email} next={next} />;
    case 'set-up':
      return <SetUp email={email} secret={step.secret} uri={step.uri} next={next} />;
    case 'code':
      return <Code email={email} next={next} />;
    default:
      return null;
  }
}

interface StepProps {
  email: string;
  next: (step: Step | undefined) => void;
}

function Code({ email, next }: StepProps) {
  const { t } = useWords();
  const { _ } = useLingui();
  const { busy, failed, wrong, setWrong, run } = useStep<Step>();
  return (
    <Page title={t`Enter your code`} intro={<Trans>Open the app on your phone that makes your sign-in codes.</Trans>}>
      <form
        noValidate
        onSubmit={async (event) => {
          event.preventDefault();
          const found = read(event.currentTarget, v.object({ code }));
          if (!found.ok) return setWrong(found.wrong);
          next(await run(async () => (await cognito()).confirm(found.value.code, email, 'code')));
        }}
      >
        {failed && <Notice kind="alert"><p>{_(failed)}</p></Notice>}
        <CodeField wrong={wrong['code']} />
        <Button type="submit" look="main" busy={busy && <Trans>Checking…</Trans>}><Trans>Sign in</Trans></Button>
        <p className="hint"><Trans>Lost your phone? Call the practice. They check who you are and set up a new one with you.</Trans></p>
      </form>
    </Page>
  );
}

export function CodeField({ wrong }: { wrong?: MessageDescriptor | undefined }) {
  const { _ } = useLingui();
  return (
    <TextField
      name="code"
      label={<Trans>6-digit code</Trans>}
      wrong={wrong && _(wrong)}
      inputMode="numeric"
      autoComplete="one-time-code"
      maxLength={7}
      className="code-input"
      required
    />
  );
}

export const passwords = v.pipe(
  v.object({ password: newPassword, again: v.string() }),
  v.forward(
    v.check(({ password, again }) => password === again, () => JSON.stringify(msg`The two passwords are not the same.`)),
    ['again'],
  ),
);

export function PasswordFields({ wrong }: { wrong: Wrong }) {
  const { _ } = useLingui();
  const [shown, setShown] = useState(false);
  const kind = shown ? 'text' : 'password';
  // A password that is shown is a text, which browsers may send away to have its spelling checked.
  const untouched = { spellCheck: false, autoCapitalize: 'none' };
  return (
    <>
      <TextField
        name="password"
        type={kind}
        label={<Trans>New password</Trans>}
        hint={<Trans>At least 14 characters, with small and capital letters, a number and a sign. A few words with signs between them are easy to keep in mind.</Trans>}
        wrong={wrong['password'] && _(wrong['password'])}
        autoComplete="new-password"
        {...untouched}
        required
      />
      <TextField name="again" type={kind} label={<Trans>New password again</Trans>} wrong={wrong['again'] && _(wrong['again'])} autoComplete="new-password" {...untouched} required />
      <label className="check"><input type="checkbox" checked={shown} onChange={() => setShown(!shown)} /> <Trans>Show the password</Trans></label>
    </>
  );
}

function NewPassword({ email, next }: StepProps) {
  const { t } = useWords();
  const { _ } = useLingui();
  const { busy, failed, wrong, setWrong, run } = useStep<Step>();
  return (
    <Page title={t`Choose a password`} intro={<Trans>This is the password that you will sign in with from now on.</Trans>}>
      <form
        noValidate
        onSubmit={async (event) => {
          event.preventDefault();
          const found = read(event.currentTarget, passwords);
          if (!found.ok) return setWrong(found.wrong);
          next(await run(async () => (await cognito()).confirm(found.value.password, email, 'wrong')));
        }}
      >
        {failed && <Notice kind="alert"><p>{_(failed)}</p></Notice>}
        <input type="text" name="username" autoComplete="username" defaultValue={email} hidden readOnly />
        <PasswordFields wrong={wrong} />
        <Button type="submit" look="main" busy={busy && <Trans>Saving…</Trans>}><Trans>Save password</Trans></Button>
      </form>
    </Page>
  );
}

function SetUp({ email, secret, uri, next }: StepProps & { secret: string; uri: string }) {
  const { t } = useWords();
  const { _ } = useLingui();
  const { busy, failed, wrong, setWrong, run } = useStep<Step>();
  return (
    <Page title={t`Set up your sign-in codes`} intro={<Trans>From now on you need two things to sign in: your password and a code from your phone. This keeps others out, even if they learn your password.</Trans>}>
      <form
        noValidate
        onSubmit={async (event) => {
          event.preventDefault();
          const found = read(event.currentTarget, v.object({ code }));
          if (!found.ok) return setWrong(found.wrong);
          next(await run(async () => (await cognito()).confirm(found.value.code, email, 'code')));
        }}
      >
        <ol className="how">
          <li><Trans>Get an authenticator app on your phone, if you do not have one. Google Authenticator, Microsoft Authenticator and others work.</Trans></li>
          <li>
            <Trans>In the app, add an account and scan this picture.</Trans>
            <Qr text={uri} label={t`QR code for your authenticator app`} />
            <details>
              <summary><Trans>I cannot scan it</Trans></summary>
              <p><Trans>Type this key into the app instead:</Trans></p>
              <p className="secret" translate="no">{secret.match(/.{1,4}/g)?.join(' ')}</p>
            </details>
          </li>
          <li><Trans>Enter the code that the app shows now.</Trans></li>
        </ol>
        {failed && <Notice kind="alert"><p>{_(failed)}</p></Notice>}
        <CodeField wrong={wrong['code']} />
        <Button type="submit" look="main" busy={busy && <Trans>Checking…</Trans>}><Trans>Finish and sign in</Trans></Button>
      </form>
    </Page>
  );
}

/** A QR code as one path, dark on light in every theme: scanners want it so. */
function Qr({ text, label }: { text: string; label: string }) {
  const { path, size } = useMemo(() => {
    const { data, size } = encode(text, { border: 3 });
    const path = data.flatMap((row, y) => row.map((on, x) => (on ? `M${x} ${y}h1v1h-1z` : ''))).join('');
    return { path, size };
  }, [text]);
  return (
    <svg className="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label} shapeRendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
