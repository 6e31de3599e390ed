import { writeFile } from 'node:fs/promises';
import path from 'node:path';

const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="96" height="40" viewBox="0 0 96 40">
<rect width="40" height="40" rx="10" fill="#0b6e4f"/><path d="M11 21l6 6 12-14" fill="none" stroke="#fff" stroke-width="4" stroke-linecap="round" stroke-linejoin="round"/>
<circle cx="62" cy="20" r="12" fill="#e0a800"/><circle cx="80" cy="20" r="12" fill="#4a86d8" fill-opacity=".85"/></svg>
`;

/** Writes a logo into the folder; its file. */
export async function writeLogo(folder: string, content: string | Buffer = SVG): Promise<string> {
  const file = path.join(folder, 'logo.svg');
  await writeFile(file, content);
  return file;
}
