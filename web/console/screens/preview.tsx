import { useEffect, useRef, useState } from 'preact/hooks';
import { type Looks, look } from '../api.ts';
import { Choice } from '../parts/choice.tsx';
import { Await, useLoaded } from '../parts/loading.tsx';
import { Notice } from '../parts/notice.tsx';
import { Panel } from '../parts/panel.tsx';
import { Said } from '../parts/said.tsx';
import { TEXTS } from '../texts.ts';

const T = TEXTS.messages;
type Offer = Looks['messages/templates'];
type Made = Looks['messages/preview'];
type Scheme = keyof typeof T.schemes;
type Width = keyof typeof T.widths;

const SCHEMES = Object.entries(T.schemes) as [Scheme, string][];
const WIDTHS = Object.entries(T.widths) as [Width, string][];
const LANGUAGE_NAMES = new Intl.DisplayNames('en', { type: 'language' });

interface FrameProps {
  readonly html: string;
  readonly title: string;
  readonly scheme: Scheme;
  readonly width: Width;
}

/**
 * Shows a mail or page in a frame that is an origin of its own and runs no script of it. Its colours are what the property
 * `color-scheme` of the frame makes its `prefers-color-scheme`; the frame tells whether the browser does so.
 */
function Frame({ html, title, scheme, width }: FrameProps) {
  const frame = useRef<HTMLIFrameElement>(null);
  const [shown, setShown] = useState<string>(scheme);
  useEffect(() => {
    const hear = ({ data, source }: MessageEvent) => {
      if (source === null || source !== frame.current?.contentWindow) return;
      setShown(data === 'dark' ? 'dark' : 'light');
      // It has no origin that could be named; what it is given is no secret.
      frame.current?.contentWindow?.postMessage(html, '*');
    };
    addEventListener('message', hear);
    return () => removeEventListener('message', hear);
  }, []);
  return (
    <>
      {shown !== scheme && <Notice tone="warning">{T.otherScheme(shown)}</Notice>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard */}
      <section class="preview" tabIndex={0} aria-label={title}>
        <iframe
          ref={frame}
          class={`preview-frame ${scheme} ${width}`}
          title={title}
          sandbox="allow-scripts"
          src="preview"
        />
      </section>
    </>
  );
}

interface ShownProps {
  readonly of: Made;
  readonly brand: string;
  readonly scheme: Scheme;
  readonly width: Width;
}

const Shown = ({ of, brand, scheme, width }: ShownProps) => (
  <>
    {of.brand !== brand && (
      <p class="hint">
        <Said text={T.brandUsed(of.brand)} />
      </p>
    )}
    {of.subject !== undefined && (
      <p>
        <b>{T.subject}</b> <Said text={of.subject} />
      </p>
    )}
    <Frame
      key={`${of.html} ${scheme} ${width}`}
      html={of.html}
      title={`${T.preview}: ${of.name}`}
      scheme={scheme}
      width={width}
    />
    {of.text !== undefined && (
      <details>
        <summary>{T.asText}</summary>
        <pre>{of.text}</pre>
      </details>
    )}
  </>
);

function Chooser({ offer }: { readonly offer: Offer }) {
  const [name, setName] = useState(offer.templates[0] ?? '');
  const [brand, setBrand] = useState(offer.default_brand);
  const [language, setLanguage] = useState<string>(offer.default_language);
  const [scheme, setScheme] = useState<Scheme>('light');
  const [width, setWidth] = useState<Width>('phone');
  const made = useLoaded(`preview ${name} ${brand} ${language}`, (signal) =>
    look('messages/preview', { template: name, brand, language }, signal),
  );
  const same = (all: readonly string[]) => all.map((one) => [one, one] as const);
  return (
    <>
      <div class="choosers">
        <Choice label={T.template} value={name} options={same(offer.templates)} set={setName} />
        <Choice
          label={T.brand}
          value={brand}
          options={same([...new Set([offer.default_brand, ...offer.brands])])}
          set={setBrand}
        />
        <Choice
          label={T.language}
          value={language}
          options={offer.languages.map((one) => [one, LANGUAGE_NAMES.of(one) ?? one] as const)}
          set={setLanguage}
        />
        <Choice label={T.scheme} value={scheme} options={SCHEMES} set={setScheme} />
        <Choice label={T.width} value={width} options={WIDTHS} set={setWidth} />
      </div>
      <Await of={made}>
        {(of) => <Shown of={of} brand={brand} scheme={scheme} width={width} />}
      </Await>
    </>
  );
}

/** Every mail and page, of every brand, in every language. */
export function PreviewPanel() {
  const offer = useLoaded('templates', (signal) => look('messages/templates', {}, signal));
  return (
    <Panel title={T.preview}>
      <p class="hint">{T.previewAbout}</p>
      <Await of={offer}>{(one) => <Chooser offer={one} />}</Await>
    </Panel>
  );
}
