// Who the patient is, how to reach them, and what they want to be told.
import { useState } from 'react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { msg } from '@lingui/core/macro';
import { useLingui as useDescriptors } from '@lingui/react';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas, versioned } from '../../api/client';
import { asProblem } from '../../api/problem';
import { usePatient } from '../../session/me';
import { Button } from '../../ui/Button';
import { CheckedForm } from '../../ui/CheckedForm';
import { Facts } from '../../ui/Facts';
import { SelectField, TextField } from '../../ui/Field';
import type { Wrong } from '../../ui/form';
import { Loaded } from '../../ui/Loading';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { addressLines, streetOf } from '../../words/address';
import { clinicalDate } from '../../words/dates';
import { inWords } from '../../words/codes';
import { Changes } from './Changes';

type Profiled = Schemas['Profile'];
const KINDS = ['appointments', 'messages', 'documents'] as const;
const CHANNELS = ['email', 'sms', 'none'] as const;
/** In which languages the practice writes (shared/src/api/profile.rs), each by its own name. */
const SPOKEN = { en: 'English', es: 'Español', ar: 'العربية', zh: '中文', fr: 'Français', ht: 'Kreyòl ayisyen', ko: '한국어', pt: 'Português', ru: 'Русский', tl: 'Tagalog', vi: 'Tiếng Việt' } as const;

export function Profile() {
  const { t } = useLingui();
  const patient = usePatient();
  const query = useQuery({
    queryKey: [patient, 'profile'],
    queryFn: () => versioned(api.GET('/v1/patients/{patient}/profile', { params: { path: { patient } } })),
  });
  const [editing, setEditing] = useState(false);
  const [saved, setSaved] = useState(false);
  return (
    <Page title={t`Profile`} intro={<Trans>How the practice reaches you. Keep it up to date.</Trans>}>
      <div role="status">{saved && <Notice kind="good"><p><Trans>Your changes are saved.</Trans></p></Notice>}</div>
      <Loaded query={query} lines={8}>
        {({ value, version }) =>
          editing ? (
            <Edit
              patient={patient}
              profile={value}
              version={version}
              onClose={(changed) => {
                setEditing(false);
                setSaved(changed);
              }}
            />
          ) : (
            <>
              <Shown profile={value} onEdit={() => { setSaved(false); setEditing(true); }} />
              <Changes patient={patient} />
            </>
          )}
      </Loaded>
    </Page>
  );
}

function Shown({ profile, onEdit }: { profile: Profiled; onEdit: () => void }) {
  const { name, mrn, birth_date, gender, contact, preferred_language, notifications } = profile;
  return (
    <>
      <section className="card" aria-labelledby="who">
        <h2 id="who"><Trans>About you</Trans></h2>
        <Facts facts={[
          [<Trans>Name</Trans>, name],
          [<Trans>Date of birth</Trans>, clinicalDate(birth_date)],
          [<Trans>Gender</Trans>, inWords(gender)],
          [<Trans>Record number</Trans>, mrn],
        ]} />
        <p className="hint"><Trans>If one of these is wrong, call the practice.</Trans></p>
      </section>
      <section className="card" aria-labelledby="reach">
        <h2 id="reach"><Trans>How to reach you</Trans></h2>
        <Facts facts={[
          [<Trans>Phone</Trans>, contact.phone],
          [<Trans>E-mail for the practice</Trans>, contact.email],
          [<Trans>Address</Trans>, addressLines(contact.address).map((line) => <span key={line} className="line">{line}</span>)],
          [<Trans>Language</Trans>, preferred_language?.name],
        ]} />
        <h3><Trans>What we tell you about, and how</Trans></h3>
        <Facts facts={[
          [<Trans>Visits</Trans>, inWords(notifications.appointments)],
          [<Trans>Messages</Trans>, inWords(notifications.messages)],
          [<Trans>Documents</Trans>, inWords(notifications.documents)],
        ]} />
        <Button look="main" onClick={onEdit}><Trans>Change this</Trans></Button>
      </section>
    </>
  );
}

