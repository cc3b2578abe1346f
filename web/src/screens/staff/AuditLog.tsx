// The audit log as the privacy officer reviews it (45 CFR 164.308(a)(1)(ii)(D)): who did what, and when.
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import { Button } from '../../ui/Button';
import { Facts } from '../../ui/Facts';
import { SelectField, TextField } from '../../ui/Field';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Page } from '../../ui/Page';
import { instant } from '../../words/dates';
import { say } from './codes';
import { asked, type Criteria, lastDays, suggested, useCheck, type WrongCriteria } from './criteria';
import { CheckExport, Export } from './AuditExport';

type Attributes = Record<string, string>;
const OUTCOMES = ['success', 'denied', 'invalid', 'failure'] as const;

function useOutcomes(): Attributes {
  const { t } = useLingui();
  return { success: t`Done`, denied: t`Not allowed`, invalid: t`Sent wrongly`, failure: t`Failed` };
}

export function AuditLog() {
  const { t } = useLingui();
  const queries = useQueryClient();
  const check = useCheck();
  const outcomes = useOutcomes();
  const form = useRef<HTMLFormElement>(null);
  const [criteria, setCriteria] = useState<Criteria>(() => ({ ...lastDays(), ...suggested(queries) }));
  const [wrong, setWrong] = useState<WrongCriteria>({});
  const [sought, setSought] = useState<{ criteria: Criteria; at: number }>();
  const [exporting, setExporting] = useState<Criteria>();
  useEffect(() => form.current?.querySelector<HTMLElement>('[aria-invalid]')?.focus(), [wrong]);
  const set = (change: Partial<Criteria>) => setCriteria({ ...criteria, ...change });
  const right = (found: Criteria, forExport: boolean): boolean => {
    const said = check(found, forExport);
    setWrong(said);
    return Object.keys(said).length === 0;
  };
  const search = (found: Criteria) => {
    if (right(found, false)) setSought({ criteria: found, at: Date.now() });
  };
  const narrow = (change: Partial<Criteria>) => {
    const found = { ...criteria, ...change };
    setCriteria(found);
    search(found);
  };
  return (
    <Page title={t`Audit log`} intro={<Trans>Everything that anybody did in the portal, or tried to. Your own searches are in it too.</Trans>}>
      <form
        ref={form}
        className="card"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          search(criteria);
        }}
      >
        <p className="hint"><Trans>Numbers stand for people. You find them in a concern, in a result held back, or in the log. Without a number you see what no account and no patient is named in, such as sign-ins that failed.</Trans></p>
        <div className="side-by-side">
          <TextField label={<Trans>Number of the patient</Trans>} wrong={wrong.patient} value={criteria.patient} onChange={(event) => set({ patient: event.currentTarget.value.trim() })} spellCheck={false} maxLength={40} />
          <TextField label={<Trans>Number of the account</Trans>} wrong={wrong.actor} value={criteria.actor} onChange={(event) => set({ actor: event.currentTarget.value.trim() })} spellCheck={false} maxLength={40} />
        </div>
        <div className="side-by-side">
          <TextField label={<Trans>What was done</Trans>} hint={<Trans>As the log calls it, such as profile.read. Leave it empty for everything.</Trans>} wrong={wrong.action} value={criteria.action} onChange={(event) => set({ action: event.currentTarget.value.trim() })} autoCapitalize="none" spellCheck={false} maxLength={81} />
          <SelectField label={<Trans>How it ended</Trans>} value={criteria.outcome} onChange={(event) => set({ outcome: event.currentTarget.value })}>
            <option value="">{t`All`}</option>
            {OUTCOMES.map((one) => <option key={one} value={one}>{outcomes[one]}</option>)}
          </SelectField>
        </div>
        <div className="side-by-side">
          <TextField type="datetime-local" label={<Trans>From</Trans>} value={criteria.from} onChange={(event) => set({ from: event.currentTarget.value })} />
          <TextField type="datetime-local" label={<Trans>Until</Trans>} wrong={wrong.to} value={criteria.to} onChange={(event) => set({ to: event.currentTarget.value })} />
        </div>
        <div className="actions">
          <Button type="submit" look="main"><Trans>Search</Trans></Button>
          <Button onClick={() => right(criteria, true) && setExporting(criteria)}><Trans>Export</Trans></Button>
        </div>
      </form>
      {sought && <Listed key={sought.at} criteria={sought.criteria} at={sought.at} onNarrow={narrow} />}
      <CheckExport />
      {exporting && <Export criteria={exporting} onClose={() => setExporting(undefined)} />}
    </Page>
  );
}

