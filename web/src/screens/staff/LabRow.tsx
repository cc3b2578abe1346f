import { Link } from '@tanstack/react-router';
import { Trans } from '@lingui/react/macro';
import type { Schemas } from '../../api/client';
import { clinicalDate } from '../../words/dates';
import { measured, term } from '../../words/terms';
import { Flags } from '../labs/Flags';

/** A laboratory result as those who treat the patient see it: held back or not. */
export function LabRow({ patient, result }: { patient: string; result: Schemas['LabResult'] }) {
  const { id, name, display, flags, hold, effective, components } = result;
  return (
    <Link to="/patients/$patient/lab-results/$result" params={{ patient, result: id }} className="row">
      <span className="row-main">
        <span className="row-name">{term(name) ?? <Trans>Unnamed result</Trans>}</span>
        <span className="hint">{clinicalDate(effective)}</span>
      </span>
      <span className="row-value">
        {display ? measured(display) : (components?.length ? <Trans>See values</Trans> : <Trans>No value</Trans>)}
        <Flags flags={flags ?? []} />
        {hold && <span className="flag note"><Trans>Held back</Trans></span>}
      </span>
    </Link>
  );
}
