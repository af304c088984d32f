/**
 * Names in an order in which everything comes after what it depends on; ties keep the order they were given in.
 * Names that are not in `dependsOn` themselves are ignored: configuration is refused before it gets here.
 */
export function dependencyOrder(dependsOn: Readonly<Record<string, readonly string[]>>): string[] {
  const seen = new Set<string>();
  const order: string[] = [];
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const dependency of dependsOn[name] ?? []) visit(dependency);
    if (name in dependsOn) order.push(name);
  };
  Object.keys(dependsOn).forEach(visit);
  return order;
}

/** What each of `names` waits for among themselves: directly, or through others such as jobs. */
export function dependenciesAmong(
  names: ReadonlySet<string>,
  dependsOn: Readonly<Record<string, readonly string[]>>,
): Record<string, string[]> {
  const among = (name: string): string[] =>
    (dependsOn[name] ?? []).flatMap((dependency) => (names.has(dependency) ? [dependency] : among(dependency)));
  return Object.fromEntries([...names].map((name) => [name, [...new Set(among(name))]]));
}
