// The messages of whoever is signed in, in this browser. What their key is locked with is asked for by
// whatever screen shows messages.
import { call } from '../api/client';
import { type Call, Drafts, IndexedDbStore, type LoggedKey, type Memory, Messages } from '../messages';
import type { Lock } from '../messages/lock';
import { useAccount } from './me';

/** Somebody has to say what opens their key; nothing if they do not. */
export interface Asked {
  key: LoggedKey;
  answer: (lock: Lock | undefined) => void;
}

let asked: Asked | undefined;
const listeners = new Set<() => void>();

function ask(next: Asked | undefined): void {
  asked = next;
  for (const listener of listeners) listener();
}

export const locks = {
  subscribe: (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  asked: () => asked,
};

const askLock = (key: LoggedKey): Promise<Lock | undefined> =>
  new Promise((resolve) => {
    // One at a time: several threads may wait for the same key.
    const before = asked;
    ask({
      key,
      answer: (lock) => {
        ask(undefined);
        before?.answer(lock);
        resolve(lock);
      },
    });
  });

interface Mailbox {
  messages: Messages;
  drafts: Drafts;
  memory: Memory;
}

let mailbox: { account: string; mailbox: Mailbox } | undefined;

/** One for the page: it knows keys that were unlocked, and goes with the page. */
export function useMailbox(): Mailbox {
  const { id: account, role } = useAccount();
  if (mailbox?.account !== account) {
    // The practice's people share one key; patients and proxies have one of their own.
    const owner = role === 'patient' ? 'account' : 'providers';
    const memory = remember(account);
    const messages = new Messages(call as Call, { account, owner }, memory, askLock);
    mailbox = { account, mailbox: { messages, memory, drafts: new Drafts(new IndexedDbStore(), account, messages) } };
  }
  return mailbox.mailbox;
}

/**
 * What was seen of keys and threads, to find out on another day that somebody changed it: digests, under
 * names that are digests. It outlives the session, because that is what it is for.
 */
function remember(account: string): Memory {
  const store = new IndexedDbStore(indexedDB, 'portal-memory');
  const named = async (name: string) => {
    const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`${account} ${name}`)));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  };
  return {
    get: async (name) => (await store.get(await named(name))) as string | undefined,
    set: async (name, value) => store.set(await named(name), value),
  };
}
