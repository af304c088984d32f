import * as pulumi from "@pulumi/pulumi";

/** What dependants wait for: resources that are there and were checked to work. Goes into `dependsOn`. */
export type Ready = pulumi.Output<pulumi.Resource[]>;

/** Ready when all of them are; fails with the first that failed. */
export function allReady(parts: readonly Ready[]): Ready {
  return (pulumi.all([...parts]) as pulumi.Output<pulumi.Resource[][]>).apply((resources) => resources.flat());
}
