// Values over time as a line, with the usual range as a band behind it where one was supplied. The
// table beside it has the same values, so to screen readers this is one picture with a summary.
import { useLayoutEffect, useRef, useState } from 'react';
import { useLingui } from '@lingui/react/macro';
import { scaleLinear, scaleUtc } from 'd3-scale';
import { line as lineOf } from 'd3-shape';
import type { Schemas } from '../../api/client';
import { monthOf, number } from '../../words/dates';

const HEIGHT = 260;
/** Below this, both ends of the time are named and nothing in between. */
const NARROW = 420;
const MARGIN = { top: 16, right: 16, bottom: 36, left: 56 };

interface Props {
  points: Schemas['Point'][];
  unit: string;
  band: { low: number | undefined; high: number | undefined } | undefined;
}

export function Chart({ points, unit, band }: Props) {
  const { t } = useLingui();
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  useLayoutEffect(() => {
    const node = frame.current;
    if (!node) return undefined;
    const measure = () => setWidth(Math.max(240, node.clientWidth));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    return () => observer.disconnect();
  }, []);

  const dots = points
    .map((point) => ({ id: point.id, at: new Date(point.effective ?? ''), value: point.number, loud: point.flags.some((flag) => flag !== 'normal') }))
    .filter(({ at }) => !Number.isNaN(at.getTime()))
    .sort((one, other) => one.at.getTime() - other.at.getTime());
  const first = dots[0];
  const last = dots.at(-1);
  if (!first || !last) return null;

  const values = [...dots.map((dot) => dot.value), band?.low, band?.high].filter((one) => one !== undefined);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = (most - least || Math.abs(most) || 1) * 0.12;
  const y = scaleLinear([least - room, most + room], [HEIGHT - MARGIN.bottom, MARGIN.top]).nice(5);
  const x = scaleUtc([first.at, last.at], [MARGIN.left + 8, width - MARGIN.right - 8]);
  const path = lineOf<(typeof dots)[number]>((dot) => x(dot.at), (dot) => y(dot.value))(dots) ?? '';
  const [bottom, top] = y.domain() as [number, number];
  const many = dots.length;
  const from = monthOf(first.at);
  const to = monthOf(last.at);
  const lowest = `${number(Math.min(...dots.map((dot) => dot.value)))} ${unit}`;
  const highest = `${number(Math.max(...dots.map((dot) => dot.value)))} ${unit}`;

  return (
    <div ref={frame} className="chart">
      <svg
        width={width}
        height={HEIGHT}
        viewBox={`0 0 ${width} ${HEIGHT}`}
        role="img"
        aria-label={t`Chart of ${many} values from ${from} to ${to}, between ${lowest} and ${highest}. The table below has every value.`}
      >
        {band && (
          <rect
            className="band"
            x={MARGIN.left}
            width={width - MARGIN.left - MARGIN.right}
            y={y(band.high ?? top)}
            height={Math.max(0, y(band.low ?? bottom) - y(band.high ?? top))}
          />
        )}
        {y.ticks(5).map((tick) => (
          <g key={tick}>
            <line className="grid" x1={MARGIN.left} x2={width - MARGIN.right} y1={y(tick)} y2={y(tick)} />
            <text className="tick" x={MARGIN.left - 8} y={y(tick)} dy="0.32em" textAnchor="end">{number(tick)}</text>
          </g>
        ))}
        {width < NARROW
          ? (
            <>
              <text className="tick" x={MARGIN.left} y={HEIGHT - 12}>{from}</text>
              {to !== from && <text className="tick" x={width - MARGIN.right} y={HEIGHT - 12} textAnchor="end">{to}</text>}
            </>
          )
          : x.ticks(Math.floor(width / 140)).map((tick) => (
            <text key={tick.getTime()} className="tick" x={x(tick)} y={HEIGHT - 12} textAnchor="middle">{monthOf(tick)}</text>
          ))}
        <path className="line" d={path} />
        {dots.map((dot) => (
          <circle key={dot.id} className={dot.loud ? 'dot loud' : 'dot'} cx={x(dot.at)} cy={y(dot.value)} r={dot.loud ? 6 : 4.5} />
        ))}
      </svg>
    </div>
  );
}
