// While something is loaded: the shape of what will be there, and a word when it takes long.
import { type ReactNode, useEffect, useState } from 'react';
import type { UseQueryResult } from '@tanstack/react-query';
import { Trans } from '@lingui/react/macro';
import { asProblem } from '../api/problem';
import { Failure } from './Notice';

/** After how long it is said that it takes longer than usual. */
const LONG = 6000;

export function Skeleton({ lines = 4 }: { lines?: number | undefined }) {
  const [long, setLong] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLong(true), LONG);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div>
      <p className={long ? 'hint' : 'unseen'} role="status">
        {long ? <Trans>This is taking longer than usual. Please wait a little more.</Trans> : <Trans>Loading</Trans>}
      </p>
      <div className="skeleton" aria-hidden="true">
        {Array.from({ length: lines }, (_, at) => <div key={at} />)}
      </div>
    </div>
  );
}

interface Props<T> {
  query: Pick<UseQueryResult<T>, 'data' | 'error' | 'isRefetchError' | 'refetch'>;
  lines?: number;
  children: (data: T) => ReactNode;
}

/** Whether what was read before may be read no longer, or is there no longer. */
export const isTaken = (error: unknown): boolean => error !== null && [401, 403, 404].includes(asProblem(error).status);

/** What a query found; its skeleton before, and what went wrong instead. What was found before and
 * may be no longer so stays, below what went wrong, unless it is for these eyes no longer. */
export function Loaded<T>({ query, lines, children }: Props<T>) {
  const failure = <Failure error={query.error} onAgain={() => void query.refetch()} />;
  if (query.data !== undefined && !isTaken(query.error)) return <>{query.isRefetchError && failure}{children(query.data)}</>;
  return query.error ? failure : <Skeleton lines={lines} />;
}

export function Empty({ title, children }: { title: ReactNode; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children && <p>{children}</p>}
    </div>
  );
}
