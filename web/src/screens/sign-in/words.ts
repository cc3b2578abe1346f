// What is said when signing in does not work, and what a password has to be.
import { msg } from '@lingui/core/macro';
import type { MessageDescriptor } from '@lingui/core';
import * as v from 'valibot';
import { must } from '../../ui/form';

export const WRONG: Record<string, MessageDescriptor> = {
  wrong: msg`The e-mail address or the password is not right. Check both and try again.`,
  code: msg`This code is not right, or it was used before. Wait for the next code in your app and enter it.`,
  mailed: msg`This code is not right, or it is too old. Check the e-mail that came last, or ask for another code.`,
  weak: msg`This password is too weak. Follow the rules below the field.`,
  expired: msg`That took too long. Please start again.`,
  wait: msg`There were too many tries. Please wait 15 minutes, then try again.`,
  offline: msg`We cannot reach the portal. Check your internet connection and try again.`,
  other: msg`That did not work. Please try again. If it happens again, call the practice.`,
};

export const saysOf = (error: unknown): MessageDescriptor =>
  WRONG[error instanceof Error && 'kind' in error ? String(error.kind) : 'other'] ?? WRONG['other']!;

export const email = v.pipe(
  v.string(),
  v.trim(),
  must((text) => /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(text), msg`Enter an e-mail address, like name@example.com.`),
);

export const given = (say: MessageDescriptor) => v.pipe(v.string(), must((text) => text.trim() !== '', say));

/** The user pool's rules (infra/identity.yaml). */
export const newPassword = v.pipe(
  v.string(),
  must((text) => text.length >= 14, msg`Use at least 14 characters.`),
  must((text) => /[a-z]/.test(text) && /[A-Z]/.test(text), msg`Use small and capital letters.`),
  must((text) => /\d/.test(text), msg`Use at least one number.`),
  must((text) => /[^\p{L}\p{N}]/u.test(text), msg`Use at least one sign, such as ! or -`),
);

export const mailedCode = v.pipe(v.string(), v.trim(), must((text) => /^\d{6}$/.test(text), msg`Enter the 6 numbers from the e-mail.`));

export const code = v.pipe(
  v.string(),
  v.transform((text) => text.replace(/\s/g, '')),
  must((text) => /^\d{6}$/.test(text), msg`Enter the 6 numbers that your app shows.`),
);
