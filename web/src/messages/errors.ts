// What a reader finds wrong, by name. docs/MESSAGES.md says what each means.

export type Code =
  /** A ciphertext, or the header that its tag covers, is not what its sender made. */
  | 'message-altered'
  /** The server names another sender than the sealed header does. */
  | 'sender-changed'
  /** A message of another thread. */
  | 'other-thread'
  /** A message stands there a second time. */
  | 'replayed'
  /** A message stands before one that has to come first. */
  | 'order-changed'
  /** A sender's message is not there, and later ones are. */
  | 'message-missing'
  /** The end of the thread is not there any more. */
  | 'tail-cut'
  /** What was read before, here or by another sender, is not what is there now. */
  | 'history-changed'
  /** The thread's key is not the one that its other parties have. */
  | 'thread-key-mismatch'
  /** Nobody has shared the thread with this key. */
  | 'not-shared'
  /** A public key is not the one that its id says, or a private key not the public one's. */
  | 'key-altered'
  /** A key log is not the one seen before. */
  | 'key-log-forked'
  /** Somebody has a new key: say so, and ask before anything is sealed to it. */
  | 'key-changed'
  /** Somebody has registered no key. */
  | 'no-key'
  /** A private key takes its owner's passphrase or passkey, and there is none here. */
  | 'locked'
  /** A passphrase or passkey is not the one that the key was locked with. */
  | 'wrong-secret'
  /** A passphrase is too short to hold against guessing. */
  | 'weak-passphrase'
  /** Attachments are up to ten ids of documents. */
  | 'bad-attachments'
  /** What messages are added to is no copy of a record. */
  | 'not-a-copy'
  /** The server refused. */
  | 'refused';

/** What the server said when it refused. */
export interface Refusal {
  /** The problem's type; empty where a gateway answered with a page of its own. */
  problem: string;
  status: number;
  /** In how many seconds it may work. */
  retryAfter: number | undefined;
}

export class MessageError extends Error {
  readonly code: Code;
  readonly refusal: Refusal | undefined;

  constructor(code: Code, refusal?: Refusal) {
    super(refusal ? `${code}: ${refusal.problem}` : code);
    this.name = 'MessageError';
    this.code = code;
    this.refusal = refusal;
  }
}
