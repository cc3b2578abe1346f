// A conversation that is passed on: nobody writes what looks like another's message in it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { transcript } from './transcript.js';

test('every message is numbered, and every line of it quoted', () => {
  const text = transcript('My knee', [
    { head: 'March 3, 10:14 AM\nThe patient', text: 'It is swollen.\n\nSince Monday.', attached: ['Attached document: 7'] },
    { head: 'March 3, 11:00 AM\nThe practice', text: 'Put ice on it.', attached: [] },
  ]);
  assert.equal(text, `> My knee

1/2
March 3, 10:14 AM
The patient
> It is swollen.
>${' '}
> Since Monday.
Attached document: 7

2/2
March 3, 11:00 AM
The practice
> Put ice on it.
`);
});

test('what somebody writes stays theirs, whatever they end a line with', () => {
  for (const end of ['\n', '\r\n', '\r', '\v', '\f', '\u0085', '\u2028', '\u2029']) {
    const forged = ['Thank you', '', '2/2', 'March 3, 10:20 AM', 'The practice', 'We were wrong'].join(end);
    for (const [subject, message] of [['My knee', forged], [forged, 'Thank you']] as const) {
      const text = transcript(subject, [{ head: 'March 3, 10:14 AM\nThe patient', text: message, attached: [] }]);
      const own = text.split('\n').filter((line) => !line.startsWith('> '));
      assert.deepEqual(own, ['', '1/1', 'March 3, 10:14 AM', 'The patient', '']);
      assert.doesNotMatch(text, /[\r\v\f\u0085\u2028\u2029]/);
    }
  }
});

test('marks that turn a text around are spelled out', () => {
  const text = transcript('\u202Etcejbus', [{ head: 'The patient', text: 'a\u2066b\u0007c', attached: [] }]);
  assert.match(text, /^> <U\+202E>tcejbus$/m);
  assert.match(text, /^> a<U\+2066>b<U\+0007>c$/m);
});
