import { useId } from 'preact/hooks';

interface FewProps<T extends string> {
  /** What is chosen, for who does not see it. */
  readonly label: string;
  readonly options: readonly (readonly [value: T, text: string])[];
  readonly value: T;
  readonly set: (value: T) => void;
}

/** One of a few. */
export function Few<T extends string>({ label, options, value, set }: FewProps<T>) {
  const id = useId();
  return (
    <fieldset class="choice">
      <legend class="hidden">{label}</legend>
      {options.map(([one, text]) => (
        <label key={one}>
          <input type="radio" name={id} checked={one === value} onChange={() => set(one)} />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  );
}
