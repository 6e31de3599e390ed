import { type AST, RegExpParser } from '@eslint-community/regexpp';

/** Characters that classes and escapes are tried with. */
const CANDIDATES = [...'a1 -_.:/@%=&"\\,;[](){}+*?#!~\'^$|<>`A\t\r\n\0éß\u200d\u{1f600}'];

const matches = (raw: string, flags: string) => {
  const one = new RegExp(`^(?:${raw})$`, flags.replace(/[gy]/g, ''));
  return CANDIDATES.filter((character) => one.test(character)).slice(0, 3);
};

/** Some texts that the node matches, the first the plainest. */
function samples(node: AST.Node, flags: string): string[] {
  switch (node.type) {
    case 'Character':
      return [String.fromCodePoint(node.value)];
    case 'CharacterSet':
    case 'CharacterClass':
    case 'ExpressionCharacterClass':
      return matches(node.raw, flags);
    case 'Quantifier': {
      const some = samples(node.element, flags);
      const times = Math.max(1, Math.min(node.min, 70));
      return node.min === 0 ? [...some, ''] : some.map((text) => text.repeat(times));
    }
    case 'Group':
    case 'CapturingGroup':
    case 'Pattern':
      return node.alternatives.flatMap((one) => samples(one, flags)).slice(0, 6);
    case 'Alternative': {
      const parts = node.elements.map((element) => samples(element, flags));
      const first = parts.map((part) => part[0] ?? '').join('');
      const others = parts.flatMap((part, at) =>
        part
          .slice(1)
          .map((other) => parts.map((p, i) => (i === at ? other : (p[0] ?? ''))).join('')),
      );
      return [first, ...others].slice(0, 6);
    }
    default:
      return [''];
  }
}

interface Pumped {
  readonly prefix: string;
  readonly pumps: readonly string[];
}

/** What can be repeated without end in the expression, with what leads there. */
function pumped(node: AST.Node, prefix: string, flags: string, found: Pumped[]): void {
  switch (node.type) {
    case 'Quantifier':
      if (node.max > 20) found.push({ prefix, pumps: samples(node.element, flags) });
      pumped(node.element, prefix, flags, found);
      break;
    case 'Alternative': {
      let before = prefix;
      for (const element of node.elements) {
        pumped(element, before, flags, found);
        before += samples(element, flags)[0] ?? '';
      }
      break;
    }
    case 'Assertion':
      if (node.kind === 'lookahead' || node.kind === 'lookbehind') {
        for (const one of node.alternatives) pumped(one, prefix, flags, found);
      }
      break;
    case 'Group':
    case 'CapturingGroup':
    case 'Pattern':
      for (const one of node.alternatives) pumped(one, prefix, flags, found);
      break;
    default:
  }
}

const ENDS = ['', '!', '\0', 'a', '\n', ' !', '!a', '\n!'];

/** Texts of that length that the expression nearly matches, and starts to match at every place. */
export function nearMisses(source: string, flags: string, length: number): string[] {
  const unicode = flags.includes('u');
  const pattern = new RegExpParser({ ecmaVersion: 2025 }).parsePattern(source, 0, source.length, {
    unicode,
    unicodeSets: flags.includes('v'),
  });
  const found: Pumped[] = [];
  pumped(pattern, '', flags, found);
  const whole = samples(pattern, flags)[0] ?? '';
  if (whole !== '') found.push({ prefix: '', pumps: [whole] });
  const texts = found.flatMap(({ prefix, pumps }) => {
    const seeds = [...new Set([...pumps, prefix + (pumps[0] ?? '')])].filter((pump) => pump !== '');
    return seeds.flatMap((pump) => {
      const body = pump.repeat(Math.ceil(length / pump.length));
      return ENDS.flatMap((end) => [prefix + body + end, `!${body}${end}`]);
    });
  });
  return [...new Set(texts)];
}
