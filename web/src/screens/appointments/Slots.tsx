// Times that are free, by day, to choose one.
import { useQuery } from '@tanstack/react-query';
import { Trans } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { Button } from '../../ui/Button';
import { Empty, Loaded } from '../../ui/Loading';
import { Notice } from '../../ui/Notice';
import { dayInZone, timeInZone } from '../../words/dates';
import { inWords } from '../../words/codes';

export type Slot = Schemas['OpenSlot'];
export interface Wanted {
  provider?: string;
  specialty?: string;
  type: string;
  modality?: Slot['modality'];
  from: string;
  to: string;
}

interface Props {
  wanted: Wanted;
  /** Who the slot is with, by name. */
  nameOf: (practitioner: string) => string | undefined;
  onChoose: (slot: Slot) => void;
  /** What to do if nothing is free. */
  otherwise?: React.ReactNode;
}

export function Slots({ wanted, nameOf, onChoose, otherwise }: Props) {
  const query = useQuery({
    queryKey: ['open-slots', wanted],
    queryFn: () => answer(api.GET('/v1/open-slots', { params: { query: { ...wanted } } })),
    // Others book meanwhile.
    staleTime: 0,
  });
  return (
    <Loaded query={query} lines={6}>
      {({ slots, complete }) => (
        <div className="slots">
          {!complete && <Notice><p><Trans>There are more times than are shown. Choose fewer days or one provider to see them all.</Trans></p></Notice>}
          {slots.length === 0 && <Empty title={<Trans>Nothing is free on these days</Trans>}>{otherwise}</Empty>}
          {byDay(slots).map(([day, some]) => (
            <section key={day} className="card" aria-label={day}>
              <h3 className="day">{day}</h3>
              <ul className="times">
                {some.map((slot) => (
                  <li key={slot.practitioner + slot.start}>
                    <Button onClick={() => onChoose(slot)}>
                      <span className="time">{timeInZone(slot.start, slot.time_zone)}</span>
                      <span className="hint">{[nameOf(slot.practitioner), slot.location, inWords(slot.modality)].filter(Boolean).join(' · ')}</span>
                    </Button>
                  </li>
                ))}
              </ul>
            </section>
          ))}
        </div>
      )}
    </Loaded>
  );
}

function byDay(slots: Slot[]): [string, Slot[]][] {
  const days = new Map<string, Slot[]>();
  for (const slot of slots) {
    const day = dayInZone(slot.start, slot.time_zone);
    days.set(day, [...(days.get(day) ?? []), slot]);
  }
  return [...days];
}
