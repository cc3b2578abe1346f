// A privacy officer passes a patient's messages on (45 CFR 164.512): to whom and why comes first, and
// they are open for an hour.
import { useRef, useState } from 'react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, newKey, type Schemas } from '../../api/client';
import { asProblem } from '../../api/problem';
import { type OpenedThread, transcript } from '../../messages';
import { useMailbox } from '../../session/messaging';
import { Button } from '../../ui/Button';
import { SelectField, TextArea, TextField } from '../../ui/Field';
import { Empty, Loaded } from '../../ui/Loading';
import { Failure, Notice } from '../../ui/Notice';
import { saveText } from '../../ui/save';
import { instant } from '../../words/dates';
import { inWords } from '../../words/codes';
import { subjectOf } from '../messages/mailbox';
import { say } from './codes';
import { FormDialog, line } from './FormDialog';

type Purpose = Schemas['Purpose'];
const PURPOSES: Purpose[] = [
  'required-by-law', 'public-health', 'abuse-or-neglect', 'health-oversight', 'judicial-proceeding', 'law-enforcement', 'death',
  'serious-threat', 'government-function', 'workers-compensation', 'other',
];

export function Disclose({ patient, onClose, onDone }: { patient: string; onClose: () => void; onDone: (until: string) => void }) {
  const key = useRef(newKey());
  const disclose = useMutation({
    mutationFn: (said: FormData) => {
      const address = line(said, 'address');
      return answer(api.POST('/v1/patients/{patient}/disclosures', {
        params: { path: { patient }, header: { 'idempotency-key': key.current } },
        body: { purpose: line(said, 'purpose') as Purpose, statement: line(said, 'statement'), recipient: line(said, 'recipient'), ...(address && { address }) },
      }));
    },
    onSuccess: ({ until }) => onDone(until),
    // What is put right is another disclosure.
    onError: (error) => {
      if (asProblem(error).status === 400) key.current = newKey();
    },
  });
  return (
    <FormDialog title={<Trans>Pass on this patient’s messages?</Trans>} send={<Trans>Open the messages for one hour</Trans>} look="danger" busy={disclose.isPending} error={disclose.error} onClose={onClose} onSend={(said) => disclose.mutate(said)}>
      <p><Trans>The patient sees to whom they go and why, unless an agency had it left out. Do this only where the law asks for it or allows it.</Trans></p>
      <TextField name="recipient" label={<Trans>Who gets them</Trans>} required maxLength={200} />
      <TextField name="address" label={<Trans>Their address (you can leave this empty)</Trans>} maxLength={300} />
      <SelectField name="purpose" label={<Trans>Ground</Trans>}>{PURPOSES.map((one) => <option key={one} value={one}>{say(one)}</option>)}</SelectField>
      <TextArea name="statement" label={<Trans>Why? The patient reads this.</Trans>} required minLength={10} maxLength={500} />
    </FormDialog>
  );
}

/** What is open for the hour. */
export function Opened({ patient, until }: { patient: string; until: string }) {
  const { messages } = useMailbox();
  const query = useQuery({ queryKey: [patient, 'disclosed', until], queryFn: () => messages.list(patient), retry: false, gcTime: 0 });
  const end = instant(until);
  return (
    <section className="card" aria-labelledby="opened">
      <h2 id="opened"><Trans>Messages to pass on</Trans></h2>
      <Notice kind="warning"><p><Trans>They are open to you until {end}. Save what you pass on, and nothing else.</Trans></p></Notice>
      <Loaded query={query} lines={4}>
        {(all) => all.length > 0
          ? <ul className="rows">{all.map((one) => <li key={one.stored.id} className="row-text"><OneThread patient={patient} thread={one} /></li>)}</ul>
          : <Empty title={<Trans>No conversations</Trans>}><Trans>This patient and the practice have not written to each other.</Trans></Empty>}
      </Loaded>
    </section>
  );
}

function OneThread({ patient, thread }: { patient: string; thread: OpenedThread }) {
  const { stored } = thread;
  const subject = subjectOf(thread);
  const { t } = useLingui();
  const { messages } = useMailbox();
  const [shown, setShown] = useState(false);
  const query = useQuery({ queryKey: [patient, 'disclosed-thread', stored.id], queryFn: () => messages.read(patient, stored.id), retry: false, gcTime: 0, enabled: shown });
  const from = (party: string) => (party === 'providers' ? t`The practice` : t`The patient, or somebody who acts for them`);
  const name = <span className="unseen">: {subject}</span>;
  return (
    <>
      <span className="row-name">{subject}</span>
      <span className="hint">{inWords(stored.category)} · {instant(stored.last_activity)}</span>
      {!shown && <div className="actions"><Button onClick={() => setShown(true)}><Trans>Read</Trans>{name}</Button></div>}
      {query.error && <Failure error={query.error} onAgain={() => void query.refetch()} />}
      {query.data && (
        <>
          <ol className="conversation" aria-label={t`Messages, oldest first`}>
            {query.data.map((message) => (
              <li key={message.sequence}>
                <article className="message">
                  <p className="message-head"><strong>{from(message.party)}</strong><span className="hint">{instant(message.sentAt)}</span></p>
                  <p className="message-text">{message.text}</p>
                </article>
              </li>
            ))}
          </ol>
          <div className="actions">
            <Button
              onClick={() => {
                const entries = query.data.map(({ sentAt, party, text, attachments }) => ({
                  head: `${instant(sentAt)}\n${from(party)}`,
                  text,
                  attached: attachments.map((document) => t`Attached document: ${document}`),
                }));
                saveText(transcript(subject, entries), 'text/plain', `messages-${stored.last_activity.slice(0, 10)}.txt`);
              }}
            >
              <Trans>Save to this device</Trans>{name}
            </Button>
          </div>
        </>
      )}
    </>
  );
}
