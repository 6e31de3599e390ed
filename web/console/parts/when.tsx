const SHOWN = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });

/** A time, in the zone of whoever looks; milliseconds. Beyond what a date can be, the number. */
export function When({ at }: { readonly at: number }) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return <span>{at}</span>;
  const iso = date.toISOString();
  return (
    <time dateTime={iso} title={iso}>
      {SHOWN.format(date)}
    </time>
  );
}
