/** Names of a payment: under which the bank pays once, and under which the ledger books each of its movements once. */
import { v5 } from "uuid";
import type { TransferCode } from "../../entities/transfer";

/** Made once, at random: it only keeps these ids apart from other uses of the same names. */
const NAMESPACE = "b4f7f0a6-3a52-4c1e-9d61-6f3a5f0f7a3d";

export const paymentKey = (statementId: string, attempt: number): string => `${statementId}-${attempt}`;

/** The same movement has the same id, in whatever process it is booked: a second booking meets the primary key. */
export const movementId = (key: string, code: TransferCode): string => v5(`${key}:${code}`, NAMESPACE);

/** Of the leftover of one statement that a later one pays along. */
export const carryId = (fromStatementId: string): string => v5(`${fromStatementId}:carry`, NAMESPACE);
