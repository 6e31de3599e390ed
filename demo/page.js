const { serverUrl } = await (await fetch('settings')).json();
const v1 = `${serverUrl}/_matrix/identity/api/v1`;
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

function curl(method, url, body) {
  if (body === undefined) return `curl ${quoted(url)}`;
  return `curl -X ${method} ${quoted(url)} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted(JSON.stringify(body))}`;
}

function show(step, { method, url, body, status, answer }) {
  const list = element('dl');
  const parts = [
    [
      'Request',
      `${method} ${url.slice(serverUrl.length)}${body ? `\n\n${JSON.stringify(body, null, 2)}` : ''}`,
    ],
    ['Answer', `${status}\n\n${answer}`],
    ['The same by curl', curl(method, url, body)],
  ];
  for (const [title, content] of parts) {
    const detail = element('dd');
    detail.append(element('pre', content));
    list.append(element('dt', title), detail);
  }
  section(step).querySelector('.exchanges').replaceChildren(list);
}

/** Calls the identity server and shows what went over the wire. */
async function call(step, method, url, body) {
  const response = await fetch(url, {
    method,
    ...(body
      ? { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
      : {}),
  });
  const text = await response.text();
  const json = response.headers.get('content-type')?.startsWith('application/json')
    ? JSON.parse(text)
    : undefined;
  const answer = json
    ? JSON.stringify(json, null, 2)
    : `(a page: “${new DOMParser().parseFromString(text, 'text/html').querySelector('[role=status]')?.textContent.trim()}”)`;
  show(step, { method, url, body, status: response.status, answer });
  return { ok: response.ok, json };
}

function onSubmit(step, work) {
  section(step)
    .querySelector('form')
    ?.addEventListener('submit', async (event) => {
      event.preventDefault();
      try {
        await work();
      } catch (error) {
        const failure = element('pre', `The identity server cannot be reached: ${error.message}`);
        section(step).querySelector('.exchanges').replaceChildren(failure);
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
  const { ok, json } = await call('request', 'POST', `${v1}/validate/email/requestToken`, {
    email,
    client_secret: session.clientSecret,
    send_attempt: session.attempt,
  });
  if (!ok) return;
  session.sid = json.sid;
  document.querySelector('#address').value = email;
});

onSubmit('bind', () =>
  call('bind', 'POST', `${v1}/3pid/bind`, {
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
  return call('lookup', 'GET', `${v1}/lookup?${query}`);
});

async function follow(link) {
  const { ok } = await call('validate', 'GET', link);
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
