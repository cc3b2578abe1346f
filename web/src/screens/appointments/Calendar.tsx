// A calendar elsewhere that follows the visits, by a secret address that is shown once.
import { useState } from 'react';
import { useMutation } from '@tanstack/react-query';
import { Trans } from '@lingui/react/macro';
import { answer, api, apiAddress } from '../../api/client';
import { usePatient } from '../../session/me';
import { Button } from '../../ui/Button';
import { Failure, Notice } from '../../ui/Notice';

export function Calendar() {
  const patient = usePatient();
  const [ended, setEnded] = useState(false);
  const params = { path: { patient } };
  const open = useMutation({
    mutationFn: () => answer(api.POST('/v1/patients/{patient}/calendar', { params })),
    onMutate: () => setEnded(false),
  });
  const revoke = useMutation({
    mutationFn: () => answer(api.DELETE('/v1/patients/{patient}/calendar', { params })),
    onSuccess: () => {
      open.reset();
      setEnded(true);
    },
  });
  return (
    <section className="card">
      <h2><Trans>Follow your visits in your own calendar</Trans></h2>
      <p><Trans>Give the address to the calendar on your phone or computer. It then shows when you have a visit, and nothing else: not with whom, and not why.</Trans></p>
      <Notice kind="warning"><p><Trans>Anybody who has the address can see when your visits are. Do not share it. A new address ends the one before.</Trans></p></Notice>
      {(open.error ?? revoke.error) && <Failure error={open.error ?? revoke.error} />}
      <div role="status">{ended && <Notice kind="good"><p><Trans>The address no longer works. If you had none, nothing changed.</Trans></p></Notice>}</div>
      {open.data && <Address text={apiAddress(open.data.path)} />}
      <div className="actions">
        <Button look="main" busy={open.isPending && <Trans>Being made…</Trans>} onClick={() => open.mutate()}><Trans>Make a new address</Trans></Button>
        <Button look="danger" busy={revoke.isPending && <Trans>Ending…</Trans>} onClick={() => revoke.mutate()}><Trans>End my calendar</Trans></Button>
      </div>
    </section>
  );
}

function Address({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <div>
      <p><Trans>This is your address. We show it only now:</Trans></p>
      <p className="secret" translate="no">{text}</p>
      <Button onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true), () => undefined)}><Trans>Copy the address</Trans></Button>
      <span role="status">{copied && <Trans>Copied.</Trans>}</span>
    </div>
  );
}
