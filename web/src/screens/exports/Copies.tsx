// Copies of the whole record (45 CFR 164.524): made on request, there for a day.
import { useRef, useState } from 'react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { answer, api, newKey, type Schemas } from '../../api/client';
import { usePatient } from '../../session/me';
import { Button } from '../../ui/Button';
import { TextField } from '../../ui/Field';
import { Empty, Loaded } from '../../ui/Loading';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { save } from '../../ui/save';
import { clinicalDate, instant } from '../../words/dates';
import { said } from '../../words/said';

type Export = Schemas['Export'];
type Format = Schemas['Format'];
type File = Schemas['FileMade']['file'];

const running = ({ state }: Export) => state === 'requested' || state === 'building';

export function Copies() {
  const { t } = useLingui();
  const patient = usePatient();
  const list = useQuery({
    queryKey: [patient, 'exports'],
    queryFn: () => answer(api.GET('/v1/patients/{patient}/exports', { params: { path: { patient } } })),
    refetchInterval: ({ state }) => (state.data?.exports.some(running) ? 3000 : false),
  });
  const busy = list.data?.exports.some(running) ?? false;
  return (
    <Page title={t`Copies of my record`} intro={<Trans>Save your whole record to your own device, to keep it or to take it to another doctor.</Trans>}>
      <Ask patient={patient} busy={busy} />
      <section className="section" aria-labelledby="made">
        <h2 id="made"><Trans>Your copies</Trans></h2>
        <Loaded query={list}>
          {({ exports }) =>
            exports.length === 0
              ? <Empty title={<Trans>No copies yet</Trans>}><Trans>A copy that you ask for appears here, and you can save it for one day.</Trans></Empty>
              : <ul className="stack" aria-live="polite">{exports.map((one) => <li key={one.id}><OneCopy patient={patient} copy={one} /></li>)}</ul>}
        </Loaded>
      </section>
    </Page>
  );
}

function Ask({ patient, busy }: { patient: string; busy: boolean }) {
  const { t } = useLingui();
  const queries = useQueryClient();
  const key = useRef(newKey());
  const [none, setNone] = useState(false);
  const ask = useMutation({
    mutationFn: (body: { formats: Format[]; from?: string; to?: string }) =>
      answer(api.POST('/v1/patients/{patient}/exports', { params: { path: { patient }, header: { 'idempotency-key': key.current } }, body })),
    onSuccess: () => {
      key.current = newKey();
      return queries.invalidateQueries({ queryKey: [patient, 'exports'] });
    },
  });
  const formats: [Format, string, string][] = [
    ['pdf', t`PDF`, t`to read and print`],
    ['html', t`Web page`, t`to read on a screen, also with a screen reader`],
    ['fhir', t`FHIR data`, t`for another doctor’s computer or an app`],
  ];
  return (
    <form
      className="card"
      onSubmit={(event) => {
        event.preventDefault();
        const form = new FormData(event.currentTarget);
        const chosen = form.getAll('formats') as Format[];
        setNone(chosen.length === 0);
        const text = (name: string) => String(form.get(name) ?? '');
        if (chosen.length > 0 && !ask.isPending && !busy) {
          ask.mutate({ formats: chosen, ...(text('from') && { from: text('from') }), ...(text('to') && { to: text('to') }) });
        }
      }}
    >
      <h2><Trans>Make a copy</Trans></h2>
      {ask.error && <Failure error={ask.error} />}
      <fieldset>
        <legend><Trans>What kind of file</Trans></legend>
        {none && <p className="error" role="alert"><Trans>Choose at least one.</Trans></p>}
        {formats.map(([format, name, use]) => (
          <label key={format} className="check">
            <input type="checkbox" name="formats" value={format} defaultChecked={format !== 'fhir'} />{' '}
            <span>{name} <span className="hint">{use}</span></span>
          </label>
        ))}
      </fieldset>
      <details>
        <summary><Trans>Only some dates</Trans></summary>
        <div className="filter">
          <TextField name="from" type="date" label={<Trans>From</Trans>} />
          <TextField name="to" type="date" label={<Trans>To</Trans>} />
        </div>
      </details>
      <Button type="submit" look="main" busy={(ask.isPending || busy) && <Trans>Being made…</Trans>}><Trans>Make a copy</Trans></Button>
    </form>
  );
}

function OneCopy({ patient, copy }: { patient: string; copy: Export }) {
  const { t } = useLingui();
  const [error, setError] = useState<unknown>();
  const names: Record<File, string> = { pdf: t`Save the PDF`, html: t`Save the web page`, fhir: t`Save the FHIR data`, manifest: t`Save the list of what is in it` };
  const states: Record<Export['state'], string> = {
    requested: t`Waiting to begin`,
    building: t`Being made`,
    ready: t`Ready`,
    failed: t`Did not work`,
    expired: t`Deleted after a day`,
  };
  const download = async (file: File) => {
    setError(undefined);
    try {
      const { download: link } = await answer(api.GET('/v1/patients/{patient}/exports', { params: { path: { patient }, query: { export: copy.id, file } } }));
      if (link) save(link.url);
    } catch (problem) {
      setError(problem);
    }
  };
  const entries = copy.progress?.entries;
  // A hold that came since takes the files away from a copy that was made.
  const there = copy.state === 'ready' && copy.available_until;
  return (
    <section className="card">
      <div className="card-head">
        <h3>{instant(copy.requested_at)}</h3>
        <span className={`flag ${there ? 'good' : copy.problem ? 'note' : ''}`}>{copy.state === 'ready' && !there ? t`No longer there` : states[copy.state]}</span>
      </div>
      {(copy.from || copy.to) && <p className="hint">{clinicalDate(copy.from)} – {clinicalDate(copy.to)}</p>}
      {running(copy) && <><progress aria-label={t`Being made`} />{entries !== undefined && <p className="hint"><Plural value={entries} one="# entry so far" other="# entries so far" /></p>}</>}
      {copy.problem && <Notice kind="warning"><p>{said(copy.problem)}</p></Notice>}
      {error !== undefined && <Failure error={error} />}
      {there && (
        <>
          <div className="actions">{(copy.files ?? []).map(({ file }) => <Button key={file} onClick={() => void download(file)}>{names[file]}</Button>)}</div>
          <Until at={there} />
          <Notice kind="warning"><p><Trans>On a computer that others use, delete the files when you are done: anybody who finds them can read them.</Trans></p></Notice>
        </>
      )}
    </section>
  );
}

function Until({ at }: { at: string }) {
  const until = instant(at);
  return <p className="hint"><Trans>You can save these files until {until}.</Trans></p>;
}
