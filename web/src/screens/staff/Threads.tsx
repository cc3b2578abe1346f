import { useQuery } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { useMailbox } from '../../session/messaging';
import { Empty, Loaded } from '../../ui/Loading';
import { usePracticeKey } from './mailbox';
import { Record, useRecord } from './Record';
import { ThreadRow } from './ThreadRow';

/** A patient's conversations, closed ones too. */
export function Threads() {
  const { t } = useLingui();
  return <Record title={t`Messages`}><Listed /></Record>;
}

function Listed() {
  const { patient } = useRecord();
  const { messages } = useMailbox();
  usePracticeKey(patient);
  const query = useQuery({ queryKey: [patient, 'threads'], queryFn: () => messages.list(patient), retry: false });
  return (
    <Loaded query={query} lines={5}>
      {(all) => all.length > 0
        ? <div className="card"><ul className="rows">{all.map((one) => <li key={one.stored.id}><ThreadRow thread={one} /></li>)}</ul></div>
        : <Empty title={<Trans>No conversations yet</Trans>}><Trans>When this patient writes, the conversation appears here.</Trans></Empty>}
    </Loaded>
  );
}
