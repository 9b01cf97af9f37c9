/** Worker threads and command-line tests run the built files, so they are built once before all tests. */
export default async function setup() {
  const { build } = await import("../scripts/build.js");
  await build();
}
