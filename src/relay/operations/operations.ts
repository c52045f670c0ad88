/** The table of operations: what a request may ask of a provider, by itself or as a line of a batch. */
import { chat } from "./chat";
import { completions } from "./completions";
import { embeddings } from "./embeddings";
import type { Operation } from "./operation";
import { responses } from "./responses";

export const operations: readonly Operation[] = [chat, completions, embeddings, responses];
