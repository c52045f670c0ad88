/** The access matrix once more without the application's checks: PostgreSQL's row policies stand alone. */
import type { Viewer } from "../../src/accounts/viewer";
import { DomainError } from "../../src/platform/errors";
import { describeMatrix } from "./describe-matrix";

jest.mock("../../src/accounts/viewer", () => {
  const actual = jest.requireActual<typeof import("../../src/accounts/viewer")>("../../src/accounts/viewer");
  const somebody = (viewer: Viewer | null): Viewer => {
    if (viewer === null) throw new DomainError("UNAUTHENTICATED", "somebody has to ask");
    return viewer;
  };
  return {
    ...actual,
    requireScope: somebody,
    requireKind: somebody,
    owns: () => true,
    organisationScope: (viewer: Viewer | null, _scope: string, asked?: string | null) => {
      somebody(viewer);
      return asked ?? null;
    },
    ownerOfNew: (viewer: Viewer | null, _kind: string, named: { id?: string | null }) =>
      named.id ?? somebody(viewer).organisationId,
  };
});

describeMatrix({ checks: "PostgreSQL's alone" });
