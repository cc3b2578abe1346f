// A patient makes their account with the letter from the practice.
import { useRef, useState } from 'react';
import { Link } from '@tanstack/react-router';
import { msg } from '@lingui/core/macro';
import { useLingui } from '@lingui/react';
import { Trans, useLingui as useWords } from '@lingui/react/macro';
import * as v from 'valibot';
import { answer, api, newKey } from '../../api/client';
import { asProblem } from '../../api/problem';
import type { Step } from '../../session/cognito';
import { cognito } from '../../session/session';
import { SignedOutFrame } from '../../shell/SignedOutFrame';
import { Button } from '../../ui/Button';
import { TextField } from '../../ui/Field';
import { must, read, type Wrong } from '../../ui/form';
import { Failure } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { Steps } from './Steps';
import { email, given } from './words';

const form = v.object({
  mrn: given(msg`Enter the record number from the letter.`),
  birth_date: v.pipe(v.string(), must((text) => /^\d{4}-\d{2}-\d{2}$/.test(text), msg`Enter your date of birth.`)),
  code: v.pipe(
    v.string(),
    v.transform((text) => text.trim().toUpperCase()),
    must((text) => /^[0-9A-Z]{4}(-[0-9A-Z]{4}){3}$/.test(text), msg`Enter the code from the letter, with its dashes.`),
  ),
  email,
});

export function Activate() {
  const { t } = useWords();
  const { _ } = useLingui();
  const key = useRef(newKey());
  const [wrong, setWrong] = useState<Wrong>({});
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const [who, setWho] = useState('');
  const [step, setStep] = useState<Step>();
  /** For the same letter again, if the steps took too long: with the same key its code is still good. */
  const [entered, setEntered] = useState<Partial<v.InferOutput<typeof form>>>({});

  if (step) {
    return (
      <SignedOutFrame>
        <Steps email={who} step={step} onStep={setStep} then="/confirm-address" />
        <p><Button look="quiet" onClick={() => setStep(undefined)}><Trans>Start again</Trans></Button></p>
      </SignedOutFrame>
    );
  }
  const field = (name: string) => wrong[name] && _(wrong[name]);
  return (
    <SignedOutFrame>
      <Page title={t`Make your account`} intro={<Trans>You need the letter from the practice. It has your record number and a code.</Trans>}>
        {error !== undefined && <Failure error={error} />}
        <form
          noValidate
          onSubmit={async (event) => {
            event.preventDefault();
            const found = read(event.currentTarget, form);
            if (!found.ok) return setWrong(found.wrong);
            setBusy(true);
            setWrong({});
            setError(undefined);
            try {
              const made = await answer(api.POST('/v1/activations', {
                params: { header: { 'idempotency-key': key.current } },
                body: found.value,
              }));
              setWho(made.username);
              setEntered(found.value);
              // The first password is good for this one sign-in, and is seen by nobody.
              setStep(await (await cognito()).signIn(made.username, made.temporary_password));
            } catch (problem) {
              setError(problem);
              const { fields, status } = asProblem(problem);
              if (status >= 400 && status < 500) key.current = newKey();
              const at: Wrong = {};
              for (const { pointer } of fields) at[pointer.slice(1)] = msg`Please check this.`;
              setWrong(at);
            } finally {
              setBusy(false);
            }
          }}
        >
          <TextField name="mrn" defaultValue={entered.mrn} label={<Trans>Record number</Trans>} hint={<Trans>It is at the top of the letter.</Trans>} wrong={field('mrn')} required />
          <TextField name="birth_date" defaultValue={entered.birth_date} type="date" label={<Trans>Date of birth</Trans>} wrong={field('birth_date')} autoComplete="bday" required />
          <TextField name="code" defaultValue={entered.code} label={<Trans>Code from the letter</Trans>} hint={<Trans>Four groups of letters and numbers, with dashes between them.</Trans>} wrong={field('code')} autoCapitalize="characters" spellCheck={false} required />
          <TextField name="email" defaultValue={entered.email} type="email" label={<Trans>Your e-mail address</Trans>} hint={<Trans>You will sign in with it.</Trans>} wrong={field('email')} autoComplete="email" required />
          <Button type="submit" look="main" busy={busy && <Trans>Checking…</Trans>}><Trans>Continue</Trans></Button>
        </form>
        <p><Link to="/sign-in"><Trans>I have an account: sign in</Trans></Link></p>
      </Page>
    </SignedOutFrame>
  );
}
