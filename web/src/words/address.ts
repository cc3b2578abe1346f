// An address in lines, as it stands on a letter.
import type { Schemas } from '../api/client';

type Address = Schemas['Address'];

const placeOf = ({ city, state, postal_code }: Address): string =>
  [city, [state, postal_code].filter(Boolean).join(' ')].filter(Boolean).join(', ');

/** The lines without those that say the place once more, as some practices have it. */
export const streetOf = (address: Address): string[] => address.lines.filter((line) => line !== placeOf(address) && line !== address.country);

export const addressLines = (address: Address | null | undefined): string[] =>
  address ? [...streetOf(address), placeOf(address), address.country ?? ''].filter(Boolean) : [];
