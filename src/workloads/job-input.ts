/** What a client may ask for when it makes a job, in OpenAI's words, checked before anything is looked up. */
import { z } from "zod";

const metadata = z
  .record(z.string().max(64), z.string().max(512))
  .refine((pairs) => Object.keys(pairs).length <= 16, { message: "must have at most 16 members" });

/** Absent or "auto": ours to choose. */
const auto = <T extends z.ZodType>(value: T) => z.union([z.literal("auto"), value]).nullish();

/** `urls`: what lines may call. */
export const batchFields = (urls: readonly string[]) =>
  z.object({
    /** The file's UUID. */
    input_file_id: z.string(),
    endpoint: z.enum(urls as [string, ...string[]], `must be one of ${urls.join(", ")}`),
    completion_window: z.literal("24h", 'must be "24h"'),
    metadata: metadata.nullish(),
  });

export const EPOCHS_DEFAULT = 3;

export const trainingFields = z.object({
  training_file: z.string(),
  validation_file: z.string().nullish(),
  model: z.string().min(1).max(200),
  hyperparameters: z
    .object({
      n_epochs: auto(z.int().min(1).max(50)),
      batch_size: auto(z.int().min(1).max(4_096)),
      learning_rate_multiplier: auto(z.number().positive().max(1_000)),
    })
    .nullish(),
  seed: z.int().min(0).max(2_147_483_647).nullish(),
  suffix: z
    .string()
    .min(1)
    .max(64)
    .regex(/^[A-Za-z0-9._-]+$/, "may have letters, digits, dots, dashes and underscores")
    .nullish(),
  metadata: metadata.nullish(),
});

export type NewBatch = z.input<ReturnType<typeof batchFields>>;
export type NewTraining = z.input<typeof trainingFields>;
