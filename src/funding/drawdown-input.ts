/** What a drawdown may say of the use of its lot: when it is drawn on, until when, and for what. */
import { z } from "zod";
import { Workload, type Workload as WorkloadName } from "../../schema/enums";
import { checked } from "../platform/input";

export interface LotConditions {
  /** The lower, the earlier it is drawn on. */
  readonly priority: number;
  /** Null: with the facility's tenor. */
  readonly expiresAt: Date | null;
  /** Null: any. */
  readonly accelerators: string[] | null;
  readonly workloads: WorkloadName[] | null;
}

export const NO_CONDITIONS: LotConditions = { priority: 100, expiresAt: null, accelerators: null, workloads: null };

const PRIORITY_MAX = 1_000;
const ACCELERATORS_MAX = 20;

/** In one order and without repeats, so that the same restriction is the same text. */
const choice = <Name extends string>(name: z.ZodType<Name>, max: number) =>
  z
    .array(name)
    .min(1)
    .max(max)
    .transform((names) => [...new Set(names)].sort())
    .nullable();

const workloads = Object.keys(Workload) as [WorkloadName, ...WorkloadName[]];

const fields = z.object({
  priority: z.int().min(0).max(PRIORITY_MAX),
  expiresAt: z.date().nullable(),
  accelerators: choice(z.string().min(1).max(40), ACCELERATORS_MAX),
  workloads: choice(z.enum(workloads), workloads.length),
});

/** Errors: BAD_USER_INPUT. */
export const checkConditions = (asked: LotConditions): LotConditions => checked(fields, asked);
