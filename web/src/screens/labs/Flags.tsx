import type { Schemas } from '../../api/client';
import { inWords } from '../../words/codes';

type Flag = Schemas['Flag'];

const LOUD: Partial<Record<Flag, string>> = {
  critical: 'loud',
  high: 'note',
  low: 'note',
  abnormal: 'note',
  positive: 'note',
  detected: 'note',
  resistant: 'note',
};
const SIGN: Partial<Record<Flag, string>> = { high: '↑ ', low: '↓ ', critical: '! ' };

/** What the laboratory says of a value: in words, with a sign, and last by colour. */
export const Flags = ({ flags }: { flags: readonly Flag[] }) =>
  flags.map((flag) => (
    <span key={flag} className={`flag ${LOUD[flag] ?? ''}`}>
      <span aria-hidden="true">{SIGN[flag]}</span>{inWords(flag)}
    </span>
  ));
