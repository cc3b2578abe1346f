// A visit in a list.
import { Link } from '@tanstack/react-router';
import type { Schemas } from '../../api/client';
import { inZone } from '../../words/dates';
import { inWords } from '../../words/codes';

type Appointment = Schemas['Appointments']['appointments'][number];

export function Row({ appointment }: { appointment: Appointment }) {
  const { id, start, time_zone, type_name, practitioner_name, modality, status } = appointment;
  return (
    <Link to="/appointments/$appointment" params={{ appointment: id }} className="row">
      <span className="row-main">
        <span className="row-name">{inZone(start, time_zone)}</span>
        <span className="hint">{[type_name, practitioner_name, inWords(modality)].filter(Boolean).join(' · ')}</span>
      </span>
      <span className={`flag ${status === 'confirmed' ? 'good' : status === 'cancelled' || status === 'no-show' ? 'note' : ''}`}>{inWords(status)}</span>
    </Link>
  );
}
