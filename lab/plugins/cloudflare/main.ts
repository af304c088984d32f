import { serve } from "../framework/serve.ts";
import { plugin } from "./plugin.ts";

await serve(plugin);
