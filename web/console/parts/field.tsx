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
  /** So many lines, where it may have several. */
  readonly rows?: number;
}

/** A text to type, with its label above it. */
export function Field(props: FieldProps) {
  const {
    label,
    value,
    set,
    hint,
    isSecret = false,
    isRequired = false,
    most = 1000,
    rows,
  } = props;
  const id = useId();
  const common = {
    id,
    value,
    required: isRequired,
    maxLength: most,
    'aria-describedby': hint === undefined ? undefined : `${id}-hint`,
    autocomplete: 'off',
    autocapitalize: 'off',
    spellcheck: false,
    onInput: (event: { currentTarget: HTMLInputElement | HTMLTextAreaElement }) =>
      set(event.currentTarget.value),
  } as const;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {rows === undefined ? (
        <input {...common} {...(isSecret ? { type: 'password' } : { type: 'text' })} />
      ) : (
        <textarea {...common} rows={rows} />
      )}
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}
