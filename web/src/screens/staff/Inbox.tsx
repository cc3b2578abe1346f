// Open conversations of everybody whom the provider treats.
import { useState } from 'react';
import { useQuery } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { useMailbox } from '../../session/messaging';
import { Choice } from '../../ui/Choice';
import { Empty, Loaded } from '../../ui/Loading';
import { Page } from '../../ui/Page';
import { usePracticeKey } from './mailbox';
import { ThreadRow } from './ThreadRow';

export function Inbox() {
  const { t } = useLingui();
  const { messages } = useMailbox();
  usePracticeKey();
  const [shown, setShown] = useState<'all' | 'new' | 'unassigned'>('all');
  const query = useQuery({ queryKey: ['inbox'], queryFn: () => messages.inbox(), retry: false });
  return (
    <Page title={t`Messages`} intro={<Trans>Open conversations of your patients. Whoever is on the care team can read and answer.</Trans>}>
      <Choice label={t`Which conversations`} value={shown} onChange={setShown} options={[['all', t`All`], ['new', t`Not read yet`], ['unassigned', t`Nobody’s yet`]]} />
      <Loaded query={query} lines={6}>
        {(all) => {
          const some = all.filter(({ stored }) => shown === 'all' || (shown === 'new' ? stored.unread > 0 : !stored.assigned));
          if (some.length === 0) return <Empty title={<Trans>Nothing is waiting here</Trans>}><Trans>When a patient of yours writes, the conversation appears here.</Trans></Empty>;
          return <div className="card"><ul className="rows">{some.map((one) => <li key={one.stored.id}><ThreadRow thread={one} /></li>)}</ul></div>;
        }}
      </Loaded>
    </Page>
  );
}
