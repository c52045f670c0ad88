// Lets a child process of a test run our TypeScript as it stands, without a build: `node --require …/typescript.cjs bin/demo.ts`.
const { readFileSync } = require("node:fs");
const { transformSync } = require("@swc/core");
const options = require("../../swc.json");

process.setSourceMapsEnabled(true);
require.extensions[".ts"] = (module, filename) => {
  module._compile(transformSync(readFileSync(filename, "utf8"), { ...options, swcrc: false, filename }).code, filename);
};
