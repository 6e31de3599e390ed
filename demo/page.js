import { call, hashOf, isSigned, wireOf } from './wire.js';

const ADDRESS = 'grace@example.org';
const ROOM = { id: '!tea:localhost', name: 'Tea at four' };
const PANELS = ['ada', 'mailbox', 'grace'];

const panelOf = (name) => document.querySelector(name === 'server' ? 'footer' : `#${name}`);
const tabOf = (name) => document.querySelector(`nav a[href="#${name}"]`);
const act = async (name) => (await fetch(name, { method: 'POST' })).json();
const say = (text) => {
  document.querySelector('#live').textContent = text;
};

function element(name, text, className) {
  const created = document.createElement(name);
  if (text !== undefined) created.textContent = text;
  if (className !== undefined) created.className = className;
  return created;
}

/** What went over the wire, folded. */
function wire(exchanges) {
  const details = element('details');
  details.append(element('summary', 'What went over the wire'));
  const list = element('dl');
  for (const exchange of exchanges) {
    for (const [title, content] of wireOf(exchange)) {
      const value = element('dd');
      value.append(element('pre', content));
      list.append(element('dt', title), value);
    }
  }
  details.append(list);
  return details;
}

const isOnPhone = () => matchMedia('(max-width: 900px)').matches;

/** On a phone one panel is seen at a time. */
function open(name) {
  for (const panel of PANELS) {
    panelOf(panel).classList.toggle('open', panel === name);
    if (panel === name) tabOf(panel).setAttribute('aria-current', 'true');
    else tabOf(panel).removeAttribute('aria-current');
  }
  tabOf(name).querySelector('.badge').hidden = true;
}

const isOpen = (name) =>
  name === 'server' || !isOnPhone() || panelOf(name).classList.contains('open');

/** Tells that there is something to do in a panel, and goes there where that is in sight. */
function lead(name, target) {
  if (!isOpen(name)) {
    const badge = tabOf(name).querySelector('.badge');
    badge.hidden = false;
    badge.textContent = '1';
    return;
  }
  target.scrollIntoView({ block: 'center', behavior: 'smooth' });
  target.focus({ preventScroll: true });
}

/**
 * A step of the story: what is to be done now, by a button; then what came of it.
 * @param work gets a list for the exchanges; gives back what is to be said of them
 */
function step(name, { title, text, button, work }) {
  const panel = panelOf(name);
  const empty = panel.querySelector('.empty');
  if (empty !== null) empty.hidden = true;
  const item = element('li', undefined, 'now');
  item.append(element('h3', title), element('p', text));
  panel.querySelector('.steps').append(item);
  if (button === undefined) {
    item.tabIndex = -1;
    lead(name, item);
    return { done: (result, exchanges) => finish(item, result, exchanges) };
  }
  const press = element('button', button);
  press.type = 'button';
  item.append(press);
  lead(name, press);
  press.addEventListener('click', async () => {
    press.disabled = true;
    const exchanges = [];
    try {
      finish(item, await work(exchanges), exchanges);
    } catch (error) {
      press.disabled = false;
      item.querySelector('.failed')?.remove();
      item.append(element('p', `That failed: ${error.message}`, 'failed'));
    }
  });
  return undefined;
}

function finish(item, { said, next }, exchanges = []) {
  item.className = 'done';
  for (const button of item.querySelectorAll('button')) button.remove();
  item.append(element('p', said, 'result'));
  if (exchanges.length > 0) item.append(wire(exchanges));
  say(said);
  next?.();
}

/** Must be what it is in a story that goes well. */
function expect({ status, json }, wanted = 200) {
  if (status !== wanted) throw new Error(json.error ?? `the server answered ${status}`);
  return json;
}

function startServerPart() {
  const status = document.querySelector('#server');
  const said = document.querySelector('#said');
  return {
    is(text, isRunning) {
      status.textContent = text;
      status.className = isRunning ? 'running' : 'down';
      for (const id of ['kill', 'take-over']) {
        document.querySelector(`#${id}`).disabled = !isRunning;
      }
    },
    says(line) {
      said.value += `${line}\n`;
      said.scrollTop = said.scrollHeight;
    },
  };
}

