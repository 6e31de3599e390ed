import { useId } from 'preact/hooks';

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly set: (value: string) => void;
  readonly hint?: string;
  /** Whether it is shown as dots. */
  readonly isSecret?: boolean;
  readonly isRequired?: boolean;
  readonly most?: number;
}

/** A text to type, with its label above it. */
export function Field(props: FieldProps) {
  const { label, value, set, hint, isSecret = false, isRequired = false, most = 1000 } = props;
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        {...(isSecret ? { type: 'password' } : { type: 'text' })}
        value={value}
        required={isRequired}
        maxLength={most}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        onInput={(event) => set(event.currentTarget.value)}
      />
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}
