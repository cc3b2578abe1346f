// Taking records out of the audit log with what proves them unchanged, and checking that later.
import { useEffect, useRef, useState } from 'react';
import { useMutation } from '@tanstack/react-query';
import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { Facts } from '../../ui/Facts';
import { SelectField, TextField } from '../../ui/Field';
import { Failure, Notice } from '../../ui/Notice';
import { saveText } from '../../ui/save';
import { instant, number } from '../../words/dates';
import { asked, type Criteria } from './criteria';
import { Altered, checkSaved, exportAll, type Format, type Whole } from './exporting';

const ENDINGS: Record<Format, [string, string]> = { csv: ['csv', 'text/csv'], 'json-lines': ['jsonl', 'application/json'] };

export function Export({ criteria, onClose }: { criteria: Criteria; onClose: () => void }) {
  const { t } = useLingui();
  const stop = useRef<AbortController>(undefined);
  const [sofar, setSofar] = useState(0);
  useEffect(() => () => stop.current?.abort(), []);
  const take = useMutation({
    gcTime: 0,
    mutationFn: (format: Format) => {
      setSofar(0);
      stop.current = new AbortController();
      const { from = '', to = '', ...rest } = asked(criteria);
      return exportAll({ ...rest, from, to, format }, setSofar, stop.current.signal);
    },
  });
  return (
    <Dialog title={<Trans>Export records</Trans>} onClose={onClose}>
      {take.data ? (
        <Ready whole={take.data} criteria={criteria} onClose={onClose} />
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (!take.isPending) take.mutate(String(new FormData(event.currentTarget).get('format')) as Format);
          }}
        >
          <p><Trans>From {instant(new Date(criteria.from).toISOString())} until {instant(new Date(criteria.to).toISOString())}. That you export is in the log.</Trans></p>
          <SelectField name="format" label={<Trans>Format</Trans>} hint={<Trans>With JSON, everybody can check each record by itself.</Trans>}>
            <option value="csv">{t`CSV, for a spreadsheet`}</option>
            <option value="json-lines">{t`JSON, one record a line`}</option>
          </SelectField>
          {take.error && (take.error instanceof Altered
            ? <Notice kind="alert" title={<Trans>The records were altered on the way</Trans>}><p><Trans>Nothing was saved. Please export again. If it happens again, tell whoever runs the portal.</Trans></p></Notice>
            : <Failure error={take.error} />)}
          <p role="status" className="hint">{take.isPending && <Plural value={sofar} one="# record so far" other="# records so far" />}</p>
          <div className="actions">
            <Button type="submit" look="main" busy={take.isPending && <Trans>One moment…</Trans>}><Trans>Export</Trans></Button>
            <Button onClick={onClose}><Trans>Cancel</Trans></Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}

function Ready({ whole, criteria, onClose }: { whole: Whole; criteria: Criteria; onClose: () => void }) {
  const { content, proof, records, sha256 } = whole;
  const [ending, type] = ENDINGS[proof.format];
  // The days, and nobody's number.
  const name = `audit-${criteria.from.slice(0, 10)}-${criteria.to.slice(0, 10)}`;
  return (
    <>
      <Notice kind="good" title={<Plural value={records} one="# record, as it is in the log" other="# records, as they are in the log" />}>
        <p><Trans>Every part was checked against the portal’s digests. Save both files, and note the digest of all records somewhere else.</Trans></p>
      </Notice>
      <Facts facts={[[<Trans>Digest of all records (SHA-256)</Trans>, <code className="secret">{sha256}</code>]]} />
      <div className="actions">
        <Button look="main" onClick={() => saveText(content, type, `${name}.${ending}`)}><Trans>Save the records</Trans></Button>
        <Button onClick={() => saveText(`${JSON.stringify(proof, null, 1)}\n`, 'application/json', `${name}-proof.json`)}><Trans>Save the proof</Trans></Button>
        <Button look="quiet" onClick={onClose}><Trans>Close</Trans></Button>
      </div>
    </>
  );
}

/** Whether a saved export is still what it was. The files stay in this browser. */
export function CheckExport() {
  const check = useMutation({
    gcTime: 0,
    mutationFn: ({ file, proof }: { file: File; proof: File }) => checkSaved(file, proof),
  });
  const count = number(check.data?.records ?? 0);
  return (
    <section className="card" aria-labelledby="check">
      <h2 id="check"><Trans>Check a saved export</Trans></h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const form = new FormData(event.currentTarget);
          const [file, proof] = [form.get('file'), form.get('proof')];
          if (file instanceof File && proof instanceof File && !check.isPending) check.mutate({ file, proof });
        }}
      >
        <p className="hint"><Trans>Choose the two files that you saved. They stay in this browser.</Trans></p>
        <div className="side-by-side">
          <TextField type="file" name="file" label={<Trans>The records</Trans>} accept=".csv,.jsonl" required />
          <TextField type="file" name="proof" label={<Trans>The proof</Trans>} accept=".json" required />
        </div>
        <Button type="submit" busy={check.isPending && <Trans>One moment…</Trans>}><Trans>Check</Trans></Button>
      </form>
      <div role="status">
        {check.data && (
          <Notice kind="good" title={<Trans>The records are as they were exported</Trans>}>
            <p><Trans>All {count} of them. Compare this with the digest that you noted:</Trans></p>
            <p><code className="secret">{check.data.sha256}</code></p>
          </Notice>
        )}
      </div>
      {check.error && (
        <Notice kind="alert" title={<Trans>These files do not fit together</Trans>}>
          <p><Trans>One of them was changed, or they are of two exports. Do not rely on them: export again.</Trans></p>
        </Notice>
      )}
    </section>
  );
}
