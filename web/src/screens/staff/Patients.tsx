// Whom the provider treats, and finding anybody else.
import { useState } from 'react';
import { Link } from '@tanstack/react-router';
import { useMutation } from '@tanstack/react-query';
import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import { Button } from '../../ui/Button';
import { Choice } from '../../ui/Choice';
import { SelectField, TextField } from '../../ui/Field';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { clinicalDate, clinicalDay } from '../../words/dates';
import { line } from './FormDialog';

export function Patients() {
  const { t } = useLingui();
  const [shown, setShown] = useState<'mine' | 'search'>('mine');
  return (
    <Page title={t`Patients`} intro={<Trans>Whom you treat now, and a search for anybody else in the practice.</Trans>}>
      <Choice label={t`Which patients`} value={shown} onChange={setShown} options={[['mine', t`My patients`], ['search', t`Search`]]} />
      {shown === 'mine' ? <Mine /> : <Search />}
    </Page>
  );
}

function Mine() {
  const pages = usePages(['my-patients'], (cursor) => answer(api.GET('/v1/my-patients', { params: { query: cursor ? { cursor } : {} } })));
  return (
    <More
      pages={pages}
      entries={(page) => page.patients}
      empty={<Empty title={<Trans>Nobody so far</Trans>}><Trans>Patients appear here when you are on their care team.</Trans></Empty>}
    >
      {(all) => (
        <div className="card">
          <ul className="rows">
            {all.map(({ id, name, birth_date, mrn, last_activity }) => (
              <li key={id}>
                <Link to="/patients/$patient" params={{ patient: id }} className="row">
                  <span className="row-main">
                    <span className="row-name">{name}</span>
                    <span className="hint"><Trans>Born {clinicalDate(birth_date)} · record number {mrn}</Trans></span>
                  </span>
                  {last_activity && <span className="hint"><Trans>Last entry {clinicalDate(clinicalDay(last_activity))}</Trans></span>}
                </Link>
              </li>
            ))}
          </ul>
        </div>
      )}
    </More>
  );
}

function Search() {
  const { t } = useLingui();
  const [by, setBy] = useState<'name' | 'number'>('name');
  // What is looked for is personal: it is sent in a body, and kept nowhere.
  const search = useMutation({
    gcTime: 0,
    mutationFn: (body: { mrn: string } | { family: string; birth_date: string; match: string }) => answer(api.POST('/v1/patients/search', { body })),
  });
  return (
    <>
      <form
        className="card"
        onSubmit={(event) => {
          event.preventDefault();
          if (search.isPending) return;
          const form = new FormData(event.currentTarget);
          search.mutate(by === 'number' ? { mrn: line(form, 'mrn') } : { family: line(form, 'family'), birth_date: line(form, 'birth_date'), match: line(form, 'match') });
        }}
      >
        <Choice label={t`Search by`} value={by} onChange={setBy} options={[['name', t`Name and date of birth`], ['number', t`Record number`]]} />
        {by === 'number' ? (
          <TextField name="mrn" label={<Trans>Record number</Trans>} required maxLength={64} />
        ) : (
          <>
            <TextField name="family" label={<Trans>Family name</Trans>} hint={<Trans>Accents, hyphens and capital letters do not matter. Former names count.</Trans>} required maxLength={100} />
            <TextField name="birth_date" type="date" label={<Trans>Date of birth</Trans>} required />
            <SelectField name="match" label={<Trans>The name</Trans>}>
              <option value="exact">{t`is exactly this`}</option>
              <option value="prefix">{t`begins with this`}</option>
            </SelectField>
          </>
        )}
        <Button type="submit" look="main" busy={search.isPending && <Trans>Searching…</Trans>}><Trans>Search</Trans></Button>
      </form>
      {search.error && <Failure error={search.error} />}
      <div role="status">
        {search.data?.patients.length === 0 && <Empty title={<Trans>Nobody was found</Trans>}><Trans>Check what you entered. Each search is in the audit log.</Trans></Empty>}
        {search.data && search.data.patients.length > 0 && <p className="unseen"><Plural value={search.data.patients.length} one="# person found" other="# people found" /></p>}
      </div>
      {search.data?.more && <Notice kind="warning"><p><Trans>There are more than these. Enter more of the name.</Trans></p></Notice>}
      {search.data && search.data.patients.length > 0 && (
        <div className="card">
          <ul className="rows">
            {search.data.patients.map(({ id, name, birth_date, on_care_team }) => (
              <li key={id}>
                <Link to="/patients/$patient" params={{ patient: id }} className="row">
                  <span className="row-main">
                    <span className="row-name">{name}</span>
                    <span className="hint"><Trans>Born {clinicalDate(birth_date)}</Trans></span>
                  </span>
                  <span className={`flag ${on_care_team ? 'good' : ''}`}>{on_care_team ? <Trans>Your patient</Trans> : <Trans>Not your patient</Trans>}</span>
                </Link>
              </li>
            ))}
          </ul>
        </div>
      )}
    </>
  );
}
