// How messages are protected, and strict mode: a passphrase that the portal never sees.
import { useState } from 'react';
import { Link } from '@tanstack/react-router';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { fingerprint, type KeyLog } from '../../messages';
import { useAccount, usePatient } from '../../session/me';
import { useMailbox } from '../../session/messaging';
import { Button } from '../../ui/Button';
import { TextField } from '../../ui/Field';
import { Loaded } from '../../ui/Loading';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { Mail } from './mailbox';
import { Whose } from './NewKeys';

const SHORTEST = 15;

export function Protection() {
  const { t } = useLingui();
  const patient = usePatient();
  const { id } = useAccount();
  const { messages } = useMailbox();
  const query = useQuery({ queryKey: [patient, 'message-keys'], queryFn: () => messages.logs(patient), retry: false });
  return (
    <Mail>
      <Page
        title={t`How your messages are protected`}
        back={<Link to="/messages"><Trans>All messages</Trans></Link>}
        intro={<Trans>Messages are locked in your browser before they are sent. Only those who take part have a key.</Trans>}
      >
        <Loaded query={query}>
          {(logs) => {
            const own = logs.find(({ party }) => party === id);
            const locked = own?.keys.at(-1)?.protection === 'passphrase';
            return (
              <>
                <Passphrase patient={patient} locked={locked} />
                <Keys logs={logs} own={id} />
              </>
            );
          }}
        </Loaded>
      </Page>
    </Mail>
  );
}

function Passphrase({ patient, locked }: { patient: string; locked: boolean }) {
  const { messages } = useMailbox();
  const queries = useQueryClient();
  const [wrong, setWrong] = useState<'short' | 'other' | 'unsure'>();
  const change = useMutation({
    mutationFn: (passphrase: string | undefined) => messages.rotate([patient], passphrase === undefined ? undefined : { passphrase }),
    onSuccess: () => Promise.all([
      queries.invalidateQueries({ queryKey: [patient, 'message-keys'] }),
      queries.invalidateQueries({ queryKey: [patient, 'threads'] }),
    ]),
  });
  return (
    <section className="card" aria-labelledby="passphrase">
      <h2 id="passphrase"><Trans>A passphrase of your own</Trans></h2>
      <p>
        {locked
          ? <Trans>Your key is locked with your passphrase. The portal asks for it when you open your messages.</Trans>
          : <Trans>The portal keeps your key for you. If you set a passphrase, nobody can open your key without it, not even the portal.</Trans>}
      </p>
      {change.error && <Failure error={change.error} />}
      <div role="status">{change.isSuccess && <Notice kind="good"><p><Trans>You have a new key, and your conversations are shared with it.</Trans></p></Notice>}</div>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          const form = new FormData(event.currentTarget);
          const passphrase = String(form.get('passphrase') ?? '');
          const problem = Array.from(passphrase.normalize('NFKC')).length < SHORTEST ? 'short' : passphrase !== form.get('again') ? 'other' : form.get('sure') ? undefined : 'unsure';
          setWrong(problem);
          if (problem || change.isPending) return;
          const fields = event.currentTarget;
          change.mutate(passphrase, { onSuccess: () => fields.reset() });
        }}
      >
        {/* So that password managers keep it apart from the password. */}
        <input type="text" name="username" autoComplete="username" defaultValue="messages" hidden readOnly />
        <TextField name="passphrase" type="password" label={<Trans>New passphrase</Trans>} hint={<Trans>At least 15 characters. Four or five words that do not belong together are easy to keep in mind.</Trans>} wrong={wrong === 'short' && <Trans>Use at least 15 characters.</Trans>} autoComplete="new-password" />
        <TextField name="again" type="password" label={<Trans>New passphrase again</Trans>} wrong={wrong === 'other' && <Trans>The two are not the same.</Trans>} autoComplete="new-password" />
        <label className="check"><input type="checkbox" name="sure" /> <span><Trans>I know that nobody can open my messages if I forget it.</Trans></span></label>
        {wrong === 'unsure' && <p className="error" role="alert"><Trans>Check the box if you agree.</Trans></p>}
        <div className="actions">
          <Button type="submit" look="main" busy={change.isPending && <Trans>One moment…</Trans>}>{locked ? <Trans>Change the passphrase</Trans> : <Trans>Lock my messages</Trans>}</Button>
          {locked && <Button onClick={() => change.mutate(undefined)}><Trans>Stop using a passphrase</Trans></Button>}
        </div>
      </form>
    </section>
  );
}

function Keys({ logs, own }: { logs: KeyLog[]; own: string }) {
  return (
    <section className="card" aria-labelledby="keys">
      <h2 id="keys"><Trans>Keys, to compare</Trans></h2>
      <p><Trans>To be sure that nobody is in between, compare these letters with your care team by telephone or at the desk.</Trans></p>
      <dl className="facts">
        {logs.map((log) => (
          <div key={log.party}>
            <dt>{log.party === own ? <Trans>You</Trans> : <Whose log={log} />}</dt>
            <dd>{log.keys.length > 0 ? <span className="secret">{fingerprint(log)}</span> : <Trans>No key yet</Trans>}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
