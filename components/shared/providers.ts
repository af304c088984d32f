import { createRequire } from "node:module";
import type * as Cloudflare from "@pulumi/cloudflare";
import type * as Command from "@pulumi/command";
import type * as Docker from "@pulumi/docker";
import type * as Random from "@pulumi/random";

/*
 * The provider packages load each resource class on first use. An ESM import reads every export to build its
 * namespace and so loads all of them (cloudflare: hundreds of files); `require` keeps them lazy.
 */
const require = createRequire(import.meta.url);

export const cloudflare = require("@pulumi/cloudflare") as typeof Cloudflare;
export const command = require("@pulumi/command") as typeof Command;
export const docker = require("@pulumi/docker") as typeof Docker;
export const random = require("@pulumi/random") as typeof Random;
