// The practice's messages in this browser: its people share one key, which the portal keeps for them.
import { useQuery } from '@tanstack/react-query';
import { answer, api } from '../../api/client';
import { useMailbox } from '../../session/messaging';

/** Nobody can write to the practice until it has a key: whoever looks at messages first makes it. */
export function usePracticeKey(patient?: string): void {
  const { messages } = useMailbox();
  useQuery({
    queryKey: ['practice-key'],
    queryFn: async () => {
      const mine = async () => (await answer(api.GET('/v1/my-patients', { params: { query: { limit: '1' } } }))).patients[0]?.id;
      const anybody = patient ?? (await mine());
      if (anybody) await messages.key(anybody);
      return anybody !== undefined;
    },
    staleTime: Infinity,
    retry: false,
  });
}
