// End-to-end encrypted messages. docs/MESSAGES.md has the threat model, and what each code means.

export { Messages, type AskLock, type Call, type Lacking, type OpenedThread, type Outbox, type Person, type StoredThread } from './client.js';
export { type CopiedMessages, type CopiedThread, type RecordCopy, addMessages, within } from './copy.js';
export { type DraftStore, Drafts, IndexedDbStore, type Locked, type Locker } from './drafts.js';
export { type Code, MessageError, type Refusal } from './errors.js';
export { History, type OpenedMessage, type StoredMessage } from './history.js';
export { type KeyLog, type LoggedKey, type Memory, type Protection, accept, fingerprint, hasNewKey, keyId, verifyLog } from './keys.js';
export { type Lock } from './lock.js';
export { transcript } from './transcript.js';
export * as hpke from './hpke.js';
