import { settings } from "./settings.ts";

/** The page of the frontend. Styled without scripts or foreign files: strict content policies let it through. */
export function frontend(): string {
  const { system, version, task } = settings;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${system} ${version}</title></head>
<body>
<h1>${system}</h1>
<p>version <strong>${version}</strong>, served by task <code>${task}</code></p>
</body>
</html>
`;
}
