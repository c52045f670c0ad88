/** Builds GraphiQL into dist/graphiql, whole: what is served needs no other host. */
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  base: "/graphiql/",
  publicDir: false,
  logLevel: "warn",
  build: {
    outDir: "../dist/graphiql",
    emptyOutDir: true,
    // Icons and fonts become files: the content security policy allows no data: scripts, and caches keep files.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4_000,
    modulePreload: { polyfill: false },
    // "use client" of React's libraries means nothing where there is no server that renders.
    rolldownOptions: { onLog: (level, log, report) => log.code !== "MODULE_LEVEL_DIRECTIVE" && report(level, log) },
  },
});
