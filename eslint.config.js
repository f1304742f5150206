// Lint rules: typescript-eslint's strict set, and the direction of imports between the folders of src/ (docs/architecture.md).
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** What each folder of src/ may import besides itself. Nothing else may be imported; the way of an event reads left to right. */
const LAYERS = {
  lib: [],
  errors: ['lib'],
  config: ['lib', 'errors'],
  wire: ['lib', 'errors'],
  rules: ['lib', 'errors'],
  events: ['lib', 'errors', 'config', 'wire', 'rules'],
  observability: ['lib', 'errors', 'config', 'events'],
  store: ['lib', 'errors', 'config', 'events', 'observability'],
  catalog: ['lib', 'errors', 'config', 'events', 'observability', 'rules'],
  ads: ['lib', 'errors', 'config', 'events', 'observability', 'catalog'],
  packages: ['lib', 'errors', 'config', 'events', 'observability'],
  collector: ['lib', 'errors', 'config', 'observability', 'wire', 'events', 'store', 'catalog', 'rules', 'ads'],
  exports: ['lib', 'errors', 'config', 'observability', 'events', 'store', 'catalog', 'packages', 'ads'],
  imports: [
    'lib',
    'errors',
    'config',
    'observability',
    'wire',
    'rules',
    'events',
    'store',
    'catalog',
    'exports',
    'ads',
  ],
  backup: ['lib', 'errors', 'events', 'store', 'catalog', 'ads'],
  erasure: ['lib', 'errors', 'config', 'observability', 'events', 'store', 'catalog', 'packages', 'exports'],
  demo: ['events'],
  client: ['lib', 'errors', 'events'],
  http: [
    'lib',
    'errors',
    'config',
    'observability',
    'wire',
    'rules',
    'events',
    'store',
    'catalog',
    'ads',
    'packages',
    'collector',
    'exports',
  ],
  commands: [
    'lib',
    'errors',
    'config',
    'observability',
    'wire',
    'rules',
    'events',
    'store',
    'catalog',
    'ads',
    'packages',
    'collector',
    'exports',
    'imports',
    'erasure',
    'backup',
    'client',
    'system',
  ],
};

const layerRules = Object.entries(LAYERS).map(([folder, allowed]) => {
  const banned = Object.keys(LAYERS).filter((other) => other !== folder && !allowed.includes(other));
  const patterns = banned.map((other) => ({
    regex: `^\\.\\.?/(\\.\\./)*${other}/`,
    message: `src/${folder} may not import src/${other}.`,
  }));
  if (!allowed.includes('system'))
    patterns.push({ regex: '(^|/)(system|cli)\\.ts$', message: `src/${folder} may not import the composition root.` });
  return {
    files: [`src/${folder}/**/*.ts`],
    ignores: ['**/*.test.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns }] },
  };
});

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'data/**', 'bench/node_modules/**', 'test/data/**'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-definitions': 'off', // interface for what has methods, type for data (CONTRIBUTING.md)
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off', // index access is checked (noUncheckedIndexedAccess); `!` marks a bound shown just above
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/prefer-literal-enum-member': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_', argsIgnorePattern: '^_' }],
      'no-restricted-syntax': [
        'error',
        { selector: 'TSEnumDeclaration', message: 'Use an `as const` object and a union type.' },
        { selector: "CallExpression[callee.property.name='pipe']", message: 'Use pipeline of node:stream/promises.' },
        {
          selector: "CallExpression[callee.object.name='process'][callee.property.name='exit']",
          message: 'Only src/cli.ts ends the process.',
        },
        {
          selector: "CallExpression[callee.object.name=/^(t|context)$/][callee.property.name='after']",
          message: 'Use atEnd of test/helpers: the newest is closed first, and the rest even when one fails.',
        },
      ],
    },
  },
  {
    files: [
      'src/cli.ts',
      'src/collector-process-entry.ts',
      'test/helpers/at-end.ts',
      'test/helpers/collector-process-entry.ts',
      'test/helpers/end-watch.ts',
      'scripts/**/*.ts',
      'bench/**/*.ts',
    ],
    rules: { 'no-restricted-syntax': 'off' },
  },
  {
    files: ['**/*.test.ts', 'test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', package: 'node:test', name: ['test', 'describe', 'it', 'suite'] },
          ],
        },
      ],
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/unbound-method': 'off', // helpers are taken apart where a test uses one of them
    },
  },
  { files: ['bench/**/*.js'], languageOptions: { globals: { process: 'readonly', URL: 'readonly' } } },
  {
    files: ['**/*.cjs'],
    languageOptions: {
      sourceType: 'commonjs',
      globals: {
        require: 'readonly',
        process: 'readonly',
        console: 'readonly',
        __dirname: 'readonly',
        module: 'readonly',
      },
    },
  },
  ...layerRules,
);
