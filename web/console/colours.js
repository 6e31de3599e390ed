/** What the console calls the tokens of mails and pages, as they are in one scheme: every pair of text and ground is 4.5:1 or more. */
const named = (tokens, scheme) => {
  const { ground, card, line, ink, quiet, well } = tokens[scheme];
  const [calm, ok, warning, problem] = ['ask', 'proven', 'expired', 'failed'].map(
    (outcome) => tokens.outcomes[outcome][scheme],
  );
  const own = tokens.console[scheme];
  return {
    paper: ground,
    surface: card,
    sunken: well,
    ink,
    'ink-soft': quiet,
    line,
    'line-strong': own.line_strong,
    accent: calm.ink,
    'accent-strong': own.accent_strong,
    'accent-soft': calm.tint,
    'on-accent': own.on_accent,
    ok: ok.ink,
    'ok-soft': ok.tint,
    warning: warning.ink,
    'warning-soft': warning.tint,
    problem: problem.ink,
    'problem-strong': own.problem_strong,
    'problem-soft': problem.tint,
    'on-problem': own.on_accent,
    shade: own.shade,
    veil: own.veil,
  };
};

const rule = (properties) =>
  `:root {\n${Object.entries(properties)
    .map(([name, value]) => `  --${name}: ${value};`)
    .join('\n')}\n}`;

/** The colours and fonts of the console, as CSS. */
export const coloursOf = (tokens) =>
  `${rule({ ...named(tokens, 'light'), sans: tokens.font, mono: tokens.mono })}
@media (prefers-color-scheme: dark) {
${rule(named(tokens, 'dark'))}
}
`;
