// What the patient changed of the profile, and what it was before.
import { useState } from 'react';
import { i18n, type MessageDescriptor } from '@lingui/core';
import { msg } from '@lingui/core/macro';
import { Trans } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { Button } from '../../ui/Button';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { instant } from '../../words/dates';
import { inWords } from '../../words/codes';

type Change = Schemas['ProfileVersion'];

export function Changes({ patient }: { patient: string }) {
  const [shown, setShown] = useState(false);
  if (shown) return <Listed patient={patient} />;
  return <p><Button look="quiet" onClick={() => setShown(true)}><Trans>Show what was changed before</Trans></Button></p>;
}

function Listed({ patient }: { patient: string }) {
  const pages = usePages([patient, 'profile', 'changes'], (cursor) =>
    answer(api.GET('/v1/patients/{patient}/profile/changes', { params: { path: { patient }, query: cursor ? { cursor } : {} } })),
  );
  return (
    <section className="card" aria-labelledby="changes">
      <h2 id="changes"><Trans>What was changed</Trans></h2>
      <More
        pages={pages}
        entries={(page) => page.changes}
        empty={<Empty title={<Trans>No changes yet</Trans>}><Trans>What you change here is listed, with what it was before.</Trans></Empty>}
      >
        {(all) => <ol className="steps">{all.map((one) => <li key={one.changed_at}><OneChange change={one} /></li>)}</ol>}
      </More>
    </section>
  );
}

function OneChange({ change }: { change: Change }) {
  return (
    <>
      <span className="row-name">{instant(change.changed_at)}</span>
      {change.fields.map(({ field, former, value }) => {
        const [name, before, now] = [nameOf(field), asText(former), asText(value)];
        return <span key={field}><Trans>{name}: {now} (before: {before})</Trans></span>;
      })}
    </>
  );
}

const NAMES: Record<string, MessageDescriptor> = {
  phone: msg`Phone`,
  email: msg`E-mail for the practice`,
  address: msg`Address`,
  preferred_language: msg`Language`,
};

/** A field in words; `notifications/messages` is Messages. */
function nameOf(field: string): string {
  const last = field.split(/[./]/).at(-1) ?? '';
  const known = Object.hasOwn(NAMES, last) ? NAMES[last] : undefined;
  return known ? i18n._(known) : inWords(last);
}

/** A value as one line; a dash for none. */
function asText(value: unknown): string {
  if (value === null || value === undefined || value === '') return '–';
  if (typeof value === 'string') return inWords(value);
  if (Array.isArray(value)) return value.map(asText).join(', ');
  if (typeof value === 'object') return Object.values(value).filter(Boolean).map(asText).join(', ');
  return String(value);
}
