// Hears that something happened, and has what is shown looked at again: nothing else is read.
import { useEffect } from 'react';
import { useQueryClient } from '@tanstack/react-query';
import { call } from '../api/client';
import type { Call } from '../messages';
import { Channel, type PortalEvent } from '../realtime';
import { channelAddress } from './session';

export function Live() {
  const queries = useQueryClient();
  useEffect(() => {
    const address = channelAddress();
    if (!address) return undefined;
    const anew = (...key: string[]) => void queries.invalidateQueries({ queryKey: key });
    const onEvent = (event: PortalEvent) => {
      anew(event.patient, 'dashboard');
      if (event.type === 'message.new' || event.type === 'message.read') {
        anew(event.patient, 'threads');
        anew(event.patient, 'thread', event.thread);
        anew('inbox');
      } else if (event.type === 'appointment.changed') {
        anew(event.patient, 'appointments');
        anew(event.patient, 'waitlist');
        anew(event.patient, 'visit');
        anew(event.patient, 'summary');
        anew('schedule');
      } else {
        for (const what of ['lab-results', 'lab-result', 'lab-trend', 'summary']) anew(event.patient, what);
      }
    };
    const channel = new Channel({
      address,
      call: call as Call,
      listener: {
        onEvent,
        onReset: () => void queries.invalidateQueries(),
        // The next request finds out by itself, and says so.
        onSignedOut: () => undefined,
      },
    });
    void channel.start();
    return () => channel.stop();
  }, [queries]);
  return null;
}
