// An entry of the health record: what it is, when, and what else was recorded, by section.
import type { ReactNode } from 'react';
import { Trans } from '@lingui/react/macro';
import type { Schemas } from '../../api/client';
import { Facts } from '../../ui/Facts';
import { clinicalDate } from '../../words/dates';
import { inWords } from '../../words/codes';
import { measured, term } from '../../words/terms';
import { Flags } from '../labs/Flags';
import { label, valueInWords } from '../labs/values';

type When = Schemas['When'] | null | undefined;

const when = (time: When): string => {
  if (!time) return '';
  const [start, end] = [clinicalDate(time.start), clinicalDate(time.end)];
  return [start, end && end !== start ? end : ''].filter(Boolean).join(' – ') || (time.text ?? '');
};

const list = (texts: readonly string[] | undefined): string => (texts ?? []).map((text) => term(inWords(text))).join(', ');

/** What is said of an entry that is as it should be, and so needs no word. */
const SETTLED = ['final', 'finished', 'completed'];

export function Entry({ section, entry }: { section: Schemas['Section']; entry: object }) {
  const { heading, at, facts, more } = SHOW[section](entry as never);
  const { notes, status, clinical_status } = entry as { notes?: string[]; status?: string; clinical_status?: string };
  const state = clinical_status ?? (SETTLED.includes(status ?? '') ? undefined : status);
  return (
    <section className="card">
      <div className="card-head">
        <h2>{(heading && term(heading)) || <Trans>No name recorded</Trans>}</h2>
        {state && <span className="flag">{inWords(state)}</span>}
      </div>
      {at && <p className="hint">{at}</p>}
      {more}
      <Facts facts={facts} />
      {notes?.map((note, at) => <p key={at} className="quote">{note}</p>)}
    </section>
  );
}

interface Shown {
  heading: string | null | undefined;
  at?: string;
  facts: (readonly [ReactNode, ReactNode])[];
  more?: ReactNode;
}

const observed = (one: Schemas['LabResult']): Shown => ({
  heading: one.name,
  at: clinicalDate(one.effective),
  facts: (one.components ?? []).map((part) => [label(part.code), valueInWords(part.value)]),
  // The parts of a value stand below.
  more: (one.display || one.flags?.length) && (
    <p className="value">{!one.components?.length && one.display && measured(one.display)} <Flags flags={one.flags ?? []} /></p>
  ),
});

const SHOW: { [S in Schemas['Section']]: (entry: never) => Shown } = {
  allergies: (one: Schemas['Allergy']) => ({
    heading: one.name,
    at: when(one.onset) || clinicalDate(one.recorded),
    facts: [
      [<Trans>Reaction</Trans>, (one.reactions ?? []).flatMap(({ manifestations = [], severity }) => [...manifestations, ...(severity ? [inWords(severity)] : [])]).map(term).join(', ')],
      [<Trans>How serious it could be</Trans>, inWords(one.criticality)],
      [<Trans>How sure this is</Trans>, inWords(one.verification_status)],
      [<Trans>Last time</Trans>, clinicalDate(one.last_occurrence)],
    ],
  }),
  conditions: (one: Schemas['Condition']) => ({
    heading: one.name,
    at: when(one.onset) || clinicalDate(one.recorded),
    facts: [
      [<Trans>Ended</Trans>, when(one.abatement)],
      [<Trans>Severity</Trans>, inWords(one.severity)],
      [<Trans>Where</Trans>, list(one.body_sites)],
      [<Trans>How sure this is</Trans>, inWords(one.verification_status)],
    ],
  }),
  immunizations: (one: Schemas['Immunization']) => ({
    heading: one.name,
    at: clinicalDate(one.occurrence),
    facts: [
      [<Trans>Dose</Trans>, one.dose],
      [<Trans>Where</Trans>, term(one.site)],
      [<Trans>Lot number</Trans>, one.lot_number],
      [<Trans>Why</Trans>, list(one.reasons)],
    ],
  }),
  procedures: (one: Schemas['Procedure']) => ({
    heading: one.name,
    at: when(one.performed),
    facts: [
      [<Trans>Why</Trans>, list(one.reasons)],
      [<Trans>Where</Trans>, list(one.body_sites)],
      [<Trans>Outcome</Trans>, term(one.outcome)],
    ],
  }),
  encounters: (one: Schemas['Encounter']) => ({
    heading: one.name ?? list(one.types),
    at: when(one.period),
    facts: [
      [<Trans>Why</Trans>, list(one.reasons)],
      [<Trans>Afterwards</Trans>, term(one.discharge_disposition)],
    ],
  }),
  'care-plans': (one: Schemas['CarePlan']) => ({
    heading: one.name ?? list(one.categories),
    at: when(one.period),
    facts: [[<Trans>What is planned</Trans>, (one.activities ?? []).map(({ name, description }) => term(name) ?? description).filter(Boolean).join(', ')]],
    more: one.description && <p>{one.description}</p>,
  }),
  'care-teams': (one: Schemas['CareTeam']) => ({
    heading: one.name ?? list(one.categories),
    at: when(one.period),
    facts: [
      [<Trans>Who</Trans>, (one.participants ?? []).map(({ name, roles = [] }) => [name, ...roles.map(term)].filter(Boolean).join(', ')).filter(Boolean).join(' · ')],
      [<Trans>Why</Trans>, list(one.reasons)],
    ],
  }),
  'vital-signs': observed,
  'social-history': observed,
  'other-observations': observed,
};
