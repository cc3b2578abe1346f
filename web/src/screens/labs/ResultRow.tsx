// One laboratory result in a list: what it is, its value, and what the laboratory says of it.
import { Link } from '@tanstack/react-router';
import { Trans } from '@lingui/react/macro';
import type { Schemas } from '../../api/client';
import { clinicalDate } from '../../words/dates';
import { measured, term } from '../../words/terms';
import { Flags } from './Flags';

type Result = Schemas['LabResult'];

/** `dated` where the list does not say the date already. */
export function ResultRow({ result, dated = true }: { result: Result; dated?: boolean }) {
  const { id, name, display, flags, hold, effective, components } = result;
  return (
    <Link to="/lab-results/$result" params={{ result: id }} className="row">
      <span className="row-main">
        <span className="row-name">{term(name) ?? (hold ? <Trans>Result on hold</Trans> : <Trans>Unnamed result</Trans>)}</span>
        {dated && <span className="hint">{clinicalDate(effective)}</span>}
      </span>
      <span className="row-value">
        {!hold && (display ? measured(display) : (components?.length ? <Trans>See values</Trans> : <Trans>No value</Trans>))}
        <Flags flags={flags ?? []} />
      </span>
    </Link>
  );
}
