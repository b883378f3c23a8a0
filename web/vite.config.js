import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

/** Where `npm run dev` finds a daemon (or the fake one in dev/). */
const daemon = process.env["UNDERSTUDY_URL"] ?? "http://127.0.0.1:7117";

export default defineConfig({
  plugins: [svelte()],
  build: {
    // The API crate embeds this folder. `public/.gitkeep` keeps the folder in git although its content is built.
    outDir: "../host/api/ui-dist",
    emptyOutDir: true,
    // The page is served with a policy that allows nothing inline: no data: addresses, no inline polyfill.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": daemon } },
});
