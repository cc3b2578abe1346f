// All conversations with the care team, newest first.
import { useState } from 'react';
import { Link } from '@tanstack/react-router';
import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { usePatient } from '../../session/me';
import type { OpenedThread } from '../../messages';
import { Choice } from '../../ui/Choice';
import { Empty, Loaded } from '../../ui/Loading';
import { Page } from '../../ui/Page';
import { instant } from '../../words/dates';
import { inWords } from '../../words/codes';
import { Emergency, Mail, subjectOf, useThreads } from './mailbox';
import { Sharing } from './Sharing';

export function Messages() {
  const { t } = useLingui();
  const [shown, setShown] = useState<'inbox' | 'hidden'>('inbox');
  const patient = usePatient();
  const threads = useThreads(patient);
  return (
    <Mail>
      <Page
        title={t`Messages`}
        intro={<Trans>Write to your care team. Only you and they can read it.</Trans>}
        action={<Link to="/messages/new" className="button main"><Trans>Write a message</Trans></Link>}
      >
        <Emergency patient={patient} />
        <Choice label={t`Which conversations`} value={shown} onChange={setShown} options={[['inbox', t`Conversations`], ['hidden', t`Put away`]]} />
        <Sharing patient={patient} />
        <Loaded query={threads} lines={6}>
          {(all) => {
            const some = all.filter(({ stored }) => stored.hidden === (shown === 'hidden'));
            if (some.length > 0) return <div className="card"><ul className="rows">{some.map((one) => <li key={one.stored.id}><Row thread={one} /></li>)}</ul></div>;
            return shown === 'hidden'
              ? <Empty title={<Trans>Nothing is put away</Trans>}><Trans>Conversations that you put away are kept here.</Trans></Empty>
              : <Empty title={<Trans>No conversations yet</Trans>}><Trans>When you or your care team write, the conversation appears here.</Trans></Empty>;
          }}
        </Loaded>
        <p><Link to="/messages/protection"><Trans>How your messages are protected</Trans></Link></p>
      </Page>
    </Mail>
  );
}

function Row({ thread }: { thread: OpenedThread }) {
  const { stored } = thread;
  return (
    <Link to="/messages/$thread" params={{ thread: stored.id }} className="row">
      <span className="row-main">
        <span className="row-name">{subjectOf(thread)}</span>
        <span className="hint">{inWords(stored.category)} · {instant(stored.last_activity)}</span>
      </span>
      {stored.unread > 0 && <span className="count"><Plural value={stored.unread} one="# new" other="# new" /></span>}
      {stored.state === 'closed' && <span className="flag"><Trans>Closed</Trans></span>}
    </Link>
  );
}
