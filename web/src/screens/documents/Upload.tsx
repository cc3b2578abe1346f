// Handing in a file: chosen or dropped, its checksum made here, sent straight to storage, and
// watched until it was inspected.
import { useEffect, useId, useRef, useState } from 'react';
import { useQuery } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, newKey, type Schemas } from '../../api/client';
import { Problem } from '../../api/problem';
import { Button } from '../../ui/Button';
import { keepFocus } from '../../ui/focus';
import { Failure, Notice } from '../../ui/Notice';
import { said } from '../../words/said';

const TYPES = ['application/pdf', 'image/jpeg', 'image/png'] as const;
type Type = (typeof TYPES)[number];
const LARGEST = 10 * 1024 * 1024;
/** How long an inspection is waited for; it takes seconds. */
const PATIENCE = 60_000;
/** How long after so many looks the next one is: each is in the audit log. */
const pause = (looks: number): number => Math.min(1500 * 1.5 ** (looks - 1), 10_000);

type Stage =
  | { at: 'choose'; wrong?: 'type' | 'size' | 'empty' }
  | { at: 'send'; part: number }
  | { at: 'inspect'; id: string }
  | { at: 'failed'; error: unknown };

interface Props {
  patient: string;
  /** Something is other in the list. */
  onChange: () => void;
}

export function Upload({ patient, onChange }: Props) {
  const { t } = useLingui();
  const [stage, setStage] = useState<Stage>({ at: 'choose' });
  const [over, setOver] = useState(false);
  const [refused, setRefused] = useState(false);
  const section = useRef<HTMLElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  useEffect(() => (section.current ? keepFocus(section.current) : undefined), []);
  useStayHere();

  const again = () => {
    setRefused(false);
    setStage({ at: 'choose' });
  };
  const take = async (file: File | undefined) => {
    if (!file) return;
    setRefused(false);
    const type = TYPES.find((one) => one === file.type);
    if (!type) return setStage({ at: 'choose', wrong: 'type' });
    if (file.size === 0) return setStage({ at: 'choose', wrong: 'empty' });
    if (file.size > LARGEST) return setStage({ at: 'choose', wrong: 'size' });
    setStage({ at: 'send', part: 0 });
    try {
      const announced = await announce(patient, file, type);
      await send(announced.upload, file, (part) => setStage({ at: 'send', part }));
      setStage({ at: 'inspect', id: announced.id });
      onChange();
    } catch (error) {
      setStage({ at: 'failed', error });
    }
  };

  return (
    <section
      ref={section}
      className={over ? 'card drop over' : 'card drop'}
      aria-labelledby={id}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        const { files } = event.dataTransfer;
        if (stage.at === 'choose' && files.length <= 1) void take(files[0]);
        else if (files.length > 0) setRefused(true);
      }}
    >
      <h2 id={id}><Trans>Send a document</Trans></h2>
      {stage.at === 'choose' && (
        <>
          <p><Trans>PDF, JPEG or PNG, up to 10 MB. Drop a file here, or choose one.</Trans></p>
          {stage.wrong === 'type' && <p className="error" role="alert"><Trans>This kind of file cannot be sent. Save it as a PDF, or take a picture of it.</Trans></p>}
          {stage.wrong === 'size' && <p className="error" role="alert"><Trans>This file is larger than 10 MB. Send it in parts, or make the picture smaller.</Trans></p>}
          {stage.wrong === 'empty' && <p className="error" role="alert"><Trans>This file is empty. Choose another one.</Trans></p>}
          <input ref={input} className="unseen" tabIndex={-1} aria-hidden="true" type="file" accept={TYPES.join(',')} onChange={(event) => void take(event.currentTarget.files?.[0])} />
          <Button look="main" onClick={() => input.current?.click()}><Trans>Choose a file</Trans></Button>
        </>
      )}
      {stage.at === 'send' && (
        <p role="status">
          <Trans>Sending…</Trans>
          <progress aria-label={t`Sent so far`} max={1} value={stage.part} />
        </p>
      )}
      {stage.at === 'inspect' && <Inspected patient={patient} document={stage.id} onChange={onChange} onAgain={again} />}
      {stage.at === 'failed' && (
        <>
          <Failure error={stage.error} />
          <Button look="main" onClick={again}><Trans>Choose a file again</Trans></Button>
        </>
      )}
      {refused && <p className="error" role="alert"><Trans>Documents go one at a time. What you dropped was not sent.</Trans></p>}
    </section>
  );
}

