import type { Admission } from '../../identity/operators/admission.ts';
import { IdentityError } from '../../model/errors.ts';
import type { ApiServerOptions } from '../http/api-server.ts';
import { bearerOf, WITHOUT_TOKEN } from '../http/authentication.ts';
import { ApiError } from '../http/errors.ts';

/** Lets in whoever shows a token of an operator. */
export const letIn =
  (admission: Admission): NonNullable<ApiServerOptions['letIn']> =>
  async (authorization, { network, address }) => {
    try {
      return await admission.admit(bearerOf(authorization), { network, address });
    } catch (error) {
      const isUnknown = error instanceof IdentityError && error.fault === 'token-unknown';
      if (!isUnknown) throw error;
      throw new ApiError(...WITHOUT_TOKEN, error.message, {
        headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
        cause: error,
      });
    }
  };
