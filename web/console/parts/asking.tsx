import { useState } from 'preact/hooks';
import { Button } from './button.tsx';
import { Field } from './field.tsx';

interface AskingProps {
  readonly label: string;
  readonly button: string;
  readonly hint?: string;
  /** What stands there at first. */
  readonly before?: string;
  readonly isRequired?: boolean;
  readonly isBusy?: boolean;
  readonly kind?: 'main' | 'plain';
  readonly asked: (text: string) => void;
}

/** One box with a button. */
export function Asking(props: AskingProps) {
  const { label, button, hint, before = '', isRequired, isBusy, kind = 'main', asked } = props;
  const [text, setText] = useState(before);
  return (
    <form
      class="asking"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isBusy) asked(text.trim());
      }}
    >
      <Field
        label={label}
        value={text}
        set={setText}
        {...(hint !== undefined && { hint })}
        {...(isRequired !== undefined && { isRequired })}
      />
      <Button type="submit" kind={kind} isBusy={isBusy ?? false}>
        {button}
      </Button>
    </form>
  );
}