/** A file that is dropped beside the place for it does not take the place of the portal. */
function useStayHere() {
  useEffect(() => {
    const stay = (event: DragEvent) => {
      if (event.defaultPrevented || !event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = 'none';
    };
    const events = ['dragover', 'drop'] as const;
    for (const event of events) addEventListener(event, stay);
    return () => {
      for (const event of events) removeEventListener(event, stay);
    };
  }, []);
}

function Inspected({ patient, document, onChange, onAgain }: { patient: string; document: string; onChange: () => void; onAgain: () => void }) {
  const [late, setLate] = useState(false);
  const query = useQuery({
    queryKey: [patient, 'document', document, 'inspection'],
    queryFn: () => answer(api.GET('/v1/patients/{patient}/documents/{document}', { params: { path: { patient, document } } })),
    refetchInterval: ({ state }) => (late || state.error || over(state.data) ? false : pause(state.dataUpdateCount)),
  });
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), PATIENCE);
    return () => clearTimeout(timer);
  }, []);
  const done = over(query.data);
  useEffect(() => {
    if (done) onChange();
    // Once, when the inspection is over.
  }, [done]);
  const upload = query.data?.kind === 'upload' ? query.data : undefined;
  if (!done && query.error) return <Failure error={query.error} onAgain={() => void query.refetch()} />;
  if (!done && !late) return <p role="status"><Trans>Sent. It is being checked, which takes a few seconds…</Trans></p>;
  return (
    <>
      {!done && <Notice><p><Trans>The check takes longer than usual. You do not have to wait: you find the document in the list below.</Trans></p></Notice>}
      {upload?.status === 'available' && <Notice kind="good"><p><Trans>Your care team can see it now.</Trans></p></Notice>}
      {upload?.status === 'rejected' && <Notice kind="alert" title={<Trans>This file was not accepted</Trans>}><p>{said(upload.rejection?.detail ?? '')}</p></Notice>}
      {upload?.status === 'expired' && <Notice kind="alert" title={<Trans>This file did not arrive</Trans>}><p><Trans>It took too long to send. Choose it again, if you can with a faster connection.</Trans></p></Notice>}
      <Button onClick={onAgain}><Trans>Send another document</Trans></Button>
    </>
  );
}

const over = (document: Schemas['OneDocument'] | undefined): boolean =>
  document !== undefined && document.kind === 'upload' && !['uploading', 'inspecting'].includes(document.status);

async function announce(patient: string, file: File, type: Type) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
  return answer(api.POST('/v1/patients/{patient}/documents', {
    params: { path: { patient }, header: { 'idempotency-key': newKey() } },
    body: { name: file.name, content_type: type, size: file.size, sha256: btoa(String.fromCharCode(...digest)) },
  }));
}

/** By XMLHttpRequest, because fetch does not tell how much was sent. */
function send(link: Schemas['UploadLink'], file: File, onPart: (part: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(link.method, link.url);
    for (const [name, value] of Object.entries(link.headers)) {
      // The browser counts for itself.
      if (name !== 'content-length') request.setRequestHeader(name, String(value));
    }
    request.upload.onprogress = (event) => onPart(event.loaded / (event.total || 1));
    request.onload = () => (request.status < 300 ? resolve() : reject(new Problem('unavailable', request.status)));
    request.onerror = () => reject(Problem.unanswered());
    request.send(file);
  });
}
