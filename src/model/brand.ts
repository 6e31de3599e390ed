/** Whether the text can name a brand: a folder of templates, never a path. */
export const isBrandName = (text: string): boolean =>
  /^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,64}$/.test(text);
