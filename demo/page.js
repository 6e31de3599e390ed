const { serverUrl, openId } = await (await fetch('settings')).json();
const v1 = `${serverUrl}/_matrix/identity/api/v1`;
const v2 = `${serverUrl}/_matrix/identity/v2`;
const session = { sid: '', clientSecret: '', attempt: 0, email: '' };

const section = (step) => document.querySelector(`#step-${step}`);
const button = (step) => section(step).querySelector('button');

function element(name, text, className) {
  const created = document.createElement(name);
  if (text !== undefined) created.textContent = text;
  if (className !== undefined) created.className = className;
  return created;
}

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function curl({ method, url, token, body }) {
  const parts = [method === 'GET' ? `curl ${quoted(url)}` : `curl -X ${method} ${quoted(url)}`];
  if (token) parts.push(`-H 'Authorization: Bearer ${token}'`);
  if (body) {
    parts.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body))}`);
  }
  return parts.join(' \\\n  ');
}

function show(step, { request, status, answer }) {
  const { method, url, body } = request;
  const list = element('dl');
  const parts = [
    [
      'Request',
      `${method} ${url.slice(serverUrl.length)}${body ? `\n\n${JSON.stringify(body, null, 2)}` : ''}`,
    ],
    ['Answer', `${status}\n\n${answer}`],
    ['The same by curl', curl(request)],
  ];
  for (const [title, content] of parts) {
    const detail = element('dd');
    detail.append(element('pre', content));
    list.append(element('dt', title), detail);
  }
  section(step).querySelector('.exchanges').append(list);
}

/** Calls the identity server and shows what went over the wire. */
async function call(step, request) {
  const { method, url, token, body } = request;
  const response = await fetch(url, {
    method,
    headers: {
      ...(body ? { 'Content-Type': 'application/json' } : {}),
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const text = await response.text();
  const json = response.headers.get('content-type')?.startsWith('application/json')
    ? JSON.parse(text)
    : undefined;
  const answer = json
    ? JSON.stringify(json, null, 2)
    : `(a page: “${new DOMParser().parseFromString(text, 'text/html').querySelector('[role=status]')?.textContent.trim()}”)`;
  show(step, { request, status: response.status, answer });
  return { ok: response.ok, json };
}

const get = (step, url, token) => call(step, { method: 'GET', url, token });
const post = (step, url, body, token) => call(step, { method: 'POST', url, body, token });
const clear = (step) => section(step).querySelector('.exchanges').replaceChildren();

function onSubmit(step, work) {
  section(step)
    .querySelector('form')
    ?.addEventListener('submit', async (event) => {
      event.preventDefault();
      clear(step);
      try {
        await work();
      } catch (error) {
        const failure = element('pre', `The identity server cannot be reached: ${error.message}`);
        section(step).querySelector('.exchanges').append(failure);
      }
    });
}

onSubmit('request', async () => {
  const email = document.querySelector('#email').value;
  if (email !== session.email) {
    Object.assign(session, {
      email,
      attempt: 0,
      clientSecret: crypto.randomUUID().replaceAll('-', ''),
    });
  }
  session.attempt += 1;
  const { ok, json } = await post('request', `${v1}/validate/email/requestToken`, {
    email,
    client_secret: session.clientSecret,
    send_attempt: session.attempt,
  });
  if (!ok) return;
  session.sid = json.sid;
  document.querySelector('#address').value = email;
});

onSubmit('bind', () =>
  post('bind', `${v1}/3pid/bind`, {
    sid: session.sid,
    client_secret: session.clientSecret,
    mxid: document.querySelector('#mxid').value,
  }),
);

onSubmit('lookup', () => {
  const query = new URLSearchParams({
    medium: 'email',
    address: document.querySelector('#address').value,
  });
  return get('lookup', `${v1}/lookup?${query}`);
});

async function hashOf(address, pepper) {
  const bytes = new TextEncoder().encode(`${address} email ${pepper}`);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const base64 = btoa(String.fromCharCode(...digest));
  return base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

onSubmit('hash', async () => {
  const registered = await post('hash', `${v2}/account/register`, openId);
  if (!registered.ok) return;
  const { token } = registered.json;
  const details = await get('hash', `${v2}/hash_details`, token);
  if (!details.ok) return;
  const pepper = details.json.lookup_pepper;
  const hash = await hashOf(document.querySelector('#address').value.toLowerCase(), pepper);
  await post('hash', `${v2}/lookup`, { algorithm: 'sha256', pepper, addresses: [hash] }, token);
});

async function follow(link) {
  clear('validate');
  const { ok } = await get('validate', link);
  if (ok) button('bind').disabled = false;
}

new EventSource('mails').onmessage = ({ data }) => {
  const mail = JSON.parse(data);
  document.querySelector('#no-mail').hidden = true;
  const card = element('article', undefined, 'mail');
  const link = /https?:\/\/\S+submitToken\S+/.exec(mail.text)?.[0];
  card.append(element('p', `To: ${mail.to}`), element('p', `Subject: ${mail.subject}`));
  if (link) {
    const open = element('button', 'Follow the link in this mail');
    open.addEventListener('click', () => follow(link));
    card.append(open);
  }
  const frame = element('iframe');
  frame.title = 'The mail';
  // No scripts, no forms, no way out: the mail is only looked at.
  frame.sandbox = '';
  frame.srcdoc = mail.html;
  card.append(frame);
  document.querySelector('#mails').prepend(card);
};
