// Activation codes for the letters with which patients open their accounts.
import { useMutation } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import { Button } from '../../ui/Button';
import { TextField } from '../../ui/Field';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { instant } from '../../words/dates';
import { line } from './FormDialog';

export function Codes() {
  const { t } = useLingui();
  const issue = useMutation({ gcTime: 0, mutationFn: (mrn: string) => answer(api.POST('/v1/activation-codes', { body: { mrn } })) });
  const until = issue.data && instant(issue.data.expires_at);
  return (
    <Page title={t`Activation codes`} intro={<Trans>A patient opens an account with the code from your letter, the record number and the date of birth. Any earlier code stops working.</Trans>}>
      {issue.error && <Failure error={issue.error} />}
      <div role="status">
        {issue.data && (
          <section className="card" aria-labelledby="code">
            <h2 id="code"><Trans>The code for the letter</Trans></h2>
            <p className="secret big-code">{issue.data.code}</p>
            <p><Trans>It works until {until}. Write it down now: it is shown once.</Trans></p>
            <Button onClick={() => issue.reset()}><Trans>Done</Trans></Button>
          </section>
        )}
      </div>
      {!issue.data && (
        <form
          className="card"
          onSubmit={(event) => {
            event.preventDefault();
            if (!issue.isPending) issue.mutate(line(new FormData(event.currentTarget), 'mrn'));
          }}
        >
          <TextField name="mrn" label={<Trans>Record number</Trans>} required maxLength={64} />
          <Button type="submit" look="main" busy={issue.isPending && <Trans>One moment…</Trans>}><Trans>Make a code</Trans></Button>
        </form>
      )}
      <Notice><p><Trans>Send the code by letter, to the address in the record. Never tell it by telephone or e-mail.</Trans></p></Notice>
    </Page>
  );
}
