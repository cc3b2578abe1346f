// Writing: what is written is kept as a draft in this browser, sealed, until it is sent.
import { useEffect, useRef, useState } from 'react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import { asProblem } from '../../api/problem';
import type { Outbox } from '../../messages';
import { useSubject } from '../../session/me';
import { useMailbox } from '../../session/messaging';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { SelectField, TextArea, TextField } from '../../ui/Field';
import { More, usePages } from '../../ui/More';
import { Failure } from '../../ui/Notice';
import { inWords } from '../../words/codes';
import { NewKeys } from './NewKeys';

const CATEGORIES = ['medical-question', 'medication', 'test-result', 'appointment', 'billing', 'other'] as const;
/** How long nobody types before the draft is kept. */
const PAUSE = 700;
/** As much as one sealed message holds, with room for what stands around it. */
const LONGEST = 15_000;

/** How many documents a message takes. */
const MOST = 10;

export interface Written {
  category: string;
  subject: string;
  text: string;
  attachments: string[];
}

interface Props {
  patient: string;
  /** The thread that it goes into; a new one without it. */
  thread?: string;
  send: (written: Written, outbox?: Outbox) => Promise<void>;
}

export function Compose({ patient, thread, send }: Props) {
  const { t } = useLingui();
  const { drafts } = useMailbox();
  const subjectOf = useSubject();
  const place = { patient, ...(thread ? { thread } : {}) };
  const [subject, setSubject] = useState('');
  const [text, setText] = useState('');
  const [attachments, setAttachments] = useState<string[]>([]);
  const [kept, setKept] = useState(false);
  const [outlives, setOutlives] = useState(false);
  const [choosing, setChoosing] = useState(false);
  const [wrong, setWrong] = useState<{ subject?: boolean; text?: boolean }>({});
  const [category, setCategory] = useState<string>(CATEGORIES[0]);
  /** Nothing is kept before what was kept is known: not while it is read, and not if it stays locked. */
  const [state, setState] = useState<'reading' | 'ready' | 'locked'>('reading');
  const sent = useRef(false);
  const unkept = useRef<() => void>(undefined);

  useEffect(() => {
    let here = true;
    drafts.load(place).then((draft) => {
      if (!here) return;
      if (draft) {
        setSubject(draft.subject ?? '');
        setText(draft.text);
        setAttachments(draft.attachments ?? []);
        if (draft.category) setCategory(draft.category);
        setKept(true);
      }
      setState('ready');
    }, () => here && setState('locked'));
    drafts.areKept().then((chosen) => here && setOutlives(chosen), () => undefined);
    return () => { here = false; };
    // The place is the same as long as this is shown.
  }, [patient, thread]);

  useEffect(() => {
    if (state !== 'ready' || sent.current) return undefined;
    const keep = () => {
      if (sent.current) return;
      unkept.current = undefined;
      const empty = !text && !subject && attachments.length === 0;
      const work = empty ? drafts.discard(place) : drafts.save(place, { category, subject, text, attachments });
      work.then(() => setKept(!empty), () => setKept(false));
    };
    unkept.current = keep;
    const timer = setTimeout(keep, PAUSE);
    return () => clearTimeout(timer);
  }, [state, category, subject, text, attachments]);
  // Whoever goes elsewhere in the middle of a word has that word kept, too.
  useEffect(() => () => unkept.current?.(), []);

  const sending = useMutation({
    mutationFn: async (written: Written) => {
      // Kept once more until it is sent, and nothing of it afterwards: `send` may lead elsewhere.
      sent.current = true;
      unkept.current = undefined;
      if (state === 'ready') await drafts.save(place, { category, subject, text, attachments }).catch(() => undefined);
      await send(written, state === 'ready' ? drafts.outbox(place) : undefined);
      if (state === 'ready') await drafts.discard(place).catch(() => undefined);
    },
    onError: () => { sent.current = false; },
    onSuccess: () => {
      setSubject('');
      setText('');
      setAttachments([]);
      setKept(false);
      setTimeout(() => { sent.current = false; }, 0);
    },
  });
  const discard = () => {
    setSubject('');
    setText('');
    setAttachments([]);
    setKept(false);
    void drafts.discard(place);
  };
  return (
    <>
    <form
      className="card"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        const missing = { subject: !thread && !subject.trim(), text: !text.trim() };
        setWrong(missing);
        if (missing.subject || missing.text || sending.isPending) return;
        sending.mutate({ category, subject: subject.trim(), text: text.trim(), attachments });
      }}
    >
      {!thread && (
        <>
          <SelectField name="category" label={<Trans>What is it about?</Trans>} value={category} onChange={(event) => setCategory(event.target.value)}>
            {CATEGORIES.map((one) => <option key={one} value={one}>{inWords(one)}</option>)}
          </SelectField>
          <TextField name="subject" label={<Trans>Subject</Trans>} value={subject} readOnly={state === 'reading'} maxLength={150} onChange={(event) => setSubject(event.target.value)} wrong={wrong.subject && <Trans>Write a few words.</Trans>} required />
        </>
      )}
      <TextArea name="text" rows={6} label={thread ? <Trans>Your answer</Trans> : <Trans>Your message</Trans>} value={text} readOnly={state === 'reading'} maxLength={LONGEST} onChange={(event) => setText(event.target.value)} wrong={wrong.text && <Trans>Write your message.</Trans>} required />
      {attachments.length > 0 && (
        <p><Plural value={attachments.length} one="# document is attached." other="# documents are attached." />{' '}
          <Button look="quiet" onClick={() => setAttachments([])}><Trans>Remove</Trans></Button></p>
      )}
      {sending.error && <Failure error={sending.error} />}
      {sending.error && asProblem(sending.error).kind === 'message-key-changed' && <NewKeys patient={patient} onDone={() => sending.reset()} />}
      <div className="actions">
        <Button type="submit" look="main" busy={sending.isPending && <Trans>Sending…</Trans>}><Trans>Send</Trans></Button>
        {(subjectOf?.own || subjectOf?.categories?.includes('documents')) && <Button onClick={() => setChoosing(true)}><Trans>Attach a document</Trans></Button>}
        {kept && <Button look="quiet" onClick={discard}><Trans>Discard the draft</Trans></Button>}
      </div>
      {state === 'locked' && <p className="hint" role="status"><Trans>A draft from last time could not be opened. It stays where it is, and what you write now is not kept before you send it.</Trans></p>}
      <p className="hint" role="status">{kept && t`Your draft is kept on this device until you sign out.`}</p>
      {kept && (
        <label className="check">
          <input
            type="checkbox"
            checked={outlives}
            onChange={() => {
              setOutlives(!outlives);
              drafts.keep(!outlives).catch(() => setOutlives(outlives));
            }}
          />{' '}
          <span><Trans>Keep it, too, if I am signed out because I was away. It stays locked until I sign in again.</Trans></span>
        </label>
      )}
    </form>
    {choosing && <Attach patient={patient} chosen={attachments} onClose={(next) => { setChoosing(false); if (next) setAttachments(next); }} />}
    </>
  );
}

