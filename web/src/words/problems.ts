// What a problem means to the person who meets it, and what to do next.
import { msg } from '@lingui/core/macro';
import type { MessageDescriptor } from '@lingui/core';
import type { Problem } from '../api/problem';

export interface Advice {
  title: MessageDescriptor;
  text: MessageDescriptor;
  /** Whether the same request may work later. */
  again: boolean;
}

const KNOWN: Record<string, Advice> = {
  offline: { title: msg`You are offline`, text: msg`Check your internet connection. Nothing you entered is lost.`, again: true },
  'no-answer': { title: msg`We cannot reach the portal`, text: msg`Check your internet connection, then try again in a moment.`, again: true },
  unavailable: { title: msg`The portal is not available right now`, text: msg`Nothing was changed. Please try again in a few minutes. If you need help now, call the practice.`, again: true },
  internal: { title: msg`Something went wrong on our side`, text: msg`We have noted it. Please try again. If it happens again, call the practice.`, again: true },
  'too-many-requests': { title: msg`That was a lot at once`, text: msg`Please wait a moment before you try again.`, again: true },
  'not-found': { title: msg`We could not find this`, text: msg`It may have been moved or removed. Go back and choose it from the list.`, again: false },
  forbidden: { title: msg`You cannot see this`, text: msg`Your account does not have access. If you think it should, call the practice.`, again: false },
  unauthenticated: { title: msg`You are signed out`, text: msg`Please sign in again.`, again: false },
  'sign-in-again': { title: msg`Please sign in again first`, text: msg`For your safety, this needs a sign-in from the last 15 minutes. Sign out, sign in, and try again.`, again: false },
  'changed-meanwhile': { title: msg`This changed while you had it open`, text: msg`Somebody else saved a change, or you did in another window. Load it again, check it, and repeat your change.`, again: false },
  'invalid-input': { title: msg`Something needs to be corrected`, text: msg`Check what you entered and try again.`, again: false },
  'refill-open': { title: msg`You already asked for this refill`, text: msg`The practice is working on it. You can see it under your requests.`, again: false },
  'refill-closed': { title: msg`The practice has already answered`, text: msg`This request cannot be taken back any more.`, again: false },
  'prescription-not-active': { title: msg`This prescription has ended`, text: msg`Send your care team a message if you still need it.`, again: false },
  'export-running': { title: msg`A copy is being made already`, text: msg`Wait until it is ready. You can make another one after that.`, again: false },
  'too-many-exports': { title: msg`That is enough copies for today`, text: msg`You can make five copies a day. Please come back tomorrow.`, again: false },
  'document-stays': { title: msg`This document cannot be deleted`, text: msg`It is being checked, or your care team has looked at it. Call the practice if it should not be there.`, again: false },
  'reported-already': { title: msg`This was reported already`, text: msg`The privacy officer is looking into it.`, again: false },
  'activation-refused': { title: msg`We could not open an account with these details`, text: msg`Check the letter from the practice: the record number, your date of birth and the code. If they are right, ask the practice for a new code.`, again: false },
  'address-taken': { title: msg`There is an account with this e-mail address`, text: msg`Sign in with it, or use another address.`, again: false },
};

const OTHER: Advice = { title: msg`That did not work`, text: msg`Please try again. If it happens again, call the practice.`, again: true };
const CONFLICT: Advice = { title: msg`That is not possible right now`, text: msg`Something changed in the meantime. Load the page again and check.`, again: false };

export const adviceOn = (problem: Problem): Advice =>
  KNOWN[problem.kind] ?? (problem.status === 409 || problem.status === 412 ? CONFLICT : problem.status >= 500 ? KNOWN['unavailable']! : OTHER);
