// What every screen with messages needs: the mailbox, its threads, and asking for a passphrase.
import { type ReactNode, useSyncExternalStore } from 'react';
import { useQuery } from '@tanstack/react-query';
import { i18n } from '@lingui/core';
import { msg } from '@lingui/core/macro';
import { Plural, Trans } from '@lingui/react/macro';
import type { OpenedThread } from '../../messages';
import { locks, useMailbox } from '../../session/messaging';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { TextField } from '../../ui/Field';
import { Notice } from '../../ui/Notice';

/** All threads of a patient, those that were put away among them. */
export function useThreads(patient: string) {
  const { messages } = useMailbox();
  return useQuery({
    queryKey: [patient, 'threads'],
    queryFn: () => messages.list(patient, { hidden: true }),
    retry: false,
  });
}

/** What a conversation is called. */
export const subjectOf = ({ subject }: OpenedThread): string => subject ?? i18n._(msg`Conversation that does not open`);

/** Whom to call if it cannot wait, and how long an answer takes: the practice says it with the threads. */
export function Emergency({ patient }: { patient: string }) {
  const { messages } = useMailbox();
  const { isSuccess } = useThreads(patient);
  const reply = isSuccess ? messages.reply : undefined;
  return (
    <Notice kind="warning">
      <p><Trans>Do not use messages for emergencies. If it cannot wait, call the practice.</Trans></p>
      {reply && <p><Trans>In an emergency, call <a href={`tel:${reply.emergency_number}`}>{reply.emergency_number}</a>. Somebody answers your message within <Plural value={reply.reply_within_hours} one="# hour" other="# hours" />.</Trans></p>}
    </Notice>
  );
}

/** A screen with messages: it asks for what locks them. */
export function Mail({ children }: { children: ReactNode }) {
  const asked = useSyncExternalStore(locks.subscribe, locks.asked);
  return (
    <>
      {children}
      {asked && (
        <Dialog title={<Trans>Open your messages</Trans>} onClose={() => asked.answer(undefined)}>
          <p><Trans>You locked your messages with a passphrase. Enter it to read and write.</Trans></p>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              asked.answer({ passphrase: String(new FormData(event.currentTarget).get('passphrase') ?? '') });
            }}
          >
            {/* So that password managers keep it apart from the password. */}
            <input type="text" name="username" autoComplete="username" defaultValue="messages" hidden readOnly />
            <TextField name="passphrase" type="password" label={<Trans>Passphrase</Trans>} required />
            <div className="actions">
              <Button type="submit" look="main"><Trans>Open</Trans></Button>
              <Button onClick={() => asked.answer(undefined)}><Trans>Not now</Trans></Button>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}
