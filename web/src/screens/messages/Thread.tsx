// One conversation: every message as it was verified, who has read it, and answering.
import { useEffect } from 'react';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Plural, Trans, useLingui } from '@lingui/react/macro';
import type { OpenedMessage, StoredThread } from '../../messages';
import { useAccount, usePatient } from '../../session/me';
import { useMailbox } from '../../session/messaging';
import { Button } from '../../ui/Button';
import { Empty, Loaded, Skeleton } from '../../ui/Loading';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { day, instant } from '../../words/dates';
import { Answer } from './Compose';
import { Mail, subjectOf, useThreads } from './mailbox';
import { Anew, Sharing, useSharing } from './Sharing';

export function Thread() {
  const { t } = useLingui();
  const patient = usePatient();
  const { thread } = useParams({ strict: false }) as { thread: string };
  const { messages } = useMailbox();
  const queries = useQueryClient();
  const threads = useThreads(patient);
  const sharing = useSharing(patient);
  const found = threads.data?.find(({ stored }) => stored.id === thread);
  const query = useQuery({
    queryKey: [patient, 'thread', thread],
    queryFn: () => messages.read(patient, thread),
    retry: false,
  });
  const last = query.data?.at(-1)?.sequence;
  const unread = found?.stored.unread ?? 0;
  useEffect(() => {
    if (last === undefined || unread === 0) return;
    // Whoever sees it has read it; a receipt that is lost goes with the next visit.
    messages.markRead(patient, thread).then(
      () => Promise.all([queries.invalidateQueries({ queryKey: [patient, 'threads'] }), queries.invalidateQueries({ queryKey: [patient, 'dashboard'] })]),
      () => undefined,
    );
  }, [last, unread, patient, thread]);
  return (
    <Mail>
      <Page title={t`Conversation`} heading={found && subjectOf(found)} back={<Link to="/messages"><Trans>All messages</Trans></Link>}>
        <Loaded query={query} lines={6}>
          {(all) => (
            <>
              {all.length === 0 && <Empty title={<Trans>No messages</Trans>} />}
              <ol className="conversation" aria-label={t`Messages, oldest first`}>
                {all.map((message) => <li key={message.sequence}><One message={message} /></li>)}
              </ol>
              {found && <Receipts stored={found.stored} messages={all} />}
              <p className="unseen" role="status"><Plural value={all.length} one="# message" other="# messages" /></p>
              <Sharing patient={patient} />
              {found?.stored.state === 'closed'
                ? <Notice><p><Trans>The practice closed this conversation. Start a new one to write again.</Trans></p></Notice>
                : !found || !sharing.data
                  // Before it is known who has the key, nothing is sealed with it.
                  ? threads.error ? <Failure error={threads.error} onAgain={() => void threads.refetch()} /> : !sharing.error && <Skeleton lines={3} />
                  : sharing.data.outlived.has(thread)
                    ? <Anew patient={patient} subject={subjectOf(found)} />
                    : <Answer patient={patient} thread={thread} />}
              {found && <PutAway patient={patient} stored={found.stored} />}
            </>
          )}
        </Loaded>
      </Page>
    </Mail>
  );
}

function One({ message }: { message: OpenedMessage }) {
  const { id } = useAccount();
  const mine = message.sender === id;
  return (
    <article className={mine ? 'message mine' : 'message'}>
      <p className="message-head">
        <strong>{mine ? <Trans>You</Trans> : message.party === 'providers' ? <Trans>Your care team</Trans> : <Trans>The patient, or somebody who acts for them</Trans>}</strong>
        <span className="hint">{instant(message.sentAt)}</span>
      </p>
      <p className="message-text">{message.text}</p>
      {message.attachments.length > 0 && (
        <ul className="plain-links">
          {message.attachments.map((document, at) => {
            const number = at + 1;
            return <li key={document}><Link to="/documents/$document" params={{ document }}><Trans>Attached document {number}</Trans></Link></li>;
          })}
        </ul>
      )}
    </article>
  );
}

/** Whether the care team has read what was written last. */
function Receipts({ stored, messages }: { stored: StoredThread; messages: OpenedMessage[] }) {
  const { id } = useAccount();
  const mine = messages.filter(({ sender }) => sender === id).at(-1);
  const receipt = stored.receipts.find(({ party }) => party === 'providers');
  if (!mine) return null;
  const read = receipt !== undefined && receipt.through >= mine.sequence;
  const at = receipt && instant(receipt.at);
  return <p className="hint">{read ? <Trans>Your care team read this on {at}.</Trans> : <Trans>Your care team has not read your last message yet.</Trans>}</p>;
}

function PutAway({ patient, stored }: { patient: string; stored: StoredThread }) {
  const { messages } = useMailbox();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const until = day(stored.kept_until);
  const change = useMutation({
    mutationFn: () => (stored.hidden ? messages.unhide(patient, stored.id) : messages.hide(patient, stored.id)),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: [patient, 'threads'] });
      await navigate({ to: '/messages' });
    },
  });
  return (
    <>
      {change.error && <Failure error={change.error} />}
      <p className="hint"><Trans>This conversation is part of your record and is kept at least until {until}. If you put it away, it leaves your list until somebody writes again.</Trans></p>
      <Button busy={change.isPending && <Trans>One moment…</Trans>} onClick={() => change.mutate()}>{stored.hidden ? <Trans>Put it back into my list</Trans> : <Trans>Put this conversation away</Trans>}</Button>
    </>
  );
}
