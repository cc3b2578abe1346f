// Where the account is signed in, who tried to, and signing out.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { endSession } from '../../session/session';
import { Button } from '../../ui/Button';
import { Loaded } from '../../ui/Loading';
import { Failure } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { instant } from '../../words/dates';
import { EmailChange } from './EmailChange';

export function Security() {
  const { t } = useLingui();
  // Who looks wants to know where the account is signed in now.
  const query = useQuery({ queryKey: ['sessions'], queryFn: () => answer(api.GET('/v1/account/sessions')), staleTime: 0 });
  const everywhere = useMutation({
    mutationFn: () => answer(api.POST('/v1/account/sign-out-everywhere')),
    onSuccess: () => endSession('everywhere'),
  });
  const kinds: Record<string, string> = { 'sign-in': t`Sign-in`, 'password-change': t`Change of password`, 'forgotten-password': t`Forgotten password` };
  const outcomes: Record<string, string> = { success: t`done`, failure: t`refused`, unfinished: t`not finished` };
  const attempt = ({ kind, outcome }: Schemas['SignIn']) => `${kinds[kind] ?? t`Another step`}: ${outcomes[outcome] ?? outcome}`;
  return (
    <Page title={t`Sign-in and security`} intro={<Trans>Check that every sign-in was yours. If one was not, sign out everywhere and choose a new password.</Trans>}>
      <section className="card" aria-labelledby="now">
        <h2 id="now"><Trans>Signed in now</Trans></h2>
        {everywhere.error && <Failure error={everywhere.error} onAgain={() => everywhere.mutate()} />}
        <Loaded query={query}>
          {({ sessions }) => <ul className="rows">{sessions.map((one) => <li key={one.id}><Session session={one} /></li>)}</ul>}
        </Loaded>
        <div className="actions">
          <Button look="main" busy={everywhere.isPending && <Trans>Signing out…</Trans>} onClick={() => everywhere.mutate()}><Trans>Sign out everywhere</Trans></Button>
          <Button onClick={() => void endSession('here')}><Trans>Sign out here</Trans></Button>
        </div>
      </section>
      <section className="card" aria-labelledby="attempts">
        <h2 id="attempts"><Trans>Sign-ins and attempts</Trans></h2>
        <Loaded query={query}>
          {({ sign_ins }) => (
            <ul className="rows">
              {sign_ins.map((one, at) => (
                <li key={at} className="row-text">
                  <span className="row-name">{instant(one.at)}</span>
                  <span className="hint">{[attempt(one), one.device, one.source_ip, one.city, one.country].filter(Boolean).join(' · ')}</span>
                </li>
              ))}
            </ul>
          )}
        </Loaded>
      </section>
      <EmailChange />
    </Page>
  );
}

function Session({ session }: { session: Schemas['Sessions']['sessions'][number] }) {
  const { t } = useLingui();
  const queries = useQueryClient();
  const end = useMutation({
    mutationFn: () => answer(api.POST('/v1/account/sessions/{session}/end', { params: { path: { session: session.id } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['sessions'] }),
  });
  const browser = browserOf(session.user_agent) ?? t`Unknown browser`;
  const since = instant(session.signed_in_at);
  return (
    <div className="row still">
      <span className="row-main">
        <span className="row-name">{browser}{session.current && <> · <Trans>this one</Trans></>}</span>
        <span className="hint"><Trans>Since {since}, from {session.source_ip}</Trans></span>
        {end.error && <Failure error={end.error} />}
      </span>
      {!session.current && <Button busy={end.isPending && <Trans>Signing out…</Trans>} onClick={() => end.mutate()}><Trans>Sign out</Trans><span className="unseen">: {browser}, {since}</span></Button>}
    </div>
  );
}

function browserOf(agent: string): string | undefined {
  const browser = /(Edg|OPR|Firefox|Chrome|Safari)\//.exec(agent)?.[1];
  const system = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/.exec(agent)?.[1];
  const names: Record<string, string> = { Edg: 'Edge', OPR: 'Opera' };
  return browser && [names[browser] ?? browser, system].filter(Boolean).join(', ');
}
