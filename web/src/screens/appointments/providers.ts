// Who can be booked, and for what.
import { queryOptions } from '@tanstack/react-query';
import { answer, api, type Schemas } from '../../api/client';

export type Provider = Schemas['Provider'];

export const providersQuery = queryOptions({
  queryKey: ['providers'],
  queryFn: async () => {
    const all: Provider[] = [];
    for (let cursor: string | null | undefined = ''; cursor !== undefined && cursor !== null; ) {
      const page: Schemas['Providers'] = await answer(api.GET('/v1/providers', { params: { query: cursor ? { cursor } : {} } }));
      all.push(...page.providers);
      cursor = page.next_cursor;
    }
    return all;
  },
});

/** The types that these providers offer, each once. */
export function typesOf(providers: Provider[]): Map<string, string> {
  return new Map(providers.flatMap(({ appointment_types }) => appointment_types.map(({ code, name, minutes }) => [code, `${name} (${minutes} min)`] as const)));
}
