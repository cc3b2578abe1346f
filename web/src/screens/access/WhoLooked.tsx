// Everybody who opened the record, when and why (45 CFR 164.528), and what looks wrong about it.
import { useState } from 'react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { usePatient, useSubject } from '../../session/me';
import { Button } from '../../ui/Button';
import { Dialog, Leave } from '../../ui/Dialog';
import { Facts } from '../../ui/Facts';
import { SelectField, TextArea } from '../../ui/Field';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { instant } from '../../words/dates';
import { said } from '../../words/said';

type Access = Schemas['Accessed'];
const OF = ['others', 'anyone', 'providers', 'staff', 'proxies', 'portal', 'disclosures'] as const;

export function WhoLooked() {
  const { t } = useLingui();
  const patient = usePatient();
  // The accounting of disclosures is the patient's own.
  const own = useSubject()?.own;
  const [of, setOf] = useState<(typeof OF)[number]>('others');
  const [reporting, setReporting] = useState<Access>();
  const pages = usePages([patient, 'record-access', of], (cursor) =>
    answer(api.GET('/v1/patients/{patient}/record-access', {
      params: { path: { patient }, query: { of, ...(cursor ? { cursor } : {}) } },
    })),
  );
  const names: Record<(typeof OF)[number], string> = {
    others: t`Everybody but me`,
    anyone: t`Everybody and me`,
    providers: t`Doctors and care team`,
    staff: t`Office staff`,
    proxies: t`People who act for me`,
    portal: t`The portal itself`,
    disclosures: t`What was passed on to others`,
  };
  return (
    <Page title={t`Who looked at my record`} intro={<Trans>Every time somebody opens your record, we write it down. If something looks wrong to you, tell the privacy officer.</Trans>}>
      <div className="filter">
        <SelectField label={<Trans>Show</Trans>} value={of} onChange={(event) => setOf(event.currentTarget.value as typeof of)}>
          {OF.filter((one) => own || one !== 'disclosures').map((one) => <option key={one} value={one}>{names[one]}</option>)}
        </SelectField>
      </div>
      <More
        pages={pages}
        entries={(page) => page.accesses}
        empty={<Empty title={<Trans>Nobody so far</Trans>}><Trans>When somebody opens your record, you see here who it was, when and why.</Trans></Empty>}
      >
        {(all) => (
          <ul className="stack">
            {all.map((access) => <li key={access.id}><OneAccess access={access} onReport={() => setReporting(access)} /></li>)}
          </ul>
        )}
      </More>
      {reporting && <Report patient={patient} access={reporting} onClose={() => setReporting(undefined)} />}
    </Page>
  );
}

function OneAccess({ access, onReport }: { access: Access; onReport: () => void }) {
  const { at, who, what, why, outcome, report, from } = access;
  return (
    <section className="card">
      <div className="card-head">
        <h2>{who.name ?? said(who.text)}</h2>
        {outcome.code !== 'done' && <span className="flag note">{said(outcome.text)}</span>}
      </div>
      <p>{said(what.text)}</p>
      <p className="hint">{[instant(at), who.name && said(who.text, who.name), why && said(why.text)].filter(Boolean).join(' · ')}</p>
      {why?.emergency && <Notice kind="warning"><p>{said(why.emergency.text)}</p></Notice>}
      {why?.disclosure && (
        <Facts facts={[
          [<Trans>Passed on to</Trans>, [why.disclosure.recipient, why.disclosure.address].filter(Boolean).join(', ')],
          [<Trans>Why</Trans>, why.disclosure.statement],
        ]} />
      )}
      {from && <p className="hint"><Trans>From the address {from.source_ip}</Trans></p>}
      {report ? (
        <Notice><p>{said(report.text)}</p></Notice>
      ) : (
        who.kind !== 'you' && <Button look="quiet" onClick={onReport}><Trans>This looks wrong</Trans></Button>
      )}
    </section>
  );
}

function Report({ patient, access, onClose }: { patient: string; access: Access; onClose: () => void }) {
  const queries = useQueryClient();
  const send = useMutation({
    mutationFn: (explanation: string) =>
      answer(api.POST('/v1/patients/{patient}/record-access/{access}/report', {
        params: { path: { patient, access: access.id } },
        body: explanation ? { explanation } : {},
      })),
    onSuccess: () => queries.invalidateQueries({ queryKey: [patient, 'record-access'] }),
  });
  if (send.isSuccess) {
    return (
      <Dialog title={<Trans>Thank you for telling us</Trans>} onClose={onClose}>
        <p><Trans>The privacy officer looks into it. You see here what came of it.</Trans></p>
        <div className="actions"><Button look="main" onClick={onClose}><Trans>Close</Trans></Button></div>
      </Dialog>
    );
  }
  return (
    <Dialog title={<Trans>Tell the privacy officer</Trans>} onClose={onClose}>
      <p>{access.who.name ?? said(access.who.text)}: {said(access.what.text)}, {instant(access.at)}</p>
      {send.error && <Failure error={send.error} />}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const text = String(new FormData(event.currentTarget).get('explanation') ?? '');
          // One line is what the privacy officer's list takes.
          if (!send.isPending) send.mutate(text.replace(/\s+/g, ' ').trim());
        }}
      >
        <TextArea name="explanation" label={<Trans>What looks wrong? (you can leave this empty)</Trans>} maxLength={1000} />
        <div className="actions">
          <Button type="submit" look="main" busy={send.isPending && <Trans>Sending…</Trans>}><Trans>Send</Trans></Button>
          <Leave><Trans>Cancel</Trans></Leave>
        </div>
      </form>
    </Dialog>
  );
}
