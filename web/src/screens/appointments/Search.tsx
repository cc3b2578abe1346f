// What somebody looks for: with whom or in which field, what for, and on which days.
import { useState } from 'react';
import { msg } from '@lingui/core/macro';
import { Trans, useLingui } from '@lingui/react/macro';
import { Button } from '../../ui/Button';
import { CheckedForm } from '../../ui/CheckedForm';
import { SelectField, TextField } from '../../ui/Field';
import type { Wrong } from '../../ui/form';
import { clinicalDate, daysAfter, daysAhead } from '../../words/dates';
import { inWords } from '../../words/codes';
import { specialtyName } from '../../words/specialties';
import { type Provider, typesOf } from './providers';
import type { Wanted } from './Slots';

const MODALITIES = ['in-person', 'video', 'phone'] as const;

interface Props {
  providers: Provider[];
  /** The most days of one search. */
  days: number;
  submit: React.ReactNode;
  busy?: React.ReactNode;
  onSearch: (wanted: Wanted, form: FormData) => void;
  children?: React.ReactNode;
}

export function Search({ providers, days, submit, busy, onSearch, children }: Props) {
  const { t } = useLingui();
  const [whose, setWhose] = useState('');
  const [type, setType] = useState('');
  const [first, setFirst] = useState(daysAhead(0));
  const specialties = [...new Set(providers.map(({ specialty }) => specialty))].sort();
  const [kind, id] = whose.split(':');
  const chosen = providers.filter((one) => (kind === 'specialty' ? one.specialty === id : kind === 'provider' ? one.practitioner === id : false));
  const types = typesOf(chosen);
  const known = types.has(type) ? type : '';
  const check = (form: FormData): Wrong => {
    const [from, to] = [String(form.get('from')), String(form.get('to'))];
    const last = from && daysAfter(from, days - 1);
    const latest = clinicalDate(last);
    return {
      ...(!whose && { whose: msg`Choose a provider or a specialty.` }),
      ...(whose && !known && { type: msg`Choose what the visit is for.` }),
      ...(from && to > last && { to: msg`Choose ${latest} or an earlier day: ${days} days at a time.` }),
    };
  };
  return (
    <CheckedForm
      className="card"
      busy={Boolean(busy)}
      check={check}
      onSend={(form) => {
        const text = (name: string) => String(form.get(name) ?? '');
        const modality = MODALITIES.find((one) => one === text('modality'));
        onSearch({ ...(kind === 'specialty' ? { specialty: id ?? '' } : { provider: id ?? '' }), type: known, ...(modality && { modality }), from: text('from'), to: text('to') }, form);
      }}
    >
      <div className="side-by-side">
        <SelectField name="whose" label={<Trans>With whom</Trans>} value={whose} onChange={(event) => setWhose(event.target.value)}>
          <option value="">{t`Choose`}</option>
          <optgroup label={t`Any provider in this specialty`}>
            {specialties.map((one) => <option key={one} value={`specialty:${one}`}>{specialtyName(one)}</option>)}
          </optgroup>
          <optgroup label={t`One provider`}>
            {providers.map((one) => <option key={one.practitioner} value={`provider:${one.practitioner}`}>{one.name ?? t`Provider`}, {specialtyName(one.specialty)}</option>)}
          </optgroup>
        </SelectField>
        <SelectField name="type" label={<Trans>What for</Trans>} value={known} onChange={(event) => setType(event.target.value)}>
          <option value="">{whose ? t`Choose` : t`First choose with whom`}</option>
          {[...types].map(([code, name]) => <option key={code} value={code}>{name}</option>)}
        </SelectField>
        <SelectField name="modality" label={<Trans>Where</Trans>}>
          <option value="">{t`Does not matter`}</option>
          {MODALITIES.map((one) => <option key={one} value={one}>{inWords(one)}</option>)}
        </SelectField>
      </div>
      <div className="side-by-side">
        <TextField name="from" type="date" label={<Trans>From</Trans>} min={daysAhead(0)} defaultValue={daysAhead(0)} onChange={(event) => setFirst(event.target.value)} required />
        {/* No last day as an attribute: within one month, Chrome then takes neither the month nor the year by keyboard. */}
        <TextField name="to" type="date" label={<Trans>To</Trans>} hint={<Trans>{days} days at a time</Trans>} min={first} defaultValue={daysAhead(Math.min(days, 14) - 1)} required />
        {children}
      </div>
      <Button type="submit" look="main" busy={busy}>{submit}</Button>
    </CheckedForm>
  );
}
