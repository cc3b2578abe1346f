// Threads that somebody who takes part cannot open yet: a proxy since they have a key, or whoever has a
// new one. This browser wraps them, once its person has agreed to whom.
import { useNavigate } from '@tanstack/react-router';
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Plural, Trans } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import { fingerprint, type Lacking } from '../../messages';
import { useSubject } from '../../session/me';
import { Button } from '../../ui/Button';
import { Failure, Notice } from '../../ui/Notice';
import { useMailbox } from '../../session/messaging';
import { useThreads } from './mailbox';
import { Whose } from './NewKeys';

/** Who lacks threads, and which threads somebody has the key of who takes no part any more. */
export function useSharing(patient: string) {
  const { messages } = useMailbox();
  const queries = useQueryClient();
  const { data } = useThreads(patient);
  const threads = (data ?? []).map(({ stored }) => stored);
  return useQuery({
    queryKey: [patient, 'sharing', threads.map(({ id, parties }) => [id, ...parties])],
    queryFn: async () => {
      // Nobody can share with somebody who has no key.
      await messages.key(patient);
      const all = await messages.lacking(patient, threads);
      const agreed = all.filter((one) => one.agreed);
      for (const one of agreed) await messages.shareWith(patient, one);
      if (agreed.length > 0) void queries.invalidateQueries({ queryKey: [patient, 'threads'] });
      return { lacking: all.filter((one) => !one.agreed), outlived: await messages.outlived(patient, threads) };
    },
    enabled: data !== undefined,
    placeholderData: keepPreviousData,
    staleTime: 0,
    gcTime: 0,
    retry: false,
  });
}

export function Sharing({ patient }: { patient: string }) {
  const { messages } = useMailbox();
  const queries = useQueryClient();
  const sharing = useSharing(patient);
  const share = useMutation({
    mutationFn: async (lacking: Lacking[]) => {
      for (const one of lacking) await messages.shareWith(patient, one);
    },
    onSuccess: () => queries.invalidateQueries({ queryKey: [patient, 'threads'] }).then(() => queries.invalidateQueries({ queryKey: [patient, 'sharing'] })),
  });
  const lacking = sharing.data?.lacking ?? [];
  return (
    <>
      {sharing.error && <Failure error={sharing.error} onAgain={() => void sharing.refetch()} />}
      <div role="status">{share.isSuccess && lacking.length === 0 && <Notice kind="good"><p><Trans>Shared. They can read these conversations now.</Trans></p></Notice>}</div>
      {lacking.length > 0 && (
        <Ask patient={patient} lacking={lacking} error={share.error} busy={share.isPending} onShare={() => share.mutate(lacking)} />
      )}
      <Unshared patient={patient} />
    </>
  );
}

function Ask({ patient, lacking, error, busy, onShare }: { patient: string; lacking: Lacking[]; error: unknown; busy: boolean; onShare: () => void }) {
  const proxies = lacking.some(({ log }) => log.relationship === 'proxy');
  const others = lacking.some(({ log }) => log.relationship !== 'proxy');
  const count = Math.max(...lacking.map(({ threads }) => threads.length));
  return (
    <section className="card" aria-labelledby="sharing">
      <h2 id="sharing"><Trans>Share your conversations?</Trans></h2>
      {proxies && <Entitled patient={patient} />}
      {others && <p><Trans>Somebody in your conversations has a new key. They can read on when you share with it.</Trans></p>}
      <p><Trans>If you want to be sure whose key it is, compare these letters by telephone. If you do not know who this is, do not share, and call the practice.</Trans></p>
      <ul>{lacking.map(({ log }) => <li key={log.party}><Whose log={log} />: <span className="secret">{fingerprint(log)}</span></li>)}</ul>
      {error !== null && <Failure error={error} />}
      <Button busy={busy && <Trans>Sharing…</Trans>} onClick={onShare}><Plural value={count} one="Share # conversation" other="Share # conversations" /></Button>
    </section>
  );
}

/** By name, whom the patient lets read messages. */
function Entitled({ patient }: { patient: string }) {
  const own = useSubject()?.own ?? false;
  const { data } = useQuery({
    queryKey: [patient, 'proxies'],
    queryFn: () => answer(api.GET('/v1/patients/{patient}/proxies', { params: { path: { patient } } })),
    enabled: own,
  });
  const names = data?.proxies.filter(({ in_effect }) => in_effect.includes('messages')).map(({ name }) => name).join(', ');
  return (
    <p>
      {names
        ? <Trans>These people may read and write messages for you: {names}. They can open the conversations so far when you share them.</Trans>
        : <Trans>Somebody else may read and write messages for the patient. They can open the conversations so far when you share them.</Trans>}
    </p>
  );
}

/** What this account may read, and cannot open. */
function Unshared({ patient }: { patient: string }) {
  const { messages } = useMailbox();
  const { isSuccess } = useThreads(patient);
  const count = isSuccess ? messages.unshared.get(patient) ?? 0 : 0;
  if (count === 0) return null;
  return (
    <Notice>
      <p><Plural value={count} one="# conversation is not shared with you yet." other="# conversations are not shared with you yet." />{' '}
        <Trans>It appears here when the patient has opened their messages and shared it.</Trans></p>
    </Notice>
  );
}

/** In the place of writing on: what comes is for those alone who take part now, so it needs a new key. */
export function Anew({ patient, subject }: { patient: string; subject: string }) {
  const { drafts } = useMailbox();
  const navigate = useNavigate();
  const begin = useMutation({
    mutationFn: async () => {
      // What is begun already is not lost; and a subject is not for addresses.
      if (!(await drafts.load({ patient }))) await drafts.save({ patient }, { subject, text: '', attachments: [] });
      await navigate({ to: '/messages/new' });
    },
  });
  return (
    <section className="card" aria-labelledby="anew">
      <h2 id="anew"><Trans>Go on in a new conversation</Trans></h2>
      <p><Trans>Somebody who had a key to this conversation may not read your messages any more. A new conversation has a new key, which they do not get.</Trans></p>
      {begin.error && <Failure error={begin.error} />}
      <Button look="main" busy={begin.isPending && <Trans>One moment…</Trans>} onClick={() => begin.mutate()}><Trans>Write in a new conversation</Trans></Button>
    </section>
  );
}
