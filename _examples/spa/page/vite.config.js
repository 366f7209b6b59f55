import { defineConfig } from "vite";

export default defineConfig({
  build: {
    target: "baseline-widely-available",
    assetsInlineLimit: 0, // the policy of the page allows no data: but pictures
    rolldownOptions: { input: ["index.html", "redirect.html"] },
  },
});