function Listed({ criteria, at, onNarrow }: { criteria: Criteria; at: number; onNarrow: (change: Partial<Criteria>) => void }) {
  const pages = usePages(['audit', at], (cursor) => answer(api.POST('/v1/audit/search', { body: { ...asked(criteria), ...(cursor ? { cursor } : {}) } })));
  return (
    <section className="card" aria-labelledby="records">
      <h2 id="records"><Trans>Records, newest first</Trans></h2>
      <More
        pages={pages}
        entries={(page) => page.records}
        empty={<Empty title={<Trans>Nothing was found</Trans>}><Trans>Check the numbers and the time. What was done a moment ago may take a little to appear.</Trans></Empty>}
      >
        {(all) => <ul className="rows">{all.map((record) => <li key={record['id']} className="row-text"><OneRecord record={record} criteria={criteria} onNarrow={onNarrow} /></li>)}</ul>}
      </More>
      {pages.hasNextPage && <p className="hint"><Trans>The log is read a part at a time. There may be more that fits in an older part.</Trans></p>}
    </section>
  );
}

function OneRecord({ record, criteria, onNarrow }: { record: Attributes; criteria: Criteria; onNarrow: (change: Partial<Criteria>) => void }) {
  const outcomes = useOutcomes();
  const { at = '', action, outcome = '', actor, patient, name, role } = record;
  const when = at && instant(at);
  const id = (text: string | undefined) => text && <code>{text}</code>;
  const facts: [ReactNode, ReactNode][] = [
    [<Trans>Operation</Trans>, id(record['operation'])],
    [<Trans>Reason</Trans>, id(record['reason'])],
    [<Trans>Purpose</Trans>, id(record['purpose'])],
    [<Trans>Account</Trans>, id(actor)],
    [<Trans>Role</Trans>, role && say(role)],
    [<Trans>Number in the directory</Trans>, id(record['practitioner'])],
    [<Trans>Patient</Trans>, id(patient)],
    [<Trans>Acting for</Trans>, id(record['acting_for'])],
    [<Trans>What it was about</Trans>, id(record['resource'])],
    [<Trans>Allowed by</Trans>, id(record['via'])],
    [<Trans>Grant</Trans>, id(record['grant'])],
    [<Trans>Emergency</Trans>, id(record['emergency'])],
    [<Trans>Network address</Trans>, id(record['source_ip'])],
    [<Trans>Browser or program</Trans>, record['user_agent']],
    [<Trans>Number of the request</Trans>, id(record['request_id'])],
    [<Trans>Number of the record</Trans>, id(record['id'])],
  ];
  return (
    <>
      <div className="card-head">
        <span className="row-name">{action}</span>
        <span className={`flag ${outcome === 'success' ? 'good' : 'note'}`}>{outcomes[outcome] ?? outcome}</span>
      </div>
      <p className="hint">{[when, name, role && say(role)].filter(Boolean).join(' · ')}</p>
      <details>
        <summary><Trans>The whole record</Trans><span className="unseen">: {action}, {when}</span></summary>
        <Facts facts={facts} />
        <div className="actions">
          {patient && patient !== criteria.patient && <Button look="quiet" onClick={() => onNarrow({ patient })}><Trans>Search for this patient</Trans></Button>}
          {actor && actor !== criteria.actor && <Button look="quiet" onClick={() => onNarrow({ actor })}><Trans>Search for this account</Trans></Button>}
        </div>
      </details>
    </>
  );
}