/** Leads to the console, for which each database has a token of its own. */
function offerConsole({ url: consoleUrl, token }) {
  const offer = document.querySelector('#console');
  offer.hidden = false;
  offer.querySelector('a').href = consoleUrl;
  offer.querySelector('code').textContent = token;
  offer.querySelector('button').onclick = async () => {
    await navigator.clipboard.writeText(token);
    say('The token is copied.');
  };
}

/** The page of owners of addresses. */
function offerOwnersPage() {
  const offer = document.querySelector('#owners');
  offer.hidden = false;
  offer.querySelector('a').href = `${url}/_matrix/identity/cognomen/mine`;
}

const server = startServerPart();
const session = {
  sid: undefined,
  clientSecret: crypto.randomUUID().replaceAll('-', ''),
  tokens: {},
};
/** What the next event is waited for, by its kind. */
const waiting = new Map();
const next = (event) => new Promise((resolve) => waiting.set(event, resolve));
let ada;
let grace;
let url;
const v1 = (path) => `${url}/_matrix/identity/api/v1${path}`;
const v2 = (path) => `${url}/_matrix/identity/v2${path}`;

/** An access token of the identity server, by one of the homeserver. */
async function tokenOf(person, exchanges) {
  session.tokens[person.mxid] ??= expect(
    await call(exchanges, { method: 'POST', url: v2('/account/register'), body: person.openId }),
  ).token;
  return session.tokens[person.mxid];
}

/** Whose the address is, as apps ask: by its hash. */
async function find(exchanges) {
  const token = await tokenOf(ada, exchanges);
  const details = { method: 'GET', url: v2('/hash_details'), token };
  const { lookup_pepper: pepper } = expect(await call(exchanges, details));
  const hash = await hashOf(ADDRESS, pepper);
  const body = { algorithm: 'sha256', pepper, addresses: [hash] };
  const lookup = { method: 'POST', url: v2('/lookup'), token, body };
  return expect(await call(exchanges, lookup)).mappings[hash];
}

