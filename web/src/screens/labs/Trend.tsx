// One analyte over time: a chart to look at, and the same in a table.
import { useQuery } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { usePatient } from '../../session/me';
import { Loaded } from '../../ui/Loading';
import { clinicalDate } from '../../words/dates';
import { measured, term } from '../../words/terms';
import { Chart } from './Chart';
import { Flags } from './Flags';
import { bounds } from './values';

export function Trend({ series, current }: { series: string; current: Schemas['LabResult'] }) {
  const patient = usePatient();
  const query = useQuery({
    queryKey: [patient, 'lab-trend', series],
    queryFn: () => answer(api.GET('/v1/patients/{patient}/lab-trends/{series}', { params: { path: { patient, series }, query: { limit: '100' } } })),
  });
  return (
    <section className="card" aria-labelledby="trend">
      <h2 id="trend"><Trans>How it changed over time</Trans></h2>
      <Loaded query={query}>
        {({ lines, next_cursor }) => (
          <>
            {lines.length === 0 && <p><Trans>There are no numbers to compare.</Trans></p>}
            {lines.map((line, at) => <OneLine key={at} line={line} ranges={current.reference_ranges ?? []} current={current.id} />)}
            {next_cursor && <p className="hint"><Trans>These are the newest 100 values. Older ones are in the list of results.</Trans></p>}
          </>
        )}
      </Loaded>
    </section>
  );
}

function OneLine({ line, ranges, current }: { line: Schemas['Trend']['lines'][number]; ranges: Schemas['ReferenceRange'][]; current: string }) {
  const { t } = useLingui();
  const unit = measured(line.unit ?? '');
  const component = term(line.component);
  const title = component ?? t`Values`;
  const shown = line.points.filter((point) => point.effective);
  return (
    <div className="trend">
      {component && <h3>{component}</h3>}
      {shown.length > 1 ? (
        <Chart points={shown} unit={unit} band={line.component ? undefined : bounds(ranges, line.unit)} />
      ) : (
        <p><Trans>There is one value so far. A chart appears here when there are more.</Trans></p>
      )}
      <div className="table-scroll" role="region" tabIndex={0} aria-label={title}>
        <table>
          <caption>{unit ? <Trans>{title}, in {unit}</Trans> : title}</caption>
          <thead><tr><th scope="col"><Trans>Date</Trans></th><th scope="col"><Trans>Value</Trans></th><th scope="col"><Trans>What the laboratory says</Trans></th></tr></thead>
          <tbody>
            {line.points.map((point) => (
              <tr key={point.id} className={point.id === current ? 'current' : undefined}>
                <th scope="row">{clinicalDate(point.effective)}</th>
                <td>{point.comparator}{rounded(point)} {unit}</td>
                <td>{point.flags.length > 0 ? <Flags flags={point.flags} /> : <Trans>Nothing</Trans>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

const rounded = ({ value, number }: Schemas['Point']): string =>
  value.length > 8 ? String(Number(number.toPrecision(4))) : value;
