// Lets a child process of a test run our TypeScript as it stands, without a build: `node --require …/typescript.cjs bin/demo.ts`.
const { readFileSync } = require("node:fs");
const { keep, kept, placeOf } = require("./kept-code.cjs");
const options = require("../../swc.json");

process.setSourceMapsEnabled(true);
require.extensions[".ts"] = (module, filename) => {
  const source = readFileSync(filename, "utf8");
  const place = placeOf(JSON.stringify(options), filename, source);
  let code = kept(place)?.toString();
  if (code === undefined) {
    ({ code } = require("@swc/core").transformSync(source, { ...options, swcrc: false, filename }));
    keep(place, code);
  }
  module._compile(code, filename);
};
