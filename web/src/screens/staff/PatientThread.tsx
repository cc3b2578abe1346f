// One conversation as the practice reads it: answering, whose it is, and closing it.
import { useEffect, useState } from 'react';
import { Link, useParams } from '@tanstack/react-router';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import type { OpenedMessage } from '../../messages';
import { useAccount } from '../../session/me';
import { useMailbox } from '../../session/messaging';
import { Button } from '../../ui/Button';
import { SelectField } from '../../ui/Field';
import { Empty, Loaded } from '../../ui/Loading';
import { Failure, Notice } from '../../ui/Notice';
import { instant } from '../../words/dates';
import { Answer } from '../messages/Compose';
import { subjectOf } from '../messages/mailbox';
import { useEmergency } from './emergency';
import { FormDialog } from './FormDialog';
import { Record, useRecord } from './Record';

const useThread = () => (useParams({ strict: false }) as { thread: string }).thread;

export function PatientThread() {
  const { t } = useLingui();
  const { patient } = useRecord();
  return (
    <Record title={t`Conversation`} back={<><Link to="/inbox"><Trans>All messages</Trans></Link> · <Link to="/patients/$patient/threads" params={{ patient }}><Trans>This patient’s messages</Trans></Link></>}>
      <Conversation />
    </Record>
  );
}

function Conversation() {
  const { t } = useLingui();
  const { patient } = useRecord();
  const thread = useThread();
  const { messages } = useMailbox();
  const queries = useQueryClient();
  const emergency = useEmergency(patient);
  const threads = useQuery({ queryKey: [patient, 'threads'], queryFn: () => messages.list(patient), retry: false });
  const found = threads.data?.find(({ stored }) => stored.id === thread);
  const query = useQuery({ queryKey: [patient, 'thread', thread], queryFn: () => messages.read(patient, thread), retry: false });
  const last = query.data?.at(-1)?.sequence;
  const unread = found?.stored.unread ?? 0;
  const anew = () => Promise.all([queries.invalidateQueries({ queryKey: [patient, 'threads'] }), queries.invalidateQueries({ queryKey: ['inbox'] })]);
  useEffect(() => {
    if (last === undefined || unread === 0 || emergency) return;
    // Whoever sees it has read it; a receipt that is lost goes with the next visit.
    messages.markRead(patient, thread).then(anew, () => undefined);
  }, [last, unread, emergency, patient, thread]);
  return (
    <Loaded query={query} lines={6}>
      {(all) => (
        <>
          {found && <h2>{subjectOf(found)}</h2>}
          {found && !emergency && <Standing assigned={found.stored.assigned} closed={found.stored.state === 'closed'} onChange={anew} />}
          {all.length === 0 && <Empty title={<Trans>No messages</Trans>} />}
          <ol className="conversation" aria-label={t`Messages, oldest first`}>
            {all.map((message) => <li key={message.sequence}><One message={message} /></li>)}
          </ol>
          {found?.stored.state === 'closed'
            ? <Notice><p><Trans>This conversation is closed. Nobody can write in it any more.</Trans></p></Notice>
            : !emergency && <Answer patient={patient} thread={thread} onSent={anew} />}
        </>
      )}
    </Loaded>
  );
}

function One({ message }: { message: OpenedMessage }) {
  const { id } = useAccount();
  const { patient } = useRecord();
  const ours = message.party === 'providers';
  return (
    <article className={ours ? 'message mine' : 'message'}>
      <p className="message-head">
        <strong>{message.sender === id ? <Trans>You</Trans> : ours ? <Trans>Your practice</Trans> : <Trans>The patient, or somebody who acts for them</Trans>}</strong>
        <span className="hint">{instant(message.sentAt)}</span>
      </p>
      <p className="message-text">{message.text}</p>
      {message.attachments.length > 0 && (
        <ul className="plain-links">
          {message.attachments.map((document, at) => {
            const number = at + 1;
            return <li key={document}><Link to="/patients/$patient/documents/$document" params={{ patient, document }}><Trans>Attached document {number}</Trans></Link></li>;
          })}
        </ul>
      )}
    </article>
  );
}

function Standing({ assigned, closed, onChange }: { assigned: string | undefined; closed: boolean; onChange: () => Promise<unknown> }) {
  const { t } = useLingui();
  const { patient } = useRecord();
  const thread = useThread();
  const [sure, setSure] = useState(false);
  const path = { patient, thread };
  const team = useQuery({ queryKey: [patient, 'care-team', 'names'], queryFn: () => answer(api.GET('/v1/patients/{patient}/care-team', { params: { path: { patient } } })) });
  const assign = useMutation({
    mutationFn: (practitioner: string | null) => answer(api.POST('/v1/patients/{patient}/threads/{thread}/assign', { params: { path }, body: { practitioner } })),
    onSuccess: onChange,
  });
  const close = useMutation({
    mutationFn: () => answer(api.POST('/v1/patients/{patient}/threads/{thread}/close', { params: { path } })),
    onSuccess: async () => {
      setSure(false);
      await onChange();
    },
  });
  const members = (team.data?.members ?? []).filter(({ former }) => !former);
  return (
    <section className="card" aria-label={t`Whose conversation it is`}>
      {assign.error && <Failure error={assign.error} />}
      <div className="filter">
        <SelectField label={<Trans>Who takes care of it</Trans>} value={assigned ?? ''} disabled={closed || assign.isPending || !team.data} onChange={(event) => assign.mutate(event.currentTarget.value || null)}>
          <option value="">{t`Nobody yet`}</option>
          {members.map(({ practitioner, name }) => <option key={practitioner} value={practitioner}>{name ?? t`Name not recorded`}</option>)}
        </SelectField>
        {!closed && <Button onClick={() => setSure(true)}><Trans>Close the conversation</Trans></Button>}
      </div>
      {sure && (
        <FormDialog title={<Trans>Close this conversation?</Trans>} send={<Trans>Close the conversation</Trans>} busy={close.isPending} error={close.error} onClose={() => setSure(false)} onSend={() => close.mutate()}>
          <p><Trans>Nobody can write in it any more. It stays in the record, and the patient can begin another one.</Trans></p>
        </FormDialog>
      )}
    </section>
  );
}