/** Goes on with a conversation, which is then read anew. */
export function Answer({ patient, thread, onSent }: { patient: string; thread: string; onSent?: () => Promise<unknown> }) {
  const { messages } = useMailbox();
  const queries = useQueryClient();
  return (
    <Compose
      patient={patient}
      thread={thread}
      send={async ({ text, attachments }, outbox) => {
        await messages.send(patient, thread, { text, attachments }, outbox);
        await queries.invalidateQueries({ queryKey: [patient, 'thread', thread] });
        await onSent?.();
      }}
    />
  );
}

function Attach({ patient, chosen, onClose }: { patient: string; chosen: string[]; onClose: (next?: string[]) => void }) {
  const [many, setMany] = useState(false);
  const pages = usePages([patient, 'documents'], (cursor) =>
    answer(api.GET('/v1/patients/{patient}/documents', { params: { path: { patient }, query: cursor ? { cursor } : {} } })),
  );
  return (
    <Dialog title={<Trans>Attach documents</Trans>} onClose={() => onClose()}>
      <p><Trans>Send a new document under “Documents” first. Then you can attach it here.</Trans></p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const next = new FormData(event.currentTarget).getAll('document') as string[];
          setMany(next.length > MOST);
          if (next.length <= MOST) onClose(next);
        }}
      >
        <fieldset className="scroll">
          <legend><Trans>Documents, ten at most</Trans></legend>
          <More pages={pages} entries={(page) => page.documents.filter((one) => one.kind !== 'upload' || one.status === 'available')} empty={<p className="hint"><Trans>There are no documents yet.</Trans></p>}>
            {(usable) => usable.map((one) => (
              <label key={one.id} className="check">
                <input type="checkbox" name="document" value={one.id} defaultChecked={chosen.includes(one.id)} />{' '}
                <span>{one.kind === 'upload' ? one.name : one.title ?? <Trans>Document from the practice</Trans>}</span>
              </label>
            ))}
          </More>
        </fieldset>
        {many && <p className="error" role="alert"><Trans>A message takes ten documents at most. Send the others with another message.</Trans></p>}
        <div className="actions">
          <Button type="submit" look="main"><Trans>Attach</Trans></Button>
          <Button onClick={() => onClose()}><Trans>Cancel</Trans></Button>
        </div>
      </form>
    </Dialog>
  );
}