const STORY = {
  look: () =>
    step('ada', {
      title: '1. Is Grace here?',
      text: `Ada’s app asks whose ${ADDRESS} is. It sends a hash of it, not the address.`,
      button: 'Find Grace',
      async work(exchanges) {
        const mxid = await find(exchanges);
        if (mxid !== undefined) throw new Error(`it is ${mxid} already; begin anew`);
        return { said: 'Nobody has that address yet.', next: STORY.invite };
      },
    }),

  invite: () =>
    step('ada', {
      title: '2. Invite her all the same',
      text: `Ada’s homeserver leaves the invitation to the room “${ROOM.name}” with the identity server, which mails it and keeps it.`,
      button: 'Invite Grace by mail',
      async work(exchanges) {
        const token = await tokenOf(ada, exchanges);
        const body = {
          medium: 'email',
          address: ADDRESS,
          room_id: ROOM.id,
          room_name: ROOM.name,
          sender: ada.mxid,
          sender_display_name: 'Ada',
        };
        const mailed = next('mail');
        expect(await call(exchanges, { method: 'POST', url: v2('/store-invite'), token, body }));
        const mail = await mailed;
        return { said: 'The invitation is mailed, and waits.', next: () => STORY.read(mail) };
      },
    }),

  read(mail) {
    const reading = step('mailbox', {
      title: '3. A mail for Grace',
      text: 'Press the button in the mail.',
    });
    show(mail, '_top');
    window.addEventListener('hashchange', function opened() {
      if (!location.hash.startsWith('#/room/')) return;
      window.removeEventListener('hashchange', opened);
      history.replaceState(null, '', location.pathname);
      reading.done({ said: 'It leads to Grace’s app.', next: STORY.prove });
    });
  },

  prove() {
    open('grace');
    step('grace', {
      title: '4. Prove the address',
      text: `Grace signs up as ${grace.mxid}. Her app has the identity server send a mail to ${ADDRESS}.`,
      button: 'Send me a mail',
      async work(exchanges) {
        const token = await tokenOf(grace, exchanges);
        const body = { email: ADDRESS, client_secret: session.clientSecret, send_attempt: 1 };
        const mailed = next('mail');
        const asked = { method: 'POST', url: v2('/validate/email/requestToken'), token, body };
        session.sid = expect(await call(exchanges, asked)).sid;
        const mail = await mailed;
        return { said: 'The mail is out.', next: () => STORY.confirm(mail) };
      },
    });
  },

  async confirm(mail) {
    const confirming = step('mailbox', {
      title: '5. Confirm it',
      text: 'Press the button in the mail, then the one on the page that it opens. Come back here after that.',
    });
    show(mail, '_blank');
    const query = new URLSearchParams({ sid: session.sid, client_secret: session.clientSecret });
    const asked = { method: 'GET', url: v1(`/3pid/getValidated3pid?${query}`) };
    for (;;) {
      const exchanges = [];
      const { status } = await call(exchanges, asked).catch(() => ({}));
      if (status === 200) {
        confirming.done({ said: 'The address is Grace’s.', next: STORY.bind }, exchanges);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
  },

  bind() {
    open('grace');
    const bound = async (exchanges) => {
      const token = await tokenOf(grace, exchanges);
      const { sid, clientSecret } = session;
      const body = { sid, client_secret: clientSecret, mxid: grace.mxid };
      const asked = { method: 'POST', url: v2('/3pid/bind'), token, body };
      const association = expect(await call(exchanges, asked));
      const keyAsked = { method: 'GET', url: v2('/pubkey/ed25519:0') };
      const { public_key: key } = expect(await call(exchanges, keyAsked));
      return {
        true: 'Signed by the identity server; this page has checked the signature.',
        false: 'The signature is WRONG.',
        undefined: 'Signed; this browser cannot check Ed25519 signatures.',
      }[String(await isSigned(association, key))];
    };
    step('grace', {
      title: '6. Be found by it',
      text: 'The identity server signs that the address leads to Grace, and tells her homeserver of the invitation that waits.',
      button: 'Let people find me',
      async work(exchanges) {
        const told = next('bound');
        const signed = await bound(exchanges);
        return { said: signed, next: () => STORY.deliver(told) };
      },
    });
    const button = element('button', 'Let people find me, and kill the server at once', 'plain');
    button.type = 'button';
    panelOf('grace').querySelector('.now').append(button);
    button.addEventListener('click', async () => {
      const item = button.closest('li');
      for (const each of item.querySelectorAll('button')) each.remove();
      const exchanges = [];
      // So that it cannot have been delivered before the server dies.
      await act('grace-is-away');
      const told = next('bound');
      const signed = await bound(exchanges);
      await kill();
      finish(
        item,
        { said: `${signed} The server is dead: kill -9, right after its answer.`, next() {} },
        exchanges,
      );
      step('server', {
        title: 'What was answered is on the disk',
        text: 'The invitation has not reached Grace’s homeserver yet.',
        button: 'Start it again',
        async work() {
          await start();
          await act('grace-is-back');
          return { said: 'It goes on where it was.', next: () => STORY.deliver(told) };
        },
      });
    });
  },

  async deliver(told) {
    const arriving = step('grace', {
      title: '7. The invitation arrives',
      text: 'Grace’s homeserver is told of it, signed.',
    });
    const { notice } = await told;
    const [invite] = notice.invites ?? [];
    const said =
      invite === undefined
        ? 'It was told of the address, with no invitation.'
        : `“${ROOM.name}”: an invitation by ${invite.sender}. Grace is in.`;
    const exchange = {
      request: {
        method: 'POST',
        url: `https://${grace.mxid.split(':').slice(1).join(':')}/_matrix/federation/v1/3pid/onbind`,
        body: notice,
      },
      status: 200,
      answer: {},
    };
    arriving.done({ said, next: STORY.found }, [exchange]);
  },

  found: () =>
    step('ada', {
      title: '8. Find her again',
      text: `Whose is ${ADDRESS} now?`,
      button: 'Find Grace',
      async work(exchanges) {
        const mxid = await find(exchanges);
        if (mxid === undefined) throw new Error('nobody has it');
        return { said: `It leads to ${mxid}. That was the whole story.`, next() {} };
      },
    }),
};

/** Shows a mail in a frame without rights, but for its links, which open where the story wants them. */
function show(mail, target) {
  const card = element('article', undefined, 'mail');
  card.append(element('p', `From: ${mail.from}`), element('p', mail.subject, 'subject'));
  const frame = element('iframe');
  frame.title = `The mail “${mail.subject}”`;
  frame.sandbox =
    'allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation';
  frame.srcdoc = mail.html.replace('<head>', `<head><base target="${target}">`);
  card.append(frame);
  panelOf('mailbox').querySelector('.mails').prepend(card);
  return card;
}

/** A mail that the story does not wait for. */
function arrive(mail) {
  panelOf('mailbox').querySelector('.empty').hidden = true;
  lead('mailbox', show(mail, '_blank'));
}

async function kill() {
  await act('kill');
  server.is('Killed, as by kill -9.', false);
}

async function start() {
  await act('start');
  server.is('Running again.', true);
}

document.querySelector('#kill').addEventListener('click', async () => {
  await kill();
  step('server', {
    title: 'The server is dead',
    text: 'What it had answered is on the disk. What is asked of it now fails, until it runs again.',
    button: 'Start it again',
    async work() {
      await start();
      return { said: 'It goes on where it was.' };
    },
  });
});

document.querySelector('#take-over').addEventListener('click', () => {
  for (const panel of PANELS) panelOf(panel).querySelector('.steps').replaceChildren();
  panelOf('mailbox').querySelector('.mails').replaceChildren();
  step('server', {
    title: 'From Sydent',
    text: 'The server stops, and starts on a database as Sydent leaves it.',
    button: 'Start it there',
    async work(exchanges) {
      server.is('Taking over a database of Sydent’s …', false);
      const begin = performance.now();
      const { bindings, address, mxid, console: access } = await act('take-over');
      const seconds = ((performance.now() - begin) / 1000).toFixed(1);
      server.is('Running, on a database that Sydent had.', true);
      offerConsole(access);
      const query = new URLSearchParams({ medium: 'email', address });
      const found = await call(exchanges, { method: 'GET', url: v1(`/lookup?${query}`) });
      if (expect(found).mxid !== mxid) throw new Error('the address was not found');
      return {
        said: `${bindings} bindings are there: ${address} leads to ${mxid}. ${seconds} s, the writing of that database included.`,
      };
    },
  });
});

document.querySelector('#again').addEventListener('click', () => location.reload());
for (const name of PANELS) {
  tabOf(name).addEventListener('click', (event) => {
    event.preventDefault();
    open(name);
    const target = panelOf(name).querySelector('.now button, .now');
    target?.focus();
  });
}

const events = new EventSource('events');
for (const [name, otherwise] of [
  ['mail', arrive],
  ['bound', () => {}],
]) {
  events.addEventListener(name, ({ data }) => {
    const take = waiting.get(name) ?? otherwise;
    waiting.delete(name);
    take(JSON.parse(data));
  });
}
events.addEventListener('said', ({ data }) => server.says(JSON.parse(data)));
await new Promise((resolve) => events.addEventListener('open', resolve, { once: true }));

history.replaceState(null, '', location.pathname);
const world = await act('begin');
url = world.serverUrl;
[ada, grace] = world.people;
server.is('Running, with an empty database.', true);
offerConsole(world.console);
offerOwnersPage();
open('ada');
STORY.look();
