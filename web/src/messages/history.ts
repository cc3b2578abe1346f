// The history of a thread as one reader verifies it. Every message has sealed in it how far its sender
// had read, and the hash of all until there: what was there cannot change without the next message, or
// the next visit, showing it.

import { type Bytes, base64url, equal, framed, fromBase64url, sha256, uint64, utf8, uuidBytes } from './bytes.js';
import { type ThreadKey, openEnvelope, readHeader } from './envelope.js';
import { MessageError } from './errors.js';

/** A message as the server tells it. */
export interface StoredMessage {
  sequence: number;
  sender: string;
  party: string;
  sent_at: string;
  ciphertext: string;
}

/** How far somebody had read. */
export interface Seen {
  sequence: number;
  hash: string;
}

/** What is sealed. */
export interface Content {
  text: string;
  /** Ids of documents. The portal does not see them; who opens one is asked for permission there. */
  attachments: string[];
  seen: Seen;
}

const MOST_ATTACHMENTS = 10;

/** Ids become parts of paths: another party's browser may have sealed anything at all. */
export function areAttachments(value: unknown): value is string[] {
  const isId = (one: unknown): boolean =>
    typeof one === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(one);
  return Array.isArray(value) && value.length <= MOST_ATTACHMENTS && value.every(isId);
}

export interface OpenedMessage {
  sequence: number;
  sender: string;
  party: string;
  sentAt: string;
  text: string;
  attachments: string[];
}

function isContent(value: unknown): value is Content {
  const content = value as Partial<Content> | null;
  return (
    typeof content?.text === 'string' &&
    areAttachments(content.attachments) &&
    typeof content.seen?.sequence === 'number' &&
    typeof content.seen.hash === 'string'
  );
}

export class History {
  readonly #key: ThreadKey;
  /** The hash after each message, from the one before the first. */
  readonly #hashes: Bytes[];
  readonly #counters = new Map<string, number>();
  /** The hashes of former visits. */
  readonly #remembered: string[];

  private constructor(key: ThreadKey, start: Bytes, remembered: string[]) {
    this.#key = key;
    this.#hashes = [start];
    this.#remembered = remembered;
  }

  /** Begins at the thread's subject. `remembered` is what {@link remember} gave at a former visit. */
  static async begin(key: ThreadKey, subject: Bytes, remembered: string[] = []): Promise<History> {
    const start = await sha256(
      framed(utf8('portal/thread/v1'), uuidBytes(key.thread), key.commitment, await sha256(subject)),
    );
    const [known] = remembered;
    if (known !== undefined && known !== base64url(start)) throw new MessageError('history-changed');
    return new History(key, start, remembered);
  }

  /** What to keep for the next visit. */
  remember(): string[] {
    return this.#hashes.map(base64url);
  }

  get sequence(): number {
    return this.#hashes.length - 1;
  }

  /** How far this reader has read, for what it writes. */
  get seen(): Seen {
    return { sequence: this.sequence, hash: base64url(this.#hash(this.sequence)) };
  }

  #hash(sequence: number): Bytes {
    const hash = this.#hashes[sequence];
    if (!hash) throw new MessageError('message-missing');
    return hash;
  }

  /** Verifies and opens what follows; `last` is the sequence of the last message as the server says. */
  async read(messages: StoredMessage[], last: number): Promise<OpenedMessage[]> {
    if (last < this.sequence || last < this.#remembered.length - 1) throw new MessageError('tail-cut');
    const opened: OpenedMessage[] = [];
    for (const [at, message] of messages.entries()) {
      opened.push(await this.#next(message, messages.slice(at + 1), last));
    }
    return opened;
  }

  async #next(message: StoredMessage, later: StoredMessage[], last: number): Promise<OpenedMessage> {
    const sequence = this.sequence + 1;
    if (message.sequence !== sequence) throw new MessageError('message-missing');
    const envelope = fromBase64url(message.ciphertext);
    const header = readHeader(envelope);
    if (header.thread !== this.#key.thread) throw new MessageError('other-thread');
    if (header.sender !== message.sender) throw new MessageError('sender-changed');
    const content = await openEnvelope('message', this.#key, envelope);
    if (!isContent(content)) throw new MessageError('message-altered');

    const before = this.#counters.get(header.sender) ?? 0;
    if (header.counter <= before) throw new MessageError('replayed');
    if (header.counter > before + 1) {
      const comes = later.some(({ ciphertext }) => {
        const other = readHeader(fromBase64url(ciphertext));
        return other.sender === header.sender && other.counter === before + 1;
      });
      throw new MessageError(comes ? 'order-changed' : 'message-missing');
    }
    const { seen } = content;
    // All that its sender had read stands before it; the others are as many as there are but this one.
    if (seen.sequence > last - 1) throw new MessageError('tail-cut');
    if (seen.sequence >= sequence) throw new MessageError('order-changed');
    if (!equal(fromBase64url(seen.hash), this.#hash(seen.sequence))) throw new MessageError('history-changed');

    const hash = await sha256(framed(this.#hash(sequence - 1), uint64(sequence), await sha256(envelope)));
    const known = this.#remembered[sequence];
    if (known !== undefined && known !== base64url(hash)) throw new MessageError('history-changed');
    this.#hashes.push(hash);
    this.#counters.set(header.sender, header.counter);
    return {
      sequence,
      sender: message.sender,
      party: message.party,
      sentAt: message.sent_at,
      text: content.text,
      attachments: content.attachments,
    };
  }
}
