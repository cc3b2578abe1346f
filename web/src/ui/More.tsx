// A list that comes in pages.
import { type InfiniteData, useInfiniteQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Plural, Trans } from '@lingui/react/macro';
import { Button } from './Button';
import { isTaken, Skeleton } from './Loading';
import { Failure } from './Notice';

interface Paged {
  next_cursor?: string | null;
}

export function usePages<T extends Paged>(key: readonly unknown[], fetch: (cursor: string | undefined) => Promise<T>) {
  return useInfiniteQuery<T, Error, InfiniteData<T>, readonly unknown[], string | undefined>({
    queryKey: key,
    queryFn: ({ pageParam }) => fetch(pageParam),
    initialPageParam: undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
}

interface Props<T extends Paged, E> {
  pages: ReturnType<typeof usePages<T>>;
  entries: (page: T) => E[];
  empty: ReactNode;
  children: (entries: E[]) => ReactNode;
}

export function More<T extends Paged, E>({ pages, entries, empty, children }: Props<T, E>) {
  const failure = <Failure error={pages.error} onAgain={() => void (pages.isFetchNextPageError ? pages.fetchNextPage() : pages.refetch())} />;
  if (!pages.data || isTaken(pages.error)) return pages.error ? failure : <Skeleton lines={6} />;
  const all = pages.data.pages.flatMap(entries);
  return (
    <>
      {pages.isRefetchError && failure}
      {all.length > 0 ? children(all) : !pages.hasNextPage && empty}
      <p className="unseen" role="status"><Plural value={all.length} one="# entry shown" other="# entries shown" /></p>
      {pages.isFetchNextPageError && failure}
      {pages.hasNextPage && (
        <p className="more">
          <Button busy={pages.isFetchingNextPage && <Trans>Loading…</Trans>} onClick={() => void pages.fetchNextPage()}>
            <Trans>Show more</Trans>
          </Button>
        </p>
      )}
    </>
  );
}
