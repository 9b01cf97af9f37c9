import tseslint from "typescript-eslint";
import { layers } from "./scripts/layers-rule.js";

export default tseslint.config(
  { ignores: ["dist/**", "node_modules/**", "runs/**", "**/*.js", "coverage/**"] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { foehn: { rules: { layers } } },
    rules: {
      "foehn/layers": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/require-await": "off", // an interface may be async where one implementation need not be
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true, allowNullish: true },
      ],
    },
  },
);
