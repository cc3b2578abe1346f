import type { ReactNode } from 'react';

/** Names and values, those that have one. */
export function Facts({ facts }: { facts: readonly (readonly [ReactNode, ReactNode])[] }) {
  const known = facts.filter(([, value]) => value !== undefined && value !== null && value !== false && value !== '');
  if (known.length === 0) return null;
  return (
    <dl className="facts">
      {known.map(([name, value], at) => <div key={at}><dt>{name}</dt><dd>{value}</dd></div>)}
    </dl>
  );
}
