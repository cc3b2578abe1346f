// A copy with the messages in it. The portal cannot read them: this browser opens them, adds them to the
// files, and saves it all as one.
import { useState } from 'react';
import { useMutation } from '@tanstack/react-query';
import { Plural, Trans } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { Problem } from '../../api/problem';
import { addMessages, type CopiedMessages, MessageError, within } from '../../messages';
import { Button } from '../../ui/Button';
import { Failure, Notice } from '../../ui/Notice';
import { saveBlob } from '../../ui/save';
import { useMailbox } from '../../session/messaging';
import { zip } from './zip';

type Export = Schemas['Export'];
type Made = Schemas['FileMade'];

/** As much as is put together in a browser's memory, which takes several times as much. */
export const LARGEST = 48 * 1024 * 1024;
/** How long a file may take on its way. */
const PATIENCE = 300_000;
const NAMES: Record<Made['file'], string> = { manifest: 'manifest.json', fhir: 'health-record.fhir.json', html: 'health-record.html', pdf: 'health-record.pdf' };

/** What takes messages; a PDF does not. */
const takes = ({ file }: Made) => file === 'fhir' || file === 'html';

export const holdsMessages = (copy: Export): boolean => (copy.files ?? []).some(takes);
export const isTooLarge = (copy: Export): boolean => (copy.files ?? []).filter(takes).reduce((sum, { bytes }) => sum + bytes, 0) > LARGEST;

/** A file as it was made, held to what the portal says of it. */
async function fetched(patient: string, copy: Export, { file, sha256 }: Made): Promise<Blob> {
  const { download: link } = await answer(api.GET('/v1/patients/{patient}/exports', { params: { path: { patient }, query: { export: copy.id, file } } }));
  if (!link) throw new Problem('not-found', 404);
  const response = await fetch(link.url, { credentials: 'omit', cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) }).catch(() => { throw Problem.unanswered(); });
  if (!response.ok) throw Problem.of(response, undefined);
  const blob = await response.blob().catch(() => { throw Problem.unanswered(); });
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()));
  if (Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('') !== sha256) throw new MessageError('not-a-copy');
  return blob;
}

async function whole(patient: string, copy: Export, copied: CopiedMessages): Promise<Blob> {
  const made = new Map<string, Blob>();
  for (const one of copy.files ?? []) made.set(one.file, await fetched(patient, copy, one));
  const text = async (file: string) => made.get(file)?.text();
  const [manifest, fhir, html] = [await text('manifest'), await text('fhir'), await text('html')];
  if (manifest === undefined) throw new MessageError('not-a-copy');
  const added = await addMessages({ manifest, ...(fhir !== undefined && { fhir }), ...(html !== undefined && { html }) }, copied);
  const files = (copy.files ?? []).map(({ file }) => {
    const content = file === 'pdf' ? undefined : added[file];
    return { name: NAMES[file], content: content === undefined ? made.get(file) ?? new Blob() : new Blob([content]) };
  });
  return zip(files);
}

type Progress = { step: 'reading'; done: number; all: number } | { step: 'packing' };

export function WithMessages({ patient, copy }: { patient: string; copy: Export }) {
  const { messages } = useMailbox();
  const [progress, setProgress] = useState<Progress>({ step: 'packing' });
  const pack = useMutation({
    mutationFn: async (copied: CopiedMessages) => {
      setProgress({ step: 'packing' });
      saveBlob(await whole(patient, copy, copied), 'health-record.zip');
      return copied;
    },
  });
  const read = useMutation({
    mutationFn: async () => {
      pack.reset();
      setProgress({ step: 'reading', done: 0, all: 0 });
      const copied = await messages.copy(patient, (done, all) => setProgress({ step: 'reading', done, all }));
      return within(copied, copy.from ?? undefined, copy.to ?? undefined);
    },
    // What is left out is said before anything is saved.
    onSuccess: (copied) => { if (copied.missing.length === 0) pack.mutate(copied); },
  });
  const busy = read.isPending || pack.isPending;
  const missing = read.data?.missing.length ?? 0;
  return (
    <>
      <p>
        <Trans>This saves everything as one ZIP file. Your messages are opened on this device and added to it.</Trans>
        {copy.files?.some(({ file }) => file === 'pdf') && <>{' '}<Trans>The PDF in it is without your messages.</Trans></>}
      </p>
      {read.error && <Failure error={read.error} />}
      {pack.error && <Failure error={pack.error} />}
      <Button look="main" busy={busy && <Trans>One moment…</Trans>} onClick={() => read.mutate()}><Trans>Save it with my messages</Trans></Button>
      {busy && <Steps progress={progress} />}
      {!busy && missing > 0 && !pack.isSuccess && (
        <Notice kind="alert" title={<Trans>Some messages cannot be opened</Trans>}>
          <p><Plural value={missing} one="# conversation cannot be opened or checked here, so it is not in the file." other="# conversations cannot be opened or checked here, so they are not in the file." />{' '}
            <Trans>If you locked your messages, try again with your passphrase.</Trans></p>
          <div className="actions">
            <Button onClick={() => read.mutate()}><Trans>Try again</Trans></Button>
            <Button onClick={() => { if (read.data) pack.mutate(read.data); }}><Trans>Save without them</Trans></Button>
          </div>
        </Notice>
      )}
      <div role="status">{pack.data && <Saved copied={pack.data} />}</div>
    </>
  );
}

function Steps({ progress }: { progress: Progress }) {
  if (progress.step === 'packing') return <p className="hint" role="status"><Trans>Your files are loaded and put together.</Trans></p>;
  const { done, all } = progress;
  return (
    <>
      <p className="hint" role="status"><Trans>Your messages are opened.</Trans></p>
      {all > 0 && <progress value={done} max={all} aria-labelledby="opened" />}
      {all > 0 && <p className="hint" id="opened"><Trans>{done} of {all} conversations</Trans></p>}
    </>
  );
}

function Saved({ copied: { threads, missing } }: { copied: CopiedMessages }) {
  const count = threads.reduce((sum, { messages }) => sum + messages.length, 0);
  return (
    <Notice kind={missing.length > 0 ? 'warning' : 'good'}>
      <p>
        <Plural value={count} _0="Your file is ready. There are no messages in it." one="Your file is ready, with # message." other="Your file is ready, with # messages." />
        {missing.length > 0 && <>{' '}<Plural value={missing.length} one="# conversation is missing; the list in the file says which and why." other="# conversations are missing; the list in the file says which and why." /></>}
      </p>
    </Notice>
  );
}
