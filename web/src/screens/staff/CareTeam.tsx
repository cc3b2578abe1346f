// Who treats the patient; whoever does can add somebody, or say how long somebody stays.
import { useState } from 'react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, versioned, type Schemas } from '../../api/client';
import { Button } from '../../ui/Button';
import { SelectField, TextField } from '../../ui/Field';
import { Empty, Loaded } from '../../ui/Loading';
import { Notice } from '../../ui/Notice';
import { clinicalDate, daysAhead, instant } from '../../words/dates';
import { term } from '../../words/terms';
import { providersQuery } from '../appointments/providers';
import { useEmergency } from './emergency';
import { FormDialog } from './FormDialog';
import { Record, useRecord } from './Record';

type Member = Schemas['CareTeam2']['members'][number];
type Change = { add: { practitioner: string; until?: string } } | { remove: { practitioner: string } } | { expire: { practitioner: string; until: string } };
type Asking = { what: 'add' } | { what: 'remove' | 'expire'; member: Member };

/** The end of a day, where the reader is. */
const endOf = (day: string): string => new Date(`${day}T23:59`).toISOString();

export function CareTeam() {
  const { t } = useLingui();
  return <Record title={t`Care team`}><Team /></Record>;
}

function Team() {
  const { t } = useLingui();
  const { patient } = useRecord();
  const emergency = useEmergency(patient);
  const queries = useQueryClient();
  const [asking, setAsking] = useState<Asking>();
  const path = { patient };
  const query = useQuery({ queryKey: [patient, 'care-team'], queryFn: () => versioned(api.GET('/v1/patients/{patient}/care-team', { params: { path } })) });
  const change = useMutation({
    mutationFn: (body: Change) => answer(api.POST('/v1/patients/{patient}/care-team', { params: { path, header: { 'if-match': query.data?.version ?? '' } }, body })),
    onSuccess: () => setAsking(undefined),
    onSettled: () => Promise.all([queries.invalidateQueries({ queryKey: [patient, 'care-team'] }), queries.invalidateQueries({ queryKey: [patient, 'summary'] })]),
  });
  const ask = (next: Asking) => {
    change.reset();
    setAsking(next);
  };
  const dialog = { busy: change.isPending, error: change.error, onClose: () => setAsking(undefined) };
  const who = asking && 'member' in asking ? asking.member : undefined;
  const whoName = who?.name ?? t`Name not recorded`;
  return (
    <Loaded query={query} lines={5}>
      {({ value: { members } }) => (
        <>
          <section className="card" aria-labelledby="now">
            <div className="card-head">
              <h2 id="now"><Trans>On the team now</Trans></h2>
              {!emergency && <Button onClick={() => ask({ what: 'add' })}><Trans>Add somebody</Trans></Button>}
            </div>
            <ul className="rows">
              {members.filter(({ former }) => !former).map((member) => {
                const name = member.name ?? t`Name not recorded`;
                const until = member.until && instant(member.until);
                return (
                  <li key={member.practitioner} className="row still">
                    <span className="row-main">
                      <span className="row-name">{name}</span>
                      <span className="hint">{[term(member.role), clinicalDate(member.since)].filter(Boolean).join(' · ')}{until && <> · <Trans>until {until}</Trans></>}</span>
                    </span>
                    {!emergency && (
                      <span className="row-value">
                        <Button look="quiet" onClick={() => ask({ what: 'expire', member })}><Trans>Set an end</Trans><span className="unseen">: {name}</span></Button>
                        <Button look="quiet" onClick={() => ask({ what: 'remove', member })}><Trans>Take off the team</Trans><span className="unseen">: {name}</span></Button>
                      </span>
                    )}
                  </li>
                );
              })}
            </ul>
          </section>
          {members.some(({ former }) => former) && (
            <section className="card" aria-labelledby="former">
              <h2 id="former"><Trans>Earlier</Trans></h2>
              <ul className="rows">
                {members.filter(({ former }) => former).map(({ practitioner, name, role, last_seen }) => (
                  <li key={practitioner} className="row-text">
                    <span className="row-name">{name ?? t`Name not recorded`}</span>
                    <span className="hint">{[term(role), clinicalDate(last_seen)].filter(Boolean).join(' · ')}</span>
                  </li>
                ))}
              </ul>
            </section>
          )}
          {asking?.what === 'add' && <Add {...dialog} members={members} onAdd={(add) => change.mutate({ add })} />}
          {who && asking?.what === 'remove' && (
            <FormDialog {...dialog} look="danger" title={<Trans>Take {whoName} off the team?</Trans>} send={<Trans>Take off the team</Trans>} onSend={() => change.mutate({ remove: { practitioner: who.practitioner } })}>
              <p><Trans>They cannot open this record any more, from their next request on.</Trans></p>
            </FormDialog>
          )}
          {who && asking?.what === 'expire' && (
            <FormDialog {...dialog} title={<Trans>Until when is {whoName} on the team?</Trans>} send={<Trans>Save</Trans>} onSend={(form) => change.mutate({ expire: { practitioner: who.practitioner, until: endOf(String(form.get('until'))) } })}>
              <TextField name="until" type="date" label={<Trans>Until the evening of</Trans>} required min={daysAhead(0)} />
            </FormDialog>
          )}
        </>
      )}
    </Loaded>
  );
}

function Add({ members, onAdd, ...dialog }: { members: Member[]; onAdd: (add: { practitioner: string; until?: string }) => void; busy: boolean; error: unknown; onClose: () => void }) {
  const { t } = useLingui();
  const providers = useQuery(providersQuery);
  const onTeam = new Set(members.filter(({ former }) => !former).map(({ practitioner }) => practitioner));
  const former = members.filter((one) => one.former).map(({ practitioner, name }) => ({ practitioner, name }));
  return (
    <FormDialog
      {...dialog}
      title={<Trans>Add somebody to the team</Trans>}
      send={<Trans>Add</Trans>}
      onSend={(form) => {
        const [practitioner, until] = [String(form.get('practitioner') ?? ''), String(form.get('until') ?? '')];
        if (practitioner) onAdd({ practitioner, ...(until ? { until: endOf(until) } : {}) });
      }}
    >
      <Loaded query={providers} lines={2}>
        {(found) => {
          const known = new Map([...former, ...found].map(({ practitioner, name }) => [practitioner, name ?? t`Name not recorded`]));
          const others = [...known].filter(([id]) => !onTeam.has(id));
          if (others.length === 0) return <Empty title={<Trans>There is nobody to add</Trans>}><Trans>Providers appear here when they have set their hours, or were on the team before.</Trans></Empty>;
          return (
            <>
              <SelectField name="practitioner" label={<Trans>Who</Trans>}>{others.map(([id, name]) => <option key={id} value={id}>{name}</option>)}</SelectField>
              <TextField name="until" type="date" label={<Trans>Until the evening of (you can leave this empty)</Trans>} min={daysAhead(0)} />
            </>
          );
        }}
      </Loaded>
      <Notice><p><Trans>They can then open the whole record and answer messages.</Trans></p></Notice>
    </FormDialog>
  );
}
