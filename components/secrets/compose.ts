const reference = /\$\{([^}]*)\}/g;

/** Names of the secrets that a template is built from. */
export function references(template: string): string[] {
  return [...new Set([...template.matchAll(reference)].map((match) => match[1] ?? ""))];
}

/**
 * Replaces each `${NAME}` of a template. What stands behind a `://` is part of a URL and is percent-encoded there: a
 * supplied password may hold `@`, `/` or `:`. Generated ones are letters and digits and come out as they are. A
 * secret that is a URL itself stands at the beginning of its template and is taken literally.
 */
export function compose(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(reference, (_, name: string, offset: number) => {
    const value = values[name];
    if (value === undefined) throw new Error(`no value for "${name}"`);
    return template.slice(0, offset).includes("://") ? encodeURIComponent(value) : value;
  });
}
