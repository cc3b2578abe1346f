// What the app has to know of its stage, from /config.json: one build serves every stage.
import * as v from 'valibot';

const Config = v.object({
  /** Where the API is, without a slash at its end. */
  api: v.string(),
  /** Where the WebSocket API is; without one nothing is told by itself. */
  channel: v.nullish(v.string()),
  /** Cognito's address; none for AWS's own. */
  signIn: v.optional(v.string()),
  userPoolId: v.string(),
  userPoolClientId: v.string(),
});

export type Config = v.InferOutput<typeof Config>;

export async function loadConfig(): Promise<Config> {
  const answer = await fetch('/config.json', { cache: 'no-store' });
  if (!answer.ok) throw new Error('there is no /config.json');
  return v.parse(Config, await answer.json());
}
