import { queryOptions } from '@tanstack/react-query';
import { api, versioned } from '../../api/client';

/** When the provider can be booked, and for what. */
export const availabilityQuery = queryOptions({ queryKey: ['availability'], queryFn: () => versioned(api.GET('/v1/availability')) });
