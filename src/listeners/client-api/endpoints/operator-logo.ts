import { endpoint, FileAnswer } from '../../http/endpoint.ts';
import { ApiError, type Refusal } from '../../http/errors.ts';

/** Reads the operator's logo; it throws where there is none that can be shown. */
export type ReadLogo = () => Promise<{ readonly type: string; readonly bytes: Buffer }>;

const NOT_THERE: Refusal = [404, 'M_NOT_FOUND'];

/** `GET logo`: the operator's logo, for the pages that links open. */
export const operatorLogo = (read: ReadLogo) =>
  endpoint({
    method: 'GET',
    path: '/logo',
    servlet: 'OperatorLogoServlet',
    summary: 'The logo of who runs the server',
    refusals: [NOT_THERE],
    answer: undefined,
    media: 'image/*',
    fields: {},
    async handle() {
      try {
        const { type, bytes } = await read();
        return new FileAnswer(type, bytes);
      } catch (error) {
        throw new ApiError(...NOT_THERE, 'There is no logo that can be shown', { cause: error });
      }
    },
  });
