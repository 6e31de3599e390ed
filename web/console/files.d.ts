/** Where the build puts a picture. */
declare module '*.svg' {
  const url: string;
  export default url;
}