function Edit({ patient, profile, version, onClose }: { patient: string; profile: Profiled; version: string; onClose: (changed: boolean) => void }) {
  const { _ } = useDescriptors();
  const queries = useQueryClient();
  const { contact, preferred_language, notifications } = profile;
  const address = contact.address;
  const save = useMutation({
    mutationFn: (body: Patch) =>
      answer(api.PATCH('/v1/patients/{patient}/profile', { params: { path: { patient }, header: { 'if-match': version } }, body })),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: [patient, 'profile'] });
      onClose(true);
    },
  });
  const conflict = asProblem(save.error).status === 412;
  return (
    <CheckedForm className="card" busy={save.isPending} error={save.error} words={CHECK} onSend={(form) => save.mutate(changeOf(form, profile))}>
      <h2><Trans>How to reach you</Trans></h2>
      {save.error && <Failure error={save.error} />}
      {conflict && <Button onClick={() => { void queries.invalidateQueries({ queryKey: [patient, 'profile'] }); onClose(false); }}><Trans>Load it again</Trans></Button>}
      <TextField name="phone" type="tel" label={<Trans>Phone</Trans>} hint={<Trans>For text messages, write it with the country code: +1 617 555 0123</Trans>} defaultValue={contact.phone ?? ''} autoComplete="tel" />
      <TextField name="email" type="email" label={<Trans>E-mail for the practice</Trans>} hint={<Trans>This does not change the address that you sign in with.</Trans>} defaultValue={contact.email ?? ''} autoComplete="email" />
      <fieldset>
        <legend><Trans>Address</Trans></legend>
        <TextField name="address/lines" label={<Trans>Street and number</Trans>} defaultValue={address ? streetOf(address).join(', ') : ''} autoComplete="street-address" />
        <TextField name="address/city" label={<Trans>City</Trans>} defaultValue={address?.city ?? ''} autoComplete="address-level2" />
        <div className="side-by-side">
          <TextField name="address/state" label={<Trans>State</Trans>} defaultValue={address?.state ?? ''} autoComplete="address-level1" />
          <TextField name="address/postal_code" label={<Trans>ZIP code</Trans>} defaultValue={address?.postal_code ?? ''} autoComplete="postal-code" />
        </div>
      </fieldset>
      <SelectField name="preferred_language" label={<Trans>Language the practice should use with you</Trans>} defaultValue={preferred_language?.code?.slice(0, 2) ?? ''}>
        {!preferred_language?.code && <option value=""></option>}
        {Object.entries(SPOKEN).map(([code, name]) => <option key={code} value={code} lang={code}>{name}</option>)}
      </SelectField>
      <fieldset>
        <legend><Trans>What we tell you about, and how</Trans></legend>
        {KINDS.map((kind) => (
          <SelectField key={kind} name={`notifications/${kind}`} label={_(KIND[kind])} defaultValue={notifications[kind]}>
            {CHANNELS.map((channel) => <option key={channel} value={channel}>{inWords(channel)}</option>)}
          </SelectField>
        ))}
        <p className="hint"><Trans>Our e-mails and texts never say anything about your health. They only tell you to look here.</Trans></p>
      </fieldset>
      <div className="actions">
        <Button type="submit" look="main" busy={save.isPending && <Trans>Saving…</Trans>}><Trans>Save</Trans></Button>
        <Button onClick={() => onClose(false)}><Trans>Cancel</Trans></Button>
      </div>
    </CheckedForm>
  );
}

const KIND = { appointments: msg`Visits`, messages: msg`Messages`, documents: msg`Documents` };

const CHECK: Wrong = {
  phone: msg`Check the phone number. For text messages it begins with + and the country code.`,
  email: msg`Enter an e-mail address, like name@example.com.`,
  'address/city': msg`Enter the city.`,
};

interface Patch {
  phone?: string | null;
  email?: string | null;
  address?: { lines: string[]; city: string; state?: string; postal_code?: string; country?: string } | null;
  preferred_language?: keyof typeof SPOKEN;
  notifications?: Partial<Record<(typeof KINDS)[number], (typeof CHANNELS)[number]>>;
}

/** Only what was changed is sent: the rest stays the practice's. */
function changeOf(form: FormData, { contact, preferred_language, notifications }: Profiled): Patch {
  const text = (name: string) => String(form.get(name) ?? '').trim();
  const change: Patch = {};
  for (const name of ['phone', 'email'] as const) {
    if (text(name) !== (contact[name] ?? '')) change[name] = text(name) || null;
  }
  const was = contact.address;
  const before = [was ? streetOf(was).join(', ') : '', was?.city ?? '', was?.state ?? '', was?.postal_code ?? ''];
  const now = ['lines', 'city', 'state', 'postal_code'].map((name) => text(`address/${name}`));
  if (now.some((value, at) => value !== before[at])) {
    const [line = '', city = '', state, postal_code] = now;
    change.address = now.every((value) => value === '')
      ? null
      : { lines: line === before[0] && was ? was.lines : line ? [line] : [], city, ...(state && { state }), ...(postal_code && { postal_code }), ...(was?.country && { country: was.country }) };
  }
  const spoken = text('preferred_language');
  if (spoken && spoken !== preferred_language?.code?.slice(0, 2)) change.preferred_language = spoken as keyof typeof SPOKEN;
  const told = Object.fromEntries(KINDS.map((kind) => [kind, text(`notifications/${kind}`)] as const).filter(([kind, channel]) => channel !== notifications[kind]));
  if (Object.keys(told).length > 0) change.notifications = told as NonNullable<Patch['notifications']>;
  return change;
}
