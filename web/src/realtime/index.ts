// Real time: that something happened, over a channel that may break. docs/REALTIME.md says how.

export { Channel, type Clock, type Listener, type Options, type PortalEvent, type Socket } from './channel.js';
