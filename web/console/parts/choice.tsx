import { useId } from 'preact/hooks';
import { visible } from '../visible.ts';

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly options: readonly (readonly [value: T, name: string])[];
  readonly set: (value: T) => void;
}

/** One of several, with its label above it. */
export function Choice<T extends string>({ label, value, options, set }: ChoiceProps<T>) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => set(event.currentTarget.value as T)}>
        {options.map(([one, name]) => (
          <option key={one} value={one} selected={one === value}>
            {visible(name)}
          </option>
        ))}
      </select>
    </div>
  );
}
