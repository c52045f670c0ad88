/** Whether an organisation is there for this viewer to manage: its members, keys and sessions. */
import type { EntityManager } from "typeorm";
import { Organisation } from "../../entities/organisation";
import { notFound } from "../platform/errors";
import { isId } from "../platform/ids";
import { owns, type Viewer } from "./viewer";

/** Errors: NOT_FOUND. */
export async function organisationToManage(tx: EntityManager, viewer: Viewer, id: string): Promise<void> {
  if (isId(id) && owns(viewer, id) && (await tx.existsBy(Organisation, { id }))) return;
  throw notFound("organisation", "organisationId");
}
