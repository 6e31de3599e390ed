import { createStore, useStore } from '../store.ts';

const told = createStore('');

/** Says what was done: in a line on the page, and to who listens to it. */
export function tell(text: string): void {
  told.set(text);
}

/** What was done last. It stays until something else is, or one goes elsewhere. */
export function Told() {
  const text = useStore(told);
  return (
    <div class="told" role="status">
      {text !== '' && <p>{text}</p>}
    </div>
  );
}
