import type { AdminRole } from '../../storage/stores/index.ts';

/** Who looks at the server, or changes something: by the admin API, or by a command. */
export interface Operator {
  /** As the trail names them: `token ID NAME`, `openid SUBJECT`, `user NAME`. */
  readonly who: string;
  readonly role: AdminRole;
  readonly via: 'api' | 'command';
  /** The address of the client, or the machine's name. */
  readonly origin: string;
}

/** The provider that vouches for operators. */
export interface Issuer {
  /**
   * Whose access token it is; undefined where it is none of that provider's, is not for this server, has ended, or gives
   * no role.
   * @throws UnavailableError while the provider cannot be asked
   */
  operatorOf(token: string): Promise<Pick<Operator, 'who' | 'role'> | undefined>;
}
