// Somebody has a new key: the person at the browser is told before anything is sealed to it.
import { useQuery } from '@tanstack/react-query';
import { Trans } from '@lingui/react/macro';
import { accept, fingerprint, hasNewKey, type KeyLog } from '../../messages';
import { useMailbox } from '../../session/messaging';
import { Button } from '../../ui/Button';
import { Loaded } from '../../ui/Loading';

export function NewKeys({ patient, onDone }: { patient: string; onDone: () => void }) {
  const { messages, memory } = useMailbox();
  const query = useQuery({
    queryKey: [patient, 'new-keys'],
    queryFn: async () => {
      const found: KeyLog[] = [];
      for (const log of await messages.logs(patient)) if (await hasNewKey(memory, log)) found.push(log);
      return found;
    },
    gcTime: 0,
    staleTime: 0,
  });
  return (
    <Loaded query={query} lines={2}>
      {(logs) => (
        <div className="notice warning">
          <ul>
            {logs.map((log) => <li key={log.party}><Whose log={log} />: <span className="secret">{fingerprint(log)}</span></li>)}
          </ul>
          <p><Trans>This happens when somebody sets a new passphrase or lost the old key. If you want to be sure, compare these letters by telephone.</Trans></p>
          <Button
            onClick={async () => {
              for (const log of logs) await accept(memory, log);
              onDone();
            }}
          >
            <Trans>Use the new key</Trans>
          </Button>
        </div>
      )}
    </Loaded>
  );
}

export function Whose({ log }: { log: KeyLog }) {
  if (log.relationship === 'practice') return <Trans>Your care team</Trans>;
  return log.relationship === 'patient' ? <Trans>The patient</Trans> : <Trans>Somebody who acts for the patient</Trans>;
}
