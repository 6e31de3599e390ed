export interface EphemeralKeyStore {
  /** Whether the key belongs to an invitation that is pending, or was so lately; counts the question. */
  countVerification(publicKey: string, now: number): Promise<boolean>;
  /** Deletes keys that were valid until some time before now; the number deleted. */
  deleteExpired(now: number, limit: number): Promise<number>;
}
