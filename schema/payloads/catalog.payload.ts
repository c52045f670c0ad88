/** What the mutations of the catalog answer. */
import { payload } from "../user-error";
import { EndpointView, OfferingView } from "../views/catalog.view";

export const EndpointRegister = payload<{ endpoint?: EndpointView }>(
  "EndpointRegister",
  { endpoint: [() => EndpointView, "The new endpoint."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "ALREADY_EXISTS", "UPSTREAM_URL_REFUSED", "STATE_CONFLICT"],
);

export const EndpointMove = payload<{ endpoint?: EndpointView }>(
  "EndpointMove",
  { endpoint: [() => EndpointView, "The endpoint in its new state."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", "VERSION_CONFLICT"],
);

export const OfferingPublish = payload<{ offering?: OfferingView }>(
  "OfferingPublish",
  { offering: [() => OfferingView, "The new offering."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "ALREADY_EXISTS", "STATE_CONFLICT"],
);

export const OfferingMove = payload<{ offering?: OfferingView }>(
  "OfferingMove",
  { offering: [() => OfferingView, "The offering in its new state."] },
  ["BAD_USER_INPUT", "NOT_FOUND", "STATE_CONFLICT", "VERSION_CONFLICT"],
);
