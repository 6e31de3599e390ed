import { expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { postJson } from '../support/http.ts';
import { mailer, relay, seen } from '../support/mailer.ts';
import { startTestServer } from '../support/server.ts';

const MESSAGE = Buffer.from('Subject: x\r\n\r\nx\r\n');
const TAKEN = 2;

/** What a relay answers that takes two connections only. */
function refusing(responseCode: number) {
  const open = new Set<string>();
  let refused = 0;
  return {
    get refused() {
      return refused;
    },
    onConnect({ id }: { id: string }, done: (error?: Error) => void) {
      if (open.size < TAKEN) {
        open.add(id);
        return done();
      }
      refused++;
      done(Object.assign(new Error('Too many connections'), { responseCode }));
    },
    onClose: ({ id }: { id: string }) => void open.delete(id),
  };
}

test.each(ENGINES)(
  'all mails go out by a relay that takes two connections, on %s',
  async (engine) => {
    const { refused: _, ...few } = refusing(421);
    const server = await startTestServer({
      engine,
      smtp: few,
      sections: { email: 'email.ratelimit_sender.burst = 10000' },
    });
    try {
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_each, number) =>
          postJson(`${server.url}/_matrix/identity/api/v1/validate/email/requestToken`, {
            email: `u${number}@d${number}.test`,
            client_secret: 'abcd',
            send_attempt: 1,
          }),
        ),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect(server.smtp.mails).toHaveLength(100);
    } finally {
      await server.stop();
    }
  },
);

test.each([421, 450])(
  'connections end and begin anew at a relay that says %d to a third',
  async (code) => {
    const few = refusing(code);
    const server = await relay(few);
    const pooled = mailer(server.port, 'email.smtp_connections = 7');
    // More than 100 go over each of them.
    const sent = Array.from({ length: 450 }, (_each, number) =>
      pooled.send(`u${number}@b.test`, MESSAGE),
    );
    await Promise.all(sent);
    expect(server.mails).toHaveLength(450);
    // Nobody hammers at a relay that has just said no.
    expect(few.refused).toBeGreaterThan(0);
    expect(few.refused).toBeLessThan(60);
  },
);

test('mails go over connections that are open when the system refuses more', async () => {
  const held: (() => void)[] = [];
  let isHolding = true;
  const server = await relay({
    onMailFrom(_address, _session, done) {
      if (isHolding) held.push(done);
      else done();
    },
  });
  const pooled = mailer(server.port);
  const first = [1, 2].map((number) => pooled.send(`a${number}@b.test`, MESSAGE));
  await expect.poll(() => held.length).toBe(TAKEN);
  server.refuseConnections();
  const more = [1, 2, 3, 4, 5, 6].map((number) => pooled.send(`b${number}@b.test`, MESSAGE));
  isHolding = false;
  for (const letGo of held) letGo();
  await Promise.all([...first, ...more]);
  expect(server.mails).toHaveLength(8);
});

test('without any connection open a mail fails, and all that wait with it', async () => {
  const server = await relay({
    onConnect: (_session, done) => done(Object.assign(new Error('Not now'), { responseCode: 421 })),
  });
  const pooled = mailer(server.port);
  const sent = [1, 2, 3, 4, 5, 6, 7].map((number) => pooled.send(`a${number}@b.test`, MESSAGE));
  const outcomes = await Promise.allSettled(sent);
  expect(outcomes.map(({ status }) => status)).toEqual(sent.map(() => 'rejected'));
});

test('no more connections are opened than email.smtp_connections says', async () => {
  const server = await relay();
  const before = seen.attempts;
  const pooled = mailer(server.port, 'email.smtp_connections = 3');
  await Promise.all(
    Array.from({ length: 30 }, (_each, number) => pooled.send(`a${number}@b.test`, MESSAGE)),
  );
  expect(seen.attempts).toBe(before + 30);
  expect(server.connections).toBe(3);
});
