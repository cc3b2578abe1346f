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
  internal: { title: msg`Something went wrong on our side`, text: msg`Please try again. If it happens again, call the practice.`, again: true },
  'too-many-requests': { title: msg`That was a lot at once`, text: msg`Please wait a moment before you try again.`, again: true },
  'not-found': { title: msg`We could not find this`, text: msg`It may have been moved or removed. Go back and choose it from the list.`, again: false },
  forbidden: { title: msg`You cannot see this`, text: msg`Your account does not have access. If you think it should, call the practice.`, again: false },
  unauthenticated: { title: msg`You are signed out`, text: msg`Please sign in again.`, again: false },
  'sign-in-again': { title: msg`Please sign in again first`, text: msg`For your safety, this needs a sign-in from the last 15 minutes. After it you come back to this page.`, again: false },
  'changed-meanwhile': { title: msg`This changed while you had it open`, text: msg`Somebody else saved a change, or you did in another window. Load it again, check it, and repeat your change.`, again: false },
  'invalid-input': { title: msg`Something needs to be corrected`, text: msg`Check what you entered and try again.`, again: false },
  'refill-open': { title: msg`You already asked for this refill`, text: msg`The practice is working on it. You can see it under your requests.`, again: false },
  'refill-closed': { title: msg`The practice has already answered`, text: msg`This request cannot be taken back any more.`, again: false },
  'prescription-not-active': { title: msg`This prescription has ended`, text: msg`Send your care team a message if you still need it.`, again: false },
  'export-running': { title: msg`A copy is being made already`, text: msg`Wait until it is ready. You can make another one after that.`, again: false },
  'too-many-exports': { title: msg`That is enough copies for today`, text: msg`You can make five copies a day. Please come back tomorrow.`, again: false },
  'document-stays': { title: msg`This document cannot be deleted`, text: msg`It is being checked, or your care team has looked at it. Call the practice if it should not be there.`, again: false },
  'reported-already': { title: msg`This was reported already`, text: msg`The privacy officer is looking into it.`, again: false },
  'activation-refused': { title: msg`We could not open an account with these details`, text: msg`Check the letter from the practice: the record number, your date of birth and the code. If you have set up your account already, sign in. If the details are right, ask the practice for a new code.`, again: false },
  'account-exists': { title: msg`You have an account already`, text: msg`Sign in with the e-mail address you set it up with. If you do not know it, call the practice.`, again: false },
  'address-taken': { title: msg`There is an account with this e-mail address`, text: msg`Sign in with it, or use another address.`, again: false },
  // Visits
  'slot-taken': { title: msg`Somebody else has just taken this time`, text: msg`Please choose another time.`, again: false },
  'appointment-overlaps': { title: msg`You have another visit at that time`, text: msg`Choose another time, or move the other visit first.`, again: false },
  'too-many-appointments': { title: msg`You have as many visits planned as can be booked here`, text: msg`Cancel one that you do not need, or call the practice.`, again: false },
  'too-many-places': { title: msg`You have five places on the waitlist`, text: msg`Leave one of them first.`, again: false },
  'too-late': { title: msg`It is too close to your visit to change it here`, text: msg`Please call the practice. They can still move or cancel it.`, again: false },
  'appointment-status': { title: msg`This visit cannot be changed any more`, text: msg`It took place or was cancelled. Load the page again to see how it stands.`, again: false },
  'sent-twice': { title: msg`Your booking is on its way`, text: msg`Wait a moment, then look at your visits.`, again: true },
  'key-used-before': { title: msg`This was sent before`, text: msg`Load the page again and check whether it is there.`, again: false },
  // Proxies and corrections
  'too-many-proxies': { title: msg`Ten people can act for you already`, text: msg`End the access of one of them first.`, again: false },
  'address-not-usable': { title: msg`This e-mail address cannot be used`, text: msg`Check the address, or ask the person for the one that they sign in with.`, again: false },
  'for-parents': { title: msg`Only parents act here`, text: msg`A child has no account of their own. Call the practice if something should change.`, again: false },
  'granted-by-another': { title: msg`You cannot end this here`, text: msg`Whoever gave this access has to end it. Call the practice if you need help.`, again: false },
  'too-many-amendments': { title: msg`Twenty of your requests wait for an answer`, text: msg`Please wait until the practice has answered some of them.`, again: false },
  'not-denied': { title: msg`This request takes no disagreement`, text: msg`You can disagree once, after the practice said no.`, again: false },
  // The address to sign in with
  'codes-refused': { title: msg`These codes do not work`, text: msg`Check both e-mails. After five wrong tries or an hour, ask for new codes.`, again: false },
  'change-under-way': { title: msg`Your last change is still being carried out`, text: msg`Please try again in an hour.`, again: false },
  // Messages
  'thread-closed': { title: msg`This conversation is closed`, text: msg`Start a new one to write to your care team.`, again: false },
  'message-no-key': { title: msg`Your care team cannot receive messages yet`, text: msg`Nobody there has opened their messages so far. Call the practice.`, again: false },
  'message-key-changed': { title: msg`Somebody has a new key`, text: msg`Check it below before you write.`, again: false },
  'message-locked': { title: msg`Your messages are locked`, text: msg`Enter your passphrase to open them.`, again: true },
  'message-wrong-secret': { title: msg`This is not your passphrase`, text: msg`Try again. Capital letters and spaces count. Nobody can look it up for you.`, again: true },
  'message-weak-passphrase': { title: msg`This passphrase is too short`, text: msg`Use at least 15 characters: a few words that you can keep in mind.`, again: false },
  'message-not-shared': { title: msg`This conversation is not shared with you yet`, text: msg`It opens here as soon as the patient, or whoever began it, has opened their messages and shared it.`, again: true },
  'message-not-a-copy': { title: msg`Your messages cannot be added to this copy`, text: msg`Save the files without them, or make a new copy and try again.`, again: false },
  'too-many-keys': { title: msg`This conversation was shared too many times`, text: msg`Start a new one.`, again: false },
  // The practice
  'last-member': { title: msg`Nobody would be left on the care team`, text: msg`Add somebody else first.`, again: false },
  'already-permitted': { title: msg`You are on this patient’s care team`, text: msg`Open the record as usual.`, again: false },
  'already-broken': { title: msg`You have emergency access already`, text: msg`Open the record. When the hour is over, you can ask again.`, again: false },
  barred: { title: msg`You cannot use emergency access for now`, text: msg`An earlier one was not justified. Ask somebody on the care team to add you, or the privacy officer to let you again.`, again: false },
  'not-on-care-team': { title: msg`That person is not on the care team`, text: msg`Choose somebody who treats the patient now.`, again: false },
  'already-held': { title: msg`This result is held back already`, text: msg`Load the page again to see it.`, again: false },
  'too-many-holds': { title: msg`Twenty results of this patient are held back`, text: msg`Release one of them first.`, again: false },
  'held-long-enough': { title: msg`This result cannot be held back any longer`, text: msg`It was held first more than 30 days ago.`, again: false },
  'concern-closed': { title: msg`This was closed before`, text: msg`Load the page again to see how it ended.`, again: false },
  'amendment-closed': { title: msg`This request was answered before`, text: msg`Load the page again to see the answer.`, again: false },
  'not-extendable': { title: msg`The time cannot be made longer`, text: msg`It was made longer before, or is over. Accept or deny the request.`, again: false },
  'appointment-not-begun': { title: msg`The visit has not begun yet`, text: msg`Come back when it has.`, again: false },
  'last-administrator': { title: msg`Somebody has to administer the portal`, text: msg`Make somebody else an administrator first.`, again: false },
  'practitioner-taken': { title: msg`This provider has an account already`, text: msg`Find it in the list and change that one.`, again: false },
  'incomplete-record': { title: msg`The record lacks the whole date of birth`, text: msg`The patient proves it to open an account. Have the record completed first.`, again: false },
  'too-many-codes': { title: msg`There were too many codes for this patient`, text: msg`Please wait until tomorrow.`, again: false },
  'patient-deceased': { title: msg`The record says that this patient has died`, text: msg`Ask the practice to check the record.`, again: false },
};

/** What a browser finds wrong with messages that no honest portal would send. */
const ALTERED: Advice = {
  title: msg`These messages do not fit together`,
  text: msg`Something in this conversation was changed or is missing, so we do not show it. Do not rely on it, and call the practice’s privacy officer.`,
  again: true,
};

const OTHER: Advice = { title: msg`That did not work`, text: msg`Please try again. If it happens again, call the practice.`, again: true };
const CONFLICT: Advice = { title: msg`That is not possible right now`, text: msg`Something changed in the meantime. Load the page again and check.`, again: false };

export const adviceOn = (problem: Problem): Advice =>
  KNOWN[problem.kind] ?? (problem.kind.startsWith('message-') ? ALTERED : problem.status === 409 || problem.status === 412 ? CONFLICT : problem.status >= 500 ? KNOWN['unavailable']! : OTHER);
