// Messages in a patient's copy of the record (45 CFR 164.524). The portal makes the copy and cannot read
// messages; the browser can, and adds them: to the FHIR bundle as Communications, to the page for
// people as a section, and to the manifest, which then says what was added and what could not be.

import { sha256, utf8 } from './bytes.js';
import { type Code, MessageError } from './errors.js';
import type { OpenedMessage } from './history.js';

export interface CopiedThread {
  id: string;
  category: string;
  state: string;
  subject: string;
  messages: OpenedMessage[];
}

export interface CopiedMessages {
  threads: CopiedThread[];
  /** Threads that could not be opened or verified, and why. */
  missing: { thread: string; why: Code }[];
}

/** The messages of some days alone, first and last included, by the clock of whoever asks. */
export function within({ threads, missing }: CopiedMessages, from = '', to = '9999-12-31'): CopiedMessages {
  const day = new Intl.DateTimeFormat('en-CA', { dateStyle: 'short' });
  const isWithin = ({ sentAt }: OpenedMessage): boolean => {
    const sent = day.format(new Date(sentAt));
    return from <= sent && sent <= to;
  };
  const some = threads.map((thread) => ({ ...thread, messages: thread.messages.filter(isWithin) }));
  return { threads: some.filter(({ messages }) => messages.length > 0), missing };
}

interface ListedFile {
  file: string;
  bytes: number;
  sha256: string;
}

/** A copy as it was downloaded: the manifest, and the forms that it comes in. */
export interface RecordCopy {
  manifest: string;
  fhir?: string;
  html?: string;
}

interface Entry {
  fullUrl: string;
  resource: { resourceType: string } & Record<string, unknown>;
}

function communications(patient: string, { id, category, subject, messages }: CopiedThread): Entry[] {
  return messages.map(({ sequence, sender, party, sentAt, text, attachments }) => ({
    fullUrl: `urn:portal:message:${id}:${sequence}`,
    resource: {
      resourceType: 'Communication',
      id: `${id}-${sequence}`,
      identifier: [{ system: 'urn:portal:message', value: `${id}/${sequence}` }],
      status: 'completed',
      category: [{ text: category }],
      topic: { text: subject },
      subject: { reference: patient },
      sent: sentAt,
      sender: {
        identifier: { system: 'urn:portal:account', value: sender },
        display: party === 'providers' ? 'The practice' : 'The patient, or who acts for the patient',
      },
      payload: [
        { contentString: text },
        ...attachments.map((document) => ({
          contentReference: { identifier: { system: 'urn:portal:document', value: document } },
        })),
      ],
    },
  }));
}

function intoBundle(json: string, { threads }: CopiedMessages): string {
  const bundle = JSON.parse(json) as { resourceType?: string; type?: string; entry?: Entry[] };
  const entries = bundle.entry ?? [];
  const patient = entries.find(({ resource }) => resource.resourceType === 'Patient')?.fullUrl;
  if (bundle.resourceType !== 'Bundle' || bundle.type !== 'collection' || patient === undefined) {
    throw new MessageError('not-a-copy');
  }
  const added = threads.flatMap((thread) => communications(patient, thread));
  // Written behind the last entry and not anew: 1.50 is another measurement than 1.5.
  const end = json.lastIndexOf(']');
  const whole = json.slice(0, end) + added.map((entry) => `,${JSON.stringify(entry)}`).join('') + json.slice(end);
  const { entry = [] } = JSON.parse(whole) as { entry?: Entry[] };
  if (entry.length !== entries.length + added.length) throw new MessageError('not-a-copy');
  return whole;
}

const MARKUP: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text, which is never markup. */
function escaped(text: string): string {
  // Control characters are not allowed in HTML.
  const visible = text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
  return visible.replace(/[&<>"']/g, (character) => MARKUP[character] ?? '');
}

function section({ threads, missing }: CopiedMessages): string {
  const element = (name: string, text: string): string => `<${name}>${escaped(text)}</${name}>\n`;
  const told = threads.map(({ subject, messages }) => {
    const each = messages.map(({ party, sentAt, text, attachments }) => {
      const from = party === 'providers' ? 'The practice' : 'The patient, or who acts for the patient';
      const documents = attachments.length === 0 ? '' : ` (documents: ${attachments.join(', ')})`;
      return element('h4', `${from}, ${sentAt}${documents}`) + element('pre', text);
    });
    return element('h3', subject) + each.join('');
  });
  const none = threads.length === 0 ? element('p', 'None.') : '';
  const gaps = missing.map(({ thread, why }) => element('p', `Not in here: conversation ${thread}: ${why}.`));
  return (
    '<section aria-labelledby="messages">\n<h2 id="messages">Messages</h2>\n' +
    `${told.join('')}${none}${gaps.join('')}</section>\n`
  );
}

/** Where they go in the page that the portal makes (functions/build-export/src/html.rs). */
const ABOUT = '<section aria-labelledby="about">';
const LINK = '<li><a href="#about">';

function intoPage(html: string, copied: CopiedMessages): string {
  const parts = html.split(ABOUT);
  if (parts.length !== 2 || html.split(LINK).length !== 2) throw new MessageError('not-a-copy');
  return parts.join(section(copied) + ABOUT).replace(LINK, () => `<li><a href="#messages">Messages</a></li>\n${LINK}`);
}

async function listed(file: ListedFile, content: string | undefined): Promise<ListedFile> {
  if (content === undefined) return file;
  const bytes = utf8(content);
  const digest = Array.from(await sha256(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { ...file, bytes: bytes.length, sha256: digest };
}

/** The copy with the messages in it. */
export async function addMessages(copy: RecordCopy, copied: CopiedMessages): Promise<RecordCopy> {
  if (copy.fhir === undefined && copy.html === undefined) throw new MessageError('not-a-copy');
  const fhir = copy.fhir === undefined ? undefined : intoBundle(copy.fhir, copied);
  const html = copy.html === undefined ? undefined : intoPage(copy.html, copied);
  const manifest = JSON.parse(copy.manifest) as { files: ListedFile[]; missing?: { what: string }[] } & Record<string, unknown>;
  // They were missing until now.
  const missing = manifest.missing?.filter(({ what }) => what !== 'messages');
  const contents: Record<string, string | undefined> = { fhir, html };
  const files = await Promise.all(manifest.files.map((file) => listed(file, contents[file.file])));
  const messages = {
    added_by: 'the browser, where they were opened and verified',
    files: Object.keys(contents).filter((file) => contents[file] !== undefined),
    conversations: copied.threads.length,
    messages: copied.threads.reduce((sum, thread) => sum + thread.messages.length, 0),
    missing: copied.missing,
  };
  return {
    manifest: JSON.stringify({ ...manifest, missing, messages, files }, undefined, 2),
    ...(fhir === undefined ? {} : { fhir }),
    ...(html === undefined ? {} : { html }),
  };
}
