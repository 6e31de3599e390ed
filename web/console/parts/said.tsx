import { visible } from '../visible.ts';

/** What somebody else wrote: shown as text, whatever it is, and kept from turning what stands beside it around. */
export function Said({ text }: { readonly text: string }) {
  return <bdi class="said">{visible(text)}</bdi>;
}
