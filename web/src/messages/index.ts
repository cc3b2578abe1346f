// End-to-end encrypted messages. docs/MESSAGES.md has the threat model, and what each code means.

export { Messages, type Call, type OpenedThread, type Person, type StoredThread } from './client.js';
export { type Code, MessageError } from './errors.js';
export { History, type OpenedMessage, type StoredMessage } from './history.js';
export { type KeyLog, type LoggedKey, type Memory, accept, fingerprint, hasNewKey, keyId, verifyLog } from './keys.js';
export * as hpke from './hpke.js';
