import { defineConfig } from 'vitepress';

const PAGES = /^(?:docs\/.*|README|CHANGELOG|CONTRIBUTING|SECURITY)\.md$/;

const page = (text, name) => ({ text, link: `/docs/${name}` });
const chapter = (text, ...items) => ({ text, items });

/** The documentation as a site: README.md is its first page, docs/ the rest, as pages.js has copied them. */
export default defineConfig({
  title: 'Cognomen',
  description: 'A Matrix identity server',
  lang: 'en',
  srcDir: './pages',
  rewrites: { 'README.md': 'index.md' },
  outDir: './dist',
  cacheDir: './node_modules/.cache',
  cleanUrls: false,
  lastUpdated: false,
  markdown: { config: asPlainMarkdown },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      page('Start', 'start'),
      page('From Sydent', 'from-sydent'),
      page('Configuration', 'configuration'),
      page('Troubleshooting', 'troubleshooting'),
    ],
    sidebar: [
      chapter(
        'First steps',
        page('Start in five minutes', 'start'),
        page('How it works', 'how-it-works'),
        page('Installing', 'install'),
        page('Reverse proxies', 'reverse-proxy'),
        page('Connecting homeserver and clients', 'connecting'),
        page('By hand, with curl', 'walk-through'),
      ),
      chapter(
        'Moving here',
        page('From Sydent', 'from-sydent'),
        page('Sydent’s configuration, key by key', 'from-sydent-config'),
        page('From ma1sd', 'from-ma1sd'),
        page('Upgrading', 'upgrading'),
      ),
      chapter(
        'Running it',
        page('Configuration', 'configuration'),
        page('Operations', 'operations'),
        page('Mails and pages: templates', 'templates'),
        page('Command line', 'command-line'),
        page('Invitations', 'invitations'),
        page('The owners’ page', 'owners-page'),
        page('Limits', 'limits'),
        page('Replication', 'replication'),
        page('Scaling', 'scaling'),
        page('Monitoring', 'metrics'),
        page('Troubleshooting', 'troubleshooting'),
      ),
      chapter(
        'What holds',
        page('Reliability', 'reliability'),
        page('Security', 'security'),
        page('Privacy and retention', 'privacy'),
        page('Performance', 'performance'),
      ),
      chapter(
        'APIs',
        page('Client, internal and replication API', 'api'),
        page('Console', 'console'),
        page('Admin API', 'admin-api'),
      ),
      chapter('Inside', page('Architecture', 'architecture'), {
        text: 'Changes',
        link: '/CHANGELOG',
      }),
    ],
  },
});

/** Links to files that are no page of the site, such as tests, stay as their text; two braces are no code of Vue's. */
function asPlainMarkdown(markdown) {
  const { text, code_inline } = markdown.renderer.rules;
  markdown.renderer.rules.text = (...all) => text(...all).replaceAll('{{', '&#123;&#123;');
  markdown.renderer.rules.code_inline = (tokens, at, ...all) => {
    tokens[at].attrSet('v-pre', '');
    return code_inline(tokens, at, ...all);
  };
  markdown.core.ruler.push('links-to-code', ({ tokens, env }) => {
    for (const { children } of tokens) {
      for (const [at, token] of (children ?? []).entries()) {
        if (token.type !== 'link_open' || leadsToPage(token.attrGet('href'), env.relativePath))
          continue;
        const end = children.findIndex(({ type }, i) => i > at && type === 'link_close');
        for (const one of [token, children[end]])
          Object.assign(one, { type: 'text', content: '', tag: '', nesting: 0 });
      }
    }
  });
}

function leadsToPage(href, from) {
  if (/^(?:[a-z]+:|#)/.test(href)) return true;
  const { pathname } = new URL(href, `file:///${from}`);
  return PAGES.test(pathname.slice(1));
}
