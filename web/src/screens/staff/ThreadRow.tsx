import type { ReactNode } from 'react';
import { Link } from '@tanstack/react-router';
import { Plural, Trans } from '@lingui/react/macro';
import type { OpenedThread } from '../../messages';
import { instant } from '../../words/dates';
import { inWords } from '../../words/codes';
import { subjectOf } from '../messages/mailbox';

/** A conversation in a list of the practice's. */
export function ThreadRow({ thread, children }: { thread: OpenedThread; children?: ReactNode }) {
  const { stored } = thread;
  return (
    <Link to="/patients/$patient/threads/$thread" params={{ patient: stored.patient, thread: stored.id }} className="row">
      <span className="row-main">
        <span className="row-name">{subjectOf(thread)}</span>
        <span className="hint">{inWords(stored.category)} · {instant(stored.last_activity)}</span>
        {children}
      </span>
      {stored.unread > 0 && <span className="count"><Plural value={stored.unread} one="# new" other="# new" /></span>}
      {stored.state === 'closed' ? <span className="flag"><Trans>Closed</Trans></span> : !stored.assigned && <span className="flag note"><Trans>Nobody’s yet</Trans></span>}
    </Link>
  );
}
