import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const OUT = resolve(import.meta.dirname, process.env.OUT ?? "../build/web");

/** Each file that gets smaller by it lies there packed, too: nginx (gzip_static) sends that one. */
function packed(): Plugin {
  return {
    name: "packed",
    apply: "build",
    closeBundle() {
      for (const name of readdirSync(OUT, { recursive: true, encoding: "utf8" })) {
        const path = join(OUT, name);
        if (!/\.(html|js|css|svg)$/.test(name) || statSync(path).size < 1024) continue;
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: constants.Z_BEST_COMPRESSION }));
      }
    },
  };
}

export default defineConfig({
  base: "./", // wherever it is put
  plugins: [react(), packed()],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    assetsInlineLimit: 0, // the policy of the page takes nothing inline
    chunkSizeWarningLimit: 5000,
    reportCompressedSize: false,
  },
  server: { proxy: { "/api": { target: process.env.C1D ?? "http://127.0.0.1:8080" } } },
});
