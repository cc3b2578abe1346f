// The practice's messages in this browser: its people share one key, which the portal keeps for them.
import { useAccount } from '../../session/me';
import { mailboxOf } from '../../session/messaging';

export const usePracticeMailbox = () => mailboxOf(useAccount().id, 'providers');
