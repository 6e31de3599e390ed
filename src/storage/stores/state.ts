/** Values that this server keeps beside the data, by name: such as how far it has read a table. */
export interface StateStore {
  get(name: string): Promise<string | undefined>;
  set(name: string, value: string): Promise<void>;
  delete(name: string): Promise<void>;
}
